"""The authors' released checkpoints, read safely and strictly.

A released file is what fairseq's trainer saves: ``{"cfg": ..., "model": {"mmmodel.<name>": tensor},
...}``, with an ``argparse.Namespace`` among the settings.

Decisions
* A third party's pickle is code, so it is never plainly unpickled: torch's weights-only reader
  admits that one class, whatever else the process allows. A file that asks for anything else is
  refused before anything runs.
* All sizes except the number of heads are inferred from the shapes of the tensors. Then the fit is
  strict: missing, unknown and misshapen keys are all named. (The authors' code loads with
  ``strict=False``.)
* Two kinds of keys are ignored, because they have no effect: the ``position_ids`` buffers of old
  ``transformers`` (which must still count 0, 1, ...), and BERT's poolers (four tensors, whose
  output the authors' code discards). The poolers must be present all four or not at all.
* What shapes do not tell are :class:`ReleasedSettings`: heads, ``max_frames``, ``max_tokens``, and
  whether embeddings are normalised (E5.2). Their defaults follow the vocabulary, which
  distinguishes FingerCLIP (uncased) from SignCLIP (cased), and convolutions, which only version 0
  of SignCLIP has.
* FingerCLIP's ``max_frames`` is 128, as in the recipe of the released row (E3.2,
  ``rwthfs_scratch_hand_dominant_aug``) and in the test configuration beside it, from which its
  published scores come. That recipe was changed to 256 when the demo was added; for the demo's
  behaviour give ``max_frames=256``.
* Zip files are memory-mapped, so their records must be uncompressed, and every record must match
  its checksum, because a changed number is still a number.

Cost: the file is read through once for the checksums (0.3 s a GB from memory). The optimiser's
state, two thirds of the file, takes no memory; the weights exist twice while they are copied
(0.9 GB in float32).

Source: github.com/J22Melody/fairseq, examples/MMPT.
"""

from __future__ import annotations

import argparse
import os
import re
import threading
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from signclip.core import files
from signclip.core.errors import CheckpointError
from signclip.model import torch_archive
from signclip.model.config import ModelConfig
from signclip.model.towers import SignCLIP
from signclip.text import BERT_VOCABULARIES, PROMPTS

PREFIX = "mmmodel."  # fairseq's wrapper around the model
POSE_CLS_ID, POSE_SEP_ID = 101, 102  # of both bert-base vocabularies
# Variant by numbers a frame. 534 is ambiguous: E6 and E6.1 differ in scale only.
VARIANTS = {609: "reduced_face", 63: "right_hand", 126: "both_hands", 1629: "holistic_468"}
_POSE, _TEXT = "video_encoder.bert", "text_encoder"
POOLERS = tuple(
    f"{tower}.pooler.dense.{kind}" for tower in (_POSE, _TEXT) for kind in ("weight", "bias")
)
_POSITION_IDS = {f"{tower}.embeddings.position_ids" for tower in (_POSE, _TEXT)}
_NAMED = 8  # keys of each kind that an error message lists

Shape = tuple[int, ...]


class Recipe(NamedTuple):
    """What a released model was trained with, as far as its tensors do not tell."""

    max_frames: int  # its max_video_len
    max_tokens: int  # its max_len
    prompt: str


SIGNCLIP = Recipe(256, 64, PROMPTS["pretraining"])
FINGERCLIP = Recipe(128, 96, PROMPTS["fingerclip"])
VERSION_0 = Recipe(128, 96, PROMPTS["isolated_v0"])  # SignCLIP on Kaggle asl-signs alone


@dataclass(frozen=True)
class ReleasedSettings:
    """What the shapes of released tensors do not tell.

    Attributes:
        attention_heads: of both towers.
        max_frames: the recipe's ``max_video_len``; None: that of :func:`recipe`.
        max_tokens: the recipe's ``max_len``; None: that of :func:`recipe`.
        normalise: was the model trained on unit vectors (E5.2)?
    """

    attention_heads: int = 12
    max_frames: int | None = None
    max_tokens: int | None = None
    normalise: bool = False


def recipe(vocab_size: int, conv_layers: int = 0) -> Recipe:
    """The recipe of a released model.

    Only FingerCLIP's text tower is uncased, and only version 0's pose tower has convolutions (a
    version 0 without convolutions cannot be distinguished from later versions).
    """
    if BERT_VOCABULARIES.get(vocab_size) == "bert-base-uncased":
        return FINGERCLIP
    return VERSION_0 if conv_layers else SIGNCLIP


def from_reference(
    state_dict_or_path: Mapping[str, Any] | str | os.PathLike[str],
    *,
    attention_heads: int = 12,
    max_frames: int | None = None,
    max_tokens: int | None = None,
    normalise: bool = False,
) -> SignCLIP:
    """Build a model with released weights: in evaluation mode, float32, on the CPU.

    Args:
        state_dict_or_path: a released file, its content, or a state dict; keys with or without the
            ``mmmodel.`` prefix.
        attention_heads: of both towers; shapes do not tell.
        max_frames: the recipe's ``max_video_len``. It decides the position of the pose tower's
            closing [SEP], so another number gives other embeddings. Default: that of :func:`recipe`
            (256; FingerCLIP's pose rows and version 0: 128). SignCLIP-BSL needs 32.
        max_tokens: the recipe's ``max_len``. Default: that of :func:`recipe` (64; FingerCLIP's pose
            rows and version 0: 96), or less if the position table is smaller.
        normalise: was the model trained on unit vectors (E5.2)?

    Raises:
        CheckpointError: the file is missing or damaged, would run code, or holds something else; a
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
    settings = ReleasedSettings(attention_heads, max_frames, max_tokens, normalise)
    config = model_config(shapes, settings, name=name)
    check_shapes(shapes, config, name=name)
    _check_position_ids(weights, config, name)
    model = SignCLIP(config)
    for key in (*POOLERS, *_POSITION_IDS):
        weights.pop(key, None)
    bad = not_finite(weights)
    if bad:
        raise CheckpointError(f"{name}: weights that are not finite numbers: {some(bad)}")
    model.load_state_dict(weights)
    return model.eval()


def not_finite(weights: Mapping[str, Tensor]) -> list[str]:
    """Keys of tensors with values that are not finite in float32, or that are integers."""
    return [
        key
        for key, value in weights.items()
        if not (value.is_floating_point() and torch.isfinite(value.float()).all())
    ]


def _check_position_ids(weights: Mapping[str, Tensor], config: ModelConfig, name: str) -> None:
    expected = torch.arange(config.position_embeddings)[None]
    wrong = [
        key
        for key in sorted(_POSITION_IDS & weights.keys())
        if weights[key].shape != expected.shape or (weights[key] != expected).any()
    ]
    if wrong:
        raise CheckpointError(
            f"{name}: does not fit SignCLIP: {some(wrong)} must count from 0 to "
            f"{expected.max()} in shape {tuple(expected.shape)}"
        )


_READING = threading.Lock()


@contextmanager
def _only_allowed(*classes: type) -> Iterator[None]:
    """Let torch's weights-only reader admit these classes and nothing else.

    Its list of classes is global to the process. The list is replaced and restored, so that classes
    a program admits for its own files are not admitted here. A lock makes threads that read here
    take turns; a thread that uses torch's list directly meanwhile sees this list, and loses its
    changes.
    """
    with _READING:
        before = torch.serialization.get_safe_globals()
        try:
            torch.serialization.clear_safe_globals()
            torch.serialization.add_safe_globals(list(classes))
            yield
        finally:
            torch.serialization.clear_safe_globals()
            torch.serialization.add_safe_globals(before)


def _read(path: str) -> Mapping[str, Any]:
    """Read a file that ``torch.save`` wrote, without running any code in it."""
    try:
        files.check_regular(path)
    except files.NotReadable as error:
        raise CheckpointError(f"{path}: cannot be read ({error})") from None
    if instead := files.stand_in_at(path):
        raise CheckpointError(f"{path}: {instead}")
    try:
        # files written before torch 1.6 are not zip archives and cannot be mapped
        mapped = zipfile.is_zipfile(path)
        if mapped:
            torch_archive.check(path, most=_NAMED)
        with _only_allowed(argparse.Namespace):
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except Exception as error:  # torch raises a different type for each kind of damage
        message = str(error)
        wanted = re.search(r"GLOBAL (\S+)", message)
        if wanted:
            raise CheckpointError(
                f"{path}: refused, because reading it would run code (it asks for {wanted[1]}); "
                "nothing was run"
            ) from None
        # torch advises to trust the file before it names the problem, and ends with a link
        found, advice, _ = message.partition("\n\nCheck the documentation")
        lines = found.strip().split("\n")
        reason = lines[-1 if advice else 0] or type(error).__name__
        raise CheckpointError(f"{path}: not a whole checkpoint ({reason})") from None
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{path}: holds a {type(content).__name__}, not a checkpoint")
    return content


def _weights(content: Mapping[str, Any], name: str) -> dict[str, Tensor]:
    """Tensors by the model's names, without the prefix."""
    state = content.get("model", content)
    if not isinstance(state, Mapping) or not state:
        raise CheckpointError(f"{name}: holds no weights")
    wrong = [
        str(key)
        for key, value in state.items()
        if not (isinstance(key, str) and isinstance(value, Tensor))
    ]
    if wrong:
        raise CheckpointError(f"{name}: entries that are not tensors: {some(wrong)}")
    if all(key.startswith("module.") for key in state):
        raise CheckpointError(
            f"{name}: all keys start with 'module.', which nn.DataParallel puts there; save the "
            "state dict of its `module`, or remove the prefix"
        )
    weights = {key.removeprefix(PREFIX): value for key, value in state.items()}
    # an expanded tensor of a few bytes can claim terabytes when it is copied
    views = [
        key
        for key, value in weights.items()
        if value.layout != torch.strided or value.device.type != "cpu" or not value.is_contiguous()
    ]
    if views:
        raise CheckpointError(
            f"{name}: tensors that are views, sparse, or not on the CPU: {some(views)}"
        )
    twice = [key for key in weights if key in state and PREFIX + key in state]
    if twice:
        raise CheckpointError(f"{name}: keys both with and without {PREFIX!r}: {some(twice)}")
    return weights


def model_config(
    shapes: Mapping[str, Shape],
    settings: ReleasedSettings | None = None,
    *,
    name: str = "the state dict",
) -> ModelConfig:
    """Infer the configuration of a model from the shapes of its tensors.

    A size that several tensors share is the one that most of them have, so that a single misshapen
    tensor is found by :func:`check_shapes` instead of believed.

    Args:
        name: of the source, for error messages.

    Raises:
        CheckpointError: tensors that decide a size are missing.
        ConfigError: the settings do not fit the sizes.
    """

    settings = settings or ReleasedSettings()

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
        numbers = (re.match(re.escape(prefix) + r"(\d{1,9})\.", key) for key in shapes)
        last = max((int(number[1]) for number in numbers if number), default=-1)
        return min(1 + last, len(shapes))  # an absurd number is an unknown key, not a huge model

    pose_layers = count(f"{_POSE}.encoder.layer.")
    text_layers = count(f"{_TEXT}.encoder.layer.")
    if not (pose_layers and text_layers):
        tower = _TEXT if pose_layers else _POSE
        raise CheckpointError(f"{name}: does not fit SignCLIP: missing {tower}.encoder.layer.0.*")
    positions = size(rf"{_TEXT}\.embeddings\.position_embeddings\.weight", 0)
    vocab_size = size(rf"{_TEXT}\.embeddings\.word_embeddings\.weight", 0)
    conv_layers = count("video_encoder.videoconv.conv1d_")
    usual = recipe(vocab_size, conv_layers)
    return ModelConfig(
        frame_dims=size(r"video_encoder\.videomlp\.linear1\.weight", 1),
        vocab_size=vocab_size,
        hidden_size=size(r".*\.LayerNorm\.weight", 0),
        attention_heads=settings.attention_heads,
        intermediate_size=size(r".*\.intermediate\.dense\.bias", 0),
        pose_layers=pose_layers,
        text_layers=text_layers,
        max_frames=usual.max_frames if settings.max_frames is None else settings.max_frames,
        max_tokens=(
            min(usual.max_tokens, positions + 1)
            if settings.max_tokens is None
            else settings.max_tokens
        ),
        position_embeddings=positions,
        pose_vocab_size=size(rf"{_POSE}\.embeddings\.word_embeddings\.weight", 0),
        pose_cls_id=POSE_CLS_ID,
        pose_sep_id=POSE_SEP_ID,
        projection=any(re.match(r"(video|text)_projection\.", key) for key in shapes),
        normalise=settings.normalise,
        conv_layers=conv_layers,
    )


def check_shapes(
    shapes: Mapping[str, Shape], config: ModelConfig, *, name: str = "the state dict"
) -> None:
    """Compare shapes with those of a model of this configuration, without creating its tensors.

    Raises:
        CheckpointError: naming the keys that are missing, unknown or misshapen.
    """
    with torch.device("meta"):
        wanted = {key: tuple(value.shape) for key, value in SignCLIP(config).state_dict().items()}
    if any(key in shapes for key in POOLERS):
        hidden = config.hidden_size
        wanted |= {key: (hidden, hidden)[: 1 + key.endswith("weight")] for key in POOLERS}
    missing = [key for key in wanted if key not in shapes]
    unknown = [key for key in shapes if key not in wanted and key not in _POSITION_IDS]
    misshapen = [
        f"{key} is {shapes[key]} and must be {shape}"
        for key, shape in wanted.items()
        if key in shapes and shapes[key] != shape
    ]
    kinds = {"missing": missing, "unknown": unknown, "misshapen": misshapen}
    wrong = [f"{kind} {some(keys)}" for kind, keys in kinds.items() if keys]
    if wrong:
        raise CheckpointError(f"{name}: does not fit SignCLIP: {'; '.join(wrong)}")


def some(keys: Iterable[str]) -> str:
    """The first few keys and the number of the others, for an error message."""
    listed = list(keys)
    more = f" and {len(listed) - _NAMED} more" if len(listed) > _NAMED else ""
    return ", ".join(listed[:_NAMED]) + more
