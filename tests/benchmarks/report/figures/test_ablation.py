"""The forest plot: its numbers are the paired differences, whichever seeds they are of."""

import pandas as pd
import pytest

from benchmarks import report, suites
from benchmarks.metrics.compare import compare
from benchmarks.report import drawing
from benchmarks.report.families import best_floor
from benchmarks.report.figures import ablation
from benchmarks.report.places import GALLERIES, PLACES
from benchmarks.source import NoResults


@pytest.fixture
def drawn(workspace):
    """Draws the figure; returns the plotted numbers."""
    return lambda: ablation.draw(report.source_of(workspace, profile="cpu", corpus="c")).numbers


def test_each_panel_holds_its_rows_once_a_gallery(board, drawn):
    board()
    by_panel = dict(list(drawn().groupby("panel")))
    for panel, rows in {
        "paper": [r for r in suites.expand(["pretraining", "tested"]) if r != "E5"],
        "beyond": suites.expand(["best"]),  # of those beyond, what the pipeline measures
    }.items():
        for gallery in GALLERIES:
            here = by_panel[panel]["gallery"] == gallery
            assert list(by_panel[panel]["id"][here]) == rows
        assert set(by_panel[panel]["split"]) == {"in_domain"}
    best = by_panel["best"].groupby("against")["gallery"].agg(list)
    assert best["E7.2"] == [place.gallery for place in PLACES if place.split != suites.UNSEEN]
    assert best["best floor"] == [place.gallery for place in PLACES]
    assert set(by_panel["best"]["id"]) == {"X"}


def test_the_numbers_are_the_paired_differences(board, drawn, stored):
    board()
    numbers = drawn().set_index(["panel", "id", "split", "gallery", "against"])
    for panel, name, place, against in (
        ("paper", "E6.1", PLACES[1], "E5"),
        ("best", "X", PLACES[3], "best floor"),
    ):
        of = {
            encoder: stored(encoder, GALLERIES[place.gallery], place.split)
            for encoder in (name, *([against] if against == "E5" else suites.expand(["floors"])))
        }
        one, other = of[name], of[against if against in of else best_floor(of)]
        row = numbers.loc[(panel, name, *place, against)]
        assert tuple(row[["difference", "low", "high"]]) == pytest.approx(compare(one, other))


@pytest.mark.parametrize(
    ("left", "seeds", "of_best"),
    [
        ([], {"0 1 2"}, {"0 1 2"}),
        (["X13"], {"0"}, {"0 1 2"}),  # the panel of X alone does not draw it
        (["E7.2"], {"0"}, {"0", "0 1 2"}),  # on unseen_language X is compared with the floor alone
        (["stgcn"], {"0 1 2"}, {"0 1 2"}),
    ],
)
def test_several_seeds_are_drawn_where_all_drawn_rows_have_them(board, drawn, left, seeds, of_best):
    board()
    board(group="full", seeds=range(3), leave=left)
    numbers = drawn()
    assert set(numbers.query("panel == 'beyond'")["seeds"]) == seeds
    assert set(numbers.query("panel == 'best'")["seeds"]) == of_best
    assert set(numbers.query("panel == 'paper'")["seeds"]) == {"0"}


def test_rows_without_a_difference_are_the_last_and_together():
    lines = pd.DataFrame(
        [
            *({"id": "A", "low": -0.1, "high": 0.1, "difference": 0.0},) * 2,
            {"id": "B", "low": 0.1, "high": 0.3, "difference": 0.2},
            {"id": "B", "low": -0.1, "high": 0.1, "difference": 0.0},
            {"id": "C", "low": -0.1, "high": 0.1, "difference": 0.0},
            {"id": "D", "low": 0.2, "high": 0.6, "difference": 0.4},
        ]
    ).assign(row="E5 + a change")
    *rows, group = ablation.rows_of(lines, "E5")
    assert [row.label for row in rows] == ["D: a change", "B: a change"]
    assert group.grouped
    assert set(group.lines["id"]) == {"A", "C"}
    assert group.label.replace("\n", " ") == "no difference detected (2): A, C"


def test_a_row_that_was_not_measured_is_left_out(board, source):
    board(leave=["E6", "X13"])
    drawing_of = ablation.draw(source)
    ids = set(drawing_of.numbers["id"])
    assert {"E6.1", "X"} <= ids
    assert not {"E6", "X13"} & ids
    assert f"of {len(suites.expand(['best'])) - 1} rows" in drawing_of.caption


def test_without_results_it_says_so(source):
    with pytest.raises(NoResults, match="make repro"):
        ablation.draw(source)


def test_the_numbers_lie_beside_the_picture(board, source, tmp_path):
    board()
    paths = drawing.write(ablation.FIGURE, source, tmp_path / "out", tmp_path)
    suffixes = ("pdf", "png", "svg", "csv", "json")
    assert [path.name for path in paths] == [f"ablation.{suffix}" for suffix in suffixes]
    read = pd.read_csv(paths[suffixes.index("csv")])
    numbers = ablation.draw(source).numbers
    assert list(read["difference"]) == pytest.approx(list(numbers["difference"]), abs=1e-4)
