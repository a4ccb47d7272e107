"""The repository's own promises: pins, pipeline, paths."""

import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from importlib.metadata import distributions
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest
import yaml

from baselines import BASELINES
from baselines.skeletons import graph, recipe, table, training
from benchmarks import suites
from benchmarks.evaluation import encoders, galleries
from benchmarks.report.tables import breakdown, fingerclip, protocols, transfer
from signclip.experiments import config
from signclip.training import train

ROOT = Path(__file__).parents[1]
PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
TRACKED = subprocess.run(
    ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
    cwd=ROOT,
    capture_output=True,
    text=True,
    check=False,
).stdout.split("\n")


PRETRAIN = (
    *("pretrain_corpus", "pretrain_features", "pretrain", "pretrain_evaluate"),
    "pretrain_protocols",
)


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


def test_the_pins_hold_versions_only():
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        assert re.fullmatch(r"[A-Za-z0-9_.-]+==[A-Za-z0-9.]+", line), line


def rows_of(stage: str) -> list[str]:
    """The rows that a stage's command names."""
    words = PIPELINE[stage]["cmd"].split()
    return suites.expand(words[4 : words.index("--split")])


def outputs(stage: str) -> set[str]:
    """What a stage writes, as for seed 0 in profile cpu."""
    paths = (out if isinstance(out, str) else next(iter(out)) for out in PIPELINE[stage]["outs"])
    return {path.replace("${seed}", "0").replace("${profile}", "cpu") for path in paths}


def results_of(split: str, rows: Iterable[str]) -> set[str]:
    tasks = ["retrieval"] if split == "letters" else ["retrieval", "tagged_retrieval"]
    return {
        f"results/leaderboard/{row}/cpu/{task}.spreadthesign-fingerspelling.{split}.json"
        for row in rows
        for task in tasks
    }


ROWS_TRAINED = {  # stage -> its splits
    "train": ["letters"],
    "train_in_domain": ["in_domain"],
    "train_folds": ["letters", "unseen_language"],
}
TRAINED = {**ROWS_TRAINED, "train_skeletons": ["letters"]}
MEASURED = {stage.replace("train", "evaluate"): chosen for stage, chosen in TRAINED.items()}
TESTED = list(suites.read()["tested"])


@pytest.mark.parametrize("stage", TRAINED)
def test_the_pipeline_trains_every_fold_of_its_rows(stage):
    folds = {"letters": range(5), "unseen_language": range(5), "in_domain": [None]}
    assert outputs(stage) == {
        f"runs/{row}/0/{config.run_name(split, fold)}"
        for row in rows_of(stage)
        for split in TRAINED[stage]
        for fold in folds[split]
    }


@pytest.mark.parametrize("stage", MEASURED)
def test_the_pipeline_evaluates_what_it_trains_and_what_is_tested_with_it(stage):
    trained = rows_of(stage.replace("evaluate", "train"))
    rows = rows_of(stage)
    assert sorted(rows) == sorted([*trained, *(TESTED if stage == "evaluate_in_domain" else [])])
    wanted = {f"predictions/{row}/{split}" for row in rows for split in MEASURED[stage]}
    for split in MEASURED[stage]:
        wanted |= results_of(split, rows)
    assert outputs(stage) == wanted
    runs = {path for path in PIPELINE[stage]["deps"] if path.startswith("runs/")}
    made = PIPELINE[stage.replace("evaluate", "train")]["outs"]
    assert runs == {next(iter(out)) for out in made}


def test_skeleton_models_depend_on_the_code_that_decides_their_runs():
    deciding = {f"baselines/{name}.py" for name in training._OWN}
    deciding |= {f"signclip/{name}.py" for name in training._SHARED}
    assert deciding <= set(PIPELINE["train_skeletons"]["deps"])
    assert "profiles.${profile}.skeletons" in PIPELINE["train_skeletons"]["params"]


def test_retrieval_is_taken_apart_where_it_is_measured():
    deps = {path for path in PIPELINE["breakdown"]["deps"] if path.startswith("predictions/")}
    assert deps == {
        f"predictions/{name}/{split}"
        for split, rows in breakdown.ROWS.items()
        for name in suites.expand(rows)
    }


def test_the_curves_are_of_every_fold_of_the_models_and_of_the_rows_beside_them():
    stage = PIPELINE["figures_skeletons"]
    words = stage["cmd"].split()
    rows = [after for word, after in pairwise(words) if word == "--beside"]
    assert rows
    assert {path for path in stage["deps"] if path.startswith("runs/")} == {
        f"runs/{name}/${{seed}}/{config.run_name('letters', fold)}"
        for name in (*table.models(), *rows)
        for fold in range(5)
    }


def test_a_corpus_of_ones_own_is_a_stage_once_it_is_named(tmp_path):
    stage = PIPELINE["elsewhere"]["do"]
    named = [word for line in stage["cmd"] for word in line.split()]
    for name in suites.expand(["finetuned"]):
        place = named.index(name)
        begun = name.removesuffix("-finetuned")
        assert named[place - 3 : place] == [
            "--init",
            f"${{pretrained.runs}}/{begun}/${{seed}}/${{pretrained.run}}",
            "--name",
        ]
    # unless something else is chosen, what is pretrained are this pipeline's runs on in_domain
    pretrained = yaml.safe_load((ROOT / "params.yaml").read_text())["pretrained"]
    assert {
        f"{pretrained['runs']}/{row}/0/{pretrained['run']}" for row in suites.expand(["everywhere"])
    } <= outputs("train_in_domain")
    assert set(suites.expand(["finetuned"])) == {
        f"{row}-finetuned" for row in suites.expand(["everywhere"])
    }
    two = "{mine: {corpus: folder, path: ../mine}, others: {corpus: asl-citizen, path: ../ac}}"
    own = "{spreadthesign: {corpus: spreadthesign, path: ../sts}}"
    assert stages_more(tmp_path, f"elsewhere: {two}", f"pretraining: {own}") == {
        "elsewhere@mine",
        "elsewhere@others",
        *(f"{name}@spreadthesign" for name in PRETRAIN),
    }


def stages_more(folder: Path, *named: str) -> set[str]:
    """Stages that there are once params.yaml names corpora, and not before."""
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copy(ROOT / name, folder)
    dvc = [shutil.which("dvc") or "dvc"]
    subprocess.run([*dvc, "init", "--no-scm", "--quiet"], cwd=folder, check=True)
    listed, params = [], folder / "params.yaml"
    for wanted in ((), named):
        text = params.read_text()
        for line in wanted:
            text = text.replace(f"{line.split(':')[0]}: {{}}", line)
        params.write_text(text)
        command = [*dvc, "stage", "list", "--name-only"]
        done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
        listed.append(set(done.stdout.split()))
    return listed[1] - listed[0]


def imported_by(*modules: str) -> list[str]:
    """What takes seconds to import, of all that comes with modules."""
    slow = ("torch", "transformers", "mmengine", "sklearn", "seaborn")
    asked = f"import sys, {', '.join(modules)}; "
    asked += f"print(*(name for name in {slow} if name in sys.modules))"
    command = [sys.executable, "-c", asked]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout.split()


def test_tables_floors_and_who_waits_for_trainings_need_no_torch():
    tables = ("tables", "tables_beyond", "tables_breakdown", "tables_elsewhere")
    tables += ("tables_iconicity", "tables_pretraining", "tables_protocols")
    others = ("ablation", "evaluate", "predictions", "suites")
    assert (
        imported_by(
            *(f"benchmarks.{name}" for name in (*tables, *others)),
            *(
                "baselines.floors.dtw",
                "baselines.floors.nearest_neighbour",
                "baselines.skeletons.launch",
            ),
            *("signclip.cli", "signclip.training.launch"),
        )
        == []
    )


def test_a_model_is_opened_without_what_trains():
    assert imported_by("signclip.inference") == ["torch", "transformers"]
    assert "torch" not in imported_by("benchmarks.report.figures.skeletons")


def test_the_papers_corpus_gets_every_row_of_the_pretraining_table():
    outs = {next(iter(out)) for name in PRETRAIN for out in PIPELINE[name]["do"]["outs"]}
    assert all("${key}" in out for out in outs)
    trained = {out for out in outs if out.startswith(("runs/", "predictions/"))}
    assert all("${profile}" in out for out in trained)  # another profile trains beside them
    table, params = ROOT / "benchmarks/experiments.yaml", ROOT / "params.yaml"
    rows = [*fingerclip.published("pretraining")["experiment"], "X"]
    variants, expected = set(), set()
    for name in rows:
        trained, other = encoders.trained_as(table, name)
        resolved = config.resolve(
            *(table, params, trained),
            profile="paper",
            corpus="spreadthesign",
            split="official",
            fold=None,
            seed=0,
        )
        assert galleries.is_tagged(resolved.prompt)
        variants |= {resolved.variant, other.get("variant", resolved.variant)}
        expected.add(
            f"results/leaderboard/{name}/${{profile}}/tagged_retrieval.${{key}}.official.json"
        )
    expected |= {
        f"results/leaderboard/{name}/${{profile}}/{task}.${{key}}.official.json"
        for name in suites.expand(["everywhere"])
        for task in protocols.OF_THE_PAPER
    }
    assert {out for out in outs if out.startswith("results/")} == expected
    packed = PIPELINE["pretrain_features"]["do"]["cmd"].split()
    assert {after for word, after in pairwise(packed) if word == "--variant"} == variants


def test_what_a_corpus_of_ones_own_gives_is_what_its_table_shows():
    outs = [next(iter(out)) for out in PIPELINE["elsewhere"]["do"]["outs"]]
    # two corpora share nothing but the pretrained runs
    assert all("${key}" in out for out in outs)
    official = pd.DataFrame({"id": list("ab"), "role": ["train", "test"]})
    clips = pd.DataFrame(
        {
            "id": list("ab"),
            "text": ["tree", "sun"],
            "sign_language": "ase",
            "spoken_language": "en",
        }
    )
    asked = {}
    for template in (galleries.PAIR, "{label}", "<en> <{sign_language}> {text}"):
        [gallery] = galleries.of("official", clips, official, template)
        asked[template] = gallery.task
        assert len(gallery.names) == 1  # of the test clip
    expected = set()
    for line in transfer.lines("${profile}", "${pretrained.run}"):
        if line.way == transfer.IN_VOCABULARY:
            continue  # of a corpus whose labels pretraining had often: no stage can promise it
        template = "{label}" if line.encoder in table.models() else "<en> <{sign_language}> {text}"
        template = galleries.PAIR if line.way == transfer.FLOOR else template
        own = "zero_shot" if line.way == transfer.ZERO_SHOT else asked[template]
        assert own in line.asked
        tasks = [own]
        if template.startswith("<en>"):
            tasks += transfer.RECOGNITION
        folder = f"results/leaderboard/{line.encoder}/{line.revision}"
        expected |= {f"{folder}/{task}.${{key}}.official.json" for task in tasks}
    assert {out for out in outs if out.startswith("results/leaderboard")} == expected


def test_what_the_tables_expect_on_a_split_is_what_the_pipeline_measures():
    """A result that the tables ask for is some stage's output, and the other way round."""
    floors = {out for item in PIPELINE["floors"]["outs"] for out in item if isinstance(item, dict)}
    made = {
        path.replace("${item.baseline}", name).replace("${profile}", "cpu")
        for path in floors
        for name in PIPELINE["floors"]["matrix"]["baseline"]
    }
    for stage in MEASURED:
        made |= {path for path in outputs(stage) if path.startswith("results/")}
    assert PIPELINE["floors"]["matrix"]["baseline"] == list(BASELINES)
    expected = set()
    for split in ("letters", "in_domain", "unseen_language"):
        expected |= results_of(split, suites.measured(split))
    assert made == expected
    shown = {row for row in fingerclip.published("pretraining")["experiment"] if row}
    assert shown == set(suites.expand(["pretraining", "tested"]))
    assert set(fingerclip.encoders()) == {
        *suites.expand(["fingerclip", "skeletons"]),
        *BASELINES,
    }


def test_every_profile_has_a_recipe_for_every_skeleton_model():
    for profile in ("cpu", "smoke", "paper"):
        for name in table.models():
            where = dict(profile=profile, corpus="c", split="letters", fold=0, seed=0)
            assert recipe.resolve(ROOT / "params.yaml", name, **where).model == name


def test_the_pipeline_asks_every_protocol_that_the_table_shows():
    rows = suites.expand(["everywhere"])
    assert rows_of("protocols") == rows
    assert outputs("protocols") == {
        f"results/leaderboard/{row}/cpu/{name}.spreadthesign-fingerspelling.{split}.json"
        for row in rows
        for split in protocols.SPLITS
        for name in protocols.expected(split)
    } | {f"predictions/{row}/protocols" for row in rows}
    asked = {path for path in PIPELINE["protocols"]["deps"] if path.startswith("runs/")}
    made = {
        next(iter(out))
        for stage in ROWS_TRAINED
        for out in PIPELINE[stage]["outs"]
        if "runs/" in str(out)
    }
    assert asked == {path for path in made if path.split("/")[1] in rows}


@pytest.mark.parametrize("stage", ROWS_TRAINED)
def test_a_stage_is_run_again_when_the_recipe_of_one_of_its_rows_changes(stage):
    rows = config.read_yaml(ROOT / "benchmarks/experiments.yaml")
    recipes = {config.experiment_row(rows, name)["recipe"] for name in rows_of(stage)}
    wanted = {f"profiles.${{profile}}.{recipe}" for recipe in recipes}
    assert wanted <= set(PIPELINE[stage]["params"])


@pytest.fixture
def checkout(tmp_path):
    """Runs make in a copy of Makefile and params.yaml, with programs that only note their words."""
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
def test_all_rows_are_measured_on_all_splits_in_full_with_the_pipelines_seed(checkout, tmp_path):
    params = tmp_path / "params.yaml"
    params.write_text(re.sub(r"^seed: \d+", "seed: 5", params.read_text(), flags=re.M))
    words = checkout("full", "PROFILE=cpu")
    trained = [line for line in words if "benchmarks train" in line]
    measured = [line for line in words if "benchmarks evaluate" in line]
    three, one = "--seed 5 --seed 6 --seed 7", "--seed 5"
    folds = "--split letters --split unseen_language"
    assert [line.split(" --jobs 2 ")[1] for line in trained] == [
        f"E7.2 beyond --split in_domain {three}",
        f"everywhere {folds} {three}",
        f"pretraining beyond {folds} {one}",
    ]
    assert [line.split(" --profile cpu ")[1] for line in measured] == [
        f"--revision cpu-full {three} E7.2 beyond baselines --split in_domain",
        f"--revision cpu-full {three} everywhere baselines {folds}",
        f"in_domain_only {folds} {one}",  # what the pipeline itself measures there stays its own
    ]
    everywhere = set(suites.expand(["everywhere"]))
    rest = set(suites.expand(["in_domain_only"]))
    assert rest.isdisjoint(everywhere)
    assert rest | everywhere == set(suites.expand(["pretraining", "tested", "beyond"]))


def test_rows_that_train_nothing_are_tested_with_runs_of_the_same_stage():
    table = ROOT / "benchmarks/experiments.yaml"
    for name in TESTED:
        trained, variant = config.tested_as(table, name)
        assert variant is not None
        assert trained in rows_of("train_in_domain")


def test_the_pipeline_packs_every_variant_that_a_row_needs():
    rows = config.read_yaml(ROOT / "benchmarks/experiments.yaml")
    named = {row for suite in suites.read().values() for row in suite}
    named -= {*BASELINES, *table.models(), *suites.expand(["finetuned"])}
    needed = {config.experiment_row(rows, name)["variant"] for name in named} | {graph.VARIANT}
    packed = re.findall(r"--variant (\w+)", PIPELINE["features"]["cmd"])
    made = [f"features/spreadthesign-fingerspelling/{variant}" for variant in packed]
    assert (needed, made) == (set(packed), PIPELINE["features"]["outs"])


def test_stages_of_a_kind_depend_on_the_same_code():
    for kind in (ROWS_TRAINED, [stage.replace("train", "evaluate") for stage in ROWS_TRAINED]):
        code = [
            {path for path in PIPELINE[stage]["deps"] if path.endswith(".py")} for stage in kind
        ]
        assert all(files == code[0] for files in code)
    deciding = {f"signclip/{name}.py" for name in train._DECIDING}
    assert deciding <= set(PIPELINE["train"]["deps"])


@pytest.mark.parametrize("stage", PIPELINE)
def test_every_code_file_that_a_stage_depends_on_exists(stage):
    for path in PIPELINE[stage].get("do", PIPELINE[stage])["deps"]:
        if path.startswith(("signclip", "benchmarks", "baselines", "constraints")):
            assert (ROOT / path).exists(), path


def test_no_tracked_file_holds_a_machines_path_or_a_download_address():
    machine = re.compile(r"/(work|root|farm)/|/home/[a-z]|--(extra-)?index-url|--find-links")
    for name in filter(None, TRACKED):
        path = ROOT / name
        if path.suffix in {".png", ".pdf", ".npz"} or path == Path(__file__) or not path.is_file():
            continue
        assert not machine.search(path.read_text(encoding="utf-8")), name
