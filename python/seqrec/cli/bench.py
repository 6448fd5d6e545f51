"""`seqrec bench`: seqrec beside its contenders on the same work, and how its cost grows."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seqrec.cli.options import Format, Output

if TYPE_CHECKING:
    from seqrec.bench.shapes import Problem, Sizes


class JobName(StrEnum):
    """The pieces of the data path."""

    CLOZE = "cloze"
    NEXT_ITEM = "next_item"
    RELEVANCE = "relevance"
    NEGATIVES = "negatives"
    RANK = "rank"
    TOP_K = "top_k"
    INGEST = "ingest"
    EVALUATE = "evaluate"
    DATA_WAIT = "data_wait"


class ShapeName(StrEnum):
    """Simulated logs with the sizes of public ones."""

    TINY = "tiny"
    ML1M = "ml1m"
    FILMS = "films"
    MILLION = "million"
    BIG = "big"


def bench(
    data: Annotated[
        Path | None, typer.Argument(help="Folder made by `seqrec prepare`; else --shape.")
    ] = None,
    shape: Annotated[
        ShapeName | None, typer.Option(help="A simulated log. [default: ml1m, without DATA]")
    ] = None,
    job: Annotated[
        list[JobName] | None, typer.Option(help="What is timed; may be repeated. [default: all]")
    ] = None,
    grow: Annotated[
        bool, typer.Option("--grow", help="Time seqrec alone, at rising sizes.")
    ] = False,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder of the figures, tables and plot.")
    ] = Path("bench"),
    threads: Annotated[
        int | None, typer.Option(help="Threads of each contender. [default: all cores]")
    ] = None,
    batch_size: Annotated[int, typer.Option(help="Rows of a batch.")] = 256,
    max_seq_len: Annotated[
        int | None, typer.Option(help="Tokens of a row. [default: the shape's; 200 for DATA]")
    ] = None,
    rounds: Annotated[int, typer.Option(help="Samples of each contender; at least 7.")] = 7,
    sample_seconds: Annotated[float, typer.Option(help="Seconds of one sample, about.")] = 0.06,
    device: Annotated[str, typer.Option(help="Where the steps of data_wait run.")] = "cpu",
    limits: Annotated[
        Path | None, typer.Option(help="JSON of `benches/rust/limits.rs`: shares of the limit.")
    ] = None,
    largest: Annotated[
        int | None,
        typer.Option(help="Elements of the largest point of --grow. [default: 2^30, 12 GB]"),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of everything that is drawn.")] = 0,
    plot: Annotated[
        bool, typer.Option("--plot/--no-plot", help="Draw it, with matplotlib.")
    ] = True,
    output: Output = Format.TEXT,
) -> None:
    """Check that all contenders compute the same, time them side by side, write a report.

    Contenders are seqrec, its slow twin, and what one would write with torch, NumPy, numba, polars,
    duckdb or pandas, where they are installed. One whose result differs is named and not timed, and
    the command ends with code 1; a job that the data cannot have is left out. The folder gets
    results.json (every figure, and the machine; after each job), results.md and results.png.
    Figures are medians over rounds in which contenders take turns: trust their ratios, and only on
    a machine that does nothing else.

    With --grow: batches against L and B, ranks against V, ingestion against rows. The folder gets
    growth.json and growth.png, with the slope of each curve; 1 means that cost grows as the work.
    """
    from seqrec.bench.limits import read_limits
    from seqrec.bench.run import LEAST_ROUNDS
    from seqrec.bench.shapes import Sizes
    from seqrec.config import check
    from seqrec.errors import ConfigError
    from seqrec.figures import require_matplotlib
    from seqrec.files import made_folder
    from seqrec.training import choose_device

    if plot:
        require_matplotlib()
    check(rounds >= LEAST_ROUNDS, "rounds", rounds, f"at least {LEAST_ROUNDS}: it is for medians")
    check(0 < sample_seconds <= 60, "sample_seconds", sample_seconds, "above 0, at most 60")
    sizes = Sizes(
        max_seq_len=max_seq_len, batch_size=batch_size, threads=_threads(threads), device=device,
        seed=seed,
    )  # fmt: skip
    if grow:
        if data or shape or job or limits or max_seq_len or device != "cpu":
            raise ConfigError("--grow has jobs, shapes and lengths of its own: give it none")
        largest = 1 << 30 if largest is None else largest
        with made_folder(out):
            _grow(sizes, rounds, sample_seconds, largest, out, plot, output)
        return
    if largest is not None:
        raise ConfigError("--largest goes with --grow")
    if data is not None and shape is not None:
        raise ConfigError("give a data folder or --shape, not both")
    jobs = [name.value for name in job or JobName]
    check(
        JobName.DATA_WAIT in jobs or device == "cpu", "device", device,
        "left out without the job data_wait, as the others run on the CPU",
    )  # fmt: skip
    choose_device(device)
    problem = _problem(data, shape, sizes)
    known = read_limits(limits) if limits else None
    with made_folder(out):  # now, as what cannot be kept need not be measured
        _compare(problem, jobs, rounds, sample_seconds, known, out, plot, output)


def _compare(
    problem: Problem,
    jobs: list[str],
    rounds: int,
    sample_seconds: float,
    limits: dict[str, Any] | None,
    out: Path,
    plot: bool,
    output: Format,
) -> None:
    from seqrec.bench import write_results
    from seqrec.bench.plot import plot_rates
    from seqrec.bench.render import render
    from seqrec.bench.run import refusals, run
    from seqrec.files import whole_file

    results = run(
        problem,
        jobs,
        rounds=rounds,
        sample_seconds=sample_seconds,
        limits=limits,
        say=lambda line: typer.echo(line, err=True),
        keep=lambda so_far: write_results(out / "results.json", so_far),
    )
    with whole_file(out / "results.md") as aside:
        aside.write_text(render([results], "markdown") + "\n", encoding="utf-8")
    if output is Format.JSON:
        typer.echo((out / "results.json").read_text(encoding="ascii"), nl=False)
    else:
        typer.echo(render([results], output.value))
    if plot:
        plot_rates([results], out / "results.png")
    if refusals(results):
        raise typer.Exit(1)


def _grow(
    sizes: Sizes,
    rounds: int,
    sample_seconds: float,
    largest: int,
    out: Path,
    plot: bool,
    output: Format,
) -> None:
    from seqrec.bench.growth import CURVES, Growth, grow, write_curves
    from seqrec.bench.plot import plot_growth

    growth = Growth(
        sizes=sizes,
        rounds=rounds,
        sample_seconds=sample_seconds,
        largest=largest,
        say=lambda line: typer.echo(line, err=True),
    )
    curves = grow(list(CURVES), growth)
    write_curves(out / "growth.json", curves)
    if output is Format.JSON:
        typer.echo((out / "growth.json").read_text(encoding="ascii"), nl=False)
    else:
        for curve in curves:
            typer.echo(f"{curve.name}: slope {curve.slope():.2f}")
    if plot:
        plot_growth(curves, out / "growth.png")


def _threads(threads: int | None) -> int:
    """The wanted number, or all cores; polars takes its own once, when it is imported."""
    import os

    from seqrec.bench import machine
    from seqrec.config import check

    cores = machine.cores()
    chosen = cores if threads is None else threads
    # One more would wait for a core, and numba does not take it.
    check(1 <= chosen <= cores, "threads", chosen, f"from 1 to {cores}, the cores that there are")
    os.environ.setdefault("POLARS_MAX_THREADS", str(chosen))
    return chosen


def _problem(data: Path | None, shape: ShapeName | None, sizes: Sizes) -> Problem:
    from seqrec.bench.shapes import prepared, simulated
    from seqrec.data import Dataset

    if data is None:
        return simulated((shape or ShapeName.ML1M).value, sizes)
    return prepared(data.resolve().name, Dataset.load(data), sizes)
