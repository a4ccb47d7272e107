"""From ``.pose`` files to features: agreement with the reference, and what must not matter."""

from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from pose_format import Pose
from pose_format.numpy import NumPyPoseBody
from pose_format.pose_header import PoseHeader, PoseHeaderDimensions
from pose_format.utils.holistic import FACEMESH_CONTOURS_POINTS, holistic_hand_component
from pose_format.utils.normalization_3d import PoseNormalizer

from signclip import poses
from signclip.core.errors import PoseError
from signclip.poses.landmarks import BODY, FACE, FACE_CONTOURS, RIGHT_HAND
from signclip.poses.normalisation import hide_legs

GOLDEN = Path(__file__).parents[2] / "golden" / "preprocess.npz"
LEXICON_CLIPS = {
    "fs_small": "gss/fs-sts15d91ae5814762b8db5918873547e20b.pose",
    "fs_gappy_hands": "mfs/fs-sts9f6aa264d7e77a57ed62bfd2a3e5a154.pose",
}
BODY_POINTS, LEGS = 33, range(25, 33)  # knees, ankles, heels, toes stand last


def agree(ours: np.ndarray, theirs: np.ndarray) -> bool:
    """The meaning of 'agree' everywhere (shapes are equal, |a - b| <= 1e-5 * max(1, |b|))."""
    return ours.shape == theirs.shape and bool(
        (np.abs(ours - theirs) <= 1e-5 * np.maximum(1, np.abs(theirs))).all()
    )


def part(values: np.ndarray, start: int, count: int) -> np.ndarray:
    """Points ``start`` to ``start + count`` of features (frames, points * 3)."""
    return values[:, 3 * start : 3 * (start + count)]


def mirrored(pose: Pose, width: float = 640) -> Pose:
    """What the detector would see of the clip in a mirror: x turned, left and right swapped."""

    def swapped(name: str) -> str:
        return name.replace("LEFT", "?").replace("RIGHT", "LEFT").replace("?", "RIGHT")

    names = [(c.name, p) for c in pose.header.components for p in c.points]
    source = [
        names.index((swapped(c) if "HAND" in c else c, swapped(p) if c == BODY else p))
        for c, p in names
    ]
    data = pose.body.data.data[:, :, source].copy()
    data[..., 0] = width - data[..., 0]
    confidence = pose.body.confidence[:, :, source]
    data[confidence == 0] = 0
    return Pose(pose.header, NumPyPoseBody(pose.body.fps, data, confidence))


# Agreement with the reference


@pytest.mark.parametrize("clip", LEXICON_CLIPS)
def test_body_variants_agree_with_our_copy_of_the_reference_numbers(embedded, clip):
    """Keys of the golden file: ``<variant>[_every_5th].<clip>``, from ../shared/reference."""
    golden = np.load(GOLDEN)
    pose = poses.read_pose(embedded.root / LEXICON_CLIPS[clip])
    assert agree(poses.preprocess(pose, "reduced_face"), golden[f"reduced_face.{clip}"])
    ours = poses.preprocess(pose, "holistic")
    assert ours.shape[1] == 1659
    assert agree(ours.ravel()[::5], golden[f"holistic_every_5th.{clip}"])


@pytest.mark.parametrize("clip", [*LEXICON_CLIPS, "house"])
@pytest.mark.parametrize(
    ("variant", "theirs"),
    [("reduced_face", "reduced_face_609__eval"), ("holistic", "holistic_543__eval")],
)
def test_body_variants_agree_with_the_reference(embedded, shared, variant, theirs, clip):
    folder = shared("reference/preprocess")
    path = folder / "house.pose" if clip == "house" else embedded.root / LEXICON_CLIPS[clip]
    expected = np.load(folder / f"{theirs}.{clip}.npz")["feat"]
    assert agree(poses.preprocess(poses.read_pose(path), variant), expected)


@pytest.mark.parametrize("clip", LEXICON_CLIPS)
def test_the_normalised_hand_is_pose_formats_normaliser_and_focus_on_that_hand(embedded, clip):
    pose = poses.read_pose(embedded.root / LEXICON_CLIPS[clip])
    component = holistic_hand_component("RIGHT_HAND_LANDMARKS")
    start = pose.header.get_point_index(component.name, "WRIST")
    # their numbers are float32 unless the input is not; ours are computed in float64
    hand = NumPyPoseBody(
        pose.body.fps,
        pose.body.data.data[:, :, start : start + 21].astype(np.float64),
        pose.body.confidence[:, :, start : start + 21],
    )
    theirs = Pose(PoseHeader(0.2, PoseHeaderDimensions(1, 1, 1), [component]), hand)
    info = theirs.header.normalization_info
    point = component.name
    normaliser = PoseNormalizer(
        plane=info((point, "WRIST"), (point, "PINKY_MCP"), (point, "INDEX_FINGER_MCP")),
        line=info((point, "WRIST"), (point, "MIDDLE_FINGER_MCP")),
        size=100,
    )
    with np.errstate(invalid="ignore"):  # it divides by the zero size of hands that are not seen
        theirs.body.data = normaliser(theirs.body.data)
    theirs.focus()
    expected = theirs.body.data.filled(0).reshape(len(hand.data), 63)
    assert np.ptp(expected) > 50  # a hand, not emptiness
    # turning and scaling a hand undoes where it stood and how large it was, so the shoulders that
    # ours went through first leave only rounding (lengths are 100)
    ours = poses.preprocess(pose, "right_hand_normalized")
    assert np.abs(ours - expected).max() <= 1e-5 * 100


def test_the_face_contours_are_mediapipes():
    assert list(map(str, FACE_CONTOURS)) == sorted(FACEMESH_CONTOURS_POINTS, key=int)


# What the variants are


@pytest.mark.parametrize("variant", poses.VARIANTS)
def test_every_variant_has_its_size_and_a_validity_per_point_and_frame(make_pose, variant):
    pose = make_pose(frames=4)
    found = poses.features(pose, variant)
    assert found.values.dtype == np.float32
    assert found.values.shape == (4, poses.VARIANTS[variant].dims or 1629)
    assert found.valid.dtype == bool
    assert found.valid.shape == (4, found.values.shape[1] // 3)
    assert np.array_equal(poses.preprocess(pose, variant), found.values)


@pytest.mark.parametrize(
    ("variant", "points"), [("right_hand", 21), ("both_hands", 42), ("dominant_hand", 21)]
)
@pytest.mark.parametrize("irises", [False, True])
def test_hand_variants_are_slices_of_holistic(make_pose, variant, points, irises):
    """The paper-time order: normalise by the shoulders, then select."""
    pose = make_pose(irises=irises)
    whole, hands = poses.features(pose, "holistic"), poses.features(pose, variant)
    assert np.array_equal(hands.values, whole.values[:, -3 * points :])
    assert np.array_equal(hands.valid, whole.valid[:, -points:])


def test_hand_variants_are_slices_of_holistic_on_a_real_clip(embedded):
    pose = poses.read_pose(embedded.root / LEXICON_CLIPS["fs_gappy_hands"])
    whole, hands = poses.features(pose, "holistic"), poses.features(pose, "both_hands")
    assert 0 < hands.valid.mean() < 1  # gaps, so that both kinds of frames are compared
    assert np.array_equal(hands.values, whole.values[:, -126:])
    assert np.array_equal(hands.valid, whole.valid[:, -42:])


def test_holistic_468_is_holistic_without_the_irises(make_pose):
    pose = make_pose(irises=True)
    whole = poses.preprocess(pose, "holistic")
    irises = slice(3 * (BODY_POINTS + 468), 3 * (BODY_POINTS + 478))
    assert np.array_equal(poses.preprocess(pose, "holistic_468"), np.delete(whole, irises, axis=1))


def test_world_landmarks_reach_no_variant(make_pose):
    without = make_pose()
    with_world = make_pose(components=("POSE", "FACE", "LEFT_HAND", "RIGHT_HAND", "POSE_WORLD"))
    points = without.body.data.shape[2]
    with_world.body.data.data[:, :, :points] = without.body.data.data
    for variant in poses.VARIANTS:
        assert np.array_equal(
            poses.preprocess(with_world, variant), poses.preprocess(without, variant)
        ), variant


def test_missing_points_are_zero_and_not_valid(make_pose):
    pose = make_pose(frames=6)
    rng = np.random.default_rng(0)
    missing = rng.random(pose.body.confidence.shape) < 0.3
    shoulders = [pose.header.get_point_index(BODY, f"{s}_SHOULDER") for s in ("LEFT", "RIGHT")]
    missing[:, :, shoulders] = False
    pose.body.confidence[missing] = 0  # the coordinates stay: what lies under the mask is no datum
    found = poses.features(pose, "holistic")
    expected = ~missing[:, 0]
    expected[:, LEGS] = False
    assert np.array_equal(found.valid, expected)
    points = found.values.reshape(6, -1, 3)
    assert (points[~found.valid] == 0).all()
    assert (points[found.valid] != 0).any(axis=-1).all()


def test_every_step_keeps_points_that_are_not_seen_at_zero(make_pose):
    pose = make_pose()
    pose.body.confidence[1:3, :, 40:60] = 0
    steps = [poses.to_landmarks(pose)]
    steps.append(poses.normalise(steps[-1]))
    steps.append(hide_legs(steps[-1]))
    steps.append(poses.select(steps[-1], "reduced_face"))
    for marks in steps:
        assert not marks.valid.all()
        assert (marks.xyz[~marks.valid] == 0).all()
        assert (marks.xyz[marks.valid] != 0).any(axis=-1).all()


def test_legs_are_hidden_and_hips_stay(make_pose):
    pose = make_pose()
    names = pose.header.components[0].points
    legs = ("KNEE", "ANKLE", "HEEL", "FOOT_INDEX")
    assert [i for i, name in enumerate(names) if name.endswith(legs)] == list(LEGS)
    for variant in ("reduced_face", "holistic", "holistic_468"):
        found = poses.features(pose, variant)
        assert not found.valid[:, LEGS].any()
        assert (part(found.values, LEGS[0], len(LEGS)) == 0).all()
        others = np.delete(np.arange(BODY_POINTS), LEGS)
        assert found.valid[:, others].all()


def test_the_shoulders_are_a_width_of_one_apart_around_zero_on_average(make_pose):
    pose = make_pose(frames=7)
    pose.body.data.data[:, 0, 11, :2] += np.random.default_rng(1).normal(0, 9, (7, 2))
    points = poses.preprocess(pose, "reduced_face").reshape(7, -1, 3)
    left, right = points[:, 11], points[:, 12]
    assert np.linalg.norm(left - right, axis=-1).mean() == pytest.approx(1, abs=1e-6)
    assert np.abs((left + right).mean(axis=0)).max() < 1e-6


def test_a_shoulder_that_is_not_seen_has_no_say_in_centre_and_scale(make_pose):
    pose = make_pose(frames=5)
    expected = poses.preprocess(pose, "right_hand")
    pose.body.confidence[3, 0, 11] = 0
    pose.body.data.data[3, 0, 11] = 1e5
    # every frame has the same shoulders but for z, which is small beside the 160 pixels of width
    assert np.allclose(poses.preprocess(pose, "right_hand"), expected, atol=0.02)


@pytest.mark.parametrize("variant", poses.VARIANTS)
def test_features_do_not_depend_on_where_and_how_large_the_signer_is(make_pose, variant):
    pose = make_pose(frames=4, hands=["LEFT"] if "dominant" in variant else ["LEFT", "RIGHT"])
    expected = poses.preprocess(pose, variant)
    pose.body.data.data[:] = pose.body.data.data * 2.5 + np.float32([31, -17, 5])
    ours = poses.preprocess(pose, variant)
    scale = 100 if "normalized" in variant else 1  # lengths there are 100, and coordinates larger
    assert np.abs(ours - expected).max() < 1e-5 * scale * 10
    assert np.abs(expected).max() > 0.1


@pytest.mark.parametrize("variant", poses.VARIANTS)
def test_preprocessing_changes_neither_the_pose_nor_later_calls(make_pose, variant):
    pose, untouched = make_pose(), make_pose()
    first = poses.preprocess(pose, variant)
    assert np.array_equal(pose.body.data.data, untouched.body.data.data)
    assert np.array_equal(pose.body.confidence, untouched.body.confidence)
    assert np.array_equal(poses.preprocess(pose, variant), first)


# Hands


@pytest.mark.parametrize("suffix", ["", "_normalized"])
def test_a_left_handed_signer_counts_as_the_mirrored_right_handed_one(make_pose, suffix):
    pose = make_pose(hands=["RIGHT"])
    reflection = mirrored(pose)
    theirs = poses.features(reflection, f"dominant_hand{suffix}")
    ours = poses.features(pose, f"right_hand{suffix}")
    assert np.abs(ours.values).max() > 0.1
    assert np.allclose(theirs.values, ours.values, atol=1e-3 if suffix else 1e-5)
    assert np.array_equal(theirs.valid, ours.valid)
    assert not poses.features(reflection, f"right_hand{suffix}").valid.any()


def test_the_italian_clips_are_left_handed_and_get_a_dominant_hand(embedded):
    italian = embedded.manifest[embedded.manifest["sign_language"] == "ise"]
    for path in italian["path"][:5]:
        pose = poses.read_pose(embedded.root / path)
        assert not poses.features(pose, "right_hand").valid.any()
        assert poses.features(pose, "dominant_hand").valid.any()


@pytest.mark.parametrize("hands", [["RIGHT"], ["LEFT", "RIGHT"], []])
def test_the_dominant_hand_is_the_right_one_unless_only_the_left_is_seen(make_pose, hands):
    pose = make_pose(hands=hands)
    right, dominant = (poses.features(pose, v) for v in ("right_hand", "dominant_hand"))
    assert np.array_equal(dominant.values, right.values)
    assert np.array_equal(dominant.valid, right.valid)
    assert right.valid.all() == bool(hands)


def test_one_frame_of_the_right_hand_makes_a_signer_right_handed(make_pose):
    pose = make_pose(frames=5)
    right = pose.header.get_point_index(RIGHT_HAND, "WRIST")
    pose.body.confidence[np.arange(5) != 2, :, right : right + 21] = 0
    valid = poses.features(pose, "dominant_hand").valid
    assert valid.any(axis=1).tolist() == [False, False, True, False, False]


def test_a_hand_that_is_seen_in_part_is_not_normalised(make_pose):
    pose = make_pose(frames=3)
    right = pose.header.get_point_index(RIGHT_HAND, "WRIST")
    pose.body.confidence[1, :, right + 4] = 0
    found = poses.features(pose, "right_hand_normalized")
    assert found.valid.all(axis=1).tolist() == [True, False, True]
    assert (found.values[1] == 0).all()
    pose.body.confidence[:, :, right + 4] = 0
    assert not poses.features(pose, "right_hand_normalized").valid.any()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("shape", ["point", "line"])
def test_a_hand_without_a_palm_cannot_be_turned_and_counts_as_not_seen(make_pose, shape):
    pose, unseen = make_pose(frames=4), make_pose(frames=4)
    right = pose.header.get_point_index(RIGHT_HAND, "WRIST")
    unseen.body.confidence[2, :, right : right + 21] = 0
    line = np.arange(21.0)[:, None] * [1, 0, 0] if shape == "line" else np.zeros((21, 3))
    pose.body.data.data[2, 0, right : right + 21] = np.float32([7, 7, 7]) + line
    found, expected = (poses.features(p, "right_hand_normalized") for p in (pose, unseen))
    assert found.valid.all(axis=1).tolist() == [True, True, False, True]
    assert np.array_equal(found.values, expected.values)
    assert np.array_equal(found.valid, expected.valid)


# Layouts


@pytest.mark.parametrize("absent", ["FACE", "LEFT_HAND", "RIGHT_HAND"])
def test_an_absent_component_counts_as_undetected(make_pose, absent):
    there = [name for name in ("POSE", "FACE", "LEFT_HAND", "RIGHT_HAND") if name != absent]
    pose, whole = make_pose(components=there), make_pose()
    names = list(chain.from_iterable([c.name] * len(c.points) for c in whole.header.components))
    gone = np.array([name == f"{absent}_LANDMARKS" for name in names])
    whole.body.confidence[:, :, gone] = 0
    whole.body.data.data[:, :, ~gone] = pose.body.data.data
    for variant in poses.VARIANTS:
        if variant == "holistic":  # whatever the file has
            continue
        ours, expected = poses.features(pose, variant), poses.features(whole, variant)
        assert np.array_equal(ours.values, expected.values), variant
        assert np.array_equal(ours.valid, expected.valid), variant


@pytest.mark.parametrize(
    ("component", "point", "variant"),
    [
        ("FACE_LANDMARKS", "1", "holistic_468"),
        ("FACE_LANDMARKS", "0", "reduced_face"),
        ("RIGHT_HAND_LANDMARKS", "THUMB_TIP", "right_hand"),
        ("LEFT_HAND_LANDMARKS", "WRIST", "dominant_hand"),
        ("POSE_LANDMARKS", "NOSE", "reduced_face"),
    ],
)
def test_a_component_that_lacks_wanted_points_is_refused(make_pose, component, point, variant):
    """Zeros there would look like a detector that missed them, clip after clip."""
    pose = make_pose().remove_components([], {component: [point]})
    with pytest.raises(PoseError, match="clip-1: "):
        poses.features(pose, variant, sample="clip-1")


def test_a_file_reduced_to_the_face_contours_gives_the_same_reduced_face(make_pose):
    pose = make_pose()
    others = [str(i) for i in range(468) if i not in FACE_CONTOURS]
    reduced = pose.remove_components([], {FACE: others})
    assert np.array_equal(
        poses.preprocess(reduced, "reduced_face"), poses.preprocess(pose, "reduced_face")
    )
