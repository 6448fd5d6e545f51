"""From a raw log of who took what to sequences, splits and evaluation pairs."""

from seqrec.data.cooccurrence import item_vectors
from seqrec.data.dataset import Dataset
from seqrec.data.export import export
from seqrec.data.interactions import Interactions
from seqrec.data.pairs import NegativesKind, evaluation_negatives
from seqrec.data.prepare import PrepareConfig
from seqrec.data.sequences import Sequences
from seqrec.data.split import Part, Split, item_shares
from seqrec.data.vocabulary import Vocabulary

__all__ = [
    "Dataset",
    "Interactions",
    "NegativesKind",
    "Part",
    "PrepareConfig",
    "Sequences",
    "Split",
    "Vocabulary",
    "evaluation_negatives",
    "export",
    "item_shares",
    "item_vectors",
]
