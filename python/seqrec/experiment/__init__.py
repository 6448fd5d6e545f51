"""The wiring: a run from its config to a model that can be judged, saved and asked."""

from seqrec.experiment.artifact import REFIT
from seqrec.experiment.cells import MODELS, TASKS, check_cell
from seqrec.experiment.config import RunConfig, resolve
from seqrec.experiment.fit import fit, fit_layers, refit
from seqrec.experiment.ledger import readings
from seqrec.experiment.loading import begun_with, load
from seqrec.experiment.run import Run

__all__ = [
    "MODELS",
    "REFIT",
    "TASKS",
    "Run",
    "RunConfig",
    "begun_with",
    "check_cell",
    "fit",
    "fit_layers",
    "load",
    "readings",
    "refit",
    "resolve",
]
