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
* A hand that is not seen is zeros, and a number beside it says so.

Cost: some 600 numbers a frame, about as much as the first linear layer.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from signclip.points import BODY, HAND_PARENT, HAND_POINTS, SIGNING, SIGNING_LEFT, SIGNING_RIGHT

NOSE = SIGNING.index((BODY, "NOSE"))
POINT_DIMS = 3 * len(SIGNING)
TIPS = (4, 8, 12, 16, 20)
MOVING = (0, 4, 8, 20)  # wrist, and tips of thumb, index and little finger
LEAST = 1e-4  # a length that is divided by, in reaches of a hand (or shoulder widths)


def reach(hand: Tensor) -> Tensor:
    """Farthest point from the wrist: (..., 21, 3) -> (...)."""
    return (hand - hand[..., :1, :]).norm(dim=-1).amax(dim=-1)


class HandFeatures(nn.Module):
    """Points of the variant ``signing`` to features: (b, t, 159) -> (b, t, dims)."""

    def __init__(self) -> None:
        super().__init__()
        first, second = np.triu_indices(HAND_POINTS, 1)
        # neighbours on a finger are as far apart as the bone is long: nothing to tell
        apart = np.array([HAND_PARENT[b] != a for a, b in zip(first, second, strict=True)])
        bends = [i for i in range(HAND_POINTS) if HAND_PARENT[i] != 0]
        for name, index in {
            "parent": HAND_PARENT,
            "first": first[apart],
            "second": second[apart],
            "bends": bends,
            "before": [HAND_PARENT[i] for i in bends],
            "tips": TIPS,
            "moving": MOVING,
        }.items():
            self.register_buffer(name, torch.as_tensor(np.asarray(index)), persistent=False)

    @property
    def dims(self) -> int:
        """Numbers a frame."""
        return self(torch.zeros(1, 1, POINT_DIMS)).shape[-1]

    def forward(self, frames: Tensor) -> Tensor:
        points = frames.unflatten(-1, (len(SIGNING), 3))
        right, left = points[..., SIGNING_RIGHT, :], points[..., SIGNING_LEFT, :]
        sees_right, sees_left = (
            (hand != 0).flatten(-2).any(dim=-1, keepdim=True).to(frames.dtype)
            for hand in (right, left)
        )
        both = sees_right * sees_left
        right_reach = reach(right)[..., None].clamp_min(LEAST)
        between_tips = left[..., self.tips, None, :] - right[..., None, self.tips, :]
        tips_apart = (between_tips.norm(dim=-1).flatten(-2) / right_reach).clamp(max=4)
        from_nose = right[..., 0, :2] - points[..., NOSE, :2]
        to_other = left[..., 0, :2] - right[..., 0, :2]
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
                self._motion(right[..., self.moving, :2], sees_right),
            ],
            dim=-1,
        )

    def _shape(self, hand: Tensor) -> Tensor:
        """(b, t, 21, 3) -> (b, t, numbers), whatever the hand's place and size."""
        hand = hand - hand[..., :1, :]
        hand = hand / reach(hand)[..., None, None].clamp_min(LEAST)
        bones = hand - hand[..., self.parent, :]
        bones = bones / bones.norm(dim=-1, keepdim=True).clamp_min(LEAST)
        cosines = (bones[..., self.bends, :] * bones[..., self.before, :]).sum(dim=-1)
        apart = (hand[..., self.first, :] - hand[..., self.second, :]).norm(dim=-1)
        return torch.cat(
            [hand[..., 1:, :].flatten(-2), bones[..., 1:, :].flatten(-2) / 2, cosines, apart - 0.6],
            dim=-1,
        )

    def _motion(self, places: Tensor, seen: Tensor) -> Tensor:
        """(b, t, points, 2) in shoulder widths -> their steps since the frame before."""
        steps = torch.zeros_like(places)
        steps[:, 1:] = (places[:, 1:] - places[:, :-1]).clamp(-1, 1)
        since = torch.zeros_like(seen)
        since[:, 1:] = seen[:, 1:] * seen[:, :-1]
        return 4 * since * steps.flatten(-2)
