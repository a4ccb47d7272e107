"""Padding, company and the other side change nothing. Agreement: test_model_reference.py."""

import zlib

import numpy as np
import pytest
import torch

from signclip.core.errors import ConfigError
from signclip.model.config import ModelConfig
from signclip.model.losses import contrastive
from signclip.model.towers import SignCLIP

TINY = ModelConfig(
    frame_dims=6,
    vocab_size=20,
    hidden_size=16,
    attention_heads=2,
    intermediate_size=32,
    pose_layers=2,
    text_layers=1,
    max_frames=12,
    max_tokens=10,
    position_embeddings=16,
)


@pytest.fixture(scope="module")
def model() -> SignCLIP:
    torch.manual_seed(0)
    return SignCLIP(TINY).eval()


@pytest.mark.parametrize("content", [0.0, 1e3, 1e38, torch.nan, torch.inf])
@pytest.mark.parametrize("conv_layers", [0, 2])
def test_padding_changes_nothing_not_even_its_content(conv_layers, content):
    torch.manual_seed(0)
    model = SignCLIP(ModelConfig(**{**TINY.model_dump(), "conv_layers": conv_layers})).eval()
    frames = torch.randn(1, 5, 6)
    mask = torch.ones(1, 5, dtype=torch.bool)
    padded = torch.cat([frames, content * torch.randn(1, 4, 6)], dim=1)
    padded_mask = torch.cat([mask, torch.zeros(1, 4, dtype=torch.bool)], dim=1)
    with torch.inference_mode():
        alone, company = (
            model.pose_embeddings(frames, mask),
            model.pose_embeddings(padded, padded_mask),
        )
    assert torch.allclose(alone, company, atol=1e-5)


def test_padding_of_nan_leaves_every_gradient_finite():
    torch.manual_seed(0)
    model = SignCLIP(TINY)
    frames = torch.randn(2, 5, 6)
    frames[0, 3:] = torch.nan
    mask = torch.arange(5)[None] < torch.tensor([[3], [5]])
    model.pose_embeddings(frames, mask).square().sum().backward()
    gradients = [p.grad for p in model.video_encoder.parameters() if p.grad is not None]
    assert gradients
    assert all(torch.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_convolutions_see_the_references_zero_frames_however_long_the_padding(layers):
    """The reference pads to max_frames with zeros and convolves all of it."""
    torch.manual_seed(layers)
    config = ModelConfig(
        **{**TINY.model_dump(), "max_frames": 60, "position_embeddings": 62, "conv_layers": layers}
    )
    convolutions = SignCLIP(config).video_encoder.videoconv.requires_grad_(False)
    for length in (1, 7, 40, 55, 60):
        frames = torch.randn(1, length, 6)
        whole = torch.nn.functional.pad(frames, (0, 0, 0, 60 - length)).transpose(1, 2)
        for convolution in convolutions.children():
            whole = convolution(whole)
        expected = whole.transpose(1, 2)[:, :length]
        for padding in {0, min(3, 60 - length), 60 - length}:
            padded = torch.nn.functional.pad(frames, (0, 0, 0, padding))
            ours = convolutions(padded)
            assert ours.shape == padded.shape
            assert torch.allclose(ours[:, :length], expected, atol=1e-5), (length, padding)


def test_the_towers_give_the_numbers_they_gave_when_they_agreed_with_the_reference():
    """Weights and input by formula; recorded from code that passed test_model_reference.py."""
    model = SignCLIP(TINY).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            draws = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(
                parameter.shape
            )
            parameter.copy_(torch.from_numpy(draws * 0.3 + name.endswith("LayerNorm.weight")))
    rng = np.random.RandomState(1)
    frames = torch.from_numpy(rng.standard_normal((2, 7, 6)).astype(np.float32))
    mask = torch.arange(7)[None] < torch.tensor([[7], [4]])
    tokens = torch.from_numpy(rng.randint(0, 20, (2, 5)))
    with torch.inference_mode():
        pose, text = model(frames, mask, tokens, torch.ones(2, 5, dtype=torch.bool))
    recorded_pose = [0.942827, 0.635495, -4.551248, 1.028119, 0.355053, -4.459628]
    recorded_text = [-1.065956, -0.014476, 1.372154, -0.421465, 0.372225, 1.052253]
    assert pose[:, :3].flatten().tolist() == pytest.approx(recorded_pose, abs=1e-5)
    assert text[:, :3].flatten().tolist() == pytest.approx(recorded_text, abs=1e-5)
    assert contrastive(pose, text).item() == pytest.approx(1.356694, abs=1e-4)


def test_one_tower_runs_without_the_other(model):
    frames, mask = torch.randn(2, 3, 6), torch.ones(2, 3, dtype=torch.bool)
    with torch.inference_mode():
        pose, text = model(frames, mask)
    assert pose.shape == (2, 16)
    assert text is None


def test_normalised_models_give_unit_vectors():
    config = ModelConfig(**{**TINY.model_dump(), "normalise": True, "projection": True})
    with torch.inference_mode():
        pose, _ = SignCLIP(config).eval()(torch.randn(3, 4, 6), torch.ones(3, 4, dtype=torch.bool))
    assert torch.allclose(pose.norm(dim=1), torch.ones(3))


def test_an_untrained_loss_stands_at_two_log_batch():
    same = torch.zeros(7, 4)
    assert contrastive(same, same).item() == pytest.approx(2 * np.log(7), rel=1e-6)


def test_a_clip_over_the_limit_is_refused_by_the_tower(model):
    with pytest.raises(ConfigError, match="13 frames exceed max_frames 12"):
        model.pose_embeddings(torch.randn(1, 13, 6), torch.ones(1, 13, dtype=torch.bool))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"attention_heads": 3}, "no multiple of attention_heads"),
        ({"position_embeddings": 13}, "cannot hold max_frames"),
        ({"pose_layers": 0}, "pose_layers: .*, not 0"),
        ({"conv_layers": -1}, "conv_layers: .*, not -1"),
        ({"pose_sep_id": 102}, "word table, which has 2"),
        ({"pose_cls_id": -1}, "pose_cls_id: .*, not -1"),
        ({"max_frames": 0}, "^model: max_frames: .* greater than or equal to 1, not 0"),
        ({"max_frames": -1}, "max_frames: .*, not -1"),
        ({"max_tokens": 2}, "max_tokens: .* greater than or equal to 3, not 2"),
        ({"attention_heads": 0}, "attention_heads: .*, not 0"),
        ({"attention_heads": -2}, "attention_heads: .*, not -2"),
        ({"intermediate_size": 0}, "intermediate_size: .*, not 0"),
        ({"hidden_size": 16.0}, "hidden_size: .* valid integer, not 16.0"),
        ({"pose_layers": True}, "pose_layers: .* valid integer, not True"),
        ({"normalise": "false"}, "normalise: .* valid boolean, not 'false'"),
        ({"projection": 1}, "projection: .* valid boolean, not 1"),
        ({"projection": None}, "projection: .*, not None"),
        ({"dropout": -0.1}, "dropout: .* greater than or equal to 0, not -0.1"),
        ({"dropout": 1}, "dropout: .* less than 1, not 1"),
        ({"dropout": float("nan")}, "dropout: .*, not nan"),
    ],
)
def test_contradicting_sizes_are_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        ModelConfig(**{**TINY.model_dump(), **change})


def test_an_unknown_size_is_refused():
    with pytest.raises(ConfigError, match="colour"):
        ModelConfig(**TINY.model_dump(), colour=1)
