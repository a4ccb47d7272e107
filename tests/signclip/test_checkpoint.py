"""Model folders: whatever is wrong with one is a single error that names the file."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from torch import Tensor

import signclip
from signclip import checkpoint
from signclip.core.errors import RunError
from signclip.core.verify import verify
from signclip.inference import import_checkpoint

NORM = "text_encoder.encoder.layer.0.output.LayerNorm.weight"


@pytest.fixture
def folder(released_file, given, tmp_path) -> Path:
    """An imported model."""
    import_checkpoint(released_file(), tmp_path / "out", **given)
    return tmp_path / "out"


@pytest.mark.parametrize(
    "change",
    [
        lambda value: value * torch.nan,
        lambda value: value.to(torch.int8),
        lambda value: value.double() * 1e300,
    ],
    ids=["NaN", "int8", "too large for float32"],
)
def test_weights_that_are_no_finite_numbers_are_refused(folder, change: Callable[[Tensor], Tensor]):
    weights = load_file(folder / "model.safetensors")
    save_file({**weights, NORM: change(weights[NORM])}, folder / "model.safetensors")
    with pytest.raises(RunError, match=rf"model\.safetensors: .* not finite numbers: {NORM}"):
        signclip.load(folder)


@pytest.mark.parametrize(
    "content",
    [
        b"model: \xff\xfe",
        b"",
        b"[]",
        b"a: [",
        b"[" * 50_000,
        "".join(" " * depth + "a:\n" for depth in range(3000)).encode(),
        b"variant: x\nprompt: y\nmodel: {frame_dims: 609, vocab_size: 100000000}",
        b"variant: x\nprompt: y\nmodel: {frame_dims: 609, vocab_size: 110, pose_layers: 1000000}",
        b"variant: x\nprompt: y\nmodel: {frame_dims: 609, vocab_size: 9000000}",
        b"variant: x\nprompt: y\nmodel: []",
        b"prompt: y\nmodel: {}",
        b"variant: [1]\nprompt: y\nmodel: {}",
        b"variant: x\nprompt: 1\nmodel: {}",
        b"run: []\nmodel: {}",
        b"run: {}\nmodel: {}",
        b"variant: x\nprompt: y\nmodel: {frame_dims: wide, vocab_size: 110}",
        b"variant: x\nprompt: y\nmodel: {frame_dims: 609, vocab_size: 110, attention_heads: 0}",
        b"variant: x\nprompt: y\nmodel: {frame_dims: 609, vocab_size: 110, normalise: 'false'}",
    ],
)
def test_a_configuration_that_is_none_is_refused(folder, content):
    (folder / "config.yaml").write_bytes(content)
    for use in (signclip.load, checkpoint.verify):
        with pytest.raises(RunError, match=r"config\.yaml: "):
            use(folder)
    with pytest.raises(RunError, match=r"config\.yaml: "):
        checkpoint.read_config(folder)


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"3", b"{}", b'{"sha256": []}', b"\xff", b'{"sha256": null}']
)
def test_metrics_that_are_none_are_refused(folder, content):
    (folder / "metrics.json").write_bytes(content)
    for use in (signclip.load, checkpoint.verify, checkpoint.read_metrics):
        with pytest.raises(RunError, match=r"metrics\.json: damaged"):
            use(folder)
    checked, damaged = verify([folder])
    assert checked == 1
    assert f"{folder / 'metrics.json'}: damaged" in damaged[0]


def test_the_weights_can_be_read_by_whom_the_other_files_can(folder):
    modes = {path.name: path.stat().st_mode for path in folder.iterdir()}
    assert modes["model.safetensors"] == modes["config.yaml"] == modes["metrics.json"]


def test_a_folder_that_says_less_than_a_model_is_refused(folder):
    written = yaml.safe_load((folder / "config.yaml").read_text())
    (folder / "config.yaml").write_text(yaml.safe_dump({"model": written["model"]}))
    with pytest.raises(RunError, match=r"config\.yaml: not a model's configuration \('variant'\)"):
        signclip.load(folder)
