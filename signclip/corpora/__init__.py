"""The corpora: one small module each, all yielding the same manifest rows.

A corpus module has

* ``NAME``, ``ABOUT`` (its entry in ``catalogue.yaml``) and of that ``TITLE``, ``LICENCE``,
  ``INSTRUCTIONS`` (what it is, what to do to get it),
* ``find(path) -> Path | None``: the folder with its files, or None where it is absent,
* ``rows(root) -> (rows, refused)``: what it says of each clip (manifest columns ``GIVEN``, paths
  relative to ``root``), and the clips it refuses before reading them,
* where it has splits beside the official one, ``more_splits(manifest) -> table``.

A new corpus is a module, an entry in the catalogue and a line in :data:`CORPORA`. It is enabled by
its path in ``params.yaml`` (:mod:`signclip.corpora.enabled`) or by giving the path to a command.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pandas as pd

from signclip.core import files
from signclip.core.errors import ConfigError, ManifestError
from signclip.corpora import enabled, glosses, manifest, splits
from signclip.corpora.loaders import (
    asl_citizen,
    asl_signs,
    folder,
    popsign,
    rwth_fs,
    sem_lex,
    signsuisse,
    spreadthesign,
    spreadthesign_fingerspelling,
    wlasl,
)
from signclip.poses import reader

CORPORA: dict[str, ModuleType] = {
    module.NAME: module
    for module in (
        spreadthesign_fingerspelling,
        folder,
        rwth_fs,
        spreadthesign,
        asl_signs,
        popsign,
        asl_citizen,
        sem_lex,
        wlasl,
        signsuisse,
    )
}
META_FILE = "meta.json"


def corpus(name: str) -> ModuleType:
    """The module of a corpus.

    Raises:
        ConfigError: there is none of that name.
    """
    if name not in CORPORA:
        raise ConfigError(f"unknown corpus {name!r}; there are {', '.join(CORPORA)}")
    return CORPORA[name]


def find(name: str, path: Path | str | None = None) -> Path | None:
    """The folder of a corpus: below ``path``, else where ``params.yaml`` says; None: not there."""
    module = corpus(name)
    return module.find(Path(path) if path else enabled.path_of(name))


def root(name: str, path: Path | str | None = None) -> Path:
    """The folder of a corpus (see :func:`find`).

    Raises:
        ConfigError: it is not there; the message says how to get it.
    """
    found = find(name, path)
    if found is None:
        raise ConfigError(f"corpus {name} is not there. {corpus(name).INSTRUCTIONS}")
    return found


def build(
    name: str,
    path: Path | str | None = None,
    *,
    clean_glosses: bool = False,
    workers: int = 1,
    progress: bool = True,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Manifest and dropped clips of a corpus (see :func:`signclip.corpora.manifest.measure`).

    Args:
        clean_glosses: texts as :func:`signclip.corpora.glosses.clean` makes them.
        workers: processes that read clips; the result does not depend on it.

    Raises:
        ConfigError: the corpus is not there.
        ManifestError: its rows break the schema, none of its clips can be used, or one's own
            ``folder`` has one content on two sides.
    """
    folder_ = root(name, path)
    rows, refused = corpus(name).rows(folder_)
    if clean_glosses:
        rows = [row | {"text": glosses.clean(row["text"], name)} for row in rows]
    manifest.check_rows(pd.DataFrame(rows, columns=list(manifest.GIVEN)), source=name)
    kept, dropped = manifest.measure(
        rows,
        folder_,
        source=name,
        refuse_leaks=name == folder.NAME,
        workers=workers,
        progress=progress,
    )
    if kept.empty:
        first = f"; {dropped['id'][0]}: {dropped['reason'][0]}" if len(dropped) else ""
        if len(dropped) and dropped["reason"][0] == reader.NO_POSE:
            first = f"; {reader.needs_extraction(folder_ / dropped['path'][0])}"
        raise ManifestError(folder_, f"no clip can be used ({len(dropped)} dropped{first})")
    refused_table = pd.DataFrame(refused, columns=list(manifest.DROPPED_COLUMNS))
    return kept, pd.concat([refused_table, dropped], ignore_index=True)


def split_table(name: str, clips: pd.DataFrame) -> pd.DataFrame:
    """All splits of a corpus: the usual ones (:func:`signclip.corpora.splits.build`) and its own.

    Raises:
        ConfigError: a split puts one content on two sides.
    """
    table = splits.build(clips)
    module = corpus(name)
    if hasattr(module, "more_splits"):
        more = module.more_splits(clips)
        splits.check_disjoint(more, clips)
        table = pd.concat([table, more], ignore_index=True)
    return table


def write(
    folder: Path, clips: pd.DataFrame, dropped: pd.DataFrame, split_table: pd.DataFrame
) -> None:
    """Write a corpus folder, whole or not at all.

    It holds ``manifest.parquet``, ``dropped.csv``, ``splits.parquet`` and ``meta.json`` (counts and
    the hashes of the others): a manifest never stands beside another manifest's splits.

    Raises:
        ManifestError: the manifest breaks the schema.
        ConfigError: a split puts one content on two sides, or the folder holds something else (it
            is replaced, so with the clips themselves in it they would be lost).
        BusyError: another process writes this folder.
    """
    names = (manifest.MANIFEST_FILE, manifest.DROPPED_FILE, splits.SPLITS_FILE)
    there = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if others := sorted(there - {*names, META_FILE}):
        raise ConfigError(
            f"{folder} holds {others[0]}, which is no part of a built corpus; choose another folder"
        )
    manifest.check_rows(clips, source=str(folder), columns=manifest.COLUMNS)
    splits.check_disjoint(split_table, clips)
    with files.writing(folder), files.atomic_folder(folder) as partial:
        clips[list(manifest.COLUMNS)].to_parquet(partial / manifest.MANIFEST_FILE, index=False)
        columns = list(manifest.DROPPED_COLUMNS)
        dropped[columns].to_csv(partial / manifest.DROPPED_FILE, index=False)
        split_table.to_parquet(partial / splits.SPLITS_FILE, index=False)
        meta = {
            "clips": len(clips),
            "dropped": len(dropped),
            "sha256": {name: files.sha256_file(partial / name) for name in names},
        }
        (partial / META_FILE).write_text(files.canonical_json(meta), encoding="utf-8")
