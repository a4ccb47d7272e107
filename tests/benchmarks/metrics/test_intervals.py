"""Properties of the bootstrap intervals and of the chance levels."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import numpy as np
import pytest

from benchmarks import metrics
from benchmarks.metrics.intervals import (
    bootstrap_interval,
    chance_t2v,
    chance_v2t,
    paired_bootstrap,
)


def test_interval_of_the_mean_covers_at_about_its_level():
    rng = np.random.default_rng(0)
    samples = rng.normal(3.0, 2.0, (300, 80))
    intervals = [bootstrap_interval(s, resamples=400, seed=i) for i, s in enumerate(samples)]
    covered = np.mean([low <= 3.0 <= high for low, high in intervals])
    assert 0.90 <= covered <= 0.98


def test_interval_of_the_mean_is_as_wide_as_the_standard_error_says():
    values = np.random.default_rng(1).normal(size=500)
    low, high = bootstrap_interval(values)
    assert high - low == pytest.approx(2 * 1.96 * values.std() / np.sqrt(500), rel=0.05)


@pytest.mark.parametrize("statistic", [np.mean, np.median])
def test_chunked_equals_full_to_the_last_bit(statistic):
    values = np.random.default_rng(2).normal(size=37)
    full = bootstrap_interval(values, statistic, resamples=501)
    for cells in (1, 100, 37 * 17):
        assert bootstrap_interval(values, statistic, resamples=501, cells=cells) == full


def test_same_seed_same_interval_and_another_seed_another():
    values = np.random.default_rng(3).normal(size=50)
    assert bootstrap_interval(values, seed=7) == bootstrap_interval(values, seed=7)
    assert bootstrap_interval(values, seed=7) != bootstrap_interval(values, seed=8)


def test_a_higher_level_gives_a_wider_interval():
    values = np.random.default_rng(4).normal(size=50)
    inner, outer = bootstrap_interval(values, level=0.8), bootstrap_interval(values, level=0.99)
    assert outer[0] < inner[0] < inner[1] < outer[1]


def test_interval_of_the_median_is_the_medians():
    values = np.r_[np.zeros(60), np.full(40, 1e6)]  # the mean is 400,000, the median 0
    assert bootstrap_interval(values, np.median, level=0.5) == (0, 0)


def test_equal_values_and_a_single_unit_have_an_interval_of_width_zero():
    assert bootstrap_interval([0.25] * 9) == (0.25, 0.25)
    assert bootstrap_interval([True]) == (1, 1)


def test_paired_difference_cancels_what_units_share():
    rng = np.random.default_rng(5)
    hard = rng.normal(0, 10, 100)
    a = hard + 0.5 + rng.normal(0, 0.1, 100)
    difference, low, high = paired_bootstrap(a, hard)
    assert low < difference < high
    assert difference == pytest.approx(np.mean(a) - np.mean(hard))
    assert 0.4 < low < high < 0.6  # unpaired, it would be about 5 wide


def test_paired_difference_changes_sign_with_the_order():
    a, b = np.random.default_rng(6).normal(size=(2, 40))
    forward, backward = paired_bootstrap(a, b), paired_bootstrap(b, a)
    assert forward == pytest.approx((-backward.difference, -backward.high, -backward.low))


@pytest.mark.parametrize("n_labels", [1, 6, 35])
def test_chance_v2t_equals_enumeration(n_labels):
    got = chance_v2t(n_labels)
    ranks = np.arange(1, n_labels + 1)
    for k in (1, 5, 10):
        assert got[f"R@{k}"] == pytest.approx(np.mean(ranks <= k))
        assert got[f"P@{k}"] == pytest.approx(np.mean(ranks <= k) / k)
    assert got["MRR"] == pytest.approx(np.mean(1 / ranks))
    assert got["DCG"] == pytest.approx(np.mean(1 / np.log2(1 + ranks)))
    assert got["MedianR"] == np.median(ranks)
    assert got["MeanR"] == pytest.approx(np.mean(ranks))


@pytest.mark.parametrize(
    ("positives", "n_clips"), [([1], 1), ([3, 3], 3), ([1, 1, 1], 4), ([1, 2, 5], 9), ([2, 7], 30)]
)
def test_chance_t2v_equals_the_hypergeometric_sum(positives, n_clips):
    beyond = [
        sum(Fraction(comb(n_clips - r, m), comb(n_clips, m)) for m in positives) / len(positives)
        for r in range(n_clips + 1)
    ]
    at = [0] + [beyond[r - 1] - beyond[r] for r in range(1, n_clips + 1)]
    lower = next(r for r in range(1, n_clips + 1) if sum(at[: r + 1]) >= Fraction(1, 2))
    upper = max(r for r in range(1, n_clips + 1) if sum(at[r:]) >= Fraction(1, 2))
    got = chance_t2v(positives, n_clips)
    for k in (1, 5, 10):
        assert got[f"R@{k}"] == pytest.approx(float(1 - beyond[min(k, n_clips)]))
        drawn = min(k, n_clips)
        assert got[f"P@{k}"] == pytest.approx(np.mean(positives) * drawn / n_clips / k)
    assert got["MRR"] == pytest.approx(float(sum(p / r for r, p in enumerate(at) if r)))
    assert got["MedianR"] == (lower + upper) / 2
    assert got["MeanR"] == pytest.approx(float(sum(r * p for r, p in enumerate(at))))


def test_chance_equals_simulation_with_random_scores():
    rng = np.random.default_rng(8)
    labels = np.repeat(np.arange(12), [1, 1, 1, 2, 2, 3, 3, 4, 5, 6, 8, 12])
    first, v2t, hits = [], [], {k: [] for k in (1, 5, 10)}
    for _ in range(400):
        scores = rng.random((12, len(labels)), np.float32)
        v2t.append(metrics.v2t_ranks(scores, labels).low)
        t2v = metrics.t2v_hits(scores, labels)
        first.append(t2v.first_rank.low)
        for k, counts in t2v.hits.items():
            hits[k].append(counts)
    expected = {
        "v2t": (chance_v2t(12), np.concatenate(v2t)),
        "t2v": (chance_t2v(np.bincount(labels), len(labels)), np.concatenate(first)),
    }
    for chance, ranks in expected.values():
        for k in (1, 5, 10):
            assert np.mean(ranks <= k) == pytest.approx(chance[f"R@{k}"], abs=0.02)
        assert np.mean(ranks) == pytest.approx(chance["MeanR"], rel=0.03)
        assert abs(np.median(ranks) - chance["MedianR"]) <= 0.5
    for k in (1, 5, 10):
        assert np.mean(hits[k]) / k == pytest.approx(expected["t2v"][0][f"P@{k}"], abs=0.01)


def test_chance_t2v_stays_exact_for_a_large_gallery():
    # one positive a query is the uniform distribution, whose median is known
    got = chance_t2v(np.ones(2_000, int), 45_000)
    assert got["MedianR"] == got["MeanR"] == 22_500.5
    assert got["R@10"] == 10 / 45_000
    assert chance_t2v([200] * 5, 45_000)["MedianR"] < 45_000 / 200


@pytest.mark.parametrize("values", [[], [[1.0, 2.0]], [1.0, np.nan], [np.inf]])
def test_values_that_are_empty_not_flat_or_not_finite_are_refused(values):
    with pytest.raises(ValueError, match="values"):
        bootstrap_interval(values)


def test_bad_settings_and_unpaired_units_are_refused():
    with pytest.raises(ValueError, match="level"):
        bootstrap_interval([1.0], level=95)
    with pytest.raises(ValueError, match="resamples"):
        bootstrap_interval([1.0], resamples=0)
    with pytest.raises(ValueError, match="same units: 2 and 1"):
        paired_bootstrap([1.0, 2.0], [1.0])


@pytest.mark.parametrize("positives", [[], [0], [1, 6], [1.0]])
def test_impossible_numbers_of_positives_are_refused(positives):
    with pytest.raises(ValueError, match="positives_per_query"):
        chance_t2v(positives, 5)


def test_impossible_galleries_and_depths_are_refused():
    with pytest.raises(ValueError, match="n_labels"):
        chance_v2t(0)
    with pytest.raises(ValueError, match="k must be at least 1"):
        chance_v2t(5, ks=(0,))
