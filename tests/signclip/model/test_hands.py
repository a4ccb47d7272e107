"""Hand-centric features and their augmentation: only what counts changes them."""

import numpy as np
import pytest
import torch

from signclip import poses
from signclip.core.errors import ConfigError
from signclip.model.hands import HandFeatures, frames_before
from signclip.model.padding import pad_frames
from signclip.model.pose_tower import LARGEST_DEVIATION, LEAST_SPREAD, BodyPart
from signclip.poses.landmarks import HAND_PARENT, SIGNING, SIGNING_LEFT, SIGNING_RIGHT, Features
from signclip.training import augmentation, hand_augmentation
from signclip.training.data import Augmentation

FRAMES = 12


@pytest.fixture(scope="module")
def clip(embedded) -> Features:
    """A real clip signed with the right hand."""
    path = embedded.manifest.set_index("id").loc["ase-b", "path"]
    return poses.features(poses.read_pose(embedded.root / path), "signing")


def described(values: np.ndarray) -> np.ndarray:
    frames = torch.from_numpy(values)[None]
    return HandFeatures()(frames, frames_before(frames))[0].numpy()


def moved(clip: Features, change) -> np.ndarray:
    points = clip.values.reshape(len(clip.values), len(SIGNING), 3).copy()
    change(points)
    return points.reshape(clip.values.shape)


def test_a_bone_ends_where_the_finger_goes_on():
    names = [point for _, point in SIGNING[SIGNING_RIGHT]]
    assert names[0] == "WRIST"
    for point, before in enumerate(HAND_PARENT):
        finger = names[point].rpartition("_")[0]
        assert names[before] == "WRIST" or names[before].rpartition("_")[0] == finger


def test_features_are_finite_and_of_like_spread_on_real_clips(clip):
    features = described(clip.values)
    assert features.shape == (len(clip.values), HandFeatures().dims)
    assert np.isfinite(features).all()
    assert 0.1 < features[:, features.any(axis=0)].std() < 1
    assert np.abs(features).max() < 8


def test_a_hands_place_and_size_do_not_change_its_shape(clip):
    def nearer(points):
        wrist = points[:, SIGNING_RIGHT.start, None].copy()
        points[:, SIGNING_RIGHT] = (points[:, SIGNING_RIGHT] - wrist) * 1.7 + wrist

    def lower(points):
        points[:, SIGNING_RIGHT, 1] += 0.5

    shape = slice(2, 2 + 200)  # inside the right hand's shape
    for change in (nearer, lower):
        after = described(moved(clip, change))
        assert np.allclose(after[:, shape], described(clip.values)[:, shape], atol=1e-4)
    assert not np.allclose(described(moved(clip, lower)), described(clip.values), atol=0.1)


def test_a_hand_that_is_not_seen_is_zeros_and_a_flag():
    points = np.zeros((FRAMES, len(SIGNING), 3), dtype=np.float32)
    points[:, : SIGNING_LEFT.start] = np.random.default_rng(0).normal(size=3)
    assert not described(points.reshape(FRAMES, -1)).any()
    points[:, SIGNING_LEFT] = np.random.default_rng(0).normal(size=(FRAMES, 21, 3))
    features = described(points.reshape(FRAMES, -1))
    assert (features[:, 0] == 0).all()
    assert (features[:, 1] == 1).all()


def test_gradients_are_finite_also_for_hands_of_one_point():
    frames = torch.zeros(1, FRAMES, 3 * len(SIGNING))
    frames[..., 3 * SIGNING_LEFT.start :] = 1.0
    frames.requires_grad_()
    HandFeatures()(frames, frames_before(frames)).sum().backward()
    assert torch.isfinite(frames.grad).all()


def test_the_left_handed_and_their_mirror_images_look_alike(make_pose):
    right = make_pose(frames=FRAMES, hands=("RIGHT",))
    assert not poses.features(right, "signing").valid[:, SIGNING_LEFT].any()
    left = make_pose(frames=FRAMES, hands=("LEFT",))
    features = poses.features(left, "signing")
    assert features.valid[:, SIGNING_RIGHT].all()
    assert not features.valid[:, SIGNING_LEFT].any()


def test_frames_without_a_hand_are_left_out_unless_there_is_no_other(embedded, make_pose):
    without = make_pose(frames=FRAMES, hands=())
    assert len(poses.features(without, "signing").values) == FRAMES
    some = make_pose(frames=FRAMES, hands=("RIGHT",))
    some.body.confidence[: FRAMES // 2, :, -21:] = 0
    assert len(poses.features(some, "signing").values) == FRAMES - FRAMES // 2


def test_depth_is_on_the_scale_of_the_picture(clip):
    """A hand is about as deep as it is wide; as the file has it, it would be flat."""
    hand = clip.values.reshape(-1, len(SIGNING), 3)[:, SIGNING_RIGHT]
    spread = hand.std(axis=1).mean(axis=0)
    assert 0.2 < spread[2] / spread[:2].max() < 2


@pytest.mark.parametrize("step", hand_augmentation.STEPS)
def test_steps_move_seen_hands_about_their_wrists_and_nothing_else(clip, step):
    after = hand_augmentation.STEPS[step](clip, np.random.default_rng(1))
    before = clip.values.reshape(-1, len(SIGNING), 3)
    after = after.reshape(before.shape)
    assert np.array_equal(after[:, : SIGNING_LEFT.start], before[:, : SIGNING_LEFT.start])
    unseen = ~clip.valid[:, SIGNING_LEFT.start]
    assert not after[unseen][:, SIGNING_LEFT].any()
    assert np.abs(after - before)[:, SIGNING_RIGHT].max() > 1e-3
    if step != "jitter":
        wrist = SIGNING_RIGHT.start
        assert np.allclose(after[:, wrist], before[:, wrist])


def test_a_rotation_is_one():
    matrix = hand_augmentation.rotation(np.array([0.3, -0.2, 0.5]))
    assert np.allclose(matrix @ matrix.T, np.eye(3))
    assert np.linalg.det(matrix) == pytest.approx(1)
    quarter = hand_augmentation.rotation(np.array([0, 0, np.pi / 2]))
    assert np.allclose([1, 0, 0] @ quarter, [0, 1, 0])


def test_turning_keeps_bones_and_stretching_keeps_directions(clip):
    def bones(values):
        hand = values.reshape(-1, len(SIGNING), 3)[:, SIGNING_RIGHT]
        return (hand - hand[:, HAND_PARENT])[:, 1:]

    before = bones(clip.values)
    turned = bones(
        hand_augmentation.transform(clip, hand_augmentation.rotation(np.array([0.4, 0.1, 1])))
    )
    assert np.allclose(*(np.linalg.norm(x, axis=-1) for x in (turned, before)), atol=1e-5)
    factors = np.linspace(0.8, 1.2, 21)
    longer = bones(hand_augmentation.stretch_bones(clip, factors))
    assert np.allclose(longer, before * factors[1:, None], atol=1e-5)


def test_displacement_is_in_reaches_of_the_hand(clip):
    frames = len(clip.values)
    shape, still = np.full((42, 3), 0.1), np.zeros((frames, 42, 3))
    after = hand_augmentation.displace(clip, shape, still).reshape(frames, len(SIGNING), 3)
    hand = clip.values.reshape(frames, len(SIGNING), 3)[:, SIGNING_RIGHT]
    reach = np.linalg.norm(hand - hand[:, :1], axis=-1).max(axis=1)
    assert np.allclose(after[:, SIGNING_RIGHT] - hand, 0.1 * reach[:, None, None], atol=1e-5)


def test_a_crop_cuts_both_ends_and_drops_frames_by_luck():
    luck = np.ones(hand_augmentation.DRAWS)
    luck[5] = 0
    kept = hand_augmentation.Crop(0.2, 0.1, luck).kept(20)
    assert np.flatnonzero(kept).tolist() == [4, *range(6, 18)]
    assert hand_augmentation.Crop(0.0, 0.0, np.zeros(hand_augmentation.DRAWS)).kept(3).all()
    assert hand_augmentation.Crop(0.3, 0.3, luck).kept(1).all()
    assert len(hand_augmentation.Crop(0.0, 0.0, luck).kept(600)) == 600


def test_the_frames_of_a_crop_are_known_before_it_is_made(clip):
    steps = Augmentation(("temporal", "crop", *hand_augmentation.STEPS), "signing", max_frames=256)
    lengths = set()
    for epoch in range(20):
        draws = steps.draw(augmentation.generator(0, epoch, "x"))
        after = steps(clip, draws, fps=25.0)
        assert len(after.values) == len(after.valid)
        assert len(after.values) == steps.frames(len(clip.values), draws, fps=25.0)
        lengths.add(len(after.values))
    assert len(lengths) > 3


def test_hands_are_bent_only_where_the_variant_has_them():
    with pytest.raises(ConfigError, match="augmentation of hands needs the points of `signing`"):
        Augmentation(("bones",), "reduced_face", max_frames=256)


def test_the_body_part_does_not_depend_on_padding_and_is_standardised_by_the_clips(embedded):
    clips = [
        poses.features(poses.read_pose(embedded.root / path), "signing").values
        for path in embedded.manifest["path"][::100]
    ]
    torch.manual_seed(0)
    part = BodyPart(5, dropout=0.0).eval()
    raw = [part(torch.tensor(x)[None], torch.ones(1, len(x), dtype=torch.bool)) for x in clips]
    part.standardise(clips)
    frames, mask = pad_frames(clips, 1000)
    frames[~mask] = 7.0
    together = part(frames, mask)
    for row, clip in zip(together, clips, strict=True):
        alone = part(torch.tensor(clip)[None], torch.ones(1, len(clip), dtype=torch.bool))[0]
        assert torch.allclose(row, alone, atol=1e-5)
    assert torch.allclose(together.mean(dim=0), part.linear.bias, atol=1e-4)
    # what does not vary is not blown up, and large deviations are clipped
    assert part.scale.min() >= LEAST_SPREAD
    assert (part.scale > LEAST_SPREAD).float().mean() > 0.8
    afar = part(frames[:1] * 1000, mask[:1]) - part.linear.bias
    assert afar.abs().max() <= LARGEST_DEVIATION * part.linear.weight.abs().sum(dim=1).max()
    assert together.std(dim=0).min() > 3 * torch.cat(raw).std(dim=0).max()
    assert {"centre", "scale"} <= part.state_dict().keys()
