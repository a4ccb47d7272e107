"""Drawing skeletons of MediaPipe Holistic poses.

Decisions
* A hand is a grey palm and five thick strokes, one colour per finger. A stroke has a white edge and
  fingers that are farther from the camera are drawn first, so that crossed fingers can be read. The
  limbs are those of MediaPipe's and pose-format's headers, where the palm is the polygon of its
  limbs.
* The body is a pale trunk with arms, from the neck to the hips; an arm ends at the hand's own
  wrist where that hand was detected. The face is its outline with brows, eyes and lips.
* A frame is drawn through a :class:`View`, so that many frames share one pair of axes.

Cost: a few ms a frame.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import Collection, LineCollection, PolyCollection
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from benchmarks.points.skeletons import (
    ARMS,
    BODY_PART,
    FACE_OUTLINES,
    FACE_PART,
    LEFT,
    RIGHT,
    TRUNK,
)
from benchmarks.report.drawing import OKABE_ITO
from signclip.poses.landmarks import BODY_POINTS, HAND_POINTS

PALM = (0, 1, 5, 9, 13, 17)
FINGERS = {
    "thumb": (1, 2, 3, 4),
    "index": (5, 6, 7, 8),
    "middle": (9, 10, 11, 12),
    "ring": (13, 14, 15, 16),
    "little": (17, 18, 19, 20),
}
COLOURS = dict(
    zip(
        FINGERS,
        (OKABE_ITO[x] for x in ("vermillion", "blue", "orange", "green", "purple")),
        strict=True,
    )
)
JAW, NECK = (172, 397), 0.75  # points of the jaw; the neck as a share of their distance
PALM_COLOUR, TRUNK_COLOUR, LINE = "#D9D9D9", "#E6E6E6", "#9A9A9A"
EDGE = 0.7  # the white on both sides of a finger, as a share of its width
HAND_SHARE = 0.5  # of a unit of the axes


class View(NamedTuple):
    """Where a part of a picture of the signer lies in the axes.

    Attributes:
        centre: x, y in shoulder widths that lie at ``at``.
        size: shoulder widths that fill one unit of the axes.
        at: x, y in the axes, y down.
    """

    centre: np.ndarray
    size: float
    at: tuple[float, float] = (0.0, 0.0)

    def place(self, xy: np.ndarray) -> np.ndarray:
        """Points (n, 2 or more) in the axes, (n, 2)."""
        return np.asarray(self.at) + (xy[:, :2] - self.centre) / self.size


class Stroke(NamedTuple):
    """A line of a skeleton: path (n, 2), colour and width in points."""

    path: np.ndarray
    colour: str
    width: float


def hand_of(frame: pd.DataFrame, part: str) -> np.ndarray | None:
    """A hand of one frame, (21, 3), or None if it was not detected as a whole.

    Args:
        frame: rows of one frame; see :mod:`benchmarks.points.skeletons`.
    """
    rows = frame[frame["part"] == part].sort_values("point")
    return rows[["x", "y", "z"]].to_numpy() if len(rows) == HAND_POINTS else None


def hands_of(frame: pd.DataFrame) -> list[np.ndarray]:
    """The detected hands of one frame, (21, 3) each."""
    found = (hand_of(frame, part) for part in (LEFT, RIGHT))
    return [hand for hand in found if hand is not None]


def palm_length(hand: np.ndarray) -> float:
    """Distance in the picture from the wrist to the knuckle of the middle finger."""
    return float(np.linalg.norm(hand[9, :2] - hand[0, :2]))


def around(points: np.ndarray, *, least: float = 0.0) -> View:
    """A view of points (n, 2 or more) that just holds them, and ``least`` shoulder widths."""
    low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    return View((low + high) / 2, max(float((high - low).max()), least))


def draw_hands(axes: Axes, hands: Iterable[tuple[np.ndarray, View]], *, width: float) -> None:
    """Draw hands (21, 3), each through its view.

    Args:
        width: of a finger in points where the hand takes :data:`HAND_SHARE` of a unit or more;
            smaller hands have thinner fingers, down to half.
    """
    palms, widths, strokes = [], [], []
    for hand, view in hands:
        xy = view.place(hand)
        thick = width * float(np.clip(np.ptp(xy, axis=0).max() / HAND_SHARE, 0.5, 1))
        palms.append(xy[list(PALM)])
        widths.append(thick * 0.8)
        for name in sorted(FINGERS, key=lambda name: -hand[list(FINGERS[name]), 2].mean()):
            path = xy[list(FINGERS[name])]
            strokes.append(Stroke(path, "white", thick * (1 + EDGE)))
            strokes.append(Stroke(path, COLOURS[name], thick))
    _fill(axes, palms, PALM_COLOUR, widths, zorder=3)
    _lines(axes, strokes, zorder=4)


def draw_body(
    axes: Axes, frame: pd.DataFrame, view: View, *, width: float, clip: Patch | None = None
) -> None:
    """Draw the upper body and face of one frame.

    Args:
        width: of arms in points.
        clip: what lies outside of it is not drawn.
    """
    xy = {
        (part, point): position
        for part, point, position in zip(
            frame["part"], frame["point"], view.place(frame[["x", "y"]].to_numpy()), strict=True
        )
    }
    trunk = _path(xy, BODY_PART, [BODY_POINTS.index(name) for name in TRUNK])
    face = {name: _path(xy, FACE_PART, outline) for name, outline in FACE_OUTLINES.items()}
    oval, jaw = face.pop("oval"), _path(xy, FACE_PART, JAW)
    shapes: list[Collection] = []
    if len(trunk) > 2:
        shapes.append(_fill(axes, [trunk], TRUNK_COLOUR, width, zorder=1))
    if len(trunk) > 2 and len(jaw) == len(JAW):
        across = jaw.mean(axis=0) + (jaw - jaw.mean(axis=0)) * NECK
        neck = np.array([*across, *np.column_stack([across[::-1, 0], trunk[:2, 1]])])
        shapes.append(_fill(axes, [neck], TRUNK_COLOUR, width, zorder=1))
    if len(oval) > 2:
        shapes.append(_fill(axes, [oval], TRUNK_COLOUR, width * 0.6, edge=LINE, zorder=1.5))
    strokes = []
    for name, path in face.items():
        closed = len(path) > 2 and not name.endswith("brow")
        strokes.append(Stroke(path[[*range(len(path)), 0]] if closed else path, LINE, width * 0.4))
    for side, arm in zip((LEFT, RIGHT), ARMS, strict=True):
        path = _path(xy, BODY_PART, [BODY_POINTS.index(name) for name in arm])
        if (side, 0) in xy and len(path) == len(arm):
            path[-1] = xy[side, 0]
        strokes.append(Stroke(path, LINE, width))
    shapes.append(_lines(axes, [one for one in strokes if len(one.path) > 1], zorder=2))
    for shape in shapes if clip is not None else ():
        shape.set_clip_path(clip)


def finger_legend() -> list[Line2D]:
    """Handles of a legend of the fingers."""
    return [
        Line2D([], [], color=colour, linewidth=2, solid_capstyle="round", label=name)
        for name, colour in COLOURS.items()
    ]


def _path(xy: dict[tuple[str, int], np.ndarray], part: str, points: Sequence[int]) -> np.ndarray:
    """The points of a part that were detected, (n, 2)."""
    return np.array([xy[part, i] for i in points if (part, i) in xy]).reshape(-1, 2)


def _fill(
    axes: Axes,
    polygons: Sequence[np.ndarray],
    colour: str,
    width: float | Sequence[float],
    *,
    zorder: float,
    edge: str | None = None,
) -> PolyCollection:
    """Filled polygons with round corners: their edges are drawn in the same colour."""
    shapes = PolyCollection(
        polygons, facecolor=colour, edgecolor=edge or colour, linewidth=width, zorder=zorder
    )
    shapes.set_joinstyle("round")
    axes.add_collection(shapes, autolim=False)
    return shapes


def _lines(axes: Axes, strokes: Sequence[Stroke], *, zorder: float) -> LineCollection:
    lines = LineCollection(
        [one.path for one in strokes],
        colors=[one.colour for one in strokes],
        linewidths=[one.width for one in strokes],
        capstyle="round",
        joinstyle="round",
        zorder=zorder,
    )
    axes.add_collection(lines, autolim=False)
    return lines
