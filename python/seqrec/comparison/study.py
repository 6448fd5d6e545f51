"""The reference study that seqrec set out to reproduce, beside our figures.

It compared an LSTM with BERT4Rec on relevance prediction over a film-rating service's data (63,727
users, 25,654 items, 0.94 M actions, 14.7 on average), whole and a small part, and reported
accuracies. The data are not public and the protocol (ratio of negatives, how they exclude the
history, split) is not stated, so its figures stand beside ours and are no target.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from seqrec.comparison.compare import Comparison
from seqrec.comparison.render import layout_of
from seqrec.evaluation import Report, grid
from seqrec.experiment import MODELS

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


def study_tables(comparisons: Sequence[Comparison], style: str = "text") -> str:
    """Accuracy of the study's four cells, then ours on each data set that was compared.

    `style` is "text", "markdown" or "json".
    """
    rows = [
        [
            f"study, films {size}",
            *(f"{ACCURACY[model, size]:.3f}" for model in MODELS),
        ]
        for size in ("small", "full")
    ]
    for comparison in comparisons:
        if comparison.task == "relevance":
            reports = {report.system: report for report in comparison.reports}
            cells = [_cell(reports.get(model)) for model in MODELS]
            rules = comparison.reports[0].protocol
            usual = ("leave_one_out", "test")
            by = "".join(
                f", {rules[rule]}" for rule in ("split", "part") if rules[rule] not in usual
            )
            rows.append([f"seqrec, {comparison.data}{by}", *cells])
    header = ["relevance accuracy", *MODELS]
    if style == "json":
        table = [dict(zip(header, row, strict=True)) for row in rows]
        return json.dumps({"rows": table, "note": NOTE}, indent=2)
    return grid(header, rows, layout_of(style)) + f"\n\n{NOTE}"


def _cell(report: Report | None) -> str:
    if report is None:
        return "-"
    value, low, high = report.metrics["accuracy"]
    interval = "" if low is None or high is None else f" [{low:.3f}, {high:.3f}]"
    return f"{value:.3f}{interval}" + (f" ({report.caveat})" if report.caveat else "")
