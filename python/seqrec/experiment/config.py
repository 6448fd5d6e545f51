"""RunConfig: everything that decides what a training run computes.

A run is one cell of the comparison: a model and a task. Tables that have no meaning for the cell
are not part of its config, so that setting one is an error instead of a knob that does nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from seqrec import config
from seqrec.batches import ClozeConfig, NegativeConfig, WindowConfig
from seqrec.data import NegativesKind, Split
from seqrec.errors import ConfigError
from seqrec.evaluation import RELEVANCE_METRICS, EvalConfig
from seqrec.experiment.cells import OPTIONAL, ModelName, TaskName, refuse_foreign, tables_of
from seqrec.experiment.defaults import asked_of, data_defaults, defaults, machine_defaults
from seqrec.models import BERT4RecConfig, LSTMConfig
from seqrec.training import ObjectiveConfig, TrainConfig

MAX_STD = 1e6  # any size that a weight can have: far larger ones are no float32
MAX_WINDOW = 1024  # the kernel that counts pairs takes no larger one (rust/core/src/pairs.rs)


@dataclass(frozen=True, slots=True, kw_only=True)
class StartConfig:
    """Where the item vectors and the biases of the items start.

    Attributes:
        item_vectors: "svd": a truncated SVD of the positive pointwise mutual information of items
            that stand near each other in the training sequences, weighted by 1 / distance.
            "random": the model's own initialisation.
        window: how far apart such items may stand; None: 50 places, or fewer where that would be
            more than 2^27 pairs of places; "svd" alone.
        std: the standard deviation that the vectors are scaled to; "svd" alone; 0.03 with
            `windows.windows` "prefixes", and where the LSTM's vectors are 512 wide by default.
        biases: "popularity": log(N p) of each item, p its share of the training actions and N their
            number, which is the logit without regard to the user. "zero": 0. Less log n for "bce"
            and "gbce", whose targets stand against the n negatives of a batch. A model without
            biases (BERT4Rec with the candidate inside) does not use it. "popularity" with
            `windows.windows` "prefixes".
    """

    item_vectors: Literal["svd", "random"] = "svd"
    window: int | None = None
    std: float = 0.05
    biases: Literal["popularity", "zero"] = "popularity"

    def __post_init__(self) -> None:
        fits = self.window is None or 1 <= self.window <= MAX_WINDOW
        config.check(fits, "start.window", self.window, f"from 1 to {MAX_WINDOW}")
        config.check(0 < self.std <= MAX_STD, "start.std", self.std, f"above 0, at most {MAX_STD}")
        named = ("popularity", "zero")
        config.check(self.biases in named, "start.biases", self.biases, f"one of {named}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RelevanceConfig:
    """Which targets BERT4Rec's relevance rows have, but with `bert4rec.relevance_head` "last".

    Attributes:
        targets_per_user: target positions of a user in an epoch, drawn anew in each; all of them
            where the user has no more. Each is one row for itself and one for its negative.
    """

    targets_per_user: int = 16

    def __post_init__(self) -> None:
        config.check(
            1 <= self.targets_per_user < 2**31,
            "relevance.targets_per_user", self.targets_per_user, "at least 1 and below 2^31",
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """One training run. Tables that are None have no meaning for this model and task."""

    model: ModelName
    task: TaskName
    lstm: LSTMConfig | None = None
    bert4rec: BERT4RecConfig | None = None
    windows: WindowConfig = field(default_factory=WindowConfig)
    cloze: ClozeConfig | None = None
    relevance: RelevanceConfig | None = None
    negatives: NegativeConfig | None = None
    start: StartConfig = field(default_factory=StartConfig)
    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)
    training: TrainConfig = field(default_factory=TrainConfig)
    evaluation: EvalConfig = field(default_factory=EvalConfig)

    def __post_init__(self) -> None:
        given = {table for table in OPTIONAL if getattr(self, table) is not None}
        head = None if self.bert4rec is None else self.bert4rec.relevance_head
        refuse_foreign(given, self.model, self.task, self.objective.loss, head)
        missing = tables_of(self.model, self.task, self.objective.loss, head) - given
        if missing:
            raise ConfigError(f"table [{min(missing)}] is missing for {self.model} on {self.task}")
        if self.bert4rec is not None:
            config.check(
                self.bert4rec.max_seq_len == self.windows.max_seq_len,
                "bert4rec.max_seq_len", self.bert4rec.max_seq_len,
                f"left out, or windows.max_seq_len, which is {self.windows.max_seq_len}",
            )  # fmt: skip
        if self.relevance is not None:
            config.check(
                self.windows.windows == WindowConfig().windows,
                "windows.windows", self.windows.windows,
                f"left out with relevance_head {head!r}, whose rows end where "
                "relevance.targets_per_user draws a target",
            )  # fmt: skip
        if self.task == "next_item" and self.negatives is not None:
            self.negatives.check_sampled()
        self._check_evaluation()

    def _check_evaluation(self) -> None:
        """Refuses before training what would only come to light after it."""
        if self.task == "relevance":
            unset = EvalConfig()
            for name in ("k", "ties", "lists"):
                value = getattr(self.evaluation, name)
                rule = "left out for relevance, which ranks nothing"
                config.check(value == getattr(unset, name), f"evaluation.{name}", value, rule)
            alpha = 1.0 if self.negatives is None else self.negatives.pop_alpha
            rule = "1 for relevance, which is judged on negatives drawn by the counts themselves"
            config.check(alpha == 1, "negatives.pop_alpha", alpha, rule)
        measured = RELEVANCE_METRICS if self.task == "relevance" else self.evaluation.metrics
        monitor = self.training.monitor
        config.check(
            monitor in measured,
            "training.monitor", monitor, f"what validation measures: {', '.join(measured)}",
        )  # fmt: skip

    def identity(self) -> dict[str, Any]:
        """What decides the weights and the numbers, as plain values."""
        return {**config.to_dict(self), "training": self.training.identity()}

    @property
    def negatives_of_a_target(self) -> int:
        """The drawn items that a target stands against: one, or of next item those of its batch."""
        if self.task == "relevance" or self.negatives is None:
            return 1
        return self.training.batch_size * self.negatives.num_negatives

    @property
    def negatives_kind(self) -> NegativesKind:
        """The negatives that a relevance run is judged on: those it is trained with."""
        return "uniform" if self.negatives is None else self.negatives.neg_sampling


def resolve(
    layers: Mapping[str, Mapping[str, Any]], split: Split | None = None
) -> tuple[RunConfig, dict[str, str]]:
    """The config of named layers laid over the defaults, and where each set value came from.

    `layers` maps a name ("recipe", "--set", ...) to tables; later layers win. The layers together
    must say the model and the task. `split` is what will be trained on, here: both have a say in
    the defaults; without it they are those of most data and of any machine.
    """
    for name, tables in layers.items():
        config.check(isinstance(tables, Mapping), name, tables, "tables of options")
    asked = config.merge(*layers.values())
    for key in ("model", "task"):
        if key not in asked:
            raise ConfigError(f"option `{key}` is missing: name it in the recipe or by --{key}")
    loss, k = asked_of(asked, "objective", "loss"), asked_of(asked, "evaluation", "k")
    fitting = {} if split is None else data_defaults(asked, split)
    head = asked_of(config.merge(fitting, asked), "bert4rec", "relevance_head")
    base = defaults(asked["model"], asked["task"], loss=loss, k=k or EvalConfig().k, head=head)
    native = {} if split is None else machine_defaults(asked)
    tables = config.merge(base, fitting, native, asked)
    # Before its options are read: what is wrong with them is not what is wrong.
    refuse_foreign(tables, asked["model"], asked["task"], base["objective"]["loss"], head)
    if "bert4rec" in tables and asked["model"] == "bert4rec":
        # The length of a row is said once, with the windows; the model has to agree.
        length = asked_of(tables, "windows", "max_seq_len") or WindowConfig().max_seq_len
        if isinstance(tables["bert4rec"], dict):
            tables["bert4rec"].setdefault("max_seq_len", length)
    by_default = {
        "default": base, "default for this data": fitting, "default for this machine": native,
    }  # fmt: skip
    return config.read(RunConfig, tables), config.origins({**by_default, **layers})


def to_toml(run: RunConfig, origins: Mapping[str, str]) -> str:
    """Every option as TOML, with a comment that says where it came from."""
    tables = config.to_dict(run)
    lines = [f'{key} = "{tables.pop(key)}"' for key in ("model", "task")]
    for table, options in tables.items():
        lines += ["", f"[{table}]"]
        for key, value in options.items():
            origin = origins.get(f"{table}.{key}", "default")
            text = "" if value is None else config.toml_value(value)
            shown = f"{key} = {text}" if text else f"# {key} is not set"
            lines.append(f"{shown:<40} # {origin}")
    return "\n".join(lines)
