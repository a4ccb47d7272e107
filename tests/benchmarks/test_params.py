"""What is wrong with params.yaml is said in seconds, before any stage runs."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from benchmarks import cli, params
from signclip.core.errors import ConfigError
from signclip.core.workspace import Workspace

ROOT = Path(__file__).parents[2]


@pytest.fixture
def changed(tmp_path):
    """``changed({"profile": "papr"})``: the workspace of a changed copy of params.yaml."""

    def change(values: dict) -> Workspace:
        table = yaml.safe_load((ROOT / "benchmarks/experiments.yaml").read_text())
        table.update(values.pop("rows", {}))
        path = tmp_path / "params.yaml"
        given = yaml.safe_load((ROOT / "params.yaml").read_text())
        for key, value in values.items():
            *within, last = key.split("/")
            place = given
            for part in within:
                place = place[part]
            place[last] = value
        path.write_text(yaml.safe_dump(given))
        experiments = tmp_path / "benchmarks/experiments.yaml"
        experiments.parent.mkdir(exist_ok=True)
        experiments.write_text(yaml.safe_dump(table))
        return Workspace(params=path)

    return change


@pytest.mark.parametrize("profile", ["cpu", "smoke", "paper"])
def test_every_profile_passes(changed, good_clips, profile):
    corpora = {
        f"mine-{use}": {"loader": "folder", "path": str(good_clips.root), "use": [use]}
        for use in ("transfer", "pretraining", "fingerspelling")
    }
    assert params.check(changed({"profile": profile, "corpora": corpora})) == profile


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"profile": "papr"}, "unknown profile 'papr'; there are .*; did you mean paper"),
        ({"corpra": {}}, "unknown key 'corpra'; did you mean corpora"),
        ({"seed": "none"}, "seed must be a number, not 'none'"),
        (
            {"corpora": {"mine": {"loader": "folder", "path": "/nope"}}},
            r"mine: /nope is not there.*`signclip corpora enable mine FOLDER`",
        ),
        (
            {"corpora": {"mine": {"loader": "folder", "pth": "/nope"}}},
            "mine: pth: unknown key; did you mean path",
        ),
        ({"profiles/cpu/plan": "repr"}, "unknown plan 'repr'; there are"),
        (
            {"profiles/cpu/signclip/learning_rat": 1},
            "experiment '.*', profile 'cpu': learning_rat: unknown key; did you mean learning_rate",
        ),
        (
            {"profiles/cpu/signclip/towers/hiden_size": 1},
            "towers.hiden_size: unknown key; did you mean hidden_size",
        ),
        (
            {"profiles/cpu/skeletons/epoch": 1},
            "skeleton model '.*': epoch: unknown key; did you mean epochs",
        ),
        (
            {"rows": {"E6.1": {"base": "E6", "variant": "sign_vq", "augment": ["flip"]}}},
            "experiment 'E6.1': augmentation 'flip' cannot serve variant 'sign_vq'",
        ),
        (
            {"rows": {"E5.1": {"base": "E5", "title": "x", "augmnt": ["flip"]}}},
            "augmnt: unknown key; did you mean augment",
        ),
        ({"rows": {"E5.1": {"bse": "E5"}}}, "'E5.1': bse: unknown key; did you mean base"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_is_wrong_is_named(changed, values, message):
    with pytest.raises(ConfigError, match=message):
        params.check(changed(dict(values)))


def test_checking_needs_neither_data_nor_torch(tmp_path):
    code = "import sys; from benchmarks import cli; sys.argv = ['signbench', 'check-params']\n"
    code += "try: cli.main()\nexcept SystemExit as end: print(end.code, 'torch' in sys.modules)"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 False", done.stderr
    assert "params.yaml: profile cpu" in done.stdout


@pytest.mark.parametrize("words", [["train", "--stage", "signclip"], ["evaluate", "--plan"]])
def test_a_stage_that_is_run_without_make_checks_first(changed, monkeypatch, tmp_path, words):
    changed({"corpora": {"mine": {"loader": "folder", "path": "/nope"}}})
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli.app, words)
    assert isinstance(done.exception, ConfigError)
    assert "/nope is not there" in str(done.exception)


def test_no_table_is_written_for_a_profile_that_does_not_exist(changed, monkeypatch, tmp_path):
    changed({})
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli.app, ["table", "pretraining", "--profile", "papr"])
    assert "did you mean paper" in str(done.exception)
    assert not (tmp_path / "results").exists()
