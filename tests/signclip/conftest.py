"""Models in the layout of the authors' files, made from random weights."""

import argparse
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from signclip.model import ModelConfig, SignCLIP
from signclip.text import SPECIAL_TOKENS

# as released models are: [CLS] and [SEP] are 101 and 102, reduced_face has 609 numbers a frame
RELEASED = ModelConfig(
    frame_dims=609,
    vocab_size=110,
    hidden_size=16,
    attention_heads=2,
    intermediate_size=32,
    pose_layers=2,
    text_layers=1,
    max_frames=16,
    max_tokens=64,
    position_embeddings=64,
    pose_vocab_size=110,
    pose_cls_id=101,
    pose_sep_id=102,
)
# what from_reference cannot infer
GIVEN = {"attention_heads": 2, "max_frames": 16}


def _state(prefix: str = "mmmodel.", **changes: Any) -> dict[str, Tensor]:
    torch.manual_seed(5)
    sizes = ModelConfig(**{**RELEASED.to_dict(), **changes})
    state = dict(SignCLIP(sizes).state_dict())
    for tower in ("video_encoder.bert", "text_encoder"):
        state[f"{tower}.pooler.dense.weight"] = torch.randn(sizes.hidden_size, sizes.hidden_size)
        state[f"{tower}.pooler.dense.bias"] = torch.randn(sizes.hidden_size)
        state[f"{tower}.embeddings.position_ids"] = torch.arange(sizes.position_embeddings)[None]
    return {prefix + key: value for key, value in state.items()}


@pytest.fixture(scope="session")
def released_state() -> Callable[..., dict[str, Tensor]]:
    """``released_state(prefix=..., **sizes)``: a fresh dict, always of the same random weights."""
    return _state


@pytest.fixture(scope="session")
def given() -> dict[str, int]:
    """The keyword arguments of ``from_reference`` for such a state dict."""
    return dict(GIVEN)


@pytest.fixture
def released_file(tmp_path) -> Callable[..., Path]:
    """Writes what fairseq's trainer saves; keyword arguments replace its entries."""

    def write(name: str = "checkpoint_best.pt", *, legacy: bool = False, **entries: Any) -> Path:
        content = {
            "args": None,
            "cfg": {"task": argparse.Namespace(taskconfig="x.yaml"), "optimizer": {"lr": [5e-5]}},
            "model": _state(),
            "criterion": None,
            "optimizer_history": [{"num_updates": 3, "lr_scheduler_state": {"best": 1.5}}],
            "task_state": {},
            "extra_state": {"val_loss": 1.5, "train_iterator": {"epoch": 2}},
            "last_optimizer_state": {"state": {0: {"step": 3, "exp_avg": torch.zeros(7)}}},
        }
        torch.save(
            {**content, **entries}, tmp_path / name, _use_new_zipfile_serialization=not legacy
        )
        return tmp_path / name

    return write


@pytest.fixture(scope="session")
def vocabulary(tmp_path_factory) -> Path:
    """A folder with a cased ``vocab.txt`` of the 110 word pieces that such a model has."""
    folder = tmp_path_factory.mktemp("vocabulary")
    pieces = [*SPECIAL_TOKENS, *string.ascii_letters, *(f"##{x}" for x in string.ascii_lowercase)]
    pieces += ["<", ">", "house", "##s", "é"]
    pieces = list(dict.fromkeys(pieces))
    pieces += [f"[unused{i}]" for i in range(110 - len(pieces))]
    (folder / "vocab.txt").write_text("\n".join(pieces) + "\n", encoding="utf-8")
    return folder
