"""A short clip of a person, for trying pose extraction where no video is at hand.

Decision: scikit-image contains a photograph of a person (an astronaut, by NASA, in the public
domain); a camera pans over it for a second. MediaPipe detects body and face and, rightly, no hand.
The clip shows that extraction works, and nothing about signing.
Cost: 0.2 s.
"""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
from skimage import data

from signclip.core import files

NAME = "astronaut.mp4"
FRAMES, FPS, SIDE = 25, 25, 448  # SIDE: pixels; the photograph has 512


def frames() -> list[np.ndarray]:
    """The frames, uint8 (SIDE, SIDE, 3): a window that slides to the right and back."""
    photograph = data.astronaut()
    room = photograph.shape[1] - SIDE
    steps = np.linspace(0, 2 * np.pi, FRAMES)
    starts = np.rint(room * (1 - np.cos(steps)) / 2).astype(int)
    return [np.ascontiguousarray(photograph[:SIDE, at : at + SIDE]) for at in starts]


def write(folder: Path) -> Path:
    """Encode the clip as ``folder``/:data:`NAME`, with the same bytes each time; returns its
    path."""
    path = folder / NAME
    with files.atomic_file(path) as partial:
        options = {"threads": "1"}  # the output of x264 depends on the number of threads
        with av.open(str(partial), "w", format="mp4") as container:
            video = container.add_stream("libx264", rate=FPS, options=options)
            video.width = video.height = SIDE
            video.pix_fmt = "yuv420p"
            for frame in frames():
                container.mux(video.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            container.mux(video.encode())
    return path
