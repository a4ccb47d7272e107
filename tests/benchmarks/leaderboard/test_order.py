"""The overall order: Borda, missing columns, and intervals of ranks."""

import numpy as np
import pytest
import scipy.stats

from benchmarks.leaderboard import order
from benchmarks.leaderboard.order import ColumnPoints


def column(rows, values, spread: float = 0.0, draws: int = 100, seed: int = 0) -> ColumnPoints:
    """A column whose replicates scatter about its values."""
    values = np.array(values, float)
    noise = np.random.default_rng(seed).normal(0, 1, (draws, len(values)))
    replicates = np.rint(order.beaten(values + spread * noise) * order.BYTE)
    return ColumnPoints(list(rows), order.beaten(values), replicates.astype(np.uint8).T)


def places(columns, values, rows):
    return order.standings(columns, values, rows)


def test_points_are_average_ranks():
    values = np.random.default_rng(0).integers(0, 6, (5, 12)).astype(float)
    expected = (scipy.stats.rankdata(values, axis=1) - 1) / 11
    np.testing.assert_allclose(order.beaten(values), expected)


def test_the_score_is_the_share_of_comparisons_won():
    values = [[3.0, 2.0, 1.0], [1.0, 5.0]]
    columns = [column((0, 1, 2), values[0]), column((1, 2), values[1])]
    found = places(columns, values, 3)
    assert [one.borda for one in found] == pytest.approx([2 / 2, 1 / 3, 1 / 3])
    assert [one.rank for one in found] == [1, 2, 2]
    assert [one.columns for one in found] == [1, 2, 2]
    assert found[1].mean == pytest.approx(1.5)


def test_a_missing_column_is_missing_not_lost():
    values = [[0.9, 0.5, 0.1], [0.2, 0.1]]
    columns = [column((0, 1, 2), values[0]), column((1, 2), values[1])]
    assert places(columns, values, 3)[0].rank == 1
    assert places(columns, values, 4)[3].rank is None


def test_intervals_hold_the_rank_and_narrow_without_noise():
    values = [[0.9, 0.6, 0.3, 0.1]] * 5
    for spread in (0.0, 0.3):
        columns = [
            column(range(4), one, spread=spread, seed=seed) for seed, one in enumerate(values)
        ]
        found = places(columns, values, 4)
        assert all(one.low <= one.rank <= one.high for one in found)
        if not spread:
            assert all(one.low == one.high for one in found)
        else:
            assert any(one.low < one.high for one in found)


def test_a_row_with_one_of_many_columns_could_have_any_rank():
    values = [[0.9, 0.8, 0.1], *([[0.8, 0.1]] * 9)]
    columns = [column((0, 1, 2), values[0]), *(column((1, 2), one) for one in values[1:])]
    found = places(columns, values, 3)
    assert (found[0].low, found[0].high) == (1, 3)
    assert found[1].high < 3


def test_equal_boards_give_equal_intervals():
    values = [[0.9, 0.6, 0.3]] * 3
    columns = [column(range(3), one, spread=0.2, seed=n) for n, one in enumerate(values)]
    assert places(columns, values, 3) == places(columns, values, 3)


def test_resampled_means_are_the_bootstrap_of_scipy():
    values = np.random.default_rng(0).random(40)
    drawn = order.resampled_means(values[None], np.ones((1, 40)), 4000, seed=0)[:, 0]
    expected = scipy.stats.bootstrap(
        (values,), np.mean, n_resamples=4000, method="percentile", rng=1
    ).confidence_interval
    np.testing.assert_allclose(np.quantile(drawn, [0.025, 0.975]), expected, atol=0.01)
