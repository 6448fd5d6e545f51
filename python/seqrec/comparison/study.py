"""The reference study that seqrec set out to reproduce, beside our figures.

It compared an LSTM with BERT4Rec on relevance prediction over a film-rating service's data (63,727
users, 25,654 items, 0.94 M actions, 14.7 on average), whole and a small part, and reported
accuracies. The data are not public and the protocol (ratio of negatives, how they exclude the
history, split) is not stated, so its figures stand beside ours and are no target.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from seqrec.comparison.compare import Comparison
from seqrec.evaluation import grid

ACCURACY = {
    ("lstm", "small"): 0.908,
    ("bert4rec", "small"): 0.841,
    ("lstm", "full"): 0.906,
    ("bert4rec", "full"): 0.912,
}
NOTE = (
    "study: other data (films, not public), protocol unstated; "
    "ours: one uniform negative a positive, mean of ten keyed draws"
)


def study_tables(
    comparisons: Sequence[Comparison], style: Literal["text", "markdown"] = "text"
) -> str:
    """Accuracy of the study's four cells, then ours on each data set that was compared."""
    rows = [
        [
            f"study, films {size}",
            *(f"{ACCURACY[model, size]:.3f}" for model in ("lstm", "bert4rec")),
        ]
        for size in ("small", "full")
    ]
    for comparison in comparisons:
        if comparison.task == "relevance":
            accuracy = {r.system: r.metrics["accuracy"] for r in comparison.reports}
            cells = [_cell(accuracy.get(model)) for model in ("lstm", "bert4rec")]
            rows.append([f"seqrec, {comparison.data}", *cells])
    return grid(["relevance accuracy", "lstm", "bert4rec"], rows, style) + f"\n\n{NOTE}"


def _cell(estimate: tuple[float, float | None, float | None] | None) -> str:
    if estimate is None:
        return "-"
    value, low, high = estimate
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"
