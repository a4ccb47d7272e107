"""Plotted points: what tables and figures need beside results, written once as small CSV files.

Decisions
* Tables, figures and the report page are made from files that git tracks: results, statistics of
  corpora, and these points. So they come back without data, features or runs, on any machine.
* Points are one module of this package with a :class:`Points` named ``POINTS``, which makes the
  frame of ``results/points/<name>.csv`` from predictions, runs and features. New modules are
  discovered.
* :func:`write_all` owns ``results/points`` as a whole folder. Beside each CSV, ``<name>.json``
  tells what it was made from: the command, and the corpora and runs with their fingerprints.

Cost: a minute on the embedded corpus, most of it for embedding clips.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from signclip.core import files
from signclip.core.errors import ConfigError
from signclip.core.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd

    from benchmarks.results import Result
    from benchmarks.source import Source


@dataclass(frozen=True)
class Made:
    """A frame of points and what it was made from.

    Attributes:
        frame: written as CSV, numbers with ``digits`` decimals.
        inputs: one line each: a run or a store with its fingerprint.
    """

    frame: pd.DataFrame
    inputs: Sequence[str] = field(default_factory=tuple)
    digits: int = 4


@dataclass(frozen=True)
class Points:
    """Points that tables or figures show.

    Attributes:
        name: of its module and files.
        title: what they are.
        make: makes them; a row or run that is missing is left out, without any the frame is empty.
    """

    name: str
    title: str
    make: Callable[[Source], Made]


def runs_of(source: Source, found: Mapping[str, Result]) -> list[str]:
    """The runs of the source's seed that some results were measured with, with fingerprints.

    Args:
        found: encoder -> result.
    """
    return [
        f"{name}/{run}: {fingerprint}"
        for name, result in found.items()
        for run, fingerprint in result.runs.items()
        if run.startswith(f"{source.seed}/")
    ]


def names() -> list[str]:
    """The points, in alphabetical order."""
    return sorted(module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)]))


def find(name: str) -> Points:
    """The points of a name.

    Raises:
        ConfigError: there are none, or the module holds others.
    """
    if name not in names():
        raise ConfigError(f"unknown points {name!r}; there are {', '.join(names())}")
    found: Points = importlib.import_module(f"{__name__}.{name}").POINTS
    if found.name != name:
        raise ConfigError(f"points/{name}.py holds {found.name!r}; name it as its module")
    return found


def write(points: Points, source: Source, folder: Path) -> Path:
    """Write ``<folder>/<name>.{csv,json}``; returns the path of the CSV.

    Raises:
        SignCLIPError: an input is damaged.
    """
    made = points.make(source)
    path = folder / f"{points.name}.csv"
    text = made.frame.to_csv(index=False, lineterminator="\n", float_format=f"%.{made.digits}f")
    files.write_text(path, text)
    about = {
        "title": points.title,
        "command": f"signbench points {points.name}",
        "profile": source.profile,
        "seed": source.seed,
        "corpus": source.corpus,
        "inputs": list(made.inputs),
    }
    files.write_text(path.with_suffix(".json"), files.sealed_json(about))
    files.record_digests([path, path.with_suffix(".json")])
    return path


def write_one(
    name: str,
    workspace: Workspace,
    *,
    profile: str,
    corpus: str,
    seed: int,
    out: Path | None = None,
) -> Path:
    """Write some points; returns the path of the CSV.

    Args:
        out: the folder in the place of ``results/points``.

    Raises:
        SignCLIPError: there are no such points, or an input is damaged.
    """
    from benchmarks.source import Source

    found, out = find(name), out or workspace.points
    with files.writing(out):
        return write(found, Source(workspace, profile, corpus, seed), out)


def write_all(
    workspace: Workspace, *, profile: str, corpus: str, seed: int, out: Path | None = None
) -> list[Path]:
    """Write all points; the folder is replaced as a whole. Returns the paths of the CSVs.

    Args:
        out: the folder in the place of ``results/points``.

    Raises:
        SignCLIPError: an input is damaged.
    """
    from benchmarks.source import Source

    source = Source(workspace, profile, corpus, seed)
    out = out or workspace.points
    with files.writing(out), files.atomic_folder(out) as partial:
        paths = [write(find(name), source, partial) for name in names()]
    return [out / path.name for path in paths]
