"""The n-core of a log, round by round: all events of users and items below a minimum go at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence


def n_core(
    users: Sequence[int], items: Sequence[int], min_user: int, min_item: int
) -> tuple[list[bool], list[int]]:
    """(keep, events left after each round that dropped some)."""
    left, rounds = set(range(len(users))), []
    while True:
        of_user = Counter(users[row] for row in left)
        of_item = Counter(items[row] for row in left)
        stay = {
            row
            for row in left
            if of_user[users[row]] >= min_user and of_item[items[row]] >= min_item
        }
        if stay == left:
            return [row in left for row in range(len(users))], rounds
        left = stay
        rounds.append(len(left))
