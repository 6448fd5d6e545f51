"""Both models on both tasks on any number of data sets, beside baselines, as one table."""

from seqrec.comparison.cells import QUESTIONS, read_recipes
from seqrec.comparison.compare import Comparison, compare
from seqrec.comparison.demo import run_demo
from seqrec.comparison.study import study_tables

__all__ = ["QUESTIONS", "Comparison", "compare", "read_recipes", "run_demo", "study_tables"]
