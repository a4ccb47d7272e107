"""Results: a command that is typed by hand replaces none, but writes aside.

Decisions
* What lies below ``results/`` was written by the pipeline, which passes ``--publish``. A command
  typed by hand writes there too, as long as nothing is lost: the file is not there yet, or is the
  same. If one of its files differs, all of them go below ``results/local``, which git ignores.
* The rule looks at contents, not at git, so it also holds in a copy without a repository.

Cost: everything is first written into a temporary folder, and compared.
"""

from __future__ import annotations

import filecmp
import shutil
import tempfile
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from signclip.core import files
from signclip.core.workspace import LOCAL


class Written(NamedTuple):
    """What was written, and the results that it would have replaced."""

    paths: list[Path]
    kept: list[Path]

    def note(self) -> str:
        """One line for the user; empty: everything is in its place."""
        if not self.kept:
            return ""
        others = f" and {len(self.kept) - 1} more" if self.kept[1:] else ""
        return f"{self.kept[0]}{others}: kept as it was; --publish replaces what differs"


def write(results: Path, make: Callable[[Path], Iterable[Path]], *, publish: bool) -> Written:
    """Write results in their place, or aside if they would replace others.

    Args:
        results: the folder of all results.
        make: writes below the folder that it is given, with paths as below ``results``; returns
            some of these paths.
        publish: replace what is there.

    Raises:
        ConfigError: nothing can be written there.
        BusyError: another process is writing there.
    """
    if publish:
        return Written(list(make(results)), [])
    results.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".", suffix=files.PARTIAL, dir=results) as name:
        scratch = Path(name)
        made = [path.relative_to(scratch) for path in make(scratch)]
        written = sorted(
            path.relative_to(scratch)
            for path in scratch.rglob("*")
            if path.is_file() and path.name != files.DIGESTS  # which lists other files, too
        )
        new = [path for path in written if not _same(scratch / path, results / path)]
        kept = [results / path for path in new if (results / path).exists()]
        target = results / LOCAL if kept else results
        with ExitStack() as locks:
            for folder in sorted({path.parts[0] for path in new}):
                locks.enter_context(files.writing(target / folder))
            for path in written if kept else new:
                with files.atomic_file(target / path) as partial:
                    shutil.copyfile(scratch / path, partial)
            if not kept:
                files.record_digests([target / path for path in written])
    return Written([target / path for path in made], kept)


def _same(path: Path, other: Path) -> bool:
    return other.is_file() and filecmp.cmp(path, other, shallow=False)
