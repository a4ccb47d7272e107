"""Batches: rounds over labels, frozen or reshuffled, and padding."""

import numpy as np
import torch

from signclip.data import pad_frames
from signclip.sampling import RoundsSampler

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
