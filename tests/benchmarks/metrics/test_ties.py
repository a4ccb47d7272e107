"""Ranks of tied candidates, against every order of them."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import metrics
from benchmarks.metrics import intervals, ties
from benchmarks.metrics.ties import TiedRanks


@st.composite
def queries(draw):
    """(wrong ones above, tied, right among the tied) of some queries, and the unit of each."""
    number = draw(st.integers(1, 5))
    made = []
    for _ in range(number):
        tied = draw(st.integers(1, 5))
        made.append((draw(st.integers(0, 12)), tied, draw(st.integers(1, tied))))
    units = draw(st.lists(st.integers(0, number - 1), min_size=number, max_size=number))
    return made, np.unique(units, return_inverse=True)[1]


def ranks_of(made):
    above, tied, right = np.array(made).T
    return TiedRanks.of(1 + above, 1 + above + tied - right, right)


def every_order(above, tied, right):
    """The rank of the first right one in each order of the tied."""
    orders = itertools.permutations([True] * right + [False] * (tied - right))
    return np.array([above + order.index(True) + 1 for order in orders])


@given(queries())
@settings(max_examples=80, deadline=None)
def test_every_metric_is_its_mean_over_all_orders(case):
    made, _ = case
    found = metrics.rank_units(ranks_of(made))
    for query, one in enumerate(made):
        ranks = every_order(*one)
        for k in metrics.RECALL_AT:
            assert found[f"R@{k}"][query] == pytest.approx(np.mean(ranks <= k))
        assert found["MRR"][query] == pytest.approx(np.mean(1 / ranks))
        assert found["DCG"][query] == pytest.approx(np.mean(1 / np.log2(1 + ranks)))
        assert found["MeanR"][query] == pytest.approx(np.mean(ranks))


@given(queries())
@settings(max_examples=80, deadline=None)
def test_the_median_is_that_of_all_ranks_in_all_orders(case):
    made, unit = case
    orders = 120  # a multiple of every number of orders of up to 5
    each = [np.repeat(of, orders // len(of)) for of in (every_order(*one) for one in made)]
    assert ties.median(ranks_of(made)) == np.median(np.concatenate(each))
    # units of unequal size weigh the same: 60 is a multiple of every size
    sizes = np.bincount(unit)
    pooled = [np.repeat(of, 60 // sizes[u]) for of, u in zip(each, unit, strict=True)]
    assert ties.median(ranks_of(made), unit) == np.median(np.concatenate(pooled))


def test_the_interval_of_a_median_is_that_of_drawn_units():
    rng = np.random.default_rng(3)
    low = rng.integers(1, 30, 40)
    ranks = TiedRanks.of(low, low + rng.integers(0, 4, 40))
    unit = np.repeat(np.arange(20), 2)
    got = intervals.bootstrap_median(ranks, unit, resamples=300, seed=5)
    drawn = np.random.default_rng(5).integers(0, 20, (300, 20))
    medians = []
    for chosen in drawn:
        rows = (2 * chosen[:, None] + np.arange(2)).ravel()
        medians.append(ties.median(ranks[rows]))
    assert got == tuple(np.quantile(medians, [0.025, 0.975]))


def test_without_ties_the_interval_of_the_median_is_the_plain_one():
    low = np.random.default_rng(0).integers(1, 50, 60)
    got = intervals.bootstrap_median(TiedRanks.of(low), np.arange(60), resamples=200)
    assert got == intervals.bootstrap_interval(low, np.median, resamples=200)


def test_ranks_are_stored_as_a_number_or_as_bounds_and_read_back():
    ranks = TiedRanks.of([3, 2, 1, 4], [3, 5, 4, 4], [1, 1, 2, 2])
    assert ranks.stored() == [3, [2, 5], [1, 4, 2], 4]
    back = TiedRanks.from_stored(ranks.stored())
    assert back.stored() == ranks.stored()
    assert back.tied.tolist() == [1, 4, 5, 1]
    of_clips = ties.recall_of_clips({"a": [1, [1, 4]], "b": [[2, 3, 2]]}, 2)
    assert of_clips.tolist() == pytest.approx([(1 + 0.5) / 2, 2 / 3])


def test_what_a_rank_adds_to_each_metric():
    units = metrics.rank_units(TiedRanks.of([1, 3, 7, 12]))
    assert units["DCG"].tolist() == pytest.approx([1, 1 / 2, 1 / 3, 1 / np.log2(13)])
    assert units["MRR"].tolist() == pytest.approx([1, 1 / 3, 1 / 7, 1 / 12])
    hits = {k: units[f"R@{k}"].tolist() for k in metrics.RECALL_AT}
    assert hits[1] == [1, 0, 0, 0]
    assert hits[5] == [1, 1, 0, 0]
    assert (hits[10], hits[20]) == ([1, 1, 1, 0], [1] * 4)
    assert units["MeanR"].tolist() == [1, 3, 7, 12]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (([],), "not empty"),
        (([[2, 1]],), r"\(1, 2\)"),
        (([1.5],), "must be ints"),
        (([2, 0],), r"low\[1\] is 0"),
        (([2, 3], [2, 2]), "a rank from 3 to 2"),
        (([2], [2], [0]), r"right\[0\] is 0"),
    ],
)
def test_what_is_no_rank_is_refused(columns, message):
    with pytest.raises(ValueError, match=message):
        TiedRanks.of(*columns)
