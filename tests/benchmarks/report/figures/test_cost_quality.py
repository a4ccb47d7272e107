"""Cost and quality: all encoders are plotted, and names cover nothing."""

import itertools

import pandas as pd
import pytest

from benchmarks.report.figures import cost_quality
from benchmarks.results import Cost
from benchmarks.source import NoResults


@pytest.fixture
def spread(measured):
    """Results of some encoders of each family, several of them at the same place."""
    encoders = {
        **dict.fromkeys(("E3", "E3-aug", "E3.1", "E3.2"), (100000, 200, 0.45)),
        **dict.fromkeys(("E4", "E5", "E6", "E7.2"), (400000, 300, 0.1)),
        "X4": (400_000, 300, 0.5),
        "X": (500_000, 300, 0.6),
        "stgcn": (60_000, 250, 0.55),
        "nearest-neighbour": (0, 0.1, 0.5),
    }
    for name, (parameters, seconds, value) in encoders.items():
        cost = Cost(parameters=parameters, training_seconds=seconds, evaluation_clips_per_second=1)
        hardware = "another" if name == "E4" else "usual"
        about = dict(value=value, title=f"{name}, a title", cost=cost, hardware=hardware)
        measured(name, "retrieval", "letters", **about)
    return encoders


def test_every_encoder_is_plotted_with_its_cost(spread, source):
    drawing = cost_quality.draw(source)
    numbers = drawing.numbers.set_index("encoder")
    found = numbers[["parameters", "seconds", "value"]].apply(tuple, axis=1).to_dict()
    assert found == spread
    assert list(numbers.index[~numbers["usual"]]) == ["E4"]
    assert "1 on another" in drawing.caption


def test_named_are_the_best_of_each_family_and_the_pareto_front(spread, source):
    numbers = cost_quality.draw(source).numbers.set_index("encoder")
    named = {"E3", "E4", "X", "stgcn", "nearest-neighbour"}
    assert set(numbers.index[numbers["named_parameters"]]) == named
    cost, value = pd.Series([1, 2, 2, 3]), pd.Series([0.5, 0.5, 0.6, 0.55])
    assert list(cost_quality.pareto(cost, value)) == [True, False, True, False]


def test_names_cover_neither_markers_nor_each_other(spread, source):
    figure = cost_quality.draw(source).figure
    figure.draw_without_rendering()
    for axes in figure.axes:
        names = [text for text in axes.texts if text.get_text()]
        assert len(names) >= 5
        boxes = [text.get_window_extent() for text in names]
        assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))
        for line in axes.lines[:-1]:  # the last one is chance
            for place in axes.transData.transform(line.get_xydata()):
                assert not any(box.contains(*place) for box in boxes)


def test_without_results_it_says_so(source):
    with pytest.raises(NoResults, match="no results on letters"):
        cost_quality.draw(source)
