"""Reading a video: upright RGB frames, or the reason why the file is refused.

Decisions
* PyAV (FFmpeg) decodes. It is more lenient than a benchmark may be: it conceals damage, and a
  truncated file simply ends early. So the file is compared with what its container states (bytes,
  frames, length), and a frame that the decoder had to repair is an error: a clip is complete or
  refused. Damage that the decoder itself does not notice cannot be detected.
* A cover picture does not count as a video.
* A rotation by quarter turns that the container requests (phones write it) is applied, as players
  do; width and height are those of the upright picture. Mirrored and slanted pictures are refused.
* The frame rate is that of the frames' own times where the container states another one.
* Sizes are checked before decoding, and again on each decoded frame.

Cost: decoding uses one thread and keeps one frame in memory; 4 ms a frame for VP9 of 1080 x 1080,
of the 55 ms that :mod:`signclip.extraction.holistic` takes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.stream import Disposition
from av.video.reformatter import VideoReformatter

from signclip.core import files
from signclip.core.errors import VideoError

# The stated length may be rounded, and may include the last frame or not.
FRAMES_OF_SLACK, SHARE_OF_SLACK = 1.5, 0.01
# A stated frame rate further from that of the frames' own times is not believed. Times are rounded
# to milliseconds, and rates such as 29.97 are stated as 30.
RATE_TOLERANCE = 0.05
HIGHEST_RATE = 240  # of a camera; a higher one is the resolution of a recorder's clock


@dataclass(frozen=True)
class Limits:
    """The largest video that is accepted, since a larger one could exhaust a machine's memory."""

    pixels: int = 2**25  # of one frame; 8K UHD has 33.2 million
    frames: int = 100_000  # 55 minutes at 30 a second; extraction needs 5 GB for them


class Video:
    """An open video whose first frame has been decoded; made by :func:`open_video`.

    Attributes:
        width: of the upright picture, pixels.
        height: of the upright picture, pixels.
        expected: number of frames by the container's statement; None where it states nothing.
    """

    def __init__(self, path: Path, container: av.container.InputContainer, limits: Limits):
        self.path, self._container, self._limits = path, container, limits
        moving = (
            s for s in container.streams.video if Disposition.attached_pic not in s.disposition
        )
        stream = next(moving, None)
        if stream is None:
            raise VideoError(path, "no video in this file")
        self._stream: av.VideoStream = stream
        if self._stream.codec_context is None:
            raise VideoError(path, "no decoder here knows the codec of its video")
        self._stream.thread_type = "NONE"  # the other cores extract other videos
        self._check_pixels(self._stream.width, self._stream.height)
        self.expected = self._stated_frames()
        if self.expected is not None:
            self._check_frames(self.expected)
        self._end = 0.0  # seconds: the end of the last packet of any stream
        self._discarded = 0  # frames that an edit list hides
        self._decoded = 0
        self._times: list[float] = []  # of the first and the last frame, seconds
        self._rest = self._decode()
        self._first = next(self._rest, None)
        if self._first is None:
            raise VideoError(path, "no frame in this video")
        self._turns = self._quarter_turns(self._first)
        self._size = (self._first.width, self._first.height)
        self.width, self.height = self._size[:: -1 if self._turns % 2 else 1]

    @property
    def fps(self) -> float:
        """Frames a second, once all frames are read.

        As the file states it, unless the times of its frames say otherwise: some recorders state
        the resolution of their clock (1000 a second) or a rate that they did not keep.

        Raises:
            VideoError: the file has neither.
        """
        stated = float(self._stream.average_rate or 0)
        if self._decoded > 1 and self._times[-1] > self._times[0]:
            measured = (self._decoded - 1) / (self._times[-1] - self._times[0])
            if abs(stated - measured) > RATE_TOLERANCE * measured:
                return measured
        if stated:
            return stated
        raise VideoError(self.path, "no frame rate in this file, and no frame times to compute it")

    def frames(self) -> Iterator[np.ndarray]:
        """uint8 (height, width, 3), RGB, upright, in display order; to be iterated once.

        Raises:
            VideoError: the video is damaged, truncated or too long, or its size changes.
        """
        reformatter = VideoReformatter()  # reuses its tables for all frames
        frame = self._first
        self._first = None
        while frame is not None:
            self._decoded += 1
            self._check_frames(self._decoded)
            if (frame.width, frame.height) != self._size:
                self._fail(f"the picture's size changes in frame {self._decoded - 1}")
            rgb = reformatter.reformat(frame, format="rgb24", threads=1).to_ndarray()
            yield np.ascontiguousarray(np.rot90(rgb, self._turns))
            frame = next(self._rest, None)
        self._check_whole()

    def _decode(self) -> Iterator[av.VideoFrame]:
        """Decode the frames, and keep account of the packets that they come from."""
        try:
            for packet in self._container.demux():  # all streams: the longest decides the length
                if packet.pts is not None:
                    end = float((packet.pts + (packet.duration or 0)) * packet.time_base)
                    self._end = max(self._end, end)
                if packet.stream is not self._stream:
                    continue
                if packet.is_corrupt:
                    self._fail("damaged data")
                self._discarded += packet.is_discard
                for frame in self._stream.decode(packet):
                    self._check_pixels(frame.width, frame.height)
                    if frame.is_corrupt:
                        self._fail(f"damaged frame, number {self._decoded}")
                    if frame.time is not None:
                        self._times = [*self._times[:1], frame.time]
                    yield frame
        except av.FFmpegError as error:
            self._fail(f"cannot be decoded after frame {self._decoded} ({error.strerror})")

    def _stated_frames(self) -> int | None:
        if self._stream.frames:
            return self._stream.frames
        length = self._container.duration
        rate = self._stream.average_rate
        if length and rate and rate <= HIGHEST_RATE:
            return round(length / av.time_base * rate)
        return None

    def _check_whole(self) -> None:
        stated = self._stream.frames
        there = self._decoded + self._discarded
        if stated and there < stated:
            self._fail(f"cut short: {there} of {stated} frames are there")
        if self._container.duration:
            length = self._container.duration / av.time_base
            end = self._end - (self._container.start_time or 0) / av.time_base
            slack = max(FRAMES_OF_SLACK / self.fps, SHARE_OF_SLACK * length)
            if end < length - slack:
                self._fail(f"cut short: it ends at {end:.2f} of {length:.2f} seconds")

    def _check_pixels(self, width: int, height: int) -> None:
        if width * height > self._limits.pixels:
            self._fail(f"frames of {width} x {height} pixels; the limit is {self._limits.pixels:,}")

    def _check_frames(self, frames: int) -> None:
        if frames > self._limits.frames:
            self._fail(f"{frames:,} frames or more; the limit is {self._limits.frames:,}")

    def _quarter_turns(self, frame: av.VideoFrame) -> int:
        """Number of rotations by 90 degrees, counter-clockwise, that make the picture upright."""
        matrix: Any = frame.side_data.get("DISPLAYMATRIX")
        if matrix is not None:
            a, b, _, c, d = np.frombuffer(matrix, np.int32)[:5].astype(float)
            if a * d - b * c < 0:
                self._fail("the container asks for a mirrored picture")
        if frame.rotation % 90:
            self._fail(f"the container asks for a rotation by {frame.rotation} degrees")
        return frame.rotation // 90 % 4

    def _fail(self, reason: str) -> None:
        raise VideoError(self.path, reason)


# Names of the outermost elements of a container file; anything else there has no known length.
_EBML = (b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67")  # Matroska and WebM: header, segment
_BOXES = frozenset(  # MP4 and MOV
    (
        *(b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"uuid", b"meta", b"moof"),
        *(b"mfra", b"sidx", b"styp", b"pnot"),
    )
)


def missing_bytes(path: Path) -> int:
    """How much shorter a file is than its outermost elements state; 0 where they state nothing."""
    size, end = files.check_regular(path), 0
    with open(path, "rb") as file:
        while end < size:
            file.seek(end)
            length = _element_length(file.read(16))
            if length is None:
                return 0
            end += length
    return end - size


def _element_length(header: bytes) -> int | None:
    """Bytes of an element with its header; None where this is no header or states no length."""
    if header[:4] in _EBML and len(header) > 4 and header[4]:
        digits = 9 - header[4].bit_length()  # length of the number, 1 to 8, told by its first bits
        unknown = (1 << 7 * digits) - 1
        content = int.from_bytes(header[4 : 4 + digits]) & unknown
        return None if content == unknown else 4 + digits + content
    if header[:4] == b"RIFF":  # AVI
        return 8 + int.from_bytes(header[4:8], "little")
    if header[4:8] in _BOXES:
        length = int.from_bytes(header[:4])
        if length == 1:  # the length follows as a 64-bit number
            length = int.from_bytes(header[8:16])
        return length if length >= 8 else None
    return None


@contextmanager
def open_video(path: Path, limits: Limits) -> Iterator[Video]:
    """Open a video file.

    Raises:
        VideoError: not a video, over the limits, or its first frame cannot be decoded.
    """
    try:
        if missing := missing_bytes(path):
            raise VideoError(path, f"cut short: the last {missing:,} bytes are missing")
        container = av.open(str(path), metadata_errors="replace")
    except (av.FFmpegError, OSError) as error:
        raise VideoError(path, f"cannot be opened as a video ({error.strerror})") from None
    with container:
        yield Video(path, container, limits)
