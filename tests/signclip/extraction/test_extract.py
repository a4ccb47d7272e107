"""`signclip extract`: every video a whole pose or a named failure, whatever happens on the way."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import psutil
import pytest
from typer.testing import CliRunner

from signclip import cli, poses
from signclip.core import files, workers
from signclip.core.errors import BusyError, ConfigError, SignCLIPError, VideoError
from signclip.extraction import extract, holistic
from signclip.extraction.video import Limits

FRAMES = 4


@pytest.fixture(scope="module")
def clips(tmp_path_factory, encode, photograph):
    """Two clips of a person, ``a.mp4`` and ``more/b.webm`` (mirrored, and moving otherwise)."""
    folder = tmp_path_factory.mktemp("clips")
    (folder / "more").mkdir()
    (folder / "README.txt").write_text("not a video")
    encode(folder / "a.mp4", [np.roll(photograph, 2 * i, axis=1) for i in range(FRAMES)])
    other = photograph[:, ::-1]
    frames = [np.ascontiguousarray(np.roll(other, i, axis=0)) for i in range(FRAMES + 1)]
    encode(folder / "more" / "b.webm", frames, fps=30)
    return folder


@pytest.fixture(scope="module")
def extracted(clips, tmp_path_factory):
    """The folder of outputs of :func:`clips`, on two processes."""
    out = tmp_path_factory.mktemp("poses")
    extract.run([clips], out, jobs=2, progress=False)
    return out


@pytest.fixture
def task(clips, tmp_path):
    """The task of ``a.mp4``, with a copy of the video."""
    shutil.copy(clips / "a.mp4", tmp_path / "a.mp4")
    (one,) = extract.tasks([tmp_path / "a.mp4"], tmp_path / "out")
    return one


@pytest.fixture
def made_up(monkeypatch, make_pose):
    """MediaPipe is not run; returns the videos that it would have run on."""
    seen = []

    def pose_of(video, limits, progress):
        seen.append(video)
        return make_pose(seed=len(seen))

    monkeypatch.setattr(holistic, "pose_of", pose_of)
    return seen


def run(*arguments) -> tuple[int, str]:
    """Exit status and output of ``signclip extract``; errors come as the library raises them."""
    result = CliRunner().invoke(cli.app, ["extract", *map(str, arguments)])
    if isinstance(result.exception, SignCLIPError):
        raise result.exception
    return result.exit_code, result.output


def report(out) -> pd.DataFrame:
    return pd.read_csv(out / extract.REPORT).set_index("pose")


def do(task, limits=None) -> extract.Done:
    return extract.extract(task, limits or Limits()).value


@pytest.mark.slow
def test_outputs_keep_the_paths_of_the_inputs_and_are_reported(clips, extracted):
    written = sorted(path.relative_to(extracted).as_posix() for path in extracted.rglob("*.pose"))
    assert written == ["a.pose", "more/b.pose"]
    rows = report(extracted)
    assert list(rows.columns) == [name for name in extract.COLUMNS if name != "pose"]
    assert rows["video"].tolist() == [str(clips / "a.mp4"), str(clips / "more" / "b.webm")]
    assert rows["status"].tolist() == ["extracted"] * 2
    assert rows["frames"].tolist() == [FRAMES, FRAMES + 1]
    assert rows["fps"].tolist() == [25, 30]
    assert rows["seconds"].tolist() == pytest.approx([FRAMES / 25, (FRAMES + 1) / 30], abs=1e-6)
    assert rows["body"].tolist() == rows["face"].tolist() == [1, 1]
    assert rows["left_hand"].tolist() == rows["right_hand"].tolist() == [0, 0]
    assert (rows["wall_seconds"] > 0).all()
    assert rows["reason"].isna().all()


@pytest.mark.slow
def test_poses_are_read_and_preprocessed_like_any_other(extracted, photograph):
    pose = poses.read_pose(extracted / "a.pose")
    assert (pose.header.dimensions.width, pose.header.dimensions.height) == photograph.shape[1::-1]
    assert [len(component.points) for component in pose.header.components] == [33, 468, 21, 21, 33]
    assert pose.body.fps == 25
    nose = pose.body.data[0, 0, pose.header.get_point_index("POSE_LANDMARKS", "NOSE"), :2]
    assert np.abs(nose - (55, 28)).max() < 6  # where it is in the photograph
    assert poses.preprocess(pose, "reduced_face").shape == (FRAMES, 609)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_pose_is_what_pose_format_writes(clips, extracted, tmp_path):
    from pose_format.bin.pose_estimation import pose_video
    from pose_format.utils.holistic import HolisticPool

    HolisticPool._instances.clear()  # a graph that pose-format has used before is not a fresh one
    pose_video(str(clips / "a.mp4"), str(tmp_path / "a.pose"), "mediapipe", progress=False)
    assert (tmp_path / "a.pose").read_bytes() == (extracted / "a.pose").read_bytes()


@pytest.mark.slow
def test_bytes_do_not_depend_on_what_was_done_before(clips, extracted, tmp_path):
    """Both on one process, in the other order, and in one process with nothing else."""
    extract.run([clips / "more", clips / "a.mp4"], tmp_path / "1", jobs=1, progress=False)
    assert (tmp_path / "1" / "a.pose").read_bytes() == (extracted / "a.pose").read_bytes()
    assert (tmp_path / "1" / "b.pose").read_bytes() == (extracted / "more/b.pose").read_bytes()
    (alone,) = extract.tasks([clips / "a.mp4"], tmp_path / "2")
    do(alone)
    assert alone.pose.read_bytes() == (extracted / "a.pose").read_bytes()


@pytest.mark.slow
def test_bad_videos_are_named_and_never_become_a_pose(clips, encode, photograph, tmp_path):
    videos, out = tmp_path / "videos", tmp_path / "out"
    videos.mkdir()
    shutil.copy(clips / "a.mp4", videos / "good.mp4")
    (videos / "undecodable.mp4").write_bytes(b"not a video" * 1000)
    encode(videos / "no-frames.avi", [], size=(128, 128))
    content = (clips / "a.mp4").read_bytes()
    (videos / "truncated.mp4").write_bytes(content[: len(content) * 2 // 3])
    encode(videos / "nobody.mp4", [np.full_like(photograph, 255)] * 3)
    encode(videos / "large.mp4", [np.tile(photograph, (2, 2, 1))] * 2)
    encode(videos / "long.mp4", [photograph] * 9)
    encode(videos / "slanted.mp4", [photograph] * 2, rotation=30)
    status, output = run(videos, out, "--max-pixels", 128 * 128, "--max-frames", 8)
    assert status == 1
    assert "1 of 8 videos have poses" in " ".join(output.split())
    rows = report(out)
    assert rows.loc["good.pose", "status"] == "extracted"
    reasons = rows[rows["status"] == "failed"]["reason"].to_dict()
    assert set(reasons) == set(rows.index) - {"good.pose"}
    for name, words in {
        "undecodable": "cannot be opened as a video",
        "no-frames": "no frame",
        "truncated": "cut short",
        "nobody": "no person seen in any of 3 frames",
        "large": "frames of 256 x 256 pixels; the limit is 16,384",
        "long": "9 frames or more; the limit is 8",
        "slanted": "rotation",
    }.items():
        assert words in reasons[f"{name}.pose"], name
        assert f"failed: {videos / name}" in output.replace("\n", "")
    assert [path.name for path in out.glob("*.pose")] == ["good.pose"]
    assert run(videos / "good.mp4", out)[0] == 0
    assert list(report(out).index) == ["good.pose"]


def test_what_mediapipe_says_to_itself_is_not_shown(clips, capfd):
    holistic.pose_of(clips / "a.mp4")
    assert capfd.readouterr() == ("", "")
    os.write(2, b"later errors are")
    assert capfd.readouterr().err == "later errors are"


@pytest.mark.slow
def test_a_rotated_video_gives_upright_poses(clips, encode, photograph, extracted, tmp_path):
    lying = np.rot90(photograph, -1)
    frames = [np.ascontiguousarray(lying)] * 2
    path = encode(tmp_path / "turned.mp4", frames, rotation=90)
    pose = holistic.pose_of(path)
    nose = pose.body.data[0, 0, pose.header.get_point_index("POSE_LANDMARKS", "NOSE"), :2]
    assert np.abs(nose - (55, 28)).max() < 6


def test_what_is_done_is_not_done_again(task, made_up):
    first = do(task)
    assert (first.reused, do(task)) == (False, extract.Done(first.row, reused=True))
    assert made_up == [task.video]


def test_a_changed_video_pose_or_setting_is_done_again(task, made_up, monkeypatch, clips):
    do(task)
    changes = {
        "video": lambda: shutil.copy(clips / "more" / "b.webm", task.video),
        "pose": lambda: task.pose.write_bytes(task.pose.read_bytes()[:-1]),
        "no pose": task.pose.unlink,
        "record": lambda: task.record.write_text("{}"),
        "half a record": lambda: task.record.write_text(task.record.read_text()[:50]),
        "other record": lambda: task.record.write_text("[1]"),
        "setting": lambda: monkeypatch.setitem(holistic.HOLISTIC, "min_tracking_confidence", 0.6),
    }
    for times, (what, change) in enumerate(changes.items(), start=2):
        change()
        assert not do(task).reused, what
        assert len(made_up) == times, what
        poses.read_pose(task.pose)
    assert do(task).reused


def test_a_failure_of_the_video_is_remembered_until_something_changes(
    task, monkeypatch, clips, make_pose
):
    calls = []

    def nobody(video, limits, progress):
        calls.append(video)
        raise VideoError(video, "no person seen in any of 4 frames")

    monkeypatch.setattr(holistic, "pose_of", nobody)
    first = do(task)
    assert first.row["reason"] == "no person seen in any of 4 frames"
    assert do(task) == extract.Done(first.row, reused=True)
    do(task, Limits(frames=1000))
    assert len(calls) == 2
    shutil.copy(clips / "more" / "b.webm", task.video)
    monkeypatch.setattr(holistic, "pose_of", lambda video, limits, progress: make_pose())
    assert do(task).row["status"] == "extracted"


def test_other_failures_are_tried_again(task, monkeypatch, make_pose):
    def broken(video, limits, progress):
        raise RuntimeError("the graph failed")

    monkeypatch.setattr(holistic, "pose_of", broken)
    assert do(task).row["reason"] == "RuntimeError: the graph failed"
    assert not task.pose.exists()
    monkeypatch.setattr(holistic, "pose_of", lambda video, limits, progress: make_pose())
    done = do(task)
    assert (done.row["status"], done.reused) == ("extracted", False)


def test_a_pose_does_not_outlive_its_video(task, made_up, monkeypatch):
    do(task)
    assert task.pose.exists()
    task.video.write_bytes(b"not a video")
    monkeypatch.undo()
    assert do(task).row["status"] == "failed"
    assert not task.pose.exists()


def test_a_kill_between_record_and_output_loses_nothing(task, made_up, monkeypatch):
    """The record is there, the output is not: the video is not done."""

    def killed(source, target):
        if str(target).endswith(".pose"):
            raise KeyboardInterrupt
        return replace(source, target)

    replace = os.replace
    with monkeypatch.context() as patch:
        patch.setattr(files.os, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            do(task)
    assert task.record.exists()
    assert not task.pose.exists()
    assert not do(task).reused
    assert do(task).reused


@pytest.fixture
def long_clips(clips, encode, photograph, tmp_path):
    """Four clips, the first short, the others of about 5 s of work."""
    folder = tmp_path / "videos"
    folder.mkdir()
    shutil.copy(clips / "a.mp4", folder / "0.mp4")
    for i in range(1, 4):
        encode(folder / f"{i}.mp4", [np.roll(photograph, j, axis=1) for j in range(80 + i)])
    return folder


def started(videos, out, jobs=2) -> tuple[subprocess.Popen, list[psutil.Process]]:
    """``signclip extract`` once its first output is there and others are in work, and all its
    processes."""
    command = [sys.executable, "-m", "signclip", "extract", videos, out, "--jobs", jobs]
    parent = subprocess.Popen(
        [str(part) for part in command],
        stderr=subprocess.PIPE,
        text=True,
        # a shell's background jobs, and what they start, ignore it
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 60
    while not (out / "0.pose").exists():
        assert time.monotonic() < deadline
        assert parent.poll() is None, parent.stderr.read()
        time.sleep(0.02)
    children: list[psutil.Process] = []
    while len(workers_of(children)) < jobs:  # a busy machine starts them late
        assert time.monotonic() < deadline
        assert parent.poll() is None, parent.stderr.read()
        time.sleep(0.1)
        children = psutil.Process(parent.pid).children(recursive=True)
    return parent, children


def workers_of(processes) -> list[psutil.Process]:
    """Those that have MediaPipe's graph at work: the fork server's children."""
    servers = {process.pid for process in processes}
    return [process for process in processes if process.ppid() in servers]


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=["kill", "interrupt"])
def test_an_ended_run_leaves_nothing_half_done_and_goes_on(long_clips, tmp_path, how):
    out = tmp_path / "out"
    parent, children = started(long_clips, out)
    assert len(workers_of(children)) == 2
    parent.send_signal(how)
    assert parent.wait(timeout=60) != 0
    parent.stderr.close()
    _, alive = psutil.wait_procs(children, timeout=60)
    assert not alive
    there = {path: path.stat().st_mtime_ns for path in out.rglob("*.pose")}
    assert out / "0.pose" in there
    assert len(there) < 4
    for path in there:
        poses.read_pose(path)
    done = extract.run([long_clips / "0.mp4"], out, jobs=1, progress=False)
    assert [one.reused for one in done] == [True]
    assert {path: path.stat().st_mtime_ns for path in there} == there


@pytest.mark.slow
def test_a_killed_worker_costs_its_own_video(long_clips, tmp_path):
    out = tmp_path / "out"
    for name in ("2.mp4", "3.mp4"):  # short: only the one that is killed has to be in work
        (long_clips / name).unlink()
        shutil.copy(long_clips / "0.mp4", long_clips / name)
    parent, children = started(long_clips, out, jobs=1)
    (worker,) = workers_of(children)
    worker.kill()
    errors = parent.communicate(timeout=60)[1]
    assert parent.returncode == 1
    assert f"failed: {long_clips / '1.mp4'}: {workers.DIED}" in errors
    rows = report(out)
    assert rows["status"].tolist() == ["extracted", "failed", "extracted", "extracted"]
    assert not (out / "1.pose").exists()
    assert run(long_clips, out)[0] == 0  # it is tried again, and only it
    assert report(out)["status"].tolist() == ["extracted"] * 4


def test_two_videos_with_one_output_are_refused(clips, tmp_path):
    videos = tmp_path / "videos"
    videos.mkdir()
    for name in ("a.mp4", "a.webm"):
        shutil.copy(clips / "a.mp4", videos / name)
    with pytest.raises(ConfigError, match=r"a\.mp4 and .*a\.webm would both be written to a\.pose"):
        run(videos, tmp_path / "out")
    with pytest.raises(ConfigError, match="both be written"):
        run(videos / "a.mp4", clips / "a.mp4", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert len(extract.tasks([videos / "a.mp4", videos / "a.mp4"], tmp_path / "out")) == 1


def test_a_video_is_never_overwritten(clips, tmp_path):
    for name in ("a.pose", "b.mp4"):  # whatever is in it
        shutil.copy(clips / "a.mp4", tmp_path / name)
    with pytest.raises(ConfigError, match=r"a\.pose would be overwritten by the pose of .*a\.pose"):
        run(tmp_path / "b.mp4", tmp_path / "a.pose", tmp_path)
    assert (tmp_path / "a.pose").read_bytes() == (clips / "a.mp4").read_bytes()


def test_links_are_followed_and_dead_ones_are_named(clips, tmp_path):
    folder = tmp_path / "videos"
    folder.mkdir()
    (folder / "elsewhere").symlink_to(clips)
    (folder / "back").symlink_to(folder)
    (folder / "dead.mp4").symlink_to("nowhere.mp4")
    names = [task.name for task in extract.tasks([folder], tmp_path / "out")]
    assert names == ["dead.pose", "elsewhere/a.pose", "elsewhere/more/b.pose"]
    (folder / "elsewhere").unlink()
    status, output = run(folder, tmp_path / "out")
    assert status == 1
    assert "dead.mp4: No such file or directory" in " ".join(output.split())


@pytest.mark.skipif(sys.platform == "darwin", reason="its file names are all UTF-8")
def test_names_that_are_no_utf_8_are_reported(clips, tmp_path):
    shutil.copy(clips / "a.mp4", tmp_path / os.fsdecode(b"a \xff.mp4"))
    shutil.copy(clips / "README.txt", tmp_path / os.fsdecode(b"b \xff.mp4"))
    for _ in range(2):  # the second time from the records
        assert run(tmp_path, tmp_path / "out")[0] == 1
        rows = report(tmp_path / "out")
        assert rows["status"].to_dict() == {r"a \xff.pose": "extracted", r"b \xff.pose": "failed"}
    poses.read_pose(tmp_path / "out" / os.fsdecode(b"a \xff.pose"))


def test_a_place_is_refused_before_the_work(clips, tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "on_this_machine", lambda *_, **__: pytest.fail("work was done"))
    (tmp_path / "file").write_text("mine")
    (tmp_path / "out" / extract.REPORT).mkdir(parents=True)
    for out in ("file", "out"):
        with pytest.raises(ConfigError, match="cannot be written"):
            run(clips, tmp_path / out)
    assert (tmp_path / "file").read_text() == "mine"


def test_outputs_may_go_into_the_folder_where_one_is(clips, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(clips / "a.mp4", ".")[0] == 0
    assert (tmp_path / "a.pose").is_file()


def test_wrong_arguments_are_named(clips, tmp_path):
    (tmp_path / "empty").mkdir()
    for arguments, message in (
        ((tmp_path / "gone", tmp_path / "out"), "gone: no such file or folder"),
        ((tmp_path / "empty", tmp_path / "out"), "empty: no video in this folder"),
        ((clips, tmp_path / "out", "--engine", "slurm"), "engine 'slurm'; there are local, ray"),
        ((clips, tmp_path / "out", "--address", "auto"), "needs the engine ray"),
        ((clips, tmp_path / "out", "--jobs", 0), "0 jobs"),
    ):
        with pytest.raises(ConfigError, match=message):
            run(*arguments)


def test_two_runs_into_one_folder_are_refused(clips, tmp_path):
    with files.writing(tmp_path / "out"), pytest.raises(BusyError, match="another process"):
        run(clips, tmp_path / "out")


@pytest.mark.slow
def test_records_say_what_was_done(clips, extracted):
    record = json.loads((extracted / ".extraction" / "a.json").read_text())
    assert files.is_sealed(record)
    assert record["video_sha256"] == files.sha256_file(clips / "a.mp4")
    assert record["pose_sha256"] == files.sha256_file(extracted / "a.pose")
    assert record["settings"]["holistic"]["model_complexity"] == 1
    assert record["settings"]["versions"]["mediapipe"] == "0.10.21"


@pytest.mark.slow
def test_a_video_is_embedded_as_its_extracted_pose_is(clips, extracted):
    """The public API takes videos beside poses (a model of random weights)."""
    import torch

    from signclip import checkpoint, inference
    from signclip.model.config import ModelConfig
    from signclip.model.towers import SignCLIP

    torch.manual_seed(0)
    sizes = ModelConfig(
        frame_dims=609,
        vocab_size=30,
        hidden_size=16,
        attention_heads=2,
        intermediate_size=32,
        pose_layers=1,
        text_layers=1,
    )
    run = checkpoint.Run(None, SignCLIP(sizes), None, {}, "reduced_face", "")
    model = inference.SignCLIPModel(run)
    from_video = model.embed_pose([clips / "a.mp4"])
    assert np.array_equal(from_video, model.embed_pose([extracted / "a.pose"]))
