"""Extracting the poses of many videos: file names, records, resuming, and the report.

Decisions
* A video results in a complete pose or in a failure with its reason (see
  :mod:`signclip.extraction.holistic` and :mod:`signclip.extraction.video`). No other file is ever
  left under an output's name, and an output is removed when its video or the settings change.
* Every output has a record, ``.extraction/<name>.json``: digests of video and pose, settings, and
  its row of the report. The record is written before the output is renamed into place, and only
  that renaming finishes a video; so a command that is killed at any time can be resumed. Failures
  caused by the video are recorded too; others are tried again.
* The report ``extraction.csv`` lists the videos of this call, in their order.

Cost: that of :mod:`signclip.extraction.holistic`; for a finished video, hashing it and its pose.
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import pandas as pd
from pose_format import Pose

from signclip.core import files, workers
from signclip.core.errors import ConfigError, SampleError
from signclip.core.progress import bar
from signclip.extraction import holistic
from signclip.extraction.video import Limits
from signclip.poses import reader

RECORDS, REPORT = ".extraction", "extraction.csv"
COLUMNS = (
    *("video", "pose", "status", "reason"),
    *("frames", "fps", "seconds"),  # seconds: the clip's length
    *holistic.PARTS.values(),  # share of frames in which each is detected
    "wall_seconds",  # taken by the extraction
)
Engine = Literal["local", "ray"]


class Task(NamedTuple):
    """One video to extract."""

    given: str  # the video's path as the user gave it
    video: Path  # the same, absolute
    out: Path  # folder of all outputs, absolute
    name: str  # path of the output, relative to out

    @property
    def pose(self) -> Path:
        """Path of the output."""
        return self.out / self.name

    @property
    def record(self) -> Path:
        """Path of the output's record."""
        return self.out / RECORDS / Path(self.name).with_suffix(".json")


class Done(NamedTuple):
    """A finished task: its row of the report, and whether an earlier command had finished it."""

    row: dict[str, Any]
    reused: bool


def tasks(videos: Sequence[Path], out: Path) -> list[Task]:
    """The tasks: files are named by their name, a folder's videos by their paths below it.

    Raises:
        ConfigError: a path does not exist, a folder has no video or cannot be read, two videos have
            the same output, or an output would overwrite one of the videos.
    """
    found: dict[str, Task] = {}
    out = out.resolve()
    for given in videos:
        for video, relative in _videos(given):
            name = relative.with_suffix(".pose").as_posix()
            task = Task(str(video), Path(os.path.realpath(video)), out, name)
            if found.setdefault(name, task).video != task.video:
                raise ConfigError(
                    f"{found[name].given} and {video} would both be written to {name}"
                )
    inputs = {task.video: task.given for task in found.values()}
    for task in found.values():
        if task.pose in inputs:
            raise ConfigError(
                f"{inputs[task.pose]} would be overwritten by the pose of {task.given}"
            )
    return list(found.values())


def _videos(given: Path) -> Iterator[tuple[Path, Path]]:
    """A path's videos, with the relative paths of their outputs."""
    if not given.is_dir():
        if not given.exists():
            raise ConfigError(f"{given}: no such file or folder")
        yield given, Path(given.name)
        return
    inside = list(_below(given))
    if not inside:
        raise ConfigError(
            f"{given}: no video in this folder ({' '.join(sorted(reader.VIDEO_SUFFIXES))})"
        )
    for path in inside:
        yield path, path.relative_to(given)


def _below(folder: Path, above: tuple[Path, ...] = ()) -> Iterator[Path]:
    """The videos in a folder and its subfolders, in order of their paths.

    Links are followed. A broken link and a pipe count as videos, so that they become named
    failures.

    Args:
        above: the folders on the way here, to detect a link that leads back to one of them.
    """
    here = folder.resolve()
    if here in above:
        return
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be read ({error.strerror})") from None
    for path in paths:
        if path.is_dir():
            yield from _below(path, (*above, here))
        elif not reader.is_video(path) or path.name.startswith("."):
            continue
        else:
            yield path


def extract(
    task: Task, limits: Limits, *, progress: workers.Progress = lambda frames, share: None
) -> workers.Result:
    """Extract one video, unless its record says that it is done: a :class:`Done`.

    A bad video raises no error; its row states the reason.
    """
    start = time.perf_counter()
    try:
        files.check_regular(task.video)
        known = {"video_sha256": files.sha256_file(task.video), "settings": holistic.settings()}
        row = _recorded(task, known, limits)
        if row is not None:
            return workers.Result(Done(row, reused=True), 0)
        task.pose.unlink(missing_ok=True)  # it belongs to another video or to other settings
        try:
            pose = holistic.pose_of(task.video, limits, progress=progress)
        except SampleError as error:
            row = failed(task, error.reason, time.perf_counter() - start)
            _write_record(task, known | {"limits": vars(limits), "row": row})
            return workers.Result(Done(row, reused=False), 0)
        row = _row(task, pose, time.perf_counter() - start)
        buffer = BytesIO()
        pose.write(buffer)
        with files.atomic_file(task.pose) as partial:
            partial.write_bytes(buffer.getvalue())
            digest = files.sha256_bytes(buffer.getvalue())
            _write_record(task, known | {"pose_sha256": digest, "row": row})
        return workers.Result(Done(row, reused=False), row["frames"])
    except Exception as error:  # a full disk, MediaPipe, a bug: reported, and tried again
        reason = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
        row = failed(task, reason, time.perf_counter() - start)
        return workers.Result(Done(row, reused=False), 0)


def failed(task: Task, reason: str, wall_seconds: float | None = None) -> dict[str, Any]:
    """The report's row of a video that has no pose."""
    wall = None if wall_seconds is None else round(wall_seconds, 3)
    values = {"status": "failed", "reason": files.as_text(reason), "wall_seconds": wall}
    return dict.fromkeys(COLUMNS) | _names(task) | values


def _names(task: Task) -> dict[str, str]:
    """The columns that identify the video; the report is UTF-8 even where a file name is not."""
    return {"video": files.as_text(task.given), "pose": files.as_text(task.name)}


def _row(task: Task, pose: Pose, wall_seconds: float) -> dict[str, Any]:
    frames, fps = len(pose.body.data), float(pose.body.fps)
    return _names(task) | {
        "status": "extracted",
        "reason": None,
        "frames": frames,
        "fps": round(fps, 6),
        "seconds": round(frames / fps, 6),
        **{part: round(rate, 6) for part, rate in holistic.detection_rates(pose).items()},
        "wall_seconds": round(wall_seconds, 3),
    }


def _write_record(task: Task, values: dict[str, Any]) -> None:
    files.write_text(task.record, files.sealed_json(values))


def _recorded(task: Task, known: dict[str, Any], limits: Limits) -> dict[str, Any] | None:
    """The row of a video that was finished with these settings and whose output is intact."""
    try:
        record = files.read_json(task.record)
    except (OSError, ValueError):
        return None
    if not isinstance(record, dict) or not files.is_sealed(record):
        return None
    if any(record.get(key) != value for key, value in known.items()):
        return None
    if "pose_sha256" in record:
        if not task.pose.is_file() or files.sha256_file(task.pose) != record["pose_sha256"]:
            return None
    elif record["limits"] != vars(limits) or task.pose.exists():
        return None
    return record["row"] | _names(task)


def run(
    videos: Sequence[Path],
    out: Path,
    *,
    jobs: int,
    engine: Engine = "local",
    address: str | None = None,
    limits: Limits | None = None,
    progress: bool = True,
) -> list[Done]:
    """Extract the videos' poses into ``out`` and write the report there, in the videos' order.

    Args:
        jobs: processes on this machine.
        engine: ``ray`` uses a Ray cluster: the one at ``address``, else a local one.

    Raises:
        ConfigError: there is no video, names, engine or address are wrong, or nothing can be
            written into ``out``.
        BusyError: another process is extracting into ``out``.
    """
    if engine not in get_args(Engine):
        raise ConfigError(f"engine {engine!r}; there are {', '.join(get_args(Engine))}")
    if address and engine != "ray":
        raise ConfigError("an address belongs to a Ray cluster: it needs the engine ray")
    if jobs < 1:
        raise ConfigError(f"{jobs} jobs; at least one is needed")
    work = functools.partial(extract, limits=limits or Limits())
    todo, out = (
        tasks(videos, out),
        out.resolve(),
    )  # resolved: the lock is named after it, and "." has no name
    _check_place(out / REPORT)
    with files.writing(out), _shown(len(todo), disable=not progress) as report:
        outcomes = (
            workers.on_ray(work, todo, jobs=jobs, address=address, report=report)
            if engine == "ray"
            else workers.on_this_machine(
                work, todo, jobs=jobs, preload=[__name__, holistic.MEDIAPIPE], report=report
            )
        )
        done = {
            task: Done(failed(task, result), reused=False)
            if isinstance(result, str)
            else result.value
            for task, result in outcomes
        }
        rows = pd.DataFrame([done[task].row for task in todo], columns=list(COLUMNS))
        rows = rows.astype({"frames": "Int64"})
        files.write_text(out / REPORT, rows.to_csv(index=False, lineterminator="\n"))
    return [done[task] for task in todo]


def _check_place(report: Path) -> None:
    """Refuse a folder that cannot be written into, before any pose is extracted."""
    if report.is_dir():
        raise ConfigError(f"{report}: cannot be written (it is a folder)")
    with files.writing(report):  # creates the folder, and a lock in it
        pass


@contextmanager
def _shown(total: int, *, disable: bool) -> Iterator[workers.Report]:
    """A progress bar that shows finished videos, frames a second, and the remaining time."""
    start = time.perf_counter()
    layout = "{desc} |{bar}| {percentage:3.0f}% [{elapsed}<{remaining}]"
    with bar(total=total, desc=f"0/{total} videos", bar_format=layout, disable=disable) as shown:

        def report(frames: int, videos: float, ended: int) -> None:
            rate = frames / (time.perf_counter() - start)
            shown.set_description_str(f"{ended}/{total} videos, {rate:.1f} frames/s", refresh=False)
            # fractions of videos count, so that the remaining time is right for a few long ones too
            shown.update(min(videos, total) - shown.n)

        yield report
        shown.update(total - shown.n)
