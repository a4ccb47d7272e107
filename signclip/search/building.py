"""Building an index: read every clip, embed it, write the folder as a whole.

Decisions
* Clips are read, checked and turned into features by processes; one process embeds them. The index
  does not depend on their number.
* A clip over the model's limit of frames is cut to its first frames, as in training.
* A clip that cannot be used is a row of ``dropped.csv`` and costs nothing else.
* The folder appears when everything is written; an interrupted build leaves the earlier index.

Cost: 2 ms to read a clip, and what the model takes; 55 ms a frame for a video without a pose.
Embeddings go to the file as they come, so memory holds the table of signs and the features of some
hundred clips.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from signclip import poses
from signclip.core import files
from signclip.core.errors import ConfigError, PoseError, SampleError, SignIndexError
from signclip.core.parallel import chunks, ordered
from signclip.core.progress import bar
from signclip.poses import reader
from signclip.search.index import (
    COLUMNS,
    DROPPED,
    EMBEDDINGS,
    FORMAT,
    META,
    SIGNS,
    Index,
    fingerprint,
    scale,
)
from signclip.search.sources import Clip, Dropped, Sources, read_clip

if TYPE_CHECKING:
    from signclip.inference import SignCLIPModel

READ = 16  # clips a process reads at a time: videos take seconds each
EMBED = 256  # clips embedded at a time, in batches of similar length


class _Read(NamedTuple):
    """A clip that was read."""

    sha256: str
    frames: int  # of the file
    fps: float
    values: np.ndarray  # float32 (at most the model's limit of frames, dims)
    cut: bool  # had it more frames than that?


@dataclass(frozen=True)
class Built:
    """An index that was built."""

    index: Index
    dropped: int  # clips
    cut: int  # clips over the model's limit of frames


def build(
    sources: Sources,
    model: SignCLIPModel,
    out: Path | str,
    *,
    model_path: Path | str = "",
    workers: int = 1,
    batch_size: int = 64,
    progress: bool = True,
) -> Built:
    """Embed clips into a new index, or one that replaces an earlier one.

    Args:
        sources: see :func:`signclip.search.find_clips`.
        model_path: recorded, so that a search finds the model.
        workers: processes that read clips.
        batch_size: clips computed at a time; no embedding depends on it.

    Raises:
        ConfigError: there is no clip, the model's variant is not known, or ``out`` cannot be
            written or holds something else.
        SignIndexError: no clip can be used; the first reason is given.
        BusyError: another process is writing ``out``.
    """
    out = Path(out)
    if not sources.clips and not sources.dropped:
        raise ConfigError("no clip to index")
    present = {path.name for path in out.iterdir()} if out.is_dir() else set()
    if others := sorted(present - {EMBEDDINGS, SIGNS, DROPPED, META}):
        raise ConfigError(f"{out} holds {others[0]}, which is no part of an index; give another")
    with files.writing(out), files.atomic_folder(out) as folder:
        title = "indexing" if progress else ""
        rows = _write(sources, model, folder, workers, batch_size, title)
        _write_meta(rows, sources, model, folder, str(model_path))
    return Built(Index.open(out), len(rows.dropped), rows.cut)


def _write(
    sources: Sources, model: SignCLIPModel, folder: Path, workers: int, batch_size: int, title: str
) -> _Rows:
    """Write embeddings, signs and dropped clips; ``title`` is the bar's, empty: no bar."""
    if model.variant is None:
        raise ConfigError("not known which features the model reads: load it with variant=...")
    read = partial(_read_clips, variant=model.variant, limit=model.model.config.max_frames)
    parts: list[Sequence[Clip]] = list(chunks(sources.clips, READ))
    waiting: list[tuple[Clip, _Read | str]] = []
    with (
        open(folder / EMBEDDINGS, "wb") as file,
        bar(total=len(sources.clips), desc=title, unit="clip", disable=not title) as shown,
    ):
        _write_header(file, 0, model.dims)
        rows = _Rows(model, batch_size, file, list(sources.dropped))
        for part, found in zip(parts, ordered(read, parts, workers=workers), strict=True):
            waiting += zip(part, found, strict=True)
            if len(waiting) >= EMBED:
                rows.add(waiting)
                waiting = []
            shown.update(len(part))
        rows.add(waiting)
        file.seek(0)
        _write_header(file, len(rows.columns["id"]), model.dims)
    if not rows.columns["id"]:
        first = f"; {rows.dropped[0].id}: {rows.dropped[0].reason}"
        raise SignIndexError(f"no clip can be used ({len(rows.dropped)} dropped{first})")
    pq.write_table(pa.table(rows.columns), folder / SIGNS)
    _write_dropped(folder / DROPPED, rows.dropped)
    return rows


def _write_meta(
    rows: _Rows, sources: Sources, model: SignCLIPModel, folder: Path, model_path: str
) -> None:
    content = {name: rows.columns[name] for name in ("id", "text", "sign_language", "sha256")}
    meta = {
        "kind": "signs",
        "format": FORMAT,
        "signs": len(rows.columns["id"]),
        "dims": model.dims,
        "dropped": len(rows.dropped),
        "model": {"fingerprint": fingerprint(model), "path": files.as_text(model_path)},
        "variant": model.variant,
        "scale": scale(model),
        "corpus_fingerprint": files.fingerprint_columns(content),
        "corpora": sources.corpora,
        "versions": {name: version(name) for name in ("numpy", "pose-format", "torch")},
        "sha256": {name: files.sha256_file(folder / name) for name in (EMBEDDINGS, SIGNS, DROPPED)},
    }
    (folder / META).write_text(files.sealed_json(meta), encoding="utf-8")


class _Rows:
    """The rows of an index in the making; embeddings are in the file, the others here.

    Attributes:
        columns: of ``signs.parquet``.
        dropped: clips that could not be used.
        cut: number of clips over the model's limit of frames.
    """

    def __init__(
        self, model: SignCLIPModel, batch_size: int, file: BinaryIO, dropped: list[Dropped]
    ):
        self._model, self._batch_size, self._file = model, batch_size, file
        self.columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}
        self.dropped, self.cut = dropped, 0

    def add(self, read: Sequence[tuple[Clip, _Read | str]]) -> None:
        """Embed clips that were read, and list those that could not be."""
        good = [(clip, found) for clip, found in read if isinstance(found, _Read)]
        embedded = self._model.embed_clips(
            [found.values for _, found in good],
            ids=[clip.id for clip, _ in good],
            batch_size=self._batch_size,
            keep_going=True,
        )
        reasons = {good[i][0].path: error.reason for i, error in embedded.errors.items()}
        reasons |= {clip.path: found for clip, found in read if isinstance(found, str)}
        for i, embedding in zip(embedded.kept.tolist(), embedded.embeddings, strict=True):
            clip, found = good[i]
            if np.isfinite(embedding).all():
                self._add(clip, found, embedding)
            else:
                reasons[clip.path] = "its embedding is not finite"
        self.dropped += [
            Dropped(clip.id, files.as_text(clip.path), reasons[clip.path])
            for clip, _ in read
            if clip.path in reasons
        ]

    def _add(self, clip: Clip, found: _Read, embedding: np.ndarray) -> None:
        self._file.write(embedding.tobytes())
        self.cut += found.cut
        wide = embedding.astype(np.float64)
        row = {
            "id": clip.id,
            "text": clip.text,
            "sign_language": clip.sign_language,
            "path": files.as_text(clip.path),
            "frames": found.frames,
            "fps": found.fps,
            "sha256": found.sha256,
            "norm": float(np.sqrt((wide * wide).sum())),
        }
        for name, value in row.items():
            self.columns[name].append(value)


def _read_clips(clips: Sequence[Clip], variant: str, limit: int) -> list[_Read | str]:
    """Each clip's features, or the reason why it cannot be used."""
    found: list[_Read | str] = []
    for clip in clips:
        try:
            found.append(_read_clip(clip, variant, limit))
        except SampleError as error:
            found.append(error.reason)
    return found


def _read_clip(clip: Clip, variant: str, limit: int) -> _Read:
    if reader.is_video(clip.path):
        pose, sha256 = read_clip(clip.path), files.sha256_file(clip.path)
    else:
        data = reader.read_bytes(clip.path)
        pose, sha256 = reader.parse(data, clip.path, sample=clip.id), files.sha256_bytes(data)
    if clip.sha256 and clip.sha256 != sha256:
        raise PoseError(clip.id, "its content changed since the corpus was built; build it again")
    values = poses.features(pose, variant, sample=clip.id).values
    frames = int(pose.body.data.shape[0])
    # a copy, because a view would keep the whole clip in memory
    first, cut = values[:limit].copy(), len(values) > limit
    return _Read(sha256, frames, float(pose.body.fps), first, cut)


def _write_header(file: BinaryIO, signs: int, dims: int) -> None:
    """The header of ``embeddings.npy``; numpy reserves room, so it can be written again later."""
    about = {"descr": "<f4", "fortran_order": False, "shape": (signs, dims)}
    np.lib.format.write_array_header_1_0(file, about)


def _write_dropped(path: Path, rows: Iterable[Dropped]) -> None:
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Dropped._fields)
        writer.writerows(rows)
