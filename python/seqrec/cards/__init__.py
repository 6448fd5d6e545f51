"""Model cards: what somebody has to know who is handed the weights."""

from seqrec.cards.card import Card, read_card
from seqrec.cards.markdown import to_markdown

__all__ = ["Card", "read_card", "to_markdown"]
