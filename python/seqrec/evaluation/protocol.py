"""The rules of an evaluation as plain values, and the refusal to mix two sets of rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seqrec.data.split import Part, Split
from seqrec.errors import DataError
from seqrec.evaluation.intervals import SEED


def evaluation_protocol(
    split: Split, part: Part, task: str, rules: Mapping[str, Any], resamples: int
) -> dict[str, Any]:
    """What a report prints below its numbers: the split, the task's own rules, the intervals.

    Raises:
        DataError: if the part has no user, or a target outside the catalogue.
    """
    _check_part(split, part)
    facts = split.protocol()
    return {
        "version": facts.pop("version"),
        "task": task,
        "split": facts.pop("split"),
        "part": part.name,
        "data": facts.pop("data")[:16],
        **facts,
        **rules,
        "resamples": resamples,
        "seed": SEED,
    }


def check_same_protocol(
    first: Mapping[str, Any], second: Mapping[str, Any], names: str = "the runs"
) -> None:
    """Raises DataError naming the first rule in which two protocols differ."""
    for key in {**first, **second}:
        one, two = first.get(key), second.get(key)
        if one != two:
            raise DataError(
                f"{names} cannot be compared: `{key}` is {one!r} in one and {two!r} in the other"
            )


def _check_part(split: Split, part: Part) -> None:
    n_items, user_ids = split.dataset.n_items, split.dataset.user_ids
    if not len(part.users):
        raise DataError(
            f"0 users evaluated: no user of the split `{split.name}` has a target in its part "
            f"`{part.name}` (a user needs 3 actions)"
        )
    outside = (part.targets < 1) | (part.targets > n_items)
    if outside.any():
        row = int(outside.argmax())
        raise DataError(
            f"the target of user {user_ids.shown(part.users[row])} (row {row}) is item id "
            f"{part.targets[row]}, outside 1..={n_items}"
        )
