"""Augmentation: the reference's numbers on the reference's draws, and what each step promises.

The reference's numbers were drawn with ``np.random.seed(123); random.seed(123)`` right before each
call; the tests draw the same.
"""

import numpy as np
import pytest
from pose_format.numpy import NumPyPoseBody

from signclip import poses
from signclip.poses import mirror
from signclip.poses.landmarks import BODY, LEFT_HAND, RIGHT_HAND, Features, Landmarks
from signclip.training import augmentation

NAMES = poses.point_names("reduced_face")
SWAP = mirror.permutation(NAMES)
LEGS = poses.hidden_legs(NAMES)
FPS, MAX_FRAMES = 25.0, 256  # of the reference's clips; of its configurations


@pytest.fixture
def legacy_normal():
    """The reference's generator: numpy's global one, seeded."""
    return np.random.RandomState(123).normal


@pytest.fixture
def clip(reference) -> Features:
    return poses.features(reference.pose, "reduced_face")


@pytest.fixture
def real_clip(real_pose) -> Features:
    return poses.features(real_pose, "reduced_face")


def made_up(frames: int, points: int = 4, seed: int = 0, seen: float = 1.0) -> Features:
    rng = np.random.default_rng(seed)
    valid = rng.random((frames, points)) < seen
    values = rng.normal(size=(frames, points, 3)) * valid[..., None]
    return Features(values.reshape(frames, -1).astype(np.float32), valid)


def as_landmarks(clip: Features) -> Landmarks:
    xyz = clip.values.reshape(len(clip.values), -1, 3).astype(np.float64)
    return Landmarks(xyz, clip.valid, NAMES, FPS)


# Agreement with the reference


def test_flip_agrees_with_the_reference(reference, clip):
    reference.check(augmentation.flip(clip, SWAP).values, "flip_p1__train")


@pytest.mark.parametrize(
    ("variant", "name"),
    [("reduced_face", "augment2d__train"), ("sign_vq", "signvq_augment2d__train")],
)
def test_augment2d_agrees_with_the_reference(reference, legacy_normal, variant, name):
    draws = augmentation.Affine2D(*(legacy_normal(0, 0.2) for _ in range(3)))
    reference.check(augmentation.augment2d(poses.preprocess(reference.pose, variant), draws), name)


def test_augment_temporal_agrees_with_the_reference(reference, clip, legacy_normal):
    ratio = legacy_normal(1, 0.2)
    ours = augmentation.augment_temporal(clip, ratio, fps=FPS, max_frames=MAX_FRAMES)
    assert len(ours.values) < len(clip.values)
    reference.check(ours.values, "augment_temporal__train")


def test_what_is_missing_afterwards_is_what_the_reference_masks(whole_reference, legacy_normal):
    clip = poses.features(whole_reference.pose, "reduced_face")
    flipped = augmentation.flip(clip, SWAP)
    played = augmentation.augment_temporal(
        clip, legacy_normal(1, 0.2), fps=FPS, max_frames=MAX_FRAMES
    )
    for ours, name in ((flipped, "flip_p1__train"), (played, "augment_temporal__train")):
        assert np.array_equal(np.repeat(~ours.valid, 3, axis=1), whole_reference.mask(name))


def test_gaussian_noise_agrees_with_the_reference(reference, clip, legacy_normal):
    noise = legacy_normal(0, 0.001, clip.values.shape)
    ours = augmentation.gaussian_noise(clip.values, noise, clip.valid | LEGS)
    reference.check(ours, "gaussian_noise__train")
    assert (ours.reshape(len(ours), -1, 3)[:, LEGS] != 0).all()  # its quirk


def test_temporal_and_noise_together_agree_with_the_reference(reference, clip, legacy_normal):
    ratio = legacy_normal(1, 0.2)
    played = augmentation.augment_temporal(clip, ratio, fps=FPS, max_frames=MAX_FRAMES)
    noise = legacy_normal(0, 0.001, played.values.shape)
    ours = augmentation.gaussian_noise(played.values, noise, played.valid)
    reference.check(ours, "final_temporal_noise__train")


# Flip


def test_flipping_twice_gives_the_clip_back(real_clip):
    twice = augmentation.flip(augmentation.flip(real_clip, SWAP), SWAP)
    assert np.array_equal(twice.values, real_clip.values)
    assert np.array_equal(twice.valid, real_clip.valid)


def test_a_flipped_clip_is_normalised_already(real_clip):
    """So the reference's second normalisation needs no copy here."""
    flipped = augmentation.flip(real_clip, SWAP)
    again = poses.normalise(as_landmarks(flipped)).xyz.reshape(flipped.values.shape)
    assert np.abs(again - flipped.values).max() < 1e-6


def test_flip_swaps_hands_and_validity_and_keeps_zeros(real_clip):
    flipped = augmentation.flip(real_clip, SWAP)
    left = [i for i, (part, _) in enumerate(NAMES) if part == LEFT_HAND]
    right = [i for i, (part, _) in enumerate(NAMES) if part == RIGHT_HAND]
    assert np.array_equal(flipped.valid[:, left], real_clip.valid[:, right])
    assert not flipped.valid[:, LEGS].any()
    missing = flipped.values.reshape(len(flipped.values), -1, 3)[~flipped.valid]
    assert (missing == 0).all()
    assert not np.signbit(missing).any()
    shoulder = NAMES.index((BODY, "LEFT_SHOULDER"))
    assert flipped.values[0, 3 * shoulder] > 0  # still on the picture's right


def test_no_augmentation_changes_its_input(real_clip):
    before = Features(real_clip.values.copy(), real_clip.valid.copy())
    for array in real_clip:
        array.flags.writeable = False
    augmentation.flip(real_clip, SWAP)
    augmentation.augment2d(real_clip.values, augmentation.Affine2D(0.1, 0.1, 0.1))
    augmentation.augment_temporal(real_clip, 0.7, fps=FPS, max_frames=MAX_FRAMES)
    augmentation.gaussian_noise(real_clip.values, np.ones_like(real_clip.values), real_clip.valid)
    assert np.array_equal(real_clip.values, before.values)


# Temporal


@pytest.mark.parametrize("frames", [2, 3, 26, 73])
def test_at_ratio_one_a_clip_without_gaps_stays_as_it_is(frames):
    clip = made_up(frames)
    same = augmentation.augment_temporal(clip, 1.0, fps=FPS, max_frames=MAX_FRAMES)
    assert np.array_equal(same.values, clip.values)
    assert same.valid.all()


@pytest.mark.parametrize("ratio", [0.45, 0.8, 1.0, 1.21, 1.7])
@pytest.mark.parametrize("seen", [0.1, 0.5, 0.9, 1.0])
def test_temporal_agrees_with_pose_formats_interpolation_whatever_is_missing(ratio, seen):
    clip = made_up(17, points=60, seed=round(10 * ratio + 100 * seen), seen=seen)
    body = NumPyPoseBody(
        FPS, clip.values.reshape(17, 1, -1, 3).astype(np.float64), clip.valid[:, None].astype(float)
    )
    theirs = body.interpolate(round(FPS * ratio), kind="linear")
    ours = augmentation.augment_temporal(clip, ratio, fps=FPS, max_frames=MAX_FRAMES)
    assert np.allclose(
        ours.values, theirs.data.filled(0)[:, 0].reshape(len(ours.values), -1), atol=1e-6
    )
    assert np.array_equal(ours.valid, theirs.confidence[:, 0] > 0)


@pytest.mark.parametrize("seen", [0.5, 1.0])
def test_values_of_double_precision_are_taken_as_float32(seen):
    clip = made_up(20, seen=seen)
    double = Features(clip.values.astype(np.float64), clip.valid)
    ours, theirs = (
        augmentation.augment_temporal(c, 1.3, fps=FPS, max_frames=MAX_FRAMES)
        for c in (double, clip)
    )
    assert ours.values.dtype == np.float32
    assert np.array_equal(ours.values, theirs.values)


def test_gaps_are_filled_and_the_ends_stay_missing():
    clip = made_up(9, points=3)
    clip.valid[:] = np.array([[0, 1, 1, 0, 0, 1, 1, 0, 0], [1] * 9, [0] * 9], dtype=bool).T
    clip.values[:] = np.arange(9, dtype=np.float32)[:, None] * np.repeat(clip.valid, 3, axis=1)
    ours = augmentation.augment_temporal(clip, 1.0, fps=FPS, max_frames=MAX_FRAMES)
    assert ours.valid.T.astype(int).tolist() == [[0, 1, 1, 1, 1, 1, 1, 0, 0], [1] * 9, [0] * 9]
    assert np.allclose(ours.values[:, 0], [0, 1, 2, 3, 4, 5, 6, 0, 0], atol=1e-6)
    assert np.array_equal(ours.values[:, 3], np.arange(9))
    assert (ours.values[:, 6:] == 0).all()


def test_first_and_last_frame_stay_first_and_last():
    clip = made_up(20)
    for ratio in (0.5, 1.5):
        ours = augmentation.augment_temporal(clip, ratio, fps=FPS, max_frames=MAX_FRAMES)
        assert np.allclose(ours.values[[0, -1]], clip.values[[0, -1]], atol=1e-6)


def test_points_that_never_go_together_are_interpolated_as_if_alone():
    clip = made_up(30, points=12, seen=0.6)
    ours = augmentation.augment_temporal(clip, 1.3, fps=FPS, max_frames=MAX_FRAMES)
    for point in range(12):
        alone = Features(clip.values[:, 3 * point :][:, :3], clip.valid[:, [point]])
        single = augmentation.augment_temporal(alone, 1.3, fps=FPS, max_frames=MAX_FRAMES)
        assert np.array_equal(ours.values[:, 3 * point :][:, :3], single.values)
        assert np.array_equal(ours.valid[:, [point]], single.valid)


@pytest.mark.parametrize(
    ("frames", "ratio", "fps", "max_frames", "expected"),
    [
        (73, 0.782, 25.0, 256, 58),  # 25 * 0.782 is rounded to 20 before it scales 73
        (100, 1.3, 30.0, 256, 130),
        (100, 1.3, 29.97, 256, 130),
        (100, 2.55, 25.0, 256, 256),  # 255 are allowed, but 63.75 frames a second become 64
        (100, 2.56, 25.0, 256, None),  # as long as the limit
        (1, 0.9, 25.0, 256, None),
        (2, 0.1, 25.0, 256, 1),  # the reference: none
        (50, -0.2, 25.0, 256, 1),  # six standard deviations off
    ],
)
def test_the_new_number_of_frames(frames, ratio, fps, max_frames, expected):
    found = augmentation.temporal_frames(frames, ratio, fps=fps, max_frames=max_frames)
    assert found == expected
    clip = made_up(frames)
    ours = augmentation.augment_temporal(clip, ratio, fps=fps, max_frames=max_frames)
    if expected is None:
        assert ours is clip
    else:
        assert len(ours.values) == len(ours.valid) == expected
    assert ours.values.dtype == np.float32


# Noise


def test_noise_falls_on_the_disturbed_points_only(real_clip):
    noise = np.ones_like(real_clip.values)
    ours = augmentation.gaussian_noise(real_clip.values, noise, real_clip.valid)
    change = (ours - real_clip.values).reshape(len(ours), -1, 3)
    assert np.allclose(change[real_clip.valid], 1)
    assert (change[~real_clip.valid] == 0).all()
    assert ours.dtype == np.float32


# Draws


def test_draws_are_those_of_clip_and_epoch():
    def drawn(seed: int, epoch: int, clip: str) -> tuple:
        rng = augmentation.generator(seed, epoch, clip)
        return (
            augmentation.draw_flip(rng),
            augmentation.draw_affine2d(rng),
            augmentation.draw_tempo(rng),
            augmentation.draw_noise(rng, (2, 3)).tolist(),
        )

    assert drawn(0, 1, "a") == drawn(0, 1, "a")
    others = [drawn(1, 1, "a"), drawn(0, 2, "a"), drawn(0, 1, "b")]
    assert all(other != drawn(0, 1, "a") for other in others)


def test_draws_have_the_papers_distributions():
    rng = augmentation.generator(0, 0, "any")
    flips = [augmentation.draw_flip(rng) for _ in range(4000)]
    assert np.mean(flips) == pytest.approx(0.2, abs=0.03)
    assert not any(augmentation.draw_flip(rng, 0) for _ in range(100))
    assert all(augmentation.draw_flip(rng, 1) for _ in range(100))
    tempi = [augmentation.draw_tempo(rng) for _ in range(4000)]
    assert np.mean(tempi) == pytest.approx(1, abs=0.02)
    assert np.std(tempi) == pytest.approx(0.2, abs=0.01)
    affine = np.array([augmentation.draw_affine2d(rng) for _ in range(4000)])
    assert np.abs(affine.mean(axis=0)).max() < 0.02
    assert np.abs(affine.std(axis=0) - 0.2).max() < 0.01
    noise = augmentation.draw_noise(rng, (100, 609))
    assert noise.dtype == np.float32
    assert np.std(noise) == pytest.approx(0.001, rel=0.02)
