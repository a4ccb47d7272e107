"""What the corpus modules share: tables, rows, the paper's shuffled splits.

Decisions
* A table is read strictly: a missing column, a row of the wrong length or a quote that nothing
  closes is an error that names the place, because an unquoted comma would move every field behind
  it, and an open quote would swallow every row behind it. Blank lines are no rows.
* A clip is its pose file where there is one, else its video, which is then listed as dropped with
  the command that makes the pose.
"""

from __future__ import annotations

import csv
import errno
import io
import os
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from signclip.core.errors import ManifestError
from signclip.poses.reader import VIDEO_SUFFIXES

Row = dict[str, Any]  # the columns signclip.corpora.manifest.GIVEN
Refused = dict[str, str]  # id, path, reason
SPLIT_NAMES = {"train": "train", "val": "validation", "test": "test"}
SPLIT_SEED = 3407  # the paper's, for all the splits that its authors made (facts 5)

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
    """A text file, with or without a byte order mark.

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
    """Each line of a CSV that is not blank: (where it stands, fields).

    Raises:
        ManifestError: it is no CSV, or not even text.
    """
    reader = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
    try:
        for fields in reader:
            if fields:
                yield f"{path}, line {reader.line_num}", fields
    except csv.Error as error:  # a field that does not end is too large, or unexpected
        reason = f"not a CSV up to line {reader.line_num} ({error}); is a quote not closed?"
        raise ManifestError(path, reason) from None


def named_rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Each row of a CSV with a header: (where it stands, column -> field).

    Raises:
        ManifestError: a column is missing or there twice, or a row has too few or too many fields.
    """
    lines = _lines(path)
    _, header = next(lines, ("", []))
    for column in columns:
        if header.count(column) != 1:
            problem = "there more than once" if column in header else "missing"
            reason = f"column {column!r} is {problem}; it has to have {', '.join(columns)}"
            raise ManifestError(path, reason)
    first = header.index(columns[0])
    for place, fields in lines:
        if len(fields) != len(header):
            problem = "few" if len(fields) < len(header) else "many"
            sample = fields[first] if first < len(fields) else ""
            raise ManifestError(sample or place, f"the row has too {problem} fields")
        yield place, dict(zip(header, fields, strict=True))


def plain_rows(path: Path, least: int) -> Iterator[tuple[str, list[str]]]:
    """Each row of a CSV behind its header, by position: (where it stands, fields).

    For tables whose columns the reference takes by position, so their names are not known.

    Raises:
        ManifestError: there is no header, or a row has fewer than ``least`` fields.
    """
    lines = _lines(path)
    if next(lines, None) is None:
        raise ManifestError(path, "empty; not even a header is there")
    for place, fields in lines:
        if len(fields) < least:
            raise ManifestError(place, f"{len(fields)} fields where at least {least} are expected")
        yield place, fields


def inside(root: Path, path: str, *, sample: str) -> str:
    """``path`` if it stays in ``root``.

    Raises:
        ManifestError: it leaves the folder, or no file can be called so.
    """
    try:
        os.lstat(root / path)
    except ValueError:
        raise ManifestError(sample, f"path {path!r} holds a NUL character") from None
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise ManifestError(sample, f"path {path[:40]!r}... is too long for a file") from None
    if not (root / path).resolve().is_relative_to(root.resolve()):
        raise ManifestError(sample, f"path {path!r} leaves the corpus folder")
    return path


def pose_or_video(root: Path, pose: str, videos: str = "") -> str:
    """``pose`` if it is there, else a video of its name (in the folder ``videos`` or beside it).

    Both are relative to ``root``; without either the answer is ``pose``, to be dropped as missing.
    """
    if not (root / pose).is_file():
        folders = dict.fromkeys([*([videos] if videos else []), str(Path(pose).parent)])
        for folder in folders:
            beside = Path(folder, Path(pose).name)  # poses extracted beside their videos
            for path in (beside, *(beside.with_suffix(suffix) for suffix in _VIDEOS)):
                if (root / path).is_file():
                    return path.as_posix()
    return pose


def official_split(name: str, *, sample: str) -> str:
    """The manifest's name of a side that a corpus calls train, val or test.

    Raises:
        ManifestError: it is none of them.
    """
    if name not in SPLIT_NAMES:
        raise ManifestError(sample, f"split {name!r} is none of {', '.join(SPLIT_NAMES)}")
    return SPLIT_NAMES[name]


def shuffled_split(items: Sequence[T], percent: int) -> dict[T, str]:
    """The paper's own splits: item -> train, validation or test.

    Shuffled by Python's ``random`` with seed 3407; the first ``percent`` are validation, as many
    test, the rest training (facts 5; both counts are rounded down).
    """
    order = list(items)
    random.Random(SPLIT_SEED).shuffle(order)
    # as the authors compute it: in floating point, which decides for some lengths
    count = int(len(order) * (percent / 100))
    names = ["validation"] * count + ["test"] * count
    names += ["train"] * (len(order) - len(names))
    return dict(zip(order, names, strict=True))
