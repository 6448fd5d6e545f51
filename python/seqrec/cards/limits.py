"""What a reader of a card must not expect of the model."""

from __future__ import annotations

from seqrec.cards.card import Card
from seqrec.experiment.scorer import max_history


def limits_of(card: Card) -> list[str]:
    """Intended use first, then each limit as a sentence or two."""
    limits = [
        "Made for research, and for ranking items to people whose histories look like those of the "
        "data; on other data train anew.",
        *(_relevance(card) if card.config.task == "relevance" else _next_item(card)),
        *_cold(card),
        f"It reads the last {max_history(card.config)} items of a history, their order and nothing "
        "else: no ratings, no times, nothing about users or items.",
    ]
    return [*limits, *_later(card)]


def _relevance(card: Card) -> list[str]:
    kind = card.config.negatives_kind
    drawn = "items as often as they were taken" if kind == "popularity" else "all items alike"
    limits = [
        f"Trained and judged with one negative for each positive, drawn from {drawn}: its "
        "probabilities are of that mixture, and no rates of clicks."
    ]
    head = card.config.bert4rec
    if head is not None and head.relevance_head == "inside":
        limits.append("It judges given candidates one by one; ranking needs `candidates=`.")
    return limits


def _next_item(card: Card) -> list[str]:
    return [*_seen(card), *_smoothed(card)]


def _seen(card: Card) -> list[str]:
    if not card.filter_seen:
        return ["Items of the history stay in the ranking: they can be recommended again."]
    report = card.reports.get("test") or card.reports.get("valid")
    missed = 0 if report is None else int(report.counts.get("targets_in_input", 0))
    part = "" if report is None else f" ({missed:,} of {int(report.counts['users']):,} targets)"
    return [
        "Items of the history are left out of the ranking; a target that the user had taken before "
        f"counts as a miss{part}."
    ]


def _smoothed(card: Card) -> list[str]:
    share = card.config.objective.label_smoothing
    if not share:
        return []
    return [
        f"Trained on targets of which all items share {share:g} alike: its probabilities are of "
        "those, lower at the top than how often an item does come next."
    ]


def _cold(card: Card) -> list[str]:
    known = f"It knows {card.catalogue:,} items: others are skipped in histories and never ranked."
    report = card.reports.get("test")
    cold = None if report is None else report.counts.get("cold_targets")
    if not cold:
        return [known]
    assert report is not None  # it had the count
    return [
        f"{known} {int(cold):,} of {int(report.counts['users']):,} test targets had no event in "
        "training, so that only chance finds them; they are counted."
    ]


def _later(card: Card) -> list[str]:
    if card.protocol["split"] != "leave_one_out":
        return []
    known = "Leave-one-out holds out each user's last items, whenever they were: it is no forecast"
    share = card.audit.get("leave_one_out", {}).get("later_share")
    if share is None:
        return [f"{known}."]
    later = f"on average {share:.1%} of the training events are later than a user's test event"
    return [f"{known}; {later}."]
