"""What a soak case is: a name, and a function that provokes something in a copy of the repository.

Decision: a case returns what happened in one line, or raises. Cost: none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from signclip.core.files import sha256_file
from tests.soak.checkout import Checkout, Ended, Failed


class Skipped(Exception):
    """A case that cannot be provoked here; the text says why."""


class Case(NamedTuple):
    """A case and its name."""

    name: str
    run: Callable[[Checkout], str]


def succeeded(result: Ended) -> Ended:
    """The result itself.

    Raises:
        Failed: the command did not succeed.
    """
    if result.status:
        raise Failed(f"exit status {result.status}: {result.last}")
    return result


def refused(result: Ended, *named: str | Path) -> str:
    """The one line with which a command refused, which must name some texts.

    Raises:
        Failed: it succeeded, ended in a traceback, or the line lacks one of the texts.
    """
    if not result.status:
        raise Failed(f"was accepted: {result.last}")
    if "Traceback" in result.text or result.status < 0:
        raise Failed(f"a traceback, or a signal ({result.status}): {result.last}")
    if missing := [str(name) for name in named if str(name) not in result.last]:
        raise Failed(f"the last line does not name {missing[0]}: {result.last[:300]}")
    return result.last


def digests(paths: Iterable[Path]) -> dict[str, str]:
    """File -> digest, of files and of all files below folders."""
    found = {}
    for path in paths:
        below = path.rglob("*") if path.is_dir() else [path]
        found |= {str(file): sha256_file(file) for file in below if file.is_file()}
    return found
