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
from benchmarks.report import drawing
from benchmarks.report.figures import skeletons_confusion, skeletons_curves
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


def test_confusions_curves_and_costs_are_drawn_from_its_files(
    open_encoder, workspace, tmp_path, monkeypatch
):
    result = runner.run_tasks(open_encoder("stgcn"))[RETRIEVAL]
    need = Need("official", RETRIEVAL, ("stgcn",))
    monkeypatch.setattr(skeletons_confusion, "NEED", need)
    for name in ("MODELS", "SIGNCLIP_ROWS"):
        monkeypatch.setattr(skeletons_curves, name, need)
    project = workspace.replace(predictions=workspace.predictions.parent)
    source = Source(project, profile="cpu", corpus="synthetic", group=results.LOCAL)
    figures, costs = tmp_path / "figures", tmp_path / "costs"
    for module in (skeletons_confusion, skeletons_curves):
        drawing.write(module.FIGURE, source, figures, costs)
    confusion = pd.read_csv(figures / "skeletons_confusion.csv")
    assert confusion["clips"].sum() == 6
    right = confusion["clips"][confusion["label"] == confusion["predicted"]].sum()
    assert right == round(6 * result.scores["V2T_R@1"].value)
    curve = pd.read_csv(figures / "skeletons_curves.csv")
    curve = curve[curve["model"] == "ST-GCN"]
    assert list(curve["epoch"]) == [1, 2]
    of_run = pd.read_csv(workspace.runs / "skeletons/stgcn/0/official/curves.csv")
    assert list(curve["loss"]) == pytest.approx(list(of_run["loss"]), abs=1e-4)
    assert list(pd.read_csv(costs / "skeletons.csv")["parameters"]) == [result.cost.parameters]
    for name in ("skeletons_confusion", "skeletons_curves"):
        assert (figures / f"{name}.png").is_file()
        assert (figures / f"{name}.pdf").is_file()
    with pytest.raises(RunError, match="names no run with seed 4"):
        Source(workspace, profile="cpu", corpus="synthetic", seed=4).runs(result)


def test_curves_are_means_over_folds_with_one_column_of_panels_per_loss(tmp_path):
    sides = []
    for model, losses in (("gcn", [3.0, 2.0]), ("X", [7.0, 6.0, 5.0])):
        folders: list[Path] = []
        for fold, hits in enumerate((0.2, 0.4)):
            folders.append(tmp_path / model / str(fold))
            folders[-1].mkdir(parents=True)
            rows = {"epoch": range(1, len(losses) + 1), "loss": losses, "validation_V2T_R@1": hits}
            pd.DataFrame(rows).to_csv(folders[-1] / "curves.csv", index=False)
        side = skeletons_curves.Side(f"side of {model}", f"loss of {model}", {model: folders})
        sides.append(side)
    numbers = skeletons_curves.curves(sides)
    assert list(numbers["model"]) == ["gcn"] * 2 + ["X"] * 3
    assert list(numbers["loss_is"].unique()) == ["loss of gcn", "loss of X"]
    assert list(numbers["loss"]) == [3, 2, 7, 6, 5]
    assert numbers["validation_V2T_R@1"].tolist() == pytest.approx([0.3] * 5)
    assert (numbers["runs"] == 2).all()
    figure = skeletons_curves.plot(numbers, sides)
    of_losses, of_hits = figure.axes[:2], figure.axes[2:]
    for axes, side in zip(of_losses, sides, strict=True):
        assert side.loss in axes.get_title(loc="left")
        assert [text.get_text() for text in axes.get_legend().get_texts()] == list(side.runs)
    assert all(len(axes.lines) == 2 for axes in of_hits)  # its own model, and the other in grey
    assert of_hits[0].get_ylim() == of_hits[1].get_ylim()
