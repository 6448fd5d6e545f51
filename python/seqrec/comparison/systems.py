"""What a trained model is compared with: baselines fitted from the training part alone."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqrec.data import NegativesKind, Split, evaluation_negatives
from seqrec.evaluation import (
    EvalConfig,
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
from seqrec.evaluation.baselines.ease import MAX_ITEMS

Result = NextItemResult | RelevanceResult
BASELINES = {"popularity": Popularity, "markov": Markov, "item-knn": ItemKNN, "ease": EASE}


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
        evaluation: the rules.
        ceiling: of simulated data.
        negatives: which relevance is judged on; the ceiling knows uniform ones.
    """

    split: Split
    part: str
    evaluation: EvalConfig = field(default_factory=EvalConfig)
    ceiling: Ceiling | None = None
    negatives: NegativesKind = "uniform"
    _drawn: dict[str, NDArray[np.int32]] = field(default_factory=dict)

    def names(self, task: str) -> list[str]:
        """The baselines of a task, weakest idea first, then the ceiling where there is one."""
        names = ["popularity", "markov"]
        if task == "next_item":
            names.append("item-knn")
            if self.split.dataset.n_items <= MAX_ITEMS:
                names.append("ease")
        has_ceiling = self.ceiling is not None and self.negatives == "uniform"
        return [*names, "ceiling"] if has_ceiling else names

    def settings(self, name: str) -> dict[str, Any]:
        """The options that a baseline is fitted with: the defaults of its `fit`."""
        if name == "ceiling":
            return {}
        options = inspect.signature(BASELINES[name].fit).parameters.values()
        return {o.name: o.default for o in options if o.kind is o.KEYWORD_ONLY}

    def result(self, task: str, name: str) -> Result:
        """One of them, fitted and judged."""
        if task == "next_item":
            part = self.split.part(self.part)
            return evaluate_next_item(self._next_item(name), self.split, part, self.evaluation)
        if name == "ceiling":
            assert self.ceiling is not None  # `names` has it only then
            return self._judged(self.ceiling.pairs)
        # Scores become logits on the validation pairs and are judged on the part's pairs.
        scorer = pairs_by_column(self._next_item(name))
        return self._judged(calibrated(scorer, self.split, self._pairs("valid")))

    def _next_item(self, name: str) -> NextItemScorer:
        if name == "ceiling":
            assert self.ceiling is not None  # `names` has it only then
            return self.ceiling.next_item
        return BASELINES[name].fit(self.split.train, self.split.dataset.n_items)

    def _judged(self, scorer: PairScorer) -> RelevanceResult:
        return evaluate_relevance(
            scorer, self.split, self.split.part(self.part), self._pairs(self.part),
            kind=self.negatives, batch_size=self.evaluation.batch_size,
            resamples=self.evaluation.resamples,
        )  # fmt: skip

    def _pairs(self, part: str) -> NDArray[np.int32]:
        if part not in self._drawn:
            self._drawn[part] = evaluation_negatives(
                self.split, self.split.part(part), kind=self.negatives
            )
        return self._drawn[part]
