"""Iconicity: made-up embeddings for which the answer is known, and tiny runs."""

import json

import numpy as np
import pandas as pd
import pytest

from benchmarks import points
from benchmarks.points import iconicity
from benchmarks.runner.rows import Settings, evaluate_rows
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


def test_points_are_made_from_the_runs_that_results_name(trained, tmp_path):
    workspace = trained.replace(embeddings=tmp_path / "embeddings", results=tmp_path / "results")
    where = dict(profile="smoke", corpus=NAME, seed=0)
    path = points.write_one("iconicity", workspace, **where)
    assert pd.read_csv(path).empty  # no results
    evaluate_rows(["X"], ["in_domain"], workspace, Settings("smoke", NAME, (0,), "repro"))
    frame = pd.read_csv(points.write_one("iconicity", workspace, **where))
    assert set(frame["space"]) == {"X", iconicity.SHAPE}
    assert frame["clips"].between(10, 16).all()
    about = json.loads(path.with_suffix(".json").read_text())
    assert about["command"] == "signbench points iconicity"
    (run,) = about["inputs"]
    assert run.startswith("X/0/in_domain: ")
