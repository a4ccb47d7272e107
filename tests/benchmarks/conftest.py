"""Fixtures of the benchmark tests."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.metrics import intervals
from benchmarks.results import Cost, Result, Score
from signclip import corpora, text
from signclip.core.workspace import RunId, Workspace
from signclip.corpora import splits
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
    values |= changes
    values.setdefault("n_total", values["n_evaluated"] + sum(values["n_dropped"].values()))
    return Result(**values)


@pytest.fixture
def result() -> Callable[..., Result]:
    """Makes a made-up result; keyword arguments replace fields."""
    return _result


@pytest.fixture(autouse=True)
def few_resamples(request, monkeypatch):
    """A tenth of the resamples, apart from the tests of the intervals themselves (metrics)."""
    if "metrics" not in request.path.parts:
        for function in (intervals.bootstrap_interval, intervals.paired_bootstrap):
            monkeypatch.setitem(function.__kwdefaults__, "resamples", 1000)


ROOT = Path(__file__).parents[2]
NAME = "spreadthesign-fingerspelling"


VARIANTS = ("dominant_hand", "reduced_face", "reduced_face_mirrored", "signing")
RUNS = [  # experiment, split, fold, seed
    *(("E3.2", "letters", fold, 0) for fold in range(splits.FOLDS)),
    *(("E5", "in_domain", None, seed) for seed in (0, 1)),
    *((name, "in_domain", None, 0) for name in ("X9", "E7.2", "X")),
    ("X", "unseen_language", 0, 0),
]


@pytest.fixture(scope="session")
def packed(build_once, embedded) -> Workspace:
    """The Latin letters of the embedded corpus, with the feature stores :data:`VARIANTS`."""

    def workspace(folder: Path) -> Workspace:
        places = {name: folder / name for name in ("data", "features", "runs")}
        experiments = ROOT / "benchmarks/experiments.yaml"
        return Workspace(**places, params=ROOT / "params.yaml", experiments=experiments)

    def build(folder: Path) -> None:
        clips = embedded.manifest
        clips = clips[clips["text"].map(text.label).isin(splits.LATIN)]
        table = pd.concat(
            [splits.letters(clips), splits.in_domain(clips), splits.unseen_language(clips)]
        )
        made = workspace(folder)
        corpora.write(made.corpus(NAME), clips, embedded.dropped, table)
        folders = {variant: made.store(NAME, variant) for variant in VARIANTS}
        store.write_variants(clips, embedded.root, folders, progress=False)

    return workspace(build_once("packed", build))


@pytest.fixture(scope="session")
def trained(packed, build_once) -> Workspace:
    """The packed corpus with tiny runs: :data:`RUNS`."""

    def build(folder: Path) -> None:
        for experiment, split, fold, seed in RUNS:
            run = RunId(experiment, "smoke", NAME, split, fold, seed)
            train.train(resolve(run, packed), packed.replace(runs=folder))

    return packed.replace(runs=build_once("runs", build))


def _own_outputs(workspace: Workspace, folder: Path) -> Workspace:
    places = {name: folder / name for name in ("embeddings", "predictions", "results")}
    return workspace.replace(**places)


@pytest.fixture
def workspace(trained, tmp_path) -> Workspace:
    """The trained runs; embeddings, predictions and results go to the test's own folder."""
    return _own_outputs(trained, tmp_path)


@pytest.fixture
def without_runs(packed, tmp_path) -> Workspace:
    """The packed corpus; what is written goes to the test's own folder."""
    return _own_outputs(packed, tmp_path)
