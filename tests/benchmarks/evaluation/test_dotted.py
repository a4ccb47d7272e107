"""Encoders of other packages and released models: found by dotted path or by file."""

import sys

import pytest

from benchmarks import tasks
from benchmarks.evaluation import dotted
from benchmarks.evaluation.context import open_context
from benchmarks.runner import run_tasks
from signclip.core.errors import ConfigError, PoseError

NAME = "spreadthesign-fingerspelling"
MODULE = '''
import numpy as np

class Mean:
    """The mean of the frames; no text side."""
    variant = "dominant_hand"

    def embed_pose(self, poses):
        return np.stack([pose.mean(axis=0) for pose in poses])

class Texts(Mean):
    """Texts are embedded by their last letter."""
    title = "letters as numbers"
    prompt = "<en> <{sign_language}> {label}"

    def embed_text(self, texts):
        rng = np.random.default_rng(0)
        space = rng.normal(size=(128, 63)).astype(np.float32)
        return space[[ord(text[-1]) % 128 for text in texts]]

class Wrong(Mean):
    def embed_pose(self, poses):
        return np.zeros((len(poses), 4, 4))

class Odd(Mean):
    def embed_pose(self, poses):
        found = super().embed_pose(poses)
        found[1, 1] = np.nan
        return found

class Constant:
    variant = "dominant_hand"

    def fit(self, clips, texts):
        self.label = texts[0]

    def score(self, clips, labels):
        return np.tile(np.array([[x == self.label] for x in labels], np.float32), len(clips))

class NoVariant:
    def embed_pose(self, poses): ...

class NoMethod:
    variant = "dominant_hand"
'''


@pytest.fixture
def module(tmp_path, monkeypatch) -> str:
    """The name of a package that somebody else wrote."""
    name = "somebody_elses_encoders"
    (tmp_path / f"{name}.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    yield name
    sys.modules.pop(name, None)


def measured(workspace, path: str, split: str = "in_domain"):
    where = dict(profile="smoke", corpus=NAME, split=split, seeds=[0, 1])
    return run_tasks(open_context(path, workspace, **where))


def test_a_class_without_texts_is_evaluated_by_recognition(module, without_runs):
    found = measured(without_runs, f"{module}:Mean")
    assert tuple(found) == tasks.names_of("recognition", "clips")
    result = found["prototypes"]
    assert (result.encoder, result.title, result.seeds) == ("Mean", "Mean", [0])
    assert result.scores["V2T_R@1"].value > result.scores["V2T_R@1"].chance
    assert not list(without_runs.embeddings.rglob("*.npz"))  # a class has no hash


@pytest.mark.slow
def test_a_class_with_texts_is_evaluated_by_every_task(module, without_runs):
    found = measured(without_runs, f"{module}:Texts")
    assert set(found) == set(tasks.all_tasks()) - {"zero_shot_in_vocabulary"}
    assert found["retrieval"].title == "letters as numbers"


def test_a_class_with_fit_and_score_is_a_recogniser(module, without_runs):
    found = measured(without_runs, f"{module}:Constant", "letters")
    assert list(found) == ["retrieval"]
    assert found["retrieval"].n_evaluated == 410


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none:Encoder", "none:Encoder: cannot be imported .*No module named"),
        ("{module}:Nobody", "cannot be imported .*Nobody"),
        ("{module}:NoVariant", "needs a class attribute `variant`, the features that it reads"),
        ("{module}:NoMethod", r"has neither embed_pose\(poses\) nor fit"),
    ],
)
def test_a_class_that_is_no_encoder_is_refused(module, name, message):
    with pytest.raises(ConfigError, match=message):
        dotted.open_class(name.format(module=module))


def test_wrong_embeddings_are_named(module, without_runs):
    with pytest.raises(ConfigError, match=r"Wrong: embed_pose returned float64 of shape"):
        measured(without_runs, f"{module}:Wrong")
    with pytest.raises(PoseError, match=r"its embedding by .*:Odd is not finite"):
        measured(without_runs, f"{module}:Odd")
    assert not list(without_runs.leaderboard.rglob("*.json"))
