"""The repository's own promises: pins, the pipeline, make, what is imported when."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
from importlib.metadata import distributions
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from baselines.floors import FLOORS
from baselines.skeletons import recipe, table
from benchmarks import local_corpora, suites
from signclip.core.config import read_yaml
from signclip.core.workspace import RunId, Workspace
from signclip.experiments import table as experiments

ROOT = Path(__file__).parents[1]
PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
STAGES = {name: stage.get("do", stage) for name, stage in PIPELINE.items()}
WORKSPACE = Workspace(params=ROOT / "params.yaml")
PLANS = read_yaml(suites.SUITES_FILE)["plans"]
SPLITS = (suites.LETTERS, suites.IN_DOMAIN, suites.UNSEEN)


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_installed_package_is_pinned_to_its_version():
    pins = dict(
        line.split("==") for line in (ROOT / "constraints.txt").read_text().split() if "==" in line
    )
    pins = {canonical(name): version for name, version in pins.items()}
    for package in distributions(path=[sysconfig.get_path("purelib")]):
        name = canonical(package.metadata["Name"])
        if name in {"signclip", "pip"}:
            continue
        assert pins.get(name) == package.version.split("+")[0], name


def test_tensorboard_starts():
    """It imports pkg_resources, which setuptools 82 no longer has."""
    command = [Path(sys.executable).with_name("tensorboard"), "--version"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", done.stdout)


def test_the_pins_hold_versions_only():
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        assert re.fullmatch(r"[A-Za-z0-9_.-]+==[A-Za-z0-9.]+", line), line


# --- the pipeline


def paths(stage: str, kind: str) -> list[str]:
    listed = STAGES[stage].get(kind, [])
    return [one if isinstance(one, str) else next(iter(one)) for one in listed]


def test_a_person_can_read_the_pipeline():
    assert len((ROOT / "dvc.yaml").read_text().splitlines()) <= 320
    modules = {path for stage in STAGES for path in paths(stage, "deps") if path.endswith(".py")}
    assert len(modules) <= 8, modules


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_what_exists_and_owns_folders(stage):
    for path in paths(stage, "deps"):
        if path.split("/")[0] in ("signclip", "benchmarks", "baselines", "constraints.txt"):
            assert (ROOT / path).exists(), path
    for path in paths(stage, "outs"):
        assert not Path(path).suffix, path


def test_no_two_stages_write_into_one_folder():
    outs = [
        Path(path.replace("${embedded}", "embedded"))
        for stage in STAGES
        for path in paths(stage, "outs")
    ]
    for first, second in combinations(outs, 2):
        assert not first.is_relative_to(second), (first, second)
        assert not second.is_relative_to(first), (first, second)


def test_nothing_but_the_corpus_and_the_plan_decides_what_a_stage_runs():
    rows = {*read_yaml(ROOT / "benchmarks/experiments.yaml"), *table.models(), *FLOORS}
    text = (ROOT / "dvc.yaml").read_text()
    named = {row for row in rows if re.search(rf"(?<![\w.-]){re.escape(row)}(?![\w.-])", text)}
    assert named <= {"X", "FingerCLIP"}  # in descriptions


@pytest.mark.parametrize("name", PLANS)
def test_a_plan_evaluates_what_it_trains(name):
    plan = suites.plan(name)
    rows = read_yaml(ROOT / "benchmarks/experiments.yaml")
    for split in SPLITS:
        trained = {
            row for stage in plan.train.values() for row in suites.expand(stage.get(split, ()))
        }
        evaluated = suites.evaluated(split, among=plan)
        weights = {
            experiments.experiment_row(rows, row).get("weights_of", row) if row in rows else row
            for row in evaluated
        }
        floors = set(FLOORS) if name == "repro" else weights & set(FLOORS)  # smoke: one of a kind
        assert weights == {*trained, *floors}, split
        assert floors, split
        assert set(suites.expand(plan.protocols.get(split, ()))) <= trained, split


def test_the_pipeline_trains_each_row_of_the_papers_tables():
    plan = suites.plan()
    assert set(suites.expand(plan.train["fingerclip"]["letters"])) == set(
        suites.expand(["fingerclip"])
    )
    assert {*suites.expand(["pretraining", "best"])} == set(
        suites.expand(plan.train["signclip"]["in_domain"])
    )


@pytest.mark.parametrize("profile", ["cpu", "smoke", "paper"])
def test_every_profile_resolves_every_row_of_its_plan(profile):
    plan = suites.plan_of(profile, WORKSPACE.params)
    for stage in plan.train.values():
        for split, names in stage.items():
            for row in suites.expand(names):
                run = RunId(row, profile, "c", split, 0, 0)
                if row in table.models():
                    assert recipe.resolve(run, WORKSPACE.params).run_id == run
                else:
                    assert experiments.resolve(run, WORKSPACE).run_id == run


def test_every_profile_has_a_recipe_for_every_skeleton_model():
    for profile in ("cpu", "smoke", "paper"):
        for name in table.models():
            run = RunId(name, profile, "c", "letters", 0, 0)
            assert recipe.resolve(run, WORKSPACE.params).model == name


def test_the_variants_that_are_packed_are_those_that_rows_need():
    plan = suites.plan()
    rows = [row for names in plan.evaluate.values() for row in names]
    assert local_corpora.variants(rows, WORKSPACE) == [
        *("dominant_hand", "dominant_hand_normalized", "holistic_468", "reduced_face"),
        *("reduced_face_mirrored", "reduced_face_mirrored_anonymized"),
        *("sign_vq", "sign_vq_anonymized", "sign_vq_unscaled", "signing"),
    ]
    assert local_corpora.variants(["dtw"], WORKSPACE) == ["dominant_hand"]
    assert local_corpora.variants(["stgcn"], WORKSPACE) == ["reduced_face_mirrored"]
    for use, named in local_corpora.ROWS.items():
        assert local_corpora.variants(named, WORKSPACE), use


def test_a_fine_tuned_row_starts_from_the_pretrained_row_of_its_name():
    finetuned = suites.expand(["finetuned"])
    origins = [row.removesuffix(local_corpora.FINETUNED) for row in finetuned]
    assert origins == suites.expand(["everywhere"])
    pretrained = local_corpora.read_pretrained(WORKSPACE.params)
    plan = suites.plan().train[pretrained.runs.name]
    assert set(origins) <= set(suites.expand(plan[pretrained.run]))


# Plays `python` in a copy of dvc.yaml: notes its words and writes a file into each output of the
# stage whose command it is, as a real one would, after clearing what does not persist.
STUB = """#!{python} -IS
import json, pathlib, sys
words = " ".join(["python", *sys.argv[1:]])
with open("words", "a") as log:
    log.write(words + "\\n")
lock = json.loads(pathlib.Path("resolved.json").read_text())
for stage in lock.values():
    if words in [" ".join(line.split()) for line in stage["cmd"]]:
        for out in stage["outs"]:
            pathlib.Path(out).mkdir(parents=True, exist_ok=True)
            pathlib.Path(out, "made").write_text(words)
"""


def write_short_params(path: Path) -> None:
    """A params.yaml with the profile's name alone.

    DVC parses the file for every stage, in Python: the recipes, of which stages take the whole,
    would be most of the work of `dvc repro`.
    """
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    profile = params["profile"]
    of_paper = {"fingerclip": "none", "signclip": "none"}  # the points count its models
    named = {"paper": of_paper, profile: {"plan": params["profiles"][profile]["plan"]}}
    short = params | {"profiles": named}
    path.write_text(yaml.safe_dump(short))


def write_resolved(path: Path) -> None:
    """What the commands of the pipeline are and which folders they fill, by stage."""
    values = {
        "${embedded}": "spreadthesign-fingerspelling",
        "${jobs}": "2",
        "${seed}": "0",
        "${profile}": "cpu",
    }
    resolved = {}
    for stage, content in PIPELINE.items():
        if "do" not in content:
            commands = content["cmd"] if isinstance(content["cmd"], list) else [content["cmd"]]
            text = json.dumps({"cmd": commands, "outs": paths(stage, "outs")})
            for name, value in values.items():
                text = text.replace(name, value)
            resolved[stage] = json.loads(text)
    path.write_text(json.dumps(resolved))


class Project(NamedTuple):
    """A folder with dvc.yaml and params.yaml whose commands are played."""

    folder: Path

    def dvc(self, *words: str) -> str:
        """Run the command there; what it prints."""
        dvc = shutil.which("dvc", path=str(Path(sys.executable).parent)) or "dvc"
        environment = {
            "PATH": f"{self.folder / 'bin'}:/usr/bin:/bin",
            "HOME": str(self.folder),
            "DVC_NO_ANALYTICS": "1",
        }
        done = subprocess.run(
            [dvc, *words], cwd=self.folder, capture_output=True, text=True, env=environment
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def repro(self) -> list[str]:
        """The commands that `dvc repro` runs."""
        (self.folder / "words").write_text("")
        self.dvc("repro")
        return (self.folder / "words").read_text().splitlines()


@pytest.fixture(scope="module")
def new_project(tmp_path_factory) -> Project:
    """A project where nothing has been run. Not to be changed by a test."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("dvc.yaml", "constraints.txt", ".dvcignore"):
        shutil.copy(ROOT / name, folder / name)
    write_short_params(folder / "params.yaml")
    write_resolved(folder / "resolved.json")
    for stage in STAGES:
        for path in paths(stage, "deps"):
            if path.split("/")[0] in ("signclip", "benchmarks", "baselines"):
                place = folder / path
                if place.suffix:
                    place.parent.mkdir(parents=True, exist_ok=True)
                    place.touch()
                else:
                    place.mkdir(parents=True, exist_ok=True)
    programs = folder / "bin"
    programs.mkdir()
    (programs / "python").write_text(STUB.format(python=sys.executable))
    (programs / "python").chmod(0o755)
    made = Project(folder)
    made.dvc("init", "--no-scm", "--quiet")
    (folder / "results/leaderboard").mkdir(parents=True)
    return made


@pytest.fixture(scope="module")
def played_project(new_project, tmp_path_factory) -> tuple[Project, list[str]]:
    """A project after its first `dvc repro`, and the commands that it ran. Not to be changed."""
    folder = tmp_path_factory.mktemp("played") / "project"
    played = Project(shutil.copytree(new_project.folder, folder))
    return played, played.repro()


@pytest.fixture
def project(played_project, tmp_path) -> Project:
    """A copy of the played project; its files are as old as the original ones."""
    return Project(shutil.copytree(played_project[0].folder, tmp_path / "project"))


@pytest.mark.slow
def test_every_command_of_the_pipeline_is_run_once(played_project):
    _, commands = played_project
    assert len(set(commands)) == len(commands) == 11


@pytest.mark.slow
def test_a_result_of_another_group_is_kept_and_trains_nothing(project):
    folder, repro = project.folder, project.repro
    assert repro() == []
    for group in ("full", "local", "submitted"):
        result = folder / "results/leaderboard" / group / "mine.json"
        result.parent.mkdir()
        result.write_text(group)
    assert [words.split()[3] for words in repro()] == ["paper"]  # the tables read all groups
    for group in ("full", "local", "submitted"):
        assert (folder / "results/leaderboard" / group / "mine.json").read_text() == group
    runs = folder / "runs/full/E5/0/letters-0"
    runs.mkdir(parents=True)
    (folder / "results/leaderboard/local/another.json").write_text("by hand: no table reads it")
    assert repro() == []
    assert runs.is_dir()


@pytest.mark.slow
def test_a_new_row_is_trained_and_changes_no_stage(project):
    (project.folder / "benchmarks/experiments.yaml").write_text("Y: {base: X}\n")
    again = [words.split()[3:6] for words in project.repro()]
    assert ["train", "--stage", "fingerclip"] in again
    assert ["train", "--stage", "skeletons"] not in again


@pytest.mark.slow
def test_a_local_corpus_has_stages_once_it_is_named(new_project, tmp_path):
    project = Project(shutil.copytree(new_project.folder, tmp_path / "project"))
    before = set(project.dvc("stage", "list", "--name-only").split())
    params = project.folder / "params.yaml"
    named = "corpora:\n  mine: {loader: folder, path: ../my clips, use: [transfer]}\n"
    params.write_text(params.read_text().replace("corpora: {}\n", named))
    after = set(project.dvc("stage", "list", "--name-only").split())
    assert after - before == {
        f"{stage}@mine" for stage in ("local_corpus", "pretraining", "transfer")
    }


# --- make


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """Runs make in a copy of Makefile and params.yaml, with programs that only note their words."""
    for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):  # of `make test`: a make of its own here
        monkeypatch.delenv(name, raising=False)
    for name in ("Makefile", "params.yaml", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "results/tables").mkdir(parents=True)
    (tmp_path / "results/tables/fingerclip.md").touch()
    programs = tmp_path / ".venv/bin"
    programs.mkdir(parents=True)
    for name in ("dvc", "python"):
        (programs / name).write_text(
            f'#!/bin/sh\necho {name} "$@" >> words\ngrep "^profile:" params.yaml >> profiles\n'
        )
        (programs / name).chmod(0o755)
    (tmp_path / ".venv/.ready").touch()

    def make(*words: str) -> list[str]:
        subprocess.run(["make", *words], cwd=tmp_path, check=True, capture_output=True)
        return (tmp_path / "words").read_text().splitlines()

    return make


needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="no make here")


@needs_make
def test_a_plan_of_another_profile_changes_nothing(checkout, tmp_path):
    assert checkout("plan", "PROFILE=paper") == ["dvc repro --dry --force"]
    assert (tmp_path / "profiles").read_text() == "profile: paper\n"
    assert (tmp_path / "params.yaml").read_bytes() == (ROOT / "params.yaml").read_bytes()


@needs_make
def test_open_corpora_are_fetched_before_anything_else(checkout, tmp_path):
    assert checkout("repro", "CORPORA=open")[:2] == [
        "python -m benchmarks open-corpora",
        "python -m benchmarks check-params",
    ]
    (tmp_path / "words").unlink()
    planned = ["python -m benchmarks open-corpora --register-only", "dvc repro --dry --force"]
    assert checkout("plan", "CORPORA=open") == planned
    (tmp_path / ".venv/bin/python").write_text("#!/bin/sh\nexit 2\n")  # no connection
    before = (tmp_path / "params.yaml").read_bytes()
    for words in (["CORPORA=open", "PROFILE=paper"], ["CORPORA=all"]):
        (tmp_path / "words").unlink(missing_ok=True)
        with pytest.raises(subprocess.CalledProcessError):
            checkout("repro", *words)
        assert not (tmp_path / "words").exists()
        assert (tmp_path / "params.yaml").read_bytes() == before


def stub_dvc(folder: Path, script: str) -> None:
    """A program in the place of DVC, which knows that there are three stages."""
    stub = folder / ".venv/bin/dvc"
    stages = 'if [ "$1" = stage ]; then printf "a\\nb\\nc\\n"; exit; fi'
    stub.write_text(f"#!/bin/bash\n{stages}\n{script}")


@needs_make
@pytest.mark.parametrize("status", [0, 3])
def test_each_stage_is_one_of_how_many_and_a_failure_stays_one(checkout, tmp_path, status):
    stub_dvc(
        tmp_path,
        "echo \"Stage 'a' didn't change, skipping\"\n"
        "echo \"Running stage 'b':\"\n"
        "printf '> python %%d \\\\n\\n'\n"
        f"echo \"Stage 'c' is cached - skipping run\"\nexit {status}\n",
    )
    done = subprocess.run(["make", "repro"], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode == 0) == (status == 0)
    assert done.stdout.splitlines()[:4] == [
        "stage 1 of 3: Stage 'a' didn't change, skipping",
        "stage 2 of 3: Running stage 'b':",
        "> python %d \\n",
        "stage 3 of 3: Stage 'c' is cached - skipping run",
    ]
    words = (tmp_path / "words").read_text().splitlines()
    page = ["python -m benchmarks leaderboard --without local"] if status == 0 else []
    assert words == ["python -m benchmarks check-params", *page]


@needs_make
def test_the_last_words_after_ctrl_c_are_shown(checkout, tmp_path):
    stub_dvc(
        tmp_path,
        "trap 'echo last words; exit 130' INT\n"
        "echo \"Running stage 'a':\"\nsleep 60 > /dev/null 2>&1 & wait\n",
    )
    started = subprocess.Popen(
        ["make", "repro"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        # a worker of the tests may ignore it, which its children would inherit
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert started.stdout.readline() == "stage 1 of 3: Running stage 'a':\n"
    os.killpg(started.pid, signal.SIGINT)  # as a terminal does
    shown, _ = started.communicate(timeout=30)
    assert "last words\n" in shown
    assert started.returncode != 0


@needs_make
def test_full_adds_seeds_and_splits_to_what_the_pipeline_has(checkout, tmp_path):
    params = tmp_path / "params.yaml"
    params.write_text(re.sub(r"^seed: \d+", "seed: 5", params.read_text(), flags=re.M))
    words = checkout("full", "PROFILE=cpu")
    trained = [line for line in words if "benchmarks train" in line]
    evaluated = [line for line in words if "benchmarks evaluate" in line]
    assert all("--runs runs/full --profile cpu --jobs 2" in line for line in trained)
    assert all("--group full --profile cpu" in line for line in evaluated)
    more, every, one = "--seed 6 --seed 7", "--seed 5 --seed 6 --seed 7", "--seed 5"
    folds = "--split letters --split unseen_language"
    assert [line.split(" --jobs 2 ")[1] for line in trained] == [
        f"everywhere --split letters {more}",
        f"everywhere --split unseen_language {every}",
        f"E7.2 best --split in_domain {more}",
        f"beyond --without best --split in_domain {every}",
        f"pretraining beyond --without everywhere {folds} {one}",
    ]
    assert [line.split(" --profile cpu ")[1] for line in evaluated] == [
        f"everywhere floors {folds} {every}",
        f"E7.2 beyond floors --split in_domain {every}",
        f"pretraining tested beyond --without everywhere {folds} {one}",
    ]
    assert [line for line in words if "benchmarks protocols" in line] == [
        "python -m benchmarks protocols --publish --group full --profile cpu "
        f"X --split unseen_language {one}"
    ]


# --- imports


def imported_by(*modules: str) -> list[str]:
    """The packages that take seconds to import, of all that come with modules."""
    slow = ("torch", "transformers", "mmengine", "sklearn", "seaborn")
    code = f"import sys, {', '.join(modules)}; "
    code += f"print(*(name for name in {slow} if name in sys.modules))"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout.split()


def test_tables_floors_and_the_parents_of_trainings_need_no_torch():
    tables = sorted((ROOT / "benchmarks/report/tables").glob("[a-z]*.py"))
    tasks = sorted((ROOT / "benchmarks/tasks").glob("[a-z]*.py"))
    assert tables
    assert tasks
    assert (
        imported_by(
            *(f"benchmarks.report.tables.{path.stem}" for path in tables),
            *(f"benchmarks.tasks.{path.stem}" for path in tasks),
            *("benchmarks.suites", "benchmarks.cli", "benchmarks.local_corpora"),
            *("baselines.floors.dtw", "baselines.floors.nearest_neighbour"),
            *("baselines.skeletons.launch", "signclip.cli", "signclip.training.launch"),
        )
        == []
    )
