"""The corpora: one small module each, all yielding the same manifest rows.

A corpus module has

* ``NAME``, ``TITLE``, ``LICENCE``, ``INSTRUCTIONS`` (what it is, what to do to get it),
* ``find(path) -> Path | None``: the folder with its files, or None where it is absent,
* ``rows(root) -> (rows, dropped)``: what it says of each clip (manifest columns ``GIVEN``, paths
  relative to ``root``), and the clips it refuses before reading them.

A new corpus is a module and a line in :data:`CORPORA`.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pandas as pd

from signclip import manifest
from signclip.corpora import folder, spreadthesign_fingerspelling
from signclip.errors import ConfigError

CORPORA: dict[str, ModuleType] = {
    module.NAME: module for module in (spreadthesign_fingerspelling, folder)
}


def corpus(name: str) -> ModuleType:
    """The module of a corpus.

    Raises:
        ConfigError: there is none of that name.
    """
    if name not in CORPORA:
        raise ConfigError(f"unknown corpus {name!r}; there are {', '.join(CORPORA)}")
    return CORPORA[name]


def root(name: str, path: Path | str | None = None) -> Path:
    """The folder of a corpus.

    Raises:
        ConfigError: it is not there; the message says how to get it.
    """
    module = corpus(name)
    found = module.find(Path(path) if path else None)
    if found is None:
        raise ConfigError(f"corpus {name} is not there. {module.INSTRUCTIONS}")
    return found


def build(
    name: str, path: Path | str | None = None, *, progress: bool = True
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Manifest and dropped clips of a corpus (see :func:`signclip.manifest.measure`)."""
    folder_ = root(name, path)
    rows, refused = corpus(name).rows(folder_)
    manifest.check_rows(pd.DataFrame(rows, columns=list(manifest.GIVEN)), source=name)
    kept, dropped = manifest.measure(rows, folder_, source=name, progress=progress)
    refused_table = pd.DataFrame(refused, columns=list(manifest.DROPPED_COLUMNS))
    return kept, pd.concat([refused_table, dropped], ignore_index=True)
