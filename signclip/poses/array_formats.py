"""Poses published as arrays: Kaggle asl-signs (``.parquet``) and Sem-Lex (``.npy``).

Decisions
* A point with a NaN coordinate counts as not detected. The authors' code gives such points full
  confidence, so that one NaN shoulder turns its whole clip into NaN and then into zeros; here only
  that point is missing.
* Coordinates keep the scale of their corpus, as in the paper's experiments: Kaggle's x and y lie in
  [0, 1] and are not corrected for the picture's aspect ratio; Sem-Lex's x and y are multiplied by
  640 and 480, its z by 1. So z is far larger relative to x in Kaggle than in ``.pose`` files.

Cost: 3 ms for 70 frames of Kaggle's Parquet.
"""

from __future__ import annotations

import math
from functools import lru_cache
from io import BytesIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pose_format import Pose
from pose_format.numpy import NumPyPoseBody
from pose_format.pose_header import PoseHeader, PoseHeaderComponent, PoseHeaderDimensions

from signclip.core import parquet
from signclip.core.errors import PoseError
from signclip.poses.checks import check_pose
from signclip.poses.landmarks import (
    BODY,
    BODY_POINTS,
    FACE,
    FACE_MESH_POINTS,
    HAND_POINTS,
    HANDS,
    IRIS_POINTS,
    LEFT_HAND,
    RIGHT_HAND,
)

ASSUMED_FPS = 30.0  # neither corpus records the frame rate; the authors' code assumes the same
SEM_LEX_SCALE = (640.0, 480.0, 1.0)  # as in the authors' code
_KAGGLE_COMPONENTS = {  # Kaggle's type -> component and its number of points, in our order
    "pose": (BODY, len(BODY_POINTS)),
    "face": (FACE, FACE_MESH_POINTS),
    "left_hand": (LEFT_HAND, HAND_POINTS),
    "right_hand": (RIGHT_HAND, HAND_POINTS),
}


@lru_cache(maxsize=4)
def _header(face_points: int, width: int, height: int) -> PoseHeader:
    parts = {
        BODY: BODY_POINTS,
        FACE: tuple(map(str, range(face_points))),
        LEFT_HAND: tuple(point for _, point in HANDS[LEFT_HAND]),
        RIGHT_HAND: tuple(point for _, point in HANDS[RIGHT_HAND]),
    }
    components = [
        PoseHeaderComponent(name, list(points), [], [], "XYZC") for name, points in parts.items()
    ]
    return PoseHeader(0.2, PoseHeaderDimensions(width, height, 0), components)


def _pose(xyz: np.ndarray, header: PoseHeader, *, sample: str) -> Pose:
    """A checked pose of (frames, points, 3) coordinates; what is not finite is not detected."""
    detected = np.isfinite(xyz).all(axis=-1)
    values = np.where(detected[..., None], xyz, 0.0).astype(np.float32)
    body = NumPyPoseBody(ASSUMED_FPS, values[:, None], detected[:, None].astype(np.float32))
    pose = Pose(header, body)
    check_pose(pose, sample=sample)
    return pose


def parse_kaggle(data: bytes, *, sample: str) -> Pose:
    """Parse one sequence of Kaggle asl-signs: (frame, row_id, type, landmark_index, x, y, z).

    Points are found by type and index, not by the order of rows, in which published copies differ.
    Frames are the distinct frame numbers, ascending. x and y are shares of the picture.

    Raises:
        PoseError: not such a table; an unknown type or index; a point that occurs twice in a frame;
            or :func:`signclip.poses.check_pose` fails.
    """
    columns = ["frame", "type", "landmark_index", "x", "y", "z"]
    try:
        there = parquet.column_names(data)
        if missing := [name for name in columns if name not in there]:
            reason = f"column {', '.join(missing)} is missing; it has {', '.join(there)}"
            raise PoseError(sample, reason)
        table = parquet.parse(data, columns)
    except (pa.ArrowException, OSError) as error:
        problem = str(error).splitlines()[0]
        raise PoseError(sample, f"not a Parquet file of landmarks ({problem})") from None
    try:
        kinds = table["type"].cast(pa.string())
        table = table.set_column(0, "frame", table["frame"].cast(pa.int64()))
        table = table.set_column(2, "landmark_index", table["landmark_index"].cast(pa.int64()))
        for column, axis in enumerate("xyz", start=3):
            table = table.set_column(column, axis, table[axis].cast(pa.float64()))
    except pa.ArrowException as error:
        raise PoseError(sample, f"a column is of another type ({error})") from None
    if table["frame"].null_count or table["landmark_index"].null_count:
        raise PoseError(sample, "a frame or landmark_index is missing")
    kind = pc.index_in(kinds, value_set=pa.array(_KAGGLE_COMPONENTS)).to_numpy(zero_copy_only=False)
    index = table["landmark_index"].to_numpy()
    sizes = np.array([size for _, size in _KAGGLE_COMPONENTS.values()])
    if np.isnan(kind.astype(float)).any():
        raise PoseError(sample, f"a type is none of {', '.join(_KAGGLE_COMPONENTS)}")
    kind = kind.astype(int)
    if ((index < 0) | (index >= sizes[kind])).any():
        raise PoseError(sample, "a landmark_index is not among its type's points")
    values = np.stack([table[axis].to_numpy() for axis in "xyz"], axis=1)
    numbers = np.isfinite(values).any(axis=0)
    if numbers.any() and not numbers.all():
        axis = "xyz"[int(np.argmin(numbers))]
        raise PoseError(sample, f"column {axis} has no number; variants need x, y and z")
    frames, frame = np.unique(table["frame"].to_numpy(), return_inverse=True)
    point = (np.cumsum(sizes) - sizes)[kind] + index
    place = frame * sizes.sum() + point
    if len(np.unique(place)) != len(place):
        raise PoseError(sample, "a landmark occurs twice in a frame")
    xyz = np.full((len(frames) * sizes.sum(), 3), np.nan)
    xyz[place] = values
    header = _header(FACE_MESH_POINTS, 1, 1)
    return _pose(xyz.reshape(len(frames), sizes.sum(), 3), header, sample=sample)


def _read_npy(data: bytes, sample: str) -> np.ndarray:
    """The array of a ``.npy`` file, whose size must be what its header announces.

    ``np.load`` would allocate what is announced before it looks at what is there.

    Raises:
        PoseError: it is none, or of another size.
    """
    stream = BytesIO(data)
    try:
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[np.lib.format.read_magic(stream)]
        shape, fortran, dtype = read_header(stream)
        if dtype.hasobject:
            raise ValueError("it holds Python objects")
        size, there = math.prod(shape) * dtype.itemsize, len(data) - stream.tell()
        if size != there:
            raise ValueError(f"its header announces {size:,} bytes, {there:,} are there")
        values = np.frombuffer(data, dtype, offset=stream.tell())
        return values.reshape(shape, order="F" if fortran else "C")
    except Exception as error:  # numpy parses the header as Python: six kinds of errors
        raise PoseError(sample, f"not a whole .npy file ({error})") from None


def parse_sem_lex(data: bytes, *, sample: str) -> Pose:
    """Parse a Sem-Lex array (frames, 553, 3): 478 face, 33 body, 21 left, 21 right hand points.

    The pose has body, face, left hand and right hand, in pixels of a 640 x 480 picture. Whether a
    point was detected is not published; one that is NaN or exactly (0, 0, 0) counts as missing.
    (The authors' code takes all as detected, which puts a missing hand into the picture's corner.)

    Raises:
        PoseError: not such an array, or :func:`signclip.poses.check_pose` fails.
    """
    array = _read_npy(data, sample)
    face, body = FACE_MESH_POINTS + IRIS_POINTS, len(BODY_POINTS)
    points = face + body + 2 * HAND_POINTS
    if array.ndim != 3 or array.shape[1:] != (points, 3):
        raise PoseError(sample, f"array of shape {array.shape}, expected (frames, {points}, 3)")
    if array.dtype.kind != "f":
        raise PoseError(sample, f"array of {array.dtype}, expected floating-point numbers")
    order = np.r_[face : face + body, 0:face, face + body : points]
    xyz = array[:, order].astype(np.float64)
    xyz[(xyz == 0).all(axis=-1)] = np.nan
    width, height, _ = map(int, SEM_LEX_SCALE)
    return _pose(xyz * np.array(SEM_LEX_SCALE), _header(face, width, height), sample=sample)
