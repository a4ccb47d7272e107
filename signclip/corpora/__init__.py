"""The corpora: published layouts and local folders, all turned into the same manifest.

A loader (:mod:`signclip.corpora.loaders`) reads one published layout. A corpus is a loader and a
folder: either a local corpus, registered by name in ``params.yaml``
(:mod:`signclip.corpora.local`), or a loader's name with a path, or the corpus of an installed
package.

Decision: every function here takes the name of a corpus and looks it up in ``params.yaml``, then
among the loaders, so that commands, the pipeline and scripts find the same folder. Cost: parsing
``params.yaml``, a few milliseconds per call.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from signclip.core import files
from signclip.core.errors import ConfigError, ManifestError
from signclip.corpora import local, manifest, splits
from signclip.corpora.loader import Loader
from signclip.corpora.loaders import LOADERS
from signclip.corpora.local import FOLDER, PARAMS
from signclip.corpora.reading import refused_path
from signclip.poses import reader

META_FILE = "meta.json"

__all__ = ["FOLDER", "LOADERS", "PARAMS", "build", "enable", "find", "loader", "root", "write"]


def loader(name: str, *, params: Path = PARAMS) -> Loader:
    """The loader of a corpus: the one registered in ``params``, else the loader of this name.

    Raises:
        ConfigError: there is neither.
    """
    return _resolve(name, None, params)[0]


def _resolve(name: str, path: Path | str | None, params: Path) -> tuple[Loader, Path | None]:
    """The loader of a corpus and the folder in which to look for it (None: none is named).

    Raises:
        ConfigError: there is no corpus of this name.
    """
    registered = local.entries(params)
    if name in registered:
        entry = registered[name]
        return LOADERS[entry.loader], entry.path if path is None else Path(path)
    if name not in LOADERS:
        known = ", ".join(dict.fromkeys([*registered, *LOADERS]))
        raise ConfigError(
            f"unknown corpus {name!r}; there are {known}. `signclip corpora enable {name} FOLDER` "
            "registers a folder with manifest.csv under this name"
        )
    chosen = LOADERS[name]
    if path is not None:
        return chosen, Path(path)
    return chosen, chosen.installed() if chosen.installed else None


def find(name: str, path: Path | str | None = None, *, params: Path = PARAMS) -> Path | None:
    """The folder of a corpus: ``path``, else as registered, else installed; None: not there.

    Raises:
        ConfigError: there is no corpus of this name.
    """
    chosen, folder = _resolve(name, path, params)
    return folder if folder is not None and chosen.missing(folder) is None else None


def root(name: str, path: Path | str | None = None, *, params: Path = PARAMS) -> Path:
    """The folder of a corpus (see :func:`find`).

    Raises:
        ConfigError: it is not there; the message names the folder, or says how to get the corpus.
    """
    chosen, folder = _resolve(name, path, params)
    about = chosen.about
    if folder is None:
        where = "it is not installed" if about.installed else f"{params} has no path for it"
        raise ConfigError(f"{name}: {where}. {about.instructions()}")
    try:
        return check_folder(name, folder, chosen)
    except ConfigError as error:
        if path is not None or about.installed:
            raise
        advice = f"`signclip corpora enable {name} FOLDER` corrects the path in {params}"
        raise ConfigError(f"{error}. {advice}") from None


def check_folder(name: str, folder: Path, loader: Loader) -> Path:
    """The folder, if it holds a corpus in the layout of a loader.

    Raises:
        ConfigError: naming the folder and what is missing.
    """
    missing = loader.missing(folder)
    if missing is None:
        return folder
    if not folder.exists():
        raise ConfigError(f"{name}: {folder} is not there; a folder with {missing} is expected")
    raise ConfigError(f"{name}: {folder} holds no {missing}. Layout: {loader.about.layout}")


def enable(
    name: str,
    path: Path | str,
    *,
    loader: str | None = None,
    use: Sequence[local.Use] | None = None,
    params: Path = PARAMS,
) -> local.LocalCorpus:
    """Register a local corpus in ``params``, if its folder fits the loader.

    Args:
        loader: default: that of the same name, else ``folder``.
        use: what the pipeline does with it. Default: pretraining for the loader spreadthesign,
            transfer for all others.

    Raises:
        ConfigError: the folder does not hold such a corpus, the loader is not known, or the entry
            cannot be written.
    """
    chosen = loader or local.loader_for(name)
    if chosen not in LOADERS:
        raise ConfigError(f"unknown loader {chosen!r}; there are {', '.join(LOADERS)}")
    try:
        check_folder(name, Path(path), LOADERS[chosen])
    except ConfigError as error:
        near = difflib.get_close_matches(name, LOADERS, n=1) if chosen != name else []
        raise ConfigError(f"{error}" + "".join(f" (or is it {one}?)" for one in near)) from None
    return local.enable(name, path, loader=chosen, use=use, params=params)


def build(
    name: str,
    path: Path | str | None = None,
    *,
    clean_glosses: bool = False,
    workers: int = 1,
    progress: bool = True,
    params: Path = PARAMS,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Build the manifest and the table of dropped clips of a corpus (see :func:`manifest.measure`).

    Args:
        path: folder of the corpus; None: as registered, or installed.
        clean_glosses: texts as :meth:`Loader.cleaned` gives them.
        workers: processes that read clips; the result does not depend on it.

    Raises:
        ConfigError: the corpus is not there.
        ManifestError: its rows break the schema, none of its clips can be used, or a ``folder`` has
            the same content in two sets.
    """
    chosen, folder = loader(name, params=params), root(name, path, params=params)
    with _naming_the_table(chosen, folder) as table:
        found, refused = chosen.rows(folder)
        rows = []
        for row in found:
            if reason := refused_path(folder, row["path"]):
                refused.append({"id": row["id"], "path": row["path"], "reason": reason})
            else:
                rows.append(row)
        if clean_glosses:
            rows = [row | {"text": chosen.cleaned(row["text"])} for row in rows]
        manifest.check_rows(pd.DataFrame(rows, columns=list(manifest.GIVEN)), source=str(table))
        kept, dropped = manifest.measure(
            rows,
            folder,
            source=name,
            refuse_leaks=chosen.refuse_leaks,
            workers=workers,
            progress=progress,
        )
    refused_table = pd.DataFrame(refused, columns=list(manifest.DROPPED_COLUMNS))
    dropped = pd.concat([refused_table, dropped], ignore_index=True)
    if kept.empty:
        first = f"; {dropped['id'][0]}: {dropped['reason'][0]}" if len(dropped) else ""
        if len(dropped) and dropped["reason"][0] == reader.NO_POSE:
            first = f"; {reader.needs_extraction(folder / dropped['path'][0])}"
        raise ManifestError(folder, f"no clip can be used ({len(dropped)} dropped{first})")
    return kept, dropped


@contextmanager
def _naming_the_table(loader: Loader, folder: Path) -> Iterator[Path]:
    """Name the table in an error about one of its rows: ids are unique within a corpus only.

    Yields:
        the file that lists the corpus's clips; the folder, where that is several files.
    """
    only, *others = loader.needs
    table = folder if others or "*" in only else folder / only
    try:
        yield table
    except ManifestError as error:
        if str(table) in str(error) or error.sample.startswith(str(folder)):
            raise
        raise ManifestError(f"{table}, {error.sample}", error.reason) from None


def split_table(name: str, clips: pd.DataFrame, *, params: Path = PARAMS) -> pd.DataFrame:
    """All splits of a corpus: the usual ones (:func:`splits.build`) and those of its loader.

    Raises:
        ConfigError: a split has the same content in two sets.
    """
    table = splits.build(clips)
    more_splits = loader(name, params=params).more_splits
    if more_splits is not None:
        more = more_splits(clips)
        splits.check_disjoint(more, clips)
        table = pd.concat([table, more], ignore_index=True)
    return table


def write(
    folder: Path, clips: pd.DataFrame, dropped: pd.DataFrame, split_table: pd.DataFrame
) -> None:
    """Write a corpus folder, completely or not at all.

    It holds ``manifest.parquet``, ``dropped.csv``, ``splits.parquet`` and ``meta.json`` (counts and
    the hashes of the others), so a manifest is never combined with the splits of another one.

    Raises:
        ManifestError: the manifest breaks the schema.
        ConfigError: a split has the same content in two sets, or the folder holds other files (it
            is replaced as a whole, so clips in it would be lost).
        BusyError: another process writes this folder.
    """
    names = (manifest.MANIFEST_FILE, manifest.DROPPED_FILE, splits.SPLITS_FILE)
    present = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if others := sorted(present - {*names, META_FILE}):
        raise ConfigError(
            f"{folder} holds {others[0]}, which is not part of a built corpus; choose another "
            "folder with --out"
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
        (partial / META_FILE).write_text(files.sealed_json(meta), encoding="utf-8")
