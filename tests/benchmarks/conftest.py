"""Fixtures of the benchmark tests."""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import suites
from benchmarks.evaluation.galleries import RETRIEVAL, TAGGED_RETRIEVAL
from benchmarks.report.tables import fingerclip
from benchmarks.results import Cost, Result, Score
from signclip import corpora, text
from signclip.corpora import splits
from signclip.core.workspace import RunId, Workspace
from signclip.experiments.table import resolve
from signclip.features import store
from signclip.training import train


def _result(**changes) -> Result:
    values = dict(
        group="repro",
        encoder="E3.2",
        title="pose",
        revision="cpu",
        task="retrieval",
        corpus="c",
        split="letters",
        scores={"V2T_R@1": Score(value=0.5, low=0.4, high=0.6, chance=0.1)},
        labels=10,
        n_total=5,
        n_evaluated=4,
        n_dropped={"no hand": 1},
        corpus_dropped={},
        corpus_fingerprint="abc",
        split_fingerprint="def",
        folds=[0, 1],
        seeds=[0],
        cost=Cost(parameters=1, training_seconds=1.0, evaluation_clips_per_second=1.0),
        git_commit="unknown",
        packages={},
        hardware="a machine",
    )
    return Result(**{**values, **changes})


@pytest.fixture
def result() -> Callable[..., Result]:
    """Makes a made-up result; keyword arguments replace fields."""
    return _result


CLIPS = [f"clip-{i:03d}" for i in range(90)]
TITLES = {"nearest-neighbour": "1-nearest-neighbour"}


def _board(
    folder: Path, *, revision: str = "cpu", seeds: Iterable[int] = (0,), leave: Iterable[str] = ()
) -> Path:
    """Made-up results of all that the pipeline measures for two tables, below ``folder``.

    Args:
        leave: encoders without results.
    """
    seeds = list(seeds)
    for split in (suites.LETTERS, suites.IN_DOMAIN, suites.UNSEEN):
        for task in (RETRIEVAL,) if split == suites.LETTERS else (RETRIEVAL, TAGGED_RETRIEVAL):
            for number, name in enumerate(suites.measured(split)):
                if name in leave:
                    continue
                skill = 0.2 + 0.02 * number - 0.1 * (task == TAGGED_RETRIEVAL)
                skill += 0.3 * (name == "X")
                rng = np.random.default_rng([number, *split.encode(), *task.encode()])
                right = rng.random((len(CLIPS), len(seeds))) < skill
                scores = {
                    metric: Score(value=0.5, low=0.4, high=0.6, chance=0.1)
                    for group in fingerclip.METRICS.values()
                    for metric in group
                }
                share = float(right.mean())
                scores["V2T_R@1"] = Score(value=share, low=share, high=share, chance=0.01)
                _result(
                    encoder=name,
                    title=TITLES.get(name, f"the change of {name}"),
                    revision=revision,
                    task=task,
                    split=split,
                    scores=scores,
                    seeds=seeds,
                    n_evaluated=len(CLIPS),
                    ranks={
                        clip: [1 if hit else 7 for hit in hits]
                        for clip, hits in zip(CLIPS, right, strict=True)
                    },
                ).write(folder / "leaderboard")
    return folder


@pytest.fixture
def board() -> Callable[..., Path]:
    """Writes made-up results of the whole pipeline; see :func:`_board`."""
    return _board


ROOT = Path(__file__).parents[2]
NAME = "spreadthesign-fingerspelling"


def _trained(
    folders: dict[str, Path], experiment: str, split: str, fold: int | None, seed=0
) -> None:
    run = resolve(
        RunId(experiment, "smoke", NAME, split, fold, seed),
        Workspace(params=folders["params"], experiments=folders["experiments"]),
    )
    train.train(run, Workspace(*(folders[name] for name in ("data", "features", "runs"))))


@pytest.fixture(scope="session")
def folders(tmp_path_factory) -> dict[str, Path]:
    """Corpus, features, five tiny folds of E3.2, and tiny runs with tagged prompts."""
    folder = tmp_path_factory.mktemp("evaluate")
    found = {name: folder / name for name in ("data", "features", "runs")}
    found["experiments"] = ROOT / "benchmarks/experiments.yaml"
    found["params"] = ROOT / "params.yaml"
    clips, dropped = corpora.build(NAME, progress=False)
    clips = clips[clips["text"].map(text.label).isin(splits.LATIN)]
    table = pd.concat(
        [splits.letters(clips), splits.in_domain(clips), splits.unseen_language(clips)]
    )
    corpora.write(found["data"] / NAME, clips, dropped, table)
    for variant in ("dominant_hand", "reduced_face", "reduced_face_mirrored", "signing"):
        out = found["features"] / NAME / variant
        store.write(clips, corpora.root(NAME), variant, out, progress=False)
    for fold in range(splits.FOLDS):
        _trained(found, "E3.2", "letters", fold)
    for seed in (0, 1):
        _trained(found, "E5", "in_domain", None, seed)
    _trained(found, "X9", "in_domain", None)
    _trained(found, "E7.2", "in_domain", None)
    _trained(found, "X", "in_domain", None)
    _trained(found, "X", "unseen_language", 0)
    return found
