"""Commands typed by hand replace no result; those of the pipeline say that they do."""

import shutil
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from benchmarks import cli, points, report
from signclip import cli as signclip_cli
from signclip.core.errors import ConfigError

ROOT = Path(__file__).parents[2]
WRITES = ("evaluate", "points", "paper", "card", "pretrain", "transfer")


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A folder with this repository's parameters, in which commands are run."""
    (tmp_path / "benchmarks").mkdir()
    for name in ("params.yaml", "benchmarks/experiments.yaml"):
        shutil.copy(ROOT / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words: str) -> str:
    """What a command of signbench prints; errors come as the library raises them."""
    done = CliRunner().invoke(cli.app, words)
    if isinstance(done.exception, ConfigError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize(
    ("words", "module", "function", "file"),
    [
        (["table", "one"], report, "write_table", "tables/one.md"),
        (["paper"], report, "write_all", "tables/one.md"),
        (["paper", "one"], report, "write_table", "tables/one.md"),
        (["figure", "one"], report, "write_figure", "figures/one.csv"),
        (["points"], points, "write_all", "points/one.csv"),
        (["points", "one"], points, "write_one", "points/one.csv"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_changed_table_figure_or_point_is_written_aside(
    project, monkeypatch, words, module, function, file
):
    text = "first"

    def write(*_, out: Path, **__):
        path = out / file if module is report else out / Path(file).name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path if function in ("write_table", "write_one") else [path]

    monkeypatch.setattr(module, function, write)
    results = project / "results"
    run(*words)
    assert (results / file).read_text() == "first"
    text = "second"
    output = run(*words)
    assert "results/" + file + ": kept as it was" in output
    assert (results / file).read_text() == "first"
    assert (results / "local" / file).read_text() == "second"
    run(*words, "--publish")
    assert (results / file).read_text() == "second"


@pytest.mark.parametrize("words", [["E3.2"], ["E3.2", "E5"], ["--plan"]])
def test_results_of_a_group_are_replaced_only_where_the_command_was_told_to(
    project, result, monkeypatch, words
):
    done = []
    for name in ("evaluate_rows", "evaluate_plan"):
        monkeypatch.setattr(f"benchmarks.runner.rows.{name}", lambda *_, **__: done.append(1))
    for group in ("repro", "local"):
        result(group=group).write(project / "results/leaderboard")
    with pytest.raises(ConfigError, match=r"repro.*: holds results; --publish replaces them"):
        run("evaluate", *words, "--group", "repro")
    assert not done
    run("evaluate", *words, "--group", "repro", "--publish")
    run("evaluate", *words)
    run("evaluate", *words, "--group", "full")  # nothing is there
    assert len(done) == 3


def test_the_results_of_a_local_corpus_are_kept_too(project, result, monkeypatch):
    monkeypatch.setattr("benchmarks.local_corpora.uses_of", lambda *_: ("transfer",))
    result(group="transfer-mine").write(project / "results/leaderboard")
    with pytest.raises(ConfigError, match="transfer-mine: holds results; --publish"):
        run("transfer", "mine")


def test_a_changed_card_is_written_aside(project, embedded, monkeypatch):
    name = "spreadthesign-fingerspelling"
    monkeypatch.setattr(
        "signclip.corpora.card.write",
        lambda corpus, root, about, out: {"md": _card(out / f"{corpus.name}.md")},
    )
    card = project / f"results/corpora/{name}.md"
    card.parent.mkdir(parents=True)
    card.write_text("old")
    done = CliRunner().invoke(signclip_cli.app, ["corpora", "card", name])
    assert done.exit_code == 0, done.exception
    assert card.read_text() == "old"
    assert (project / f"results/local/corpora/{name}.md").read_text() == "new"


def _card(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("new")
    return path


def test_the_pipeline_and_make_full_replace_what_they_wrote():
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"].values()
    commands = [stage.get("do", stage)["cmd"] for stage in stages]
    lines = [x for cmd in commands for x in (cmd if isinstance(cmd, list) else [cmd])]
    writing = [line for line in lines if set(WRITES) & set(line.split())]
    assert len(writing) == len(WRITES)
    assert [line for line in writing if "--publish" not in line.split()] == []
    makefile = (ROOT / "Makefile").read_text()
    assert "benchmarks evaluate --publish --group full" in makefile
