"""Packing clips: from the rows of a manifest to the two array files of a feature store.

Decisions
* With several workers, each packs chunks of the manifest into shards, which are appended in the
  manifest's order and removed as they arrive. The files are the same, byte for byte, whatever the
  number of workers.
* Every row takes the same path, whatever the format of its file: the content is hashed, read
  (:mod:`signclip.poses.reader`) and converted to features (:mod:`signclip.poses`).
* Several variants of the same clips are packed in step, so that each clip is read once: reading is
  half of a variant's cost.

Cost: 1 to 5 ms a clip and core; a shard is written twice.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import pandas as pd

from signclip import poses
from signclip.core import files
from signclip.core.errors import PoseError, SampleError, StoreError
from signclip.core.parallel import CHUNK, ordered
from signclip.poses import CheckedPose, Features, reader

FEATURES, VALID = "features.bin", "valid.bin"

Row = Mapping[Hashable, Any]  # of a manifest: id, path, fps, sha256
ReadClip = Callable[[Path, str, str], CheckedPose]  # see read_clip


class Arrays(NamedTuple):
    """The two array files of a folder, open for writing."""

    folder: Path
    values: BinaryIO
    valid: BinaryIO


class Packed(NamedTuple):
    """What was written of some clips, in order."""

    clips: list[tuple[str, int, float, str]]  # id, frames, frames a second, sha256 of the source
    dropped: list[dict[str, str]]  # id, path, reason
    dims: int | None  # None: no clip was written


@contextmanager
def open_arrays(folder: Path) -> Iterator[Arrays]:
    """Open the two array files of a folder for writing."""
    with open(folder / FEATURES, "wb") as values, open(folder / VALID, "wb") as valid:
        yield Arrays(folder, values, valid)


def check_dims(known: int | None, dims: int, clip: str, variant: str) -> int:
    """Refuse a clip whose number of dims differs from that of the clips before it.

    Raises:
        StoreError: it differs.
    """
    if known is not None and dims != known:
        raise StoreError(
            f"{clip}: {dims} dims where the others have {known}; "
            f"variant {variant} needs files of one layout"
        )
    return dims


def _pack(
    clips: Iterable[tuple[Row, Features | str]], variant: str, dtype: str, arrays: Arrays
) -> Packed:
    """Append clips to the array files; a clip has features, or the reason why it has none.

    Raises:
        StoreError: the clips are not all of one layout.
    """
    written, dropped, dims = [], [], None
    for row, clip in clips:
        try:
            if isinstance(clip, str):
                raise SampleError(row["id"], clip)
            values = _cast(clip.values, dtype, sample=row["id"])
        except SampleError as error:
            dropped.append({"id": row["id"], "path": row["path"], "reason": error.reason})
            continue
        dims = check_dims(dims, clip.values.shape[1], row["id"], variant)
        arrays.values.write(values.tobytes())
        arrays.valid.write(np.packbits(clip.valid, axis=1).tobytes())
        written.append((row["id"], len(clip.values), row["fps"], row["sha256"]))
    return Packed(written, dropped, dims)


def _compute(
    rows: Sequence[Row], root: Path, variant: str, read: ReadClip
) -> Iterator[tuple[Row, Features | str]]:
    """Each row with its features, or with the reason why the variant cannot be computed."""
    for row in rows:
        try:
            pose = read(root / row["path"], row["sha256"], row["id"])
            yield row, poses.features(pose, variant, sample=row["id"])
        except SampleError as error:
            yield row, error.reason


def _pack_shard(
    numbered: tuple[int, Sequence[Row]], root: Path, variant: str, dtype: str, folder: Path
) -> Packed:
    """:func:`_pack` into a folder of its own (in another process)."""
    number, rows = numbered
    shard = _shard(folder, number)
    shard.mkdir()
    with open_arrays(shard) as arrays:
        return _pack(_compute(rows, root, variant, read_clip), variant, dtype, arrays)


def _shard(folder: Path, number: int) -> Path:
    return folder / f"shard-{number}"


def _append(shard: Path, arrays: Arrays) -> None:
    """Append a shard's arrays to the store's and remove the shard."""
    for name, target in ((FEATURES, arrays.values), (VALID, arrays.valid)):
        with open(shard / name, "rb") as source:
            shutil.copyfileobj(source, target, 1 << 20)
    shutil.rmtree(shard)


def _chunks(manifest: pd.DataFrame) -> Iterator[Sequence[Row]]:
    """Chunks of a manifest as mappings, with the columns that packing needs."""
    needed = manifest[["id", "path", "fps", "sha256"]]
    for start in range(0, len(needed), CHUNK):
        yield needed.iloc[start : start + CHUNK].to_dict("records")


def pack_manifest(
    manifest: pd.DataFrame,
    root: Path,
    variant: str,
    dtype: str,
    arrays: Arrays,
    *,
    workers: int,
    read: ReadClip,
) -> Generator[Packed, None, None]:
    """Pack a manifest's clips into ``arrays``, chunk by chunk.

    Args:
        read: :func:`read_clip`, or :func:`caching_reader`'s; used by one worker only.

    Raises:
        StoreError: a file changed since the manifest was made, or the files of a chunk are not of
            one layout.
    """
    if workers <= 1:
        for rows in _chunks(manifest):
            yield _pack(_compute(rows, root, variant, read), variant, dtype, arrays)
        return
    pack = partial(_pack_shard, root=root, variant=variant, dtype=dtype, folder=arrays.folder)
    packed = ordered(pack, enumerate(_chunks(manifest)), workers=workers)
    for number, chunk in enumerate(packed):
        _append(_shard(arrays.folder, number), arrays)
        yield chunk


def pack_features(
    manifest: pd.DataFrame, features: Iterable[Features], variant: str, dtype: str, arrays: Arrays
) -> Generator[Packed, None, None]:
    """Pack features that are computed already, one for each row of the manifest, in its order."""
    computed = iter(features)
    for rows in _chunks(manifest):
        yield _pack(((row, next(computed)) for row in rows), variant, dtype, arrays)


def read_clip(path: Path, sha256: str, sample: str) -> CheckedPose:
    """Read a clip's pose, whatever the format of its file, and check it.

    Args:
        sha256: the file's digest in the manifest.

    Raises:
        PoseError: the file cannot be read.
        StoreError: the file is not the one that the manifest was made from.
    """
    data = reader.read_bytes(path)
    if files.sha256_bytes(data) != sha256:
        raise StoreError(
            f"{sample}: {path} changed since the manifest was made; build the corpus again"
        )
    return CheckedPose.of(reader.parse(data, path, sample=sample))


def caching_reader() -> ReadClip:
    """:func:`read_clip` with a cache of one chunk of clips: 0.3 MB a clip of 26 frames.

    Cached clips serve several variants, so their arrays are read-only.
    """

    @lru_cache(maxsize=CHUNK)
    def read(path: Path, sha256: str, sample: str) -> CheckedPose:
        clip = read_clip(path, sha256, sample)
        for array in (clip.landmarks.xyz, clip.landmarks.valid):
            array.setflags(write=False)
        return clip

    return read


def _cast(values: np.ndarray, dtype: str, *, sample: str) -> np.ndarray:
    with np.errstate(over="ignore"):
        cast = values.astype(dtype)
    if not np.isfinite(cast).all():  # float16 ends at 65504; nearly coinciding shoulders exceed it
        raise PoseError(sample, f"a value of {np.abs(values).max():.3g} does not fit {dtype}")
    return cast
