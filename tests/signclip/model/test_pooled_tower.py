"""The pooled tower: what it reads of a clip, and that padding and packing change nothing."""

import numpy as np
import pytest
import torch

from signclip import poses
from signclip.core.errors import ConfigError
from signclip.model import pooled_tower
from signclip.model.config import SIGNING_DIMS, ModelConfig
from signclip.model.packed_attention import Layout
from signclip.model.padding import pad_frames
from signclip.model.pooled_tower import PooledTower, middle_half
from signclip.model.pose_tower import PoseTower
from signclip.model.towers import SignCLIP

SIZES = ModelConfig(
    frame_dims=SIGNING_DIMS,
    vocab_size=20,
    hidden_size=16,
    attention_heads=2,
    intermediate_size=32,
    pose_layers=1,
    text_layers=1,
    max_frames=64,
    max_tokens=10,
    position_embeddings=66,
    pose_tower="pooled",
    frame_input="hands",
    normalise=True,
    body_dims=4,
)


@pytest.fixture(scope="module")
def clips(embedded) -> list[np.ndarray]:
    """Real clips of several languages and lengths."""
    return [
        poses.features(poses.read_pose(embedded.root / path), "signing").values[:64]
        for path in embedded.manifest["path"][::40]
    ]


@pytest.fixture(scope="module")
def tower(clips) -> PooledTower:
    torch.manual_seed(0)
    tower = PooledTower(SIZES).eval()
    tower.standardise(clips)
    return tower


def test_the_switch_chooses_the_tower():
    assert isinstance(SignCLIP(SIZES).video_encoder, PooledTower)
    assert isinstance(SignCLIP(SIZES.replace(pose_tower="bert")).video_encoder, PoseTower)


@pytest.mark.parametrize("changes", [{"pooling": "attention"}, {"frame_input": "plain"}])
def test_it_takes_hands_and_no_other_pooling(changes):
    with pytest.raises(ConfigError, match="pose_tower pooled needs"):
        SIZES.replace(**{**changes, "body_dims": 0})


def test_the_middle_half_has_at_least_one_frame():
    mask = torch.arange(9)[None] < torch.arange(1, 10)[:, None]
    kept = [row.nonzero()[:, 0].tolist() for row in middle_half(mask)]
    assert kept[:4] == [[0], [0, 1], [0, 1, 2], [1, 2]]
    assert kept[7:] == [[2, 3, 4, 5], [2, 3, 4, 5, 6]]


@pytest.mark.parametrize("content", [1e3, torch.nan, torch.inf])
def test_padding_packing_and_company_change_nothing(tower, clips, content):
    frames, mask = pad_frames(clips, SIZES.max_frames)
    frames[~mask] = content
    counts = [len(clip) for clip in clips]
    layout = Layout([n + 2 for n in counts], 0.7, torch.device("cpu"))
    with torch.inference_mode():
        together = tower(frames, mask)
        packed = tower(torch.from_numpy(np.concatenate(clips)), None, layout)
        alone = [
            tower(torch.tensor(clip)[None], torch.ones(1, len(clip)).bool())[0] for clip in clips
        ]
    assert torch.isfinite(together).all()
    assert torch.allclose(packed, together, atol=1e-5)
    assert torch.allclose(torch.stack(alone), together, atol=1e-5)
    assert (together[0] - together[1]).abs().max() > 0.01


def test_the_hands_part_reads_the_middle_half_and_the_body_all_frames(tower, clips):
    clip = clips[0][:20]
    changed = clip.copy()
    changed[:4], changed[16:] = clips[1][:4], clips[1][4:8]
    with torch.inference_mode():
        one, other = (
            tower(torch.tensor(x)[None], torch.ones(1, 20).bool())[0] for x in (clip, changed)
        )
    assert torch.equal(one[: -SIZES.body_dims], other[: -SIZES.body_dims])
    assert not torch.allclose(one[-SIZES.body_dims :], other[-SIZES.body_dims :], atol=1e-4)
    # neither part outweighs the other
    assert one[: -SIZES.body_dims].norm().item() == pytest.approx(1, abs=1e-5)
    assert one[-SIZES.body_dims :].norm().item() == pytest.approx(1, abs=1e-5)


def test_components_are_those_of_the_training_clips(tower, clips):
    frames, mask = pad_frames(clips, SIZES.max_frames)
    standard = tower._standard(tower._mean_shape(frames, mask))
    components = standard @ tower.components.T
    variance = components.square().mean(dim=0)
    assert (variance.diff() <= 1e-4).all()
    # fewer clips than components: they span all that varies
    assert variance.sum().item() == pytest.approx(standard.square().sum(1).mean().item(), rel=1e-3)
    off_diagonal = components.T @ components / len(clips) - torch.diag(variance)
    assert off_diagonal.abs().max() < 1e-3 * variance.max()
    assert tower.components.shape == (pooled_tower.COMPONENTS, tower.hands.dims)


def test_what_was_taken_from_training_clips_is_saved_with_the_weights(tower):
    loaded = PooledTower(SIZES)
    loaded.load_state_dict(tower.state_dict())
    assert torch.equal(loaded.components, tower.components)
    assert torch.equal(loaded.body.centre, tower.body.centre)


def test_only_the_network_and_the_body_learn(tower, clips):
    frames, mask = pad_frames(clips[:4], SIZES.max_frames)
    tower(frames, mask).square()[:, 0].sum().backward()
    learned = {name for name, weight in tower.named_parameters() if weight.grad is not None}
    assert "network.1.weight" in learned
    assert "components" not in dict(tower.named_parameters())
    tower.zero_grad(set_to_none=True)


def test_a_clip_that_is_too_long_is_refused(tower):
    long = torch.zeros(1, SIZES.max_frames + 1, SIGNING_DIMS)
    with pytest.raises(ConfigError, match="exceed max_frames"):
        tower(long, torch.ones(long.shape[:2]).bool())
