"""Plotted points: one module each, owned as a folder, and empty where nothing was measured."""

import json

import pandas as pd
import pytest

from benchmarks import points
from benchmarks.evaluation.predictions import CLIPS_FILE, GALLERY_FILE, TAGGED
from benchmarks.points import model_sizes, predictions
from benchmarks.source import NoResults, Source
from signclip.core import files
from signclip.core.errors import ConfigError
from signclip.core.workspace import Workspace


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    names = ("data", "features", "runs", "embeddings", "predictions", "results")
    return Workspace(**{name: tmp_path / name for name in names})


@pytest.fixture
def source(workspace) -> Source:
    return Source(workspace, "cpu", "c")


def test_every_module_is_named_like_its_points():
    found = [points.find(name) for name in points.names()]
    assert [one.name for one in found] == points.names()
    assert all(one.title for one in found)
    with pytest.raises(ConfigError, match=r"unknown points 'no'; there are .*predictions"):
        points.find("no")


def test_the_folder_is_replaced_as_a_whole(workspace, monkeypatch):
    frame = pd.DataFrame({"x": [1 / 3], "label": ["nan"]})
    made = points.Made(frame, ["a run"], digits=2)
    one = points.Points("one", "a title", lambda source: made)
    monkeypatch.setattr(points, "names", lambda: ["one"])
    monkeypatch.setattr(points, "find", lambda name: one)
    workspace.points.mkdir(parents=True)
    (workspace.points / "old.csv").touch()
    (path,) = points.write_all(workspace, profile="cpu", corpus="c", seed=0)
    assert path.read_text() == "x,label\n0.33,nan\n"
    there = sorted(p.name for p in workspace.points.iterdir())
    assert there == ["one.csv", "one.json", files.DIGESTS]
    about = json.loads(path.with_suffix(".json").read_text())
    assert (about["command"], about["inputs"]) == ("signbench points one", ["a run"])
    read = Source(workspace, "cpu", "c").points("one")
    assert read["label"].tolist() == ["nan"]  # text, not a missing number


def test_missing_and_empty_points_say_what_makes_them(workspace, source):
    with pytest.raises(NoResults, match=r"curves\.csv: no points here; `signbench points curves`"):
        source.points("curves")
    workspace.points.mkdir(parents=True)
    (workspace.points / "curves.csv").write_text("encoder,loss\n")
    with pytest.raises(NoResults, match="holds no points"):
        source.points("curves")
    (workspace.points / "curves.csv").write_bytes(b"\xff\xfe,\x00")
    with pytest.raises(ConfigError, match=r"curves\.csv: damaged"):
        source.points("curves")


@pytest.mark.parametrize("name", ["predictions", "curves", "iconicity"])
def test_without_runs_the_frame_is_empty(name, source):
    assert points.find(name).make(source).frame.empty


def test_predictions_are_read_among_labels_or_else_among_prompts(tmp_path):
    clips = pd.DataFrame(
        {"seed": 0, "fold": 0, "id": ["p", "q"], "label": ["a", "b"], "predicted": "a", "rank": 1}
    )
    texts = pd.DataFrame({"seed": 0, "fold": 0, "label": ["a", "c"]})
    assert predictions.read(tmp_path) is None
    for prefix in (TAGGED, ""):
        clips.to_parquet(tmp_path / (prefix + CLIPS_FILE))
        texts.to_parquet(tmp_path / (prefix + GALLERY_FILE))
        found = predictions.read(tmp_path)
        assert found["in_gallery"].tolist() == [1, 0]
        assert set(found["gallery"]) == {2}
        assert set(found["prompts"]) == {int(bool(prefix))}


def test_a_pooler_is_a_square_matrix_with_a_bias():
    assert model_sizes.pooler(768) == 768 * 768 + 768
