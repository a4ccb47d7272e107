"""Learning curves: means over a row's runs, relative losses, and the costs beside them."""

import pandas as pd
import pytest

from benchmarks import suites
from benchmarks.report import drawing
from benchmarks.report.figures import learning_curves
from benchmarks.source import NoResults

MODELS = suites.expand([suites.SKELETON_SUITE])


@pytest.fixture
def trained(measured, learned):
    """Curves of the skeleton models, a FingerCLIP row and X, and the models' results."""
    for name in MODELS:
        measured(name, "retrieval", "letters", title=f"title of {name}")
    learned({**dict.fromkeys([*MODELS, "E3.2"], "letters"), "X": "in_domain"})


def test_a_curve_is_the_mean_of_its_runs_between_the_lowest_and_the_highest(trained, source):
    numbers = learning_curves.draw(source).numbers
    assert list(dict.fromkeys(numbers["encoder"])) == [*MODELS, "E3.2", "X"]
    row = numbers.set_index(["encoder", "epoch"]).loc[("X", 2)]
    assert row["runs"] == 2
    assert tuple(row[["loss", "loss_low", "loss_high"]]) == (3, 2, 4)
    assert row["relative_loss"] == row["relative_loss_high"] == pytest.approx(0.5)
    assert row["validation_V2T_R@1"] == pytest.approx(0.2)


def test_rows_that_over_fit_are_named(trained, source):
    caption = learning_curves.draw(source).caption
    assert f"of {len(MODELS) + 2} of {len(MODELS) + 2} rows" in caption
    assert "E3.2, X" in caption


def test_the_costs_of_the_skeleton_models_lie_beside_it(trained, source, tmp_path):
    paths = drawing.write(learning_curves.FIGURE, source, tmp_path / "out", tmp_path / "costs")
    assert paths[-1] == tmp_path / "costs/skeletons.csv"
    assert list(pd.read_csv(paths[-1])["encoder"]) == MODELS


def test_curves_of_other_rows_alone_are_nothing_to_show(learned, source):
    learned({"E4": "in_domain"})
    with pytest.raises(NoResults, match="no learning curves"):
        learning_curves.draw(source)
