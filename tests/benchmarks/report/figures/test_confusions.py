"""Confusions: every clip is counted once, in the row of its letter, for the chosen encoders."""

import pytest

from benchmarks.report import drawing
from benchmarks.report.figures import confusions
from benchmarks.source import NoResults


@pytest.fixture
def evaluated(predict, measured):
    """Results and predictions of two FingerCLIP rows, X and a skeleton model."""
    for name, value in {"E3": 0.2, "E3.2": 0.6, "X4": 0.9, "X": 0.5, "stgcn": 0.7}.items():
        measured(name, "retrieval", "letters", value=value, title=f"{name}, a title")
        predict(name)


def test_the_best_of_each_family_and_x_are_counted(evaluated, source):
    numbers = confusions.draw(source).numbers
    assert list(dict.fromkeys(numbers["encoder"])) == ["E3.2", "X", "stgcn"]
    assert set(numbers.groupby("encoder")["clips"].sum()) == {12}
    counts = numbers.query("encoder == 'X'").set_index(["label", "predicted"])
    assert counts["clips"].to_dict() == {
        ("a", "a"): 3,
        **{(x, "a"): 1 for x in "bcd"},
        **{(x, x): 2 for x in "bcd"},
    }
    assert counts.loc[("b", "b"), "share"] == pytest.approx(2 / 3)


def test_the_most_frequent_confusions_are_wrong_ones(evaluated, source, monkeypatch):
    monkeypatch.setattr(confusions, "PAIRS", 2)
    table = confusions.frequent(confusions.draw(source).numbers)
    assert list(table.index) == [("b", "a"), ("c", "a")]
    assert (table == 1).all(axis=None)


def test_it_is_written_with_fewer_encoders(predict, measured, source, tmp_path):
    measured("X", "retrieval", "letters")
    predict("X")
    paths = drawing.write(confusions.FIGURE, source, tmp_path / "out", tmp_path)
    assert all(path.stat().st_size for path in paths)


def test_without_results_it_says_so(predict, source):
    with pytest.raises(NoResults, match="make repro"):
        confusions.draw(source)
