"""Tuning: every setting of a grid once, scored on validation clips."""

from pathlib import Path

import pandas as pd
import pytest
import yaml

from benchmarks.tune import METRICS, tune
from signclip import checkpoint, corpora
from signclip.core.errors import ConfigError
from signclip.core.workspace import Workspace
from signclip.corpora import splits
from signclip.features import store

ROOT = Path(__file__).parents[2]
NAME = "spreadthesign-fingerspelling"
LEARNING_RATES = [0.001, 0.01, 0.0001]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory, embedded) -> Workspace:
    """Three languages on ``in_domain``, and a grid for E5 there."""
    folder = tmp_path_factory.mktemp("tune")
    places = {name: folder / name for name in ("data", "features", "runs", "results")}
    tables = {"params": folder / "params.yaml", "experiments": ROOT / "benchmarks/experiments.yaml"}
    made = Workspace(**places, **tables)
    clips = embedded.manifest
    clips = clips[clips["sign_language"].isin(["ase", "gsg", "bfi"])]
    corpora.write(made.corpus(NAME), clips, embedded.dropped, splits.in_domain(clips))
    out = made.store(NAME, "reduced_face")
    store.write(clips, embedded.root, "reduced_face", out, progress=False)
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["tuning"] = {
        "signclip": {
            "split": "in_domain",
            "rows": ["E5"],
            "learning_rate": LEARNING_RATES,
            "towers.pose_layers": [1],
        }
    }
    made.params.write_text(yaml.safe_dump(params))
    return made


def tuned(workspace, recipe="signclip") -> pd.DataFrame:
    return tune(recipe, workspace, profile="smoke", corpus=NAME, jobs=2)


def test_every_setting_is_tried_once_and_the_best_on_validation_comes_first(workspace):
    table = tuned(workspace)
    assert sorted(table["learning_rate"]) == sorted(LEARNING_RATES)
    assert list(table["mean"]) == sorted(table["mean"], reverse=True)
    for row in table.to_dict("records"):
        setting = f"learning_rate={row['learning_rate']},towers.pose_layers=1"
        run = workspace.runs / setting / "E5/0/in_domain"
        config = checkpoint.read_config(run)
        assert config.learning_rate == row["learning_rate"]
        assert config.towers.pose_layers == row["towers.pose_layers"] == 1
        assert config.towers.text_layers == 1  # the profile's, like all not named
        assert checkpoint.read_metrics(run)["last"][METRICS[0]] == row["mean"] == row["E5"]
    assert len(pd.read_csv(workspace.results / "tuning/signclip.csv")) == len(table)

    # again, as after an interruption: nothing is trained
    kept = {path: path.stat().st_mtime_ns for path in workspace.runs.rglob("model.safetensors")}
    assert len(kept) == len(LEARNING_RATES)
    assert tuned(workspace).equals(table)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


def test_a_recipe_without_a_grid_is_named(workspace):
    with pytest.raises(ConfigError, match="no tuning grid 'fingerclip'"):
        tuned(workspace, "fingerclip")


def test_the_committed_grids_name_rows_and_splits_that_exist():
    grids = yaml.safe_load((ROOT / "params.yaml").read_text())["tuning"]
    rows = yaml.safe_load((ROOT / "benchmarks/experiments.yaml").read_text())
    assert {"fingerclip", "signclip"} <= set(grids)
    for grid in grids.values():
        assert set(grid["rows"]) <= set(rows)
        assert grid["split"] in splits.SPLITS
