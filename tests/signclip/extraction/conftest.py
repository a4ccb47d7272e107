"""Videos for the tests of extraction: short ones, encoded here."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest


@pytest.fixture(scope="session")
def encode():
    """``encode(path, frames)``: write a video with PyAV; see :func:`_encode` for the keywords."""
    return _encode


@pytest.fixture(scope="session")
def photograph() -> np.ndarray:
    """A person, uint8 (128, 128, 3): MediaPipe sees body and face, no hand."""
    from skimage import data

    return np.ascontiguousarray(data.astronaut()[::4, ::4])


def _encode(
    path: Path,
    frames: Sequence[np.ndarray],
    *,
    fps: int | str = 25,
    size: tuple[int, int] | None = None,
    codec: str | None = None,
    pixels: str = "yuv420p",
    rotation: int = 0,
    mirrored: bool = False,
    sound: float = 0.0,
    options: dict[str, str] | None = None,
) -> Path:
    """Frames uint8 (height, width, 3) as a video; the container is the suffix's.

    Args:
        size: width and height, where there are no frames.
        rotation: degrees, counter-clockwise, that a player is to turn the picture by.
        sound: seconds of silence in a stream beside the video.
    """
    codec = codec or {".webm": "libvpx", ".avi": "mpeg4"}.get(path.suffix, "libx264")
    with av.open(str(path), "w", options=options or {}) as container:
        video = container.add_stream(codec, rate=Fraction(fps))
        video.width, video.height = size or frames[0].shape[1::-1]
        video.pix_fmt = pixels
        if codec != "ffv1":
            video.bit_rate = 2_000_000
        if rotation:
            video.set_display_rotation(rotation)
        if mirrored:
            video.set_display_rotation(0, hflip=True)
        silence = container.add_stream("pcm_s16le", rate=8000, layout="mono") if sound else None
        container.start_encoding()
        for frame in frames:
            container.mux(video.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(video.encode())
        if silence is not None:
            samples = np.zeros((1, int(8000 * sound)), np.int16)
            samples = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
            samples.sample_rate, samples.pts = 8000, 0
            container.mux(silence.encode(samples))
    return path
