"""Breakdowns by hand-computed cases."""

import numpy as np
import pandas as pd
import pytest

from benchmarks import metrics
from benchmarks.metrics import breakdown

RANKS = [1, 2, 1, 7, 30]
SIGNERS = ["anna", "anna", "ben", "", "anna"]


def ranks(*seeds):
    """Ranks without ties, of each seed."""
    return [metrics.TiedRanks.of(of_seed) for of_seed in seeds]


def test_hits_by_group_are_those_counted_by_hand():
    found = breakdown.by_group(ranks(RANKS), SIGNERS)
    assert list(found.table.index) == ["anna", "ben"]
    assert list(found.table.columns) == [
        *("clips", "R@1", "R@5", "R@10", "R@20", "MRR", "DCG", "MedianR", "MeanR"),
    ]
    anna = found.table.loc["anna"]
    assert anna["clips"] == 3
    assert anna["R@1"] == pytest.approx(1 / 3)
    assert anna["R@5"] == anna["R@20"] == pytest.approx(2 / 3)
    assert anna["MRR"] == pytest.approx((1 + 1 / 2 + 1 / 30) / 3)
    assert anna["DCG"] == pytest.approx((1 + 1 / np.log2(3) + 1 / np.log2(31)) / 3)
    assert (anna["MedianR"], anna["MeanR"]) == (2, 11)


def test_a_group_of_one_clip_counts_as_much_as_any_other_in_macro():
    found = breakdown.by_group(ranks(RANKS), SIGNERS)
    assert found.table.loc["ben", "clips"] == 1
    assert found.macro["R@1"] == pytest.approx((1 / 3 + 1) / 2)
    assert found.macro["MeanR"] == pytest.approx((11 + 1) / 2)
    assert "clips" not in found.macro


def test_clips_without_a_group_are_counted_and_are_in_micro_alone():
    found = breakdown.by_group(ranks(RANKS), SIGNERS)
    assert found.ungrouped == 1
    units = metrics.rank_units(ranks(RANKS)[0])
    expected = {name: np.mean(of) for name, of in units.items()} | {"MedianR": np.median(RANKS)}
    assert found.micro == pytest.approx(expected)
    nobody = breakdown.by_group(ranks([1, 3]), ["", ""])
    assert (len(nobody.table), nobody.macro, nobody.ungrouped) == (0, {}, 2)
    assert nobody.micro["R@1"] == 0.5
    assert breakdown.by_group(ranks([1, 3]), [None, "a"]).ungrouped == 1


def test_seeds_are_averaged_over_each_clip_before_groups_are_formed():
    found = breakdown.by_group(ranks([1, 1, 9], [3, 1, 1]), ["a", "a", "b"])
    assert found.table.loc["a", "clips"] == 2
    assert found.table["R@1"].tolist() == [0.75, 0.5]
    assert found.table["MedianR"].tolist() == [1, 5]  # of 1, 1, 3, 1 and of 9, 1
    assert found.macro["R@1"] == 0.625
    assert found.micro["R@1"] == pytest.approx(4 / 6)


def test_class_language_and_signer_are_read_from_a_manifest():
    clips = pd.DataFrame(
        {
            "text": ["House", "house ", "Straße", "tree"],
            "sign_language": ["ase", "gsg", "gsg", "ase"],
            "signer": ["", "s1", "s1", None],
        }
    )
    found = breakdown.breakdowns(ranks([1, 2, 1, 1]), clips)
    assert found["class"].table["clips"].to_dict() == {"house": 2, "strasse": 1, "tree": 1}
    assert found["class"].macro["R@1"] == pytest.approx((0.5 + 1 + 1) / 3)
    assert found["language"].table["R@1"].to_dict() == {"ase": 1, "gsg": 0.5}
    assert found["signer"].table.index.tolist() == ["s1"]
    assert found["signer"].ungrouped == 2
    with pytest.raises(ValueError, match="no column 'signer'"):
        breakdown.breakdowns(ranks([1, 2, 1, 1]), clips.drop(columns="signer"))


def test_coverage_counts_what_is_asked_and_answered():
    found = breakdown.coverage([0, 0, 2, -1], [0, 3, 3], texts=5)
    assert found == breakdown.Coverage(
        texts=5, texts_with_clip=2 / 5, texts_predicted=2 / 5, clips=4, clips_in_gallery=3 / 4
    )
    assert breakdown.coverage([-1], [], texts=2).texts_predicted == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: breakdown.by_group([], []), "the same clips are expected"),
        (lambda: breakdown.by_group(ranks([1], [1, 2]), ["a"]), r"seeds of \[1, 2\] clips"),
        (lambda: breakdown.by_group(ranks([1, 1]), ["a"]), "2 clips have ranks and 1 have groups"),
        (lambda: breakdown.coverage([0, 5], [0], 5), r"targets\[1\] is 5"),
        (lambda: breakdown.coverage([0], [-1], 5), r"predicted\[0\] is -1"),
        (lambda: breakdown.coverage([], [], 5), "needs clips and texts"),
    ],
)
def test_what_cannot_be_summed_up_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
