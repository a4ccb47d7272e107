"""Building an index: read every clip, embed it, write the folder as a whole.

Decisions
* Clips are read, checked and turned into features by processes; one process embeds them. The index
  does not depend on their number.
* A clip over the model's limit of frames is cut to its first frames, as in training.
* A clip that cannot be used is a row of ``dropped.csv`` and costs nothing else.
* The folder appears when everything is written; an interrupted build leaves the earlier index.

Cost: about 5 ms a clip and core (2 ms to read it, the rest to embed it with a small model); 55 ms
a frame for a video without a pose. Embeddings go to the file as they come, so memory holds the
table of signs only.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
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
from signclip.core.parallel import CHUNK, chunks, ordered
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


class _Read(NamedTuple):
    """A clip that was read; ``values`` are float32 (at most the model's limit of frames, dims)."""

    sha256: str
    frames: int
    fps: float
    values: np.ndarray


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
    with files.writing(out), files.atomic_folder(out) as partial_folder:
        cut, dropped = _write(
            sources, model, partial_folder, str(model_path), workers, batch_size, progress
        )
    return Built(Index.open(out), dropped, cut)


def _write(
    sources: Sources,
    model: SignCLIPModel,
    folder: Path,
    model_path: str,
    workers: int,
    batch_size: int,
    progress: bool,
) -> tuple[int, int]:
    """Write the files of an index; returns the numbers of clips cut and dropped."""
    if model.variant is None:
        raise ConfigError("not known which features the model reads: load it with variant=...")
    columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}
    dropped = list(sources.dropped)
    limit, cut = model.model.config.max_frames, 0
    read = partial(_read_clips, variant=model.variant, limit=limit)
    parts: list[Sequence[Clip]] = list(chunks(sources.clips, CHUNK))
    with (
        open(folder / EMBEDDINGS, "wb") as file,
        bar(total=len(sources.clips), desc="indexing", unit="clip", disable=not progress) as shown,
    ):
        _write_header(file, 0, model.dims)
        for part, found in zip(parts, ordered(read, parts, workers=workers), strict=True):
            for clip, result, embedding in _embedded(part, found, model, batch_size):
                if isinstance(result, str):
                    dropped.append(Dropped(clip.id, files.as_text(clip.path), result))
                    continue
                cut += result.frames > limit
                file.write(embedding.tobytes())
                _add(columns, clip, result, embedding)
            shown.update(len(part))
        signs = len(columns["id"])
        file.seek(0)
        _write_header(file, signs, model.dims)
    if not signs:
        first = f"; {dropped[0].id}: {dropped[0].reason}"
        raise SignIndexError(f"no clip can be used ({len(dropped)} dropped{first})")
    pq.write_table(pa.table(columns), folder / SIGNS)
    _write_dropped(folder / DROPPED, dropped)
    content = {name: columns[name] for name in ("id", "text", "sign_language", "sha256")}
    meta = {
        "kind": "signs",
        "format": FORMAT,
        "signs": signs,
        "dims": model.dims,
        "dropped": len(dropped),
        "model": {"fingerprint": fingerprint(model), "path": files.as_text(model_path)},
        "variant": model.variant,
        "scale": scale(model),
        "corpus_fingerprint": files.fingerprint_columns(content),
        "corpora": sources.corpora,
        "versions": {name: version(name) for name in ("numpy", "pose-format", "torch")},
        "sha256": {name: files.sha256_file(folder / name) for name in (EMBEDDINGS, SIGNS, DROPPED)},
    }
    (folder / META).write_text(files.canonical_json(files.sealed(meta)), encoding="utf-8")
    return cut, len(dropped)


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
    return _Read(sha256, frames, float(pose.body.fps), values[:limit].copy())


def _embedded(
    clips: Sequence[Clip], found: Sequence[_Read | str], model: SignCLIPModel, batch_size: int
) -> Iterator[tuple[Clip, _Read | str, np.ndarray]]:
    """Each clip with its embedding, or with the reason why there is none."""
    read = [(clip, result) for clip, result in zip(clips, found, strict=True)]
    good = [(clip, result) for clip, result in read if isinstance(result, _Read)]
    embedded = model.embed_clips(
        [result.values for _, result in good],
        ids=[clip.id for clip, _ in good],
        batch_size=batch_size,
        keep_going=True,
    )
    rows = dict(zip(embedded.kept.tolist(), embedded.embeddings, strict=True))
    position = 0
    for clip, result in read:
        if isinstance(result, str):
            yield clip, result, _NOTHING
            continue
        embedding = rows.get(position, _NOTHING)
        if position in embedded.errors:
            yield clip, embedded.errors[position].reason, _NOTHING
        elif not np.isfinite(embedding).all():
            yield clip, "its embedding is not finite", _NOTHING
        else:
            yield clip, result, embedding
        position += 1


_NOTHING = np.empty(0, dtype=np.float32)


def _add(columns: dict[str, list[Any]], clip: Clip, read: _Read, embedding: np.ndarray) -> None:
    wide = embedding.astype(np.float64)
    row = {
        "id": clip.id,
        "text": clip.text,
        "sign_language": clip.sign_language,
        "path": files.as_text(clip.path),
        "frames": read.frames,
        "fps": read.fps,
        "sha256": read.sha256,
        "norm": float(np.sqrt((wide * wide).sum())),
    }
    for name, value in row.items():
        columns[name].append(value)


def _write_header(file: BinaryIO, signs: int, dims: int) -> None:
    """The header of ``embeddings.npy``; numpy reserves room, so it can be written again later."""
    about = {"descr": "<f4", "fortran_order": False, "shape": (signs, dims)}
    np.lib.format.write_array_header_1_0(file, about)


def _write_dropped(path: Path, rows: Iterable[Dropped]) -> None:
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Dropped._fields)
        writer.writerows(rows)
