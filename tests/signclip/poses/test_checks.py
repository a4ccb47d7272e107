"""Damaged poses and useless features are refused with one error that names the sample."""

from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from pose_format import Pose

from signclip import poses
from signclip.core.errors import ConfigError, PoseError


def read_whole(path: Path) -> poses.Features:
    return poses.features(poses.read_pose(path), "reduced_face", sample=str(path))


def test_every_kind_of_damage_is_one_typed_error_naming_file_and_reason(
    damaged, damaged_kind, tmp_path
):
    path = tmp_path / "broken.pose"
    path.write_bytes(damaged[damaged_kind])
    with pytest.raises(PoseError) as caught:
        read_whole(path)
    assert caught.value.sample == str(path)
    assert len(caught.value.reason) > 5
    assert str(caught.value) == f"{path}: {caught.value.reason}"


def test_a_file_cut_at_any_length_is_refused(make_pose, pose_bytes):
    whole = pose_bytes(make_pose(frames=2))
    header = len(pose_bytes(make_pose(frames=0)))
    cuts = chain(range(0, header + 50, 97), np.linspace(header, len(whole) - 1, 60, dtype=int))
    for cut in cuts:
        with pytest.raises(PoseError, match="x: "):
            poses.parse_pose(whole[:cut], sample="x")
    assert poses.parse_pose(whole).body.data.shape[0] == 2


@pytest.mark.filterwarnings("error")
def test_flipped_bits_give_finite_features_or_a_typed_error(make_pose, pose_bytes):
    whole = pose_bytes(make_pose(frames=2, components=("POSE", "LEFT_HAND", "RIGHT_HAND")))
    rng = np.random.default_rng(0)
    outcomes = set()
    for _ in range(120):  # 50,000 in `make soak`
        data = bytearray(whole)
        data[rng.integers(len(data))] ^= 1 << rng.integers(8)
        try:
            pose = poses.parse_pose(bytes(data), sample="x")
            for variant in poses.VARIANTS:
                found = poses.features(pose, variant, sample="x")
                assert np.isfinite(found.values).all()
                assert poses.VARIANTS[variant].dims in (None, found.values.shape[1])
            outcomes.add("read")
        except PoseError:
            outcomes.add("refused")
    assert outcomes == {"read", "refused"}


@pytest.mark.parametrize("place", ["nowhere.pose", "."])
def test_a_missing_file_and_a_folder_are_refused(tmp_path, place):
    with pytest.raises(PoseError, match="cannot be read") as caught:
        poses.read_pose(tmp_path / place)
    assert caught.value.sample == str(tmp_path / place)


def test_a_damaged_pose_in_memory_is_refused_too(make_pose):
    pose = make_pose()
    pose.body.confidence[1, 0, 3] = np.nan
    with pytest.raises(PoseError, match="frame 1"):
        poses.preprocess(pose, "reduced_face")


@pytest.mark.parametrize("variant", poses.VARIANTS)
def test_what_a_missing_point_holds_does_not_count(make_pose, variant):
    pose, expected = make_pose(), make_pose()
    for part in (pose, expected):
        part.body.confidence[2, 0, [40, 540]] = 0  # a face point and one of the right hand
    pose.body.data.data[2, 0, [40, 540]] = [[np.nan], [np.inf]]
    found, wanted = (poses.features(part, variant) for part in (pose, expected))
    assert np.array_equal(found.values, wanted.values)
    assert np.array_equal(found.valid, wanted.valid)


def _torch(pose: Pose) -> None:
    pose.body = pose.body.torch()


@pytest.mark.parametrize(
    "change",
    [
        _torch,
        lambda pose: setattr(pose.body, "data", pose.body.data.astype(object)),
        lambda pose: setattr(pose.body, "data", pose.body.data.astype(complex)),
        lambda pose: setattr(pose.body, "confidence", None),
        lambda pose: setattr(pose.body, "confidence", pose.body.confidence[:, 0]),
        lambda pose: setattr(pose.body, "confidence", pose.body.confidence[:-1]),
        lambda pose: setattr(pose.body, "fps", None),
        lambda pose: setattr(pose.body, "fps", "25"),
    ],
    ids=["torch", "object", "complex", "None", "no person", "shorter", "no fps", "text as fps"],
)
def test_a_body_of_another_kind_is_refused(make_pose, change):
    pose = make_pose()
    change(pose)
    with pytest.raises(PoseError, match=r"^clip-1: "):
        poses.features(pose, "reduced_face", sample="clip-1")


@pytest.mark.parametrize("variant", poses.VARIANTS)
def test_shoulders_that_all_but_coincide_are_refused(make_pose, variant):
    pose = make_pose()
    pose.body.data = pose.body.data.astype(np.float64)
    pose.body.data.data[:, 0, 11:13] = [[1e-22, 0, 0], [0, 0, 0]]
    if "normalized" in variant:  # the hand's own length is what counts
        assert np.isfinite(poses.preprocess(pose, variant)).all()
        return
    with pytest.raises(PoseError, match=r"^clip-1: (absurd feature|features are not finite)"):
        poses.features(pose, variant, sample="clip-1")


def test_an_unknown_variant_is_refused_and_the_known_ones_are_named(make_pose):
    with pytest.raises(ConfigError, match="reduced_face"):
        poses.preprocess(make_pose(), "reduced-face")


def test_values_too_large_for_float32_are_refused(make_pose):
    pose = make_pose()
    pose.body.data = pose.body.data.astype(np.float64)
    pose.body.data.data[:, 0, 11:13] = [[1e-40, 0, 0], [0, 0, 0]]  # the shoulders' distance
    with pytest.raises(PoseError, match="not finite"):
        poses.features(pose, "reduced_face")


def test_a_point_of_negative_confidence_was_seen(embedded):
    """In eight of the embedded clips MediaPipe's visibility falls below 0; pose-format keeps it."""
    row = embedded.manifest.set_index("id").loc["gsg-j"]
    pose = poses.read_pose(embedded.root / row["path"])
    negative = pose.body.confidence[:, 0] < 0
    assert negative.sum() == 6
    marks = poses.to_landmarks(pose)
    theirs = np.ma.getmaskarray(pose.body.data)[:, 0, : marks.valid.shape[1]].any(axis=2)
    assert np.array_equal(marks.valid, ~theirs)
    assert marks.valid[negative[:, : marks.valid.shape[1]]].all()
