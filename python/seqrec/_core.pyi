"""The compiled kernels. Each one fills or returns plain arrays, runs in seqrec's own thread pool
with the interpreter released, and gives the same bytes for any number of threads.

Ids: items are 1..=n_items, 0 is PAD, n_items + 1 is MASK; users are 0..n_users.
A part of a split is (items, starts, stops): user u owns items[starts[u]:stops[u]], oldest first.
Output arrays are C-contiguous, owned by the caller and filled whole. Errors: `seqrec.errors`.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "alias_table",
    "auc",
    "bootstrap_auc",
    "bootstrap_means",
    "contain",
    "count_items",
    "draw_evaluation_negatives",
    "encode_integers",
    "encode_strings",
    "fill_cloze",
    "fill_histories",
    "fill_negatives",
    "fill_next_item",
    "fill_relevance_pairs",
    "fill_relevance_sequences",
    "first_occurrences",
    "group_events",
    "keyed_hash",
    "mark_repeats",
    "n_core",
    "plan_targets",
    "plan_windows",
    "rank_counts",
    "rank_metrics",
    "set_threads",
    "sort_events",
    "sorted_sets",
    "threads",
    "top_k",
    "weigh_pairs",
]

# --- pool.rs -------------------------------------------------------------------------------------

def set_threads(threads: int) -> None: ...
def threads() -> int: ...

# --- prepare.rs: from a raw log to sequences -----------------------------------------------------

def encode_integers(ids: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """(codes, vocabulary): codes are 0-based places in the ascending distinct ids."""

def encode_strings(
    offsets: NDArray[np.int64], data: NDArray[np.uint8]
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.uint8]]:
    """(codes, offsets, bytes) of UTF-8 strings data[offsets[i]:offsets[i+1]], in byte order."""

def sort_events(users: NDArray[np.int32], times: NDArray[np.int64] | None) -> NDArray[np.int64]:
    """The permutation that sorts by (user, time), stable in input order."""

def group_events(
    users: NDArray[np.int32],
    items: NDArray[np.int32],
    times: NDArray[np.int64] | None,
    keep_times: bool,
    n_users: int,
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64] | None]:
    """(offsets, items, times): the events of users 0..n_users by (user, time), stable in input
    order; user u has those from offsets[u] to offsets[u + 1]. No times unless they are kept.
    """

def mark_repeats(
    offsets: NDArray[np.int64],
    items: NDArray[np.int32],
    times: NDArray[np.int64] | None,
    policy: str,
) -> tuple[NDArray[np.bool_], int, int]:
    """(keep, exact duplicates, other repeats dropped) for grouped events (see group_events).

    Exact duplicates (user, item, time) are always dropped when there are times, the first stays.
    policy: "keep", "first" (a user's first event of each item) or "drop-consecutive".
    """

def n_core(
    users: NDArray[np.int32],
    items: NDArray[np.int32],
    n_users: int,
    n_items: int,
    min_user: int,
    min_item: int,
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """(keep, kept events after each round) of the n-core filter at its fixed point."""

def first_occurrences(
    items: NDArray[np.int32], starts: NDArray[np.int64], stops: NDArray[np.int64]
) -> NDArray[np.uint8]:
    """For each stored event: 1 if its user has not taken the item before, else 0."""

def sorted_sets(
    items: NDArray[np.int32], starts: NDArray[np.int64], stops: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """(offsets, members): the ascending distinct items of each user."""

def count_items(
    items: NDArray[np.int32], starts: NDArray[np.int64], stops: NDArray[np.int64], n_items: int
) -> NDArray[np.int64]:
    """How often each item 1..=n_items occurs inside the ranges."""

def contain(
    items: NDArray[np.int32],
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    users: NDArray[np.int32],
    targets: NDArray[np.int32],
) -> NDArray[np.bool_]:
    """Whether targets[i] is among the items of user users[i]."""

def weigh_pairs(
    items: NDArray[np.int32],
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    window: int,
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]:
    """(rows, columns, weights): sums of 1 / d of two items at distance d <= window.

    Pairs are (smaller id, larger id), sorted.
    """

def keyed_hash(
    purpose: str,
    part: str,
    offsets: NDArray[np.int64],
    data: NDArray[np.uint8],
    draw: str,
    attempt: str,
) -> NDArray[np.uint64]:
    """First 8 bytes, little-endian, of SHA-256("seqrec/1|purpose|part|raw user id|draw|try")."""

def draw_evaluation_negatives(
    purpose: str,
    part: str,
    offsets: NDArray[np.int64],
    data: NDArray[np.uint8],
    items: NDArray[np.int32],
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    users: NDArray[np.int32],
    n_items: int,
    draws: int,
    counts: NDArray[np.int64] | None,
) -> NDArray[np.int32]:
    """int32[len(users), draws]: the protocol's keyed negatives, outside items[starts:stops].

    offsets, data: raw ids of *all* users as text. counts: training counts of the items 1..=n_items
    for popularity-matched draws, None for uniform ones. Draw d of a user starts at try 0.
    """

# --- batch.rs: epochs of rows, and the rows of a batch -------------------------------------------

def plan_windows(
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    policy: str,
    width: int,
    stride: int,
    overlap: int,
    min_length: int,
    seed: int,
    epoch: int,
    batch_size: int,
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """(users, ks, lengths) of all rows of an epoch, in the order of training.

    A window holds at most `width` items; users with fewer than `min_length` items have no row.
    policy "last": the last `width` items. "sliding": windows whose ends step back from the last
    item by `stride` (at most width - overlap) until the first item is reached. "random": the last
    window and, for long histories, as many more at uniform starts as cover the length once.
    "shifted": the last window and those that follow each other before it, `stride` apart, moved
    together by a number below `stride` that is drawn for the user. "prefixes": the last `width`
    items of each beginning of two items or more, the longest first.
    `overlap` items of each window count as covered by another one: 1 where the first item of a
    window is no target.
    Rows are shuffled by keys of (seed, epoch, user, k), sorted by length inside chunks of 32
    batches and cut into batches of `batch_size`; full batches are shuffled, the rest comes last.
    """

def plan_targets(
    first: NDArray[np.uint8],
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    per_user: int,
    max_length: int,
    seed: int,
    epoch: int,
    batch_size: int,
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """(users, ks, positions): up to `per_user` targets of each user, ordered as windows are.

    A position is eligible if it is new (first = 1) and an item is before it: positions are indices
    into the user's items, from 1. Row k is drawn uniformly in the k-th of `per_user` equal strata
    of the eligible ones, or all are taken where there are no more. Rows are sorted by
    min(position, max_length).
    """

def fill_next_item(
    items: NDArray[np.int32],
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    users: NDArray[np.int32],
    ks: NDArray[np.int32],
    policy: str,
    width: int,
    stride: int,
    seed: int,
    epoch: int,
    inputs: NDArray[np.int64],
    targets: NDArray[np.int64],
) -> int:
    """Windows of `width` items as inputs [B, W] and the following items as targets [B, W].

    Real items first, PAD behind; targets there are -100. W >= the longest window - 1.
    Returns the number of targets.
    """

def fill_cloze(
    items: NDArray[np.int32],
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    users: NDArray[np.int32],
    ks: NDArray[np.int32],
    policy: str,
    width: int,
    stride: int,
    n_items: int,
    mask_prob: float,
    last_only_prob: float,
    keep_prob: float,
    random_prob: float,
    seed: int,
    epoch: int,
    tokens: NDArray[np.int64],
    labels: NDArray[np.int64],
) -> int:
    """Cloze rows [B, W]: PAD first, real items last; labels are -100 where nothing is hidden.

    After the window is cut, a share `last_only_prob` of the windows hides its last item alone;
    in the others each item is hidden with `mask_prob`, and at least one is. A hidden item becomes
    MASK, stays itself (`keep_prob`) or becomes a uniform item (`random_prob`). Returns the number
    of hidden items.
    """

def fill_relevance_sequences(
    items: NDArray[np.int32],
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    first: NDArray[np.uint8],
    set_offsets: NDArray[np.int64],
    set_members: NDArray[np.int32],
    users: NDArray[np.int32],
    ks: NDArray[np.int32],
    policy: str,
    width: int,
    stride: int,
    n_items: int,
    popularity: tuple[NDArray[np.float64], NDArray[np.uint64]] | None,
    seed: int,
    epoch: int,
    inputs: NDArray[np.int64],
    positives: NDArray[np.int64],
    negatives: NDArray[np.int64],
    prefixes: NDArray[np.int64] | None = None,
) -> int:
    """As fill_next_item, with one negative for each positive; both are PAD where there is no pair.

    A target that its user has taken before is no positive. Negatives avoid the user's set.
    popularity: weights and their `alias_table`, None for uniform draws.
    prefixes: gets how many of each row's inputs are its prefix, drawn from 1 to all of them, 0
    where there are none; what follows an item of it but the last is no positive.
    Returns the number of pairs.
    """

def fill_relevance_pairs(
    items: NDArray[np.int32],
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    set_offsets: NDArray[np.int64],
    set_members: NDArray[np.int32],
    users: NDArray[np.int32],
    ks: NDArray[np.int32],
    positions: NDArray[np.int32],
    n_items: int,
    popularity: tuple[NDArray[np.float64], NDArray[np.uint64]] | None,
    seed: int,
    epoch: int,
    tokens: NDArray[np.int64],
    labels: NDArray[np.float32],
) -> None:
    """Rows [2B, W] of PAD, history and candidate, with labels [2B].

    Row 2i holds the target of pair i (label 1), row 2i + 1 the same history with a negative
    (label 0). Histories keep their last W - 1 items.
    """

def fill_histories(
    items: NDArray[np.int32],
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    users: NDArray[np.int32],
    pad_left: bool,
    tokens: NDArray[np.int64],
) -> None:
    """The last W items of each user in rows [B, W], PAD on the chosen side."""

def fill_negatives(
    set_offsets: NDArray[np.int64],
    set_members: NDArray[np.int32],
    users: NDArray[np.int32],
    ks: NDArray[np.int32],
    n_items: int,
    popularity: tuple[NDArray[np.float64], NDArray[np.uint64]] | None,
    seed: int,
    epoch: int,
    negatives: NDArray[np.int64],
) -> None:
    """Independent draws for each row in [B, n], never an item of the user's set."""

def alias_table(weights: NDArray[np.float64]) -> NDArray[np.uint64]:
    """The columns of Vose's alias method for items 1..=len(weights).

    A draw of a column i and of a place in it, a 32-bit number, is item i + 1 if the place is below
    the high half of the column, else the item in its low half.
    """

# --- score.rs: from scores to ranks, lists and metrics --------------------------------------------

def rank_counts(
    scores: NDArray[np.float32],
    targets: NDArray[np.int32],
    items: NDArray[np.int32],
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    users: NDArray[np.int32],
    filter_seen: bool,
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """(greater, equal, equal_before) for each row of scores [B, n_items]; column j is item j + 1.

    Counted over the other items that remain: with filter_seen the items of the user's input are
    left out. equal_before: equal scores with a smaller id. A target that is itself in the input
    gives greater = -1: a miss.
    """

def top_k(
    scores: NDArray[np.float32],
    k: int,
    items: NDArray[np.int32],
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    users: NDArray[np.int32],
    filter_seen: bool,
    excluded: NDArray[np.int32],
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """(items, scores) [B, k], best first, ties by smaller id; PAD and -inf where fewer remain.

    excluded: item ids that nobody gets. A score of -inf marks an item as no candidate of that row.
    """

def rank_metrics(ranks: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """[M, 3]: hit, ndcg and mrr at k for each rank; one relevant item a user, so idcg = 1."""

def bootstrap_means(values: NDArray[np.float64], resamples: int, seed: int) -> NDArray[np.float64]:
    """[resamples, C]: means of the columns of values [M, C] over users drawn with replacement.

    The users drawn depend on (seed, resample) and M alone: two runs are compared on the same ones.
    """

def auc(positives: NDArray[np.float32], negatives: NDArray[np.float32]) -> NDArray[np.float64]:
    """[D]: pooled AUC of positives [M] against each column of negatives [M, D], ties 1/2."""

def bootstrap_auc(
    positives: NDArray[np.float32], negatives: NDArray[np.float32], resamples: int, seed: int
) -> NDArray[np.float64]:
    """[resamples]: mean over draws of the pooled AUC, users drawn as in bootstrap_means."""
