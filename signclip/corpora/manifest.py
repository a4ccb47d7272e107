"""The manifest: one row per clip, in the same form for every corpus.

Decisions
* It is one Parquet file with fixed columns, checked when it is written and when it is read. A clip
  that cannot be used is a row of ``dropped.csv`` with the reason, so none disappears silently.
* A manifest that contradicts itself (a missing column, a duplicate id, an unknown tag) is refused
  as a whole, because guessing which row is right is worse than stopping. A damaged file costs only
  its own clip.

Cost: every clip is read once (hash, frames, checks): about 1 ms per ``.pose`` file and core. A
written manifest is stored by columns: :func:`read` loads the requested ones, :func:`batches` holds
only a slice of the rows.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from signclip import poses
from signclip.core import files, parquet
from signclip.core.errors import LanguageTagError, ManifestError, PoseError, SampleError
from signclip.core.parallel import CHUNK, chunks, ordered
from signclip.core.progress import bar
from signclip.core.workspace import outside_project
from signclip.poses import checks, reader
from signclip.text import label, sign_language

# what a loader provides for each clip, and what is measured on the clip itself
GIVEN = ("id", "path", "text", "sign_language", "spoken_language", "signer", "split")
MEASURED = ("sha256", "frames", "fps")
COLUMNS = (
    *("id", "path", "sha256", "text", "sign_language", "spoken_language"),
    *("signer", "split", "frames", "fps"),
)
DROPPED_COLUMNS = ("id", "path", "reason")
MANIFEST_FILE, DROPPED_FILE = "manifest.parquet", "dropped.csv"

_log = logging.getLogger(__name__)


class Measurement(NamedTuple):
    """What is measured on a clip: the columns :data:`MEASURED`, and points taken as missing."""

    sha256: str
    frames: int
    fps: float
    points_not_finite: int


def check_rows(rows: pd.DataFrame, *, source: str, columns: Iterable[str] = GIVEN) -> None:
    """Refuse rows that break the schema.

    Args:
        source: where the rows come from, for error messages.

    Raises:
        ManifestError: a column is missing; an id is empty or occurs twice; a path, text or tag is
            empty.
        LanguageTagError: a tag is not in the registry (the sample is named).
    """
    for column in columns:
        if column not in rows.columns:
            raise ManifestError(
                source, f"column {column!r} is missing; a manifest has {', '.join(columns)}"
            )
    for column in ("id", "path", "text", "sign_language"):
        values: pd.Series = rows[column].astype(str)
        empty = rows[column].isna() | (values.str.strip() == "")
        if column == "text":  # what a tokenizer drops is no text
            empty |= values[~empty].map(label) == ""
        if empty.any():
            position = int(empty.to_numpy().argmax())
            sample = f"{source}, row {position}" if column == "id" else rows["id"].iloc[position]
            raise ManifestError(sample, f"empty {column}")
    twice = rows["id"][rows["id"].duplicated()]
    if len(twice):
        raise ManifestError(twice.iloc[0], f"this id occurs more than once in {source}")
    for tag in rows["sign_language"].unique():
        try:
            sign_language(tag)
        except LanguageTagError as error:
            sample = rows.loc[rows["sign_language"] == tag, "id"].iloc[0]
            raise LanguageTagError(f"{sample} in {source}: {error}") from None


def _measure_clip(row: Mapping[str, Any], root: Path) -> Measurement:
    """Read a clip and check that variants can be made of it (all, or those of hands alone).

    Raises:
        SampleError: it cannot be used.
    """
    path = root / row["path"]
    if not path.exists():
        raise PoseError(row["id"], "the file does not exist")
    if reader.is_video(path):
        raise PoseError(row["id"], reader.NO_POSE)
    data = reader.read_bytes(path)
    pose = reader.parse(data, path, sample=row["id"])
    poses.centre_and_scale(poses.to_landmarks(pose), sample=row["id"])
    return Measurement(
        files.sha256_bytes(data),
        int(pose.body.data.shape[0]),
        float(pose.body.fps),
        checks.points_not_finite(pose),
    )


def _measure_clips(rows: Sequence[Mapping[str, Any]], root: Path) -> list[Measurement | str]:
    """:func:`_measure_clip` of each row, or the reason why its clip cannot be used."""
    measured: list[Measurement | str] = []
    for row in rows:
        try:
            measured.append(_measure_clip(row, root))
        except SampleError as error:
            measured.append(error.reason)
    return measured


def measure(
    rows: Iterable[Mapping[str, Any]],
    root: Path,
    *,
    source: str,
    refuse_leaks: bool = False,
    workers: int = 1,
    progress: bool = True,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read every clip of checked rows.

    A clip with the same content as an earlier one is dropped, because the same frames under two ids
    could be in both the training and the test set.

    Args:
        rows: mappings with the columns :data:`GIVEN`; ``path`` is relative to ``root``.
        source: name of the corpus, for messages.
        refuse_leaks: whether the same content in two sets of the official split is an error.
        workers: processes; the result does not depend on it.

    Returns:
        (manifest, dropped clips).

    Raises:
        ManifestError: ``refuse_leaks``, and there are such clips.
    """
    kept: list[dict[str, Any]] = []
    dropped: list[dict[str, str]] = []
    first_with: dict[str, Mapping[str, Any]] = {}  # content -> its first row
    gaps: dict[str, int] = {}  # clip -> points whose coordinates are not finite
    rows = list(rows)
    parts: list[Sequence[Mapping[str, Any]]] = list(chunks(rows, CHUNK))
    results: Iterator[list[Measurement | str]] = ordered(
        partial(_measure_clips, root=root), parts, workers=workers
    )
    with bar(total=len(rows), desc=f"reading {source}", unit="clip", disable=not progress) as shown:
        for part, measurements in zip(parts, results, strict=True):
            for row, found in zip(part, measurements, strict=True):
                if isinstance(found, str):
                    reason = found
                elif first := first_with.get(found.sha256):
                    reason = f"same content as {first['id']}"
                    if refuse_leaks and row["split"] != first["split"]:
                        sets = f"{row['split']} and {first['split']}"
                        raise ManifestError(row["id"], f"{reason}, in two sets ({sets})")
                else:
                    first_with[found.sha256] = row
                    kept.append({**row, **{name: getattr(found, name) for name in MEASURED}})
                    if found.points_not_finite:
                        gaps[row["id"]] = found.points_not_finite
                    continue
                dropped.append({"id": row["id"], "path": row["path"], "reason": reason})
            shown.update(len(part))
    if gaps:
        some = ", ".join(list(gaps)[:3])
        _log.warning(
            "%s: %d points of %d clips (%s%s) are not finite; they count as missing",
            *(source, sum(gaps.values()), len(gaps), some, ", ..." * (len(gaps) > 3)),
        )
    return (
        pd.DataFrame(kept, columns=list(COLUMNS)),
        pd.DataFrame(dropped, columns=list(DROPPED_COLUMNS)),
    )


def _open(folder: Path | str) -> pq.ParquetFile:
    path = Path(folder) / MANIFEST_FILE
    if not path.is_file():
        name = Path(folder).name
        advice = f"`signclip corpora build {name}` makes it{outside_project(path)}"
        raise ManifestError(path, f"no manifest here; {advice}")
    try:
        return parquet.open_file(path)
    except (pa.ArrowException, OSError) as error:
        raise ManifestError(path, f"not a Parquet file ({error})") from None


def read(folder: Path | str, columns: Sequence[str] = COLUMNS) -> pd.DataFrame:
    """Read and check the manifest of a corpus folder, or only some of its columns (unchecked).

    Raises:
        ManifestError: it does not exist, is no Parquet file, or breaks the schema.
    """
    with _open(folder) as file:
        source = str(Path(folder) / MANIFEST_FILE)
        for column in COLUMNS:
            if column not in file.schema_arrow.names:
                raise ManifestError(
                    source, f"column {column!r} is missing; a manifest has {', '.join(COLUMNS)}"
                )
        try:
            table = file.read(columns=list(columns)).to_pandas()
        except (pa.ArrowException, OSError) as error:
            raise ManifestError(source, f"not a whole Parquet file ({error})") from None
    if tuple(columns) == COLUMNS:
        check_rows(table, source=source, columns=COLUMNS)
    return table


def batches(
    folder: Path | str, columns: Sequence[str] = COLUMNS, *, rows: int = 10_000
) -> Iterator[pd.DataFrame]:
    """Read a manifest in slices of at most ``rows`` rows, in constant memory, unchecked.

    Raises:
        ManifestError: it does not exist or is no Parquet file.
    """
    with _open(folder) as file:
        for batch in file.iter_batches(batch_size=rows, columns=list(columns)):
            yield batch.to_pandas()


class Counts(NamedTuple):
    """Size of a manifest; ``signers`` is 0 where none is recorded."""

    clips: int
    languages: int
    signers: int


def counts(folder: Path | str) -> Counts:
    """Count the clips, languages and signers of a manifest, reading two columns only."""
    clips = 0
    languages: set[str] = set()
    signers: set[str] = set()
    for batch in batches(folder, ("sign_language", "signer")):
        clips += len(batch)
        languages |= set(batch["sign_language"].unique())
        signers |= set(batch["signer"].unique()) - {""}
    return Counts(clips, len(languages), len(signers))


def reasons(dropped: pd.DataFrame, *, most: int = 10) -> list[str]:
    """Reasons for dropped clips as lines ``<clips>: <reason>``, the most frequent first."""
    counts = dropped["reason"].value_counts()
    lines = [f"{count:,}: {reason}" for reason, count in counts.head(most).items()]
    if len(counts) > most:
        rest = counts.iloc[most:]
        lines.append(f"{rest.sum():,}: {len(rest):,} other reasons, all in {DROPPED_FILE}")
    return lines


def read_dropped(folder: Path | str) -> pd.DataFrame:
    """Read the dropped clips of a corpus folder: id, path, reason."""
    return pd.read_csv(Path(folder) / DROPPED_FILE, keep_default_na=False, dtype=str)
