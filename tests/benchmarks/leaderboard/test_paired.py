"""Paired tests against scipy's, and what ties mean."""

from itertools import combinations, product

import numpy as np
import pytest
import scipy.stats

from benchmarks.leaderboard import compact, paired

CLIPS = [f"clip-{i:03d}" for i in range(60)]


def hits_of(*rows) -> paired.Hits:
    """Hits of rows of 0 and 1."""
    return paired.Hits(np.array(rows, np.int64), 1)


def by_clip(count: int) -> paired.Units:
    return paired.Units("clips", np.arange(count), count)


@pytest.mark.parametrize(
    ("more", "less"), [(0, 0), (1, 0), (7, 2), (30, 11), (5, 5), (25, 0), (40, 60)]
)
def test_single_hits_are_tested_as_by_mcnemars_exact_test(more, less):
    signed = np.array([1] * more + [-1] * less + [0] * 9)
    found = paired.flip_test(signed)
    n = more + less
    expected = scipy.stats.binomtest(more, n).pvalue if n else 1.0
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(4))
def test_unequal_units_are_tested_as_by_scipys_permutation_test(seed):
    signed = np.random.default_rng(seed).integers(-4, 7, 11)
    expected = scipy.stats.permutation_test(
        (signed, np.zeros_like(signed)),
        lambda a, b, axis: np.sum(a - b, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=np.inf,
    ).pvalue
    assert paired.flip_test(signed) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(4))
def test_long_integers_and_arrays_give_the_same_p_values(seed, monkeypatch):
    rng = np.random.default_rng(seed)
    signed = rng.integers(-9, 10, (20, paired.FEW_UNITS))
    exact = [paired.flip_test(one) for one in signed]
    monkeypatch.setattr(paired, "FEW_UNITS", 0)
    assert [paired.flip_test(one) for one in signed] == pytest.approx(exact, rel=1e-12)


def test_signed_ranks_are_tested_as_by_wilcoxons_exact_test():
    """Wilcoxon's test is the randomisation test of signed ranks."""
    differences = np.random.default_rng(3).normal(0.4, 1, 14)
    ranks = scipy.stats.rankdata(np.abs(differences)).astype(int)
    signed = np.where(differences > 0, ranks, -ranks)
    expected = scipy.stats.wilcoxon(differences, mode="exact").pvalue
    assert paired.flip_test(signed) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(5))
def test_holm_is_the_closed_test_of_bonferronis(seed):
    """A hypothesis is rejected if every set of hypotheses that holds it is, each by Bonferroni."""
    p = np.random.default_rng(seed).beta(0.4, 3, 6)
    adjusted = paired.holm(p)
    for one in range(len(p)):
        sets = [
            of
            for size in range(1, len(p) + 1)
            for of in combinations(range(len(p)), size)
            if one in of
        ]
        expected = max(min(1.0, len(of) * min(p[list(of)])) for of in sets)
        assert adjusted[one] == pytest.approx(expected)


def test_what_could_not_be_significant_does_not_count():
    # 2 / 2**5 > 0.05; two tests with 7 units have 2 / 2**7 = 0.0156 <= 0.05 / 2
    assert paired.testable([5, 5, 5]).tolist() == [False, False, False]
    assert paired.testable([7, 3, 7, 2]).tolist() == [True, False, True, False]


def test_equal_encoders_are_told_apart_in_one_board_of_twenty():
    rng = np.random.default_rng(0)
    boards, wrong = 200, 0
    for _ in range(boards):
        difficulty = rng.random(len(CLIPS))
        rows = [(rng.random(len(CLIPS)) < difficulty).astype(int) for _ in range(5)]
        found = paired.ties(hits_of(*rows), [row.mean() for row in rows], by_clip(len(CLIPS)))
        wrong += max(found.group) > 0 or min(found.high) < len(rows)
    assert wrong / boards <= 0.08


def test_a_difference_of_the_detectable_size_is_found_about_four_times_in_five():
    """Two encoders that disagree on a fifth of 400 clips, equally often for each side."""
    count, disagree = 400, 80
    a = np.zeros(count, int)
    a[: disagree // 2] = 1
    b = np.zeros(count, int)
    b[disagree // 2 : disagree] = 1
    delta = paired.ties(hits_of(a, b), [a.mean(), b.mean()], by_clip(count)).detectable
    rate = disagree / count
    chances = [(rate + delta) / 2, (rate - delta) / 2, 1 - rate]
    rng = np.random.default_rng(1)
    signed = rng.choice([1, -1, 0], size=(1000, count), p=chances)
    power = np.mean([paired.flip_test(one) <= paired.LEVEL for one in signed])
    assert power == pytest.approx(0.8, abs=0.05)


def test_places_hold_the_rows_own_place_and_narrow_with_the_data():
    rng = np.random.default_rng(2)
    rows = [(rng.random(600) < skill).astype(int) for skill in (0.8, 0.79, 0.5, 0.1)]
    values = [row.mean() for row in rows]
    found = paired.ties(hits_of(*rows), values, by_clip(600))
    places = np.argsort(np.argsort(values)[::-1]) + 1
    assert all(
        low <= place <= high for low, place, high in zip(found.low, places, found.high, strict=True)
    )
    assert found.group[0] == found.group[1]
    assert found.group[2] == 1
    assert (found.low[3], found.high[3]) == (4, 4)
    few = paired.ties(hits_of(*(row[:4] for row in rows)), values, by_clip(4))
    assert set(few.low) == {1}
    assert set(few.high) == {4}


def test_the_order_of_the_rows_decides_nothing():
    rng = np.random.default_rng(4)
    rows = np.array([(rng.random(80) < skill).astype(int) for skill in (0.9, 0.5, 0.55, 0.2)])
    straight = paired.ties(hits_of(*rows), rows.mean(1).tolist(), by_clip(80))
    order = [2, 0, 3, 1]
    mixed = paired.ties(hits_of(*rows[order]), rows[order].mean(1).tolist(), by_clip(80))
    assert [straight.low[i] for i in order] == mixed.low
    assert [straight.group[i] for i in order] == mixed.group


def test_above_the_limit_neighbours_in_rank_are_the_family():
    rng = np.random.default_rng(5)
    rows = rng.random((paired.ALL_PAIRS + 6, 300)) < 0.3
    rows[:3] = rng.random((3, 300)) < 0.9
    found = paired.ties(hits_of(*rows), rows.mean(1).tolist(), by_clip(300))
    assert found.neighbours
    assert found.pairs == paired.ALL_PAIRS + 5
    assert {found.group[i] for i in range(3)} == {0}
    assert {(found.low[i], found.high[i]) for i in range(3)} == {(1, 3)}
    assert min(found.low[3:]) == 4


def test_clips_of_one_language_that_go_together_are_not_many_observations():
    """8 languages, each won as a whole: 5 to 3 is nothing, although 50 to 30 clips are."""
    of_clip = np.repeat(np.arange(8), 10)
    better = np.isin(of_clip, range(5)).astype(int)
    hits = hits_of(better, 1 - better)
    pairs = np.array([[0, 1]])
    [alone], _ = paired.differences(hits, pairs, by_clip(80))
    [grouped], _ = paired.differences(hits, pairs, paired.Units("sign languages", of_clip, 8))
    assert paired.flip_test(alone) < 0.05
    assert paired.flip_test(grouped) > 0.5


def test_the_coarsest_unit_of_which_there_are_enough_is_resampled():
    clips = [f"{language}{i}" for language, i in product("abcdefg", range(3))]
    languages = {clip: ("", clip[0]) for clip in clips}
    assert paired.choose_units(clips, languages).kind == "sign languages"
    signers = {clip: (clip[1] + clip[0], clip[0]) for clip in clips}
    assert paired.choose_units(clips, signers).kind == "signers"
    few = paired.choose_units(clips, dict.fromkeys(clips, ("s1", "ase")))
    assert (few.kind, few.count) == ("clips", 21)
    assert few.why == "1 signer: too few to resample; 1 sign language: too few to resample"
    assert paired.choose_units(clips, {}).why.startswith("signers are not recorded")


def ranks_of(*rows):
    return paired.ranks_of([compact.row_ranks(row) for row in rows])


def test_ranks_become_one_array_whatever_their_order_and_number():
    ranks = ranks_of({"b": [3], "a": [1, 2]}, {}, {"c": [4, 5], "a": [6]})
    assert ranks.clips == ["a", "b", "c"]
    expected = [[[1, 2], [3, 0], [0, 0]], [[0, 0]] * 3, [[6, 0], [0, 0], [4, 5]]]
    assert ranks.array.tolist() == expected
    assert ranks_of({}, {}).array.shape == (2, 0, 1)


def test_a_clip_that_one_side_lacks_is_left_out_of_the_pair():
    ranks = ranks_of({"a": [1], "b": [2]}, {"c": [1], "a": [2], "b": [2]})
    hits = paired.hits_of(ranks, 1)
    sums, clips = paired.differences(hits, np.array([[0, 1]]), by_clip(3))
    assert sums.tolist() == [[1, 0, 0]]
    assert clips.tolist() == [2]


def test_seeds_are_averaged_before_anything_else():
    ranks = ranks_of({"a": [1, 1, 5], "b": [9, 9, 9]}, {"a": [1], "b": [1]})
    hits = paired.hits_of(ranks, 1)
    assert hits.scale == 3
    assert hits.steps.tolist() == [[2, 0], [3, 3]]
