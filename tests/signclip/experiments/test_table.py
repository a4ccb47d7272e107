"""The table of experiments: resolved strictly, every row for every profile."""

from pathlib import Path
from typing import get_args

import pytest
import yaml

from signclip.core.errors import ConfigError
from signclip.core.workspace import RunId, Workspace
from signclip.experiments import table
from signclip.experiments.config import RunConfig, Step
from signclip.model.config import SWITCHES, ModelConfig
from signclip.poses import VARIANTS
from signclip.training.data import Augmentation

ROOT = Path(__file__).parents[3]
EXPERIMENTS = ROOT / "benchmarks/experiments.yaml"
WORKSPACE = Workspace(params=ROOT / "params.yaml", experiments=EXPERIMENTS)
TABLE = yaml.safe_load(EXPERIMENTS.read_text())
ROWS = {name: table.experiment_row(TABLE, name) for name in TABLE}
RUNNABLE = [name for name, row in ROWS.items() if "variant" in row and "weights_of" not in row]
PROFILES = yaml.safe_load(WORKSPACE.params.read_text())["profiles"]


def resolved(
    name: str, profile: str = "cpu", split: str = "letters", workspace: Workspace = WORKSPACE
) -> RunConfig:
    return table.resolve(RunId(name, profile, "c", split, 0, 0), workspace)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("name", RUNNABLE)
def test_every_row_resolves_in_every_profile(name, profile):
    row = resolved(name, profile)
    assert row.variant in VARIANTS
    assert row.run_id == RunId(name, profile, "c", "letters", 0, 0)
    assert row.run_id.path == Path(name, "0", "letters-0")


def test_a_row_that_trains_nothing_names_the_row_whose_runs_it_evaluates():
    with pytest.raises(
        ConfigError, match=r"E8. trains nothing: it evaluates the runs of E7\.2 on reduced_face_mir"
    ):
        resolved("E8")
    assert table.tested_as(EXPERIMENTS, "E8") == ("E7.2", "reduced_face_mirrored")
    assert table.tested_as(EXPERIMENTS, "E7.2") == ("E7.2", None)


@pytest.mark.parametrize(
    ("split", "expected"),
    [
        ("letters", "<en> {label}"),
        ("in_domain", "<en> <{sign_language}> {label}"),
        ("official", "<{spoken_language}> <{sign_language}> {text}"),
    ],
)
def test_a_split_has_the_prompts_of_its_gallery(split, expected):
    assert resolved("E7.2", split=split).prompt == expected


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("name", RUNNABLE)
@pytest.mark.parametrize("split", ["letters", "in_domain"])
def test_every_rows_model_can_be_built(name, profile, split):
    row = resolved(name, profile, split)
    switches = {name: getattr(row, name) for name in SWITCHES}
    dims = VARIANTS[row.variant].dims
    ModelConfig(frame_dims=dims, vocab_size=100, **row.towers.model_dump(), **switches)
    assert (row.label_prompt is None) == (split == "letters" or name != "X9")
    assert row.split_prompt == (name in {"X11", "X", "X14"})


def test_half_depth_and_batch_factor_scale_the_profiles_numbers():
    of = {name: resolved(name, "paper") for name in ("E4", "E5", "X7")}
    assert (of["E4"].towers.pose_layers, of["E5"].towers.pose_layers) == (6, 12)
    assert of["E4"].towers.text_layers == of["E5"].towers.text_layers == 12
    assert (of["X7"].batch_size, of["X7"].compute.chunk) == (2 * 448, 448)
    assert of["X7"].epochs == 2 * of["E5"].epochs
    assert of["X7"].compute.padding == of["E5"].compute.padding


def test_a_row_differs_from_its_base_only_where_it_says_so():
    base, row = (table.experiment_row(TABLE, name) for name in ("E3.1", "E3.2"))
    assert {key for key in row if row[key] != base.get(key)} == {"title", "augment"}


@pytest.mark.parametrize(
    ("rows", "name", "message"),
    [
        ({}, "E9", "unknown experiment 'E9'"),
        ({"E9": {"base": "E8"}}, "E9", "unknown experiment 'E8'"),
        ({"a": {"base": "b"}, "b": {"base": "a"}}, "a", "circle"),
    ],
)
def test_rows_that_cannot_be_resolved_are_named(rows, name, message):
    with pytest.raises(ConfigError, match=message):
        table.experiment_row(rows, name)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": "red"}, "colour: unknown key$"),
        ({"augmnt": ["flip"]}, "augmnt: unknown key; did you mean augment"),
        ({"recip": "signclip"}, "recip: unknown key; did you mean recipe"),
        ({"bse": "E3"}, "bse: unknown key; did you mean base"),
        ({"towers": {"pose_layer": 1}}, "towers.pose_layer: unknown key; did you mean pose_layers"),
        ({"variant": "dominant_hnd"}, "unknown variant 'dominant_hnd'; did you mean dominant_hand"),
        ({"seed": 3}, "seed cannot be set in a table"),
        ({"variant": "left_foot"}, "unknown variant 'left_foot'"),
        ({"augment": ["affine4d"]}, "augment"),
        ({"recipe": "none"}, "no recipe 'none'"),
        ({"epochs": 0}, "epochs"),
        ({"label_smoothing": 0.1}, "go with loss gallery"),
        ({"text_prior": 1.0}, "go with loss gallery"),
        ({"separate_parts": True}, "separate_parts with body_dims"),
        ({"temperature": True}, "temperature and body_dims with normalise"),
        ({"split_prompt": True, "label_prompt": "{label}"}, "both add a text without a language"),
    ],
)
def test_wrong_values_are_refused_with_their_place(tmp_path, change, message):
    path = tmp_path / "experiments.yaml"
    path.write_text(yaml.safe_dump({"E": {**table.experiment_row(TABLE, "E3.2"), **change}}))
    with pytest.raises(ConfigError, match=message):
        resolved("E", workspace=WORKSPACE.replace(experiments=path))


def test_an_unknown_profile_or_experiment_is_refused_with_the_one_most_like_it():
    with pytest.raises(ConfigError, match=r"params.yaml: unknown profile 'x'; there are [^;]+$"):
        resolved("E3.2", "x")
    with pytest.raises(ConfigError, match=r"unknown profile 'papr'.*; did you mean paper"):
        resolved("E3.2", "papr")
    with pytest.raises(ConfigError, match=r"unknown experiment 'E-fnal'.*; did you mean E-final"):
        resolved("E-fnal")


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("step", get_args(Step))
def test_a_row_is_refused_exactly_where_its_training_would_be(tmp_path, variant, step):
    path = tmp_path / "experiments.yaml"
    row = {**table.experiment_row(TABLE, "E3.2"), "variant": variant, "augment": [step]}
    path.write_text(yaml.safe_dump({"E": row}))
    try:
        Augmentation([step], variant, max_frames=9)
    except ConfigError:
        message = f"experiment 'E': augmentation '{step}' cannot serve variant '{variant}': "
        with pytest.raises(ConfigError, match=message):
            resolved("E", workspace=WORKSPACE.replace(experiments=path))
    else:
        assert resolved("E", workspace=WORKSPACE.replace(experiments=path)).augment == (step,)


def test_a_frame_input_that_the_variant_cannot_serve_is_refused(tmp_path):
    path = tmp_path / "experiments.yaml"
    path.write_text(yaml.safe_dump({"E": {**ROWS["X4"], "variant": "reduced_face"}}))
    with pytest.raises(ConfigError, match="frame_input hands cannot serve variant 'reduced_face'"):
        resolved("E", workspace=WORKSPACE.replace(experiments=path))


def test_without_a_table_of_its_own_a_workspace_has_the_one_that_params_names(tmp_path):
    params = tmp_path / "here" / "params.yaml"
    params.parent.mkdir()
    params.write_text("experiments: rows.yaml\n")
    assert table.experiments_path(Workspace(params=params)) == params.parent / "rows.yaml"
    params.write_text("profiles: {}\n")
    with pytest.raises(ConfigError, match="no table of experiments"):
        table.experiments_path(Workspace(params=params))
