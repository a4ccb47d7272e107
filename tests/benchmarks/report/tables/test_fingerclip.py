"""The FingerCLIP table: what stands below the paper's rows, and its notes."""

import pytest

from baselines.floors import FLOORS
from baselines.skeletons import table as skeletons
from benchmarks.report import page, verdicts
from benchmarks.report.tables import fingerclip


def notes(first, **changes) -> str:
    values = dict(first=first, missing_models={}, ceilings={5: 0.5, 10: 0.25})
    return page.render_notes("fingerclip", values | changes)


def test_below_the_papers_rows_stand_skeletons_floors_and_chance(board, cells):
    board()
    frame, text = cells(fingerclip.TABLE)
    rows = list(dict.fromkeys(frame.index.get_level_values("row")))
    assert rows[10:] == [*skeletons.models(), *FLOORS, "chance"]
    assert set(frame.loc["stgcn", "verdict"]) == {verdicts.OURS}
    assert frame.loc[("chance", "V2T_R@1"), "letters"] == "0.0100"
    assert "| E3.2" in text


def test_our_numbers_carry_interval_and_clips(board, cells, stored):
    board()
    frame, _ = cells(fingerclip.TABLE)
    cell, result = frame.loc[("E3.2", "V2T_R@5")], stored("E3.2", "retrieval", "letters")
    assert cell["letters"] == f"{result.scores['V2T_R@5'].value:.4f}"
    assert (cell["letters_low"], cell["letters_high"]) == ("0.4000", "0.6000")
    assert cell["letters_n"] == "40"


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
    text = notes(result(), missing_models=fingerclip.missing_models())
    for about in skeletons.missing().values():
        (note,) = (line for line in text.splitlines() if about["title"] in line)
        assert page.markdown_text(about["reason"]) in note


def test_open_corpora_are_columns_of_their_own_once_they_are_trained_on(board, written, measured):
    board()
    before = written(fingerclip.TABLE)
    assert "anyone can download" not in before["md"]
    where = dict(corpus="lsa64", group="pretraining-lsa64", signers="signers are disjoint")
    measured("E3.2", "retrieval", "official", value=0.25, **where)
    measured("X", "retrieval", "official", value=0.75, **where)
    after = written(fingerclip.TABLE)
    part = after["md"].split("## Corpora that anyone can download")[1].split("##")[0]
    lines = {line.split("|")[1].strip(): line for line in part.splitlines() if "|" in line}
    assert "0.9346" in lines["E3.2"]  # the paper's
    assert "0.250" in lines["E3.2"]
    assert "0.750" in lines["X"]
    assert "signers are disjoint" in after["md"]
