"""The table beyond the paper: paired differences, seeds, and what is missing."""

import io

import pandas as pd
import pytest

from benchmarks import suites
from benchmarks.metrics.compare import compare
from benchmarks.report.places import GALLERIES, PLACES
from benchmarks.report.tables import beyond
from signclip.core.config import read_yaml

ROWS = suites.expand([*beyond.ROWS, *beyond.OPPONENTS])


@pytest.fixture
def table(written):
    """Writes the table; returns the frame of its CSV and its Markdown."""

    def write() -> tuple[pd.DataFrame, str]:
        texts = written(beyond.TABLE)
        frame = pd.read_csv(io.StringIO(texts["csv"]), dtype=str, keep_default_na=False)
        return frame, texts["md"]

    return write


@pytest.fixture
def at(stored):
    """The stored result of an encoder at a place."""
    return lambda name, place: stored(name, GALLERIES[place.gallery], place.split)


def part(text: str, heading: str) -> dict[str, list[str]]:
    """The cells of a printed part by row."""
    lines = text.split(f"## {heading}\n")[1].split("\n## ")[0].splitlines()
    rows = [[c.strip() for c in x.split("|")[1:-1]] for x in lines if x.startswith("|")]
    return {cells[0]: cells[1:] for cells in rows[2:]}


def test_every_place_has_the_rows_that_the_pipeline_evaluates_and_chance(board, table):
    board()
    frame, _ = table()
    for place in PLACES:
        here = frame[(frame["split"] == place.split) & (frame["gallery"] == place.gallery)]
        evaluated = suites.evaluated(place.split)
        if place.split == suites.UNSEEN:
            evaluated = ["X", *evaluated]  # of `make full`
        assert list(here["id"]) == [*(row for row in ROWS if row in evaluated), "chance"]


def test_differences_are_the_paired_ones(board, table, at):
    board()
    frame = table()[0].set_index(["split", "gallery", "id"])
    for place in PLACES:
        row = frame.loc[(*place, "X")]
        assert row["floor"] in suites.expand(["floors"])
        for against, column in (("E7.2", "E7.2"), (row["floor"], "floor")):
            if against not in suites.evaluated(place.split):
                continue
            found = compare(at("X", place), at(against, place))
            assert row[f"minus_{column}_V2T_R@1"] == f"{found.difference:+.4f}"
            assert row[f"minus_{column}_V2T_R@1_low"] == f"{found.low:+.4f}"
            assert row[f"minus_{column}_V2T_R@1_high"] == f"{found.high:+.4f}"
    assert frame.loc[("letters", "labels", "E7.2"), "minus_E7.2_V2T_R@1"] == ""


def test_what_the_pipeline_does_not_evaluate_is_a_dash_and_explained(board, table):
    board()
    _, text = table()
    cells = part(text, "V2T R@1, seed 0")["X13"][1:]
    assert [cell == "–" for cell in cells] == [True, False, False, True, True]
    assert "–: not evaluated." in text


def test_the_floor_that_cannot_be_right_at_rank_1_is_also_compared_deeper(board, table):
    board()
    frame, text = table()
    floor = frame.set_index(["split", "gallery", "id"]).loc[
        ("in_domain", "tagged", "nearest-neighbour")
    ]
    shown = f"{float(floor['ours_V2T_R@10']):.3f} [0.400, 0.600]"
    assert shown in part(text, "V2T R@10, seed 0")["nearest-neighbour"]
    assert "0 by construction" in text


def test_a_row_that_the_pipeline_leaves_out_is_shown_where_somebody_measured_it(
    board, table, at, workspace
):
    board()
    other = {"encoder": "X3", "title": "the change of X3"}
    at("E7.2", PLACES[0]).model_copy(update=other).write(workspace.leaderboard)
    frame, _ = table()
    row = frame[(frame["split"] == "letters") & (frame["id"] == "X3")].iloc[0]
    assert row["minus_E7.2_V2T_R@1"] == "+0.0000"


@pytest.mark.parametrize("name", ["X", "X13", "nearest-neighbour"])
def test_a_missing_result_of_the_pipeline_is_a_dash_and_named(board, table, name):
    board(leave=[name])
    frame, text = table()
    assert name not in set(frame["id"])
    assert f"- Missing: {name}: no result on in_domain, retrieval: `make repro` makes it." in text


def test_several_seeds_are_shown_below_and_named(board, table):
    board()
    before, text = table()
    assert "seeds 0, 1, 2" not in text
    board(group="full", seeds=range(3), leave=["X9"])
    frame, text = table()
    assert frame[: len(before)].equals(before)
    assert set(frame["seeds"][frame["group"] == "full"]) == {"0 1 2", ""}
    assert "## V2T R@1, difference to E7.2, seeds 0, 1, 2" in text


def test_seeds_of_other_clips_are_left_out_and_named(board, table, stored, workspace):
    board()
    board(group="full", seeds=range(3))
    one = stored("X", "retrieval", "in_domain", "full")
    one.model_copy(update={"split_fingerprint": "another"}).write(workspace.leaderboard)
    frame, text = table()
    full = frame[(frame["group"] == "full") & (frame["split"] == "in_domain")]
    assert list(full["gallery"][full["id"] == "X"]) == ["tagged"]
    assert "left out: X on in_domain, labels." in text


def test_the_notes_name_the_rows_whose_models_are_equal_by_ranks_alone(
    board, table, stored, workspace
):
    board()
    board(group="full", seeds=range(3))
    for group, run in (("repro", "new"), ("full", "old")):
        one = stored("X", "retrieval", "in_domain", group)
        runs = {"0/in_domain": run}
        one.model_copy(update={"runs": runs}).write(workspace.leaderboard)
    frame, text = table()
    assert "by equal ranks of every test clip (X)" in text
    full = frame[(frame["group"] == "full") & (frame["split"] == "in_domain")]
    assert set(full["gallery"][full["id"] == "X"]) == {"labels", "tagged"}


def test_rows_with_another_base_are_compared_with_it(board, table, at, workspace):
    board()
    heading = "V2T R@1, difference to the base, where that is not E7.2, seed 0"
    assert heading not in table()[1]  # no base of these is measured
    place = PLACES[1]
    for name in ("X4", "X12"):  # measured by `make full`
        at("X13", place).model_copy(update={"encoder": name}).write(workspace.leaderboard)
    frame, text = table()
    shown = part(text, heading)
    assert {name: cells[1] for name, cells in shown.items()} == {"X12": "X4", "X": "X12"}
    found = compare(at("X12", place), at("X4", place))
    row = frame.set_index(["split", "gallery", "id"]).loc[(*place, "X12")]
    assert row["base"] == "X4"
    assert row["minus_base_V2T_R@1"] == f"{found.difference:+.4f}"


def test_x_is_compared_with_every_row_that_is_evaluated_where_it_is(board, table, at):
    board()
    frame, text = table()
    frame = frame.set_index(["split", "gallery", "id"])
    for place in PLACES:
        best = at("X", place)
        for name in suites.evaluated(place.split):
            expected = f"{compare(best, at(name, place)).difference:+.4f}" if name != "X" else ""
            assert frame.loc[(*place, name), "X_minus_V2T_R@1"] == expected
    shown = part(text, "V2T R@1, X minus each row, seed 0")
    assert set(shown) == {n for p in PLACES for n in suites.evaluated(p.split)} - {"X"}
    assert [cell != "–" for cell in shown["E3.2"][1:]] == [True, False, False, False, False]
    assert [cell != "–" for cell in shown["E8.1"][1:]] == [False, True, True, False, False]


def test_the_notes_say_what_x_changes_besides(board, table, workspace):
    board()
    _, text = table()
    (note,) = (line for line in text.splitlines() if "a recipe of its own" in line)
    params = read_yaml(workspace.params)["profiles"]["cpu"]
    best, base = params["best"], params["signclip"]
    assert f"batch_size `{best['batch_size']}` (`{base['batch_size']}`)" in note
    assert f"towers.dropout `{best['towers']['dropout']}` (`{base['towers']['dropout']}`)" in note
    assert "(`temporal`)" in note  # which it drops


def test_the_notes_speak_of_every_split_and_of_the_floor_that_knows_no_language(board, table):
    board()
    board(group="full", seeds=range(3))
    notes = table()[1].split("## Notes")[1]
    for split in ("letters", "in_domain", "unseen_language"):
        assert f"Signers (c, split {split}): " in notes
    assert "R@10 0.500, by chance 0.100; median rank 2 of 10" in notes
    assert "judge that split by *labels* only" in notes
    assert notes.count("- Signature, ") == 2 * len(PLACES)


def test_equal_results_give_equal_bytes(board, written):
    board()
    assert written(beyond.TABLE) == written(beyond.TABLE)
