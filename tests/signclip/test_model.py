"""The towers agree with the reference, and padding, company and the other side change nothing."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from signclip.errors import ConfigError
from signclip.losses import contrastive
from signclip.model import ModelConfig, SignCLIP

REFERENCE = Path(__file__).parents[2].parent / "shared" / "reference" / "model"
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


def agree(ours: torch.Tensor, theirs: np.ndarray) -> bool:
    """The meaning of 'agree' everywhere: |a - b| <= 1e-5 max(1, |b|)."""
    return bool((np.abs(ours.numpy() - theirs) <= 1e-5 * np.maximum(1, np.abs(theirs))).all())


@pytest.mark.skipif(
    not REFERENCE.is_dir(), reason="no ../shared/reference/model beside the checkout"
)
@pytest.mark.parametrize(
    ("case", "outputs"),
    [
        ("c0_full", "outputs"),
        ("c1_var", "outputs"),
        ("c2_b1", "outputs"),
        ("c5_short_unpadded", "outputs_forward_old"),
    ],
)
def test_outputs_and_loss_agree_with_the_reference(case, outputs):
    config = ModelConfig(
        frame_dims=24,
        vocab_size=300,
        hidden_size=64,
        attention_heads=4,
        intermediate_size=128,
        pose_layers=2,
        text_layers=2,
        max_frames=16,
        max_tokens=12,
        position_embeddings=64,
        pose_vocab_size=300,
        pose_cls_id=101,
        pose_sep_id=102,
    )
    model = SignCLIP(config)
    weights = load_file(REFERENCE / "state_dict.safetensors")
    weights = {name: value for name, value in weights.items() if "pooler" not in name}
    model.load_state_dict(weights)
    given = {k: torch.from_numpy(v) for k, v in np.load(REFERENCE / f"{case}.inputs.npz").items()}
    expected = np.load(REFERENCE / f"{case}.{outputs}.npz")
    # the reference's captions carry one more [SEP] behind [CLS], which its text tower drops
    tokens, token_mask = (
        torch.cat([x[:, :1], x[:, 2:]], 1) for x in (given["caps"], given["cmasks"])
    )
    with torch.inference_mode():
        pose, text = model.eval()(
            given["vfeats"], given["vmasks"].bool(), tokens, token_mask.bool()
        )
    assert agree(pose, expected["pooled_video"])
    assert agree(text, expected["pooled_text"])
    assert agree(text @ pose.T, expected["logits_text_x_video"])
    assert agree(contrastive(pose, text), expected["loss_MMContraLoss"])


def test_padding_changes_nothing_not_even_its_content(model):
    frames = torch.randn(1, 5, 6)
    mask = torch.ones(1, 5, dtype=torch.bool)
    padded = torch.cat([frames, 1e3 * torch.randn(1, 4, 6)], dim=1)
    padded_mask = torch.cat([mask, torch.zeros(1, 4, dtype=torch.bool)], dim=1)
    with torch.inference_mode():
        alone, company = (
            model.pose_embeddings(frames, mask),
            model.pose_embeddings(padded, padded_mask),
        )
    assert torch.allclose(alone, company, atol=1e-5)


def test_one_tower_runs_without_the_other(model):
    frames, mask = torch.randn(2, 3, 6), torch.ones(2, 3, dtype=torch.bool)
    with torch.inference_mode():
        pose, text = model(frames, mask)
    assert pose.shape == (2, 16)
    assert text is None


def test_normalised_models_give_unit_vectors():
    config = ModelConfig(**{**TINY.to_dict(), "normalise": True, "projection": True})
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
        ({"pose_layers": 0}, "pose_layers is 0"),
    ],
)
def test_contradicting_sizes_are_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        ModelConfig(**{**TINY.to_dict(), **change})


def test_an_unknown_size_is_refused():
    with pytest.raises(ConfigError, match="colour"):
        ModelConfig.from_dict({**TINY.to_dict(), "colour": 1})
