"""Skeleton runs are evaluated like any encoder, and only as what they were trained as."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import yaml

from baselines.skeletons import checkpoint, recipe, training
from benchmarks import results, runner
from benchmarks.evaluation.context import EvaluationContext, open_context
from benchmarks.evaluation.galleries import RETRIEVAL
from benchmarks.points import curves, predictions
from benchmarks.source import Need, Source
from signclip.core.errors import ConfigError, RunError
from signclip.core.workspace import RunId, Workspace

ENCODER = {"base_channels": 8, "num_stages": 2, "inflate_stages": [2], "down_stages": [2]}
BLOCK = {
    "frames": 4,
    "streams": ["bone"],
    "optimiser": "adamw",
    "batch_size": 6,
    "epochs": 2,
    "learning_rate": 0.02,
    "validate_every": 1,
    "models": {"stgcn": {"backbone": ENCODER}},
}
RUN = RunId("stgcn", "cpu", "synthetic", "official", None, 0)


def write_params(workspace: Workspace, **changes) -> None:
    """Write a ``params.yaml`` with the recipe, changed."""
    profiles = {"cpu": {"skeletons": BLOCK | changes}}
    content = {"experiments": "experiments.yaml", "profiles": profiles}
    workspace.params.write_text(yaml.safe_dump(content))


@pytest.fixture(scope="module")
def runs(corpus, tmp_path_factory) -> Path:
    """A folder of runs with a trained ST-GCN, as a stage of the pipeline leaves it; read-only."""
    folder = tmp_path_factory.mktemp("stage")
    (folder / "experiments.yaml").write_text("{}")
    workspace = corpus.workspace.replace(runs=folder / "runs", params=folder / "params.yaml")
    write_params(workspace)
    stage = workspace.replace(runs=workspace.runs / "skeletons")
    training.train(recipe.resolve(RUN, workspace.params), stage)
    return workspace.runs


@pytest.fixture
def workspace(corpus, runs, tmp_path) -> Workspace:
    """A workspace with a copy of these runs."""
    names = ("runs", "embeddings", "predictions", "results")
    folders = {name: tmp_path / name for name in names}
    folders["predictions"] /= results.LOCAL  # the group of results that is written here
    workspace = corpus.workspace.replace(**folders, params=tmp_path / "params.yaml")
    (tmp_path / "experiments.yaml").write_text("{}")
    write_params(workspace)
    shutil.copytree(runs, workspace.runs)
    return workspace


@pytest.fixture
def open_encoder(workspace) -> Callable[[str], EvaluationContext]:
    """Opens the evaluation context of an encoder on the synthetic corpus."""

    def open_it(name: str) -> EvaluationContext:
        where = dict(profile="cpu", corpus="synthetic", split="official")
        return open_context(name, workspace, **where, seeds=[0])

    return open_it


def test_a_run_is_evaluated_in_the_label_gallery_alone(open_encoder, workspace, corpus):
    found = runner.run_tasks(open_encoder("stgcn"))
    assert list(found) == [RETRIEVAL]
    result = found[RETRIEVAL]
    assert (result.encoder, result.title, result.labels) == ("stgcn", "ST-GCN", 3)
    assert (result.n_total, result.n_evaluated) == (6, 6)
    assert result.scores["V2T_R@10"].value == 1  # ten of three labels are all of them
    assert result.cost.training_seconds > 0
    model = checkpoint.load(workspace.runs / "skeletons/stgcn/0/official")
    assert result.cost.parameters == model.metrics["parameters"]
    table = pd.read_parquet(workspace.predictions / "stgcn/official/clips.parquet")
    for row in table.itertuples():
        alone = model.score([corpus.store[row.id]], ["a", "b", "c"])[:, 0]
        assert row.scores == pytest.approx(alone, abs=1e-5)
        assert row.predicted == "abc"[alone.argmax()]


def test_a_run_of_another_recipe_is_refused(open_encoder, workspace):
    write_params(workspace, learning_rate=0.5)
    with pytest.raises(RunError, match=r"learning_rate is not what params\.yaml says"):
        open_encoder("stgcn")
    write_params(workspace, learning_rate=0.5, frames=6)
    with pytest.raises(RunError, match="frames, learning_rate are not what"):
        open_encoder("stgcn")
    write_params(workspace, save_every=3)  # changes no weight
    assert open_encoder("stgcn").first_encoder.title == "ST-GCN"


def test_a_model_without_runs_is_refused_with_the_command_that_trains_it(open_encoder):
    with pytest.raises(RunError, match="train posec3d --split official"):
        open_encoder("posec3d")
    with pytest.raises(RunError, match="'another' is no"):
        open_encoder("another")


def test_a_skeleton_model_has_no_embeddings(open_encoder):
    context = open_encoder("stgcn")
    with pytest.raises(ConfigError, match="stgcn has no embeddings"):
        context.embed(["clip-24"])
    with pytest.raises(ConfigError, match="no task makes sense here"):
        runner.run_tasks(context, ["linear_probe"])


def test_its_points_are_its_predictions_and_its_curve(open_encoder, workspace, monkeypatch):
    result = runner.run_tasks(open_encoder("stgcn"))[RETRIEVAL]
    need = Need("official", RETRIEVAL, ("stgcn",))
    for module in (predictions, curves):
        monkeypatch.setattr(module, "NEEDS", (need,))
    project = workspace.replace(predictions=workspace.predictions.parent)
    source = Source(project, profile="cpu", corpus="synthetic", group=results.LOCAL)
    clips = predictions.make(source).frame
    assert len(clips) == 6
    right = (clips["label"] == clips["predicted"]).sum()
    assert right == round(6 * result.scores["V2T_R@1"].value)
    curve = curves.make(source).frame
    assert list(curve["epoch"]) == [1, 2]
    of_run = pd.read_csv(workspace.runs / "skeletons/stgcn/0/official/curves.csv")
    assert list(curve["loss"]) == list(of_run["loss"])
    with pytest.raises(RunError, match="names no run with seed 4"):
        Source(workspace, profile="cpu", corpus="synthetic", seed=4).runs(result)
