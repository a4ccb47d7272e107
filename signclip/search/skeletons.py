"""Looking at found signs: an HTML page of moving skeletons, or a picture with a strip per sign.

Decisions
* The page is one file without anything from outside; it works from a disk and in a mail. Its
  points are whole hundredths of a shoulder width.
* Shown are the upper body, the hands and the contours of the face, in units of the signer's
  shoulder width; what was not detected is not drawn.
* A clip that cannot be read any more is shown with the reason.

Cost: reading the clips; the page takes about 100 kB a sign.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from signclip import poses
from signclip.core import files
from signclip.core.errors import ConfigError, SampleError
from signclip.poses.landmarks import (
    BODY,
    FACE,
    FACE_CONTOURS,
    HAND_PARENT,
    HAND_POINTS,
    HANDS,
    LEFT_HAND,
    RIGHT_HAND,
    index_of,
    pairs,
)
from signclip.search.sources import read_clip

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from signclip.search.index import Hit

SUFFIXES = (".html", ".png")
_ARMS = tuple(f"{side}_{x}" for side in ("LEFT", "RIGHT") for x in ("SHOULDER", "ELBOW", "WRIST"))
_TRUNK = (*_ARMS, "LEFT_HIP", "RIGHT_HIP")
_FACE = pairs(FACE, tuple(map(str, FACE_CONTOURS)))
POINTS = pairs(BODY, _TRUNK) + HANDS[LEFT_HAND] + HANDS[RIGHT_HAND] + _FACE
_LEFT, _RIGHT = len(_TRUNK), len(_TRUNK) + HAND_POINTS
_DOTS = _RIGHT + HAND_POINTS  # from here on points of the face, without lines
_PALM = ((5, 9), (9, 13), (13, 17))
LINES = (
    *((0, 1), (1, 2), (3, 4), (4, 5), (0, 3), (0, 6), (3, 7), (6, 7)),
    *((start + i, start + HAND_PARENT[i]) for start in (_LEFT, _RIGHT) for i in range(1, 21)),
    *((start + i, start + j) for start in (_LEFT, _RIGHT) for i, j in _PALM),
)
_FRAMES = 8  # of a strip
# what is drawn, in shoulder widths from the middle of the shoulders, y down
_LEFT_EDGE, _TOP, _WIDTH, _HEIGHT = -1.3, -1.3, 2.6, 2.8


class Skeleton(NamedTuple):
    """A clip's points: ``xy`` (frames, points, 2) in shoulder widths, NaN where not detected."""

    xy: np.ndarray
    fps: float


def skeleton(path: Path) -> Skeleton:
    """Read the points that are drawn.

    Raises:
        PoseError, VideoError: the clip cannot be used.
    """
    landmarks = poses.centre_and_scale(poses.to_landmarks(read_clip(path)), sample=str(path))
    position = index_of(landmarks.names)
    source = np.array([position.get(name, -1) for name in POINTS])
    valid = landmarks.valid[:, source] & (source >= 0)
    xy = np.where(valid[..., None], landmarks.xyz[:, source, :2], np.nan)
    return Skeleton(xy, landmarks.fps)


def check_out(out: Path) -> None:
    """Refuse a name of another kind before the work.

    Raises:
        ConfigError: it ends neither in ``.html`` nor in ``.png``.
    """
    if out.suffix not in SUFFIXES:
        raise ConfigError(f"{out}: must end in {' or '.join(SUFFIXES)}")


def write(out: Path, query: str, hits: Sequence[Hit]) -> None:
    """Write a page or a picture of found signs; the suffix decides.

    Args:
        query: the text or the path of the clip that was searched for.

    Raises:
        ConfigError: :func:`check_out`, or it cannot be written.
    """
    check_out(out)
    shown: list[Skeleton | str] = []
    for hit in hits:
        try:
            shown.append(skeleton(Path(hit.path)))
        except SampleError as error:
            shown.append(error.reason)
    with files.atomic_file(out) as partial:
        if out.suffix == ".html":
            partial.write_text(_page(query, hits, shown), encoding="utf-8")
        else:
            _draw(partial, query, hits, shown)


def caption(rank: int, hit: Hit) -> str:
    """One line about a hit: rank, text, sign language, score."""
    what = " ".join(filter(None, (hit.text, f"({hit.sign_language})" * bool(hit.sign_language))))
    return f"{rank}. {what or hit.id}  {hit.score:.3g}"


def _page(query: str, hits: Sequence[Hit], shown: Sequence[Skeleton | str]) -> str:
    signs: list[dict[str, Any]] = []
    for rank, (hit, one) in enumerate(zip(hits, shown, strict=True), start=1):
        about: dict[str, Any] = {"title": caption(rank, hit), "id": hit.id}
        if isinstance(one, str):
            about["reason"] = one
        else:
            about |= {"fps": one.fps, "frames": whole_numbers(one.xy)}
        signs.append(about)
    text = script_data({"query": query, "signs": signs} | drawing())
    template = resources.files("signclip.search").joinpath("page.html").read_text("utf-8")
    return template.replace("/*PLAYER*/", player()).replace("/*DATA*/", text)


def drawing() -> dict[str, Any]:
    """What a page needs to draw any skeleton: ``lines`` (pairs of points), ``dots`` (the points
    from here on have no lines) and ``view`` (left, top, width, height in hundredths).
    """
    view = [100 * x for x in (_LEFT_EDGE, _TOP, _WIDTH, _HEIGHT)]
    return {"lines": LINES, "dots": _DOTS, "view": view}


def whole_numbers(xy: np.ndarray) -> list[list[int]]:
    """Each frame's points as x, y, x, y, ... in hundredths; -32768: not detected."""
    whole = np.nan_to_num(xy * 100, nan=-32768).clip(-32768, 32767).round()
    frames: list[list[int]] = whole.astype(int).reshape(len(whole), -1).tolist()
    return frames


def player() -> str:
    """The script that draws skeletons, for pages that contain it."""
    return resources.files("signclip.search").joinpath("player.js").read_text("utf-8")


def script_data(values: Any) -> str:
    """Values as JSON inside a script element, which no text of them can end."""
    text = json.dumps(values, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")


def _draw(out: Path, query: str, hits: Sequence[Hit], shown: Sequence[Skeleton | str]) -> None:
    from matplotlib.figure import Figure  # half a second

    rows = len(hits)
    figure = Figure(figsize=(1.1 * _FRAMES, 1.45 * rows + 0.4), layout="constrained")
    figure.suptitle(_plain(query), fontsize=10, parse_math=False)
    grid = figure.subplots(rows, _FRAMES, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
        axes.set(xlim=(_LEFT_EDGE, _LEFT_EDGE + _WIDTH), ylim=(_TOP + _HEIGHT, _TOP))
        axes.set_aspect("equal")
    for rank, (hit, one, strip) in enumerate(zip(hits, shown, grid, strict=True), start=1):
        title = caption(rank, hit) + (f": {one}" if isinstance(one, str) else "")
        strip[0].set_title(_plain(title), fontsize=8, loc="left", parse_math=False)
        if isinstance(one, Skeleton):
            middles = (np.arange(_FRAMES) + 0.5) / _FRAMES * len(one.xy)
            for axes, frame in zip(strip, middles.astype(int), strict=True):
                _draw_frame(axes, one.xy[frame])
    figure.savefig(out, format="png", dpi=110, metadata={"Software": None})


def _draw_frame(axes: Axes, xy: np.ndarray) -> None:
    from matplotlib.collections import LineCollection

    lines = xy[np.array(LINES)]  # (lines, 2, 2); one with a NaN is not drawn
    axes.add_collection(LineCollection(list(lines), colors="#333333", linewidths=0.7))
    axes.plot(*xy[_DOTS:].T, ".", color="#999999", markersize=0.8)


def _plain(text: str) -> str:
    """A text in one line, at most 100 characters."""
    line = " ".join(text.split())
    return line if len(line) <= 100 else f"{line[:99]}…"
