"""A card as Markdown: what it is, how good, how to use it, how it was made, what it cannot do."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from seqrec.cards.card import Card
from seqrec.cards.limits import limits_of
from seqrec.config import toml_tables
from seqrec.data.split import split_options
from seqrec.evaluation import Estimate, grid
from seqrec.experiment.fit import VALIDATION_DRAWS
from seqrec.training import FINAL

MODELS = {
    "lstm": (
        "LSTM",
        "an LSTM over the history; the user vector is a learned weighted sum of its output and of "
        "the mean of the history's item vectors, and meets the item vectors in a dot product",
    ),
    "bert4rec": (
        "BERT4Rec",
        "a bidirectional Transformer over the history (Sun et al., CIKM 2019), with layer norm "
        "before each sublayer and a learned bias of attention for each distance between items",
    ),
}
TASKS = {
    "next_item": ("next item", "Which item of the whole catalogue comes next?"),
    "relevance": ("relevance", "How likely does a user like a given item?"),
}
_HIDDEN = ("status", "precision", "seed", "refit")  # said elsewhere


def to_markdown(card: Card) -> str:
    """The card as a document of its own."""
    sections = [
        _title(card),
        _section("Results", _results(card)),
        _section("Use", _use(card)),
        _section("Training", _training(card)),
        _section("Intended use and limits", "\n".join(f"- {limit}" for limit in limits_of(card))),
        f"Written by seqrec {version('seqrec')}.",
    ]
    return "\n\n".join(sections) + "\n"


def _section(title: str, text: str) -> str:
    return f"## {title}\n\n{text}"


def _title(card: Card) -> str:
    model, what = MODELS[card.config.model]
    task, asks = TASKS[card.config.task]
    on = card.data or f"data {card.protocol['data'][:12]}"
    rough = dict.fromkeys(status for status in card.facts["status"] if status not in FINAL)
    caveat = f"**{', '.join(rough)}: not to be published.** " if rough else ""
    text = (
        f"{caveat}{asks} {what[0].upper()}{what[1:]}. {card.parameters:,} parameters, "
        f"{card.catalogue:,} items. It was trained on histories of users and holds none of them."
    )
    return f"# {model}, {task}, on {on}\n\n{text}"


def _results(card: Card) -> str:
    known = [report.metrics for report in card.reports.values()]
    metrics = list((known or card.measured)[0])
    rows = [[name, _valid(card, name), _test(card, name)] for name in metrics]
    table = grid(["metric", "validation", "test"], rows, "markdown")
    asked = f"{_validation(card)}. {_readings(card)}"
    return f"{table}\n\n{_notes(card)}\n{asked}" if rows else asked


def _notes(card: Card) -> str:
    spread = "± the standard deviation over seeds" if len(card.seeds) > 1 else "one seed"
    return (
        f"Brackets are 95 % intervals over users; {spread}. Protocol version "
        f"{card.protocol['version']}: {_rules(card)}."
    )


def _validation(card: Card) -> str:
    """What the validation part was for."""
    if card.is_refit:
        return (
            "A refit: trained on the training and the validation part, for the steps that "
            "validation had chosen, and judged on the test part alone"
        )
    if "steps" in card.facts and not any(card.measured):
        return "Nothing was validated while it was trained: these are the last weights"
    flatters = "The validation part chose the weights, so its numbers flatter"
    if "valid" not in card.reports:
        draws = f" on {VALIDATION_DRAWS} draws" if card.config.task == "relevance" else ""
        flatters += f"; these are the ones that training saw{draws}"
        flatters += ", a seed each" if len(card.seeds) > 1 else ""
    return flatters


def _valid(card: Card, name: str) -> str:
    if "valid" in card.reports:
        return _cell(card, "valid", name)
    if card.is_refit:
        return "trained on"
    values = [measured.get(name) for measured in card.measured]
    return " / ".join("" if value is None else f"{value:.4f}" for value in values)


def _test(card: Card, name: str) -> str:
    return _cell(card, "test", name) if "test" in card.reports else "not known"


def _cell(card: Card, part: str, name: str) -> str:
    report = card.reports[part]
    if name not in report.metrics:
        return ""
    spread = f" ± {report.spread[name]:.4f}" if name in report.spread else ""
    return f"{_estimate(report.metrics[name])}{spread}"


def _estimate(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.4f}"
    return f"{estimate.value:.4f} [{estimate.low:.4f}, {estimate.high:.4f}]"


def _rules(card: Card) -> str:
    options, split = card.config, card.protocol["split"].replace("_", " ")
    if options.task == "relevance":
        return f"{split}, one {options.negatives_kind} negative for each positive, ten draws"
    return f"{split}, all {card.catalogue:,} items ranked, {options.evaluation.ties} rank of ties"


def _readings(card: Card) -> str:
    if "test" in card.reports:
        return f"The test part was read {_times(card.test_readings)}."
    if card.test_readings:
        return f"The test part was read {_times(card.test_readings)}; its numbers were not kept."
    ask = "`seqrec evaluate DATA --run RUN --part test`"
    return f"No reading of the test part is on record: {ask} is one."


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _use(card: Card) -> str:
    if card.config.task == "relevance":
        ask = f"run.predict_proba([{list(card.example[-1:])}], sequences=[{list(card.example)}])"
    else:
        ask = f"run.recommend(sequences=[{list(card.example)}], k=10)"
    lines = ["import seqrec as sr", "", f"run = sr.load({json.dumps(card.source)})", ask]
    return (
        "```python\n" + "\n".join(lines) + "\n```\n\n"
        "A sequence is the history of anybody, raw item ids, oldest first. The weights are "
        "safetensors and JSON: loading them runs no code."
    )


def _training(card: Card) -> str:
    rows = [("data", _data(card)), ("fingerprint", f"`{card.protocol['data']}`"),
            ("split", _split(card)), ("seeds", _joined(card.seeds)),
            ("status", _joined(card.facts["status"]))]  # fmt: skip
    rows += [
        (name.replace("_", " "), _joined(values))
        for name, values in card.facts.items()
        if name not in _HIDDEN
    ]
    rows.append(("precision", card.config.training.precision))
    rows += [(name.replace("_", " "), str(value)) for name, value in card.machine.items()]
    recipe = toml_tables(card.recipe).strip()
    again = ", then `seqrec refit DATA --run RUN --out REFIT`," if card.is_refit else ""
    return (
        "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)])
        + "\n\nThe recipe: what is no default, and what was or may be another one; "
        f"`seqrec train DATA{split_options(card.protocol)} --recipe FILE --out RUN`{again} "
        f"follows it:\n\n```toml\n{recipe}\n```"
    )


def _data(card: Card) -> str:
    if not card.audit:
        return f"{card.catalogue:,} items"
    audit = card.audit
    return (
        f"{card.data}: {audit['users']:,} users, {audit['items']:,} items, {audit['actions']:,} "
        f"actions ({audit['lengths']['mean']:.1f} a user)"
    )


def _split(card: Card) -> str:
    cuts = card.protocol.get("cuts")
    at = "" if cuts is None else f", cut at {cuts[0]} and {cuts[1]}"
    return f"{card.protocol['split']}{at}"


def _joined(values: Sequence[Any]) -> str:
    """The values of the runs; one where all have the same."""
    shown = [f"{value:,}" if isinstance(value, int) else str(value) for value in values]
    return shown[0] if len(set(shown)) == 1 else " / ".join(shown)
