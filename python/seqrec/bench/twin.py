"""seqrec's slow twin: the specification of the kernels in plain Python, in the tests of a checkout.

It draws the same numbers, so what it makes is equal to the byte. It is no part of the package:
where seqrec is not run from its sources, it does not take part.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

import seqrec

NAME = "seqrec's twin"
_TESTS = Path(seqrec.__file__).parents[2] / "tests"


def why_not() -> str | None:
    """Why there is no twin; None if there is."""
    there = "reference" in sys.modules or _spec() is not None
    return None if there else "it is part of seqrec's tests, which are not here"


def part(name: str) -> ModuleType:
    """The twin of one kernel, as "cloze": the module of that name in tests/reference."""
    if "reference" not in sys.modules:
        spec = _spec()
        assert spec is not None  # the caller asked `why_not`
        assert spec.loader is not None  # it has an __init__.py
        package = importlib.util.module_from_spec(spec)
        sys.modules["reference"] = package
        spec.loader.exec_module(package)
    return importlib.import_module(f"reference.{name}")


def _spec() -> ModuleSpec | None:
    return PathFinder.find_spec("reference", [str(_TESTS)]) if _TESTS.is_dir() else None
