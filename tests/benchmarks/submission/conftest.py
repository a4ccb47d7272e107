"""A small corpus without feature stores, and somebody's encoders."""

import sys
from pathlib import Path

import pytest

from benchmarks.submission import entry
from signclip import corpora, text
from signclip.core.workspace import Workspace
from signclip.corpora import splits

NAME = "spreadthesign-fingerspelling"
LETTERS = tuple("abcdef")
HEAD = """
import numpy as np

METADATA = {
    "name": "mine",
    "revision": "1",
    "authors": ["somebody"],
    "licence": None,
    "link": None,
    "training_corpora": [],
    "parameters": 0,
    "run_by": "author",
    "input": {"kind": "variant", "variant": "dominant_hand"},
}


class Mean:
    metadata = METADATA

    def embed_pose(self, poses):
        return np.stack([self.one(pose) for pose in poses]).astype(np.float32)

    def one(self, pose):
        hand = pose.reshape(len(pose), 21, 3)
        return (hand - hand[:, :1]).mean(axis=0).ravel()
"""


@pytest.fixture(scope="session")
def built(build_once, embedded) -> Path:
    """``data/``: six letters of the embedded corpus, with the split ``letters``."""

    def build(folder: Path) -> None:
        clips = embedded.manifest
        clips = clips[clips["text"].map(text.label).isin(LETTERS)].reset_index(drop=True)
        corpora.write(folder / NAME, clips, embedded.dropped, splits.letters(clips))

    return build_once("submission-data", build)


@pytest.fixture(scope="session")
def encoder_head() -> str:
    """The code of a module with an encoder, ``Mean``."""
    return HEAD


@pytest.fixture
def workspace(built, tmp_path) -> Workspace:
    """What is written goes to the test's own folder."""
    names = ("features", "embeddings", "predictions", "results", "runs")
    return Workspace(data=built, **{name: tmp_path / name for name in names})


@pytest.fixture
def write(tmp_path, monkeypatch):
    """``write(code)``: a module of somebody else with :data:`HEAD` and this code; its name."""
    name = "somebodys_encoder"
    folder = tmp_path / "code"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)

    def module(code: str = "") -> str:
        sys.modules.pop(name, None)
        (folder / f"{name}.py").write_text(HEAD + code)
        return name

    yield module
    sys.modules.pop(name, None)


@pytest.fixture
def open_entry(write, workspace):
    """``open_entry(code, "Mean")``: the entry of a class."""

    def find(code: str = "", kind: str = "Mean") -> entry.Entry:
        return entry.find(f"{write(code)}:{kind}", workspace)

    return find
