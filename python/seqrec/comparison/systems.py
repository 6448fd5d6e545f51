"""What a trained model is compared with: baselines fitted from the training part alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from seqrec.data import Split, evaluation_negatives
from seqrec.evaluation import (
    NextItemResult,
    NextItemScorer,
    PairScorer,
    RelevanceResult,
    calibrated,
    evaluate_next_item,
    evaluate_relevance,
    pairs_by_column,
)
from seqrec.evaluation.baselines import EASE, ItemKNN, Markov, Popularity

Result = NextItemResult | RelevanceResult
EASE_LARGEST = 20_000  # items; a dense inverse of that size is the most that fits a laptop


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The best possible scorers of simulated data; absent elsewhere.

    Attributes:
        next_item: ranks by the exact predictive distribution.
        pairs: judges pairs by its exact odds.
    """

    next_item: NextItemScorer
    pairs: PairScorer


@dataclass(slots=True)
class Systems:
    """Baselines (and the ceiling) of one split, evaluated on demand.

    Attributes:
        split: what they are fitted on.
        part: "valid" or "test".
        ceiling: of simulated data.
        popularity_matched: which negatives relevance is judged on.
    """

    split: Split
    part: str
    ceiling: Ceiling | None = None
    popularity_matched: bool = False
    _negatives: dict[str, NDArray[np.int32]] = field(default_factory=dict)

    def results(self, task: str) -> Mapping[str, Result]:
        """The results of every baseline on a task, by name, weakest idea first."""
        train, n_items = self.split.train, self.split.dataset.n_items
        scorers: dict[str, NextItemScorer] = {
            "popularity": Popularity.fit(train, n_items),
            "markov": Markov.fit(train, n_items),
        }
        if task == "relevance":
            found = {name: self._pairs(scorer) for name, scorer in scorers.items()}
            if self.ceiling is not None:
                found["ceiling"] = self._judged(self.ceiling.pairs)
            return found
        scorers["item-knn"] = ItemKNN.fit(train, n_items)
        if n_items <= EASE_LARGEST:
            scorers["ease"] = EASE.fit(train, n_items)
        if self.ceiling is not None:
            scorers["ceiling"] = self.ceiling.next_item
        part = self.split.part(self.part)
        return {
            name: evaluate_next_item(scorer, self.split, part) for name, scorer in scorers.items()
        }

    def _pairs(self, scorer: NextItemScorer) -> RelevanceResult:
        """A baseline's scores made logits on the validation pairs, judged on the part's pairs."""
        fitted = calibrated(pairs_by_column(scorer), self.split, self._drawn("valid"))
        return self._judged(fitted)

    def _judged(self, scorer: PairScorer) -> RelevanceResult:
        return evaluate_relevance(
            scorer, self.split, self.split.part(self.part), self._drawn(self.part),
            kind="popularity" if self.popularity_matched else "uniform",
        )  # fmt: skip

    def _drawn(self, part: str) -> NDArray[np.int32]:
        if part not in self._negatives:
            self._negatives[part] = evaluation_negatives(
                self.split, self.split.part(part), popularity=self.popularity_matched
            )
        return self._negatives[part]
