"""The runner of all tasks: from an evaluation context to result files and predictions.

Decisions
* A clip is scored from its own frames, and the gallery is the same for every clip. (Every
  (language, letter) of the embedded corpus occurs once, so an encoder that knew which letters a
  clip's language has in training could win by elimination.)
* Folds are opened one after the other and all tasks are run on each, so one model is in memory at a
  time, each clip is embedded once, and results are written when all folds are done. Embeddings are
  cached, so an interrupted evaluation resumes there.
* A task that makes no sense for an encoder on a split is skipped, with its reason in the log; its
  earlier result is removed.
* Intervals, chance levels and files are the same for all tasks.

Outputs: a result per task (:mod:`benchmarks.results`), and the predictions of every test clip
(:mod:`benchmarks.evaluation.predictions`).

Cost: that of the encoder; then 0.5 s a task for the intervals, and a second a fold for the linear
probe.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import results, tasks
from benchmarks.evaluation import predictions
from benchmarks.evaluation.context import EvaluationContext
from benchmarks.evaluation.ranks import CandidateRanks, GalleryRanks, TaskRanks
from benchmarks.metrics import TiedRanks, scoring
from benchmarks.tasks import Task
from signclip.core import files
from signclip.core.errors import ConfigError

_log = logging.getLogger(__name__)

Ranks = list[list[TaskRanks]]  # seed -> fold


class NothingToDo(ConfigError):
    """None of the tasks makes sense for an encoder on a split, or they drop all test clips."""


def run_tasks(
    context: EvaluationContext, names: Iterable[str] | None = None, *, keep_others: bool = False
) -> dict[str, results.Result]:
    """Run the tasks that make sense for an encoder on a split, and write results and predictions.

    Args:
        names: of the tasks, see :func:`benchmarks.tasks.names_of`; None: all.
        keep_others: keep the predictions of other tasks, which an earlier call wrote.

    Returns:
        task -> result, in the order of the tables.

    Raises:
        NothingToDo: none of the tasks makes sense here.
        ConfigError: there is no such task.
        SignCLIPError: a run or the store is damaged.
    """
    chosen = tasks.all_tasks() if names is None else {name: tasks.find(name) for name in names}
    skipped = {name: why for name, task in chosen.items() if (why := task.skip(context))}
    for name, why in skipped.items():
        _log.info("%s, %s: %s is skipped: %s", context.encoder, context.split, name, why)
    wanted = [task for name, task in chosen.items() if name not in skipped]
    ranks, seconds = rank_tasks(context, wanted) if wanted else ({}, 0.0)
    done = [task for task in wanted if any(one.ids for one in ranks[task.name][0])]
    skipped |= {task.name: task.dropped for task in wanted if task not in done}
    for name in skipped:
        files.remove(_result_path(context, name))
    if not done:
        why = "; ".join(f"{name}: {reason}" for name, reason in skipped.items())
        raise NothingToDo(f"{context.encoder}, {context.split}: no task makes sense here ({why})")
    shared = context.described(seconds)
    written = {
        task.name: results.Result(**shared | measured(context, task, ranks[task.name]))
        for task in done
    }
    of_tasks = {task.name: ranks[task.name] for task in done}
    predictions.write(context, of_tasks, keep_others=keep_others)
    for result in written.values():
        result.write(context.workspace.leaderboard)
    return written


def rank_tasks(
    context: EvaluationContext, wanted: Sequence[Task]
) -> tuple[dict[str, Ranks], float]:
    """The ranks of each task, and the time that the encoders took to score the test clips."""
    found: dict[str, Ranks] = {task.name: [] for task in wanted}
    seconds = 0.0
    for encoder in context.encoders:
        for of_task in found.values():
            of_task.append([])
        for fold in context.folds:
            opened = context.open_fold(fold, encoder)
            for task in wanted:
                found[task.name][-1].append(task.run(opened))
            seconds += opened.seconds()
    return found, seconds


def _result_path(context: EvaluationContext, name: str) -> Path:
    return results.path_of(
        *(context.workspace.leaderboard, context.group, context.encoder, context.revision),
        *(name, context.corpus, context.split),
    )


def measured(context: EvaluationContext, task: Task, found: Ranks) -> dict[str, Any]:
    """The fields of a result that differ between tasks."""
    ranks: dict[str, list[TiedRanks]] = {}
    counts: dict[str, list[int]] = {}
    right: dict[str, list[int]] = {}
    for one in (fold for of_seed in found for fold in of_seed):
        for clip, of_clip, candidates in zip(one.ids, *one.by_clip(), strict=True):
            ranks.setdefault(clip, []).append(of_clip)
            counts.setdefault(clip, []).extend(map(int, candidates))
        if isinstance(one, CandidateRanks) and one.positives is not None:
            for clip, positives in zip(one.ids, one.positives, strict=True):
                right.setdefault(clip, []).extend(map(int, positives))
    if isinstance(found[0][0], GalleryRanks):
        scores = scoring.score_galleries(*([one.ranks for one in of_seed] for of_seed in found))
    else:
        clips = sorted(ranks)
        scores = scoring.score_candidates(
            [TiedRanks.join(ranks[clip]) for clip in clips],
            *([np.array(of[clip]) for clip in clips] for of in (counts, right) if of),
        )
    if task.extra_scores is not None:
        scores |= task.extra_scores(found)
    evaluated = sum(len(one.ids) for one in found[0])
    dropped = sum(len(fold.test) for fold in context.folds) - evaluated
    return {
        "task": task.name,
        "scores": scores,
        "labels": max(max(of_clip) for of_clip in counts.values()),
        "ranks": {clip: TiedRanks.join(of).stored() for clip, of in ranks.items()},
        "n_evaluated": evaluated,
        "n_dropped": context.split_folds.n_dropped | ({task.dropped: dropped} if dropped else {}),
    }
