"""A .pose file has exactly the size that its header announces, or it is refused before parsing."""

import struct
import time
import tracemalloc
from io import BytesIO

import numpy as np
import pytest
from pose_format import Pose

from signclip import poses
from signclip.core.errors import PoseError
from signclip.poses import pose_file


def text(value: str) -> bytes:
    return struct.pack("<H", len(value)) + value.encode()


def header(version: float, *points: int, form: str = "XYZC") -> bytes:
    """A header of components with so many points each."""
    parts = [struct.pack("<fHHHH", version, 100, 100, 0, len(points))]
    for number, count in enumerate(points):
        names = b"".join(text(f"p{i}") for i in range(count))
        parts.append(text(f"c{number}") + text(form) + struct.pack("<HHH", count, 0, 0) + names)
    return b"".join(parts)


def body(frames: int, points: int, seed: int = 0) -> np.ndarray:
    values = np.random.default_rng(seed).uniform(1, 90, (frames, points, 4)).astype("<f4")
    values[..., 3] = 1
    return values


def v01(frames: int, points: int = 5, count: int | None = None) -> bytes:
    values = body(frames, points)
    counts = struct.pack("<HHH", 25, (frames if count is None else count) % 65_536, 1)
    return header(0.1, points) + counts + values[..., :3].tobytes() + values[..., 3].tobytes()


def v02(make_pose) -> bytes:
    buffer = BytesIO()
    make_pose(frames=6).write(buffer)
    return buffer.getvalue()


def v00(people: list[int], *points: int) -> bytes:
    """Each frame with the given number of people."""
    values = body(len(people), sum(points))
    frames = (
        struct.pack("<H", count) + (struct.pack("<h", 7) + values[i].tobytes()) * count
        for i, count in enumerate(people)
    )
    return header(0.0, *points) + struct.pack("<HH", 25, len(people)) + b"".join(frames)


@pytest.mark.parametrize("cut", [1, 4, 12, 59, 60, 61, 3 * 80, 700])
def test_a_v01_file_cut_anywhere_is_refused(cut):
    whole = v01(12)
    assert len(pose_file.read(whole).body.data) == 12
    with pytest.raises(PoseError, match=r"^x: not a whole \.pose file: "):
        pose_file.read(whole[:-cut], sample="x")


def test_a_v01_file_may_have_more_frames_than_16_bits_count():
    assert len(pose_file.read(v01(65_536 + 3, points=1)).body.data) == 65_539
    with pytest.raises(PoseError, match="its header says 2 frames, the file has 65539"):
        pose_file.read(v01(65_536 + 3, points=1, count=2))


def test_bytes_left_over_and_other_frame_counts_are_refused(make_pose):
    whole = v02(make_pose)
    at = len(whole) - len(make_pose(frames=6).body.data.tobytes()) // 3 * 4 - 6
    (frames,) = struct.unpack_from("<I", whole, at)
    assert frames == 6
    for other in (3, 5, 7, 2**32 - 1):
        changed = whole[:at] + struct.pack("<I", other) + whole[at + 4 :]
        with pytest.raises(PoseError, match=f"says {other} frames, the file has 6"):
            pose_file.read(changed)
    for extra in (b"\0", bytes(64)):
        with pytest.raises(PoseError, match=rf"the file has 6 and {len(extra)} bytes"):
            pose_file.read(whole + extra)


def test_v00_is_read_as_pose_format_reads_it():
    data = v00([1, 1, 1], 3, 2)
    ours, theirs = pose_file.read(data), Pose.read(data)
    assert np.array_equal(ours.body.data.data, theirs.body.data.data)
    assert np.array_equal(ours.body.data.mask, theirs.body.data.mask)
    assert np.array_equal(ours.body.confidence, theirs.body.confidence)
    assert ours.body.fps == theirs.body.fps == 25
    assert [c.name for c in ours.header.components] == ["c0", "c1"]


def test_v00_has_frames_without_a_person():
    pose = pose_file.read(v00([0, 1, 0], 3, 2))
    assert pose.body.data.shape == (3, 1, 5, 3)
    assert pose.body.confidence[:, 0].any(axis=1).tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (v00([1, 1], 3)[:-1], "cut at byte"),
        (v00([1, 1], 3) + b"\0", "1 bytes after 2 frames"),
        (v00([1, 2], 3), "2 people; exactly one"),
        (v00([1], 3) + b"", None),
        (header(0.1, 3) + struct.pack("<HHH", 25, 0, 3), "3 people; exactly one"),
        (header(0.0) + struct.pack("<HH", 25, 0), "no points with coordinates"),
        (header(0.1, 3, form="") + struct.pack("<HHH", 25, 0, 1), "no points with coordinates"),
        (header(0.3, 3), "unknown version 0.3"),
        (struct.pack("<f", float("nan")) + bytes(40), "unknown version nan"),
    ],
)
def test_each_kind_of_damage_says_what_it_is(data, reason):
    if reason is None:
        assert pose_file.read(data).body.data.shape == (1, 1, 3, 3)
        return
    with pytest.raises(PoseError, match=reason):
        pose_file.read(data, sample="x")


@pytest.mark.parametrize(
    "data",
    [
        header(0.0, 10_000) + struct.pack("<HH", 25, 65_535) + bytes(2 * 65_535),
        struct.pack("<fHHHH", 0.0, 1, 1, 0, 1)
        + text("c")
        + text("XYZC")
        + struct.pack("<HHH", 65_535, 0, 0)
        + bytes(2 * 65_535)
        + struct.pack("<HH", 25, 600)
        + bytes(1200),
        header(0.0, 1) + struct.pack("<HH", 25, 60) + struct.pack("<H", 65_535) * 60,
    ],
    ids=["empty frames", "points", "people"],
)
def test_what_a_file_announces_is_bounded_before_it_is_allocated(data):
    tracemalloc.start()
    start = time.perf_counter()
    with pytest.raises(PoseError):
        pose_file.read(data)
    assert time.perf_counter() - start < 2
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()


def test_a_real_v01_file_cut_at_any_place_is_refused(shared):
    whole = shared("faults/poses/whole-v01.pose").read_bytes()
    assert len(poses.parse_pose(whole).body.data) == 6
    for cut in (40_000, 60_017, len(whole) - 1, len(whole) - 4):
        with pytest.raises(PoseError, match="not a whole"):
            poses.parse_pose(whole[:cut])
    assert pose_file.read_header(whole).version == 0.1


def test_a_point_that_is_not_finite_is_a_missing_point(make_pose):
    pose, expected = make_pose(), make_pose()
    pose.body.data.data[1, 0, 540] = [np.nan, 1, 2]
    expected.body.confidence[1, 0, 540] = 0
    for variant in ("reduced_face", "both_hands"):
        found, wanted = (poses.features(one, variant) for one in (pose, expected))
        assert np.array_equal(found.values, wanted.values)
        assert np.array_equal(found.valid, wanted.valid)
