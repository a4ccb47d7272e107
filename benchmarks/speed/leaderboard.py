"""The leaderboard of 1,000 encoders and 20 places: the time to read results and to build the page.

    python -m benchmarks.speed.leaderboard

Writes ``results/speed/leaderboard.json``. Bars: 20,000 result files are read and the page is built
in ten seconds, and the page is smaller than 6 MB.

Decisions:
- The results are made up: encoders of random skill on clips of random difficulty, one metric each,
  each clip in one of 15 sign languages. Each encoder has metadata, as submissions have.
- Files are written before the clock starts, as all results are; so they are in the page cache.
- The exports, one folder and one record for each encoder, are measured apart; so is reading alone.
- A figure is the median of five rounds, with the least and the most; the exports are written once.
- On a busy machine processor time, that of the processes that read included, is the fairer number;
  the bar is for seconds.
- What is heavy is imported where it is needed, as by ``signbench leaderboard``: processes that read
  results import this module, too.

Cost: four minutes and 300 MB of disk.
"""

from __future__ import annotations

import os
import resource
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from benchmarks.leaderboard import compact
from benchmarks.results import SUBMITTED, Cost, Result, Score
from benchmarks.speed import bars
from signclip.core import files
from signclip.core.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd

ENCODERS, PLACES, CLIPS, LANGUAGES = 1000, 20, 300, 15
BARS = {"read_and_build_seconds": 10.0, "page_megabytes": 6.0}
ROUNDS = 5
CORPUS, LABELS, SEED = "made-up", 26, 0


def clip_names(place: int, clips: int) -> list[str]:
    """Ids of the clips of a place."""
    return [f"{place}-{number:03d}" for number in range(clips)]


def made_up_results(encoders: int, places: int, clips: int) -> Iterator[Result]:
    """Results of all encoders at the first place, then at the next one."""
    rng = np.random.default_rng(SEED)
    alone = [[rank] for rank in range(LABELS + 1)]  # shared: six million lists take seconds
    skills = rng.normal(0, 0.15, encoders)
    cost = Cost(parameters=1, training_seconds=1.0, evaluation_clips_per_second=1.0)
    for place in range(places):
        ids = clip_names(place, clips)
        difficulty = rng.random(clips)
        hits = rng.random((encoders, clips)) < np.clip(difficulty + skills[:, None], 0, 1)
        ranks = np.where(hits, 1, rng.integers(2, LABELS + 1, hits.shape))
        for encoder, (row, value) in enumerate(zip(ranks.tolist(), hits.mean(1), strict=True)):
            low, high = max(0, value - 0.05), min(1, value + 0.05)
            # not validated, which would take longer than all else
            yield Result.model_construct(
                **dict(group=SUBMITTED, encoder=f"e{encoder:04d}", title="made up"),
                **dict(revision="1.0", task=f"task-{place:02d}", corpus=CORPUS, split="letters"),
                scores={"V2T_R@1": Score(value=value, low=low, high=high, chance=0.04)},
                labels=LABELS,
                **dict(n_total=clips, n_evaluated=clips, n_dropped={}, corpus_dropped={}),
                **dict(corpus_fingerprint="abc", split_fingerprint="def", folds=[0], seeds=[0]),
                ranks=dict(zip(ids, map(alone.__getitem__, row), strict=True)),
                **dict(cost=cost, git_commit="unknown", packages={}, hardware="a machine"),
            )


def write_metadata(leaderboard: Path, encoders: int) -> None:
    """Write what is read beside the encoders' results: each was trained on two corpora."""
    from benchmarks import encoder_metadata

    corpora = [
        {"name": "one", "derives_from": ["another"], "part": "train"},
        {"name": "two", "part": "not known"},
    ]
    for encoder in range(encoders):
        fields = dict(
            **dict(name=f"e{encoder:04d}", title="made up", revision="1.0", authors=["nobody"]),
            **dict(licence="MIT", link=None, training_corpora=corpora, parameters=1),
            **dict(run_by="author", kind="pose", input={"kind": "pose"}),
        )
        about = encoder_metadata.parse(fields, "made up")
        path = encoder_metadata.sidecar(leaderboard, SUBMITTED, about.name, about.revision)
        path.parent.mkdir(parents=True, exist_ok=True)
        # without the lock of a file that somebody else may write, which takes most of the time
        path.write_text(files.sealed_json(about.model_dump(mode="json")), encoding="utf-8")


def clip_table(places: int, clips: int) -> pd.DataFrame:
    """The clips as ``results/points/player.csv`` has them, without points to play."""
    import pandas as pd

    from benchmarks.points import player

    rows = [
        {"corpus": CORPUS, "id": clip, "sign_language": f"l{number % LANGUAGES:02d}"}
        for place in range(places)
        for number, clip in enumerate(clip_names(place, clips))
    ]
    return pd.DataFrame(rows).reindex(columns=player.COLUMNS, fill_value="")


def _processor_seconds() -> float:
    """Of this process and of those that it started and that have ended."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def measure(encoders: int, places: int, clips: int, folder: Path) -> dict[str, float]:
    """Write made-up results below ``folder``, read them, and build the page and the exports."""
    from benchmarks.leaderboard import output

    workspace = Workspace(results=folder)
    for one in made_up_results(encoders, places, clips):
        one.write(workspace.leaderboard)
    write_metadata(workspace.leaderboard, encoders)
    workspace.points.mkdir()
    clip_table(places, clips).to_csv(workspace.points / "player.csv", index=False)
    figures: dict[str, float] = {"results": encoders * places, "clips": clips}

    def timed(name: str, work: Callable[[], Any], rounds: int = ROUNDS) -> Any:
        taken, used = [], []
        for _ in range(rounds):
            start, of_processor = time.perf_counter(), _processor_seconds()
            made = work()
            taken.append(time.perf_counter() - start)
            used.append(_processor_seconds() - of_processor)
        figures[f"{name}_seconds"] = round(median(taken), 2)
        figures[f"{name}_cpu_seconds"] = round(median(used), 2)
        if rounds > 1:
            figures[f"{name}_least"], figures[f"{name}_most"] = (
                round(of(taken), 2) for of in (min, max)
            )
        return made

    os.sync()  # otherwise files are still being written while they are read
    board, page = timed("read_and_build", lambda: output.build(workspace))
    timed("exports", lambda: output.write_exports(board, folder / "exports", time=0), 1)
    timed("read", lambda: deque(compact.read_all(workspace.leaderboard), maxlen=0))
    figures["page_megabytes"] = round(len(page.encode()) / 1e6, 2)
    return figures


def main(
    encoders: Annotated[int, typer.Option(help="Number of encoders.")] = ENCODERS,
    places: Annotated[int, typer.Option(help="Number of columns.")] = PLACES,
    clips: Annotated[int, typer.Option(help="Test clips of each column.")] = CLIPS,
    out: Annotated[Path, typer.Option(help="The file that is written.")] = Path(
        "results/speed/leaderboard.json"
    ),
) -> None:
    """Read made-up results and build their page; exit status 1 where a bar is missed.

    Example: python -m benchmarks.speed.leaderboard --encoders 100
    """
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(encoders, places, clips, Path(folder))
    bars.judge(figures, BARS, out)


if __name__ == "__main__":
    typer.run(main)
