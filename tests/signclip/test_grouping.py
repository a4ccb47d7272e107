"""Groups of like length, and the other ways to compute a loss: another way, the same numbers."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from signclip import contrastive, data, grouping, train
from signclip.config import Compute
from signclip.model import ModelConfig, SignCLIP
from signclip.store import FeatureStore
from signclip.text import Tokenizer

SIZES = ModelConfig(
    frame_dims=63,
    vocab_size=200,
    hidden_size=32,
    attention_heads=2,
    intermediate_size=64,
    pose_layers=2,
    text_layers=1,
    max_frames=40,
    max_tokens=20,
    position_embeddings=42,
    dropout=0.0,
)


def test_groups_hold_each_item_once_longest_first_and_keep_the_ratio():
    lengths = [3, 90, 41, 40, 7, 88, 100, 3]
    groups = grouping.groups_of(lengths, 0.85)
    assert sorted(i for group in groups for i in group) == list(range(len(lengths)))
    assert groups == [[6, 1, 5], [2, 3], [4], [0, 7]]
    assert grouping.groups_of(lengths, 0) == [[6, 1, 5, 2, 3, 4, 0, 7]]
    assert len(grouping.groups_of(lengths, 1)) == len(set(lengths))
    assert grouping.groups_of([5], 0.85) == [[0]]


def test_rows_come_back_in_their_places():
    values = torch.arange(24.0).reshape(4, 6)
    lengths = [2, 6, 3, 6]
    mask = torch.arange(6)[None] < torch.tensor(lengths)[:, None]
    seen = []

    def tower(values, mask):
        seen.append(tuple(values.shape))
        return (values * mask).sum(dim=1, keepdim=True)

    out = grouping.embed(tower, values, mask, lengths, 0.9)
    assert torch.equal(out, (values * mask).sum(dim=1, keepdim=True))
    assert seen == [(2, 6), (1, 3), (1, 2)]


@pytest.fixture(scope="module")
def batch(folders, smoke_config) -> dict[str, dict]:
    """The same twelve real clips, padded each way, and their tokenizer's inputs."""
    store = FeatureStore(folders["features"] / "dominant_hand")
    examples = [
        data.Example(clip, clip[-1], f"Fingerspell {'the letter ' * (i % 3)}{clip[-1]}")
        for i, clip in enumerate(list(store)[::35])
    ]
    tokenizer = Tokenizer.train([example.prompt for example in examples], cased=False)
    clips = data.ClipDataset(examples, store, augmentations=(), max_frames=40, seed=0)
    items = [clips[0, i] for i in range(len(clips))]
    assert tokenizer.vocab_size <= SIZES.vocab_size
    return {
        padding: data.Collate(tokenizer, SIZES.max_frames, SIZES.max_tokens, padding)(items)
        for padding in ("limit", "batch", "groups")
    }


def computed(batch, sizes=SIZES, **changes) -> tuple[float, torch.Tensor]:
    """Loss and all gradients of a model of fixed weights."""
    torch.manual_seed(0)
    model = SignCLIP(sizes)
    compute = Compute(**changes)
    wrapped = contrastive.ContrastiveModel(model, compute)
    loss = wrapped(**batch[compute.padding])["loss"]
    loss.backward()
    return loss.item(), torch.cat([weight.grad.flatten() for weight in model.parameters()])


def test_padding_is_as_wide_as_it_says(batch):
    limit, longest = batch["limit"], max(batch["batch"]["frame_counts"])
    assert limit["frames"].shape[1:] == (SIZES.max_frames, SIZES.frame_dims)
    assert limit["token_ids"].shape[1] == SIZES.max_tokens - 1
    assert batch["batch"]["frames"].shape[1] == longest
    for padded in batch.values():
        assert padded["frame_mask"].sum(dim=1).tolist() == padded["frame_counts"]
        assert padded["token_mask"].sum(dim=1).tolist() == padded["token_counts"]
    assert len(set(batch["batch"]["frame_counts"])) > 3  # else there is nothing to group


@pytest.mark.parametrize(
    "changes",
    [
        {"padding": "limit"},
        {"padding": "groups"},
        {"padding": "groups", "group_ratio": 1.0},
        {"attention": "eager"},
    ],
    ids=str,
)
def test_another_way_gives_the_same_loss_and_gradients(batch, changes):
    loss, gradients = computed(batch)
    other_loss, other_gradients = computed(batch, **changes)
    assert other_loss == pytest.approx(loss, rel=1e-6)
    scale = gradients.abs().max()
    assert (other_gradients - gradients).abs().max() <= 1e-5 * scale


def test_bfloat16_is_near_and_its_loss_is_float32(batch):
    loss, gradients = computed(batch)
    near_loss, near = computed(batch, precision="bfloat16")
    assert near_loss != loss
    assert near_loss == pytest.approx(loss, rel=0.02)
    assert torch.cosine_similarity(near, gradients, dim=0) > 0.99
    assert near.dtype == torch.float32


@pytest.mark.skipif(not shutil.which("g++"), reason="torch.compile needs a C++ compiler")
def test_compiled_towers_give_the_same_loss_and_gradients(batch):
    small = replace(SIZES, pose_layers=1)  # compiling takes its time
    loss, gradients = computed(batch, small)
    other_loss, other = computed(batch, small, compile=True)
    assert other_loss == pytest.approx(loss, rel=1e-5)
    assert (other - gradients).abs().max() <= 1e-4 * gradients.abs().max()


@pytest.mark.parametrize("padding", ["limit", "groups"])
def test_padding_does_not_change_a_whole_training(folders, smoke_config, tmp_path, padding):
    """Without dropout, whose draws go by shape."""
    towers = smoke_config().towers.model_copy(update={"dropout": 0.0})
    losses = [
        np.genfromtxt(
            train.train(
                smoke_config(towers=towers, compute=Compute(padding=way)),
                **folders,
                runs=tmp_path / way,
            )
            / "losses.csv",
            delimiter=",",
            skip_header=1,
        )
        for way in ("batch", padding)
    ]
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)
