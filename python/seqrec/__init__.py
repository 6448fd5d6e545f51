"""Sequential recommendation: LSTM and BERT4Rec in PyTorch, fed by a parallel Rust data path.

The names below are imported when they are first used, so that `import seqrec` costs nothing.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # as typing has it, which takes longer to import than all else here
if TYPE_CHECKING:
    from typing import Any

    from seqrec.data import Dataset, Interactions, PrepareConfig
    from seqrec.errors import SeqrecError
    from seqrec.experiment import Run, RunConfig, load
    from seqrec.experiment.fit import fit, refit  # by its module: mypy takes the package's for it

_HOMES = {
    "Dataset": "seqrec.data",
    "Interactions": "seqrec.data",
    "PrepareConfig": "seqrec.data",
    "Run": "seqrec.experiment",
    "RunConfig": "seqrec.experiment",
    "SeqrecError": "seqrec.errors",
    "fit": "seqrec.experiment",
    "load": "seqrec.experiment",
    "refit": "seqrec.experiment",
}
_ROOMS = ("batches", "cards", "comparison", "config", "data", "errors", "evaluation", "experiment",
          "models", "simulation", "training", "tuning")  # fmt: skip

__all__ = [
    "Dataset",
    "Interactions",
    "PrepareConfig",
    "Run",
    "RunConfig",
    "SeqrecError",
    "fit",
    "load",
    "refit",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name in _ROOMS:
        return import_module(f"seqrec.{name}")
    raise AttributeError(f"module 'seqrec' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES, *_ROOMS])
