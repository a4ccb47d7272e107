"""Experiments and profiles: resolved strictly, every row for every profile."""

from pathlib import Path

import pytest
import yaml

from signclip.core.errors import ConfigError
from signclip.experiments import config
from signclip.model.towers import SWITCHES, ModelConfig
from signclip.poses import VARIANTS

ROOT = Path(__file__).parents[3]
EXPERIMENTS, PARAMS = ROOT / "benchmarks/experiments.yaml", ROOT / "params.yaml"
TABLE = yaml.safe_load(EXPERIMENTS.read_text())
ROWS = {name: config.experiment_row(TABLE, name) for name in TABLE}
RUNNABLE = [name for name, row in ROWS.items() if "variant" in row and "weights_of" not in row]
WHERE = {"corpus": "c", "split": "letters", "fold": 0, "seed": 0}


@pytest.mark.parametrize("profile", yaml.safe_load(PARAMS.read_text())["profiles"])
@pytest.mark.parametrize("name", RUNNABLE)
def test_every_row_resolves_in_every_profile(name, profile):
    row = config.resolve(EXPERIMENTS, PARAMS, name, profile=profile, **WHERE)
    assert row.variant in VARIANTS
    assert row.run_folder == Path(name, "0", "letters-0")


def test_a_row_that_trains_nothing_says_so_and_whose_runs_it_is_tested_with():
    with pytest.raises(
        ConfigError, match=r"E8. trains nothing: it is E7\.2, tested on reduced_face_mirrored"
    ):
        config.resolve(EXPERIMENTS, PARAMS, "E8", profile="cpu", **WHERE)
    assert config.tested_as(EXPERIMENTS, "E8") == ("E7.2", "reduced_face_mirrored")
    assert config.tested_as(EXPERIMENTS, "E7.2") == ("E7.2", None)


@pytest.mark.parametrize(
    ("split", "expected"),
    [
        ("letters", "<en> {label}"),
        ("in_domain", "<en> <{sign_language}> {label}"),
        ("official", "<{spoken_language}> <{sign_language}> {text}"),
    ],
)
def test_a_split_has_the_prompts_that_its_gallery_asks(split, expected):
    where = {**WHERE, "split": split}
    row = config.resolve(EXPERIMENTS, PARAMS, "E7.2", profile="cpu", **where)
    assert row.prompt == expected


@pytest.mark.parametrize("profile", yaml.safe_load(PARAMS.read_text())["profiles"])
@pytest.mark.parametrize("name", RUNNABLE)
@pytest.mark.parametrize("split", ["letters", "in_domain"])
def test_every_rows_model_can_be_built(name, profile, split):
    row = config.resolve(EXPERIMENTS, PARAMS, name, profile=profile, **{**WHERE, "split": split})
    switches = {name: getattr(row, name) for name in SWITCHES}
    dims = VARIANTS[row.variant].dims
    ModelConfig(frame_dims=dims, vocab_size=100, **row.towers.model_dump(), **switches)
    assert (row.label_prompt is None) == (split == "letters" or name != "X9")
    assert row.apart == (name in {"X11", "X"})


def test_half_depth_and_batch_factor_are_of_the_profiles_numbers():
    of = {
        name: config.resolve(EXPERIMENTS, PARAMS, name, profile="paper", **WHERE)
        for name in ("E4", "E5", "X7")
    }
    assert (of["E4"].towers.pose_layers, of["E5"].towers.pose_layers) == (6, 12)
    assert of["E4"].towers.text_layers == of["E5"].towers.text_layers == 12
    assert (of["X7"].batch_size, of["X7"].compute.chunk) == (2 * 448, 448)
    assert of["X7"].epochs == 2 * of["E5"].epochs
    assert of["X7"].compute.padding == of["E5"].compute.padding


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
        ({"label_smoothing": 0.1}, "goes with loss gallery"),
        ({"temperature": True}, "temperature and body_dims with normalise"),
        ({"apart": True, "label_prompt": "{label}"}, "has its own text without a language"),
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
