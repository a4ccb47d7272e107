"""A run: every task that makes sense, resumed, and never a mixture or a corrupt file."""

import argparse
import dataclasses
import json
import os
import string
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import encoder_metadata, results, tasks
from benchmarks.cli import submissions
from benchmarks.submission import entry, running
from benchmarks.submission import folder as submission_folder
from signclip.core import files
from signclip.core.errors import BusyError, ConfigError, SignCLIPError
from signclip.corpora import splits
from signclip.model.config import ModelConfig
from signclip.model.towers import SignCLIP
from signclip.text import SPECIAL_TOKENS

NAME = "spreadthesign-fingerspelling"
WITHOUT_TEXTS = {
    *(f"few_shot_{k}" for k in (1, 5, 10, 100)),
    *("prototypes", "linear_probe", "sign_to_sign", "identification_prototypes"),
}
FEW = running.Options(tasks=("prototypes", "sign_to_sign"))
ROOT = Path(__file__).parents[3]
STOPS = """
import os
import time

rename = os.replace


def stop_before(source, target):
    if os.path.basename(target).startswith(os.environ.get("STOP_BEFORE", "none")):
        print("stopped", flush=True)
        time.sleep(600)
    rename(source, target)


os.replace = stop_before
"""
TEXTS = """
class Texts(Mean):
    def embed_text(self, texts):
        table = np.random.default_rng(0).normal(size=(128, 63)).astype(np.float32)
        return table[[ord(text[-1]) % 128 for text in texts]]
"""


def folder(workspace, name="mine", revision="1", group="submitted") -> Path:
    return workspace.leaderboard / group / name / revision


def contents(path: Path) -> dict[str, bytes]:
    return {one.name: one.read_bytes() for one in path.glob("*.json")}


def test_an_encoder_without_texts_gets_the_tasks_of_clips(open_entry, workspace):
    done = running.run(open_entry(), workspace, running.Options())
    assert {task for _, _, task in done.measured} == WITHOUT_TEXTS
    assert not done.failed
    assert "the encoder reads no text" in done.skipped.values()
    for path in folder(workspace).glob("*.json"):
        if path.name != results.SIDECAR:
            assert results.read(path).group == "submitted"
    about = encoder_metadata.read_sidecar(folder(workspace) / results.SIDECAR)
    assert (about.name, about.kind) == ("mine", "pose")
    frame = results.load(workspace.leaderboard)
    assert set(frame["task"]) == WITHOUT_TEXTS  # the metadata is no result
    score = frame.query("task == 'sign_to_sign' and metric == 'mAP'")["result"].iloc[0]
    assert score.scores["mAP"].value > score.scores["mAP"].chance
    assert score.scores["V2T_R@1"].value > score.scores["V2T_R@1"].chance


def test_a_text_side_adds_retrieval(open_entry, workspace):
    options = running.Options(tasks=("retrieval", "zero_shot"))
    done = running.run(open_entry(TEXTS, "Texts"), workspace, options)
    assert {task for _, _, task in done.measured} == {"retrieval", "zero_shot"}


@pytest.fixture
def released(tmp_path) -> tuple[Path, Path]:
    """A small checkpoint in the layout of the authors' files, and its vocabulary."""
    pieces = [*SPECIAL_TOKENS, "<", ">", *string.ascii_lowercase]
    pieces += [f"##{letter}" for letter in string.ascii_lowercase]
    sizes = ModelConfig(
        **dict(frame_dims=63, vocab_size=len(pieces), pose_vocab_size=110, hidden_size=24),
        **dict(attention_heads=12, intermediate_size=16, pose_layers=1, text_layers=1),
        **dict(max_frames=256, max_tokens=64, position_embeddings=260),
        **dict(pose_cls_id=101, pose_sep_id=102),
    )
    torch.manual_seed(0)
    state = {f"mmmodel.{key}": value for key, value in SignCLIP(sizes).state_dict().items()}
    settings = {"task": argparse.Namespace(taskconfig="x.yaml")}
    torch.save({"cfg": settings, "model": state}, tmp_path / "released.pt")
    (tmp_path / "vocab.txt").write_text("\n".join(pieces) + "\n", encoding="utf-8")
    return tmp_path / "released.pt", tmp_path


def test_a_released_checkpoint_reads_texts_with_its_vocabulary(released, workspace):
    file, vocabulary = released
    options = running.Options(tasks=("retrieval", "prototypes"))
    bare = entry.find(str(file), workspace)
    done = running.run(bare, workspace, options)
    assert {task for _, _, task in done.measured} == {"prototypes"}
    assert "vocabulary" in "".join(done.failed.values())
    complete = entry.find(str(file), workspace, tokenizer=str(vocabulary))
    with pytest.raises(ConfigError, match="measured with other code, metadata or files"):
        running.run(complete, workspace, options)
    again = running.run(complete, workspace, dataclasses.replace(options, overwrite=True))
    assert {task for _, _, task in again.measured} == {"retrieval", "prototypes"}
    assert complete.metadata.kind == "pose and text"
    with pytest.raises(ConfigError, match="--tokenizer is for a released checkpoint"):
        entry.find("my.module:Encoder", workspace, tokenizer=str(vocabulary))


def test_a_result_is_printed_within_80_columns(result, capsys):
    longest = max((name for name in tasks.all_tasks()), key=len)
    shown = submissions._Results()
    for split in splits.SPLITS:
        shown.show(result(task=longest, split=split))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + len(splits.SPLITS)  # the corpus once
    assert max(map(len, lines)) <= 80


def test_a_second_run_keeps_what_is_measured(open_entry, workspace):
    entry = open_entry()
    running.run(entry, workspace, FEW)
    before = contents(folder(workspace))
    again = running.run(entry, workspace, FEW)
    assert (again.measured, len(again.kept)) == ([], 2)
    assert contents(folder(workspace)) == before


def test_a_run_that_is_stopped_goes_on_with_the_same_results(open_entry, workspace, monkeypatch):
    entry = open_entry()
    running.run(entry, workspace, FEW)
    whole = {
        name: results.read(folder(workspace) / name).scores
        for name in contents(folder(workspace))
        if name != results.SIDECAR
    }
    for name in whole:
        (folder(workspace) / name).unlink()
    measure = running.run_tasks

    def stopped(context, names, **given):
        if names == ("sign_to_sign",):
            raise KeyboardInterrupt
        return measure(context, names, **given)

    monkeypatch.setattr(running, "run_tasks", stopped)
    with pytest.raises(KeyboardInterrupt):
        running.run(entry, workspace, FEW)
    monkeypatch.setattr(running, "run_tasks", measure)
    done = running.run(entry, workspace, FEW)
    assert [task for _, _, task in done.kept] == ["prototypes"]
    assert [task for _, _, task in done.measured] == ["sign_to_sign"]
    for name, scores in whole.items():
        assert results.read(folder(workspace) / name).scores == scores


@pytest.mark.slow
def test_a_killed_run_leaves_no_corrupt_file_and_goes_on(encoder_head, built, tmp_path):
    """SIGKILL while the second result still has its temporary name."""
    (tmp_path / "mine.py").write_text(encoder_head + STOPS)
    (tmp_path / "data").symlink_to(built)
    command = [sys.executable, "-m", "benchmarks", "run", "mine:Mean"]
    command += ["--tasks", "prototypes", "--tasks", "sign_to_sign"]
    given = {"cwd": tmp_path, "stdout": subprocess.PIPE, "text": True}
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, **given, env={**env, "STOP_BEFORE": "sign_to_sign"}) as killed:
        assert "stopped\n" in killed.stdout
        killed.kill()
    board = tmp_path / "results/leaderboard"
    assert len(list(board.rglob("*.partial"))) == 1
    assert [one.task for one in results.read_all(board)] == ["prototypes"]
    (finished,) = board.rglob("prototypes.*.json")
    before = finished.read_bytes(), finished.stat().st_mtime_ns

    done = subprocess.run(command, **given, env=env, check=True)
    assert "1 results measured, 1 kept" in done.stdout
    assert {one.task for one in results.read_all(board)} == {"prototypes", "sign_to_sign"}
    assert (finished.read_bytes(), finished.stat().st_mtime_ns) == before
    assert not list(board.rglob("*.partial"))


def test_embeddings_of_a_stopped_run_are_kept(open_entry, workspace, tmp_path, monkeypatch):
    from benchmarks.evaluation import embeddings

    monkeypatch.setattr(embeddings, "SECONDS_A_WRITE", -1)
    log = tmp_path / "embedded.log"
    code = f"""
class Slow(Mean):
    def one(self, pose):
        with open({str(log)!r}, "a") as file:
            file.write("clip\\n")
        if len(open({str(log)!r}).readlines()) == 70:
            raise KeyboardInterrupt
        return super().one(pose)
"""
    entry = open_entry(code, "Slow")
    with pytest.raises(KeyboardInterrupt):
        running.run(entry, workspace, FEW)
    assert len(log.read_text().splitlines()) == 70
    running.run(entry, workspace, FEW)
    clips = len(np.load(next(workspace.embeddings.rglob("1.npz")))["ids"])
    assert len(log.read_text().splitlines()) == 70 + clips - 64  # one part was written


def test_an_exception_in_one_task_keeps_the_others(open_entry, workspace):
    code = "class Odd(Mean):\n    def embed_text(self, texts):\n        return 1 / 0\n"
    options = running.Options(tasks=("prototypes", "retrieval"))
    done = running.run(open_entry(code, "Odd"), workspace, options)
    assert [task for _, _, task in done.measured] == ["prototypes"]
    [why] = done.failed.values()
    assert "embed_text raised ZeroDivisionError" in why
    names = contents(folder(workspace)).keys() - {results.SIDECAR}
    assert [results.read(folder(workspace) / name).task for name in names] == ["prototypes"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return np.zeros((len(poses), 4, 4))", "returned float64 of shape"),
        ("return np.full((len(poses), 4), np.nan)", "is not finite"),
        ("return np.ones((len(poses), 4))", "have the same embedding"),
        ("return [[1, 2], [3]]", "is no array"),
        ("raise RuntimeError('out of cheese')", "RuntimeError: out of cheese"),
        ("return None", "returned object of shape"),
    ],
)
def test_garbage_stops_with_its_cause_and_leaves_no_file(open_entry, workspace, body, message):
    code = f"class Garbage(Mean):\n    def embed_pose(self, poses):\n        {body}\n"
    with pytest.raises(SignCLIPError, match=message):
        running.run(open_entry(code, "Garbage"), workspace, FEW)
    assert list((workspace.leaderboard / "submitted").iterdir()) == []
    with pytest.raises(ConfigError, match="no results; `signbench run"):
        submission_folder.submit(open_entry(code, "Garbage"), workspace)
    assert list((workspace.leaderboard / "submitted").iterdir()) == []


def test_a_failing_run_keeps_the_metadata_of_earlier_results(open_entry, workspace):
    running.run(open_entry(), workspace, FEW)
    (folder(workspace, revision="2")).mkdir()  # of nobody: it is left alone
    before = contents(folder(workspace))
    with pytest.raises(ConfigError):
        running.run(open_entry("class Mean(Mean):\n    pass\n"), workspace, FEW)
    assert contents(folder(workspace)) == before
    assert (folder(workspace, revision="2")).is_dir()


def test_other_code_under_the_same_revision_is_refused(open_entry, workspace):
    running.run(open_entry(), workspace, FEW)
    before = contents(folder(workspace))
    changed = open_entry("class Other(Mean):\n    pass\n")
    with pytest.raises(ConfigError, match=r"measured with other code.* give a new `revision`"):
        running.run(changed, workspace, FEW)
    assert contents(folder(workspace)) == before
    done = running.run(changed, workspace, running.Options(FEW.tasks, overwrite=True))
    assert len(done.measured) == 2


def test_comments_and_layout_are_not_other_code(open_entry, workspace):
    running.run(open_entry(), workspace, FEW)
    done = running.run(open_entry("# a comment\n\n\n"), workspace, FEW)
    assert len(done.kept) == 2


def test_a_result_edited_by_hand_is_named_and_measured_again(open_entry, workspace, caplog):
    running.run(open_entry(), workspace, FEW)
    path = next(folder(workspace).glob("prototypes.*"))
    right = results.read(path)
    path.write_text(path.read_text().replace('"n_total"', '"n_total" '))
    path.write_text(path.read_text().replace(f"{right.scores['V2T_R@1'].value}", "0.99"))
    done = running.run(open_entry(), workspace, FEW)
    assert "edited after it was written" in caplog.text
    assert [task for _, _, task in done.measured] == ["prototypes"]
    assert results.read(path).scores == right.scores


def test_two_runs_at_once_are_refused(open_entry, workspace):
    entry = open_entry()
    with (
        files.writing(folder(workspace)),
        pytest.raises(BusyError, match="another process is measuring it"),
    ):
        running.run(entry, workspace, FEW)
    assert not contents(folder(workspace))


def test_a_limited_run_shares_no_column_with_a_complete_one(open_entry, workspace):
    running.run(open_entry(), workspace, FEW)
    done = running.run(open_entry(), workspace, running.Options(FEW.tasks, limit=3))
    assert done.folder == folder(workspace, revision="1.first-3", group="local")
    [few, whole] = (
        results.read(next(one.glob("prototypes.*"))) for one in (done.folder, folder(workspace))
    )
    assert few.n_evaluated == 15  # of five folds
    assert few.split_fingerprint != whole.split_fingerprint


def test_a_corpus_or_task_that_is_not_there_is_named(open_entry, workspace, tmp_path):
    with pytest.raises(ConfigError, match=r"no corpus asl-citizen; `signclip corpora build"):
        running.run(open_entry(), workspace, running.Options(corpora=("asl-citizen",)))
    with pytest.raises(ConfigError, match="unknown task 'few_shot'"):
        running.run(open_entry(), workspace, running.Options(tasks=("few_shot",)))
    empty = workspace.replace(data=tmp_path / "nothing")
    with pytest.raises(ConfigError, match="no corpus here"):
        running.run(open_entry(), empty, running.Options())


def test_the_input_is_what_the_metadata_says(open_entry, workspace, tmp_path):
    seen = tmp_path / "seen.json"
    code = f"""
import json
class Points(Mean):
    points = ["RIGHT_HAND_LANDMARKS", "POSE_LANDMARKS:NOSE"]
    metadata = {{**METADATA, "input": {{"kind": "keypoints", "keypoints": points}}}}

    def one(self, pose):
        json.dump([list(pose.shape[1:]), str(pose.dtype)], open({str(seen)!r}, "w"))
        return pose.mean(axis=(0, 2))

class Poses(Mean):
    metadata = {{**METADATA, "input": {{"kind": "pose"}}}}

    def one(self, pose):
        return np.array([len(pose.body.data), pose.body.fps, 1])
"""
    running.run(open_entry(code, "Points"), workspace, FEW)
    assert json.loads(seen.read_text()) == [[22, 3], "float32"]
    options = running.Options(FEW.tasks, overwrite=True)
    assert len(running.run(open_entry(code, "Poses"), workspace, options).measured) == 2


def test_a_corpus_without_videos_is_no_corpus_for_video(open_entry, workspace):
    code = "class Video(Mean):\n    metadata = {**METADATA, 'input': {'kind': 'video'}}\n"
    done = running.run(open_entry(code, "Video"), workspace, FEW)
    assert not done.measured
    assert all("no clip has a video" in why for why in done.skipped.values())
