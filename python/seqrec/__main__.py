"""The door of the command line: the script `seqrec`, and `python -m seqrec` where it is missing.

Importing the commands is a tenth of a second, in which Ctrl-C would show a traceback.
"""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Runs the command line, which Ctrl-C ends with a line from the first import on."""
    try:
        from seqrec.cli import main as run_command

        run_command()
    except KeyboardInterrupt:
        _say_interrupted()
        sys.exit(130)


def _say_interrupted() -> None:
    from contextlib import suppress

    if sys.stderr is not None:  # the caller may have closed it
        with suppress(OSError):  # nobody reads it, and the code is as good
            os.write(sys.stderr.fileno(), b"seqrec: error: interrupted\n")


if __name__ == "__main__":
    main()
