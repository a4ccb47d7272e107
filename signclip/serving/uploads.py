"""Clips that strangers send: from a request's body to features of the model.

Decisions
* A clip is parsed from memory by the one reader of clip files, which checks sizes before it
  parses. Nothing that is sent names a file here: a name only says the format, and appears in
  messages.
* A format that can announce more than it holds (v0.0 of ``.pose``, Parquet) is refused by what it
  announces, before it is parsed.
* A request brings one clip as its body, or several as files of a form, which the parser of forms
  keeps in unnamed temporary files over 1 MB and closes with the request.
* A video has become a ``.pose`` file before it comes here (:mod:`signclip.serving.videos`).

Cost: that of the reader, 1 ms a clip, and of the features.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
from starlette.datastructures import UploadFile
from starlette.requests import Request

from signclip.core import parquet
from signclip.core.errors import PoseError
from signclip.poses import pose_file, reader
from signclip.serving.limits import Limits, Refused, clean

if TYPE_CHECKING:
    from signclip.inference import SignCLIPModel

FORM, RAW = "multipart/form-data", "application/octet-stream"
_POINTS = 543  # rows that a frame has in Kaggle's Parquet
_UNPACKED = 4  # times the limit on bodies that a Parquet file may have when it is uncompressed


class Upload(NamedTuple):
    """A clip as it was sent.

    Attributes:
        name: safe to show; it names no file.
        suffix: of the format, in lower case.
    """

    name: str
    data: bytes
    suffix: str


class Clip(NamedTuple):
    """A clip as the model reads it.

    Attributes:
        frames: of the clip.
        features: float32 (frames, dims), cut to the model's limit of frames.
        cut: it was longer than that limit.
    """

    name: str
    frames: int
    features: np.ndarray
    cut: bool


def make(name: str, data: bytes) -> Upload:
    """A clip whose name comes from outside."""
    name = safe_name(name)
    return Upload(name, data, PurePosixPath(name).suffix.lower())


def safe_name(name: str) -> str:
    """The last part of a name, printable and at most 100 characters; the suffix stays."""
    last = PurePosixPath(clean(name).replace("\\", "/").replace("\0", "")).name
    shown = "".join(character if character.isprintable() else "_" for character in last)
    return shown[-100:] or "clip.pose"


async def read(request: Request, limits: Limits) -> tuple[list[Upload], Mapping[str, str]]:
    """The clips of a request, and the fields of its form.

    Raises:
        Refused: there is none, there are too many, or the body is neither a form nor bytes.
        HTTPException: the form is damaged (400), or the body too large (413).
    """
    kind = request.headers.get("content-type", RAW).split(";")[0].strip().lower()
    if kind == FORM:
        fields: dict[str, str] = {}
        found = []
        async with request.form(max_files=limits.batch, max_fields=16) as form:
            for name, value in form.multi_items():
                if isinstance(value, UploadFile):
                    found.append(make(value.filename or "", await value.read()))
                else:
                    fields[name] = value
        if not found:
            raise Refused(422, "no file in the form; send a clip in its field 'clip'")
        return found, fields
    if kind != RAW:
        raise Refused(415, f"a body of {clean(kind)!r}; send {RAW} or {FORM}")
    data = await request.body()
    if not data:
        raise Refused(422, "the body is empty; send a clip")
    return [make(request.query_params.get("name", ""), data)], {}


def parse(upload: Upload, model: SignCLIPModel, limits: Limits) -> Clip:
    """The features of a clip.

    Raises:
        Refused: it is longer than the limit (413).
        PoseError: it cannot be used.
    """
    if upload.suffix not in reader.POSE_SUFFIXES:
        known = ", ".join(reader.POSE_SUFFIXES)
        reason = f"clips are {known} files or videos, this suffix is {upload.suffix!r}"
        raise PoseError(upload.name, reason)
    _check_announced(upload, limits)
    pose = reader.parse(upload.data, f"clip{upload.suffix}", sample=upload.name)
    frames = len(pose.body.data)
    _check_frames(upload.name, frames, limits)
    features = model.features(pose, sample=upload.name)
    limit = model.model.config.max_frames
    cut = len(features) > limit
    # a copy: a view would keep the whole clip in memory
    return Clip(upload.name, frames, features[:limit].copy() if cut else features, cut)


def _check_frames(name: str, frames: int, limits: Limits) -> None:
    if frames > limits.frames:
        raise Refused(413, f"{name}: {frames:,} frames; at most {limits.frames:,} are taken")


def _check_announced(upload: Upload, limits: Limits) -> None:
    """Refuse what would become far larger than it is.

    Raises:
        Refused: it is over the limits.
        PoseError: its header cannot be read.
    """
    name, data, suffix = upload
    if suffix == ".pose" and data:
        header = pose_file.read_header(data, sample=name)
        if header.version == 0 and len(data) >= header.end + 4:
            _check_frames(name, struct.unpack_from("<HH", data, header.end)[1], limits)
    elif suffix == ".parquet":
        try:
            table = parquet.open_file(pa.BufferReader(data)).metadata
            groups = [table.row_group(i) for i in range(table.num_row_groups)]
            unpacked = sum(group.total_byte_size for group in groups)
        except (pa.ArrowException, OSError) as problem:
            reason = str(problem).splitlines()[0]
            raise PoseError(name, f"not a Parquet file of landmarks ({reason})") from None
        _check_frames(name, -(-table.num_rows // _POINTS), limits)
        if unpacked > _UNPACKED * limits.body:
            raise Refused(413, f"{name}: {unpacked:,} bytes when uncompressed, over the limit")
