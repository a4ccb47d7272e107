"""Poses that OpenHands published: a pickle of two arrays a clip (``.pkl``).

The pickle is a dict of ``keypoints`` (frames, 75, 3) and ``confidences`` (frames, 75): 33 points of
the body, 21 of the left hand, 21 of the right hand, no face.

Decisions
* A pickle is a program. Before it is loaded its operations are compared with those that an array is
  written with, and the only names that it may use are those of numpy's array, replaced by
  :class:`_Array` and :class:`_Dtype`, which only keep what they are given. So nothing of the file
  is called, and no array is made before its announced size is that of its bytes.
* x and y are shares of the picture's width and height, whose sizes are not stored. They are brought
  to pixels of the picture that :data:`PICTURES` assumes by the form of the file's name: known for
  AUTSL, the usual one of a camcorder for LSA64 and INCLUDE, else 4:3, which is a third off at most
  where the picture was square or 16:9. z is a share of the width and stays one, as in ``.pose``
  files.
* A hand that was not seen is zeros with confidence 0. A point at exactly (0, 0, 0), or one that is
  not finite, counts as missing whatever its confidence.

Source: OpenHands (AI4Bharat), its data sets' documentation. Cost: 1 ms for 70 frames.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import re
from functools import lru_cache
from pathlib import PurePath
from typing import Any, NamedTuple

import numpy as np
from pose_format import Pose
from pose_format.numpy import NumPyPoseBody
from pose_format.pose_header import PoseHeader, PoseHeaderComponent, PoseHeaderDimensions

from signclip.core.errors import PoseError
from signclip.poses.checks import check_pose
from signclip.poses.landmarks import BODY, BODY_POINTS, HAND_POINTS, HANDS, LEFT_HAND, RIGHT_HAND

SUFFIX = ".pkl"
POINTS = len(BODY_POINTS) + 2 * HAND_POINTS


class Picture(NamedTuple):
    """What is assumed of the video of a file whose stem has the form ``stem``."""

    stem: re.Pattern[str]
    width: int  # pixels
    height: int
    fps: float


PICTURES = (
    # AUTSL: 512 x 512, says its page
    Picture(re.compile(r"signer\d+_sample\d+_color"), 512, 512, 30.0),
    # LSA64 (sign, signer, repeat), and INCLUDE: 16:9
    Picture(re.compile(r"\d{3}_\d{3}_\d{3}"), 1920, 1080, 60.0),
    Picture(re.compile(r"MVI_\w+"), 1920, 1080, 25.0),
    # all others, whose pictures differ or are not known
    Picture(re.compile(r".*", re.DOTALL), 640, 480, 30.0),
)

_NAMES = {  # what numpy's versions write
    ("numpy", "ndarray"): "array",
    ("numpy", "dtype"): "dtype",
    ("numpy.core.multiarray", "_reconstruct"): "reconstruct",
    ("numpy._core.multiarray", "_reconstruct"): "reconstruct",
    ("numpy.core.numeric", "_frombuffer"): "frombuffer",
    ("numpy._core.numeric", "_frombuffer"): "frombuffer",
}
# of protocols 3 to 5, as far as a dict of arrays needs them
_OPERATIONS = frozenset(
    (
        *("PROTO", "FRAME", "STOP", "MARK", "EMPTY_DICT", "SETITEM", "SETITEMS"),
        *("MEMOIZE", "BINPUT", "BINGET", "LONG_BINGET"),
        *("GLOBAL", "STACK_GLOBAL", "REDUCE", "BUILD"),
        *("SHORT_BINUNICODE", "BINUNICODE", "SHORT_BINBYTES", "BINBYTES", "BINBYTES8"),
        *("BYTEARRAY8", "BININT", "BININT1", "BININT2", "LONG1", "NONE", "NEWTRUE", "NEWFALSE"),
        *("EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"),
    )
)
_DTYPE = re.compile(r"f[248]|[iu][1248]|b1")
_MOST_AXES = 8


class _Dtype:
    """A number format as a pickle states it."""

    def __init__(self, name: Any, *_: Any):
        if not isinstance(name, str) or not _DTYPE.fullmatch(name):
            raise ValueError(f"an array of {str(name)[:20]!r}, not of numbers")
        self.name, self.order = name, "="

    def __setstate__(self, state: tuple) -> None:
        if state[1] not in ("<", ">", "=", "|"):
            raise ValueError("a byte order that does not exist")
        self.order = state[1]

    def real(self) -> np.dtype:
        """The dtype of numpy."""
        return np.dtype(self.order + self.name)


class _Array:
    """An array as a pickle states it: nothing is allocated before :meth:`real`."""

    def __init__(self) -> None:
        self.shape: Any = None
        self.dtype: Any = None
        self.fortran = False
        self.raw: Any = None

    def __setstate__(self, state: tuple) -> None:
        _, self.shape, self.dtype, self.fortran, self.raw = state

    def real(self) -> np.ndarray:
        """The array.

        Raises:
            ValueError: it holds objects, or another number of bytes than its shape announces.
        """
        if not isinstance(self.dtype, _Dtype) or not isinstance(self.raw, bytes | bytearray):
            raise ValueError("an array of objects, or one without content")
        axes = self.shape if isinstance(self.shape, tuple) else (self.shape,)
        if len(axes) > _MOST_AXES or not all(type(n) is int and n >= 0 for n in axes):
            raise ValueError("an array whose shape is none")
        dtype = self.dtype.real()
        size = math.prod(axes) * dtype.itemsize
        if size != len(self.raw):
            raise ValueError(f"an array announces {size:,} bytes, {len(self.raw):,} are there")
        order: Any = "F" if self.fortran else "C"
        return np.frombuffer(self.raw, dtype).reshape(axes, order=order)


class _Callable:
    """Stands for a name in a pickle; unlike a function, a pickle cannot change its attributes."""

    __slots__ = ("kind",)

    def __init__(self, kind: str):
        self.kind = kind

    def __setstate__(self, state: Any) -> None:
        raise ValueError("it changes what it calls")

    def __call__(self, *arguments: Any) -> _Array | _Dtype:
        if self.kind == "dtype":
            return _Dtype(*arguments)
        array = _Array()
        if self.kind == "frombuffer":
            raw, dtype, shape, order = arguments
            array.__setstate__((1, shape, dtype, order == "F", raw))
        elif self.kind != "reconstruct":
            raise ValueError("it calls what is not called to make an array")
        return array


class _Unpickler(pickle.Unpickler):
    """Knows :data:`_NAMES` and nothing else."""

    def find_class(self, module: str, name: str) -> _Callable:
        """What stands for a name.

        Raises:
            ValueError: it is none of numpy's array.
        """
        kind = _NAMES.get((module, name))
        if kind is None:
            raise ValueError(f"it names {module}.{name}"[:100])
        return _Callable(kind)


def _load(data: bytes) -> Any:
    """The object that a pickle of arrays describes.

    Raises:
        ValueError: it does something else than to describe arrays, or is not whole.
    """
    end = 0
    for operation, _, position in pickletools.genops(data):
        if operation.name not in _OPERATIONS:
            raise ValueError(f"it uses the operation {operation.name}, which no array needs")
        end = (position or 0) + 1
    if end != len(data):
        raise ValueError(f"{len(data) - end:,} bytes follow its end")
    return _Unpickler(io.BytesIO(data)).load()


def _arrays(data: bytes) -> tuple[np.ndarray, np.ndarray]:
    """keypoints float64 (frames, 75, 3), confidences float64 (frames, 75).

    Raises:
        ValueError: the pickle holds something else.
    """
    clip = _load(data)
    if not isinstance(clip, dict):
        raise ValueError("it is no dict of keypoints and confidences")
    found = []
    for name in ("keypoints", "confidences"):
        if not isinstance(clip.get(name), _Array):
            raise ValueError(f"it has no array {name}")
        found.append(clip[name].real())
    keypoints, confidences = found
    frames = keypoints.shape[:1]
    for name, array, shape in (
        ("keypoints", keypoints, (*frames, POINTS, 3)),
        ("confidences", confidences, (*frames, POINTS)),
    ):
        if array.shape != shape:
            expected = ", ".join(("frames", *map(str, shape[1:])))
            raise ValueError(f"{name} of shape {array.shape}, expected ({expected})")
    return keypoints.astype(np.float64), confidences.astype(np.float64)


@lru_cache(maxsize=len(PICTURES))
def _header(width: int, height: int) -> PoseHeader:
    parts = {BODY: BODY_POINTS} | {
        hand: tuple(point for _, point in HANDS[hand]) for hand in (LEFT_HAND, RIGHT_HAND)
    }
    components = [
        PoseHeaderComponent(name, list(points), [], [], "XYZC") for name, points in parts.items()
    ]
    return PoseHeader(0.2, PoseHeaderDimensions(width, height, 0), components)


def assumed_picture(path: PurePath | str) -> Picture:
    """What is assumed of the video that a file was made from."""
    stem = PurePath(path).stem
    return next(row for row in PICTURES if row.stem.fullmatch(stem))


def parse(data: bytes, path: PurePath | str, *, sample: str) -> Pose:
    """Parse a clip of OpenHands: body, left hand and right hand in pixels of the assumed picture.

    Args:
        path: of the file; its name tells what is assumed (:data:`PICTURES`).

    Raises:
        PoseError: not such a pickle, or :func:`signclip.poses.check_pose` fails.
    """
    try:
        keypoints, confidences = _arrays(data)
    except Exception as error:  # a damaged pickle ends in a dozen kinds of errors
        reason = str(error) or type(error).__name__
        raise PoseError(sample, f"not a pickle of OpenHands' arrays ({reason})") from None
    picture = assumed_picture(path)
    seen = np.isfinite(keypoints).all(axis=-1) & (keypoints != 0).any(axis=-1)
    with np.errstate(over="ignore", invalid="ignore"):  # check_pose refuses what is too large
        scaled = keypoints * [picture.width, picture.height, 1]
        values = np.where(seen[..., None], scaled, 0.0).astype(np.float32)
        confidence = np.where(seen, confidences, 0.0).astype(np.float32)
    header = _header(picture.width, picture.height)
    pose = Pose(header, NumPyPoseBody(picture.fps, values[:, None], confidence[:, None]))
    check_pose(pose, sample=sample)
    return pose
