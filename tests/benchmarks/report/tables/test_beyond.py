"""The table beyond the paper: paired differences, seeds, and what is missing."""

import pandas as pd
import pytest

from benchmarks import results, suites
from benchmarks.metrics.compare import compare
from benchmarks.report.tables import beyond
from signclip.core.errors import ConfigError
from signclip.core.config import read_yaml


def written(folder) -> pd.DataFrame:
    beyond.write(revision="cpu", corpus="c", results_folder=folder)
    return pd.read_csv(folder / "tables/beyond.csv", dtype=str, keep_default_na=False)


def text(folder) -> str:
    return (folder / "tables/beyond.md").read_text()


def stored(folder, name, place, revision="cpu") -> results.Result:
    path = results.path_of(folder / "leaderboard", name, revision, place.task, "c", place.split)
    return results.read(path)


def test_every_place_has_the_rows_that_the_pipeline_measures_and_chance(board, tmp_path):
    frame = written(board(tmp_path))
    for place in beyond.PLACES:
        split, gallery = place.title.split(", ")
        here = frame[(frame["split"] == split) & (frame["gallery"] == gallery)]
        shown = [*beyond.rows(), *beyond.opponents()]
        there = [row for row in shown if row in suites.measured(split)]
        assert list(here["id"]) == [*there, "chance"]


def test_differences_are_the_paired_ones(board, tmp_path):
    frame = written(board(tmp_path)).set_index(["split", "gallery", "id"])
    for place in beyond.PLACES:
        split, gallery = place.title.split(", ")
        for against in ("E7.2", "nearest-neighbour"):
            found = compare(stored(tmp_path, "X", place), stored(tmp_path, against, place))
            row = frame.loc[(split, gallery, "X")]
            assert row[f"minus_{against}_V2T_R@1"] == f"{found.difference:+.4f}"
            assert row[f"minus_{against}_V2T_R@1_low"] == f"{found.low:+.4f}"
            assert row[f"minus_{against}_V2T_R@1_high"] == f"{found.high:+.4f}"
    assert frame.loc[("letters", "labels", "E7.2"), "minus_E7.2_V2T_R@1"] == ""


def test_what_the_pipeline_does_not_measure_is_a_dash_and_explained(board, tmp_path):
    written(board(tmp_path))
    line = next(line for line in text(tmp_path).splitlines() if line.startswith("| X3 "))
    cells = [cell.strip() for cell in line.split("|")[3:-1]]
    assert [cell == "–" for cell in cells] == [True, False, False, True, True]
    assert "–: not measured." in text(tmp_path)


def test_the_floor_that_cannot_be_right_at_rank_1_is_also_compared_deeper(board, tmp_path):
    frame = written(board(tmp_path)).set_index(["split", "gallery", "id"])
    floor = frame.loc[("in_domain", "tagged", "nearest-neighbour")]
    shown = f"{float(floor['ours_V2T_R@10']):.3f} [0.400, 0.600]"
    block = text(tmp_path).split("## V2T R@10, seed 0")[1]
    line = next(x for x in block.splitlines() if x.startswith("| nearest-neighbour"))
    assert shown in line
    assert "0 by construction" in text(tmp_path)


def test_a_row_beyond_the_pipeline_is_shown_where_somebody_measured_it(board, tmp_path):
    board(tmp_path)
    stored(tmp_path, "E7.2", beyond.PLACES[0]).model_copy(
        update={"encoder": "X3", "title": "the change of X3"}
    ).write(tmp_path / "leaderboard")
    frame = written(tmp_path)
    row = frame[(frame["split"] == "letters") & (frame["id"] == "X3")].iloc[0]
    assert row["minus_E7.2_V2T_R@1"] == "+0.0000"


@pytest.mark.parametrize("name", ["X", "X5", "nearest-neighbour"])
def test_a_row_that_the_pipeline_measures_must_be_there(board, tmp_path, name):
    with pytest.raises(ConfigError, match=f"{name}/.*no result here"):
        written(board(tmp_path, leave=[name]))


def test_several_seeds_are_shown_below_and_named(board, tmp_path):
    board(tmp_path)
    before = written(tmp_path)
    assert "seeds 0, 1, 2" not in text(tmp_path)
    board(tmp_path, revision="cpu-full", seeds=range(3), leave=["X9"])
    frame = written(tmp_path)
    assert frame[: len(before)].equals(before)
    assert set(frame["seeds"][frame["revision"] == "cpu-full"]) == {"0 1 2", ""}
    assert "## V2T R@1, difference to E7.2, seeds 0, 1, 2" in text(tmp_path)


def test_seeds_of_other_clips_are_left_out_and_named(board, tmp_path):
    board(tmp_path)
    board(tmp_path, revision="cpu-full", seeds=range(3))
    place = beyond.PLACES[1]
    stored(tmp_path, "X", place, "cpu-full").model_copy(
        update={"split_fingerprint": "another"}
    ).write(tmp_path / "leaderboard")
    frame = written(tmp_path)
    full = frame[(frame["revision"] == "cpu-full") & (frame["split"] == "in_domain")]
    assert list(full["gallery"][full["id"] == "X"]) == ["tagged"]
    assert "left out: X on in_domain, labels." in text(tmp_path)


def block(folder, heading: str) -> dict[str, list[str]]:
    """The cells of a printed block by row."""
    part = text(folder).split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [
        [c.strip() for c in x.split("|")[1:-1]] for x in part.splitlines() if x.startswith("|")
    ]
    return {cells[0]: cells[1:] for cells in lines[2:]}


def test_rows_with_another_base_are_compared_with_it(board, tmp_path):
    frame = written(board(tmp_path)).set_index(["split", "gallery", "id"])
    place = beyond.PLACES[1]
    shown = block(tmp_path, "V2T R@1, difference to the base, where that is not E7.2, seed 0")
    assert {name: cells[1] for name, cells in shown.items()} == {
        name: base for name in suites.expand(["beyond"]) if (base := beyond.base_of(name)) != "E7.2"
    }
    found = compare(stored(tmp_path, "X3", place), stored(tmp_path, "X1", place))
    row = frame.loc[("in_domain", "labels", "X3")]
    assert row["base"] == "X1"
    assert row["minus_base_V2T_R@1"] == f"{found.difference:+.4f}"


def test_x_is_compared_with_every_row_that_is_measured_where_it_is(board, tmp_path):
    frame = written(board(tmp_path)).set_index(["split", "gallery", "id"])
    for place in beyond.PLACES:
        split, gallery = place.title.split(", ")
        for name in suites.measured(split):
            found = compare(stored(tmp_path, "X", place), stored(tmp_path, name, place))
            expected = f"{found.difference:+.4f}" if name != "X" else ""
            assert frame.loc[(split, gallery, name), "X_minus_V2T_R@1"] == expected
    shown = block(tmp_path, "V2T R@1, X minus each row, seed 0")
    assert set(shown) == {n for p in beyond.PLACES for n in suites.measured(p.split)} - {"X"}
    assert [cell != "–" for cell in shown["E3.2"][1:]] == [True, False, False, False, False]
    assert [cell != "–" for cell in shown["E8.1"][1:]] == [False, True, True, False, False]


def test_the_notes_say_what_x_changes_besides(board, tmp_path):
    written(board(tmp_path))
    (note,) = (line for line in text(tmp_path).splitlines() if "a recipe of its own" in line)
    params = read_yaml(beyond.PARAMS)["profiles"]["cpu"]
    best, base = params["best"], params["signclip"]
    assert f"epochs `{best['epochs']}` (`{base['epochs']}`)" in note
    assert f"towers.dropout `{best['towers']['dropout']}` (`{base['towers']['dropout']}`)" in note
    assert "(`temporal`)" in note  # which it drops
    assert "one change against E7.2" not in text(tmp_path)


def test_the_notes_speak_of_every_split_and_of_the_floor_that_knows_no_language(board, tmp_path):
    board(tmp_path)
    board(tmp_path, revision="cpu-full", seeds=range(3))
    written(tmp_path)
    notes = text(tmp_path).split("## Notes")[1]
    for split in ("letters", "in_domain", "unseen_language"):
        assert f"Signers, split {split}: " in notes
    assert "R@10 0.500, by chance 0.100; median rank 0 of 10" in notes
    assert "judge that split by *labels* only" in notes
    assert notes.count("- Signature, ") == 2 * len(beyond.PLACES)


@pytest.mark.parametrize(
    ("ours", "theirs", "kept"),
    [
        ({}, {}, True),
        ({"0/in_domain": "a"}, {"0/in_domain": "a", "1/in_domain": "b"}, True),
        ({"0/in_domain": "a"}, {"0/in_domain": "old", "1/in_domain": "b"}, False),
        ({"0/in_domain": "a"}, {}, False),
        ({"7/in_domain": "a"}, {"0/in_domain": "b"}, True),
    ],
)
def test_seeds_of_other_runs_are_left_out_and_named(board, tmp_path, ours, theirs, kept):
    board(tmp_path)
    board(tmp_path, revision="cpu-full", seeds=range(3))
    place = beyond.PLACES[1]
    for revision, runs in (("cpu", ours), ("cpu-full", theirs)):
        changed = stored(tmp_path, "X", place, revision).model_copy(update={"runs": runs})
        changed.write(tmp_path / "leaderboard")
    frame = written(tmp_path)
    full = frame[(frame["revision"] == "cpu-full") & (frame["split"] == "in_domain")]
    assert list(full["gallery"][full["id"] == "X"]) == ["labels"] * kept + ["tagged"]
    assert ("left out: X on in_domain, labels." in text(tmp_path)) is not kept


def test_equal_results_give_equal_bytes(board, tmp_path):
    files = []
    for name in ("a", "b"):
        written(board(tmp_path / name))
        files.append({p.name: p.read_bytes() for p in (tmp_path / name / "tables").iterdir()})
    assert files[0] == files[1]
    assert set(files[0]) == {"beyond.csv", "beyond.md", "beyond.tex"}
