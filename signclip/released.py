"""The authors' released checkpoints, read safely and strictly.

A file is what fairseq's trainer saves: ``{"cfg": ..., "model": {"mmmodel.<name>": tensor}, ...}``
with an ``argparse.Namespace`` among the settings.

Decisions
* A third party's pickle is code, so it is never plainly unpickled: torch's weights-only reader with
  that one class allowed. A file that asks for anything else is refused before anything runs.
* Every size but the number of heads is inferred from the tensors' shapes. Then the fit is strict:
  missing, unknown and misshapen keys are all named. (The reference loads with ``strict=False``.)
* Two kinds of keys are left out, because nothing comes out of them: the ``position_ids`` buffers of
  old ``transformers``, and BERT's poolers (four tensors, which the reference computes and throws
  away). The poolers must be there all four or not at all.
* What shapes cannot tell are parameters: heads, ``max_frames``, ``max_tokens``, and whether
  embeddings are normalised (E5.2).

Cost: the file is mapped, so the optimiser's two thirds of it are never read; in memory the weights
stand once more while they are copied (0.9 GB in float32).

Source: facts sections 2.1 and 8.
"""

from __future__ import annotations

import argparse
import os
import re
import zipfile
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from signclip.errors import CheckpointError
from signclip.model import ModelConfig, SignCLIP
from signclip.text import PROMPTS

PREFIX = "mmmodel."  # fairseq's wrapper around the model
POSE_CLS_ID, POSE_SEP_ID = 101, 102  # of both bert-base vocabularies
MAX_TOKENS = 64  # max_len of every SignCLIP recipe (facts section 4)
PROMPT = PROMPTS["pretraining"]
# Variants by numbers a frame. 534 is not here: E6 and E6.1 differ in scale only.
VARIANTS = {609: "reduced_face", 63: "right_hand", 126: "both_hands", 1629: "holistic_468"}
_POSE, _TEXT = "video_encoder.bert", "text_encoder"
POOLERS = tuple(
    f"{tower}.pooler.dense.{kind}" for tower in (_POSE, _TEXT) for kind in ("weight", "bias")
)
_POSITION_IDS = {f"{tower}.embeddings.position_ids" for tower in (_POSE, _TEXT)}
_NAMED = 8  # keys of each kind that an error message spells out

Shape = tuple[int, ...]


def from_reference(
    state_dict_or_path: Mapping[str, Any] | str | os.PathLike[str],
    *,
    attention_heads: int = 12,
    max_frames: int = 256,
    max_tokens: int | None = None,
    normalise: bool = False,
) -> SignCLIP:
    """A model with the reference's weights, in evaluation mode, float32, on the CPU.

    Args:
        state_dict_or_path: a released file, or its content, or a state dict; keys with or without
            the ``mmmodel.`` prefix.
        attention_heads: of both towers; shapes do not tell.
        max_frames: the recipe's ``max_video_len``: the pose tower's closing [SEP] stands behind as
            many frames, so another number gives other embeddings (256; FingerCLIP's pose rows 128,
            SignCLIP-BSL 32).
        max_tokens: the recipe's ``max_len``; default 64 (FingerCLIP 96), less where the position
            table is smaller.
        normalise: was the model trained on unit vectors (E5.2)?

    Raises:
        CheckpointError: the file is missing, damaged, would run code, or holds something else; a
            key is missing, unknown or misshapen (all are named); a weight is not finite.
        ConfigError: ``attention_heads``, ``max_frames`` or ``max_tokens`` do not fit the tensors.
    """
    name = "the state dict"
    if isinstance(state_dict_or_path, Mapping):
        content = state_dict_or_path
    else:
        name = os.fspath(state_dict_or_path)
        content = _read(name)
    weights = _weights(content, name)
    shapes = {key: tuple(value.shape) for key, value in weights.items()}
    config = model_config(
        shapes,
        attention_heads=attention_heads,
        max_frames=max_frames,
        max_tokens=max_tokens,
        normalise=normalise,
        name=name,
    )
    check_shapes(shapes, config, name=name)
    model = SignCLIP(config)
    for key in POOLERS:
        weights.pop(key, None)
    bad = [
        key
        for key, value in weights.items()
        if not (value.is_floating_point() and torch.isfinite(value).all())
    ]
    if bad:
        raise CheckpointError(f"{name}: weights that are no finite numbers: {_some(bad)}")
    model.load_state_dict(weights)
    return model.eval()


def _read(path: str) -> Mapping[str, Any]:
    """The content of a file that ``torch.save`` wrote, without running any code in it."""
    try:
        with open(path, "rb"):
            pass
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror})") from None
    try:
        # files older than torch 1.6 are no zip archives and cannot be mapped
        mapped = zipfile.is_zipfile(path)
        with torch.serialization.safe_globals([argparse.Namespace]):
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except Exception as error:  # torch raises a different type for each way to be damaged
        message = str(error)
        wanted = re.search(r"GLOBAL (\S+)", message)
        if wanted:
            raise CheckpointError(
                f"{path}: refused, because reading it would run code (it asks for {wanted[1]}); "
                "nothing was run"
            ) from None
        # torch puts advice to trust the file before what it found, and a link behind it
        found, advice, _ = message.partition("\n\nCheck the documentation")
        lines = found.strip().split("\n")
        reason = lines[-1 if advice else 0] or type(error).__name__
        raise CheckpointError(f"{path}: not a whole checkpoint ({reason})") from None
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{path}: holds a {type(content).__name__}, not a checkpoint")
    return content


def _weights(content: Mapping[str, Any], name: str) -> dict[str, Tensor]:
    """Tensors by the model's own names, without the ``position_ids`` buffers."""
    state = content.get("model", content)
    if not isinstance(state, Mapping) or not state:
        raise CheckpointError(f"{name}: holds no weights")
    wrong = [
        str(key)
        for key, value in state.items()
        if not (isinstance(key, str) and isinstance(value, Tensor))
    ]
    if wrong:
        raise CheckpointError(f"{name}: entries that are no tensors: {_some(wrong)}")
    weights = {
        key.removeprefix(PREFIX): value
        for key, value in state.items()
        if key.removeprefix(PREFIX) not in _POSITION_IDS
    }
    # an expanded tensor of a few bytes can claim terabytes, once copied
    odd = [
        key
        for key, value in weights.items()
        if value.layout != torch.strided or value.device.type != "cpu" or not value.is_contiguous()
    ]
    if odd:
        raise CheckpointError(f"{name}: tensors that do not hold their own numbers: {_some(odd)}")
    twice = [key for key in weights if key in state and PREFIX + key in state]
    if twice:
        raise CheckpointError(f"{name}: keys both with and without {PREFIX!r}: {_some(twice)}")
    return weights


def model_config(
    shapes: Mapping[str, Shape],
    *,
    attention_heads: int = 12,
    max_frames: int = 256,
    max_tokens: int | None = None,
    normalise: bool = False,
    name: str = "the state dict",
) -> ModelConfig:
    """Sizes of the model that tensors of these shapes belong to; see :func:`from_reference`.

    A size that several tensors share is the one that most of them have, so that a single misshapen
    tensor is not taken at its word but found by :func:`check_shapes`.

    Raises:
        CheckpointError: the tensors that tell a size are missing.
        ConfigError: the given numbers do not fit.
    """

    def size(pattern: str, axis: int) -> int:
        found = Counter(
            shape[axis]
            for key, shape in shapes.items()
            if re.fullmatch(pattern, key) and len(shape) > axis
        )
        if not found:
            key = pattern.replace("\\", "")
            raise CheckpointError(f"{name}: does not fit SignCLIP: missing or misshapen {key}")
        return found.most_common(1)[0][0]

    def count(prefix: str) -> int:
        numbers = (re.match(re.escape(prefix) + r"(\d+)\.", key) for key in shapes)
        last = max((int(number[1]) for number in numbers if number), default=-1)
        return min(1 + last, len(shapes))  # a wild number is an unknown key, not a huge model

    pose_layers = count(f"{_POSE}.encoder.layer.")
    text_layers = count(f"{_TEXT}.encoder.layer.")
    if not (pose_layers and text_layers):
        tower = _TEXT if pose_layers else _POSE
        raise CheckpointError(f"{name}: does not fit SignCLIP: missing {tower}.encoder.layer.0.*")
    positions = size(rf"{_TEXT}\.embeddings\.position_embeddings\.weight", 0)
    return ModelConfig(
        frame_dims=size(r"video_encoder\.videomlp\.linear1\.weight", 1),
        vocab_size=size(rf"{_TEXT}\.embeddings\.word_embeddings\.weight", 0),
        hidden_size=size(r".*\.LayerNorm\.weight", 0),
        attention_heads=attention_heads,
        intermediate_size=size(r".*\.intermediate\.dense\.bias", 0),
        pose_layers=pose_layers,
        text_layers=text_layers,
        max_frames=max_frames,
        max_tokens=min(MAX_TOKENS, positions + 1) if max_tokens is None else max_tokens,
        position_embeddings=positions,
        pose_vocab_size=size(rf"{_POSE}\.embeddings\.word_embeddings\.weight", 0),
        pose_cls_id=POSE_CLS_ID,
        pose_sep_id=POSE_SEP_ID,
        projection=any(re.match(r"(video|text)_projection\.", key) for key in shapes),
        normalise=normalise,
        conv_layers=count("video_encoder.videoconv.conv1d_"),
    )


def check_shapes(
    shapes: Mapping[str, Shape], config: ModelConfig, *, name: str = "the state dict"
) -> None:
    """Compare with what a model of these sizes has; its tensors are not made.

    Raises:
        CheckpointError: naming the keys that are missing, unknown or misshapen.
    """
    with torch.device("meta"):
        wanted = {key: tuple(value.shape) for key, value in SignCLIP(config).state_dict().items()}
    if any(key in shapes for key in POOLERS):
        hidden = config.hidden_size
        wanted |= {key: (hidden, hidden)[: 1 + key.endswith("weight")] for key in POOLERS}
    missing = [key for key in wanted if key not in shapes]
    unknown = [key for key in shapes if key not in wanted]
    misshapen = [
        f"{key} is {shapes[key]} and must be {shape}"
        for key, shape in wanted.items()
        if key in shapes and shapes[key] != shape
    ]
    kinds = {"missing": missing, "unknown": unknown, "misshapen": misshapen}
    wrong = [f"{kind} {_some(keys)}" for kind, keys in kinds.items() if keys]
    if wrong:
        raise CheckpointError(f"{name}: does not fit SignCLIP: {'; '.join(wrong)}")


def _some(keys: Iterable[str]) -> str:
    keys = list(keys)
    more = f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else ""
    return ", ".join(keys[:_NAMED]) + more
