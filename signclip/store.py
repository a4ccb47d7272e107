"""The packed feature store: every clip's features in one file, read by memory map.

A folder ``features/<corpus>/<variant>/`` with

* ``features.bin``: float32 (or float16) values of all clips, one after the other, (frames, dims);
* ``valid.bin``: one bit a point and frame, each frame padded to whole bytes (numpy ``packbits``);
* ``index.parquet``: id, offset (frames before the clip), frames, fps, sha256 of the source file;
* ``dropped.csv``: id, path, reason of clips that the variant cannot be made of;
* ``meta.json``: variant, sizes, fingerprint of the manifest, versions, sha256 of the files above.

Decision: many small files are slow to hash, copy and open, so there are five whatever the number of
clips. Cost: 4 bytes a value and an eighth of a byte a point; opening reads the index only.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

from signclip import files, poses
from signclip.errors import ConfigError, PoseError, SampleError, StoreError
from signclip.poses import Features
from signclip.progress import bar

FORMAT = 1
DTYPES = ("float32", "float16")
FEATURES, VALID, INDEX, DROPPED, META = (
    "features.bin",
    "valid.bin",
    "index.parquet",
    "dropped.csv",
    "meta.json",
)


def corpus_fingerprint(manifest: pd.DataFrame) -> str:
    """Changes when any clip's id, content, text or language does."""
    columns = ["id", "sha256", "text", "sign_language", "spoken_language", "signer", "split"]
    return files.fingerprint(manifest.sort_values("id")[columns].to_dict("list"))


def write(
    manifest: pd.DataFrame,
    root: Path,
    variant: str,
    folder: Path,
    *,
    dtype: str = "float32",
    progress: bool = True,
) -> None:
    """Preprocess every clip of a manifest into a store.

    Args:
        manifest: a checked manifest; ``path`` is relative to ``root``.
        folder: becomes the store, whole or not at all.
        dtype: float32, or float16 for large corpora.

    Raises:
        ConfigError: no such variant or dtype.
        StoreError: a file changed since the manifest was made, the files are not of one layout, or
            no clip is left.
        BusyError: another process writes this store.
    """
    if variant not in poses.VARIANTS:
        raise ConfigError(f"unknown variant {variant!r}; there are {', '.join(poses.VARIANTS)}")
    if dtype not in DTYPES:
        raise ConfigError(f"unknown dtype {dtype!r}; there are {', '.join(DTYPES)}")
    with files.writing(folder), files.atomic_folder(folder) as partial:
        index, dropped, dims, offset = [], [], None, 0
        with open(partial / FEATURES, "wb") as values, open(partial / VALID, "wb") as bits:
            rows = manifest.to_dict("records")
            for row in bar(rows, desc=f"packing {variant}", unit="clip", disable=not progress):
                try:
                    clip = _clip_features(row, root, variant)
                    packed = _cast(clip.values, dtype, sample=row["id"])
                except SampleError as error:
                    dropped.append({"id": row["id"], "path": row["path"], "reason": error.reason})
                    continue
                dims = clip.values.shape[1] if dims is None else dims
                if clip.values.shape[1] != dims:
                    raise StoreError(
                        f"{row['id']}: {clip.values.shape[1]} dims where the others have {dims}; "
                        f"variant {variant} needs files of one layout"
                    )
                values.write(packed.tobytes())
                bits.write(np.packbits(clip.valid, axis=1).tobytes())
                index.append((row["id"], offset, len(clip.values), row["fps"], row["sha256"]))
                offset += len(clip.values)
        if dims is None:
            raise StoreError(
                f"{folder}: no clip of the manifest can be used ({len(dropped)} dropped)"
            )
        columns = ["id", "offset", "frames", "fps", "sha256"]
        pd.DataFrame(index, columns=columns).to_parquet(partial / INDEX, index=False)
        pd.DataFrame(dropped, columns=["id", "path", "reason"]).to_csv(
            partial / DROPPED, index=False
        )
        meta = {
            "format": FORMAT,
            "variant": variant,
            "dims": dims,
            "points": dims // 3,
            "dtype": dtype,
            "clips": len(index),
            "frames": offset,
            "corpus_fingerprint": corpus_fingerprint(manifest),
            "versions": {name: version(name) for name in ("numpy", "pose-format")},
            "sha256": {
                name: files.sha256_file(partial / name)
                for name in (FEATURES, VALID, INDEX, DROPPED)
            },
        }
        (partial / META).write_text(files.canonical_json(meta), encoding="utf-8")


def _clip_features(row: dict, root: Path, variant: str) -> Features:
    path = root / row["path"]
    if path.is_file() and files.sha256_file(path) != row["sha256"]:
        raise StoreError(
            f"{row['id']}: {path} changed since the manifest was made; build the corpus again"
        )
    return poses.features(poses.read_pose(path), variant, sample=row["id"])


def _cast(values: np.ndarray, dtype: str, *, sample: str) -> np.ndarray:
    with np.errstate(over="ignore"):
        packed = values.astype(dtype)
    if not np.isfinite(packed).all():  # float16 ends at 65504: nearly coinciding shoulders do that
        raise PoseError(sample, f"a value of {np.abs(values).max():.3g} does not fit {dtype}")
    return packed


class FeatureStore:
    """A store opened for reading. Values are views of the memory map: copy before you change them.

    Raises:
        StoreError: it is missing, half written, or its files have not the sizes that it states.
    """

    def __init__(self, folder: Path | str):
        self.folder = Path(folder)
        try:
            self.meta = json.loads((self.folder / META).read_text(encoding="utf-8"))
        except OSError:
            raise StoreError(
                f"{self.folder}: no feature store here; make it with `signclip pack`"
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
            if not path.is_file() or path.stat().st_size != size:
                raise StoreError(f"{path}: missing or cut short ({size} bytes expected)")
        try:
            self.index = pd.read_parquet(self.folder / INDEX)
        except Exception as error:  # pyarrow's errors share no base with its missing-file errors
            raise StoreError(f"{self.folder / INDEX}: missing or damaged ({error})") from None
        self._values = np.memmap(self.folder / FEATURES, dtype, "r", shape=(frames, self.dims))
        self._valid = np.memmap(self.folder / VALID, np.uint8, "r", shape=(frames, row_bytes))
        self._row = {clip: i for i, clip in enumerate(self.index["id"])}
        self._offset = self.index["offset"].to_numpy()
        self._frames = self.index["frames"].to_numpy()
        self._fps = self.index["fps"].to_numpy()

    @classmethod
    def of(cls, manifest: pd.DataFrame, folder: Path | str) -> FeatureStore:
        """Open the store that was packed from just this manifest.

        Raises:
            StoreError: it was packed from another one (or see the class).
        """
        store = cls(folder)
        if store.meta["corpus_fingerprint"] != corpus_fingerprint(manifest):
            raise StoreError(f"{store.folder}: packed from another manifest; pack it again")
        return store

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
        """A clip's features alone: float32 (frames, dims).

        Raises:
            StoreError: the store has no such clip.
        """
        return np.asarray(self._values[self._span(clip)], dtype=np.float32)

    def fps(self, clip: str) -> float:
        """Frames a second of a clip's file.

        Raises:
            StoreError: the store has no such clip.
        """
        return float(self._fps[self._row_of(clip)])

    def __getitem__(self, clip: str) -> Features:
        """A clip's features by id: values (frames, dims), validity (frames, points).

        Raises:
            StoreError: the store has no such clip.
        """
        bits = self._valid[self._span(clip)]
        valid = np.unpackbits(bits, axis=1, count=self.points).view(bool)
        return Features(self.values(clip), valid)

    def verify(self) -> None:
        """Hash every file again.

        Raises:
            StoreError: naming the first file that is missing or differs from what ``meta.json``
                states.
        """
        changed = files.first_changed(self.folder, self.meta["sha256"])
        if changed is not None:
            raise StoreError(f"{changed}: content differs from its recorded sha256")
