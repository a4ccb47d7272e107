"""Fine-tuning on a folder of clips: one command, from a run or a released model."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import signclip
from signclip import checkpoint, inference
from signclip.cli import app
from signclip.core.errors import ConfigError
from signclip.core.workspace import RunId, Workspace
from signclip.corpora.prepare import prepare
from signclip.experiments.table import resolve
from signclip.training import finetune, train

ROOT = Path(__file__).parents[3]
WORDS = ("water", "tea", "coffee")


@pytest.fixture(scope="module")
def start(workspace, smoke_config, tmp_path_factory):
    """A run to start from."""
    return train.train(
        smoke_config("E3.1"), workspace.replace(runs=tmp_path_factory.mktemp("start"))
    )


@pytest.fixture
def words(folder_corpus, make_pose, pose_bytes):
    """Three words, three clips each."""
    for number in range(9):
        split = ("train", "validation", "test")[number // 3]
        pose = make_pose(seed=number, frames=4 + number)
        text = WORDS[number % 3]
        folder_corpus.add(f"clip-{number}", pose_bytes(pose), text=text, split=split)
    return folder_corpus


def run(tmp_path, *arguments: object, code: int = 0) -> str:
    folders = [f"--{name}={tmp_path / name}" for name in ("data", "features", "runs")]
    given = [*map(str, arguments), *folders, "--profile", "smoke", "--jobs", "1"]
    done = CliRunner().invoke(app, ["train", *given])
    assert done.exit_code == code, (done.output, done.exception)
    return done.output


def refused(tmp_path, *arguments: object) -> str:
    folders = [f"--{name}={tmp_path / name}" for name in ("data", "features", "runs")]
    given = [*map(str, arguments), *folders, "--profile", "smoke", "--jobs", "1"]
    done = CliRunner().invoke(app, ["train", *given])
    assert isinstance(done.exception, ConfigError), done.output
    return str(done.exception)


@pytest.mark.slow
def test_one_command_fine_tunes_a_run_on_a_folder_of_clips(start, words, tmp_path):
    root = words.write()
    run(tmp_path, "--corpus", root, "--init", start)
    tuned = signclip.load(tmp_path / "runs/finetune/0/official")
    before = signclip.load(start)
    assert tuned.variant == before.variant
    assert tuned.prompt == before.prompt
    assert tuned.tokenizer.vocab_size == before.tokenizer.vocab_size
    clip = [root / "clip-8.pose"]
    assert not np.allclose(tuned.embed_pose(clip), before.embed_pose(clip))
    assert tuned.config.init_run == str(start)
    assert checkpoint.read_metrics(tmp_path / "runs/finetune/0/official")["clips"] == {
        "train": 3,
        "validation": 3,
    }
    words.add("clip-9", (root / "clip-0.pose").read_bytes()[:-10], text="tea", split="train")
    words.add("clip-10", (root / "clip-1.pose").read_bytes(), text="tea", split="train")
    (root / "clip-2.pose").unlink()
    words.write()
    said = run(tmp_path, "--corpus", root, "--init", start)  # changed clips are read again
    for reason in ("the file does not exist", "same content as clip-1", "not a whole .pose file"):
        assert f"dropped 1: {reason}" in said
    assert checkpoint.read_metrics(tmp_path / "runs/finetune/0/official")["clips"]["train"] == 2


def test_without_an_update_it_is_the_model_that_it_started_from(start, words, tmp_path):
    workspace = Workspace(tmp_path / "data", tmp_path / "features", tmp_path / "runs")
    name = prepare(
        str(words.write()),
        "dominant_hand",
        workspace,
        jobs=1,
    )
    model, given = finetune.start(start)
    row = finetune.row_of(model, start)
    config = resolve(
        RunId("finetune", "smoke", name, "official", None, 0),
        workspace,
        row=row,
        given={**given, "learning_rate": 1e-30},
    )
    folder = train.train(config, workspace)
    clip = [words.root / "clip-8.pose"]
    assert np.array_equal(signclip.load(folder).embed_pose(clip), model.embed_pose(clip))


@pytest.mark.slow
def test_an_experiments_row_can_start_from_a_model_too(start, words, tmp_path):
    run(tmp_path, "E3.2", "--corpus", words.write(), "--init", start)
    tuned = signclip.load(tmp_path / "runs/E3.2/0/official")
    assert tuned.config.augment == ("affine2d",)
    assert tuned.model.config == signclip.load(start).model.config


@pytest.mark.slow
def test_a_released_model_brings_its_vocabulary_or_says_that_it_is_missing(
    released_file, given, vocabulary, words, tmp_path
):
    bare, whole = tmp_path / "bare", tmp_path / "whole"
    inference.import_checkpoint(released_file(), bare, **given)
    inference.import_checkpoint(released_file(), whole, tokenizer=vocabulary, **given)
    root = words.write()
    run(tmp_path, "--corpus", root, "--init", whole)
    tuned = signclip.load(tmp_path / "runs/finetune/0/official")
    assert tuned.prompt == "<{spoken_language}> <{sign_language}> {text}"
    done = CliRunner().invoke(app, ["train", "--corpus", str(root), "--init", str(bare)])
    assert isinstance(done.exception, ConfigError)


def test_clips_of_one_text_teach_nothing_and_are_refused(start, words, tmp_path):
    for row in words.rows:
        row["text"] = "tea" if row["split"] == "train" else row["text"]
    done = refused(tmp_path, "--corpus", words.write(), "--init", start)
    assert "all training clips have one text" in done


def test_texts_that_the_models_vocabulary_cannot_distinguish_are_refused(start, words, tmp_path):
    for row in words.rows:
        row["text"] = {"water": "水", "tea": "茶"}.get(row["text"], row["text"])
    done = refused(tmp_path, "--corpus", words.write(), "--init", start)
    assert "水" in done
    assert "茶" in done
    assert "have the same tokens" in done


def test_a_folder_does_not_replace_another_corpus_of_its_name(start, words, tmp_path):
    words.write().rename(tmp_path / "asl-signs")
    done = refused(tmp_path, "--corpus", tmp_path / "asl-signs", "--init", start)
    assert "asl-signs is the name of another corpus" in done
    assert not (tmp_path / "data").exists()


def test_neither_experiment_nor_model_is_a_usage_error(tmp_path):
    assert "--init" in run(tmp_path, code=2)


def test_a_corpus_that_is_neither_built_nor_a_folder_is_named(start, tmp_path):
    done = CliRunner().invoke(app, ["train", "--corpus", "nowhere", "--init", str(start)])
    assert isinstance(done.exception, ConfigError)
    assert "nowhere" in str(done.exception)


def test_by_default_runs_fine_tuned_from_different_models_have_different_folders(
    start, released_file, given, vocabulary, tmp_path
):
    released, imported = released_file("fingerclip.pt"), tmp_path / "imported"
    inference.import_checkpoint(released, imported, tokenizer=vocabulary, **given)
    assert [
        finetune.default_runs(Path("runs"), "mine", init) for init in (start, released, imported)
    ] == [
        Path("runs/finetune/mine-E3.1-0-letters-0"),
        Path("runs/finetune/mine-fingerclip"),
        Path("runs/finetune/mine-imported"),
    ]


@pytest.mark.slow
def test_fine_tuning_a_second_model_keeps_the_runs_of_the_first(
    start, workspace, smoke_config, words, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    other = train.train(smoke_config("E3.1", seed=1), workspace.replace(runs=tmp_path / "other"))
    tables = [
        f"--experiments={ROOT / 'benchmarks/experiments.yaml'}",
        f"--params={ROOT / 'params.yaml'}",
    ]
    root = words.write()
    for init in (start, other):
        command = ["train", "--corpus", str(root), "--init", str(init), "--profile", "smoke"]
        done = CliRunner().invoke(app, [*command, "--jobs", "1", *tables])
        assert done.exit_code == 0, (done.output, done.exception)
    runs = [Path(f"runs/finetune/{root.name}-E3.1-{seed}-letters-0") for seed in (0, 1)]
    origins = [signclip.load(run / "finetune/0/official").config.init_run for run in runs]
    assert origins == [str(start), str(other)]
