"""The FingerCLIP table: published numbers as they are, ours beside, never mixed up."""

import csv
from pathlib import Path

import pandas as pd
import pytest

from baselines.floors import FLOORS
from baselines.skeletons import table as skeletons
from benchmarks.report.tables import fingerclip
from benchmarks.results import Cost, Score

FACTS = Path(__file__).parents[4].parent / "shared" / "paper" / "fingerclip_results.csv"


@pytest.fixture
def ours(result):
    """A made-up result for each encoder of the table."""
    names = [name for group in fingerclip.METRICS.values() for name in group]
    scores = {name: Score(value=0.5, low=0.4, high=0.6, chance=0.1) for name in names}
    return {
        name: result(encoder=name, task="retrieval", scores=scores)
        for name in fingerclip.encoders()
    }


@pytest.mark.skipif(not FACTS.is_file(), reason="no ../shared/paper beside the checkout")
def test_the_published_values_are_the_authors():
    theirs = {row["config"].removeprefix("test_"): row for row in csv.DictReader(FACTS.open())}
    transcribed = fingerclip.published("fingerclip").to_dict("records")
    assert len(transcribed) == len(theirs) == 10
    for row in transcribed:
        source = theirs[row["config"].removeprefix("test_")]
        for names in fingerclip.METRICS.values():
            for name in names:
                column = name.replace("MedianR", "Median R")
                assert float(row[name]) == float(source[column]), (row["config"], name)


def test_every_published_row_and_every_floor_stands_in_the_table_once(ours):
    table = fingerclip.fingerclip(ours)
    assert list(table["config"])[:10] == list(fingerclip.published("fingerclip")["config"])
    assert list(table["config"])[10:] == [*skeletons.models(), *FLOORS, "random scores"]


def test_rows_that_cannot_run_here_say_what_they_need_and_hold_no_number_of_ours(ours):
    table = fingerclip.fingerclip(ours).set_index("config")
    for config in ("test_rwthfs_zs", "rwthfs_scratch_i3d"):
        assert table.loc[config, "verdict"].startswith("needs RWTH-FS and")
        assert table.loc[config, "ours_V2T_R@1"] == ""
    assert table.loc["rwthfs_scratch_pose", "verdict"] == "needs RWTH-FS"


def test_our_rows_carry_interval_chance_counts_and_signature(ours):
    row = fingerclip.fingerclip(ours).set_index("config").loc["rwthfs_scratch_hand_dominant_aug"]
    assert row["ours_V2T_R@1_low"] == "0.4000"
    assert row["chance_V2T_R@1"] == "0.1000"
    assert (row["n_total"], row["n_evaluated"], row["n_dropped"]) == ("5", "4", "1")
    assert row["dropped_because"] == "1 no hand"
    assert row["signature"] == ours["E3.2"].signature


@pytest.mark.parametrize(
    ("recorded", "printed"),
    [
        ("signers are shared: 3 of the 5 signers", "signers are shared: 3 of the 5 signers"),
        ("", "not recorded in these results"),
    ],
)
def test_the_notes_say_whether_signers_are_shared(result, recorded, printed):
    (note,) = (n for n in fingerclip.notes({"E3": result(signers=recorded)}) if "Signers" in n)
    assert printed in note
    assert "split letters" in note


def test_the_notes_name_the_skeleton_models_that_are_missing_with_the_reason(result):
    notes = fingerclip.notes({"E3": result()})
    for about in skeletons.missing().values():
        (note,) = (note for note in notes if about["title"] in note)
        assert about["reason"] in note


def test_costs_have_one_row_a_run_whatever_it_was_asked(result, tmp_path):
    def paced(pace: float, **of):
        cost = Cost(parameters=7, training_seconds=2.04, evaluation_clips_per_second=pace)
        return result(cost=cost, **of)

    shown = [
        paced(10, task="tagged_retrieval"),
        paced(20, task="few_shot_1"),
        paced(30, split="in_domain"),
        paced(40, revision="cpu.in_domain"),
        paced(50, encoder="X"),
        paced(60, corpus="other"),
    ]
    fingerclip.write_costs(tmp_path, "all", shown)
    costs = pd.read_csv(tmp_path / "costs/all.csv")
    assert list(costs.columns) == [
        *("encoder", "revision", "corpus", "split", "task"),
        *("parameters", "training_seconds", "evaluation_clips_per_second", "hardware"),
    ]
    assert costs["evaluation_clips_per_second"].tolist() == [10, 30, 40, 50, 60]
    assert costs["task"].tolist() == ["tagged_retrieval"] + ["retrieval"] * 4
    assert (costs["training_seconds"] == 2).all()


def test_equal_results_give_equal_bytes_and_a_missing_result_is_named(ours, tmp_path):
    from signclip.core.errors import ConfigError

    written = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        for item in ours.values():
            item.write(folder / "leaderboard")
        fingerclip.write(revision="cpu", corpus="c", results_folder=folder)
        written.append({p.name: p.read_bytes() for p in (folder / "tables").iterdir()})
    assert written[0] == written[1]
    assert set(written[0]) == {"fingerclip.csv", "fingerclip.md", "fingerclip.tex"}
    with pytest.raises(ConfigError, match="no result here"):
        fingerclip.write(revision="gpu", corpus="c", results_folder=tmp_path / "a")


def test_the_csv_reads_back_with_the_same_columns(ours, tmp_path):
    for item in ours.values():
        item.write(tmp_path / "leaderboard")
    fingerclip.write(revision="cpu", corpus="c", split="letters", results_folder=tmp_path)
    table = pd.read_csv(tmp_path / "tables" / "fingerclip.csv")
    assert table["ours_V2T_R@1"].notna().sum() == len(ours) + 1
