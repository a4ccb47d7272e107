"""Reading the tables and folders of published corpora: what loaders share.

Decisions
* A table is read strictly: a missing column, a row of the wrong length or an unclosed quote is an
  error that names the place, because an unquoted comma would shift all later fields, and an open
  quote would swallow all later rows. Blank lines are skipped.
* A clip is its pose file if there is one, else its video, which is then listed as dropped with the
  command that makes the pose.
* A path that leaves the corpus folder costs its own row, see :func:`refused_path`.

Cost: one pass over a table; one look at the disk per clip.
"""

from __future__ import annotations

import csv
import errno
import io
import os
import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath
from typing import TypeVar

from signclip.core import files
from signclip.core.errors import ManifestError
from signclip.corpora.loader import Row
from signclip.poses.reader import VIDEO_SUFFIXES

SPLIT_NAMES = {"train": "train", "val": "validation", "test": "test"}
# of all splits that the authors made (their scripts split.py)
SPLIT_SEED = 3407

_VIDEOS = (*VIDEO_SUFFIXES, *(suffix.upper() for suffix in VIDEO_SUFFIXES))

T = TypeVar("T")


def row(
    clip: str,
    path: str,
    text: str,
    *,
    sign_language: str = "ase",
    spoken_language: str = "en",
    signer: str = "",
    split: str = "",
) -> Row:
    """One manifest row; ``signer`` and ``split`` are empty where they are not known."""
    return {
        "id": clip,
        "path": path,
        "text": text,
        "sign_language": sign_language,
        "spoken_language": spoken_language,
        "signer": signer,
        "split": split,
    }


def read_text(path: Path) -> str:
    """Read a text file, with or without a byte order mark.

    Raises:
        ManifestError: it cannot be read or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ManifestError(path, f"cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise ManifestError(path, f"not UTF-8 text ({error})") from None


def _lines(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Each non-blank line of a CSV: (its place for messages, its fields).

    Raises:
        ManifestError: the file is not CSV, or not text.
    """
    reader = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
    try:
        for fields in reader:
            if fields:
                yield f"{path}, line {reader.line_num}", fields
    except csv.Error as error:  # an unclosed field is too large, or ends unexpectedly
        reason = f"not a CSV up to line {reader.line_num} ({error}); is a quote not closed?"
        raise ManifestError(path, reason) from None


def named_rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Each row of a CSV with a header: (its place for messages, column -> field).

    Raises:
        ManifestError: a column is missing or occurs twice, or a row has too few or too many fields.
    """
    lines = _lines(path)
    _, header = next(lines, ("", []))
    for column in columns:
        if header.count(column) != 1:
            problem = "there more than once" if column in header else "missing"
            reason = f"column {column!r} is {problem}; required: {', '.join(columns)}"
            raise ManifestError(path, reason)
    first = header.index(columns[0])
    for place, fields in lines:
        if len(fields) != len(header):
            problem = "few" if len(fields) < len(header) else "many"
            sample = fields[first] if first < len(fields) else ""
            raise ManifestError(sample or place, f"the row has too {problem} fields")
        yield place, dict(zip(header, fields, strict=True))


def plain_rows(path: Path, least: int) -> Iterator[tuple[str, list[str]]]:
    """Each row of a CSV after its header, by position: (its place for messages, fields).

    For tables whose columns the authors' code takes by position, so that their names are not known.

    Raises:
        ManifestError: there is no header, or a row has fewer than ``least`` fields.
    """
    lines = _lines(path)
    if next(lines, None) is None:
        raise ManifestError(path, "empty; the header is missing")
    for place, fields in lines:
        if len(fields) < least:
            raise ManifestError(place, f"{len(fields)} fields where at least {least} are expected")
        yield place, fields


def headless_rows(path: Path, least: int) -> Iterator[tuple[str, list[str]]]:
    """Each row of a CSV without a header, by position: (its place for messages, fields).

    Raises:
        ManifestError: a row has fewer than ``least`` fields.
    """
    for place, fields in _lines(path):
        if len(fields) < least:
            raise ManifestError(place, f"{len(fields)} fields where at least {least} are expected")
        yield place, fields


def refused_path(root: Path, path: str) -> str | None:
    """Why a manifest must not name this path; None: it may.

    A path has to lie in the corpus folder as it is written. Links in the folder may lead anywhere
    (a hub's cache, another disk): whoever made them wanted them followed.
    """
    given = PurePath(path)
    if given.is_absolute():
        return f"path {path!r} is absolute; paths start at the corpus folder"
    if ".." in given.parts:
        return f"path {path!r} leaves the corpus folder"
    try:
        os.lstat(root / path)
    except UnicodeEncodeError:
        encoding = sys.getfilesystemencoding()
        return f"path {path!r} cannot be a file name in {encoding}; set PYTHONUTF8=1"
    except ValueError:
        return f"path {path!r} holds a NUL character"
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return f"path {path[:40]!r}... is too long for a file"
    return None


def pose_or_video(root: Path, pose: str, videos: str = "") -> str:
    """``pose`` if it exists, else a video of the same name in the folder ``videos`` or beside it.

    All paths are relative to ``root``. If there is neither, ``pose`` is returned (the clip is then
    dropped as missing).
    """
    if not os.path.isfile(root / pose):  # unlike Path.is_file, False for impossible names
        folders = dict.fromkeys([*([videos] if videos else []), str(Path(pose).parent)])
        for folder in folders:
            beside = Path(folder, Path(pose).name)  # poses extracted beside their videos
            for path in (beside, *(beside.with_suffix(suffix) for suffix in _VIDEOS)):
                if os.path.isfile(root / path):
                    return path.as_posix()
    return pose


def files_named(root: Path, suffix: str) -> dict[str, str]:
    """Stem -> path relative to ``root`` of all files with a suffix in any folder below it.

    For archives whose own folders are not known.

    Raises:
        ManifestError: two files have the same name.
    """
    found: dict[str, str] = {}
    for path in sorted(root.rglob(f"*{suffix}")):
        inside = path.relative_to(root)
        if files.is_hidden(inside):
            continue
        if path.stem in found:
            raise ManifestError(path.stem, f"two files: {found[path.stem]} and {inside}")
        found[path.stem] = inside.as_posix()
    return found


def only_file(root: Path, name: str) -> Path:
    """The file of this name in any folder below ``root``: the uppermost one.

    Raises:
        ManifestError: there is none.
    """
    found = sorted(root.rglob(name), key=lambda path: (len(path.parts), path))
    if not found:
        raise ManifestError(root, f"there is no {name} in it")
    return found[0]


def with_validation(rows: Sequence[Row], percent: int = 10) -> list[Row]:
    """Make every so manieth training clip of a label validation, for corpora without such a set.

    Clips of one label are shuffled in the order of their ids with the authors' seed; labels with
    fewer than two training clips keep them.
    """
    of_label: dict[tuple[str, str], list[str]] = {}
    for one in sorted(rows, key=lambda one: str(one["id"])):
        if one["split"] == "train":
            of_label.setdefault((one["sign_language"], one["text"]), []).append(one["id"])
    chosen: set[str] = set()
    for clips in of_label.values():
        random.Random(SPLIT_SEED).shuffle(clips)
        count = max(1, round(len(clips) * percent / 100)) if len(clips) > 1 else 0
        chosen.update(clips[:count])
    return [one | {"split": "validation"} if one["id"] in chosen else one for one in rows]


def official_split(name: str, *, sample: str) -> str:
    """The split of a manifest (train, validation, test) for a corpus's train, val or test.

    Raises:
        ManifestError: it is none of them.
    """
    if name not in SPLIT_NAMES:
        raise ManifestError(sample, f"split {name!r} is none of {', '.join(SPLIT_NAMES)}")
    return SPLIT_NAMES[name]


def shuffled_split(items: Sequence[T], percent: int) -> dict[T, str]:
    """The authors' random splits: item -> train, validation or test.

    Items are shuffled by Python's ``random`` with seed 3407; the first ``percent`` are validation,
    as many test, the rest training (both counts are rounded down).
    """
    order = list(items)
    random.Random(SPLIT_SEED).shuffle(order)
    # in floating point, as in the authors' scripts: it decides the count for some lengths
    count = int(len(order) * (percent / 100))
    names = ["validation"] * count + ["test"] * count
    names += ["train"] * (len(order) - len(names))
    return dict(zip(order, names, strict=True))
