"""The map of hits: a cell per sign language and letter, shares of rows and columns."""

import pytest

from benchmarks.report import drawing
from benchmarks.report.figures import languages_letters


def test_a_cell_holds_its_clips_and_the_letter_predicted_instead(predict, source):
    predict("E3")
    predict("X")
    cells = languages_letters.draw(source).numbers.set_index(["sign_language", "label"])
    assert len(cells) == cells["clips"].sum() == 12
    assert tuple(cells.loc[("ase", "b")]) == (1, 1, "")
    assert tuple(cells.loc[("gsg", "b")]) == (1, 0, "a")  # of the fold that always predicts a
    assert cells["hits"].sum() == 9


def test_shares_have_intervals_that_hold_for_few_clips(predict, source):
    predict("X")
    by_language = languages_letters.shares(languages_letters.draw(source).numbers, "sign_language")
    assert by_language["share"].to_dict() == {"ase": 1, "fsl": 1, "gsg": 0.25}
    assert tuple(by_language.loc["ase", ["low", "high"]]) == pytest.approx((0.5101, 1), abs=1e-4)
    assert by_language.loc["gsg", "low"] > 0


def test_it_is_written(predict, source, tmp_path):
    predict("X")
    drawing.write(languages_letters.FIGURE, source, tmp_path / "out", tmp_path)
    assert "from 0.25 (German (gsg))" in (tmp_path / "out/languages_letters.json").read_text()
