"""A short clip of a person for the pipeline's own extraction, where no video is at hand.

Decision: scikit-image carries a photograph of a person (an astronaut, from NASA, in the public
domain); a camera pans over it for a second. MediaPipe sees body and face in it and, rightly, no
hand. It shows that extraction works here, and nothing about signing.
Cost: 0.2 s.
"""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
from skimage import data

from signclip.core import files

NAME = "astronaut.mp4"
FRAMES, FPS, SIDE = 25, 25, 448  # SIDE: pixels, of the 512 that the photograph has


def frames() -> list[np.ndarray]:
    """uint8 (SIDE, SIDE, 3) each: the window slides to the right and back."""
    photograph = data.astronaut()
    room = photograph.shape[1] - SIDE
    steps = np.linspace(0, 2 * np.pi, FRAMES)
    starts = np.rint(room * (1 - np.cos(steps)) / 2).astype(int)
    return [np.ascontiguousarray(photograph[:SIDE, at : at + SIDE]) for at in starts]


def write(folder: Path) -> Path:
    """Encode the clip as ``folder``/:data:`NAME`; the same bytes each time."""
    path = folder / NAME
    with files.atomic_file(path) as partial:
        options = {"threads": "1"}  # x264's bits depend on their number
        with av.open(str(partial), "w", format="mp4") as container:
            video = container.add_stream("libx264", rate=FPS, options=options)
            video.width = video.height = SIDE
            video.pix_fmt = "yuv420p"
            for frame in frames():
                container.mux(video.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            container.mux(video.encode())
    return path
