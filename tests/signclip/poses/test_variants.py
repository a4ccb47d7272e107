"""The variants beyond plain selection: agreement with the reference, and what each step does."""

import numpy as np
import pytest
from mediapipe.python.solutions import face_mesh_connections as face_mesh
from pose_anonymization.appearance import get_mean_appearance
from pose_anonymization.data import load_mean_and_std_pose
from pose_format import Pose
from pose_format.numpy import NumPyPoseBody
from pose_format.utils.generic import correct_wrists
from pose_format.utils.holistic import holistic_components

from signclip import poses
from signclip.core.errors import ConfigError, PoseError
from signclip.poses import landmarks, mirror, sign_vq
from signclip.poses.landmarks import BODY, FACE, LEFT_HAND, RIGHT_HAND

AGREEING = {
    "sign_vq": "signvq_534__eval",
    "sign_vq_unscaled": "signvq_original_scale_534__eval",
    "sign_vq_anonymized": "anonym_signvq__eval",
    "reduced_face_anonymized": "anonym_reduced_face__eval",
}
REDUCED_FACE = poses.point_names("reduced_face")


def at(names: tuple[landmarks.PointName, ...], component: str, *wanted: str) -> list[int]:
    """Where a component's points stand: the wanted ones, or all."""
    here = [(part, name) for part, name in names if part == component]
    return [names.index(name) for name in here if not wanted or name[1] in wanted]


def xyz(found: poses.Features) -> np.ndarray:
    """Features as (frames, points, 3)."""
    return found.values.reshape(len(found.values), -1, 3)


def hide(pose: Pose, component: str, *wanted: str, frames=slice(None)) -> None:
    """Points (all of a component by default) become undetected."""
    names = tuple((c.name, p) for c in pose.header.components for p in c.points)
    for i in at(names, component, *wanted):
        pose.body.confidence[frames, :, i] = 0


def reflected(pose: Pose, width: float = 640) -> Pose:
    """What the detector would see of the signer in a mirror, reduced to the face contours."""
    pose = pose.get_components(
        [BODY, FACE, LEFT_HAND, RIGHT_HAND], {FACE: list(map(str, landmarks.FACE_CONTOURS))}
    )
    names = tuple((c.name, p) for c in pose.header.components for p in c.points)
    swap = [names.index(mirror.counterpart(name)) for name in names]
    data = pose.body.data.data[:, :, swap].copy()
    data[..., 0] = width - data[..., 0]
    return Pose(pose.header, NumPyPoseBody(pose.body.fps, data, pose.body.confidence[:, :, swap]))


# Agreement with the reference


@pytest.mark.parametrize("variant", AGREEING)
def test_variants_agree_with_the_reference(reference, variant):
    reference.check(poses.preprocess(reference.pose, variant), AGREEING[variant])


@pytest.mark.parametrize("variant", AGREEING)
def test_what_is_missing_is_what_the_reference_masks(whole_reference, variant):
    valid = poses.features(whole_reference.pose, variant).valid
    if "sign_vq" not in variant:
        valid = valid | poses.hidden_legs(REDUCED_FACE)  # zero in the reference, but not masked
    assert np.array_equal(np.repeat(~valid, 3, axis=1), whole_reference.mask(AGREEING[variant]))


@pytest.mark.parametrize(
    ("variant", "name"),
    [
        # the row without sign-vq's steps is the anonymised reduced face
        ("reduced_face_anonymized", "anonym_no_pre__eval"),
        # the reference's flip_pose 'right' mirrors nothing; these clips have a right hand
        ("reduced_face_mirrored", "flip_right__eval"),
    ],
)
def test_what_the_references_other_names_mean(whole_reference, variant, name):
    whole_reference.check(poses.preprocess(whole_reference.pose, variant), name)


# SignVQ's points


def test_the_constants_are_signvqs_and_not_those_of_pose_anonymization():
    mean, std = sign_vq.constants()
    assert mean.shape == std.shape == (178, 3)
    assert np.isfinite(mean).all()
    assert (std > 0).all()
    names = poses.point_names("sign_vq")
    left, right = at(names, BODY, "LEFT_SHOULDER", "RIGHT_SHOULDER")
    assert np.abs(mean[left] + mean[right]).max() < 1e-6  # centred on the shoulders
    assert mean[left, 0] - mean[right, 0] == pytest.approx(1, abs=0.01)  # one apart
    theirs, _ = load_mean_and_std_pose()
    wanted = {part: [p for c, p in names if c == part] for part, _ in names}
    other = theirs.get_components(list(wanted), wanted).body.data.data[0, 0]
    assert (np.abs(mean - other).max(axis=1) > 1e-4).mean() > 0.9


def test_sign_vq_is_the_unscaled_variant_standardised_where_points_are_seen(real_pose):
    plain, scaled = (poses.features(real_pose, v) for v in ("sign_vq_unscaled", "sign_vq"))
    mean, std = sign_vq.constants()
    expected = np.where(plain.valid[..., None], (xyz(plain) - mean) / std, 0)
    assert np.allclose(xyz(scaled), expected, atol=1e-2)  # float32 before the division by small std
    assert np.array_equal(plain.valid, scaled.valid)


@pytest.mark.parametrize("variant", [v for v in poses.VARIANTS if v.startswith("sign_vq")])
def test_hands_are_relative_to_their_wrists_and_missing_ones_zero(real_pose, variant):
    found = poses.features(real_pose, variant)
    names = poses.point_names(variant)
    assert found.valid[:, at(names, RIGHT_HAND)].any()
    for hand in (LEFT_HAND, RIGHT_HAND):
        assert (xyz(found)[:, at(names, hand, "WRIST")] == 0).all()
    assert not found.valid.all()
    assert (xyz(found)[~found.valid] == 0).all()


def test_the_unscaled_hands_keep_their_shape(real_pose):
    whole, shifted = (poses.features(real_pose, v) for v in ("both_hands", "sign_vq_unscaled"))
    for i, hand in enumerate((LEFT_HAND, RIGHT_HAND)):
        absolute = xyz(whole)[:, 21 * i : 21 * (i + 1)]
        relative = xyz(shifted)[:, at(poses.point_names("sign_vq"), hand)]
        assert np.allclose(relative, absolute - absolute[:, :1], atol=1e-6)


def test_a_hand_without_its_wrist_counts_as_missing(make_pose):
    pose = make_pose(frames=3)
    hide(pose, RIGHT_HAND, "WRIST", frames=1)
    found = poses.features(pose, "sign_vq")
    hand = at(poses.point_names("sign_vq"), RIGHT_HAND)
    assert found.valid[:, hand].all(axis=1).tolist() == [True, False, True]
    assert not found.valid[1, hand].any()


def test_corrected_wrists_are_pose_formats(real_pose):
    corrected = poses.features(correct_wrists(real_pose), "sign_vq")
    ours = poses.features(real_pose, "sign_vq_wrists")
    assert np.array_equal(ours.values, corrected.values)
    assert np.array_equal(ours.valid, corrected.valid)


def test_only_the_wrists_of_seen_hands_differ_from_sign_vq(real_pose):
    plain, ours = (poses.features(real_pose, v) for v in ("sign_vq", "sign_vq_wrists"))
    names = poses.point_names("sign_vq")
    differs = (xyz(plain) != xyz(ours)).any(axis=-1)
    expected = np.zeros_like(differs)
    for side, hand in (("LEFT", LEFT_HAND), ("RIGHT", RIGHT_HAND)):
        (body_wrist,) = at(names, BODY, f"{side}_WRIST")
        expected[:, body_wrist] = plain.valid[:, at(names, hand)[0]]
    assert expected.any()
    assert np.array_equal(differs, expected)


def test_a_seen_hand_makes_an_undetected_body_wrist_valid(make_pose):
    pose = make_pose(hands=["RIGHT"])
    hide(pose, BODY, "LEFT_WRIST", "RIGHT_WRIST")
    valid = poses.features(pose, "sign_vq_wrists").valid
    left, right = (
        at(poses.point_names("sign_vq"), BODY, f"{s}_WRIST")[0] for s in ("LEFT", "RIGHT")
    )
    assert valid[:, right].all()
    assert not valid[:, left].any()


# Anonymising


def test_in_the_first_frame_everyone_has_the_mean_signers_body_and_face(make_pose):
    """Up to place and size: the clip is normalised once more, over all its frames."""
    kept = [
        *at(REDUCED_FACE, FACE),
        *at(REDUCED_FACE, BODY, "NOSE", "LEFT_SHOULDER", "RIGHT_SHOULDER", "LEFT_ELBOW"),
    ]
    first = []
    for seed in (1, 2):
        frame = xyz(poses.features(make_pose(seed=seed), "reduced_face_anonymized"))[0, kept]
        frame = frame - frame.mean(axis=0)
        first.append(frame / np.linalg.norm(frame))
    assert np.abs(first[0]).max() > 0.05
    assert np.allclose(first[0], first[1], atol=1e-6)


def test_hands_keep_their_shape_when_the_signer_does_not(real_pose):
    plain, ours = (
        poses.features(real_pose, v) for v in ("reduced_face", "reduced_face_anonymized")
    )
    hand = at(REDUCED_FACE, RIGHT_HAND)
    seen = plain.valid[:, hand].all(axis=1)
    before, after = (xyz(f)[np.ix_(seen, hand)] for f in (plain, ours))
    before, after = (h - h[:, :1] for h in (before, after))
    ratio = np.linalg.norm(after) / np.linalg.norm(before)
    assert np.allclose(after, before * ratio, atol=1e-5)


def test_a_point_that_the_first_frame_lacks_is_missing_throughout(make_pose):
    """What would be left of it is the signer's own appearance."""
    pose = make_pose(frames=4)
    hide(pose, FACE, "10", frames=0)
    hide(pose, RIGHT_HAND, frames=0)
    found = poses.features(pose, "reduced_face_anonymized")
    (forehead,) = at(REDUCED_FACE, FACE, "10")
    assert not found.valid[:, forehead].any()
    assert (xyz(found)[:, forehead] == 0).all()
    hand = at(REDUCED_FACE, RIGHT_HAND)  # hands are nobody's appearance
    assert found.valid[:, hand].all(axis=1).tolist() == [False, True, True, True]


@pytest.mark.parametrize("variant", ["reduced_face_anonymized", "sign_vq_anonymized"])
def test_without_shoulders_in_the_first_frame_there_is_no_appearance_to_remove(make_pose, variant):
    pose = make_pose()
    hide(pose, BODY, "LEFT_SHOULDER", frames=0)
    with pytest.raises(PoseError, match="clip-1: a shoulder is not detected in the first frame"):
        poses.features(pose, variant, sample="clip-1")


def test_points_that_the_mean_signer_lacks_are_refused(make_pose):
    pose = make_pose()
    body = pose.header.components[0]
    body.points = ["BEAK" if name == "NOSE" else name for name in body.points]  # a list of its own
    with pytest.raises(PoseError, match=r"clip-1: .*BEAK"):
        poses.features(pose, "reduced_face_anonymized", sample="clip-1")


# Mirroring


def test_the_bodys_points_are_mediapipes():
    body = holistic_components()[0]
    assert (body.name, tuple(body.points)) == (BODY, landmarks.BODY_POINTS)


@pytest.mark.parametrize("variant", ["reduced_face", "sign_vq", "both_hands"])
def test_the_mirror_map_is_an_involution(variant):
    swap = mirror.permutation(poses.point_names(variant))
    assert sorted(swap) == list(range(len(swap)))
    assert np.array_equal(swap[swap], np.arange(len(swap)))


def test_the_mirror_map_turns_mediapipes_left_contours_into_the_right_ones():
    def edges(name: str) -> set[frozenset[str]]:
        return {frozenset(map(str, e)) for e in getattr(face_mesh, f"FACEMESH_{name}")}

    def turned(name: str) -> set[frozenset[str]]:
        return {frozenset(mirror.counterpart((FACE, p))[1] for p in e) for e in edges(name)}

    for part in ("EYE", "EYEBROW"):
        assert turned(f"LEFT_{part}") == edges(f"RIGHT_{part}")
    for part in ("LIPS", "FACE_OVAL", "CONTOURS"):
        assert turned(part) == edges(part)


def nearest_after_reflection(face: np.ndarray) -> np.ndarray:
    """For each of the 128 contour points (points, 3), which point its reflection comes closest to.

    The reflection is laid over the face by the affine map that fits best: faces are not frontal.
    """
    swap = mirror.permutation(landmarks.pairs(FACE, tuple(map(str, landmarks.FACE_CONTOURS))))
    source = np.c_[face * [-1, 1, 1], np.ones(len(face))]
    fit, *_ = np.linalg.lstsq(source, face[swap], rcond=None)
    return np.linalg.norm((source @ fit)[:, None] - face[None], axis=-1).argmin(axis=1)


def test_the_mirror_map_agrees_with_the_mean_signers_face():
    contours = list(map(str, landmarks.FACE_CONTOURS))
    mean = get_mean_appearance().get_components([FACE], {FACE: contours})
    swap = mirror.permutation(landmarks.pairs(FACE, contours))
    assert np.array_equal(nearest_after_reflection(mean.body.data.data[0, 0]), swap)


def test_the_mirror_map_agrees_with_real_faces(reference):
    """A real face is not symmetrical and no frame frontal: most points, in the clip's mean face."""
    face = xyz(poses.features(reference.pose, "reduced_face"))[:, at(REDUCED_FACE, FACE)]
    swap = mirror.permutation(landmarks.pairs(FACE, tuple(map(str, landmarks.FACE_CONTOURS))))
    assert (nearest_after_reflection(face.mean(axis=0)) == swap).mean() > 0.9


def test_the_mirror_map_keeps_the_middle_and_swaps_hands():
    assert mirror.counterpart((BODY, "NOSE")) == (BODY, "NOSE")
    assert mirror.counterpart((BODY, "LEFT_EYE_INNER")) == (BODY, "RIGHT_EYE_INNER")
    assert mirror.counterpart((BODY, "MOUTH_RIGHT")) == (BODY, "MOUTH_LEFT")
    assert mirror.counterpart((LEFT_HAND, "THUMB_TIP")) == (RIGHT_HAND, "THUMB_TIP")
    middle = [p for p in landmarks.FACE_CONTOURS if mirror.counterpart((FACE, str(p)))[1] == str(p)]
    assert tuple(middle) == mirror.FACE_MIDLINE


@pytest.mark.parametrize("variant", ["right_hand", "holistic"])
def test_a_layout_without_counterparts_cannot_be_mirrored(variant):
    with pytest.raises(ConfigError, match="no counterpart"):
        mirror.permutation(poses.point_names(variant))


@pytest.mark.parametrize("suffix", ["", "_anonymized"])
def test_a_left_handed_signer_becomes_the_right_handed_one_of_the_mirror(make_pose, suffix):
    pose = make_pose(hands=["RIGHT"])
    ours = poses.features(reflected(pose), f"reduced_face_mirrored{suffix}")
    expected = poses.features(pose, f"reduced_face{suffix}")
    assert np.allclose(ours.values, expected.values, atol=1e-5)
    assert np.array_equal(ours.valid, expected.valid)


@pytest.mark.parametrize("hands", [["RIGHT"], ["LEFT", "RIGHT"]])
def test_only_a_clip_in_which_nothing_but_the_left_hand_is_seen_is_mirrored(make_pose, hands):
    pose = make_pose(hands=hands)
    ours, plain = (poses.features(pose, v) for v in ("reduced_face_mirrored", "reduced_face"))
    assert np.array_equal(ours.values, plain.values)
    assert np.array_equal(ours.valid, plain.valid)


@pytest.mark.parametrize(
    ("variant", "plain"),
    [
        ("reduced_face_mirrored", "reduced_face"),
        ("reduced_face_mirrored_anonymized", "reduced_face_anonymized"),
        ("dominant_hand", "right_hand"),
    ],
)
def test_a_clip_with_neither_hand_is_left_alone(make_pose, variant, plain):
    ours, expected = (poses.features(make_pose(hands=[]), name) for name in (variant, plain))
    assert np.array_equal(ours.values, expected.values)
    assert np.array_equal(ours.valid, expected.valid)


def test_the_italian_clips_are_mirrored(embedded):
    clip = embedded.manifest[embedded.manifest["sign_language"] == "ise"].iloc[0]
    pose = poses.read_pose(embedded.root / clip["path"])
    plain, ours = (poses.features(pose, v) for v in ("reduced_face", "reduced_face_mirrored"))
    left, right = at(REDUCED_FACE, LEFT_HAND), at(REDUCED_FACE, RIGHT_HAND)
    assert not ours.valid[:, left].any()
    assert np.array_equal(ours.valid[:, right], plain.valid[:, left])
    assert np.allclose(xyz(ours)[:, right], xyz(plain)[:, left] * [-1, 1, 1], atol=1e-6)


def test_a_file_whose_points_have_no_counterpart_is_refused(make_pose):
    pose = make_pose(hands=["LEFT"]).remove_components([], {BODY: ["LEFT_EAR"]})
    with pytest.raises(PoseError, match=r"clip-1: .*RIGHT_EAR"):
        poses.features(pose, "reduced_face_mirrored", sample="clip-1")


# Layouts


@pytest.mark.parametrize("variant", poses.VARIANTS)
def test_every_variants_points_have_names(make_pose, variant):
    names = poses.point_names(variant)
    assert len(set(names)) == len(names)
    assert poses.features(make_pose(), variant).values.shape[1] == 3 * len(names)


def test_an_unknown_variant_has_no_names():
    with pytest.raises(ConfigError, match="sign_vq"):
        poses.point_names("sign-vq")
