"""Paired comparisons: the same clips, or an error."""

import numpy as np
import pytest
import scipy.stats

from benchmarks.metrics import intervals
from benchmarks.metrics.compare import both_intervals, compare, flips
from benchmarks.metrics.groups import choose_groups
from signclip.core.errors import ConfigError

CLIPS = [f"clip-{i:02d}" for i in range(40)]


def ranks(right: int, seeds: int = 1) -> dict[str, list[int]]:
    """The first ``right`` clips are found at once, the others at rank 3."""
    return {clip: [1 if i < right else 3] * seeds for i, clip in enumerate(CLIPS)}


def test_the_difference_is_that_of_the_hit_rates_paired_by_clip(result):
    a, b = result(encoder="X", ranks=ranks(30)), result(ranks=ranks(20))
    found = compare(a, b)
    assert found.difference == pytest.approx(0.25)
    assert found == intervals.paired_bootstrap(
        np.arange(40) < 30, (np.arange(40) < 20).astype(float)
    )
    assert compare(b, a).difference == -found.difference
    assert compare(a, b, "V2T_R@3").difference == 0


def test_clips_are_paired_by_id_and_not_by_place(result):
    turned = dict(reversed(ranks(20).items()))
    assert compare(result(ranks=turned), result(ranks=ranks(20))) == (0, 0, 0)


def test_a_clips_hits_are_averaged_over_each_sides_seeds(result):
    mixed = {clip: [1, 3] for clip in CLIPS}
    found = compare(result(ranks=mixed), result(ranks=ranks(20)))
    assert found.difference == 0
    assert found.low < 0 < found.high


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"split": "other"}, "split"),
        ({"split_fingerprint": "x"}, "split_fingerprint"),
        ({"corpus_fingerprint": "x"}, "corpus_fingerprint"),
        ({"task": "tagged_retrieval"}, "task"),
        ({"labels": 11}, "labels"),
        ({"ranks": ranks(20) | {"one more": [1]}}, "1 clips were evaluated in only one"),
        ({"ranks": {}}, "has no ranks"),
    ],
)
def test_what_was_measured_otherwise_is_not_paired(result, change, told):
    with pytest.raises(ConfigError, match=told):
        compare(result(**{"ranks": ranks(20), **change}), result(ranks=ranks(20)))


def test_only_means_over_clips_are_paired(result):
    with pytest.raises(ConfigError, match="V2T_R@k"):
        compare(result(ranks=ranks(20)), result(ranks=ranks(20)), "T2V_P@1")


def test_the_clips_that_changed_sides_are_those_that_make_the_difference(result):
    a, b = result(encoder="X", ranks=ranks(30)), result(ranks=ranks(20))
    b.ranks[CLIPS[25]] = [9]
    found = flips(a, b)
    assert found.lost == []
    assert sorted(found.gained) == CLIPS[20:30]
    assert found.gained[0] == CLIPS[25]  # whose ranks differ most
    assert flips(b, a) == (found.lost, found.gained)
    share = (len(found.gained) - len(found.lost)) / len(CLIPS)
    assert compare(a, b).difference == pytest.approx(share)
    with pytest.raises(ConfigError, match="split"):
        flips(a, result(ranks=ranks(20), split="other"))


@pytest.mark.parametrize("grouped", [False, True])
def test_both_intervals_are_those_of_scipys_paired_bootstrap(result, grouped):
    rng = np.random.default_rng(3)
    groups = {clip: f"g{i % 7 if i < 30 else i % 2}" for i, clip in enumerate(CLIPS)}
    hard = {group: rng.normal(0, 0.3) for group in sorted(set(groups.values()))}
    sides = [
        {clip: [1 if rng.random() < skill + hard[groups[clip]] else 4] for clip in CLIPS}
        for skill in (0.7, 0.4)
    ]
    a, b = (result(encoder=str(i), ranks=ranks) for i, ranks in enumerate(sides))
    both = both_intervals(a, b, groups=groups)
    differences = [(sides[0][clip] == [1]) - (sides[1][clip] == [1]) for clip in CLIPS]
    of_unit = {clip: groups[clip] if grouped else clip for clip in CLIPS}
    units = sorted(set(of_unit.values()))
    sums, sizes = np.zeros(len(units)), np.zeros(len(units))
    for clip, difference in zip(CLIPS, differences, strict=True):
        sums[units.index(of_unit[clip])] += difference
        sizes[units.index(of_unit[clip])] += 1
    expected = scipy.stats.bootstrap(
        (sums, sizes),
        lambda drawn, of, axis: drawn.sum(axis=axis) / of.sum(axis=axis),
        paired=True,
        method="percentile",
        n_resamples=10_000,
        rng=np.random.default_rng(0),
    ).confidence_interval
    found = both.over_groups if grouped else both.over_clips
    assert found.difference == pytest.approx(np.mean(differences))
    assert found[1:] == pytest.approx((expected.low, expected.high), abs=0.015)
    assert both.wider == both.over_groups != both.over_clips


def test_groups_are_signers_where_all_are_recorded_else_sign_languages_else_nothing():
    about = {"a": ("s1", "ase"), "b": ("s2", "ase"), "c": ("", "bfi")}
    assert choose_groups(["a", "b"], about) == ("signers", {"a": "s1", "b": "s2"}, "")
    found = choose_groups(["a", "c"], about)
    assert (found.kind, found.count) == ("sign languages", 2)
    assert found.of_clip == {"a": "ase", "c": "bfi"}
    assert found.why == "signers are not recorded"
    assert choose_groups(["a", "b"], about, least=3).of_clip == {}
    unknown = choose_groups(["a", "d"], about)
    assert (unknown.kind, unknown.of_clip) == ("clips", {})
    assert unknown.why == "signers are not recorded; sign languages are not recorded"
