"""A ``.pose`` file's content, checked against the size that it announces before it is parsed.

Decisions
* pose-format takes what it is given: of a cut v0.1 file it reads confidences out of coordinates,
  bytes left over are ignored, and in v0.0 a frame without a person takes two bytes of the file and
  as many numbers in memory as the header has points. So the header is walked first, and what it
  announces must be the file, byte for byte; bounds are checked before anything is allocated.
* v0.1 counts frames in 16 bits, which longer clips overflow: the rest of the file must be a whole
  number of frames that agrees with the count modulo 65,536.
* v0.0 is read here: pose-format takes 0.2 ms a frame for it, and fails on frames without a person
  where the header has several components.

Source: the specification of the format in pose-format's docs/specs. Cost: 0.2 ms for the header of
MediaPipe Holistic; v0.0 2 us a frame.
"""

from __future__ import annotations

import struct
from math import isfinite
from typing import Any, NamedTuple

import numpy as np
from pose_format import Pose
from pose_format.numpy import NumPyPoseBody
from pose_format.pose_header import PoseHeader
from pose_format.utils.reader import BufferReader

from signclip.core.errors import PoseError

MAX_POINTS = 20_000  # a frame; body meshes have 10,475
# Memory that frames of v0.0 may take: more only in proportion to the file.
MAX_EMPTY = 64 << 20
MAX_RATIO = 32


class Header(NamedTuple):
    """What the header says that decides the size of the body."""

    version: float  # of the format: 0, 0.1 or 0.2
    formats: tuple[str, ...]  # of each component: "XYZC"
    points: tuple[int, ...]  # of each component
    end: int  # bytes

    @property
    def width(self) -> int:
        """Numbers of a point: its coordinates and its confidence."""
        return max(map(len, self.formats))

    @property
    def values(self) -> int:
        """Numbers of a person in a frame."""
        return sum(self.points) * self.width


class _Cursor:
    """Reads numbers from a position on; past the end of the file it says that the file is cut."""

    def __init__(self, data: bytes, sample: str):
        self.data, self.sample, self.at = data, sample, 0

    def skip(self, count: int) -> None:
        self.at += count
        if self.at > len(self.data):
            raise PoseError(self.sample, f"not a whole .pose file: cut at byte {len(self.data):,}")

    def unpack(self, layout: str) -> tuple[Any, ...]:
        start = self.at
        self.skip(struct.calcsize(f"<{layout}"))
        return struct.unpack_from(f"<{layout}", self.data, start)

    def text(self) -> str:
        (size,) = self.unpack("H")
        start = self.at
        self.skip(size)
        return self.data[start : self.at].decode("utf-8", errors="replace")


def read_header(data: bytes, *, sample: str = "pose") -> Header:
    """Walk the header without allocating what it announces.

    Raises:
        PoseError: it is cut, of an unknown version, or has no or too many points.
    """
    cursor = _Cursor(data, sample)
    (version,) = cursor.unpack("f")
    version = round(version, 3) if isfinite(version) else version
    if version not in (0, 0.1, 0.2):
        raise PoseError(sample, f"not a .pose file, or of unknown version {version:g}")
    cursor.unpack("HHH")  # of the picture
    (components,) = cursor.unpack("H")
    formats, points, total = [], [], 0
    for _ in range(components):
        cursor.text()
        formats.append(cursor.text())
        of_component, limbs, colors = cursor.unpack("HHH")
        total += of_component
        if total > MAX_POINTS:
            raise PoseError(sample, f"over {MAX_POINTS:,} points a frame")
        for _ in range(of_component):
            cursor.text()
        cursor.skip(4 * limbs + 6 * colors)
        points.append(of_component)
    if not total or max(map(len, formats)) < 2:
        raise PoseError(sample, "not a .pose file: its header has no points with coordinates")
    return Header(version, tuple(formats), tuple(points), cursor.at)


def read(data: bytes, *, sample: str = "pose") -> Pose:
    """The pose of a file's content, which has exactly the size that its header announces.

    Raises:
        PoseError: it has another size, not exactly one person, or cannot be parsed.
    """
    header = read_header(data, sample=sample)
    if header.version == 0:
        return _read_v00(data, header, sample)
    _check_size(data, header, sample)
    try:
        return Pose.read(data)
    except Exception as error:  # pose-format raises four kinds, from struct.error to MemoryError
        raise _unreadable(error, sample) from None


def _unreadable(error: Exception, sample: str) -> PoseError:
    return PoseError(sample, f"not a whole .pose file ({type(error).__name__}: {error})")


def _check_size(data: bytes, header: Header, sample: str) -> None:
    """That the frames of v0.1 or v0.2 are as many as the header says, and all there."""
    layout = "HHH" if header.version == 0.1 else "fIH"
    start = header.end + struct.calcsize(f"<{layout}")
    if start > len(data):
        raise PoseError(sample, f"not a whole .pose file: cut at byte {len(data):,}")
    _, frames, people = struct.unpack_from(f"<{layout}", data, header.end)
    if people != 1:
        raise PoseError(sample, f"{people} people; exactly one is expected")
    there, over = divmod(len(data) - start, 4 * header.values)
    announced = there % 65_536 if header.version == 0.1 else there
    if over or announced != frames:
        left = f" and {over} bytes" if over else ""
        raise PoseError(
            sample,
            f"not a whole .pose file: its header says {frames} frames, the file has {there}{left}",
        )


def _read_v00(data: bytes, header: Header, sample: str) -> Pose:
    """Read v0.0: each frame says how many people it has, and each person has a 16-bit number."""
    cursor = _Cursor(data, sample)
    cursor.at = header.end
    fps, frames = cursor.unpack("HH")
    width, points = header.width, sum(header.points)
    if len(set(map(len, header.formats))) > 1:
        raise PoseError(sample, f"components of the formats {', '.join(header.formats)}")
    size = frames * header.values * 4
    if size > max(MAX_EMPTY, MAX_RATIO * len(data)):
        raise PoseError(
            sample, f"{frames} frames of {points} points in a file of {len(data)} bytes"
        )
    values = np.zeros((frames, points, width), dtype=np.float32)
    for frame in range(frames):
        (people,) = cursor.unpack("H")
        if people > 1:
            raise PoseError(sample, f"{people} people; exactly one is expected")
        if people:
            start = cursor.at + 2
            cursor.skip(2 + 4 * header.values)
            person = np.frombuffer(data, dtype="<f4", count=header.values, offset=start)
            values[frame] = person.reshape(points, width)
    if cursor.at != len(data):
        raise PoseError(
            sample, f"not a whole .pose file: {len(data) - cursor.at} bytes after {frames} frames"
        )
    try:
        parsed = PoseHeader.read(BufferReader(data))
    except Exception as error:  # see `read`
        raise _unreadable(error, sample) from None
    confidence = values[:, None, :, -1].copy()
    return Pose(parsed, NumPyPoseBody(fps, values[:, None, :, :-1].copy(), confidence))
