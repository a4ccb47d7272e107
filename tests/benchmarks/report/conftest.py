"""Made-up results of a whole pipeline, and a report that reads them."""

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

from benchmarks import report, results, suites
from benchmarks.evaluation.galleries import RETRIEVAL, TAGGED_RETRIEVAL
from benchmarks.report import page
from benchmarks.report.cells import ALL_RETRIEVAL_METRICS
from benchmarks.results import MEAN_RANKS, Result, Score
from benchmarks.source import Source
from signclip.core.workspace import Workspace

ROOT = Path(__file__).parents[3]
CORPUS = "c"
CLIPS = [f"clip-{i:03d}" for i in range(40)]
TITLES = {"nearest-neighbour": "1-nearest-neighbour"}
METRICS = (
    *ALL_RETRIEVAL_METRICS,
    *("V2T_R@20", "V2T_MRR", "V2T_DCG", "V2T_MeanR"),
)


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    """A project below ``tmp_path`` with this repository's parameters."""
    names = ("data", "features", "runs", "embeddings", "predictions", "results")
    return Workspace(**{name: tmp_path / name for name in names}, params=ROOT / "params.yaml")


@pytest.fixture
def source(workspace) -> Source:
    """What the pipeline's tables read; it reads the results once, so write them first."""
    return report.source_of(workspace, profile="cpu", corpus=CORPUS)


@pytest.fixture(scope="session")
def empty_report(build_once) -> Path:
    """The report page of a project without any results: published values and reasons."""

    def build(folder: Path) -> None:
        workspace = Workspace(results=folder / "results", params=ROOT / "params.yaml")
        report.write_all(workspace, profile="cpu", corpus=CORPUS, seed=0)

    return build_once("empty-report", build) / "results/report/index.html"


@pytest.fixture
def measured(result, workspace) -> Callable[..., Result]:
    """Writes a made-up result of an encoder; keyword arguments replace fields."""

    def write(encoder: str, task: str, split: str, *, value: float = 0.5, **changes) -> Result:
        scores = {
            name: Score(value=0.5 + least, low=0.4 + least, high=0.6 + least, chance=0.1 + least)
            for name in METRICS
            for least in (name.endswith(MEAN_RANKS),)  # the best rank is 1
        }
        scores["V2T_R@1"] = Score(value=value, low=value, high=value, chance=0.01)
        where = dict(encoder=encoder, task=task, split=split, scores=scores)
        made = result(**{"corpus": CORPUS, **where, **changes})
        made.write(workspace.leaderboard)
        return made

    return write


@pytest.fixture(scope="session")
def boards(tmp_path_factory) -> Callable[[str, Callable[[], None], Path], None]:
    """Fills a folder with the results of a call, or with a copy of those of an equal call."""
    made: dict[str, Path] = {}

    def fill(call: str, write: Callable[[], None], leaderboard: Path) -> None:
        if call in made:
            shutil.copytree(made[call], leaderboard, dirs_exist_ok=True)
            return
        before = leaderboard.exists()
        write()
        if not before:  # nothing else is in it
            made[call] = tmp_path_factory.mktemp("board") / "leaderboard"
            shutil.copytree(leaderboard, made[call])

    return fill


MORE = {suites.UNSEEN: ("X",)}  # of `make full`


@pytest.fixture
def board(measured, boards, workspace) -> Callable[..., None]:
    """Writes made-up retrieval results of all that the pipeline evaluates, and of :data:`MORE`."""

    def write(
        *, group: str = results.REPRO, seeds: Iterable[int] = (0,), leave: Iterable[str] = ()
    ) -> None:
        seeds, leave = list(seeds), list(leave)
        call = f"{group} {seeds} {leave}"
        boards(call, lambda: write_all(group, seeds, leave), workspace.leaderboard)

    def write_all(group: str, seeds: list[int], leave: list[str]) -> None:
        for split in (suites.LETTERS, suites.IN_DOMAIN, suites.UNSEEN):
            for task in (RETRIEVAL, TAGGED_RETRIEVAL)[: 2 - (split == suites.LETTERS)]:
                names = dict.fromkeys([*MORE.get(split, ()), *suites.evaluated(split)])
                for number, name in enumerate(names):
                    if name in leave:
                        continue
                    skill = 0.2 + 0.02 * number - 0.1 * (task == TAGGED_RETRIEVAL)
                    skill += 0.3 * (name == "X")
                    about = [number, *split.encode(), *task.encode()]
                    draws = [
                        np.random.default_rng([*about, seed]).random(len(CLIPS)) for seed in seeds
                    ]
                    hits = np.stack(draws, axis=1) < skill
                    measured(
                        *(name, task, split),
                        value=float(hits.mean()),
                        group=group,
                        title=TITLES.get(name, f"the change of {name}"),
                        seeds=seeds,
                        n_evaluated=len(CLIPS),
                        ranks={
                            clip: [1 if hit else 7 for hit in of_clip]
                            for clip, of_clip in zip(CLIPS, hits, strict=True)
                        },
                    )

    return write


@pytest.fixture
def stored(workspace) -> Callable[..., Result]:
    """Reads a result back."""

    def read(encoder, task, split, group=results.REPRO) -> Result:
        where = (workspace.leaderboard, group, encoder, "cpu", task, CORPUS, split)
        return results.read(results.path_of(*where))

    return read


@pytest.fixture
def written(workspace) -> Callable[..., dict[str, str]]:
    """Writes a table from the results that there are; returns its files by suffix."""

    def write(table: page.Table) -> dict[str, str]:
        fresh = report.source_of(workspace, profile="cpu", corpus=CORPUS)
        folder = workspace.results / "tables"
        page.write(table, fresh, folder, workspace.results / "costs" / f"{table.name}.csv")
        return {suffix: (folder / f"{table.name}.{suffix}").read_text() for suffix in page.SUFFIXES}

    return write
