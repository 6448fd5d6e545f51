"""The input that all peers share, as `inputs.py` wrote it; needs NumPy alone."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

K = 10
LOG = ("user", "item", "timestamp")


@dataclass(frozen=True, kw_only=True)
class Problem:
    """The shared input of a shape, as `inputs.py` wrote it, and the case that is asked for.

    Items are 1..=n_items everywhere; `raw_users` and `raw_items` map to the ids of the raw log.
    """

    folder: Path
    job: str
    case: str
    threads: int

    @cached_property
    def sizes(self) -> dict[str, Any]:
        return json.loads((self.folder / "sizes.json").read_text())

    @property
    def n_items(self) -> int:
        return self.sizes["n_items"]

    @property
    def n_users(self) -> int:
        return len(self.offsets) - 1

    @property
    def max_seq_len(self) -> int:
        return self.sizes["max_seq_len"]

    @property
    def batch_size(self) -> int:
        return self.sizes["batch_size"]

    @property
    def mask_prob(self) -> float:
        return self.sizes["mask_prob"]

    @cached_property
    def offsets(self) -> NDArray[np.int64]:
        return self.array("offsets")

    @cached_property
    def items(self) -> NDArray[np.int32]:
        """All users' items, oldest first: user u has items[offsets[u]:offsets[u + 1]]."""
        return self.array("items")

    @cached_property
    def users(self) -> NDArray[np.int32]:
        """The user of each of `items`."""
        return np.repeat(np.arange(self.n_users, dtype=np.int32), np.diff(self.offsets))

    @cached_property
    def log(self) -> dict[str, NDArray[np.int64]]:
        """The raw log in the order of the case: user, item and timestamp of each event."""
        name = self.case if self.job == "ingest" else "time-ordered"
        return {column: self.array(f"log-{name}-{column}") for column in LOG}

    @cached_property
    def scores(self) -> NDArray[np.float32]:
        """[R, n_items]: column j is item j + 1."""
        return self.array("scores")[: self.rows]

    @property
    def rows(self) -> int:
        """How many users a ranking case looks at."""
        name = "evaluation_rows" if self.job == "evaluate" else "rank_rows"
        return self.sizes[name]

    @cached_property
    def ranked_users(self) -> NDArray[np.int32]:
        """[R]: user of each row of the scores."""
        return self.array("ranked_users")[: self.rows]

    @cached_property
    def targets(self) -> NDArray[np.int32]:
        """[R]: the item to be found, the last one of each user; the input is all before it."""
        return self.items[self.offsets[self.ranked_users + 1] - 1]

    @cached_property
    def seen(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(rows, columns) of the scores of items in the inputs, row by row."""
        return seen_columns([self.history(user)[:-1] for user in self.ranked_users])

    @cached_property
    def lists(self) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """(items, scores) [R, 10]: the unseen items that score most, for peers that take lists."""
        return self.array("lists")[: self.rows], self.array("list_scores")[: self.rows]

    @cached_property
    def factors(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(users [R, 8], items [n_items, 8]) whose products are the scores of "factors" jobs."""
        return self.array("user_factors")[: self.rows], self.array("item_factors")

    def history(self, user: int) -> NDArray[np.int32]:
        return self.items[self.offsets[user] : self.offsets[user + 1]]

    def batches(self) -> list[NDArray[np.int32]]:
        """The users of some batches: int32 [batch_size] each."""
        rng = np.random.default_rng(1)
        return [rng.choice(self.n_users, self.batch_size).astype(np.int32) for _ in range(64)]

    def array(self, name: str) -> NDArray[Any]:
        return np.load(self.folder / f"{name}.npy")


def seen_columns(
    histories: list[NDArray[np.int32]],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(rows, columns) of the scores of items in these histories, one history a row."""
    rows = np.repeat(np.arange(len(histories)), [len(history) for history in histories])
    return rows, np.concatenate(histories).astype(np.int64) - 1
