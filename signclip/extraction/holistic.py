"""From a video to a pose: MediaPipe Holistic, with pose-format's conventions.

Decisions
* pose-format runs MediaPipe and lays out the pose, so a pose is what its ``video_to_pose`` writes,
  byte for byte: x and y in pixels, z as MediaPipe gives it, confidence (a body point's visibility;
  1 for face and hands), zeros where nothing was seen. Model complexity 1 is the one in MediaPipe's
  wheel; the others would be downloaded.
* Every video gets a graph of its own. A used graph remembers the video before (tracking,
  smoothing), and the bytes would depend on the order of work.
* A pose in which nobody is ever seen is an error.

Cost: about 55 ms of one core a frame, nearly whatever its size; 0.25 s a video for its graph;
memory of 52 kB a frame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from pose_format import Pose

from signclip.core.errors import VideoError
from signclip.extraction.video import Limits, opened
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
# What imports MediaPipe, for a process that wants it early.
MEDIAPIPE = "pose_format.utils.holistic"
_DECIDING = ("av", "mediapipe", "numpy", "opencv-contrib-python", "pose-format")
PARTS = {BODY: "body", FACE: "face", LEFT_HAND: "left_hand", RIGHT_HAND: "right_hand"}


def settings() -> dict[str, Any]:
    """What decides a pose's bytes besides the video."""
    return {"holistic": HOLISTIC, "versions": {name: version(name) for name in _DECIDING}}


def pose_of(
    path: Path | str,
    limits: Limits | None = None,
    *,
    progress: Callable[[int, float], None] = lambda frames, share: None,
) -> Pose:
    """A video's pose.

    Args:
        progress: called for every frame with 1 and the share of the video that it is.

    Raises:
        VideoError: the video cannot be used (see :mod:`signclip.extraction.video`), or nobody is seen in it.
        PoseError: MediaPipe gave something that is no pose.
    """
    # here: only the processes that do the work need MediaPipe, which takes a second to import
    from pose_format.utils.holistic import load_holistic

    path = Path(path)
    with opened(path, limits or Limits()) as video:
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


def _counted(
    frames: Iterator[np.ndarray], expected: int | None, progress: Callable[[int, float], None]
) -> Iterator[np.ndarray]:
    for frame in frames:
        yield frame
        progress(1, 1 / expected if expected else 0.0)


def detection_rates(pose: Pose) -> dict[str, float]:
    """Share of frames in which body, face, left_hand and right_hand were seen."""
    seen = np.asarray(pose.body.confidence)[:, 0] > 0  # (frames, points)
    rates, start = {}, 0
    for component in pose.header.components:
        end = start + len(component.points)
        if component.name in PARTS:
            rates[PARTS[component.name]] = float(seen[:, start:end].any(axis=1).mean())
        start = end
    return rates
