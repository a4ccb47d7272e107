"""What callers pass to a model: lists, paths, arrays and batch sizes, checked.

Decision: a caller's mistake is an error that says what is expected, because a single path is also
an iterable of characters and a mapping an iterable of its keys. Cost: none, but
for extracting poses from videos.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pose_format import Pose

from signclip.core.errors import ConfigError, PoseError
from signclip.poses import reader
from signclip.poses.checks import NUMBER_KINDS


def as_list(given: Iterable[Any], what: str) -> list[Any]:
    """The items of an iterable.

    Args:
        what: the items' name in the error message.

    Raises:
        TypeError: a single item, or a mapping.
    """
    if isinstance(given, Mapping):
        raise TypeError(f"a list of {what} is expected, not a mapping; give its values")
    if isinstance(given, str | Path | Pose) or not isinstance(given, Iterable):
        raise TypeError(f"a list of {what} is expected; put a single one into a list")
    return list(given)


def check_batch_size(batch_size: int) -> None:
    """Refuse an empty batch.

    Raises:
        ConfigError: the size is below 1.
    """
    if batch_size < 1:
        raise ConfigError(f"batch_size={batch_size}, must be at least 1")


def read_clip(path: Path | str) -> Pose:
    """Read a pose file, or extract the pose of a video, which takes 50 ms a frame.

    Raises:
        PoseError, VideoError: the file cannot be used.
    """
    if not reader.is_video(path):
        return reader.read_pose(path)
    from signclip.extraction import holistic  # MediaPipe takes half a second to import

    return holistic.pose_of(path)


def as_features(given: Any, *, sample: str) -> np.ndarray:
    """An array, a tensor or nested lists as float32; numbers that overflow become infinite.

    Raises:
        PoseError: it does not hold real numbers.
    """
    try:
        if isinstance(given, torch.Tensor):
            if given.is_complex():
                raise TypeError
            given = given.detach().to("cpu", torch.float32).numpy()
        # values under a mask are arbitrary; a missing point is zero
        values = np.asarray(np.ma.filled(given, 0))
        if values.dtype.kind not in NUMBER_KINDS:
            raise TypeError
        with np.errstate(over="ignore"):
            return values.astype(np.float32, copy=False)
    except (TypeError, ValueError, RuntimeError):  # RuntimeError: for instance a sparse tensor
        raise PoseError(sample, "no pose, no path, and no array of numbers") from None
