"""Suites and plans: names for rows, and all their runs by one command."""

from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from baselines import floors
from baselines.skeletons import recipe, table
from benchmarks import cli, suites
from signclip.core.errors import ConfigError
from signclip.core.workspace import Workspace
from signclip.corpora import splits
from signclip.experiments import config

ROOT = Path(__file__).parents[2]
FLOORS = list(floors.FLOORS)


def test_a_suites_name_stands_for_its_rows_and_each_row_once():
    assert suites.expand(["everywhere", "X", "E4"]) == ["E7.2", "X", "E4"]
    assert suites.expand(["floors"]) == suites.expand(["baselines"]) == FLOORS
    assert suites.expand(["skeletons", "stgcn"]) == list(table.models())
    assert suites.expand([]) == []
    assert suites.expand(["beyond", "E4"], without=["beyond"]) == ["E4"]


def test_the_pipeline_evaluates_floors_on_unseen_languages_and_leaves_the_rest_to_full():
    assert suites.evaluated("unseen_language") == FLOORS
    assert set(suites.evaluated("letters")) >= {"E3.2", "X", *FLOORS}
    assert suites.evaluated("another") == []


def test_an_unknown_plan_or_stage_is_refused_with_those_that_exist():
    with pytest.raises(ConfigError, match="unknown plan 'x'; there are repro, smoke"):
        suites.plan("x")
    with pytest.raises(ConfigError, match="unknown stage 'x'; there are fingerclip, signclip"):
        suites.plan().stage("x")


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """Trains rows on a made-up corpus of one and of two folds; returns what was to be trained."""
    given: list[config.RunConfig | recipe.Recipe] = []
    for trainer in ("signclip.training.launch", "baselines.skeletons.launch"):
        monkeypatch.setattr(f"{trainer}.train_all", lambda all_, *_, **__: given.extend(all_) or [])
    folder = tmp_path / "data" / "c"
    folder.mkdir(parents=True)
    rows = [("in_domain", 0), ("letters", 0), ("letters", 1)]
    table = [{"split": s, "fold": f, "id": "1", "role": "train"} for s, f in rows]
    pd.DataFrame(table).to_parquet(folder / splits.SPLITS_FILE)
    workspace = Workspace(data=tmp_path / "data", params=ROOT / "params.yaml")

    def train(rows, names, seeds, profile="smoke"):
        suites.train(
            dict.fromkeys(names, tuple(rows)), seeds, workspace, profile=profile, corpus="c", jobs=1
        )
        return [str(one.run_id.path) for one in given]

    return train


def test_every_row_is_trained_on_every_fold_with_every_seed(trained):
    assert sorted(trained(["E4", "E5"], ["in_domain", "letters"], [0, 2])) == sorted(
        f"{row}/{seed}/{run}"
        for row in ("E4", "E5")
        for seed in (0, 2)
        for run in ("in_domain", "letters-0", "letters-1")
    )


def test_skeleton_models_are_trained_beside_rows(trained):
    assert sorted(trained(["E4", "stgcn"], ["letters"], [1])) == sorted(
        f"{row}/1/letters-{fold}" for row in ("E4", "stgcn") for fold in (0, 1)
    )


def test_a_model_that_cannot_be_had_is_refused_with_the_reason(trained):
    with pytest.raises(ConfigError, match="CTR-GCN cannot be trained: not in the package"):
        trained(["ctrgcn"], ["letters"], [0])


def test_rows_that_train_nothing_and_nothing_at_all_are_refused(trained):
    with pytest.raises(ConfigError, match="E8"):
        trained(["tested"], ["in_domain"], [0])
    with pytest.raises(ConfigError, match="nothing to train"):
        trained([], ["in_domain"], [0])


def test_the_longest_runs_are_trained_first(trained):
    given = trained(["E4", "stgcn", "X", "2s-agcn"], ["in_domain"], [0], profile="cpu")
    assert [folder.split("/")[0] for folder in given] == ["2s-agcn", "stgcn", "E4", "X"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["table", "another"],
        ["figure", "another"],
        ["train", "E4"],
        ["train"],
        ["train", "E4", "--split", "letters", "--stage", "fingerclip"],
        ["evaluate"],
        ["evaluate", "E5", "--plan"],
        ["evaluate", "E5", "--revision", "../../x"],
        ["evaluate", "E5", "--group", ".."],
        ["compare", "X", "../E5"],
        ["transfer", "../x"],
    ],
)
def test_commands_refuse_what_they_cannot_do(arguments):
    done = CliRunner().invoke(cli.app, arguments)
    assert done.exit_code == 2 or isinstance(done.exception, ConfigError)


def test_what_is_given_twice_counts_once(monkeypatch):
    seen = []
    monkeypatch.setattr(
        "benchmarks.runner.rows.evaluate_rows", lambda *given, **_: seen.append(given)
    )
    monkeypatch.setattr(suites, "train", lambda *given, **_: seen.append(given) or [])
    twice = ["--split", "letters", "--split", "letters", "--seed", "1", "--seed", "1"]
    for words in (["evaluate", "E5"], ["train", "E5"]):
        assert CliRunner().invoke(cli.app, [*words, *twice]).exit_code == 0
    assert (seen[0][1], seen[0][3].seeds) == (["letters"], (1,))
    assert seen[1][:2] == ({"letters": ("E5",)}, [1])


@pytest.mark.parametrize(
    "name", [command.name or command.callback.__name__ for command in cli.app.registered_commands]
)
def test_every_command_has_help_with_an_example(name):
    done = CliRunner().invoke(cli.app, [name, "--help"])
    assert done.exit_code == 0
    example = f"signbench {name}"
    text = " ".join(done.output.split())
    assert "Example:" in text
    assert example in text


@pytest.mark.parametrize("group", ["repro", "local"])
def test_two_encoders_are_compared_from_their_result_files(result, tmp_path, monkeypatch, group):
    monkeypatch.chdir(tmp_path)
    for name, hits in (("X", 60), ("E7.2", 30)):
        ranks = {f"clip-{i:02d}": [1 if i < hits else 7] for i in range(90)}
        made = result(encoder=name, group=group, n_evaluated=90, ranks=ranks)
        made.write(tmp_path / "results/leaderboard")
    done = CliRunner().invoke(cli.app, ["compare", "X", "E7.2", "--corpus", "c"])
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert lines[:2] == [
        "retrieval on c, letters",
        "V2T_R@1 of X - E7.2: +0.3333, paired bootstrap, 95 %",
    ]
    assert lines[2].startswith("  over 90 clips ")
    assert "not over groups: signers are not recorded; sign languages are not" in lines[3]
    assert lines[4] == "  X is better"
    # 60 clips of three languages, of which one alone makes the difference
    points = pd.DataFrame({"id": [f"clip-{i:02d}" for i in range(90)], "signer": ""})
    points["sign_language"], points["corpus"] = [f"l{i // 30}" for i in range(90)], "c"
    (tmp_path / "results/points").mkdir()
    points.to_csv(tmp_path / "results/points/player.csv", index=False)
    done = CliRunner().invoke(cli.app, ["compare", "X", "E7.2", "--corpus", "c"])
    lines = done.output.splitlines()
    assert lines[2].startswith("  over 90 clips ")
    assert not lines[2].endswith("wider one")
    assert lines[3] == "  over 3 sign languages    [+0.0000, +1.0000], the wider one"
    assert lines[4] == "  which one is better cannot be told"
