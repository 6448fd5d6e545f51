"""Windows: the pieces of long histories that models are trained on, cut lazily."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from seqrec import _core
from seqrec.batches.plan import Plan
from seqrec.config import check
from seqrec.data.sequences import Sequences

Policy = Literal["random", "shifted", "last", "sliding", "prefixes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowConfig:
    """How histories longer than the model are cut.

    Attributes:
        windows: "last": a user's most recent items alone. "sliding": fixed windows, stepping back
            from the last item by `stride` until the first item is reached. "random": the last
            window and, at places drawn anew each epoch, as many more as the history is windows
            long: of a long one an epoch shows about two thirds, the first items seldom. "shifted":
            the last window and as many that follow each other before it, all of them moved towards
            the beginning by a number drawn anew for each user and epoch, so that an epoch shows all
            but some of the first items; the default of the LSTM's next item. "prefixes": the end of
            each beginning of a history, for a cloze that hides last items alone
            (`cloze.last_only_prob` 1) and so learns each from what came before it; the default of
            BERT4Rec's next item for histories of 32 items or fewer, on average, and for 200,000
            training actions or fewer, unless there are more than ten million.
        max_seq_len: tokens of a row, everything counted. Short windows train faster and, where it
            was measured, better: docs/experiments.md.
        stride: for "sliding" alone; None stands for `max_seq_len`, which makes no item a target
            twice.
    """

    windows: Policy = "random"
    max_seq_len: int = 32
    stride: int | None = None

    def __post_init__(self) -> None:
        policies = get_args(Policy)
        check(self.windows in policies, "windows.windows", self.windows, f"one of {policies}")
        check(self.max_seq_len >= 2, "windows.max_seq_len", self.max_seq_len, "at least 2")
        if self.stride is not None:
            check(
                self.windows == "sliding", "windows.stride", self.stride,
                f"left out unless windows.windows is 'sliding' (it is {self.windows!r})",
            )  # fmt: skip
            allowed = 1 <= self.stride <= self.max_seq_len
            most = f"from 1 to windows.max_seq_len = {self.max_seq_len}"
            check(allowed, "windows.stride", self.stride, most)


class Windows:
    """The windows of all users under one policy.

    Args:
        sequences: the training part.
        config: the policy.
        next_item: whether a window's last item is only a target. Its windows then hold one item
            more than they have tokens, and need at least two.

    Raises:
        ConfigError: for "prefixes" where every item of a window is a target.
    """

    def __init__(self, sequences: Sequences, config: WindowConfig, *, next_item: bool) -> None:
        repeated = next_item and config.windows == "prefixes"
        rule = (
            "another: all items but the first of a row are targets already, prefixes are for cloze"
        )
        check(not repeated, "windows.windows", config.windows, rule)
        self.sequences = sequences
        self.policy = config.windows
        self.target_only = int(next_item)
        self.width = config.max_seq_len + self.target_only
        self.stride = config.stride or config.max_seq_len

    def plan(self, seed: int, epoch: int, batch_size: int) -> Plan:
        """All windows of an epoch in the order of training."""
        users, ks, lengths = _core.plan_windows(
            self.sequences.starts, self.sequences.stops, self.policy, self.width, self.stride,
            self.target_only, 1 + self.target_only, seed, epoch, batch_size,
        )  # fmt: skip
        return Plan(
            users=users,
            ks=ks,
            tokens=lengths - self.target_only,
            batch_size=batch_size,
            max_width=self.width - self.target_only,
            seed=seed,
            epoch=epoch,
        )
