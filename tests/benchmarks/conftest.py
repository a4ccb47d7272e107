"""Fixtures of the benchmark tests."""

from collections.abc import Callable

import pytest

from benchmarks.results import Cost, Result, Score


def _result(**changes) -> Result:
    values = dict(
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
