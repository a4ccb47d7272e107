"""The feature store: the features of all clips of a corpus in one file, read by memory map.

A store is a folder ``features/<corpus>/<variant>/`` with

* ``features.bin``: float32 (or float16) values of all clips, one after the other, (frames, dims);
* ``valid.bin``: one bit a point and frame, each frame padded to whole bytes (numpy ``packbits``);
* ``index.parquet``: id, offset (frames before the clip), frames, fps, sha256 of the source file;
* ``dropped.csv``: id, path, reason of clips that the variant cannot be computed for;
* ``meta.json``: variant, sizes, fingerprint of the manifest, versions, sha256 of the files above.

Decisions
* Many small files are slow to hash, copy and open, so there are five, however many clips.
* A store is the same, byte for byte, however many processes pack it
  (:mod:`signclip.features.packing`).
* Pages of the memory map are released from time to time, so that reading clips at random needs
  constant memory (the operating system still caches the file).

Cost: 4 bytes a value and an eighth of a byte a point. Opening reads the index only: half a second
for 450,000 clips (``python -m benchmarks.speed.store_scale``).
"""

from __future__ import annotations

import math
import mmap
import shlex
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from functools import partial
from importlib.metadata import version
from itertools import zip_longest
from pathlib import Path

import numpy as np
import pandas as pd

from signclip.core import files, parquet
from signclip.core.errors import ConfigError, StoreError
from signclip.core.progress import bar
from signclip.features.packing import (
    FEATURES,
    VALID,
    Arrays,
    Packed,
    caching_reader,
    check_dims,
    open_arrays,
    pack_features,
    pack_manifest,
    read_clip,
)
from signclip.poses import Features
from signclip.poses.variants import find_variant

FORMAT = 1
DTYPES = ("float32", "float16")
INDEX, DROPPED, META = "index.parquet", "dropped.csv", "meta.json"
# Bytes of the memory map that may stay in memory after random reads, and bytes that the operating
# system maps around each read.
MAX_RESIDENT, READ_AROUND = 64 << 20, 128 << 10


def corpus_fingerprint(manifest: pd.DataFrame) -> str:
    """A digest that changes with any clip's id, content, text, language, signer or split."""
    columns = ["id", "sha256", "text", "sign_language", "spoken_language", "signer", "split"]
    clips = manifest.sort_values("id")
    return files.fingerprint_columns({name: clips[name].to_list() for name in columns})


def write(
    manifest: pd.DataFrame,
    root: Path,
    variant: str,
    folder: Path,
    *,
    dtype: str = "float32",
    workers: int = 1,
    progress: bool = True,
) -> None:
    """Preprocess every clip of a manifest into a store.

    Args:
        manifest: a checked manifest; ``path`` is relative to ``root``.
        folder: of the store; it is written completely or not at all.
        dtype: float32, or float16 for large corpora.
        workers: processes; the store's bytes do not depend on them.

    Raises:
        ConfigError: no such variant or dtype.
        StoreError: a file changed since the manifest was made, the files are not of one layout, or
            no clip is left.
        BusyError: another process is writing this store.
    """
    write_variants(
        manifest, root, {variant: folder}, dtype=dtype, workers=workers, progress=progress
    )


def write_variants(
    manifest: pd.DataFrame,
    root: Path,
    folders: Mapping[str, Path],
    *,
    dtype: str = "float32",
    workers: int = 1,
    progress: bool = True,
) -> None:
    """:func:`write` several variants; one worker reads each clip once for all of them.

    Args:
        folders: variant -> folder. After an error, unfinished stores are left as they were.
    """
    for variant in folders:
        find_variant(variant)
    read = caching_reader() if len(folders) > 1 else read_clip
    pack = partial(pack_manifest, manifest, root, workers=workers, read=read)
    steps = {
        variant: _write(manifest, variant, folder, dtype, partial(pack, variant, dtype))
        for variant, folder in folders.items()
    }
    if workers > 1:
        for variant, writer in steps.items():
            _finish([writer], len(manifest), variant, progress=progress)
    else:
        title = next(iter(folders)) if len(folders) == 1 else f"{len(folders)} variants"
        _finish(list(steps.values()), len(manifest), title, progress=progress)


def _finish(
    steps: Sequence[Generator[int, None, None]], clips: int, desc: str, *, progress: bool
) -> None:
    """Run several :func:`_write` in turn, step by step, under one bar over all their clips."""
    with ExitStack() as stack:
        shown = stack.enter_context(
            bar(
                total=clips * len(steps),
                desc=f"packing {desc}",
                unit="clip",
                disable=not progress,
            )
        )
        # closed in any case: no process may continue to write into a folder that is discarded
        writers = [stack.enter_context(closing(writer)) for writer in steps]
        for done in zip_longest(*writers, fillvalue=0):
            shown.update(sum(done))


def write_features(
    manifest: pd.DataFrame,
    features: Iterable[Features],
    variant: str,
    folder: Path,
    *,
    dtype: str = "float32",
    progress: bool = True,
) -> None:
    """:func:`write` for features that are computed already, one for each row of the manifest."""
    pack = partial(pack_features, manifest, features, variant, dtype)
    steps = _write(manifest, variant, folder, dtype, pack)
    _finish([steps], len(manifest), variant, progress=progress)


def _write(
    manifest: pd.DataFrame,
    variant: str,
    folder: Path,
    dtype: str,
    pack: Callable[[Arrays], Generator[Packed, None, None]],
) -> Generator[int, None, None]:
    """Write a store; ``pack`` writes its array files, chunk by chunk.

    Yields the number of clips of each chunk.
    """
    if dtype not in DTYPES:
        raise ConfigError(f"unknown dtype {dtype!r}; there are {', '.join(DTYPES)}")
    index: list[tuple[str, int, float, str]] = []
    dropped: list[dict[str, str]] = []
    dims = None
    with files.writing(folder), files.atomic_folder(folder) as target:
        with ExitStack() as stack:
            arrays = stack.enter_context(open_arrays(target))
            for chunk in stack.enter_context(closing(pack(arrays))):
                if chunk.dims is not None:
                    dims = check_dims(dims, chunk.dims, chunk.clips[0][0], variant)
                index += chunk.clips
                dropped += chunk.dropped
                yield len(chunk.clips) + len(chunk.dropped)
        if dims is None:
            raise StoreError(
                f"{folder}: no clip of the manifest can be used ({len(dropped)} dropped)"
            )
        table = pd.DataFrame(index, columns=["id", "frames", "fps", "sha256"])
        table.insert(1, "offset", table["frames"].cumsum() - table["frames"])
        table.to_parquet(target / INDEX, index=False)
        pd.DataFrame(dropped, columns=["id", "path", "reason"]).to_csv(
            target / DROPPED, index=False
        )
        meta = {
            "format": FORMAT,
            "variant": variant,
            "dims": dims,
            "points": dims // 3,
            "dtype": dtype,
            "clips": len(table),
            "frames": int(table["frames"].sum()),
            "corpus_fingerprint": corpus_fingerprint(manifest),
            "versions": {name: version(name) for name in ("numpy", "pose-format")},
            "sha256": {
                name: files.sha256_file(target / name) for name in (FEATURES, VALID, INDEX, DROPPED)
            },
        }
        (target / META).write_text(files.sealed_json(meta), encoding="utf-8")


def _map(path: Path, dtype: np.dtype, shape: tuple[int, int]) -> tuple[np.ndarray, mmap.mmap]:
    """Map a file into memory: the read-only array, and the map."""
    with open(path, "rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return np.frombuffer(mapped, dtype).reshape(shape), mapped


class FeatureStore:
    """A store opened for reading. Values are views of the memory map; copy before changing them.

    Raises:
        StoreError: the store is missing or incomplete, or its files do not have the recorded sizes.
    """

    def __init__(self, folder: Path | str):
        self.folder = Path(folder)
        try:
            self.meta = files.read_json(self.folder / META)
        except OSError:
            *_, corpus, variant = ("", "", *map(shlex.quote, self.folder.absolute().parts))
            raise StoreError(
                f"{self.folder}: no feature store here; make it with "
                f"`signclip pack {corpus} --variant {variant}`"
            ) from None
        except ValueError as error:  # not JSON, or not even UTF-8
            raise StoreError(f"{self.folder / META}: damaged ({error})") from None
        try:
            kind = self.meta["format"]
            if kind != FORMAT:
                raise StoreError(f"{self.folder}: store format {kind} is not {FORMAT}")
            self.dims, self.points = self.meta["dims"], self.meta["points"]
            frames, dtype = self.meta["frames"], np.dtype(self.meta["dtype"])
        except (KeyError, TypeError) as error:
            raise StoreError(f"{self.folder / META}: damaged ({error!r})") from None
        row_bytes = -(-self.points // 8)
        for name, size in (
            (FEATURES, frames * self.dims * dtype.itemsize),
            (VALID, frames * row_bytes),
        ):
            path = self.folder / name
            if size <= 0 or not path.is_file() or path.stat().st_size != size:
                raise StoreError(f"{path}: missing or cut short ({size} bytes expected)")
        try:
            self.index = parquet.read(self.folder / INDEX)
        except Exception as error:  # Arrow's errors and its missing-file errors have no common base
            raise StoreError(f"{self.folder / INDEX}: missing or damaged ({error})") from None
        self._values, self._map = _map(self.folder / FEATURES, dtype, (frames, self.dims))
        self._valid, _ = _map(self.folder / VALID, np.dtype(np.uint8), (frames, row_bytes))
        self._touched = 0  # bytes of the map that may be in memory since it was last released
        self._row = {clip: i for i, clip in enumerate(self.index["id"])}
        self._offset = self.index["offset"].to_numpy()
        self._frames = self.index["frames"].to_numpy()
        self._fps = self.index["fps"].to_numpy()

    @classmethod
    def of(cls, manifest: pd.DataFrame, folder: Path | str) -> FeatureStore:
        """Open the store that was packed from exactly this manifest.

        Raises:
            StoreError: it was packed from another one; or see the class.
        """
        store = cls(folder)
        if store.meta["corpus_fingerprint"] != corpus_fingerprint(manifest):
            raise StoreError(f"{store.folder}: packed from another manifest; pack it again")
        return store

    def __reduce__(self) -> tuple:
        """Pickled by its folder: another process maps the files anew."""
        return FeatureStore, (self.folder,)

    def __len__(self) -> int:
        return len(self._row)

    def __contains__(self, clip: str) -> bool:
        return clip in self._row

    def __iter__(self) -> Iterator[str]:
        return iter(self._row)

    def _row_of(self, clip: str) -> int:
        if clip not in self._row:
            raise StoreError(f"{clip}: not in the store {self.folder}")
        return self._row[clip]

    def _span(self, clip: str) -> slice:
        row = self._row_of(clip)
        return slice(self._offset[row], self._offset[row] + self._frames[row])

    def values(self, clip: str) -> np.ndarray:
        """A clip's features without their validity: float32 (frames, dims).

        Raises:
            StoreError: the store has no such clip, or its features are not finite.
        """
        values = self._values[self._span(clip)]
        self._touched += values.nbytes + READ_AROUND
        if self._touched > MAX_RESIDENT:  # arrays already handed out read their pages again if used
            self._map.madvise(mmap.MADV_DONTNEED)
            self._touched = values.nbytes
        values = np.asarray(values, dtype=np.float32)
        # minimum and maximum propagate NaN; these two passes are faster than isfinite or a sum
        extremes = (f.reduce(values, axis=None, initial=0) for f in (np.minimum, np.maximum))
        if not all(map(math.isfinite, extremes)):
            raise StoreError(f"{clip}: features in {self.folder} are not finite; pack it again")
        return values

    def fps(self, clip: str) -> float:
        """Frames a second of a clip's file.

        Raises:
            StoreError: the store has no such clip.
        """
        return float(self._fps[self._row_of(clip)])

    def __getitem__(self, clip: str) -> Features:
        """A clip's features: values (frames, dims), validity (frames, points).

        Raises:
            StoreError: the store has no such clip, or its features are not finite.
        """
        bits = self._valid[self._span(clip)]
        valid = np.unpackbits(bits, axis=1, count=self.points).view(bool)
        return Features(self.values(clip), valid)

    def verify(self) -> None:
        """Hash every file and compare with ``meta.json``.

        Raises:
            StoreError: a file is missing or differs; the message names the first.
        """
        for path in files.changed(self.folder, self.meta["sha256"]):
            raise StoreError(f"{path}: content differs from its recorded sha256")
