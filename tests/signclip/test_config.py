"""Experiments and profiles: resolved strictly, every row for every profile."""

from pathlib import Path

import pytest
import yaml

from signclip import config
from signclip.errors import ConfigError
from signclip.poses import VARIANTS

ROOT = Path(__file__).parents[2]
EXPERIMENTS, PARAMS = ROOT / "benchmarks/experiments.yaml", ROOT / "params.yaml"
TABLE = yaml.safe_load(EXPERIMENTS.read_text())
RUNNABLE = [name for name in TABLE if "variant" in config.experiment_row(TABLE, name)]
WHERE = {"corpus": "c", "split": "letters", "fold": 0, "seed": 0}


@pytest.mark.parametrize("profile", yaml.safe_load(PARAMS.read_text())["profiles"])
@pytest.mark.parametrize("name", RUNNABLE)
def test_every_row_resolves_in_every_profile(name, profile):
    row = config.resolve(EXPERIMENTS, PARAMS, name, profile=profile, **WHERE)
    assert row.variant in VARIANTS
    assert row.run_folder == Path(name, "0", "letters-0")


def test_a_row_differs_from_its_base_only_where_it_says_so():
    base, row = (config.experiment_row(TABLE, name) for name in ("E3.1", "E3.2"))
    assert {key for key in row if row[key] != base.get(key)} == {"title", "augment"}


@pytest.mark.parametrize(
    ("table", "name", "message"),
    [
        ({}, "E9", "unknown experiment 'E9'"),
        ({"E9": {"base": "E8"}}, "E9", "unknown experiment 'E8'"),
        ({"a": {"base": "b"}, "b": {"base": "a"}}, "a", "circle"),
    ],
)
def test_rows_that_cannot_be_resolved_are_named(table, name, message):
    with pytest.raises(ConfigError, match=message):
        config.experiment_row(table, name)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": "red"}, "colour: Extra inputs"),
        ({"variant": "left_foot"}, "unknown variant 'left_foot'"),
        ({"augment": ["affine4d"]}, "augment"),
        ({"recipe": "none"}, "no recipe 'none'"),
        ({"epochs": 0}, "epochs"),
    ],
)
def test_wrong_values_are_refused_with_their_place(tmp_path, change, message):
    table = {"E": {**config.experiment_row(TABLE, "E3.2"), **change}}
    (tmp_path / "experiments.yaml").write_text(yaml.safe_dump(table))
    with pytest.raises(ConfigError, match=message):
        config.resolve(tmp_path / "experiments.yaml", PARAMS, "E", profile="cpu", **WHERE)


def test_an_unknown_profile_is_refused():
    with pytest.raises(ConfigError, match="unknown profile 'gpu'"):
        config.resolve(EXPERIMENTS, PARAMS, "E3.2", profile="gpu", **WHERE)
