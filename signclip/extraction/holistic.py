"""Extracting a video's pose with MediaPipe Holistic, in pose-format's conventions.

Decisions
* pose-format runs MediaPipe and builds the pose, so the result equals that of its
  ``video_to_pose``, byte for byte: x and y in pixels, z as MediaPipe gives it, confidence (a body
  point's visibility; 1 for face and hands), zeros for what was not detected. Model complexity 1 is
  the only model in MediaPipe's wheel; the others would be downloaded.
* Every video gets a new graph. A used graph carries state from the previous video (tracking,
  smoothing), so that the bytes would depend on the order of the videos.
* A video in which nobody is ever detected is an error.

Cost: about 55 ms of one core a frame, almost independent of the frame's size; 0.25 s a video to
create its graph; 52 kB of memory a frame.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from pose_format import Pose

from signclip.core.errors import VideoError
from signclip.extraction.video import Limits, open_video
from signclip.poses import check_pose
from signclip.poses.landmarks import BODY, FACE, LEFT_HAND, RIGHT_HAND

HOLISTIC = {
    "model_complexity": 1,
    "static_image_mode": False,
    "smooth_landmarks": True,
    "refine_face_landmarks": False,
    "min_detection_confidence": 0.5,
    "min_tracking_confidence": 0.5,
}
# The module that imports MediaPipe, for preloading.
MEDIAPIPE = "pose_format.utils.holistic"
_PACKAGES = (  # those that decide a pose's bytes
    "av",
    "mediapipe",
    "numpy",
    "opencv-contrib-python",
    "pose-format",
)
PARTS = {BODY: "body", FACE: "face", LEFT_HAND: "left_hand", RIGHT_HAND: "right_hand"}


def settings() -> dict[str, Any]:
    """Everything besides the video that decides a pose's bytes."""
    return {"holistic": HOLISTIC, "versions": {name: version(name) for name in _PACKAGES}}


def pose_of(
    path: Path | str,
    limits: Limits | None = None,
    *,
    progress: Callable[[int, float], None] = lambda frames, share: None,
) -> Pose:
    """Extract a video's pose.

    Args:
        progress: called for every frame with 1 and the share of the video that it is.

    Raises:
        VideoError: the video cannot be used (see :mod:`signclip.extraction.video`), or nobody is
            detected in it.
        PoseError: what MediaPipe returned is not a valid pose.
    """
    path = Path(path)
    with open_video(path, limits or Limits()) as video, _without_warnings():
        # imported here because only worker processes need MediaPipe, which takes a second
        from pose_format.utils.holistic import load_holistic

        pose = load_holistic(
            _counted(video.frames(), video.expected, progress),
            width=video.width,
            height=video.height,
            additional_holistic_config=dict(HOLISTIC),
            reuse=False,
        )
        pose.body.fps = video.fps
    if detection_rates(pose)["body"] == 0:
        raise VideoError(path, f"no person seen in any of {len(pose.body.data)} frames")
    check_pose(pose, sample=str(path))
    return pose


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Discard what is written to stderr: MediaPipe and its libraries (absl, TensorFlow Lite) write
    twenty warnings a video and have no setting to turn them off. Errors are exceptions.
    """
    kept, discarded = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(discarded, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(discarded)


def _counted(
    frames: Iterator[np.ndarray], expected: int | None, progress: Callable[[int, float], None]
) -> Iterator[np.ndarray]:
    for frame in frames:
        yield frame
        progress(1, 1 / expected if expected else 0.0)


def detection_rates(pose: Pose) -> dict[str, float]:
    """Share of frames in which body, face, left_hand and right_hand are detected."""
    detected = np.asarray(pose.body.confidence)[:, 0] > 0  # (frames, points)
    rates, start = {}, 0
    for component in pose.header.components:
        end = start + len(component.points)
        if component.name in PARTS:
            rates[PARTS[component.name]] = float(detected[:, start:end].any(axis=1).mean())
        start = end
    return rates
