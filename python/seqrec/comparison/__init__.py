"""Both models on both tasks on any number of data sets, beside baselines, as one table."""

from seqrec.comparison.cells import QUESTIONS, cell_identity, recipe_paths
from seqrec.comparison.compare import Comparison, compare
from seqrec.comparison.demo import run_demo
from seqrec.comparison.results import load_report, results_place
from seqrec.comparison.study import study_tables

__all__ = [
    "QUESTIONS",
    "Comparison",
    "cell_identity",
    "compare",
    "load_report",
    "recipe_paths",
    "results_place",
    "run_demo",
    "study_tables",
]
