"""Packing clips: from rows of a manifest to the two array files of a feature store.

Decisions
* Several processes pack pieces of the manifest into shards, which are joined in the manifest's
  order and removed as they come: the files are the same, byte for byte, however many there were.
* A row goes through one function, whatever form its file has: the content is hashed, parsed by its
  suffix (:mod:`signclip.poses.reader`) and made into features (:mod:`signclip.poses`).
* Several variants of the same clips, made in step with each other, read each clip once: half of the
  cost of a variant is its clips' reading.

Cost: 1 to 5 ms a clip and core; a shard is written twice.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import pandas as pd

from signclip import poses
from signclip.core import files
from signclip.core.errors import PoseError, SampleError, StoreError
from signclip.core.parallel import CHUNK, ordered
from signclip.poses import CheckedPose, Features, reader

FEATURES, VALID = "features.bin", "valid.bin"
Arrays = tuple[IO, IO]  # the files of values and of validity bits, open for writing
Read = Callable[[Path, str, str], CheckedPose]  # see read_clip


class Piece(NamedTuple):
    """What was written of some clips, in order."""

    index: list[tuple[str, int, float, str]]  # id, frames, frames a second, sha256 of the source
    dropped: list[dict[str, str]]  # id, path, reason
    dims: int | None  # None: no clip was written


@contextmanager
def open_arrays(folder: Path) -> Iterator[Arrays]:
    """The two array files of a folder, open for writing."""
    with open(folder / FEATURES, "wb") as values, open(folder / VALID, "wb") as bits:
        yield values, bits


def same_dims(known: int | None, dims: int, clip: str, variant: str) -> int:
    if known is not None and dims != known:
        raise StoreError(
            f"{clip}: {dims} dims where the others have {known}; "
            f"variant {variant} needs files of one layout"
        )
    return dims


def _pack(
    clips_: Iterable[tuple[Mapping[str, Any], Features | str]],
    variant: str,
    dtype: str,
    arrays: Arrays,
) -> Piece:
    """Write clips behind one another; instead of features a clip may have the reason it has none.

    Raises:
        StoreError: the clips are not all of one layout.
    """
    values, bits = arrays
    index, dropped, dims = [], [], None
    for row, clip in clips_:
        try:
            if isinstance(clip, str):
                raise SampleError(row["id"], clip)
            packed = _cast(clip.values, dtype, sample=row["id"])
        except SampleError as error:
            dropped.append({"id": row["id"], "path": row["path"], "reason": error.reason})
            continue
        dims = same_dims(dims, clip.values.shape[1], row["id"], variant)
        values.write(packed.tobytes())
        bits.write(np.packbits(clip.valid, axis=1).tobytes())
        index.append((row["id"], len(clip.values), row["fps"], row["sha256"]))
    return Piece(index, dropped, dims)


def _made(
    rows: Sequence[Mapping[str, Any]], root: Path, variant: str, read: Read
) -> Iterator[tuple[Mapping[str, Any], Features | str]]:
    """Each row with its features, or with the reason why the variant cannot be made of it."""
    for row in rows:
        try:
            pose = read(root / row["path"], row["sha256"], row["id"])
            yield row, poses.features(pose, variant, sample=row["id"])
        except SampleError as error:
            yield row, error.reason


def _pack_shard(
    numbered: tuple[int, Sequence[Mapping[str, Any]]],
    root: Path,
    variant: str,
    dtype: str,
    folder: Path,
) -> Piece:
    """:func:`_pack` into a folder of its own (in another process)."""
    number, rows = numbered
    shard = _shard(folder, number)
    shard.mkdir()
    with open_arrays(shard) as arrays:
        return _pack(_made(rows, root, variant, read_clip), variant, dtype, arrays)


def _shard(folder: Path, number: int) -> Path:
    return folder / f"shard-{number}"


def _join(shard: Path, arrays: Arrays) -> None:
    """Append a shard's arrays to the store's and remove it."""
    for name, target in zip((FEATURES, VALID), arrays, strict=True):
        with open(shard / name, "rb") as source:
            shutil.copyfileobj(source, target, 1 << 20)
    shutil.rmtree(shard)


def _rows(manifest: pd.DataFrame) -> Iterator[list[dict[str, Any]]]:
    """Pieces of a manifest as mappings, of the columns that packing needs."""
    needed = manifest[["id", "path", "fps", "sha256"]]
    for start in range(0, len(needed), CHUNK):
        yield needed.iloc[start : start + CHUNK].to_dict("records")


def pack_manifest(
    manifest: pd.DataFrame,
    root: Path,
    variant: str,
    dtype: str,
    *,
    folder: Path,
    arrays: Arrays,
    workers: int,
    read: Read,
) -> Generator[Piece, None, None]:
    """Pack a manifest's clips into ``arrays``, the open files of ``folder``, piece by piece.

    Args:
        read: :func:`read_clip`, or what remembers its clips; of no use to several workers.

    Raises:
        StoreError: a file changed since the manifest was made, or the files of a piece are not of
            one layout.
    """
    if workers <= 1:
        for rows in _rows(manifest):
            yield _pack(_made(rows, root, variant, read), variant, dtype, arrays)
        return
    pack = partial(_pack_shard, root=root, variant=variant, dtype=dtype, folder=folder)
    packed = ordered(pack, enumerate(_rows(manifest)), workers=workers)
    for number, piece in enumerate(packed):
        _join(_shard(folder, number), arrays)
        yield piece


def pack_features(
    manifest: pd.DataFrame, features: Iterable[Features], variant: str, dtype: str, arrays: Arrays
) -> Generator[Piece, None, None]:
    """Pack features that are made already, one a row of the manifest, in its order."""
    made = iter(features)
    for rows in _rows(manifest):
        yield _pack(((row, next(made)) for row in rows), variant, dtype, arrays)


def read_clip(path: Path, sha256: str, sample: str) -> CheckedPose:
    """A clip's pose, checked, whatever form its file has.

    Args:
        sha256: of the file, as the manifest has it.

    Raises:
        PoseError: the file cannot be read.
        StoreError: it is not the file that the manifest was made of.
    """
    data = reader.read_bytes(path)
    if files.sha256_bytes(data) != sha256:
        raise StoreError(
            f"{sample}: {path} changed since the manifest was made; build the corpus again"
        )
    return CheckedPose.of(reader.parse(data, path, sample=sample))


def remembering() -> Read:
    """:func:`read_clip` that remembers the clips of a piece: 0.3 MB a clip of 26 frames.

    What it remembers serves several variants, so nobody may write into it.
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
        packed = values.astype(dtype)
    if not np.isfinite(packed).all():  # float16 ends at 65504: nearly coinciding shoulders do that
        raise PoseError(sample, f"a value of {np.abs(values).max():.3g} does not fit {dtype}")
    return packed
