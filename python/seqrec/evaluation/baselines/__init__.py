"""What a model has to beat: four baselines, each fitted from the training part alone.

All are next-item scorers; `pairs_by_column` and `calibrated` make pair scorers of them.
"""

from seqrec.evaluation.baselines.ease import EASE
from seqrec.evaluation.baselines.item_knn import ItemKNN
from seqrec.evaluation.baselines.markov import Markov
from seqrec.evaluation.baselines.popularity import Popularity

__all__ = ["EASE", "ItemKNN", "Markov", "Popularity"]
