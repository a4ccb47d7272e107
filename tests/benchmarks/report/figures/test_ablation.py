"""The forest plot: its numbers are the paired differences, whichever seeds they are of."""

import pandas as pd
import pytest

from benchmarks import report, suites
from benchmarks.metrics.compare import compare
from benchmarks.report import drawing
from benchmarks.report.figures import ablation
from benchmarks.report.places import GALLERIES, PLACES


@pytest.fixture
def drawn(workspace):
    """Draws the figure; returns the plotted numbers."""
    return lambda: ablation.draw(report.source_of(workspace, profile="cpu", corpus="c")).numbers


def test_each_panel_holds_its_rows_once_a_gallery(board, drawn):
    board()
    by_panel = dict(list(drawn().groupby("panel")))
    for panel, rows in {
        "paper": [r for r in suites.expand(["pretraining", "tested"]) if r != "E5"],
        "beyond": suites.expand(["beyond"]),
    }.items():
        for gallery in GALLERIES:
            here = by_panel[panel]["gallery"] == gallery
            assert list(by_panel[panel]["id"][here]) == rows
        assert set(by_panel[panel]["split"]) == {"in_domain"}
    best = by_panel["best"].groupby("against")["gallery"].agg(list)
    assert best["E7.2"] == [place.gallery for place in PLACES]
    assert best["nearest-neighbour"] == ["labels"] * 3  # among pairs the floor is 0, whoever it is
    assert set(by_panel["best"]["id"]) == {"X"}


def test_the_numbers_are_the_paired_differences(board, drawn, stored):
    board()
    numbers = drawn().set_index(["panel", "id", "split", "gallery", "against"])
    for panel, name, place, against in (
        ("paper", "E6.1", PLACES[1], "E5"),
        ("best", "X", PLACES[3], "nearest-neighbour"),
    ):
        one, other = (
            stored(encoder, GALLERIES[place.gallery], place.split) for encoder in (name, against)
        )
        row = numbers.loc[(panel, name, *place, against)]
        assert tuple(row[["difference", "low", "high"]]) == pytest.approx(compare(one, other))


@pytest.mark.parametrize(
    ("left", "seeds", "of_best"),
    [
        ([], {"0 1 2"}, {"0 1 2"}),
        (["X4"], {"0"}, {"0 1 2"}),  # the panel of X alone does not draw it
        (["E7.2"], {"0"}, {"0"}),
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


def test_the_numbers_lie_beside_the_picture(board, source, tmp_path):
    board()
    paths = drawing.write(ablation.FIGURE, source, tmp_path / "out", tmp_path)
    assert [path.name for path in paths] == [f"ablation.{x}" for x in ("pdf", "png", "csv")]
    read = pd.read_csv(paths[-1])
    numbers = ablation.draw(source).numbers
    assert list(read["difference"]) == pytest.approx(list(numbers["difference"]), abs=1e-4)
