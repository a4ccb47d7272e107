"""The FingerCLIP table: published numbers as they are, ours beside, never mixed up."""

import csv
import io

import pandas as pd
import pytest

from baselines.floors import FLOORS
from baselines.skeletons import table as skeletons
from benchmarks import suites
from benchmarks.paper import published
from benchmarks.report import page
from benchmarks.report.cells import ALL_RETRIEVAL_METRICS
from benchmarks.report.tables import fingerclip
from benchmarks.results import Score
from signclip.core.errors import ConfigError


@pytest.fixture
def ours(result):
    """A made-up result of each encoder of the table."""
    scores = {
        name: Score(value=0.5, low=0.4, high=0.6, chance=0.1) for name in ALL_RETRIEVAL_METRICS
    }
    names = suites.expand(fingerclip.NEED.rows)
    return {name: result(encoder=name, scores=scores) for name in names}


def notes(first, **changes) -> str:
    values = dict(first=first, missing={}, ceilings={5: 0.5, 10: 0.25})
    return page.render_notes("fingerclip", values | changes)


def test_the_published_values_are_the_authors(shared):
    with shared("paper/fingerclip_results.csv").open() as file:
        theirs = {row["config"].removeprefix("test_"): row for row in csv.DictReader(file)}
    transcribed = published("fingerclip").to_dict("records")
    assert len(transcribed) == len(theirs) == 10
    for row in transcribed:
        source = theirs[row["config"].removeprefix("test_")]
        for name in ALL_RETRIEVAL_METRICS:
            column = name.replace("MedianR", "Median R")
            assert float(row[name]) == float(source[column]), (row["config"], name)


def test_every_published_row_and_every_floor_stands_in_the_table_once(ours):
    table = fingerclip.frame(ours)
    assert list(table["config"])[:10] == list(published("fingerclip")["config"])
    assert list(table["config"])[10:] == [*skeletons.models(), *FLOORS, "random scores"]


def test_rows_that_cannot_run_here_say_what_they_need_and_hold_no_number_of_ours(ours):
    table = fingerclip.frame(ours).set_index("config")
    for config in ("test_rwthfs_zs", "rwthfs_scratch_i3d"):
        assert table.loc[config, "verdict"].startswith("needs RWTH-FS and")
        assert table.loc[config, "ours_V2T_R@1"] == ""
    assert table.loc["rwthfs_scratch_pose", "verdict"] == "needs RWTH-FS"


def test_our_rows_carry_interval_chance_counts_and_signature(ours):
    row = fingerclip.frame(ours).set_index("config").loc["rwthfs_scratch_hand_dominant_aug"]
    assert row["ours_V2T_R@1_low"] == "0.4000"
    assert row["chance_V2T_R@1"] == "0.1000"
    assert (row["n_total"], row["n_evaluated"], row["n_dropped"]) == ("5", "4", "1")
    assert row["dropped_because"] == "1 no hand"
    assert row["signature"] == ours["E3.2"].signature


def test_a_row_that_a_small_plan_leaves_out_is_empty(ours):
    few = {name: ours[name] for name in ("E3.2", "stgcn", "dtw")}
    table = fingerclip.frame(few).set_index("config")
    assert table.loc["rwthfs_scratch_pose", "ours_V2T_R@1"] == ""
    assert list(table.index)[10:] == ["stgcn", "dtw", "random scores"]


@pytest.mark.parametrize(
    ("recorded", "printed"),
    [
        ("signers are shared: 3 of the 5 signers", "signers are shared: 3 of the 5 signers"),
        ("", "not recorded in these results"),
    ],
)
def test_the_notes_say_whether_signers_are_shared(result, recorded, printed):
    text = notes(result(signers=recorded))
    (note,) = (line for line in text.splitlines() if "Signers" in line)
    assert printed in note
    assert "split letters" in note


def test_the_notes_name_the_skeleton_models_that_are_missing_with_the_reason(result):
    text = notes(result(), missing=fingerclip.missing_models())
    for about in skeletons.missing().values():
        (note,) = (line for line in text.splitlines() if about["title"] in line)
        assert page.markdown_text(about["reason"]) in note


def test_equal_results_give_equal_bytes(ours, board, written):
    board()
    texts = written(fingerclip.TABLE)
    assert written(fingerclip.TABLE) == texts
    frame = pd.read_csv(io.StringIO(texts["csv"]))
    assert frame["ours_V2T_R@1"].notna().sum() == len(ours) + 1
    assert "| E3.2" in texts["md"]


def test_a_missing_result_is_named(board, written):
    board(leave=["E3.1"])
    with pytest.raises(ConfigError, match=r"E3\.1/.*no result here"):
        written(fingerclip.TABLE)
