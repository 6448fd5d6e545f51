"""A search for the options of a run: trials on short budgets, judged on validation alone."""

from seqrec.tuning.search import Search, read_search
from seqrec.tuning.space import Choices, Range, Space, default_space, read_space
from seqrec.tuning.trial import Trial
from seqrec.tuning.tune import tune

__all__ = [
    "Choices",
    "Range",
    "Search",
    "Space",
    "Trial",
    "default_space",
    "read_search",
    "read_space",
    "tune",
]
