"""Embedding files into one file: what ``signclip embed`` does.

Decisions
* The suffix decides the format. ``.npz``: ``pose_ids``, ``pose_embeddings``, ``texts``,
  ``text_embeddings`` (float32). ``.parquet``: one row per embedding with ``kind`` (pose or text),
  ``id`` (path or prompt) and ``embedding``. Equal input gives equal bytes.
* An id is the path as given; bytes of it that are not UTF-8 are written as ``\\xff``.
* An unusable clip does not affect the others: it becomes a row of ``<out>.dropped.csv`` (id,
  reason). A list of an earlier call is removed, so the two files always belong together.

Cost: embeddings are held in memory until written (3 KB each at width 768).
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from signclip.core import files
from signclip.core.errors import ConfigError
from signclip.poses.reader import POSE_SUFFIXES, is_pose_file

if TYPE_CHECKING:  # torch: what is wrong with the arguments is said before it is imported
    from signclip.inference import LongPolicy, SignCLIPModel

SUFFIXES = (".npz", ".parquet")


class Written(NamedTuple):
    """What :func:`embed` did, in numbers."""

    poses: int
    texts: int
    dims: int  # of an embedding
    failed: int  # clips that cannot be used
    dropped: int  # rows of the list of dropped clips: failed ones, and long ones by policy
    long: int  # clips over the limit
    limit: int  # frames


def pose_files(paths: Iterable[Path], out: Path) -> list[Path]:
    """Files as given, folders as the pose files below them in the order of their names, each once.

    Args:
        out: the output; in a folder it is skipped, because it may be an earlier ``.parquet`` file.

    Raises:
        ConfigError: none of the paths exists (if some do, the others become rows of the list of
            dropped clips), or a folder has no pose file (see :mod:`signclip.poses.reader`).
    """
    paths = list(paths)
    if paths and not any(path.exists() for path in paths):
        raise ConfigError(f"{files.as_text(paths[0])}: no such file or folder")
    found: list[Path] = []
    for path in paths:
        inside = [path]
        if path.is_dir():
            inside = sorted(
                p
                for p in path.rglob("*")
                if is_pose_file(p) and p != out and not files.is_hidden(p.relative_to(path))
            )
        if not inside:
            known = ", ".join(POSE_SUFFIXES)
            raise ConfigError(f"{path}: no pose file in this folder ({known})")
        found += inside
    return list(dict.fromkeys(found))


def prompts(given: Sequence[str], path: Path | None) -> list[str]:
    """Given prompts, then those of a UTF-8 file, one per line; empty lines are skipped.

    Raises:
        ConfigError: the file cannot be read.
    """
    if path is None:
        return list(given)
    try:
        lines = path.read_text(encoding="utf-8-sig").split(
            "\n"
        )  # with or without a byte order mark
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error})") from None
    return [*given, *(line.strip() for line in lines if line.strip())]


def dropped_file(out: Path) -> Path:
    """The file that lists the clips missing from ``out``."""
    return out.with_name(f"{out.name}.dropped.csv")


def check_out(out: Path) -> None:
    """Refuse an impossible output before a model is loaded.

    Raises:
        ConfigError: the suffix is not one of :data:`SUFFIXES`, the name is that of a folder, or
            nothing can be written there.
        BusyError: another process is writing it.
    """
    if out.suffix not in SUFFIXES:
        raise ConfigError(f"{out}: must end in {' or '.join(SUFFIXES)}")
    for path in (out, dropped_file(out)):
        if path.is_dir():
            raise ConfigError(f"{path}: cannot be written (it is a folder)")
    with files.writing(out):
        pass


def embed(
    model: SignCLIPModel,
    paths: Sequence[Path],
    texts: Sequence[str],
    out: Path,
    *,
    long: LongPolicy = "truncate",
    batch_size: int = 64,
    progress: bool = True,
) -> Written:
    """Embed pose files and prompts and write them.

    Args:
        long: what to do with clips longer than the model's limit.
        batch_size: clips per batch.

    Raises:
        ConfigError: there is nothing to embed, ``out`` fails :func:`check_out`, a text cannot be
            written as UTF-8, or the model has no vocabulary for texts.
        BusyError: another process is writing ``out``.
    """
    if not paths and not texts:
        raise ConfigError("nothing to embed: give pose files, folders of them, or texts")
    check_out(out)
    with files.writing(out):  # before the work, which a busy output would waste
        return _embed(model, paths, texts, out, long=long, batch_size=batch_size, progress=progress)


def _embed(
    model: SignCLIPModel,
    paths: Sequence[Path],
    texts: Sequence[str],
    out: Path,
    *,
    long: LongPolicy,
    batch_size: int,
    progress: bool,
) -> Written:
    text_embeddings = model.embed_text(texts) if texts else np.empty((0, model.dims), np.float32)
    clips = model.embed_clips(
        paths, long=long, batch_size=batch_size, keep_going=True, progress=progress
    )
    reasons = {position: error.reason for position, error in clips.errors.items()}
    limit = model.model.config.max_frames
    if long == "drop":
        reasons |= dict.fromkeys(clips.long, f"more than {limit} frames")
    ids = [files.as_text(paths[i]) for i in clips.kept]
    if out.suffix == ".npz":
        arrays = {
            "pose_ids": np.array(ids, dtype=np.str_),
            "pose_embeddings": clips.embeddings,
            "texts": np.array(texts, dtype=np.str_),
            "text_embeddings": text_embeddings,
        }
        files.write_npz(out, arrays)
    else:
        with files.atomic_file(out) as partial:
            _write_parquet(partial, ids, clips.embeddings, texts, text_embeddings)
    if reasons:
        with files.atomic_file(dropped_file(out)) as partial:
            rows = [(files.as_text(paths[i]), reasons[i]) for i in sorted(reasons)]
            _write_dropped(partial, rows)
    else:
        files.remove(dropped_file(out))
    return Written(
        poses=len(ids),
        texts=len(texts),
        dims=model.dims,
        failed=len(clips.errors),
        dropped=len(reasons),
        long=len(clips.long),
        limit=limit,
    )


def _write_parquet(
    path: Path,
    ids: Sequence[str],
    pose_embeddings: np.ndarray,
    texts: Sequence[str],
    text_embeddings: np.ndarray,
) -> None:
    rows = np.concatenate([pose_embeddings, text_embeddings])
    values = pa.FixedSizeListArray.from_arrays(pa.array(rows.reshape(-1)), rows.shape[1])
    kinds = ["pose"] * len(ids) + ["text"] * len(texts)
    table = pa.table({"kind": kinds, "id": [*ids, *texts], "embedding": values})
    parquet.write_table(table, path)


def _write_dropped(path: Path, rows: Iterable[tuple[str, str]]) -> None:
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("id", "reason"))
        writer.writerows(rows)
