"""Fine-tuning as README tells it: the commands train a run, and measure it."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks import results
from benchmarks.cli import app as signbench
from signclip.cli import app as signclip

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
PROGRAMS = {"signclip": signclip, "signbench": signbench}


@pytest.fixture
def project(trained, folder_corpus, make_pose, pose_bytes, tmp_path, monkeypatch) -> Path:
    """A project with a run of FingerCLIP, beside a folder of clips of three words."""
    for number in range(9):
        split = ("train", "validation", "test")[number // 3]
        content = pose_bytes(make_pose(seed=number, frames=4))
        folder_corpus.add(f"clip-{number}", content, text="abc"[number % 3], split=split)
    folder_corpus.write().rename(tmp_path / "my-clips")
    project = tmp_path / "project"
    shutil.copytree(trained.runs / "E3.2/0/letters-0", project / "runs/fingerclip/E3.2/0/letters-0")
    (project / "benchmarks").mkdir()
    for name in ("params.yaml", "benchmarks/experiments.yaml"):
        shutil.copy(ROOT / name, project / name)
    monkeypatch.chdir(project)
    return project


def run(line: str, *options: str) -> str:
    program, *words = shlex.split(line)
    done = CliRunner().invoke(PROGRAMS[program], [*words, *options])
    assert done.exit_code == 0, (done.output, done.exception)
    return done.stdout


@pytest.mark.slow
def test_the_readmes_commands_fine_tune_a_model_and_measure_the_run(project):
    train, evaluate = re.findall(r"^sign(?:clip train|bench evaluate) .*", README, re.M)
    assert shlex.split(evaluate)[2] in run(train, "--profile", "smoke", "--jobs", "1").splitlines()
    assert "retrieval: 3 texts" in run(evaluate)
    before = f"{evaluate.split('runs/')[0]}runs/E3.2/0/letters-0 {evaluate.split('official ')[1]}"
    run(before)
    (project / "runs/finetune/other").mkdir()
    shutil.copytree(
        project / "runs/finetune/my-clips-E3.2-0-letters-0/finetune",
        project / "runs/finetune/other/finetune",
    )
    run(evaluate.replace("my-clips-E3.2-0-letters-0", "other"))
    frame = results.load(project / "results/leaderboard")
    assert set(frame["encoder"]) == {
        "E3.2-0-letters-0",
        "my-clips-E3.2-0-letters-0-finetune-0-official",
        "other-finetune-0-official",
    }
    assert set(frame["n_evaluated"]) == {3}
