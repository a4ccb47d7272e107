"""Sign spotting: at which times of a long clip is a sign?

Decisions
* Windows of fixed length slide over the clip; each is embedded as a clip that was cut to it would
  be, so its score is comparable with that of a clip of one sign.
* Of overlapping windows the best is kept (those that share more than half of their frames with a
  better one are left out), since neighbours find the same sign again and again.
* A window in which no signer is seen has no score; they are counted.

Times are seconds from the start of the file, by its frame rate.

Cost: that of one clip for every window: for a minute of video with a step of 0.2 s 300 clips.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from pose_format import Pose

from signclip import poses
from signclip.core.errors import ConfigError, PoseError
from signclip.search.sources import read_clip

if TYPE_CHECKING:
    from signclip.inference import SignCLIPModel


class Window(NamedTuple):
    """A part of a clip, and its score for one text; ``start`` and ``end`` in seconds."""

    start: float
    end: float
    score: float


class Spotted(NamedTuple):
    """What was found in a clip.

    Attributes:
        found: for each text its windows, best first.
        windows_scored: number of windows that have a score.
        without_signer: number of windows that have none.
        fps: frames a second of the file.
    """

    found: list[list[Window]]
    windows_scored: int
    without_signer: int
    fps: float


def spans(frames: int, length: int, step: int) -> list[tuple[int, int]]:
    """(first frame, frame behind the last) of each window; the last one ends with the clip.

    A clip that is shorter than a window is one window.
    """
    last = max(frames - length, 0)
    starts = [*range(0, last, step), last]
    return [(start, min(start + length, frames)) for start in starts]


def non_overlapping(spans: Sequence[tuple[int, int]], scores: np.ndarray, k: int) -> list[int]:
    """The best ``k`` windows of which no two share more than half of the shorter one's frames."""
    kept: list[int] = []
    for i in np.argsort(-scores, kind="stable").tolist():
        if len(kept) == k:
            break
        if all(_shared(spans[i], spans[j]) <= 0.5 for j in kept):
            kept.append(i)
    return kept


def _shared(one: tuple[int, int], other: tuple[int, int]) -> float:
    common = min(one[1], other[1]) - max(one[0], other[0])
    return max(common, 0) / min(one[1] - one[0], other[1] - other[0])


def spot(
    model: SignCLIPModel,
    clip: Path,
    texts: Sequence[str],
    *,
    seconds: float,
    step: float,
    k: int = 5,
) -> Spotted:
    """The best windows of a clip for each complete prompt (:func:`signclip.search.prompts`).

    Args:
        seconds: length of a window.
        step: seconds between the starts of two windows.
        k: windows kept for each text.

    Raises:
        ConfigError: a length is not positive, a window has more frames than the model's limit, or
            the model's variant is not known.
        PoseError, VideoError: the clip cannot be used, or no window of it can.
    """
    if model.variant is None:
        raise ConfigError("not known which features the model reads: load it with variant=...")
    if not (seconds > 0 and step > 0):
        raise ConfigError(f"windows of {seconds} s every {step} s: both must be positive")
    pose = read_clip(clip)
    fps, limit = float(pose.body.fps), model.model.config.max_frames
    length = max(round(seconds * fps), 1)
    if length > limit:
        raise ConfigError(
            f"windows of {seconds:g} s have {length} frames at {fps:g} a second, the model takes "
            f"{limit}; the longest window is {limit / fps:.1f} s"
        )
    windows, features = [], []
    every = spans(len(pose.body.data), length, max(round(step * fps), 1))
    for start, end in every:
        part = Pose(pose.header, pose.body[start:end])
        try:
            features.append(poses.features(part, model.variant, sample=str(clip)).values)
        except PoseError:
            continue  # counted below
        windows.append((start, end))
    if not windows:
        raise PoseError(clip, f"no signer is seen in any of {len(every)} windows")
    scores = model.similarity(features, texts)
    found = [
        [
            Window(windows[i][0] / fps, windows[i][1] / fps, float(column[i]))
            for i in non_overlapping(windows, column, k)
        ]
        for column in scores.T
    ]
    return Spotted(found, len(windows), len(every) - len(windows), fps)
