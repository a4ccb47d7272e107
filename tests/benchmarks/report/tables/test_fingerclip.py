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
