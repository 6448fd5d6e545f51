"""What the jobs on scores share: random scores of some users, and what must come out of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from seqrec import _core
from seqrec.bench import machine
from seqrec.bench.contender import Work
from seqrec.bench.shapes import Problem
from seqrec.data import Sequences
from seqrec.errors import DataError

K = 10
GATHERED = "places of seen items gathered beforehand"  # a note
PLANTED = 2 * K  # places that targets are put at, in turn
MOST_ROWS = 1024
MOST_BLOCKS = 1024  # that are made to be read from memory
TWIN_ENTRIES = 100_000  # scores that plain Python looks at in a call
LARGEST_BLOCK = 1 << 28  # bytes of scores that are ranked in one call
L3_BYTES = machine.caches().get("L3", 32 << 20)
# What goes round in turn comes from memory if it is larger than the cache; contenders keep copies.
FROM_RAM_BYTES = min(8 * L3_BYTES, max(2 * L3_BYTES, 1 << 30))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scored:
    """Users with scores, as a model gives them, and their targets.

    Attributes:
        blocks: float32 [R, N] each, as many as are needed to come from where the case says.
        inputs: what all users have taken before their targets.
        users: int32 [R].
        targets: int32 [R], never in the input; no other item has the target's score.
        case: where the scores lie.
    """

    blocks: list[NDArray[np.float32]]
    inputs: Sequences
    users: NDArray[np.int32]
    targets: NDArray[np.int32]
    case: str

    @property
    def n_items(self) -> int:
        """N, the columns of the scores."""
        return self.blocks[0].shape[1]

    @property
    def thousands(self) -> float:
        """Rows of a call, in the unit of the rates."""
        return len(self.users) / 1e3

    @property
    def work(self) -> Work:
        """What a thousand rows take at least: every score is read once."""
        resident = sum(block.nbytes for block in self.blocks)
        return Work(reads=1e3 * 4 * self.n_items, resident=resident)

    @property
    def twin_rows(self) -> int:
        """So many of the rows that plain Python is done with them soon."""
        return max(1, min(len(self.users), TWIN_ENTRIES // self.n_items))

    def block(self, seed: int) -> NDArray[np.float32]:
        """The scores of a call."""
        return self.blocks[seed % len(self.blocks)]

    def seen(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(rows, columns) of all items that the users have taken."""
        rows, places = self.inputs.places(self.users)
        return rows, self.inputs.items[places].astype(np.int64) - 1

    def copies(self) -> list[NDArray[np.float32]]:
        """Blocks of its own for who masks in place; that does the same when done again."""
        return [block.copy() for block in self.blocks]


def scored(problem: Problem) -> Iterator[Scored]:
    """The scores in the cache, if a block fits there, and from memory, if it takes few blocks.

    Raises:
        DataError: if nobody's last item is new to them.
    """
    part, n_items = problem.sequences, problem.n_items
    inputs = distinct(Sequences(part.items, part.starts, np.maximum(part.stops - 1, part.starts)))
    rng = np.random.default_rng([problem.sizes.seed, 2])
    rows = min(MOST_ROWS, max(1, LARGEST_BLOCK // (4 * n_items)))
    users = _users(inputs, part, rng, rows)
    targets = part.items[part.stops[users] - 1]
    size = 4 * rows * n_items
    first = planted_scores(rng, inputs, users, targets, n_items)
    if size <= L3_BYTES // 2:
        yield Scored(blocks=[first], inputs=inputs, users=users, targets=targets, case="in cache")
    if size * MOST_BLOCKS < FROM_RAM_BYTES:
        return  # a catalogue of some dozens of items, whose scores are always in the cache
    more = max(0, -(-FROM_RAM_BYTES // size) - 1)
    blocks = [first, *(planted_scores(rng, inputs, users, targets, n_items) for _ in range(more))]
    yield Scored(blocks=blocks, inputs=inputs, users=users, targets=targets, case="from RAM")


def distinct(inputs: Sequences) -> Sequences:
    """Histories without repeats: to filter an item twice would count it twice."""
    offsets, members = _core.sorted_sets(inputs.items, inputs.starts, inputs.stops)
    if len(members) == inputs.n_events:
        return inputs
    return Sequences(members, offsets[:-1], offsets[1:])


def masking(data: Scored) -> Callable[[torch.Tensor], None]:
    """Gives the seen items of every row the score -inf, in place, as torch users do.

    Their places, which are those of every block, are gathered here, once.
    """
    rows, columns = data.seen()
    places = torch.from_numpy(rows * data.n_items + columns)

    def mask(scores: torch.Tensor) -> None:
        scores.view(-1).index_fill_(0, places, float("-inf"))

    return mask


def counting(data: Scored) -> Callable[[NDArray[np.float32]], NDArray[np.int64]]:
    """Scores above the target's, with NumPy: of the whole row, less those of seen items.

    As in `masking`, the places of the seen items are gathered once.
    """
    rows, columns = data.seen()

    def count(scores: NDArray[np.float32]) -> NDArray[np.int64]:
        own = scores[np.arange(len(scores)), data.targets - 1]
        above = np.count_nonzero(scores > own[:, None], axis=1)
        counted = scores[rows, columns] > own[rows]
        return above - np.bincount(rows[counted], minlength=len(scores))

    return count


def places_in_top(scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Where the targets' columns [R, 1] stand in the K best of their row, K where they do not."""
    hits = torch.topk(scores, min(K, scores.shape[1]), dim=1).indices == targets
    return torch.where(hits.any(dim=1), hits.int().argmax(dim=1), K)


def metrics_at(ranks: NDArray[Any], k: int = K) -> NDArray[np.float64]:
    """hit, ndcg and mrr at k of ranks [R], one relevant item each: float64 [R, 3]."""
    inside = ranks <= k
    metrics = np.stack([np.ones(len(ranks)), 1 / np.log2(1.0 + ranks), 1.0 / ranks], axis=1)
    metrics[~inside] = 0
    return metrics


def expected_ranks(data: Scored, seed: int) -> NDArray[np.int64]:
    """The ranks of a block, row by row from the definition."""
    scores = data.block(seed)
    ranks = np.empty(len(scores), dtype=np.int64)
    for row, (user, target) in enumerate(zip(data.users, data.targets, strict=True)):
        left = np.delete(scores[row], data.inputs.user(user) - 1)
        ranks[row] = 1 + np.count_nonzero(left > scores[row, target - 1])
    return ranks


def _users(
    inputs: Sequences, part: Sequences, rng: np.random.Generator, rows: int
) -> NDArray[np.int32]:
    """Users of three actions at least, whose last item is new to them."""
    candidates = rng.permutation(np.flatnonzero(part.lengths >= 3))
    last = part.items[part.stops[candidates] - 1]
    new = [item not in inputs.user(user) for user, item in zip(candidates, last, strict=True)]
    if not any(new):
        raise DataError("nobody of three actions or more has a last item that is new to them")
    return np.resize(candidates[np.array(new)], rows).astype(np.int32)


def planted_scores(
    rng: np.random.Generator,
    inputs: Sequences,
    users: NDArray[np.int32],
    targets: NDArray[np.int32],
    n_items: int,
) -> NDArray[np.float32]:
    """Normal scores [R, N]; those equal to the target's are moved to the next float.

    In every second row the target is among the best, as hardly one of a large catalogue would be by
    chance, and below an item that the user has taken: a wrong count is another metric.
    """
    scores = rng.standard_normal((len(targets), n_items), dtype=np.float32)
    for place, (row, user, target) in enumerate(zip(scores, users, targets.tolist(), strict=True)):
        own = row[target - 1]
        if place % 2:
            best = min(1 + place // 2 % PLANTED, n_items)
            own = np.partition(row, -best)[-best]
            row[inputs.user(user)[0] - 1] = row.max() + 1
        row[row == own] = np.nextafter(own, np.float32(np.inf))
        row[target - 1] = own
    return scores
