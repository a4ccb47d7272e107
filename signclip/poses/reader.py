"""The one reader of clip files: from a file to a checked pose, whatever its format.

Decisions
* The suffix says the format: ``.pose`` (pose-format), ``.parquet`` (one sequence of Kaggle
  asl-signs), ``.npy`` (Sem-Lex; for these two see :mod:`signclip.poses.array_formats`), ``.pkl``
  (:mod:`signclip.poses.openhands`). All become the same checked :class:`pose_format.Pose`, so every
  variant works on every corpus, as far as it has the points.
* A video is refused with the command that extracts its pose.

Cost: 1 ms for a ``.pose``, 3 ms for 70 frames of Kaggle's Parquet, after half a second to import
Arrow for the first of these.
"""

from __future__ import annotations

import shlex
from pathlib import Path

from pose_format import Pose

from signclip.core import files
from signclip.core.errors import PoseError
from signclip.poses import openhands, pose_file
from signclip.poses.checks import check_pose

POSE_SUFFIXES = (".pose", ".parquet", ".npy", openhands.SUFFIX)
# Suffixes that a folder is searched for; a video given by its own path may have any.
VIDEO_SUFFIXES = (
    *(".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov"),
    *(".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".webm", ".wmv"),
)
MAX_BYTES = 2 << 30  # of a file: two days of MediaPipe Holistic at 25 frames a second
# Why a video is dropped from a corpus: one constant text, so that dropped clips group by reason.
NO_POSE = "a video without a pose (`signclip extract VIDEOS POSES` makes it)"


def is_pose_file(path: Path | str) -> bool:
    """Does the suffix say that this is a pose in one of the known formats?"""
    return Path(path).suffix.lower() in POSE_SUFFIXES


def is_video(path: Path | str) -> bool:
    """Does the suffix say that this is a video?"""
    return Path(path).suffix.lower() in VIDEO_SUFFIXES


def needs_extraction(path: Path | str) -> str:
    """The reason why a video cannot be used yet, with the command that extracts its pose."""
    folder = shlex.quote(Path(path).parent.as_posix())
    return f"{path} is a video: make its pose first with `signclip extract {folder} {folder}`"


def read_bytes(path: Path) -> bytes:
    """The content of a clip's file.

    Raises:
        PoseError: it cannot be read.
    """
    try:
        return files.read_regular(path, at_most=MAX_BYTES)
    except files.NotReadable as error:
        raise PoseError(path, f"cannot be read ({error})") from None


def read_pose(path: Path | str, *, sample: str | None = None) -> Pose:
    """Read and check a clip's file.

    Args:
        sample: the clip's name in errors; default: the path.

    Raises:
        PoseError: the file is missing, damaged, a video, or of an unknown format.
    """
    path = Path(path)
    return parse(read_bytes(path), path, sample=sample or str(path))


def parse(data: bytes, path: Path | str, *, sample: str) -> Pose:
    """:func:`read_pose` for the content of a file named ``path``."""
    suffix = Path(path).suffix.lower()
    if suffix in VIDEO_SUFFIXES:
        raise PoseError(sample, needs_extraction(path))
    if suffix not in POSE_SUFFIXES:
        known = ", ".join(POSE_SUFFIXES)
        raise PoseError(sample, f"{path}: clips are {known} files, this suffix is {suffix!r}")
    if instead := files.stand_in(data):
        raise PoseError(sample, instead)
    if suffix == ".pose":
        return parse_pose(data, sample=sample)
    if suffix == openhands.SUFFIX:
        return openhands.parse(data, path, sample=sample)
    # imported here because Arrow takes half a second, which most commands can do without
    from signclip.poses import array_formats

    parse_array = {".parquet": array_formats.parse_kaggle, ".npy": array_formats.parse_sem_lex}
    return parse_array[suffix](data, sample=sample)


def parse_pose(data: bytes, *, sample: str = "pose") -> Pose:
    """Parse and check the content of a ``.pose`` file.

    Raises:
        PoseError: the content is empty, truncated or otherwise unreadable; or
            :func:`signclip.poses.check_pose` fails.
    """
    if not data:
        raise PoseError(sample, "the file is empty")
    if not any(data):
        raise PoseError(sample, "the file holds only zero bytes")
    pose = pose_file.read(data, sample=sample)
    check_pose(pose, sample=sample)
    return pose
