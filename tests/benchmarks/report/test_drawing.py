"""How figures are written: the same bytes each time, at the size they were made with."""

import re
import struct

import matplotlib as mpl
import pandas as pd
import pytest
from matplotlib.figure import Figure as Picture

from benchmarks.report import drawing
from benchmarks.source import NoResults


def _draw(_):
    picture = Picture(figsize=(drawing.COLUMN_WIDTH, 2), layout="constrained")
    axes = picture.subplots()
    axes.plot([1, 2, 3])
    drawing.panel_title(axes, "a", "a title that is wider than the picture " * 3)
    return drawing.Drawing(picture, pd.DataFrame({"y": [1, 2, 3]}), caption="Three numbers.")


FIGURE = drawing.Figure("three", "Three numbers", (), _draw)


def test_a_figure_is_written_with_the_same_bytes(source, tmp_path):
    first, second = (
        drawing.write(FIGURE, source, tmp_path / name, tmp_path) for name in ("one", "other")
    )
    assert [path.suffix for path in first] == [".pdf", ".png", ".svg", ".csv", ".json"]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_a_picture_keeps_its_size_whatever_it_holds(source, tmp_path):
    drawing.write(FIGURE, source, tmp_path, tmp_path)
    header = (tmp_path / "three.png").read_bytes()[16:24]
    assert struct.unpack(">II", header) == (drawing.COLUMN_WIDTH * drawing.DPI, 2 * drawing.DPI)
    svg = (tmp_path / "three.svg").read_text(encoding="utf-8")
    assert float(re.search(r'width="([\d.]+)pt"', svg)[1]) == pytest.approx(
        72 * drawing.COLUMN_WIDTH
    )


def test_figures_are_drawn_in_the_one_style(source, tmp_path):
    seen = []
    figure = drawing.Figure("style", "", (), lambda _: seen.append(dict(mpl.rcParams)) or _draw(_))
    drawing.write(figure, source, tmp_path, tmp_path)
    assert {name: seen[0][name] for name in drawing.STYLE} == {
        name: mpl.RcParams(drawing.STYLE)[name] for name in drawing.STYLE
    }


def test_a_figure_without_results_says_why(source, tmp_path):
    def draw(_):
        raise NoResults("no runs here")

    drawing.write(drawing.Figure("empty", "", (), draw), source, tmp_path, tmp_path)
    assert pd.read_csv(tmp_path / "empty.csv")["missing"].tolist() == ["no runs here"]
    assert (tmp_path / "empty.png").stat().st_size
