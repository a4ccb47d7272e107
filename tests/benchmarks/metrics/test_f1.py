"""Macro F1 equals scikit-learn's, with its interval and chance level."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from benchmarks.metrics import f1


@pytest.mark.parametrize("seed", range(5))
def test_f1_is_scikit_learns_mean_over_languages(seed):
    rng = np.random.default_rng(seed)
    targets, predicted = rng.integers(0, 4, (2, 9))
    expected = f1_score(targets, predicted, average="macro", zero_division=0.0)
    assert f1.macro_f1(targets, predicted) == pytest.approx(expected)


def test_f1_has_its_interval_and_chance_level():
    targets = np.repeat(np.arange(5), 20)
    found = f1.score(targets, np.stack([targets, targets]), 5)
    assert found.value == found.low == found.high == 1
    assert found.chance == pytest.approx(0.2, abs=0.02)
    half = np.where(np.arange(100) % 2, targets, (targets + 1) % 5)
    found = f1.score(targets, half[None], 5)
    assert found.low < found.value < found.high
    assert found.value == pytest.approx(f1_score(targets, half, average="macro"))
