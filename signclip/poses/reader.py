"""From a clip's file to a pose, in whatever form its corpus publishes it.

Decisions
* The file's suffix says its form: ``.pose``; ``.parquet`` (one sequence of Kaggle asl-signs);
  ``.npy`` (Sem-Lex). All become the same checked :class:`pose_format.Pose`, so every variant works
  on every corpus. A video is refused with the command that makes its pose.
* A coordinate that is NaN is a point that was not detected. The reference gives such points full
  confidence, so that one NaN shoulder turns its whole clip into NaN, hence into zeros; here only
  the point is missing.
* Coordinates keep their corpus's scale, as in the paper's experiments: Kaggle's x and y lie in
  [0, 1] and are not corrected for the picture's shape; Sem-Lex's are multiplied by 640 and 480, its
  z by 1. So z is far larger next to x in Kaggle than in ``.pose`` files (facts 3 and 5).

Cost: 1 ms for a ``.pose``, 3 ms for 70 frames of Kaggle's parquet.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pose_format import Pose
from pose_format.numpy import NumPyPoseBody
from pose_format.pose_header import PoseHeader, PoseHeaderComponent, PoseHeaderDimensions

from signclip.core import parquet
from signclip.core.errors import PoseError
from signclip.poses import FACE_MESH_POINTS, check_pose, parse_pose
from signclip.poses.landmarks import (
    BODY,
    BODY_POINTS,
    FACE,
    HAND_POINTS,
    HANDS,
    LEFT_HAND,
    RIGHT_HAND,
)

# Names that a folder is searched for; a file named by itself may be called anything.
VIDEO_SUFFIXES = (
    *(".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov"),
    *(".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".webm", ".wmv"),
)
ASSUMED_FPS = 30.0  # neither corpus of arrays records it; the reference assumes as much (facts 5)
SEM_LEX_SCALE = (640.0, 480.0, 1.0)  # facts 5
IRIS_POINTS = 10
_KAGGLE_PARTS = {  # type -> component, in the order of ours
    "pose": (BODY, len(BODY_POINTS)),
    "face": (FACE, FACE_MESH_POINTS),
    "left_hand": (LEFT_HAND, HAND_POINTS),
    "right_hand": (RIGHT_HAND, HAND_POINTS),
}


# Why a video is dropped: the same for all of them, so that they are counted together.
NO_POSE = "a video without a pose (`signclip extract` makes it)"


def is_video(path: Path | str) -> bool:
    """Does the suffix say that this is a video?"""
    return Path(path).suffix.lower() in VIDEO_SUFFIXES


def needs_extraction(path: Path | str) -> str:
    """The reason why a video cannot be used yet, with the command that helps."""
    folder = Path(path).parent.as_posix()
    return f"{path} is a video: make its pose first with `signclip extract {folder}`"


def read_bytes(path: Path) -> bytes:
    """The content of a clip's file.

    Raises:
        PoseError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise PoseError(path, f"cannot be read ({error.strerror})") from None


def read(path: Path | str, *, sample: str | None = None) -> Pose:
    """Read and check a clip's file; ``sample`` is the name that errors give it (default: the path).

    Raises:
        PoseError: it is missing, damaged, a video, or of an unknown form.
    """
    path = Path(path)
    return parse(read_bytes(path), path, sample=sample or str(path))


def parse(data: bytes, path: Path | str, *, sample: str) -> Pose:
    """:func:`read` for the bytes of a file that is called ``path``."""
    suffix = Path(path).suffix.lower()
    if suffix in VIDEO_SUFFIXES:
        raise PoseError(sample, needs_extraction(path))
    if suffix not in FORMS:
        known = ", ".join(FORMS)
        raise PoseError(sample, f"{path}: clips are {known} files, this suffix is {suffix!r}")
    return FORMS[suffix](data, sample=sample)


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
    """A checked pose of (frames, points, 3) coordinates; a NaN among them: not detected."""
    seen = ~np.isnan(xyz).any(axis=-1)
    values = np.where(seen[..., None], xyz, 0.0).astype(np.float32)
    body = NumPyPoseBody(ASSUMED_FPS, values[:, None], seen[:, None].astype(np.float32))
    pose = Pose(header, body)
    check_pose(pose, sample=sample)
    return pose


def parse_kaggle(data: bytes, *, sample: str) -> Pose:
    """One sequence of Kaggle asl-signs: rows (frame, row_id, type, landmark_index, x, y, z).

    Points are found by type and index, not by the order of rows (published copies differ in it);
    frames are the distinct frame numbers, ascending. x and y in shares of the picture.

    Raises:
        PoseError: no such table; an unknown type or index; a point that occurs twice in a frame;
            or :func:`signclip.poses.check_pose` fails.
    """
    columns = ["frame", "type", "landmark_index", "x", "y", "z"]
    try:
        table = parquet.parse(data, columns)
    except (pa.ArrowException, OSError) as error:
        raise PoseError(sample, f"not a Parquet file of landmarks ({error})") from None
    if table.column_names != columns:
        raise PoseError(sample, f"columns are {table.column_names}, expected {columns}")
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
    kind = pc.index_in(kinds, value_set=pa.array(_KAGGLE_PARTS)).to_numpy(zero_copy_only=False)
    index = table["landmark_index"].to_numpy()
    sizes = np.array([size for _, size in _KAGGLE_PARTS.values()])
    if np.isnan(kind.astype(float)).any():
        raise PoseError(sample, f"a type is none of {', '.join(_KAGGLE_PARTS)}")
    kind = kind.astype(int)
    if ((index < 0) | (index >= sizes[kind])).any():
        raise PoseError(sample, "a landmark_index is not among its type's points")
    frames, frame = np.unique(table["frame"].to_numpy(), return_inverse=True)
    point = (np.cumsum(sizes) - sizes)[kind] + index
    place = frame * sizes.sum() + point
    if len(np.unique(place)) != len(place):
        raise PoseError(sample, "a landmark occurs twice in a frame")
    xyz = np.full((len(frames) * sizes.sum(), 3), np.nan)
    xyz[place] = np.stack([table[axis].to_numpy() for axis in "xyz"], axis=1)
    header = _header(FACE_MESH_POINTS, 1, 1)
    return _pose(xyz.reshape(len(frames), sizes.sum(), 3), header, sample=sample)


def parse_sem_lex(data: bytes, *, sample: str) -> Pose:
    """A Sem-Lex array: (frames, 553, 3), points 478 face, 33 body, 21 left hand, 21 right hand.

    Becomes body, face, left hand, right hand, in pixels of a 640 x 480 picture. Whether a point was
    detected is not published: one that is NaN or exactly (0, 0, 0) counts as missing. (The
    reference takes all as detected, so that a missing hand lies in the picture's corner.)

    Raises:
        PoseError: no such array, or :func:`signclip.poses.check_pose` fails.
    """
    try:
        array = np.load(BytesIO(data), allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise PoseError(sample, f"not a whole .npy file ({error})") from None
    face, body = FACE_MESH_POINTS + IRIS_POINTS, len(BODY_POINTS)
    points = face + body + 2 * HAND_POINTS
    if not isinstance(array, np.ndarray) or array.ndim != 3 or array.shape[1:] != (points, 3):
        shape = getattr(array, "shape", "no array")
        raise PoseError(sample, f"array of shape {shape}, expected (frames, {points}, 3)")
    if array.dtype.kind != "f":
        raise PoseError(sample, f"array of {array.dtype}, expected floating-point numbers")
    order = np.r_[face : face + body, 0:face, face + body : points]
    xyz = array[:, order].astype(np.float64)
    xyz[(xyz == 0).all(axis=-1)] = np.nan
    width, height, _ = map(int, SEM_LEX_SCALE)
    return _pose(xyz * np.array(SEM_LEX_SCALE), _header(face, width, height), sample=sample)


FORMS: dict[str, Callable[..., Pose]] = {
    ".pose": parse_pose,
    ".parquet": parse_kaggle,
    ".npy": parse_sem_lex,
}
