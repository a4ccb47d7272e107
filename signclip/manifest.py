"""The manifest: one row a clip, the same for every corpus.

Decisions
* One Parquet file with fixed columns, checked when written and when read; a clip that cannot be
  used is a row of ``dropped.csv`` with the reason, never a silent gap.
* A manifest that contradicts itself (a missing column, a duplicate id, an unknown tag) is refused
  whole, because guessing which row is right would be worse than stopping. A damaged file only costs
  its own clip.

Cost: every ``.pose`` is read once (hash, frames, checks): about 1 ms a clip and core.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from signclip import files, poses
from signclip.errors import LanguageTagError, ManifestError, PoseError, SampleError
from signclip.progress import bar
from signclip.text import sign_language

# What a corpus must say of each clip, and what is read from the clip itself.
GIVEN = ("id", "path", "text", "sign_language", "spoken_language", "signer", "split")
MEASURED = ("sha256", "frames", "fps")
COLUMNS = (
    *("id", "path", "sha256", "text", "sign_language", "spoken_language"),
    *("signer", "split", "frames", "fps"),
)
DROPPED_COLUMNS = ("id", "path", "reason")
MANIFEST_FILE, DROPPED_FILE = "manifest.parquet", "dropped.csv"


def check_rows(rows: pd.DataFrame, *, source: str, columns: Iterable[str] = GIVEN) -> None:
    """Refuse rows that break the schema.

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
        empty = rows[column].isna() | (rows[column].astype(str).str.strip() == "")
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


def measure(
    rows: Iterable[Mapping[str, Any]], root: Path, *, source: str, progress: bool = True
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read every clip of checked rows: (manifest, dropped clips).

    Args:
        rows: mappings with the columns :data:`GIVEN`; ``path`` is relative to ``root``.

    A clip whose content another clip already has is dropped too: the same frames under two ids
    could stand on both sides of a split.
    """
    kept: list[dict[str, Any]] = []
    dropped: list[dict[str, str]] = []
    first_with: dict[str, str] = {}
    rows = list(rows)
    for row in bar(rows, desc=f"reading {source}", unit="clip", disable=not progress):
        path = root / row["path"]
        try:
            if not path.is_file():
                raise PoseError(row["id"], "the file does not exist")
            try:
                data = path.read_bytes()
            except OSError as error:
                raise PoseError(row["id"], f"cannot be read ({error.strerror})") from None
            digest = files.sha256_bytes(data)
            if digest in first_with:
                raise SampleError(row["id"], f"same content as {first_with[digest]}")
            pose = poses.parse_pose(data, sample=row["id"])
            poses.normalise(poses.landmarks(pose), sample=row["id"])
        except SampleError as error:
            dropped.append({"id": row["id"], "path": row["path"], "reason": error.reason})
            continue
        first_with[digest] = row["id"]
        frames, fps = int(pose.body.data.shape[0]), float(pose.body.fps)
        kept.append({**row, "sha256": digest, "frames": frames, "fps": fps})
    return (
        pd.DataFrame(kept, columns=list(COLUMNS)),
        pd.DataFrame(dropped, columns=list(DROPPED_COLUMNS)),
    )


def read(folder: Path | str) -> pd.DataFrame:
    """Read and check a corpus folder's manifest.

    Raises:
        ManifestError: it does not exist, is no Parquet file, or breaks the schema.
    """
    path = Path(folder) / MANIFEST_FILE
    if not path.is_file():
        raise ManifestError(path, "no manifest here; build it with `signclip corpora build`")
    try:
        manifest = pd.read_parquet(path)
    except Exception as error:  # pyarrow's errors share no base with its missing-file errors
        raise ManifestError(path, f"not a Parquet file ({error})") from None
    check_rows(manifest, source=str(path), columns=COLUMNS)
    return manifest


def read_dropped(folder: Path | str) -> pd.DataFrame:
    """The dropped clips of a corpus folder: id, path, reason."""
    return pd.read_csv(Path(folder) / DROPPED_FILE, keep_default_na=False, dtype=str)
