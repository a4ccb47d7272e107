"""The repository's own promises: pins, pipeline, paths."""

import re
import subprocess
import sysconfig
from importlib.metadata import distributions
from pathlib import Path

import pytest
import yaml

from baselines import BASELINES
from benchmarks import tables
from signclip import config

ROOT = Path(__file__).parents[1]
PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
TRACKED = subprocess.run(
    ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
    cwd=ROOT,
    capture_output=True,
    text=True,
    check=False,
).stdout.split("\n")


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


def test_the_pipeline_trains_and_evaluates_what_the_table_shows():
    trained = PIPELINE["train"]["matrix"]["experiment"]
    assert PIPELINE["evaluate"]["matrix"]["experiment"] == trained
    assert PIPELINE["floors"]["matrix"]["baseline"] == list(BASELINES)
    assert sorted([*trained, *BASELINES]) == sorted(tables.encoders("fingerclip"))


def test_the_pipeline_packs_every_variant_that_a_row_trains_on():
    rows = config.read_yaml(ROOT / "benchmarks/experiments.yaml")
    trained = PIPELINE["train"]["matrix"]["experiment"]
    needed = {config.experiment_row(rows, name)["variant"] for name in trained}
    assert needed == set(PIPELINE["features"]["matrix"]["variant"])


@pytest.mark.parametrize("stage", PIPELINE)
def test_every_code_file_that_a_stage_depends_on_exists(stage):
    for path in PIPELINE[stage]["deps"]:
        if path.startswith(("signclip", "benchmarks", "baselines", "constraints")):
            assert (ROOT / path).exists(), path


def test_no_tracked_file_holds_a_machines_path_or_a_download_address():
    machine = re.compile(r"/(work|root|farm)/|/home/[a-z]|--(extra-)?index-url|--find-links")
    for name in filter(None, TRACKED):
        path = ROOT / name
        if path.suffix in {".png", ".pdf", ".npz"} or path == Path(__file__) or not path.is_file():
            continue
        assert not machine.search(path.read_text(encoding="utf-8")), name


def test_published_results_are_what_the_readme_says():
    """The README's headline numbers are those of the committed table."""
    table = ROOT / "results/tables/fingerclip.csv"
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r"^\| (E3\S*|1-NN) \|.*?\| (0\.\d\d) \[(0\.\d\d), (0\.\d\d)\]", readme, re.M)
    assert len(shown) == 6
    import pandas as pd

    rows = pd.read_csv(table, dtype=str, keep_default_na=False)
    names = dict(tables.published("fingerclip")[["config", "experiment"]].itertuples(index=False))
    rows["name"] = rows["config"].map(lambda config: names.get(config, "")).replace("", "1-NN")
    rows = rows[rows["ours_V2T_R@1_low"] != ""].set_index("name")
    for name, *numbers in shown:
        columns = ("ours_V2T_R@1", "ours_V2T_R@1_low", "ours_V2T_R@1_high")
        assert numbers == [f"{float(rows.loc[name, column]):.2f}" for column in columns], name
