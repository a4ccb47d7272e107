"""Evaluating many encoders: rows of suites, or everything that a plan lists.

Decisions
* Each encoder is opened once a split and runs all its tasks from the same embeddings.
* Results and predictions are written encoder by encoder, so that a stopped evaluation has kept what
  it finished; embeddings are cached, so it resumes quickly.
* What a plan lists is evaluated side by side, one encoder and split a process.

Cost: opening a run takes 0.3 s; the tasks take a second or two an encoder and split.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from baselines.floors import FLOORS
from benchmarks import results, suites, tasks
from signclip.core.jobs import run_all
from signclip.core.progress import bar
from signclip.core.workspace import Workspace

Show = Callable[[str, str, dict[str, results.Result]], None]  # encoder, split, task -> result
RETRIEVAL = tasks.names_of("retrieval")
PROTOCOLS = tasks.names_of("recognition", "clips", "language", "transfer")


class Wanted(NamedTuple):
    """An encoder to evaluate on a split by some tasks."""

    row: str
    split: str
    tasks: tuple[str, ...]


@dataclass(frozen=True)
class Settings:
    """What is evaluated and under which names the results are written.

    Attributes:
        seeds: of the runs; several are one measurement.
        group: of the results and predictions.
        revision: of the results; None: the profile, with the transferred run behind it.
        run: a run of each row that was trained on another corpus or split.
    """

    profile: str
    corpus: str
    seeds: tuple[int, ...]
    group: str = results.LOCAL
    revision: str | None = None
    run: str | None = None


def evaluate_rows(
    rows: Sequence[str],
    splits: Sequence[str],
    workspace: Workspace,
    settings: Settings,
    *,
    names: Sequence[str] = RETRIEVAL,
    show: Show = lambda *_: None,
) -> None:
    """Evaluate encoders on splits.

    Args:
        rows: encoders, see :func:`benchmarks.evaluation.context.open_context`.
        workspace: predictions go to ``<predictions>/<group>``.
        names: of the tasks.

    Raises:
        SignCLIPError: an encoder, its runs or the features are missing or damaged.
    """
    wanted = [Wanted(row, split, tuple(names)) for split in splits for row in rows]
    with bar(total=len(wanted), desc="evaluate", unit="encoder") as shown:
        for one in wanted:
            shown.set_postfix_str(f"{one.row}, {one.split}")
            _evaluate(one, workspace, settings, show)
            shown.update()


def evaluate_plan(
    plan: suites.Plan, workspace: Workspace, settings: Settings, *, jobs: int
) -> None:
    """Evaluate what a plan lists, each row by retrieval and, where the plan says so, all protocols.

    Args:
        jobs: encoders evaluated side by side, each on one thread.

    Raises:
        SignCLIPError: see :func:`evaluate_rows`.
    """
    # the longest first, so that no core idles at the end: floors are fitted here, on every fold
    wanted = sorted(_planned(plan), key=lambda one: (one.row not in FLOORS, -len(one.tasks)))
    run_all(
        f"{__name__}:evaluate_alone",
        wanted,
        jobs=jobs,
        total=len(wanted),
        desc="evaluate",
        unit="encoders",
        preload=["benchmarks.evaluation.context"],
        workspace=workspace,
        settings=settings,
    )


def evaluate_alone(
    wanted: Wanted,
    *,
    workspace: Workspace,
    settings: Settings,
    progress: Callable[[float], None],
) -> None:
    """Evaluate one encoder on one split, on one thread; see :func:`evaluate_plan`."""
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(1)
    with threadpool_limits(1):
        _evaluate(wanted, workspace, settings, lambda *_: None)
    progress(1.0)


def _planned(plan: suites.Plan) -> Iterator[Wanted]:
    for split in plan.evaluate:
        with_protocols = set(suites.expand(plan.protocols.get(split, ())))
        for row in suites.evaluated(split, among=plan):
            names = RETRIEVAL + PROTOCOLS if row in with_protocols else RETRIEVAL
            yield Wanted(row, split, names)


def _evaluate(wanted: Wanted, workspace: Workspace, settings: Settings, show: Show) -> None:
    from benchmarks.evaluation.context import open_context
    from benchmarks.runner import run_tasks

    inside = workspace.replace(predictions=workspace.predictions / settings.group)
    where = dict(profile=settings.profile, corpus=settings.corpus, seeds=settings.seeds)
    context = open_context(wanted.row, inside, split=wanted.split, run=settings.run, **where)
    named = context.named(group=settings.group, revision=settings.revision)
    show(context.encoder, wanted.split, run_tasks(named, wanted.tasks))
