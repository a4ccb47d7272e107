"""What tables read: which results must be there."""

from dataclasses import replace

import pytest

from benchmarks import suites
from benchmarks.source import Need
from signclip.core.errors import ConfigError, RunError

NEED = Need("letters", "retrieval", ("E3.2", "X", "X3"))


def test_what_is_not_there_is_left_out_and_what_the_pipeline_makes_is_named(measured, source):
    measured("X", "retrieval", "letters")
    assert list(source.select(NEED)) == ["X"]
    reason = "no result on letters, retrieval: `make repro` makes it"
    assert source.missing(NEED) == {"E3.2": reason}  # X3 is not in the plan


def test_a_result_on_other_clips_than_the_rest_is_refused_by_name(measured, source):
    for name in ("E3.2", "X"):
        measured(name, "retrieval", "letters")
    measured("X3", "retrieval", "letters", split_fingerprint="another")
    with pytest.raises(ConfigError, match=r"repro/X3/cpu/retrieval\.c\.letters\.json: measured on"):
        source.select(NEED)


def test_the_order_is_that_of_the_rows(measured, source):
    for name in ("X3", "X", "E3.2"):
        measured(name, "retrieval", "letters")
        measured(name, "retrieval", "letters", group="full", seeds=[0, 1])
    assert list(source.select(NEED)) == ["E3.2", "X", "X3"]
    assert list(source.select_full(NEED)) == ["E3.2", "X", "X3"]


def test_other_groups_revisions_and_corpora_are_not_mixed_in(measured, source):
    measured("X3", "retrieval", "unseen_language", group="local")
    measured("X4", "retrieval", "unseen_language", revision="paper")
    measured("X5", "retrieval", "unseen_language", corpus="other")
    assert source.select(Need("unseen_language", "retrieval", ("X3", "X4", "X5"))) == {}


def test_the_plan_of_the_profile_decides(source):
    assert set(source.planned("in_domain", "retrieval")) == set(suites.evaluated("in_domain"))
    assert source.planned("in_domain", "few_shot_5") == suites.expand(["E6.1", "everywhere"])
    smoke = suites.plan("smoke")
    assert replace(source, profile="smoke").planned("letters", "retrieval") == suites.evaluated(
        "letters", among=smoke
    )


def test_runs_are_those_that_the_result_names(measured, source):
    one = measured("X", "retrieval", "letters", runs={"0/letters-0": "a", "1/letters-0": "b"})
    with pytest.raises(RunError, match="letters-0: no run here"):
        source.runs(one)
    folder = source.workspace.runs / "signclip/X/0/letters-0"
    folder.mkdir(parents=True)
    (folder / "metrics.json").touch()
    assert source.runs(one) == [folder]
    with pytest.raises(RunError, match="X: its result names no run with seed 0"):
        source.runs(one.model_copy(update={"runs": {}}))
