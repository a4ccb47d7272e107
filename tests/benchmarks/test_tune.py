"""Tuning: every setting of a grid once, scored on validation clips."""

from pathlib import Path

import pandas as pd
import pytest
import yaml

from benchmarks import nested
from benchmarks.tune import METRICS, summary, tune
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
            "splits": ["in_domain"],
            "rows": ["E5"],
            "learning_rate": LEARNING_RATES,
            "towers.pose_layers": [1],
        }
    }
    made.params.write_text(yaml.safe_dump(params))
    return made


def tuned(workspace, recipe="signclip") -> pd.DataFrame:
    return tune(recipe, workspace, profile="smoke", corpus=NAME, jobs=2)


@pytest.mark.slow
def test_every_setting_is_tried_once_and_the_best_on_validation_comes_first(workspace):
    table = tuned(workspace)
    assert sorted(table["learning_rate"]) == sorted(LEARNING_RATES)
    assert list(table["last"]) == sorted(table["last"], reverse=True)
    for row in table.to_dict("records"):
        setting = f"learning_rate={row['learning_rate']},towers.pose_layers=1"
        run = workspace.runs / setting / "E5/0/in_domain"
        config = checkpoint.read_config(run)
        assert config.learning_rate == row["learning_rate"]
        assert config.towers.pose_layers == row["towers.pose_layers"] == 1
        assert config.towers.text_layers == 1  # the profile's, like all not named
        assert checkpoint.read_metrics(run)["last"][METRICS[0]] == row["last"]
        assert row["in_domain_last"] == row["last"]
    by_run = pd.read_csv(workspace.results / "tuning/signclip-folds.csv")
    assert sorted(by_run["learning_rate"]) == sorted(LEARNING_RATES)
    assert (by_run["lowest_validation_loss"] <= by_run["validation_loss"]).all()
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
        assert set(grid["splits"]) <= set(splits.SPLITS)


def test_a_setting_is_judged_by_the_mean_over_splits_not_over_runs():
    runs = [("a", "letters", 0, 0.2), ("a", "letters", 1, 0.4), ("a", "in_domain", 0, 0.1)]
    runs += [("b", "letters", 0, 0.3), ("b", "letters", 1, 0.3), ("b", "in_domain", 0, 0.3)]
    by_run = pd.DataFrame(runs, columns=["setting", "split", "fold", "last"])
    by_run = by_run.assign(row="E5", at_lowest_loss=0.0, training_loss=1.0, validation_loss=1.0)
    table = summary(by_run, ["setting"]).set_index("setting")
    assert list(table.index) == ["b", "a"]
    assert table.loc["a", "last"] == pytest.approx(0.2)  # of 0.3 and 0.1
    assert table.loc["a", "letters_last"] == pytest.approx(0.3)
    assert table.loc["a", "runs"] == 3


def test_a_nested_choice_looks_at_its_own_fold_alone():
    runs = [("a", 0, 0.5), ("b", 0, 0.4), ("a", 1, 0.1), ("b", 1, 0.6)]
    by_run = pd.DataFrame(runs, columns=["setting", "fold", "last"])
    by_run["run"] = by_run["setting"] + "/E5/0/letters-" + by_run["fold"].astype(str)
    chosen = nested.choices(by_run)
    assert dict(zip(chosen["fold"], chosen["nested"], strict=True)) == {0: "a", 1: "b"}
    assert set(chosen["shared"]) == {"b"}


def test_a_nested_choice_needs_a_grid_that_was_tried(workspace):
    with pytest.raises(ConfigError, match="`signbench tune best` writes it"):
        nested.compare("best", workspace, corpus=NAME, split="letters")
