"""The towers agree with the reference implementation (../shared/reference), number by number.

``tests/golden/pose_tower.npz`` is our own copy of the pose tower's part of two cases: its weights
(rows of tables that no clip looks up are zero), frames, masks and pooled outputs. The text tower is
``transformers``' own; its weights would be as much again.
"""

import json
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch.nn import functional as F

from signclip.checkpoint import from_reference
from signclip.core.errors import CheckpointError
from signclip.model.config import ModelConfig
from signclip.model.losses import contrastive
from signclip.model.pose_tower import PoseTower
from signclip.model.released import POOLERS, check_shapes, model_config
from signclip.model.towers import SignCLIP
from signclip.training.optim import FairseqAdam, polynomial_decay

BAR = 1e-5  # |a - b| <= BAR max(1, |b|), the reference README's
# c5 is fed without padding: the paper-time code put [SEP] where we do
CASES = {
    "c0_full": "outputs",
    "c1_var": "outputs",
    "c2_b1": "outputs",
    "c5_short_unpadded": "outputs_forward_old",
}
TINY = {"attention_heads": 4, "max_frames": 16}
GOLDEN = Path(__file__).parents[2] / "golden" / "pose_tower.npz"
COPIED = dict(  # its sizes
    vocab_size=300,
    hidden_size=64,
    intermediate_size=128,
    pose_layers=2,
    text_layers=2,
    max_tokens=12,
    position_embeddings=64,
    pose_vocab_size=300,
    pose_cls_id=101,
    pose_sep_id=102,
    **TINY,
)


def deviation(ours: torch.Tensor, theirs: np.ndarray) -> float:
    ours = ours.detach().numpy()
    assert ours.shape == theirs.shape
    return float((np.abs(ours - theirs) / np.maximum(1, np.abs(theirs))).max())


def inputs(folder: Path, case: str) -> tuple[torch.Tensor, ...]:
    """frames, frame mask, token ids, token mask of a case."""
    given = {k: torch.from_numpy(v) for k, v in np.load(folder / f"{case}.inputs.npz").items()}
    # the reference's captions carry one more [SEP] behind [CLS], which its text tower drops
    ids, mask = (torch.cat([x[:, :1], x[:, 2:]], dim=1) for x in (given["caps"], given["cmasks"]))
    return given["vfeats"], given["vmasks"], ids, mask


def outputs(model, given: tuple[torch.Tensor, ...]) -> dict[str, torch.Tensor]:
    """Everything that the reference records of a case, by its names."""
    hidden = {}
    hooks = [
        tower.register_forward_hook(
            lambda _, __, out, name=name: hidden.__setitem__(name, out.last_hidden_state)
        )
        for name, tower in (
            ("video_hidden", model.video_encoder.bert),
            ("text_hidden", model.text_encoder),
        )
    ]
    with torch.no_grad():
        pose, text = model(*given)
    for hook in hooks:
        hook.remove()
    logits = text @ pose.T
    diagonal = torch.arange(len(logits))
    return hidden | {
        "pooled_video": pose,
        "pooled_text": text,
        "logits_text_x_video": logits,
        "loss_MMContraLoss": contrastive(pose, text),
        "loss_T2VContraLoss": F.cross_entropy(logits, diagonal),
        "loss_V2TContraLoss": F.cross_entropy(logits.T, diagonal),
    }


@pytest.fixture
def folder(shared) -> Path:
    return shared("reference/model")


@pytest.fixture
def weights(folder) -> dict[str, torch.Tensor]:
    return load_file(folder / "state_dict.safetensors")


@pytest.mark.parametrize("case", ["c1_var", "c5_short_unpadded"])
def test_the_pose_tower_agrees_with_our_copy_of_the_reference_numbers(case):
    copy = np.load(GOLDEN)
    weights = {
        key.removeprefix("weights/"): torch.from_numpy(copy[key])
        for key in copy
        if key.startswith("weights/")
    }
    frame_dims = weights["videomlp.linear1.weight"].shape[1]
    tower = PoseTower(ModelConfig(frame_dims=frame_dims, **COPIED)).eval()
    tower.load_state_dict(weights)
    frames, mask = (torch.from_numpy(copy[f"{case}/{name}"]) for name in ("vfeats", "vmasks"))
    with torch.no_grad():
        assert deviation(tower(frames, mask), copy[f"{case}/pooled_video"]) <= BAR
        longer = F.pad(frames, (0, 0, 0, 16 - frames.shape[1]), value=7.0)
        longer_mask = F.pad(mask, (0, 16 - mask.shape[1]), value=False)
        assert deviation(tower(longer, longer_mask), copy[f"{case}/pooled_video"]) <= BAR


@pytest.mark.parametrize("case", CASES)
def test_every_output_agrees(folder, weights, case):
    expected = np.load(folder / f"{case}.{CASES[case]}.npz")
    ours = outputs(from_reference(weights, **TINY), inputs(folder, case))
    assert set(ours) == {name for name in expected if not name.startswith("f64_")}
    for name, value in ours.items():
        assert deviation(value, expected[name]) <= BAR, name


@pytest.mark.parametrize("case", [name for name, kind in CASES.items() if kind == "outputs"])
def test_in_double_precision_they_agree_to_its_rounding(folder, weights, case):
    """What is left in float32 is rounding, not a different formula."""
    expected = np.load(folder / f"{case}.outputs.npz")
    frames, *rest = inputs(folder, case)
    ours = outputs(from_reference(weights, **TINY).double(), (frames.double(), *rest))
    for name, value in ours.items():
        assert deviation(value, expected[f"f64_{name}"]) <= 1e-12, name


def test_padding_to_the_references_length_changes_nothing(folder, weights):
    """c5's clips, padded as the reference's data loader pads, give the same numbers."""
    frames, mask, *text = inputs(folder, "c5_short_unpadded")
    more = 16 - frames.shape[1]
    padded = F.pad(frames, (0, 0, 0, more), value=7.0), F.pad(mask, (0, more), value=False)
    expected = np.load(folder / "c5_short_unpadded.outputs_forward_old.npz")
    ours = outputs(from_reference(weights, **TINY), (*padded, *text))
    assert deviation(ours["pooled_video"], expected["pooled_video"]) <= BAR


def test_gradients_agree(folder, weights):
    expected = load_file(folder / "c1_var.grads.safetensors")
    model = from_reference(weights, **TINY)
    contrastive(*model(*inputs(folder, "c1_var"))).backward()
    ours = {name: parameter.grad for name, parameter in model.named_parameters()}
    assert set(ours) == set(expected)  # the poolers get none, there as here
    for name, gradient in ours.items():
        theirs = expected[name]
        assert deviation(gradient, theirs.numpy()) <= BAR, name
        if theirs.norm() > 1e-6:  # the keys' biases have none but rounding
            assert (gradient - theirs).norm() <= BAR * theirs.norm(), name


@pytest.mark.parametrize("run", ["const_lr1e-3", "polynomial_decay_5e-5_warmup10_total100"])
def test_eight_steps_of_fairseqs_adam_agree(folder, weights, run):
    rows = json.loads((folder / "fairseq_adam.json").read_text())["runs"][run]
    model, given = from_reference(weights, **TINY), inputs(folder, "c1_var")
    optimiser = FairseqAdam(model.parameters(), lr=1.0, betas=(0.9, 0.98))
    for update, (loss, norm, rate) in enumerate(rows, start=1):
        ours = 1e-3
        if run.startswith("polynomial"):
            ours = 5e-5 * polynomial_decay(update, warmup=10, total=100)
        assert ours == pytest.approx(rate, rel=1e-12)
        optimiser.param_groups[0]["lr"] = ours
        optimiser.zero_grad()
        value = contrastive(*model(*given))
        value.backward()
        length = torch.nn.utils.clip_grad_norm_(model.parameters(), 2.0)
        optimiser.step()
        assert deviation(value, np.float32(loss)) <= BAR, update
        assert deviation(length, np.float32(norm)) <= BAR, update


FULL = {  # configuration -> some of what its shapes tell
    "signclip_v1_1_baseline_temporal": {"frame_dims": 609, "pose_layers": 12},
    "signclip_v1_1_baseline": {"frame_dims": 609, "pose_layers": 6},
    "signclip_v1_1_baseline_pre": {"frame_dims": 534, "pose_layers": 12},
    "signclip_v1_1_baseline_proj_l2": {"projection": True, "pose_layers": 12},
    "fingerclip_rwthfs_scratch_pose": {"frame_dims": 1629, "vocab_size": 30_522},
    "signclip_asl_signs_face_conv": {"frame_dims": 453, "conv_layers": 2},
}


@pytest.mark.parametrize("name", FULL)
def test_keys_and_shapes_of_the_real_configurations_fit(shared, name):
    shapes = json.loads((shared("reference/model-full") / f"keys.{name}.json").read_text())
    shapes = {key: tuple(shape) for key, shape in shapes.items()}
    described = json.loads((shared("reference/model-full") / "description.json").read_text())[name]
    config = model_config(shapes)
    check_shapes(shapes, config)
    assert FULL[name].items() <= config.model_dump().items()
    assert config.hidden_size == 768
    assert config.max_frames == described["max_video_len"]
    assert config.max_tokens == described["max_len"]
    with torch.device("meta"):
        parameters = sum(p.numel() for p in SignCLIP(config).parameters())
    poolers = 2 * (768 * 768 + 768)
    assert parameters + poolers == described["params_total"]
    for key in (next(iter(shapes)), *POOLERS[:1]):
        with pytest.raises(CheckpointError, match=f"missing.* {key}"):
            check_shapes({k: v for k, v in shapes.items() if k != key}, config)


@pytest.mark.slow
def test_the_full_size_model_agrees(shared):
    """217 million weights by the formula in description.json; about 20 s and 3 GB."""
    folder = shared("reference/model-full")
    shapes = json.loads((folder / "keys.json").read_text())
    state = {}
    for key, shape in shapes.items():
        draws = np.random.RandomState(zlib.crc32(key.encode())).standard_normal(shape)
        value = draws.astype(np.float32) * np.float32(0.02)
        state[key] = torch.from_numpy(value + np.float32(key.endswith("LayerNorm.weight")))
    model = from_reference(state)
    del state
    expected = np.load(folder / "fullsize.outputs.npz")
    ours = outputs(model, inputs(folder, "fullsize"))
    for name in expected:
        assert deviation(ours[name], expected[name]) <= BAR, name
    assert ours["loss_MMContraLoss"].item() == pytest.approx(12.904407, abs=1e-4)
