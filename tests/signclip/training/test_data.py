"""Batches: rounds over labels, frozen or reshuffled; padding; and augmentation by names."""

import numpy as np
import pytest
import torch

from signclip import poses
from signclip.core.errors import ConfigError
from signclip.model.padding import pad_frames
from signclip.poses import mirror
from signclip.poses.landmarks import Features
from signclip.training import augmentation, data
from signclip.training.sampling import LanguagesSampler, RoundsSampler, ShuffledSampler

LABELS = ["a"] * 5 + ["b"] * 2 + ["c"] * 3


def sampler(**changes) -> RoundsSampler:
    return RoundsSampler(LABELS, **{"batch_size": 3, "reshuffle": False, "seed": 0, **changes})


def members(epoch_batches) -> set[frozenset[int]]:
    return {frozenset(position for _, position in batch) for batch in epoch_batches}


def test_a_batch_of_a_rounds_size_holds_each_label_once():
    for batch in sampler():
        assert sorted(LABELS[position] for _, position in batch) == ["a", "b", "c"]


def test_every_clip_is_seen_every_epoch():
    assert {position for batch in sampler() for _, position in batch} == set(range(len(LABELS)))


def test_membership_is_frozen_over_epochs_and_only_the_order_changes():
    frozen = sampler(batch_size=3)
    epochs = [list(frozen) for _ in range(6)]
    assert all(members(epoch) == members(epochs[0]) for epoch in epochs)
    orders = [[batch[0][1] for batch in epoch] for epoch in epochs]
    assert any(order != orders[0] for order in orders)


def test_reshuffled_membership_changes():
    moving = sampler(reshuffle=True)
    assert any(members(list(moving)) != members(list(moving)) for _ in range(3))


def test_the_keys_carry_the_epoch():
    twice = sampler()
    assert {epoch for batch in twice for epoch, _ in batch} == {0}
    assert {epoch for batch in twice for epoch, _ in batch} == {1}


def test_equal_seeds_give_equal_batches_and_others_do_not():
    assert list(sampler(seed=1)) == list(sampler(seed=1))
    assert list(sampler(seed=1)) != list(sampler(seed=2))


def test_the_number_of_batches_is_known():
    for size in (1, 2, 3, 4, 15, 100):
        assert len(list(sampler(batch_size=size))) == len(sampler(batch_size=size))


def test_clips_are_cut_to_the_limit_and_padded_with_masked_zeros():
    frames, mask = pad_frames([np.ones((2, 3)), np.ones((9, 3))], max_frames=4)
    assert frames.shape == (2, 4, 3)
    assert mask.sum(dim=1).tolist() == [2, 4]
    assert torch.equal(frames.sum(dim=2), 3.0 * mask)


def test_shuffled_batches_hold_each_clip_once():
    batches = list(ShuffledSampler(11, batch_size=4, reshuffle=False, seed=0))
    assert sorted(map(len, batches)) == [3, 4, 4]
    assert sorted(position for batch in batches for _, position in batch) == list(range(11))


@pytest.mark.parametrize("reshuffle", [False, True])
@pytest.mark.parametrize("kind", ["rounds", "shuffled"])
def test_a_sampler_that_seeks_gives_what_would_have_come(kind, reshuffle):
    def fresh():
        common = dict(batch_size=2, reshuffle=reshuffle, seed=3)
        return RoundsSampler(LABELS, **common) if kind == "rounds" else ShuffledSampler(9, **common)

    whole = fresh()
    epochs = [list(whole) for _ in range(3)]
    for epoch, done in ((0, 0), (0, 3), (1, 1), (2, len(epochs[2]))):
        there = fresh()
        there.seek(epoch, done)
        assert list(there) == epochs[epoch][done:]
        if epoch < 2:
            assert list(there) == epochs[epoch + 1]


@pytest.fixture
def clip(make_pose) -> Features:
    """Nine frames of the reduced face, one hand seen in five of them."""
    pose = make_pose(frames=9, hands=("LEFT", "RIGHT"))
    pose.body.confidence[2:6, :, -54:-33] = 0
    return poses.features(pose, "reduced_face")


def augmented(clip, *steps, seed=1) -> Features:
    step = data.Augmentation(steps, "reduced_face", max_frames=256)
    return step(clip, step.draw(np.random.default_rng(seed)), fps=25.0)


def test_augmentation_is_its_steps_in_the_references_order_whatever_theirs(clip):
    rng = np.random.default_rng(1)
    names = poses.point_names("reduced_face")
    expected = clip
    if augmentation.draw_flip(rng):
        expected = augmentation.flip(clip, mirror.permutation(names))
    values = augmentation.augment2d(expected.values, augmentation.draw_affine2d(rng))
    ratio = augmentation.draw_tempo(rng)
    expected = augmentation.augment_temporal(
        expected._replace(values=values), ratio, fps=25.0, max_frames=256
    )
    noise = augmentation.draw_noise(rng, expected.values.shape)
    values = augmentation.gaussian_noise(expected.values, noise, expected.valid)
    for steps in (
        ("flip", "affine2d", "temporal", "noise"),
        ("noise", "temporal", "affine2d", "flip"),
    ):
        ours = augmented(clip, *steps)
        assert np.array_equal(ours.values, values)
        assert np.array_equal(ours.valid, expected.valid)


def test_one_clip_in_five_is_flipped(clip):
    flipped = [augmented(clip, "flip", seed=seed).values[0, 0] for seed in range(400)]
    assert 0.13 < np.mean(np.array(flipped) != clip.values[0, 0]) < 0.27


def test_noise_alone_disturbs_the_hidden_legs_as_the_references_does_and_nothing_missing(clip):
    legs = np.repeat(poses.hidden_legs(poses.point_names("reduced_face")), 3)
    seen = np.repeat(clip.valid, 3, axis=1)
    alone = augmented(clip, "noise").values - clip.values
    assert (alone[:, legs] != 0).all()
    assert (alone[~(seen | legs)] == 0).all()
    after = augmented(clip, "affine2d", "noise").values
    assert (after[:, legs] == 0).all()


def test_standardised_values_are_not_flipped():
    with pytest.raises(ConfigError, match="cannot be flipped or transformed"):
        data.Augmentation(["flip"], "sign_vq", max_frames=256)


def test_a_hand_alone_cannot_be_flipped():
    with pytest.raises(ConfigError, match="no counterpart"):
        data.Augmentation(["flip"], "dominant_hand", max_frames=256)


def test_each_language_has_as_many_clips_an_epoch():
    languages = ["ase"] * 10 + ["gsg"] * 3 + ["bfi"] * 2
    sampler = LanguagesSampler(languages, batch_size=4, reshuffle=True, seed=0)
    seen = set()
    for _ in range(4):
        batches = list(sampler)
        assert len(batches) == len(sampler)
        positions = [position for batch in batches for _, position in batch]
        counts = {name: sum(languages[p] == name for p in positions) for name in set(languages)}
        assert counts == {"ase": 5, "gsg": 5, "bfi": 5}
        assert set(positions) >= {10, 11, 12, 13, 14}
        seen |= set(positions)
    assert len(seen) == 15  # over epochs everyone's turn comes
