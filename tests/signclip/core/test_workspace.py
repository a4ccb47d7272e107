"""Workspace and RunId: where things lie, and which folder a run's name means."""

import json
from pathlib import Path

import pytest

from signclip.core.errors import ConfigError
from signclip.core.workspace import (
    LOCAL,
    METRICS_FILE,
    RunId,
    Workspace,
    find_run,
    locate_run,
    outside_project,
    trained,
)

RUN = RunId("E7.2", "cpu", "letters-corpus", "letters", 0, 1)
PATH = Path("E7.2/1/letters-0")


def finished(folder: Path, fingerprint: str | None = None) -> Path:
    """A finished run, as far as it is looked up."""
    folder.mkdir(parents=True)
    metrics = {} if fingerprint is None else {"fingerprint": fingerprint}
    (folder / METRICS_FILE).write_text(json.dumps(metrics), encoding="utf-8")
    return folder


def test_a_run_has_a_path_below_a_folder_of_runs():
    assert RUN.path == PATH
    assert RunId("E1", "cpu", "x", "in_domain", None, 0).path == Path("E1/0/in_domain")


def test_a_workspaces_folders_are_relative_and_can_be_replaced():
    workspace = Workspace()
    assert workspace.corpus("x") == Path("data/x")
    assert workspace.store("x", "holistic") == Path("features/x/holistic")
    assert workspace.leaderboard == Path("results/leaderboard")
    moved = workspace.replace(runs=Path("other"), data=None)
    assert (moved.runs, moved.data) == (Path("other"), workspace.data)


def test_a_run_directly_in_the_folder_is_found_only_where_no_stage_has_it(tmp_path):
    direct = finished(tmp_path / PATH)
    finished(tmp_path / LOCAL / PATH)
    assert find_run(tmp_path, PATH) == direct
    staged = finished(tmp_path / "signclip" / PATH)
    assert find_run(tmp_path, PATH) == staged
    assert locate_run(tmp_path / PATH) == direct  # named by its full path


def test_a_run_is_found_in_the_folder_of_its_stage(tmp_path):
    run = finished(tmp_path / "fingerclip" / PATH)
    (tmp_path / "signclip" / PATH).mkdir(parents=True)  # not finished
    (tmp_path / "notes.txt").write_text("not a stage")
    assert find_run(tmp_path, PATH) == run
    assert Workspace(runs=tmp_path).find_run(RUN) == run
    assert Workspace(runs=tmp_path).find_run(PATH) == run


def test_different_runs_of_one_name_are_ambiguous_and_all_are_named(tmp_path):
    for stage in ("fingerclip", "signclip"):
        finished(tmp_path / stage / PATH, fingerprint=stage)
    with pytest.raises(ConfigError, match=r"several runs.*fingerclip.*signclip"):
        find_run(tmp_path, PATH)


def test_runs_without_a_fingerprint_are_different_runs(tmp_path):
    for stage in ("fingerclip", "signclip"):
        finished(tmp_path / stage / PATH)
    with pytest.raises(ConfigError, match="several runs"):
        find_run(tmp_path, PATH)


def test_equal_runs_of_several_stages_are_one(tmp_path):
    runs = [finished(tmp_path / stage / PATH, fingerprint="same") for stage in ("a", "b")]
    assert find_run(tmp_path, PATH) == runs[0]


def test_a_run_trained_by_hand_is_found_only_where_no_stage_has_it(tmp_path):
    local = finished(tmp_path / LOCAL / PATH, fingerprint="by hand")
    assert find_run(tmp_path, PATH) == local
    staged = finished(tmp_path / "signclip" / PATH, fingerprint="pipeline")
    assert find_run(tmp_path, PATH) == staged


@pytest.mark.parametrize("runs", ["there", "absent"])
def test_a_run_that_is_nowhere_has_the_direct_path(tmp_path, runs):
    (tmp_path / "there" / "signclip").mkdir(parents=True)
    assert find_run(tmp_path / runs, PATH) == tmp_path / runs / PATH


def test_a_path_without_its_stage_is_located(tmp_path):
    run = finished(tmp_path / "runs" / "signclip" / PATH)
    assert locate_run(tmp_path / "runs" / PATH) == run
    assert locate_run(run) == run  # exists as it is
    assert locate_run(Path("released.pt")) == Path("released.pt")
    assert locate_run(tmp_path / "runs" / "E1/0/x") == tmp_path / "runs" / "E1/0/x"


def test_the_finished_runs_of_an_experiment_are_listed_wherever_they_lie(tmp_path):
    for stage in ("fingerclip", "local"):
        for name in ("letters-0", f"in_domain-{stage}"):
            finished(tmp_path / stage / "E1/0" / name)
    finished(tmp_path / "E1/0/official")
    finished(tmp_path / "E1/1/other")
    (tmp_path / "E1/0/.half.work").mkdir()
    assert trained(tmp_path, "E1", 0) == [
        *("in_domain-fingerclip", "in_domain-local", "letters-0", "official")
    ]
    assert trained(tmp_path, "E2", 0) == []


def test_who_misses_a_file_outside_a_project_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = f"; {tmp_path} has no params.yaml: run this in the repository's folder"
    assert outside_project("data/x") == told
    assert outside_project(tmp_path / "data/x") == ""
    (tmp_path / "params.yaml").touch()
    assert outside_project("data/x") == ""
