"""Hands without a body: what variants of the hands make of them, and who refuses them."""

import numpy as np
import pytest

from signclip import corpora, poses
from signclip.core.errors import PoseError
from signclip.corpora import manifest
from signclip.features import store
from signclip.poses import hands, landmarks, variants
from signclip.poses.landmarks import HANDS, LEFT_HAND, RIGHT_HAND

HANDS_ALONE = [name for name, row in poses.VARIANTS.items() if row.hands_alone]
NEED_SHOULDERS = [name for name in poses.VARIANTS if name not in HANDS_ALONE]
BOTH = HANDS[LEFT_HAND] + HANDS[RIGHT_HAND]


@pytest.fixture
def alone(make_pose):
    """Two hands, and nothing else in the file."""
    return make_pose(frames=6, components=("LEFT_HAND", "RIGHT_HAND"))


def both_hands(pose):
    """(frames, 42, 3): the left hand, then the right one."""
    return poses.preprocess(pose, "both_hands").reshape(-1, 42, 3)


def test_the_hand_variants_are_those_that_no_shoulder_is_needed_for():
    assert set(HANDS_ALONE) == {
        *("right_hand", "right_hand_normalized", "both_hands"),
        *("dominant_hand", "dominant_hand_normalized", "signing"),
    }


@pytest.mark.parametrize("variant", HANDS_ALONE)
def test_hands_alone_are_features_with_the_body_missing(alone, variant):
    found = poses.features(alone, variant)
    assert found.values.shape == (6, poses.VARIANTS[variant].dims)
    of_hand = np.array([component in HANDS for component, _ in poses.point_names(variant)])
    assert found.valid[:, of_hand].all()
    assert not found.valid[:, ~of_hand].any()
    assert (found.values.reshape(6, -1, 3)[~found.valid] == 0).all()


@pytest.mark.parametrize("variant", NEED_SHOULDERS)
def test_what_needs_shoulders_refuses_hands_alone_by_name(alone, variant):
    message = f"^clip-1: no shoulders: .*variant {variant} needs one .*signing"
    with pytest.raises(PoseError, match=message):
        poses.features(alone, variant, sample="clip-1")


@pytest.mark.parametrize("variant", HANDS_ALONE)
def test_a_body_that_is_never_seen_is_no_body(alone, make_pose, variant):
    unseen = make_pose(frames=6)
    names = [c.name for c in unseen.header.components for _ in c.points]
    of_hand = np.array([name in HANDS for name in names])
    unseen.body.confidence[:, :, ~of_hand] = 0
    unseen.body.data.data[:, :, of_hand] = alone.body.data.data
    ours, expected = poses.features(unseen, variant), poses.features(alone, variant)
    assert np.array_equal(ours.values, expected.values)
    assert np.array_equal(ours.valid, expected.valid)


def test_hands_alone_have_the_size_and_the_place_of_a_signers(alone):
    left, right = np.split(both_hands(alone), 2, axis=1)
    palms = [np.linalg.norm(hand[:, 9] - hand[:, 0], axis=-1) for hand in (left, right)]
    assert np.mean(palms) == pytest.approx(hands.TYPICAL_PALM, abs=1e-5)
    assert right[:, 0].mean(axis=0) == pytest.approx([*hands.TYPICAL_WRIST, 0], abs=1e-5)


@pytest.mark.parametrize("variant", HANDS_ALONE)
def test_where_and_how_large_hands_alone_were_does_not_matter(alone, variant):
    expected = poses.preprocess(alone, variant)
    alone.body.data.data[:] = alone.body.data.data * 2.5 + np.float32([31, -17, 5])
    scale = 100 if "normalized" in variant else 1  # lengths there are 100
    assert np.abs(poses.preprocess(alone, variant) - expected).max() < 1e-4 * scale


def test_a_left_hand_alone_comes_where_a_right_one_would(make_pose):
    pose = make_pose(frames=4, components=("LEFT_HAND", "RIGHT_HAND"), hands=["LEFT"])
    for variant, wrist in (("dominant_hand", 0), ("signing", -21)):
        found = poses.preprocess(pose, variant).reshape(4, -1, 3)[:, wrist]
        assert found.mean(axis=0) == pytest.approx([*hands.TYPICAL_WRIST, 0], abs=1e-5), variant


def test_the_constants_are_those_of_the_embedded_corpus(embedded):
    """Every twelfth clip: the medians are near those of all 600."""
    palms, wrists = [], []
    for path in embedded.manifest["path"][::12]:
        marks = poses.normalise(poses.to_landmarks(poses.read_pose(embedded.root / path)))
        at = [landmarks.index_of(marks.names)[name] for name in HANDS[RIGHT_HAND]]
        seen = marks.valid[:, at].all(axis=1)
        if seen.any():
            hand = marks.xyz[seen][:, at]
            palms.append(np.linalg.norm(hand[:, 9] - hand[:, 0], axis=-1).mean())
            wrists.append(hand[:, 0, :2].mean(axis=0))
    assert np.median(palms) == pytest.approx(hands.TYPICAL_PALM, abs=0.03)
    assert np.median(wrists, axis=0) == pytest.approx(hands.TYPICAL_WRIST, abs=0.1)


def test_hands_without_a_palm_are_refused(alone):
    alone.body.data.data[:] = 7
    with pytest.raises(PoseError, match="clip-1: the palms of the hands have no length"):
        poses.features(alone, "signing", sample="clip-1")


def test_shoulders_that_are_never_seen_beside_a_body_stay_an_error(make_pose):
    pose = make_pose()
    pose.body.confidence[:, :, 11:13] = 0
    with pytest.raises(PoseError, match="shoulders are never both detected"):
        poses.features(pose, "signing")


def test_a_corpus_of_hands_alone_is_built_and_packed(folder_corpus, make_pose, pose_bytes):
    for seed, split in enumerate(("train", "validation", "test")):
        pose = make_pose(seed=seed, components=("LEFT_HAND", "RIGHT_HAND"))
        folder_corpus.add(f"clip-{seed}", pose_bytes(pose), split=split)
    clips, dropped = corpora.build("folder", folder_corpus.write(), progress=False)
    assert (len(clips), len(dropped)) == (3, 0)
    target = folder_corpus.root.parent / "store"
    store.write(clips, folder_corpus.root, "signing", target, progress=False)
    assert len(store.FeatureStore(target)) == 3


def test_real_letters_of_hands_alone_can_be_used(shared):
    """Takes of other people with another recorder; both hands are there, mostly one is seen."""
    root = shared("data/asl-letters")
    for letter in "a", "m", "z":
        path = sorted((root / letter).glob("*.pose"))[0]
        found = poses.features(poses.read_pose(path), "signing")
        right = found.values.reshape(len(found.values), -1, 3)[:, -21:][found.valid[:, -1]]
        assert np.linalg.norm(right[:, 9] - right[:, 0], axis=-1).mean() < 0.6
    clips, dropped = corpora.build("folder", root, progress=False)
    assert len(clips) > 1300, manifest.reasons(dropped)


# A missing face


def test_a_missing_face_is_said_once_a_variant(make_pose, caplog, monkeypatch):
    monkeypatch.setattr(variants, "_said_faceless", set())
    pose = make_pose(components=("POSE", "LEFT_HAND", "RIGHT_HAND"))
    for clip in ("clip-1", "clip-2"):
        for variant in ("reduced_face", "signing", "dominant_hand"):
            poses.features(pose, variant, sample=clip)
    lines = [record.getMessage() for record in caplog.records]
    assert lines == [
        "clip-1: variant reduced_face needs the face, which the pose lacks; its points are missing "
        "(zeros)"
    ]
