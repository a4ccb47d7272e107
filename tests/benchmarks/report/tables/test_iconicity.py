"""Iconicity: made-up embeddings for which the answer is known, and tiny runs."""

import numpy as np
import pandas as pd
import pytest

from benchmarks import report
from benchmarks.report.tables import iconicity
from signclip.core.errors import ConfigError

NAME = "spreadthesign-fingerspelling"


def test_a_letter_that_is_alike_everywhere_comes_first():
    rng = np.random.default_rng(0)
    labels = [name for name in "abc" for _ in range(12)] + ["d"] * 3
    middle = {name: rng.normal(size=8) for name in "abcd"}
    width = {"a": 0.8, "b": 0.1, "c": 0.4, "d": 0.01}
    values = np.stack([middle[x] + width[x] * rng.normal(size=8) for x in labels])
    found = iconicity.shares(values, labels)
    assert list(found["concept"]) == ["b", "c", "a"]  # d has too few clips
    assert (found["share"] < 1).all()
    again = iconicity.shares(7 * values, labels)
    assert again["share"].to_numpy() == pytest.approx(found["share"].to_numpy())


def test_labels_without_any_agreement_have_a_share_of_one():
    values = np.random.default_rng(1).normal(size=(400, 16))
    found = iconicity.shares(values, [f"{i % 20:02d}" for i in range(400)])
    assert found["share"].mean() == pytest.approx(1, abs=0.02)


def test_too_few_clips_are_an_error_not_an_empty_table():
    with pytest.raises(ConfigError, match="no concept has"):
        iconicity.shares(np.ones((3, 2)), list("abc"))


def test_other_numbers_of_labels_and_clips_are_refused():
    with pytest.raises(ConfigError, match="3 clips have embeddings, 4 have labels"):
        iconicity.shares(np.ones((3, 2)), list("abcd"))


def test_the_table_is_written_from_runs(trained, tmp_path):
    workspace = trained.replace(embeddings=tmp_path / "embeddings", results=tmp_path / "results")
    path = report.write_table("iconicity", workspace, profile="smoke", corpus=NAME, seed=0)
    frame = pd.read_csv(path.with_suffix(".csv"))
    assert set(frame["space"]) == {"E7.2", "X", iconicity.SHAPE}
    assert frame["clips"].between(10, 16).all()
    assert "| letter   | languages   | E7.2" in path.read_text()
    assert not (tmp_path / "results/costs").exists()
