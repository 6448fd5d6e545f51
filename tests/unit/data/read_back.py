"""What a log was read as."""

from __future__ import annotations

from seqrec.data.interactions import Interactions


def rows(log: Interactions) -> list[tuple]:
    """(user, item) of every row, as raw ids."""
    users, items = log.user_ids.decode(log.users), log.item_ids.decode(log.items)
    return list(zip(users.tolist(), items.tolist(), strict=True))
