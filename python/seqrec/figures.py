"""Empty figures to draw on, where matplotlib is installed: it is an extra."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seqrec.errors import ConfigError
from seqrec.files import whole_file

WIDTH_INCHES = 8.0


def require_matplotlib() -> None:
    """Refuses at once, before anything is timed or trained.

    Raises:
        ConfigError: if matplotlib is not installed; says how to get it, or to go without.
    """
    try:
        import matplotlib as _  # noqa: F401
    except ImportError:
        raise ConfigError(
            "plots need matplotlib, which is not installed: pip install 'seqrec[bench]', "
            "or go without a plot"
        ) from None


def empty_figure(height: float, heights: Sequence[float] = (1.0,)) -> tuple[Any, Sequence[Any]]:
    """A figure that belongs to no window system, and its panels, one below another.

    Args:
        height: of the figure, in inches.
        heights: of the panels, as shares of it.

    Raises:
        ConfigError: if matplotlib is not installed.
    """
    require_matplotlib()
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_INCHES, max(height, 1.5)), layout="constrained")
    axes = figure.subplots(len(heights), 1, squeeze=False, height_ratios=list(heights))
    return figure, [row[0] for row in axes]


def plain_text(name: str) -> str:
    """A name as matplotlib draws it, to whom `$` begins mathematics."""
    return name.encode(errors="replace").decode().replace("$", r"\$")


def save_figure(figure: Any, path: Path) -> None:
    """Writes a figure as what its path ends in: .png or .svg.

    Raises:
        ResourceError: if the disk refuses; what was called `path` before is intact.
    """
    with whole_file(path) as aside:
        figure.savefig(aside, dpi=150, format=path.suffix.removeprefix("."))
