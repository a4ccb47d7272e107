"""Learning curves: the mean over a model's runs, and the costs beside it."""

import pandas as pd
import pytest

from benchmarks import suites
from benchmarks.report import drawing
from benchmarks.report.figures import skeletons_curves
from signclip.core.errors import RunError
from signclip.experiments.run_folder import CURVES

MODELS = suites.expand([suites.SKELETON_SUITE])


@pytest.fixture
def trained(measured, workspace):
    """Results of all models and rows, each with two runs of two epochs."""
    for name in (*MODELS, *suites.expand(skeletons_curves.SIGNCLIP_ROWS.rows)):
        runs = {f"0/letters-{fold}": "a" for fold in (0, 1)}
        title = f"title of {name}"
        measured(name, "retrieval", "letters", title=title, runs=runs | {"1/letters-0": "b"})
        for fold in (0, 1):
            folder = workspace.runs / "stage" / name / f"0/letters-{fold}"
            folder.mkdir(parents=True)
            (folder / "metrics.json").touch()
            curves = {"epoch": [1, 2], "loss": [4 + fold, 2 + fold]}
            curves |= {"validation_V2T_R@1": [0.1, 0.3 + 0.2 * fold]}
            pd.DataFrame(curves).to_csv(folder / CURVES, index=False)


def test_a_curve_is_the_mean_of_its_runs_between_the_lowest_and_the_highest(
    trained, source, tmp_path
):
    figure = skeletons_curves.FIGURE
    numbers = figure.draw(source).numbers
    assert list(dict.fromkeys(numbers["model"])) == [
        *(f"title of {name}" for name in MODELS),
        *("E3.2", "X"),
    ]
    row = numbers.set_index(["model", "epoch"]).loc[("X", 2)]
    assert row["runs"] == 2
    assert tuple(row[["loss", "loss_low", "loss_high"]]) == (2.5, 2, 3)
    assert row["validation_V2T_R@1"] == pytest.approx(0.4)
    paths = drawing.write(figure, source, tmp_path / "out", tmp_path / "costs")
    assert paths[-1] == tmp_path / "costs/skeletons.csv"
    assert list(pd.read_csv(paths[-1])["encoder"]) == MODELS


def test_a_result_without_runs_is_named(trained, source, measured):
    measured("X", "retrieval", "letters")
    with pytest.raises(RunError, match="X: its result names no run with seed 0"):
        skeletons_curves.draw(source)
