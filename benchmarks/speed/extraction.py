"""Speed of ``signclip extract`` beside pose-format on the same videos.

    python -m benchmarks.speed.extraction VIDEOS...

Decisions:
- Three ways to the same bytes: pose-format's command ``video_to_pose``, once per video; its
  function in one process, so that saved imports are not counted as our gain; ``signclip extract``.
- The ways take turns for several rounds, because others may use the machine. The result is the
  ratio within a round, and its median. CPU seconds include all child processes. The CPU seconds of
  all other processes are reported too: where they exceed a few per cent of the wall seconds, wall
  speeds are not comparable.
- The poses are compared, so that no way is faster by doing something else.

Cost: three extractions per round.
"""

from __future__ import annotations

import ctypes
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import pandas as pd
import typer

from benchmarks import results
from signclip.core import files
from signclip.extraction import holistic

COMMAND, FUNCTION, OURS = "video_to_pose", "pose_video, one process", "signclip extract"
_PR_SET_CHILD_SUBREAPER = 36  # <sys/prctl.h>
_IN_ONE_PROCESS = """
import sys
from pose_format.bin.pose_estimation import pose_video
for video, pose in zip(sys.argv[1::2], sys.argv[2::2]):
    pose_video(video, pose, "mediapipe", progress=False)
"""


class Seconds(NamedTuple):
    """Time that a way took."""

    wall: float
    cpu: float  # of its processes and all their descendants
    others: float  # CPU seconds of everything else on the machine meanwhile


def _busy() -> float:
    """CPU seconds used by all processes since the machine started (Linux)."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n")[0].split()[1:]]
    user, nice, system, _, _, irq, softirq, *_ = fields
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def run(commands: Sequence[Sequence[str]]) -> Seconds:
    """Run commands one after another and measure their time.

    Raises:
        subprocess.CalledProcessError: a command failed.
    """
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    busy = _busy()
    for command in commands:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wall, busy = time.perf_counter() - start, _busy() - busy
    while True:  # a fork server ends later; as its reaper, this process gets its CPU time
        try:
            os.wait()
        except ChildProcessError:
            break
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Seconds(wall, cpu, max(0.0, busy - cpu))


def ways(videos: Sequence[Path], folder: Path, jobs: int) -> dict[str, list[list[str]]]:
    """The commands of each way; poses are written to ``folder/<way>/``."""
    pairs = {
        way: [(str(video), str(folder / way / f"{video.stem}.pose")) for video in videos]
        for way in (COMMAND, FUNCTION)
    }
    plain = Path(sys.executable).parent / "video_to_pose"
    in_one = [sys.executable, "-c", _IN_ONE_PROCESS]
    ours = [sys.executable, "-m", "signclip", "extract", *map(str, videos), str(folder / OURS)]
    return {
        COMMAND: [[str(plain), "-i", video, "-o", pose] for video, pose in pairs[COMMAND]],
        FUNCTION: [[*in_one, *(part for pair in pairs[FUNCTION] for part in pair)]],
        OURS: [[*ours, "--jobs", str(jobs)]],
    }


def measure(videos: Sequence[Path], *, rounds: int, jobs: int) -> pd.DataFrame:
    """Wall and CPU seconds, and ratios to pose-format's command: a row for each round and way.

    Raises:
        RuntimeError: ``signclip extract`` and pose-format's command wrote different poses.
    """
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    rows = []
    for number in range(rounds):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            seconds = {}
            for way, commands in ways(videos, folder, jobs).items():
                (folder / way).mkdir()
                seconds[way] = run(commands)
            for video in videos:
                poses = [(folder / way / f"{video.stem}.pose") for way in (COMMAND, OURS)]
                if poses[0].read_bytes() != poses[1].read_bytes():
                    raise RuntimeError(f"{video}: the two poses differ")
            frames = int(pd.read_csv(folder / OURS / "extraction.csv")["frames"].sum())
        for way, (wall, cpu, others) in seconds.items():
            rows.append(
                {
                    "round": number,
                    "way": way,
                    "videos": len(videos),
                    "frames": frames,
                    "wall_seconds": wall,
                    "cpu_seconds": cpu,
                    "frames_per_second": frames / wall,
                    "frames_per_cpu_second": frames / cpu,
                    "wall_speed_ratio": seconds[COMMAND].wall / wall,
                    "cpu_speed_ratio": seconds[COMMAND].cpu / cpu,
                    "others_cpu_seconds": others,
                }
            )
    return pd.DataFrame(rows)


def main(
    videos: Annotated[list[Path], typer.Argument(help="Video files with different names.")],
    rounds: Annotated[int, typer.Option(help="Rounds; each measures every way once.")] = 3,
    jobs: Annotated[int, typer.Option(help="Processes of `signclip extract`.")] = 2,
    out: Annotated[Path, typer.Option(help="The file that is written.")] = Path(
        "results/speed/extraction.csv"
    ),
) -> None:
    """Measure extraction beside pose-format; write results/speed/extraction.csv.

    Example: python -m benchmarks.speed.extraction a.mp4 b.mp4
    """
    table = measure(videos, rounds=rounds, jobs=jobs)
    table = table.assign(
        jobs=jobs,
        mediapipe=holistic.settings()["versions"]["mediapipe"],
        hardware=results.hardware(),
    )
    files.write_text(out, table.round(3).to_csv(index=False, lineterminator="\n"))
    shown = table.groupby("way", sort=False)[
        ["frames_per_second", "frames_per_cpu_second", "wall_speed_ratio", "cpu_speed_ratio"]
    ].median()
    typer.echo(f"median of {rounds} rounds; ratios to {COMMAND}\n{shown.round(2).to_string()}")


if __name__ == "__main__":
    typer.run(main)
