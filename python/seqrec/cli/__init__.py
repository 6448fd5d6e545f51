"""The command line `seqrec`: one file a verb, each a thin shell over the library.

Nothing heavy is imported before a command runs, so that `--help` answers at once. Exit codes:
0 done, 1 a defect of ours, 2 options, 3 data, 4 checkpoint, 5 resources, 129 SIGHUP, 130 SIGINT,
141 SIGPIPE, 143 SIGTERM.
"""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Callable
from itertools import pairwise
from types import FrameType
from typing import TextIO

import typer

from seqrec.cli import (
    audit,
    bench,
    card,
    compare,
    curves,
    data,
    demo,
    doctor,
    evaluate,
    prepare,
    recommend,
    refit,
    train,
    tune,
)
from seqrec.errors import SeqrecError, named_out_of_memory

# typer carries click's exceptions under a private name; this is the base of the public one.
UsageError: type[typer.BadParameter] = typer.BadParameter.__base__  # type: ignore[assignment]

app = typer.Typer(
    name="seqrec",
    help="Sequential recommendation: LSTM and BERT4Rec, fed by a parallel Rust data path.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.add_typer(data.app, name="data")
app.command("prepare")(prepare.prepare)
app.command("audit")(audit.audit)
app.command("train")(train.train)
app.command("refit")(refit.refit)
app.command("tune")(tune.tune)
app.command("evaluate")(evaluate.evaluate)
app.command("recommend")(recommend.recommend)
app.command("card")(card.card)
app.add_typer(compare.app, name="compare")
app.command("curves")(curves.curves)
app.command("demo")(demo.demo)
app.command("bench")(bench.bench)
app.command("doctor")(doctor.doctor)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"seqrec {version('seqrec')}")
        raise typer.Exit


@app.callback()
def _root(
    debug: bool = typer.Option(False, "--debug", help="Show tracebacks of refused input too."),
    _version: bool = typer.Option(
        False, "--version", help="Show the version.", is_eager=True, callback=_show_version
    ),
) -> None:
    if debug:
        os.environ["SEQREC_DEBUG"] = "1"


def main() -> None:
    """Runs the command line and exits with the code that the outcome deserves."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _terminate)
    _open_closed_streams()
    sys.stdout = _buffered(sys.stdout)
    sys.exit(run(sys.argv[1:]))


class _Terminated(SystemExit):
    """SIGTERM came, or SIGHUP: the terminal was closed."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.signal = signal.Signals(number)


def _terminate(number: int, _frame: FrameType | None) -> None:
    """Ends the command as Ctrl-C does: what was begun beside its final name is removed."""
    raise _Terminated(number)


def _open_closed_streams() -> None:
    """Gives a command whose caller has closed its output (`>&-`) a place to write to all the same.

    Python has None there, and what is printed to a closed stderr it prints to stdout.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123


def _buffered(stream: TextIO) -> TextIO:
    """The stream, whose writes are whole or errors even under PYTHONUNBUFFERED.

    Without a buffer Python writes what fits on a full disk, and says nothing of the rest.
    """
    raw = getattr(stream, "buffer", None)
    if not isinstance(raw, io.RawIOBase):
        return stream
    whole = io.BufferedWriter(raw)
    return io.TextIOWrapper(whole, stream.encoding, stream.errors, line_buffering=True)


def run(arguments: list[str]) -> int:
    """Runs one command; errors become one line on stderr and an exit code."""
    for before, argument in pairwise(["", *arguments]):
        # As a path it would be the current folder.
        if argument == "" and before not in ("--sequence", "--time-col"):
            return _complain("an argument is empty: is a variable of the shell not set?", 2)
    try:
        with named_out_of_memory():
            code = app(arguments, standalone_mode=False)
        sys.stdout.flush()
    except SeqrecError as error:
        if os.environ.get("SEQREC_DEBUG"):
            raise
        return _complain(str(error), error.exit_code)
    except UsageError as error:
        return _tell(error.show, 2)
    except (typer.Abort, KeyboardInterrupt):
        return _complain("interrupted", 130)
    except _Terminated as error:
        return _complain(f"stopped by {error.signal.name}", 128 + error.signal)
    except (BrokenPipeError, SystemExit):
        # The reader of our output has gone, as `head` does: nobody is left to tell. (Where that
        # comes to light inside a command, typer exits.)
        _discard(sys.stdout)
        return 141
    except OSError as error:
        if os.environ.get("SEQREC_DEBUG"):
            raise
        _flush_or_discard()
        return _complain(f"{error.strerror or error}: {error.filename or 'output'}", 5)
    if code == 130:  # typer's answer to Ctrl-C, without a word
        return _complain("interrupted", code)
    return code if isinstance(code, int) else 0


def _flush_or_discard() -> None:
    """Output that the disk has refused is not tried again at the exit, whose code would be 120."""
    try:
        sys.stdout.flush()
    except OSError:
        _discard(sys.stdout)


def _discard(stream: TextIO) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _complain(message: str, code: int) -> int:
    return _tell(lambda: print(f"seqrec: error: {message}", file=sys.stderr, flush=True), code)


def _tell(say: Callable[[], None], code: int) -> int:
    """Says on stderr why the command ends with that code."""
    try:
        say()
    except OSError:  # nobody reads it, and the code is as good
        _discard(sys.stderr)
    return code
