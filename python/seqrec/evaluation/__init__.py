"""From scores to ranks, metrics, intervals and reports, by one stated protocol.

The evaluation never sees a model: it takes scorers (`scorers.py`), so that baselines, models and
the predictions of other libraries go through the same code.
"""

from seqrec.evaluation.calibration import calibrated
from seqrec.evaluation.intervals import Difference, Estimate
from seqrec.evaluation.next_item import (
    EvalConfig,
    NextItemResult,
    compare_next_item,
    evaluate_next_item,
    next_item_protocol,
)
from seqrec.evaluation.predictions import judge, judge_next_item, judge_relevance
from seqrec.evaluation.relevance import METRICS as RELEVANCE_METRICS
from seqrec.evaluation.relevance import (
    RelevanceResult,
    compare_relevance,
    evaluate_relevance,
    rows_with_positive,
)
from seqrec.evaluation.report import Report, grid, table
from seqrec.evaluation.scorers import NextItemScorer, PairScorer, pairs_by_column
from seqrec.evaluation.seeds import mean_difference_of, mean_report

__all__ = [
    "RELEVANCE_METRICS",
    "Difference",
    "Estimate",
    "EvalConfig",
    "NextItemResult",
    "NextItemScorer",
    "PairScorer",
    "RelevanceResult",
    "Report",
    "calibrated",
    "compare_next_item",
    "compare_relevance",
    "evaluate_next_item",
    "evaluate_relevance",
    "grid",
    "judge",
    "judge_next_item",
    "judge_relevance",
    "mean_difference_of",
    "mean_report",
    "next_item_protocol",
    "pairs_by_column",
    "rows_with_positive",
    "table",
]
