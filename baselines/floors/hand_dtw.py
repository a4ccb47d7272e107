"""Dynamic time warping of the hand-centric features of :mod:`baselines.floors.features`.

Decision: as :mod:`baselines.floors.dtw`, without the path of the wrist. Cost: as there.
"""

from __future__ import annotations

import numpy as np

from baselines.floors import features
from baselines.floors.dtw import DynamicTimeWarping, resampled
from baselines.floors.pooled import BodyLanguage
from signclip.poses import Features


def hand_trajectory(clip: Features) -> np.ndarray:
    """The hand-centric shapes of the frames: float32 (FRAMES, 42); zeros without the hand."""
    frames = features.hand_frames(clip)
    return resampled(frames if len(frames) else np.zeros((1, frames.shape[1])))


class HandTimeWarping(DynamicTimeWarping):
    """The same on hand-centric features; pairs are two factors, as for the floors on these."""

    variant = features.VARIANT
    of = staticmethod(hand_trajectory)
    language_recogniser = BodyLanguage
