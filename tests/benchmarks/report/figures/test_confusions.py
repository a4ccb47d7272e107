"""Confusions: every clip is counted once, in the row of its letter."""

import pytest

from benchmarks import suites
from benchmarks.report import drawing
from benchmarks.report.figures import fingerclip_confusion, skeletons_confusion


def test_the_counts_are_those_of_the_predictions(predict, source):
    predict("E3.2")
    numbers = fingerclip_confusion.draw(source).numbers.set_index(["label", "predicted"])
    assert numbers["clips"].to_dict() == {
        ("a", "a"): 3,
        **{(x, "a"): 1 for x in "bcd"},
        **{(x, x): 2 for x in "bcd"},
    }
    assert numbers.loc[("b", "b"), "share"] == pytest.approx(2 / 3)


def test_every_skeleton_model_has_a_panel(predict, source, measured, tmp_path):
    models = suites.expand([suites.SKELETON_SUITE])
    for name in models:
        predict(name)
        measured(name, "retrieval", "letters", title=f"title of {name}")
    figure = skeletons_confusion.FIGURE
    numbers = figure.draw(source).numbers
    assert list(dict.fromkeys(numbers["model"])) == [f"title of {name}" for name in models]
    assert set(numbers.groupby("model")["clips"].sum()) == {12}
    paths = drawing.write(figure, source, tmp_path / "out", tmp_path)
    assert all(path.stat().st_size for path in paths)
