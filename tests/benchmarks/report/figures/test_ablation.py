"""The forest plot: its numbers are the paired differences, whoever is measured with seeds."""

import pandas as pd
import pytest

from benchmarks import results, suites
from benchmarks.metrics.compare import compare
from benchmarks.report.figures import ablation
from benchmarks.report.tables import beyond


def drawn(folder) -> pd.DataFrame:
    return ablation.write(revision="cpu", corpus="c", results_folder=folder)


def test_each_panel_holds_its_rows_once_a_gallery(board, tmp_path):
    numbers = drawn(board(tmp_path))
    by_panel = dict(list(numbers.groupby("panel")))
    for panel, rows in {
        "paper": [r for r in suites.expand(["pretraining", "tested"]) if r != "E5"],
        "beyond": suites.expand(["beyond"]),
    }.items():
        for gallery in ("labels", "tagged"):
            here = by_panel[panel]["gallery"] == gallery
            assert list(by_panel[panel]["id"][here]) == rows
        assert set(by_panel[panel]["split"]) == {"in_domain"}
    best = by_panel["best"].groupby("against")["gallery"].agg(list)
    assert best["E7.2"] == [place.title.split(", ")[1] for place in beyond.PLACES]
    assert best["nearest-neighbour"] == ["labels"] * 3  # among pairs the floor is 0, whoever it is
    assert set(by_panel["best"]["id"]) == {"X"}


def test_the_numbers_are_the_paired_differences(board, tmp_path):
    numbers = drawn(board(tmp_path)).set_index(["panel", "id", "split", "gallery", "against"])
    for panel, name, place, against in (
        ("paper", "E6.1", beyond.PLACES[1], "E5"),
        ("best", "X", beyond.PLACES[3], "nearest-neighbour"),
    ):
        one, other = (
            results.read(
                results.path_of(tmp_path / "leaderboard", who, "cpu", place.task, "c", place.split)
            )
            for who in (name, against)
        )
        row = numbers.loc[(panel, name, *place.title.split(", "), against)]
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
def test_several_seeds_are_drawn_where_all_drawn_rows_have_them(
    board, tmp_path, left, seeds, of_best
):
    board(tmp_path)
    board(tmp_path, revision="cpu-full", seeds=range(3), leave=left)
    numbers = drawn(tmp_path)
    assert set(numbers.query("panel == 'beyond'")["seeds"]) == seeds
    assert set(numbers.query("panel == 'best'")["seeds"]) == of_best
    assert set(numbers.query("panel == 'paper'")["seeds"]) == {"0"}


def test_the_numbers_lie_beside_the_picture(board, tmp_path):
    numbers = drawn(board(tmp_path))
    folder = tmp_path / "figures"
    assert {p.name for p in folder.iterdir()} == {f"ablation.{x}" for x in ("pdf", "png", "csv")}
    read = pd.read_csv(folder / "ablation.csv")
    assert list(read["difference"]) == pytest.approx(list(numbers["difference"]), abs=1e-4)
