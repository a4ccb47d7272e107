"""The graph of a signer's points that skeleton models walk along.

Decisions
* Points are those that matter for signing: upper body, both hands, lips. They come from the feature
  variant ``reduced_face_mirrored``: the only one that has the outline of the lips, says of each
  point whether it was seen, and shows a clip of the left hand alone as one of the right. Of its 203
  points 57 are used; x and y alone, since z is a guess of the detector and 100 times smaller there
  (MMAction2's keypoint models take x, y and a score, too).
* The graph is a tree: each point hangs on the one before it on the way to the nose, the centre; a
  hand's wrist on the arm's. A bone is the step from there to the point. So any selection of points
  is a tree again: a point hangs on the nearest chosen one on its way.
* The shoulders hang on the nose, the lower lip on the upper one, so that left and right are mirror
  images.

Cost: built from names in microseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from signclip import poses
from signclip.core.errors import ConfigError
from signclip.poses.landmarks import BODY, FACE, HAND_PARENT, HANDS, LEFT_HAND, RIGHT_HAND, Name

VARIANT = "reduced_face_mirrored"
NOSE: Name = (BODY, "NOSE")
# Outer outline of the lips by number of MediaPipe's face mesh -> the one before it; the signer's
# right half beside the left one, of which the corners are 61 and 291.
_LIPS: dict[str, str | None] = {
    "0": None,  # the upper lip's middle
    "17": "0",  # the lower lip's
    "37": "0",
    "267": "0",
    "61": "37",
    "291": "267",
    "84": "61",
    "314": "291",
}
# The points of a hand that tell most of its shape: wrist, and each finger's middle and tip.
_COARSE_HAND = (0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20)


def _parents() -> dict[Name, Name | None]:
    """Each point's parent, parents first."""
    parents: dict[Name, Name | None] = {NOSE: None}
    for side in ("LEFT", "RIGHT"):
        way = [NOSE, *((BODY, f"{side}_{joint}") for joint in ("SHOULDER", "ELBOW", "WRIST"))]
        parents |= dict(zip(way[1:], way, strict=False))
    parents |= {
        (FACE, point): NOSE if before is None else (FACE, before) for point, before in _LIPS.items()
    }
    for part, side in ((LEFT_HAND, "LEFT"), (RIGHT_HAND, "RIGHT")):
        hand = HANDS[part]
        parents[hand[0]] = (BODY, f"{side}_WRIST")
        parents |= {hand[i]: hand[HAND_PARENT[i]] for i in range(1, len(hand))}
    return parents


_PARENT = _parents()
# Selections by name; ``params.yaml`` chooses among them.
POINTS: dict[str, tuple[Name, ...]] = {
    "signing": tuple(_PARENT),
    # PoseC3D on a CPU: its maps are cut out around the points, so that of the hands alone a hand
    # fills them, and there are 22 of them instead of 57
    "both_hands": HANDS[LEFT_HAND] + HANDS[RIGHT_HAND],
    "hands": tuple(HANDS[part][i] for part in (LEFT_HAND, RIGHT_HAND) for i in _COARSE_HAND),
}


@dataclass(frozen=True)
class Skeleton:
    """Chosen points and how they hang together.

    Attributes:
        names: (component, point) of each.
        parents: of each its parent's place; a root's is its own.
        centre: place of the root nearest to the nose.
        columns: of each its place among the points of :data:`VARIANT`.
    """

    names: tuple[Name, ...]
    parents: tuple[int, ...]
    centre: int
    columns: tuple[int, ...]

    @cached_property
    def inward(self) -> list[tuple[int, int]]:
        """Edges as MMAction2 has them: (point, parent)."""
        return [(i, parent) for i, parent in enumerate(self.parents) if i != parent]

    @cached_property
    def of_hands(self) -> list[list[int]]:
        """Places of each hand's points, its wrist first."""
        return [[i for i, (part, _) in enumerate(self.names) if part == side] for side in HANDS]

    @cached_property
    def hands(self) -> list[int]:
        """Places of both hands' points."""
        return [place for hand in self.of_hands for place in hand]

    def layout(self) -> dict[str, Any]:
        """What ``mmaction.models.utils.Graph`` takes as its layout."""
        return {"num_node": len(self.names), "inward": list(self.inward), "center": self.centre}


def of(names: Sequence[Name]) -> Skeleton:
    """The tree of some points.

    Points without a chosen one on their way to the nose hang on the first of them, so that the
    graph is connected.

    Raises:
        ConfigError: a point is not in the graph, or none is chosen.
    """
    unknown = [name for name in names if name not in _PARENT]
    if unknown or not names:
        raise ConfigError(f"no such points in the graph: {unknown or 'none is chosen'}")
    place = {name: i for i, name in enumerate(names)}
    # parents come before children in _PARENT: the first chosen one is as near to the nose as any
    root = place[next(name for name in _PARENT if name in place)]
    parents = []
    for name in names:
        before = _PARENT[name]
        while before is not None and before not in place:
            before = _PARENT[before]
        parents.append(root if before is None else place[before])
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
        ConfigError: no such selection.
    """
    if points not in POINTS:
        raise ConfigError(f"unknown selection of points {points!r}; there are {', '.join(POINTS)}")
    return of(POINTS[points])
