"""Skeleton runs on the leaderboard: the same galleries, only as what they were trained as."""

from pathlib import Path

import pandas as pd
import pytest
import yaml

from baselines.skeletons import recipe, training
from benchmarks import results
from benchmarks.evaluation import protocols
from benchmarks.evaluation.context import opened
from benchmarks.evaluation.evaluate import evaluate
from benchmarks.report.figures import skeletons
from signclip.core.errors import ConfigError, RunError

BLOCK = {
    "frames": 4,
    "streams": ["bone"],
    "optimiser": "adamw",
    "batch_size": 6,
    "epochs": 2,
    "learning_rate": 0.02,
    "validate_every": 1,
    "models": {
        "stgcn": {
            "backbone": {
                "base_channels": 8,
                "num_stages": 2,
                "inflate_stages": [2],
                "down_stages": [2],
            }
        }
    },
}


def written(folder: Path, **changes) -> Path:
    """A ``params.yaml`` with the recipe, changed."""
    path = folder / "params.yaml"
    path.write_text(yaml.safe_dump({"profiles": {"cpu": {"skeletons": BLOCK | changes}}}))
    return path


@pytest.fixture
def measure(corpus, tmp_path):
    """Trains ST-GCN and measures it; both read the recipe of the test's folder."""
    where = dict(profile="cpu", corpus="made-up", split="official")
    wanted = recipe.resolve(written(tmp_path), "stgcn", fold=None, seed=0, **where)
    training.train(wanted, **corpus._asdict(), runs=tmp_path / "runs")
    experiments = tmp_path / "experiments.yaml"
    experiments.write_text("{}")

    def run(name: str = "stgcn", **changes) -> results.Result:
        found = opened(
            name,
            **(where | changes),
            seeds=[0],
            experiments=experiments,
            params=tmp_path / "params.yaml",
            data=corpus.corpus.parent,
            features=corpus.features.parent,
            runs=tmp_path / "runs",
            embeddings=tmp_path / "embeddings",
        )
        found = evaluate(
            found,
            predictions=tmp_path / "predictions" / name / "official",
            leaderboard=tmp_path / "results" / "leaderboard",
        )
        assert list(found) == ["retrieval"]  # among labels alone
        return found["retrieval"]

    return run


def test_a_run_is_measured_like_any_encoder(measure, corpus, tmp_path):
    result = measure()
    assert (result.encoder, result.title, result.labels) == ("stgcn", "ST-GCN", 3)
    assert (result.n_total, result.n_evaluated) == (6, 6)
    assert result.scores["V2T_R@10"].value == 1  # ten of three labels are all of them
    assert result.cost.training_seconds > 0
    folder = tmp_path / "runs/stgcn/0/official"
    assert result.cost.parameters == training.load(folder).metrics["parameters"]
    table = pd.read_parquet(tmp_path / "predictions/stgcn/official/clips.parquet")
    opened = training.load(folder)
    for row in table.itertuples():
        own = opened.score([corpus.store[row.id]], ["a", "b", "c"])[:, 0]
        assert row.scores == pytest.approx(own, abs=1e-5)
        assert row.predicted == "abc"[own.argmax()]


def test_a_run_of_another_recipe_is_not_measured(measure, tmp_path):
    written(tmp_path, learning_rate=0.5)
    with pytest.raises(RunError, match=r"learning_rate is not what params\.yaml says"):
        measure()
    written(tmp_path, learning_rate=0.5, frames=6)
    with pytest.raises(RunError, match="frames, learning_rate are not what"):
        measure()
    written(tmp_path, save_every=3)
    assert measure().n_evaluated == 6  # decides nothing


def test_a_model_without_runs_says_how_to_make_them(measure):
    with pytest.raises(RunError, match="python -m benchmarks train posec3d --split official"):
        measure("posec3d")
    with pytest.raises(RunError, match="'another' is no row, suite or baseline"):
        measure("another")


def test_a_skeleton_model_has_no_embeddings_to_ask(measure, corpus, tmp_path):
    with pytest.raises(ConfigError, match="stgcn has no embeddings"):
        protocols.ask(
            opened(
                "stgcn",
                profile="cpu",
                corpus="made-up",
                split="official",
                seeds=[0],
                experiments=tmp_path / "experiments.yaml",
                params=tmp_path / "params.yaml",
                data=corpus.corpus.parent,
                features=corpus.features.parent,
                runs=tmp_path / "runs",
                embeddings=tmp_path / "embeddings",
            ),
            predictions=tmp_path / "answers.parquet",
            leaderboard=tmp_path / "results/leaderboard",
        )


def test_confusions_curves_and_costs_are_drawn_from_files(measure, tmp_path):
    result = measure()
    given = dict(
        profile="cpu",
        corpus="made-up",
        split="official",
        seed=0,
        predictions=tmp_path / "predictions",
        runs=tmp_path / "runs",
        results_folder=tmp_path / "results",
    )
    skeletons.write(["stgcn"], **given)
    figures = tmp_path / "results/figures"
    confusion = pd.read_csv(figures / "skeletons_confusion.csv")
    assert confusion["clips"].sum() == 6
    right = confusion["clips"][confusion["label"] == confusion["predicted"]].sum()
    assert right == round(6 * result.scores["V2T_R@1"].value)
    curve = pd.read_csv(figures / "skeletons_curves.csv")
    assert list(curve["epoch"]) == [1, 2]
    own = pd.read_csv(tmp_path / "runs/stgcn/0/official/curves.csv")
    assert list(curve["loss"]) == pytest.approx(list(own["loss"]), abs=1e-4)
    costs = pd.read_csv(tmp_path / "results/costs/skeletons.csv")
    assert list(costs["parameters"]) == [result.cost.parameters]
    for name in ("skeletons_confusion", "skeletons_curves"):
        assert (figures / f"{name}.png").is_file()
        assert (figures / f"{name}.pdf").is_file()
    with pytest.raises(RunError, match="ST-GCN has no runs on official with seed 4"):
        skeletons.write(["stgcn"], **(given | {"seed": 4}))
    with pytest.raises(RunError, match="X has no runs on official with seed 0"):
        skeletons.write(["stgcn"], beside=["X"], **given)
    with pytest.raises(ConfigError):
        skeletons.write(["posec3d"], **given)


def test_rows_of_signclip_are_drawn_beside_the_models_with_a_loss_of_their_own(tmp_path):
    for model, losses in (("gcn", [3.0, 2.0]), ("X", [7.0, 6.0, 5.0])):
        for fold, hits in enumerate((0.2, 0.4)):
            folder = tmp_path / model / str(fold)
            folder.mkdir(parents=True)
            rows = {"epoch": range(1, len(losses) + 1), "loss": losses, "validation_V2T_R@1": hits}
            pd.DataFrame(rows).to_csv(folder / "curves.csv", index=False)
    sides = [
        skeletons.Side(f"side of {model}", f"loss of {model}", {model: runs})
        for model in ("gcn", "X")
        for runs in [sorted((tmp_path / model).iterdir())]
    ]
    figure, numbers = skeletons.learning(sides)
    assert list(numbers["model"]) == ["gcn"] * 2 + ["X"] * 3
    assert list(numbers["loss_is"].unique()) == ["loss of gcn", "loss of X"]
    assert list(numbers["loss"]) == [3, 2, 7, 6, 5]
    assert numbers["validation_V2T_R@1"].tolist() == pytest.approx([0.3] * 5)
    assert (numbers["runs"] == 2).all()
    of_losses, of_hits = figure.axes[:2], figure.axes[2:]
    for axis, side in zip(of_losses, sides, strict=True):
        assert side.loss_is in axis.get_title(loc="left")
        assert [text.get_text() for text in axis.get_legend().get_texts()] == list(side.runs)
    assert all(len(axis.lines) == 2 for axis in of_hits)  # its own, and the other's in grey
    assert of_hits[0].get_ylim() == of_hits[1].get_ylim()
