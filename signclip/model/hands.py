"""Hand-centric features: what a signing hand looks like, whoever's it is and wherever it is held.

Decisions
* The store keeps the points themselves (variant ``signing``: upper body and both hands), so that
  augmentation moves points; what the tower sees of a frame is computed from them by
  :class:`HandFeatures`, which has no weights.
* A hand is seen from its wrist, divided by its reach (its farthest point), frame by frame: neither
  place, distance to the camera nor size of the signer counts. Its turn does count: letters differ
  by it. Directions of bones, angles of joints and distances between points say the same in terms
  that depend less and less on that.
* Places are told apart: of the hand to the nose, of the other hand to it, and how the fingertips
  move. Two-handed alphabets need the second, letters that are drawn in the air (J, Z) the third.
* A step is from the frame before, as far as there is one: where frames were left out (no hand was
  seen; a crop in training) it is as much longer.
* A hand that is not seen is zeros, and a number beside it says so.

Cost: 689 numbers a frame, about as much as the first linear layer.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from signclip.poses.landmarks import (
    BODY,
    HAND_PARENT,
    HAND_POINTS,
    SIGNING,
    SIGNING_LEFT,
    SIGNING_RIGHT,
)

NOSE = SIGNING.index((BODY, "NOSE"))
POINT_DIMS = 3 * len(SIGNING)
BODY_POINTS = SIGNING_LEFT.start  # come first
TIPS = (4, 8, 12, 16, 20)
MOVING = (0, 4, 8, 20)  # wrist, and tips of thumb, index and little finger
LEAST = 1e-4  # a length that is divided by, in reaches of a hand (or shoulder widths)


def reach(hand: Tensor) -> Tensor:
    """Farthest point from the wrist: (..., 21, 3) -> (...)."""
    return (hand - hand[..., :1, :]).norm(dim=-1).amax(dim=-1)


class HandFeatures(nn.Module):
    """Points of the variant ``signing``, and those of the frame before, to features.

    Both (..., 159), zeros before a clip's first frame -> (..., dims).
    """

    def __init__(self) -> None:
        super().__init__()
        first, second = np.triu_indices(HAND_POINTS, 1)
        # neighbours on a finger are as far apart as the bone is long: nothing to tell
        apart = np.array([HAND_PARENT[b] != a for a, b in zip(first, second, strict=True)])
        bends = [i for i in range(HAND_POINTS) if HAND_PARENT[i] != 0]
        for name, index in {
            "parent": HAND_PARENT,
            "pairs": (first * HAND_POINTS + second)[apart],
            "bends": bends,
            "before_bend": [HAND_PARENT[i] for i in bends],
            "tips": TIPS,
            "moving": MOVING,
        }.items():
            self.register_buffer(name, torch.as_tensor(np.asarray(index)), persistent=False)

    @property
    def dims(self) -> int:
        """Numbers a frame."""
        none = torch.zeros(1, POINT_DIMS)
        return self(none, none).shape[-1]

    def forward(self, frames: Tensor, before: Tensor) -> Tensor:
        """See the class."""
        points, earlier = (x.unflatten(-1, (len(SIGNING), 3)) for x in (frames, before))
        right, left = points[..., SIGNING_RIGHT, :], points[..., SIGNING_LEFT, :]
        was_right = earlier[..., SIGNING_RIGHT, :]
        sees_right, sees_left, saw_right = (
            (hand != 0).flatten(-2).any(dim=-1, keepdim=True).to(frames.dtype)
            for hand in (right, left, was_right)
        )
        both = sees_right * sees_left
        right_reach = reach(right)[..., None].clamp_min(LEAST)
        between_tips = torch.cdist(left[..., self.tips, :], right[..., self.tips, :])
        tips_apart = (between_tips.flatten(-2) / right_reach).clamp(max=4)
        from_nose = right[..., 0, :2] - points[..., NOSE, :2]
        to_other = left[..., 0, :2] - right[..., 0, :2]
        steps = (right - was_right)[..., self.moving, :2].clamp(-1, 1).flatten(-2)
        return torch.cat(
            [
                sees_right,
                sees_left,
                sees_right * self._shape(right),
                sees_left * self._shape(left),
                # factors bring all to a spread of about a half
                both * 2 * to_other,
                both * 0.3 * tips_apart,
                sees_right * 0.5 * from_nose,
                sees_right * saw_right * 4 * steps,
            ],
            dim=-1,
        )

    def _shape(self, hand: Tensor) -> Tensor:
        """(..., 21, 3) -> (..., numbers), whatever the hand's place and size."""
        hand = hand - hand[..., :1, :]
        hand = hand / reach(hand)[..., None, None].clamp_min(LEAST)
        bones = hand - hand[..., self.parent, :]
        bones = bones / bones.norm(dim=-1, keepdim=True).clamp_min(LEAST)
        cosines = (bones[..., self.bends, :] * bones[..., self.before_bend, :]).sum(dim=-1)
        apart = torch.cdist(hand, hand).flatten(-2)[..., self.pairs]
        return torch.cat(
            [hand[..., 1:, :].flatten(-2), bones[..., 1:, :].flatten(-2) / 2, cosines, apart - 0.6],
            dim=-1,
        )


def frames_before(frames: Tensor) -> Tensor:
    """(b, t, dims) -> the same, each frame in the place of the next, zeros in the first."""
    return F.pad(frames, (0, 0, 1, 0))[:, :-1]
