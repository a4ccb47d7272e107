"""Hand-centric features: the shape of the hands, independent of signer, position and scale.

Decisions
* The feature store keeps the points (variant ``signing``: upper body and both hands), so that
  augmentation can move points; the pose tower's input is computed from them by
  :class:`HandFeatures`, which has no weights.
* A hand is relative to its wrist and divided by its reach (the distance of its farthest point),
  frame by frame, so neither its position, its distance to the camera nor the size of the signer
  matters. Its orientation matters: some letters differ by it alone. Bone directions, joint angles
  and distances between points describe the same shape with less and less dependence on orientation.
* Separate numbers give the hand's position relative to the nose, the other hand's position relative
  to it, and the motion of the fingertips. Two-handed alphabets need the second, and letters drawn
  in the air (J, Z) the third.
* Motion is the difference to the previous frame of the clip, also where frames between the two were
  left out (frames without hands; a crop in training).
* A hand that was not detected is zeros, and a flag says so.

Cost: 689 numbers a frame, about as much time as the first linear layer.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from signclip.model.config import SIGNING_DIMS
from signclip.poses.landmarks import (
    BODY,
    HAND_PARENT,
    HAND_POINTS,
    SIGNING,
    SIGNING_LEFT,
    SIGNING_RIGHT,
)

NOSE = SIGNING.index((BODY, "NOSE"))
BODY_POINTS = SIGNING_LEFT.start  # the first points of the variant
TIPS = (4, 8, 12, 16, 20)
MOVING = (0, 4, 8, 20)  # wrist, and tips of thumb, index and little finger
LEAST = 1e-4  # smallest divisor, in reaches of a hand (or shoulder widths)


def reach(hand: Tensor) -> Tensor:
    """Distance of the farthest point from the wrist: (..., 21, 3) -> (...)."""
    return (hand - hand[..., :1, :]).norm(dim=-1).amax(dim=-1)


class HandFeatures(nn.Module):
    """Points of a frame and of the previous one, both (..., 159), to features (..., dims).

    The frame before a clip's first one is zeros.
    """

    # constant indices, as buffers so that they move to the device of the model
    parent: Tensor
    pairs: Tensor
    bends: Tensor
    before_bend: Tensor
    tips: Tensor
    moving: Tensor

    def __init__(self) -> None:
        super().__init__()
        first, second = np.triu_indices(HAND_POINTS, 1)
        # the distance of neighbours on a finger is the length of a bone, which does not vary
        no_bone = np.array([HAND_PARENT[b] != a for a, b in zip(first, second, strict=True)])
        bends = [i for i in range(HAND_POINTS) if HAND_PARENT[i] != 0]
        for name, index in {
            "parent": HAND_PARENT,
            "pairs": (first * HAND_POINTS + second)[no_bone],
            "bends": bends,
            "before_bend": [HAND_PARENT[i] for i in bends],
            "tips": TIPS,
            "moving": MOVING,
        }.items():
            self.register_buffer(name, torch.as_tensor(np.asarray(index)), persistent=False)

    @property
    def dims(self) -> int:
        """Numbers a frame."""
        none = torch.zeros(1, SIGNING_DIMS)
        return self(none, none).shape[-1]

    def forward(self, frames: Tensor, before: Tensor) -> Tensor:
        """See the class."""
        points, earlier = (x.unflatten(-1, (len(SIGNING), 3)) for x in (frames, before))
        right, left = points[..., SIGNING_RIGHT, :], points[..., SIGNING_LEFT, :]
        was_right = earlier[..., SIGNING_RIGHT, :]
        has_right, has_left, had_right = (
            (hand != 0).flatten(-2).any(dim=-1, keepdim=True).to(frames.dtype)
            for hand in (right, left, was_right)
        )
        both = has_right * has_left
        right_reach = reach(right)[..., None].clamp_min(LEAST)
        between_tips = torch.cdist(left[..., self.tips, :], right[..., self.tips, :])
        tips_apart = (between_tips.flatten(-2) / right_reach).clamp(max=4)
        from_nose = right[..., 0, :2] - points[..., NOSE, :2]
        to_other = left[..., 0, :2] - right[..., 0, :2]
        steps = (right - was_right)[..., self.moving, :2].clamp(-1, 1).flatten(-2)
        return torch.cat(
            [
                has_right,
                has_left,
                has_right * self._shape(right),
                has_left * self._shape(left),
                # factors give all numbers a spread of about a half
                both * 2 * to_other,
                both * 0.3 * tips_apart,
                has_right * 0.5 * from_nose,
                has_right * had_right * 4 * steps,
            ],
            dim=-1,
        )

    def _shape(self, hand: Tensor) -> Tensor:
        """(..., 21, 3) -> (..., numbers), independent of the hand's position and size."""
        hand = hand - hand[..., :1, :]
        hand = hand / reach(hand)[..., None, None].clamp_min(LEAST)
        bones = hand - hand[..., self.parent, :]
        bones = bones / bones.norm(dim=-1, keepdim=True).clamp_min(LEAST)
        cosines = (bones[..., self.bends, :] * bones[..., self.before_bend, :]).sum(dim=-1)
        distances = torch.cdist(hand, hand).flatten(-2)[..., self.pairs]
        return torch.cat(
            [
                hand[..., 1:, :].flatten(-2),
                bones[..., 1:, :].flatten(-2) / 2,
                cosines,
                distances - 0.6,
            ],
            dim=-1,
        )


def frames_before(frames: Tensor) -> Tensor:
    """The previous frame of each: (b, t, dims) -> (b, t, dims), zeros for the first."""
    return F.pad(frames, (0, 0, 1, 0))[:, :-1]
