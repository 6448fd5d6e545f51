"""The two models, each in one file that reads in the order of its paper."""

from seqrec.models.bert4rec import BERT4Rec, BERT4RecConfig
from seqrec.models.lstm import LSTM, LSTMConfig

__all__ = ["LSTM", "BERT4Rec", "BERT4RecConfig", "LSTMConfig"]
