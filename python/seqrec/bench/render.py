"""Results as tables: a table for each unit of work, a line for each contender, fastest first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from seqrec.bench.result import BASE, EPOCHS, Results, Row

TITLES = {
    "cloze": "Cloze batch",
    "next_item": "Next-item batch",
    "relevance": "Relevance batch, with negatives",
    "negatives": "Negatives, never a known positive",
    "rank": "Rank of the target, history filtered",
    "top_k": "Ten best items, history filtered",
    "ingest": "Raw log to sequences, in memory",
    "evaluate": "Whole evaluation, scores given",
    "data_wait": "Training steps: live batches and resident ones",
    "rank_factors": "Rank of the target, scores from factors",
    "top_k_factors": "Ten best items, scores from factors",
    "training": "Supervised targets trained on",
}
HEAD = ("contender", "version", "threads", "rate", "quartiles", "seqrec is", "of the limit", "note")
_NUMBERS = (2, 3, 4, 5, 6)  # columns that are aligned on the right


def render(results: Sequence[Results], style: str = "text") -> str:
    """All rows as text or Markdown; ratios are to seqrec in the same run.

    Args:
        results: documents of one or more runs, each with its machine.
        style: "text" or "markdown".
    """
    parts = []
    for document in results:
        parts.append(_said(document))
        for group in groups(document):
            parts.append(_table(document, group, style))
    return "\n\n".join(parts)


def groups(results: Results) -> list[list[Row]]:
    """The rows of each unit of work, fastest first, those that were not timed at the end."""
    found: dict[tuple[str, str, str], list[Row]] = {}
    for row in results.rows:
        found.setdefault(row.group, []).append(row)
    return [sorted(rows, key=lambda row: -(row.rate or 0)) for rows in found.values()]


def title(row: Row) -> str:
    """What was done, as a heading says it."""
    parts = [TITLES.get(row.job, row.job), row.shape, *([row.case] if row.case else [])]
    return f"{', '.join(parts)} ({row.unit})"


def quantity(value: float) -> str:
    """A number with the four digits that mean something."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


def ratio_text(ratio: float | None) -> str:
    """How many times faster seqrec is; "" where nobody knows."""
    if ratio is None:
        return ""
    if abs(ratio - 1) < 0.1:
        return f"{ratio:.3f} x"  # where the question is whether there is a difference
    return f"{ratio:,.0f} x" if ratio >= 100 else f"{ratio:.3g} x"


def _said(document: Results) -> str:
    machine = document.machine
    known = [f"{name} {value}" for name, value in machine.get("versions", {}).items()]
    simd = [flag for flag in ("avx2", "avx512f", "neon") if flag in machine.get("simd", [])]
    said = [
        f"{document.date}, {machine.get('cpu', 'unknown processor')}",
        f"{machine.get('cores', '?')} cores",
        *simd,
        machine.get("os", ""),
        f"Python {machine.get('python', '?')}",
        *known,
    ]
    return ", ".join(part for part in said if part)


def _table(document: Results, rows: list[Row], style: str) -> str:
    lines = [_line(document, row) for row in rows]
    shown = [place for place in range(len(HEAD)) if any(line[place] for line in lines)]
    cells = [[line[place] for place in shown] for line in (HEAD, *lines)]
    right = [place in _NUMBERS for place in shown]
    if style == "markdown":
        rule = ["---:" if number else "---" for number in right]
        table = "\n".join(f"| {' | '.join(line)} |" for line in (cells[0], rule, *cells[1:]))
        return f"**{title(rows[0])}**\n\n{table}"
    return f"{title(rows[0])}\n{_aligned(cells, right)}"


def _line(document: Results, row: Row) -> tuple[str, ...]:
    spread = "" if row.low is None or row.high is None else _span(row.low, row.high)
    ratio = "" if row.contender in (BASE, EPOCHS) else ratio_text(document.ratio(row))
    return (
        row.contender,
        row.version,
        str(row.threads),
        "-" if row.rate is None else quantity(row.rate),
        spread,
        ratio and f"{ratio} as fast",
        "" if row.share is None else f"{row.share:.0%}",
        row.note,
    )


def _span(low: float, high: float) -> str:
    return f"{quantity(low)}-{quantity(high)}"


def _aligned(cells: Iterable[list[str]], right: list[bool]) -> str:
    lines = list(cells)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in lines
    )


def summary(results: Sequence[Results]) -> str:
    """One Markdown table of all runs: seqrec's rate, and how many times slower everybody else is.

    The same work in several documents is one line; each ratio is to seqrec in its own run, and the
    rates are those of the first document that has them.
    """
    lines: dict[tuple[str, str, str], list[tuple[float, str]]] = {}
    first: dict[tuple[str, str, str], Row] = {}
    epochs: dict[tuple[str, str, str], str] = {}
    for document in results:
        for row in document.rows:
            ratio = document.ratio(row)
            if row.contender == BASE and row.rate:
                first.setdefault(row.group, row)
            elif row.contender == EPOCHS and row.rate:
                epochs.setdefault(row.group, f"; whole epochs {quantity(row.rate)}")
            elif ratio is not None:
                lines.setdefault(row.group, []).append((ratio, row.contender))
    table = ["| work | seqrec | times as fast as |", "|---|---:|---|"]
    for group, ours in first.items():
        others = " · ".join(
            f"{name} {ratio_text(ratio)}" for ratio, name in sorted(lines.get(group, []))
        )
        name = title(ours).rpartition(" (")[0]
        rate = f"{quantity(ours.rate or 0)} {ours.unit}{epochs.get(group, '')}"
        table.append(f"| {name} | {rate} | {others} |")
    return "\n".join(table)
