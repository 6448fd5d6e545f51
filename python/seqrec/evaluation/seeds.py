"""Several seeds as one: their mean, how far they lie apart, and what all of them agree on.

The interval over users and the spread over seeds answer two questions (which users? which seed?)
and stay two numbers.
"""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from seqrec.evaluation.intervals import Difference, Estimate
from seqrec.evaluation.protocol import check_same_protocol
from seqrec.evaluation.report import Report


def mean_report(reports: Sequence[Report]) -> Report:
    """The mean of one system's reports, each of another seed; one report stays as it is.

    The bounds of an interval are the means of the seeds' bounds; `spread` is the standard deviation
    over the seeds (n - 1 in its denominator). What the training facts of all seeds have in common
    stands once, the rest in the order of the seeds. `test_readings` is the most of any seed.

    Raises:
        DataError: if two reports follow different protocols.
    """
    first = reports[0]
    if len(reports) == 1:
        return first
    for other in reports[1:]:
        check_same_protocol(first.protocol, other.protocol, f"two seeds of `{first.system}`")
    values = {name: [r.metrics[name].value for r in reports] for name in first.metrics}
    return dataclasses.replace(
        first,
        metrics=_mean_estimates([r.metrics for r in reports]),
        slices={s: _mean_estimates([r.slices[s] for r in reports]) for s in first.slices},
        counts={name: _count([r.counts[name] for r in reports]) for name in first.counts},
        training=_side_by_side([r.training for r in reports]),
        caveat=", ".join(dict.fromkeys(r.caveat for r in reports if r.caveat)),
        spread={name: statistics.stdev(seeds) for name, seeds in values.items()},
    )


def mean_difference_of(differences: Sequence[Difference]) -> Difference:
    """The mean of the seeds' paired differences, with an interval that covers each of theirs.

    It excludes 0 only if the interval of every seed does, on the same side: its verdict is "better"
    or "worse" only where all seeds agree.
    """
    return dataclasses.replace(
        differences[0],
        difference=statistics.fmean(d.difference for d in differences),
        low=min(d.low for d in differences),
        high=max(d.high for d in differences),
    )


def _count(seeds: Sequence[int | float]) -> int | float:
    """The most of a count, the mean of a share."""
    return statistics.fmean(seeds) if isinstance(seeds[0], float) else max(seeds)


def _mean_estimates(metrics: Sequence[Mapping[str, Estimate]]) -> dict[str, Estimate]:
    return {name: _mean_estimate([one[name] for one in metrics]) for name in metrics[0]}


def _mean_estimate(seeds: Sequence[Estimate]) -> Estimate:
    value = statistics.fmean(one.value for one in seeds)
    bounds = [(one.low, one.high) for one in seeds if one.low is not None and one.high is not None]
    if not bounds:
        return Estimate(value)
    return Estimate(value, *(statistics.fmean(side) for side in zip(*bounds, strict=True)))


def _side_by_side(facts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    sides = {name: [one.get(name) for one in facts] for name in facts[0]}
    return {
        name: values[0] if len(set(values)) == 1 else " / ".join(map(str, values))
        for name, values in sides.items()
    }
