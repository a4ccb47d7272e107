"""The reference's clips and numbers, and models in the layout of the authors' files.

``tests/golden/variants.npz`` is our own small copy: as float32, every second number of ``fs_small``
and every seventh of ``fs_gappy_hands`` from ``../shared/reference/preprocess/<name>.<clip>.npz``.
"""

import argparse
import string
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pose_format import Pose
from torch import Tensor

import signclip
from signclip import checkpoint, corpora, poses
from signclip.core.workspace import RunId, Workspace
from signclip.corpora import splits
from signclip.experiments.config import RunConfig
from signclip.experiments.table import resolve
from signclip.features import store
from signclip.inference import SignCLIPModel
from signclip.model.config import ModelConfig
from signclip.model.towers import SignCLIP
from signclip.text import SPECIAL_TOKENS, Tokenizer

OWN_COPY = Path(__file__).parents[1] / "golden" / "variants.npz"
LEXICON_CLIPS = {
    "fs_small": "gss/fs-sts15d91ae5814762b8db5918873547e20b.pose",  # 6 frames, no left hand
    "fs_gappy_hands": "mfs/fs-sts9f6aa264d7e77a57ed62bfd2a3e5a154.pose",  # 23 frames
}
KEPT = {"fs_small": 2, "fs_gappy_hands": 7}  # our own copy has every n-th number


@dataclass(frozen=True)
class Reference:
    """One clip, and what the reference makes of it."""

    pose: Pose
    numbers: Callable[[str], np.ndarray]  # every ``step``-th of a variant's numbers, in one row
    step: int

    def check(self, ours: np.ndarray, name: str) -> None:
        """Agreement: equal shapes, and |a - b| <= 1e-5 * max(1, |b|)."""
        assert ours.dtype == np.float32
        theirs, ours = self.numbers(name), ours.ravel()[:: self.step]
        assert ours.shape == theirs.shape
        assert (np.abs(ours - theirs) / np.maximum(1, np.abs(theirs))).max() <= 1e-5


@dataclass(frozen=True)
class WholeReference(Reference):
    """All its numbers, and what it masks."""

    mask: Callable[[str], np.ndarray]  # bool (frames, dims), True = missing


def _own_copy(clip: str, embedded) -> Reference:
    copy = np.load(OWN_COPY)
    pose = poses.read_pose(embedded.root / LEXICON_CLIPS[clip])
    return Reference(pose, lambda name: copy[f"{name}.{clip}"], KEPT[clip])


def _whole(clip: str, embedded, shared) -> WholeReference:
    folder = shared("reference/preprocess")

    def load(name: str) -> np.lib.npyio.NpzFile:
        return np.load(folder / f"{name}.{clip}.npz")

    path = folder / "house.pose" if clip == "house" else embedded.root / LEXICON_CLIPS[clip]
    pose = poses.read_pose(path)
    return WholeReference(
        pose, lambda name: load(name)["feat"].ravel(), 1, lambda name: load(name)["mask"]
    )


@pytest.fixture(scope="session", params=[*(f"{clip}-own-copy" for clip in KEPT), *KEPT, "house"])
def reference(request, embedded, shared) -> Reference:
    """Each clip of the reference's: our own copy, then the whole of it where ../shared is there."""
    clip = request.param.removesuffix("-own-copy")
    return _whole(clip, embedded, shared) if clip == request.param else _own_copy(clip, embedded)


@pytest.fixture(scope="session", params=[*KEPT, "house"])
def whole_reference(request, embedded, shared) -> WholeReference:
    """Each clip of the reference's with its masks; skips without ../shared."""
    return _whole(request.param, embedded, shared)


@pytest.fixture(scope="session", params=LEXICON_CLIPS)
def real_pose(request, embedded) -> Pose:
    """Real clips that need nothing beside the checkout. Not to be changed."""
    return poses.read_pose(embedded.root / LEXICON_CLIPS[request.param])


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
    sizes = ModelConfig(**{**RELEASED.model_dump(), **changes})
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


NAME = "spreadthesign-fingerspelling"
ROOT = Path(__file__).parents[2]


def _smoke(name: str = "E3.2", **changes: Any) -> RunConfig:
    where = {"corpus": NAME, "split": "letters", "fold": 0, "seed": 0}
    given = {key: changes.pop(key) for key in where.keys() & changes.keys()}
    run = RunId(name, **{"profile": "smoke", **where, **given})
    tables = Workspace(
        params=ROOT / "params.yaml", experiments=ROOT / "benchmarks/experiments.yaml"
    )
    return resolve(run, tables).model_copy(update=changes)


@pytest.fixture(scope="session")
def smoke_config() -> Callable[..., RunConfig]:
    """``smoke_config("E3.2", fold=1, epochs=3)``: a row's configuration in the smoke profile."""
    return _smoke


@pytest.fixture(scope="session")
def training_folder(build_once, embedded) -> Path:
    """``data`` and ``features`` of the 410 Latin letters of the embedded corpus, one variant."""

    def build(folder: Path) -> None:
        clips = embedded.manifest
        clips = clips[clips["text"].map(signclip.text.label).isin(splits.LATIN)]
        corpora.write(folder / "data" / NAME, clips, embedded.dropped, splits.letters(clips))
        to = folder / "features" / NAME / "dominant_hand"
        store.write(clips, embedded.root, "dominant_hand", to, progress=False)

    return build_once("training", build)


@pytest.fixture(scope="session")
def workspace(training_folder) -> Workspace:
    """The workspace of that folder; give ``runs`` before you train."""
    return Workspace(training_folder / "data", training_folder / "features")


# of a model that is used, not trained
USED = dict(
    frame_dims=609,
    vocab_size=110,
    hidden_size=16,
    attention_heads=2,
    intermediate_size=32,
    pose_layers=2,
    text_layers=1,
    max_frames=16,
    max_tokens=40,
    position_embeddings=64,
)
USED_PROMPT = "<{spoken_language}> <{sign_language}> {text}"


@pytest.fixture(scope="session")
def make_model(vocabulary) -> Callable[..., SignCLIPModel]:
    """``make_model(seed, **sizes)``: a model of random weights that does look at its input."""

    def make(seed: int = 3, **sizes) -> SignCLIPModel:
        torch.manual_seed(seed)
        towers = SignCLIP(ModelConfig(**{**USED, **sizes}))
        for parameter in towers.parameters():  # fresh layers hardly depend on it
            if parameter.dim() > 1:
                torch.nn.init.normal_(parameter, std=0.5)
        run = checkpoint.Run(
            None, towers, Tokenizer.load(vocabulary), {}, "reduced_face", USED_PROMPT
        )
        return SignCLIPModel(run)

    return make
