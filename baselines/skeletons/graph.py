"""The skeleton graph: which keypoints the models read, and the tree that connects them.

Decisions
* The points are those that matter for signing: upper body, both hands, lips. They come from the
  feature variant ``reduced_face_mirrored``, the only one that has the outline of the lips, marks
  each point as detected or not, and mirrors a clip of the left hand alone into one of the right.
  57 of its 203 points are used, x and y only: z is the detector's guess and 100 times smaller there
  (MMAction2's keypoint models take x, y and a score, too).
* The graph is a tree with the nose as its centre. Each point's parent is the previous point on the
  way to the nose; a hand's wrist is a child of the arm's wrist. A bone is the vector from the
  parent to the point. Any selection of points is a tree again: a point's parent is then its nearest
  selected ancestor.
* The shoulders are children of the nose, the lower lip of the upper lip, so that left and right are
  mirror images.

Cost: built from names in microseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from signclip import poses
from signclip.core.errors import ConfigError
from signclip.poses.landmarks import (
    BODY,
    FACE,
    HAND_PARENT,
    HANDS,
    LEFT_HAND,
    RIGHT_HAND,
    PointName,
)

VARIANT = "reduced_face_mirrored"
NOSE: PointName = (BODY, "NOSE")
# Outer outline of the lips, as numbers of MediaPipe's face mesh: point -> parent. The signer's
# right half stands beside the left one; 61 and 291 are the corners.
_LIPS: dict[str, str | None] = {
    "0": None,  # middle of the upper lip
    "17": "0",  # middle of the lower lip
    "37": "0",
    "267": "0",
    "61": "37",
    "291": "267",
    "84": "61",
    "314": "291",
}
# The points that describe most of a hand's shape: wrist, and middle and tip of each finger.
_COARSE_HAND = (0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20)


def _parents() -> dict[PointName, PointName | None]:
    """Each point's parent; parents come before their children."""
    parents: dict[PointName, PointName | None] = {NOSE: None}
    for side in ("LEFT", "RIGHT"):
        arm = [NOSE, *((BODY, f"{side}_{joint}") for joint in ("SHOULDER", "ELBOW", "WRIST"))]
        parents |= dict(zip(arm[1:], arm, strict=False))
    parents |= {
        (FACE, point): NOSE if parent is None else (FACE, parent) for point, parent in _LIPS.items()
    }
    for part, side in ((LEFT_HAND, "LEFT"), (RIGHT_HAND, "RIGHT")):
        hand = HANDS[part]
        parents[hand[0]] = (BODY, f"{side}_WRIST")
        parents |= {hand[i]: hand[HAND_PARENT[i]] for i in range(1, len(hand))}
    return parents


_PARENT = _parents()
# Selections of points by name, for recipes and exports.
POINTS: dict[str, tuple[PointName, ...]] = {
    "signing": tuple(_PARENT),
    # For PoseC3D on a CPU. Its maps are cropped to the points: without the body the hands fill
    # them, and there are 22 maps instead of 57.
    "both_hands": HANDS[LEFT_HAND] + HANDS[RIGHT_HAND],
    "hands": tuple(HANDS[part][i] for part in (LEFT_HAND, RIGHT_HAND) for i in _COARSE_HAND),
}


@dataclass(frozen=True)
class Skeleton:
    """A selection of points and the tree that connects them.

    Attributes:
        names: (component, point) of each point.
        parents: index of each point's parent; a root is its own parent.
        centre: index of the root nearest to the nose.
        columns: index of each point among the points of :data:`VARIANT`.
    """

    names: tuple[PointName, ...]
    parents: tuple[int, ...]
    centre: int
    columns: tuple[int, ...]

    @cached_property
    def inward(self) -> list[tuple[int, int]]:
        """Edges in MMAction2's order: (point, parent)."""
        return [(i, parent) for i, parent in enumerate(self.parents) if i != parent]

    @cached_property
    def each_hand(self) -> list[list[int]]:
        """Indices of the points of the left and of the right hand, the wrist first."""
        return [[i for i, (part, _) in enumerate(self.names) if part == side] for side in HANDS]

    @cached_property
    def hands(self) -> list[int]:
        """Indices of the points of both hands."""
        return [i for hand in self.each_hand for i in hand]

    def layout(self) -> dict[str, Any]:
        """The ``layout`` of ``mmaction.models.utils.Graph``."""
        return {"num_node": len(self.names), "inward": list(self.inward), "center": self.centre}


def build(names: Sequence[PointName]) -> Skeleton:
    """Build the tree of a selection of points.

    Points without a selected ancestor become children of the first selected point, so that the
    graph is connected.

    Raises:
        ConfigError: a point is not in the graph, or none is selected.
    """
    unknown = [name for name in names if name not in _PARENT]
    if unknown or not names:
        raise ConfigError(f"no such points in the graph: {unknown or 'none is selected'}")
    index = {name: i for i, name in enumerate(names)}
    # _PARENT lists parents first, so its first selected point is the nearest to the nose
    root = index[next(name for name in _PARENT if name in index)]
    parents = []
    for name in names:
        ancestor = _PARENT[name]
        while ancestor is not None and ancestor not in index:
            ancestor = _PARENT[ancestor]
        parents.append(root if ancestor is None else index[ancestor])
    column = {name: i for i, name in enumerate(poses.point_names(VARIANT))}
    return Skeleton(
        names=tuple(names),
        parents=tuple(parents),
        centre=root,
        columns=tuple(column[name] for name in names),
    )


@cache
def skeleton(points: str) -> Skeleton:
    """The skeleton of a selection of :data:`POINTS`.

    Raises:
        ConfigError: there is no such selection.
    """
    if points not in POINTS:
        raise ConfigError(f"unknown selection of points {points!r}; there are {', '.join(POINTS)}")
    return build(POINTS[points])
