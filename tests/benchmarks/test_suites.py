"""Suites: names for rows, and all their runs by one command."""

import importlib
import inspect
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from baselines.skeletons import recipe
from benchmarks import __main__ as command
from benchmarks import suites
from signclip.core.errors import ConfigError
from signclip.corpora import splits
from signclip.experiments import config

ROOT = Path(__file__).parents[2]
FLOORS = ["nearest-neighbour", "dtw", "logistic-regression"]


def test_a_suites_name_stands_for_its_rows_and_each_row_once():
    assert suites.expand(["everywhere", "X", "E4"]) == ["E7.2", "X", "E4"]
    assert suites.expand(["baselines"]) == FLOORS
    assert suites.expand(["skeletons", "stgcn"]) == ["stgcn", "stgcnpp", "2s-agcn", "posec3d"]
    assert suites.expand([]) == []


def test_only_the_rows_that_run_everywhere_are_measured_on_unseen_languages():
    assert suites.measured("unseen_language") == ["E7.2", "X", *FLOORS]
    assert set(suites.measured("letters")) >= {"E3.2", "X", *FLOORS}
    assert suites.measured("another") == []


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """Trains suites on a made-up corpus of one and of two folds; returns what was to be trained."""
    given: list[config.RunConfig | recipe.Recipe] = []
    for trainer in ("signclip.training.launch", "baselines.skeletons.launch"):
        monkeypatch.setattr(f"{trainer}.train_all", lambda all_, **_: given.extend(all_) or [])
    folder = tmp_path / "data" / "c"
    folder.mkdir(parents=True)
    rows = [("in_domain", 0), ("letters", 0), ("letters", 1)]
    table = [{"split": s, "fold": f, "id": "1", "role": "train"} for s, f in rows]
    pd.DataFrame(table).to_parquet(folder / splits.SPLITS_FILE)

    def train(*args, profile="smoke"):
        suites.train(
            *args,
            experiments=ROOT / "benchmarks/experiments.yaml",
            params=ROOT / "params.yaml",
            profile=profile,
            corpus="c",
            data=tmp_path / "data",
            features=tmp_path,
            runs=tmp_path,
            jobs=1,
        )
        return [str(one.run_folder) for one in given]

    return train


def test_every_row_is_trained_on_every_fold_with_every_seed(asked):
    assert sorted(asked(["E4", "E5"], ["in_domain", "letters"], [0, 2])) == sorted(
        f"{row}/{seed}/{run}"
        for row in ("E4", "E5")
        for seed in (0, 2)
        for run in ("in_domain", "letters-0", "letters-1")
    )


def test_skeleton_models_are_trained_beside_rows(asked):
    assert sorted(asked(["E4", "stgcn"], ["letters"], [1])) == sorted(
        f"{row}/1/letters-{fold}" for row in ("E4", "stgcn") for fold in (0, 1)
    )


def test_a_model_that_cannot_be_had_is_refused_with_the_reason(asked):
    with pytest.raises(ConfigError, match="CTR-GCN cannot be trained: not in the package"):
        asked(["ctrgcn"], ["letters"], [0])


def test_rows_that_train_nothing_and_nothing_at_all_are_refused(asked):
    with pytest.raises(ConfigError, match="E8"):
        asked(["tested"], ["in_domain"], [0])
    with pytest.raises(ConfigError, match="nothing to train"):
        asked([], ["in_domain"], [0])


def test_the_longest_runs_are_trained_first(asked):
    given = asked(["E4", "stgcn", "X", "2s-agcn"], ["in_domain"], [0], profile="cpu")
    assert [folder.split("/")[0] for folder in given] == ["2s-agcn", "stgcn", "X", "E4"]


@pytest.mark.parametrize("table", command.PAPER_TABLES)
def test_every_table_is_written_by_its_name(table, tmp_path, monkeypatch):
    written = []
    module = importlib.import_module(command.PAPER_TABLES[table])
    monkeypatch.setattr(command, "RESULTS", tmp_path)
    (tmp_path / "tables").mkdir()
    name = command.CORPUS if table == "elsewhere" else table
    (tmp_path / "tables" / f"{name}.md").write_text("a table")
    signature = inspect.signature(module.write)
    monkeypatch.setattr(module, "write", lambda **given: written.append(signature.bind(**given)))
    more = ["--split", "letters"] if table in command.OF_ONE_SPLIT else []
    done = CliRunner().invoke(command.app, ["paper", table, *more])
    assert (done.exit_code, done.output, len(written)) == (0, "a table\n", 1)
    assert written[0].arguments["revision"] == "cpu"


@pytest.mark.parametrize(
    "arguments",
    [
        ["paper", "another"],
        ["paper", "beyond", "--split", "letters"],
        ["train", "E4"],
        ["evaluate", "E5", "--revision", "../../elsewhere"],
        ["evaluate", "../E5"],
        ["evaluate", ".."],
        ["compare", "X", "../E5"],
    ],
)
def test_commands_refuse_what_they_cannot_do(arguments):
    done = CliRunner().invoke(command.app, arguments)
    assert done.exit_code == 2


def test_what_is_given_twice_counts_once(monkeypatch):
    seen = []
    monkeypatch.setattr("benchmarks.evaluation.context.opened", lambda name, **to: seen.append(to))
    monkeypatch.setattr("benchmarks.evaluation.evaluate.evaluate", lambda found, **to: {})
    monkeypatch.setattr(suites, "train", lambda *given, **_: seen.append(given) or [])
    twice = ["--split", "letters", "--split", "letters", "--seed", "1", "--seed", "1"]
    for words in (["evaluate", "E5"], ["train", "E5"]):
        assert CliRunner().invoke(command.app, [*words, *twice]).exit_code == 0
    assert [one["seeds"] for one in seen[:-1]] == [[1]]
    assert seen[-1] == (["E5"], ["letters"], [1])


@pytest.mark.parametrize(
    "name",
    [
        *("train", "evaluate", "protocols", "compare", "paper", "breakdown", "iconicity"),
        *("ablation", "skeletons", "tune"),
    ],
)
def test_every_command_has_help_with_an_example(name):
    done = CliRunner().invoke(command.app, [name, "--help"])
    assert done.exit_code == 0
    assert f"Example: python -m benchmarks {name}" in " ".join(done.output.split())


def test_two_encoders_are_compared_from_their_result_files(board, tmp_path, monkeypatch):
    monkeypatch.setattr(command, "RESULTS", board(tmp_path))
    done = CliRunner().invoke(command.app, ["compare", "X", "E7.2", "--corpus", "c"])
    assert done.exit_code == 0, done.output
    assert "V2T_R@1 of X - E7.2: +" in done.output
    assert "90 clips" in done.output
