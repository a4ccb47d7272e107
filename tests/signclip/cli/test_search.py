"""`signclip score`, `index` and `search`: what the library finds, as a table and as JSON."""

import json
from pathlib import Path
from typing import NamedTuple

import pytest
from typer.testing import CliRunner

import signclip
from signclip import cli
from signclip.core.errors import ConfigError, PoseError, SignCLIPError, SignIndexError


class Outcome(NamedTuple):
    status: int
    out: str
    err: str


def run(*arguments) -> Outcome:
    """A command at 80 columns; errors come as the library raises them."""
    result = CliRunner(env={"COLUMNS": "80"}).invoke(cli.app, list(map(str, arguments)))
    if isinstance(result.exception, SignCLIPError):
        raise result.exception
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Outcome(result.exit_code, result.stdout, result.stderr)


@pytest.fixture(scope="session")
def model(build_once, make_model) -> Path:
    """A saved model; ``4`` beside it is another one."""

    def build(folder: Path) -> None:
        for seed in (3, 4):
            make_model(seed).save_pretrained(folder / str(seed))

    return build_once("search-command-models", build) / "3"


@pytest.fixture
def clips(good_clips, tmp_path, monkeypatch) -> Path:
    """A folder of three clips with texts in ase, in the current folder."""
    monkeypatch.chdir(tmp_path)
    return good_clips.root


@pytest.fixture
def index(model, clips) -> Path:
    """An index of these clips."""
    assert run("index", clips, "--model", model, "--out", "index").status == 0
    return Path("index")


def test_score_prints_the_best_text_first(model, clips):
    clip, texts = clips / "good-0.pose", ["house", "a", "b"]
    outcome = run("score", clip, *texts, "--sign-language", "ase", "--model", model)
    assert outcome.status == 0
    scores = signclip.load(model).similarity([clip], [f"<en> <ase> {text}" for text in texts])[0]
    best = sorted(texts, key=lambda text: -scores[texts.index(text)])
    lines = [line.split() for line in outcome.out.splitlines()]
    assert lines[0] == ["score", "text"]
    assert [words[1] for words in lines[1:4]] == best
    assert outcome.out.endswith("the first as: <en> <ase> house\n")
    assert float(lines[1][0]) == pytest.approx(scores.max(), rel=1e-3)


def test_score_takes_folders_and_files_of_texts_and_prints_json(model, clips):
    Path("texts.txt").write_text("house\na\n")
    options = ("--texts", "texts.txt", "--sign-language", "ase", "--model", model, "--json")
    values = json.loads(run("score", clips, *options).out)
    assert [Path(one["clip"]).stem for one in values["clips"]] == ["good-0", "good-1", "good-2"]
    assert {one["prompt"] for one in values["clips"][0]["scores"]} == {
        "<en> <ase> house",
        "<en> <ase> a",
    }
    found = [one["score"] for one in values["clips"][1]["scores"]]
    assert found == sorted(found, reverse=True)


def test_a_bad_clip_among_others_is_named_and_the_status_is_1(model, clips):
    (clips / "bad.pose").write_bytes(b"")
    arguments = ("score", clips / "good-0.pose", "a", "--sign-language", "ase", "--model", model)
    outcome = run(*arguments, "--clip", clips / "bad.pose")
    assert outcome.status == 1
    assert "dropped: " in outcome.err
    assert "the file is empty" in outcome.err
    assert str(clips / "good-0.pose") not in outcome.err
    with pytest.raises(PoseError, match="empty"):
        run("score", clips / "bad.pose", "a", "--sign-language", "ase", "--model", model)


@pytest.mark.parametrize("as_json", [False, True])
def test_windows_have_times_in_seconds(model, clips, make_pose, pose_bytes, as_json):
    Path("long.pose").write_bytes(pose_bytes(make_pose(frames=50, seed=5)))
    options = ["--window", "0.4", "--step", "0.2", "--k", "2", "--json"][: 7 if as_json else 6]
    arguments = ("score", "long.pose", "house", "--sign-language", "ase", "--model", model)
    outcome = run(*arguments, *options)
    assert outcome.status == 0
    if as_json:
        ((first, second),) = (one["scores"] for one in json.loads(outcome.out)["clips"])
        assert first["score"] >= second["score"]
        assert first["end"] - first["start"] == pytest.approx(0.4)
    else:
        lines = [line.split() for line in outcome.out.splitlines()]
        assert lines[0] == ["score", "from", "s", "to", "s", "text"]
        assert float(lines[1][2]) - float(lines[1][1]) == pytest.approx(0.4)
        assert "9 windows scored at 25 frames a second" in outcome.out


def test_score_says_what_is_missing(model, clips):
    with pytest.raises(ConfigError, match="no text to score"):
        run("score", clips, "--model", model)
    with pytest.raises(ConfigError, match="give a model with --model"):
        run("score", clips, "a")
    with pytest.raises(ConfigError, match="give one with --sign-language"):
        run("score", clips, "a", "--model", model)


def test_index_says_what_it_made_and_lists_bad_clips(model, clips):
    (clips / "good-1.pose").write_bytes(b"")
    outcome = run("index", clips, "--model", model, "--out", "index")
    assert outcome.status == 1
    assert "index: 2 signs of 16 numbers" in outcome.out
    assert "sign languages: ase 2" in outcome.out
    assert "1 clips dropped: index/dropped.csv" in outcome.out
    assert "good-1" in Path("index/dropped.csv").read_text()
    assert run("verify", "index").status == 0


def test_search_by_text_and_by_clip(index, model, clips):
    outcome = run("search", index, "house", "--sign-language", "ase", "--k", 2)
    lines = outcome.out.splitlines()
    assert lines[0] == "<en> <ase> house: best of 3 signs"
    assert lines[1].split() == ["score", "text", "language", "s", "clip"]
    assert [line.split()[0] for line in lines[2:]] == ["1", "2"]
    assert all("water" in line and "ase" in line for line in lines[2:])
    outcome = run("search", index, "--clip", clips / "good-2.pose", "--json")
    values = json.loads(outcome.out)
    assert [hit["rank"] for hit in values["hits"]] == [1, 2, 3]
    assert values["hits"][0]["id"] == "good-2"
    assert values["hits"][0]["score"] == pytest.approx(1, abs=1e-6)
    assert values["signs"] == 3


@pytest.mark.parametrize(("name", "start"), [("o.html", b"<!doctype html>"), ("o.png", b"\x89PNG")])
def test_found_signs_are_shown(index, name, start):
    outcome = run("search", index, "house", "--sign-language", "ase", "--show", name)
    assert outcome.out.endswith(f"{name}\n")
    assert Path(name).read_bytes().startswith(start)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["a", "--clip", "a.pose"], ConfigError, "either a text or --clip"),
        ([], ConfigError, "either a text or --clip"),
        (["a", "--show", "out.gif"], ConfigError, r"must end in \.html or \.png"),
        (["a"], ConfigError, "--sign-language"),
        (["a", "--sign-language", "gsg"], ConfigError, r"no sign of 'gsg'; it has ase \(3\)"),
        (["--clip", "gone.pose"], PoseError, "cannot be read"),
    ],
)
def test_a_search_that_cannot_be_is_refused(index, arguments, error, message):
    with pytest.raises(error, match=message):
        run("search", index, *arguments)


def test_a_search_with_another_model_or_without_an_index_is_refused(index, model):
    other = model.parent / "4"
    with pytest.raises(SignIndexError, match="made with the model"):
        run("search", index, "a", "--sign-language", "ase", "--model", other)
    with pytest.raises(SignIndexError, match="no index here"):
        run("search", "nowhere", "a")


@pytest.mark.parametrize("command", ["score", "index", "search"])
def test_no_line_of_a_table_is_longer_than_80_columns(index, model, clips, command):
    long = "a very long text " * 9
    language = ("--sign-language", "ase")
    arguments: dict[str, tuple] = {
        "score": (clips, long, *language, "--model", model),
        "index": (clips, "--model", model, "--out", "index"),
        "search": (index, "a", *language),
    }
    lines = run(command, *arguments[command]).out.splitlines()
    assert [line for line in lines if len(line) > 80 and str(clips) not in line] == []
