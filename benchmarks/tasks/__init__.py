"""Tasks: what encoders are evaluated by. Each file of this package adds one, or a few of one kind.

Decisions
* A module of this package defines ``TASKS``, a tuple of :class:`Task`, and is found by its being
  here. A name with a leading underscore marks a helper module.
* A task is a function from one fold (:class:`benchmarks.evaluation.context.FoldContext`) to the
  ranks of its test clips. Intervals, chance levels, comparisons and files are the same for all
  tasks (:mod:`benchmarks.runner`), so to tables a task is a name and a title.
* Modules of tasks import torch and scikit-learn inside functions only, so that tables can read
  names and titles at once.

Cost: 0.1 s to import all of them.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from signclip.core.errors import ConfigError

if TYPE_CHECKING:
    from benchmarks.evaluation.context import EvaluationContext, FoldContext
    from benchmarks.evaluation.ranks import TaskRanks
    from benchmarks.results import Score

# retrieval: V2T and T2V in the galleries of a split; recognition: labels, learned from the fold's
# training clips; clips: embeddings of clips, no text; language: needs prompts with language tags;
# transfer: for encoders that were trained on other clips.
Kind = Literal["retrieval", "recognition", "clips", "language", "transfer"]
Run = Callable[["FoldContext"], "TaskRanks"]
Skip = Callable[["EvaluationContext"], "str | None"]
ExtraScores = Callable[[Sequence[Sequence["TaskRanks"]]], "dict[str, Score]"]


@dataclass(frozen=True)
class Task:
    """One task.

    Attributes:
        name: in the paths of results.
        title: in tables.
        kind: decides the order of tables, before ``order``.
        run: computes the ranks of one fold.
        skip: why the task makes no sense for an encoder on a split; None: it does.
        order: place among the tasks of its kind.
        dropped: why ``run`` leaves out test clips, if it does.
        extra_scores: further scores, from the ranks of all folds of each seed.
    """

    name: str
    title: str
    kind: Kind
    run: Run
    skip: Skip
    order: int = 100
    dropped: str = ""
    extra_scores: ExtraScores | None = None


def all_tasks() -> dict[str, Task]:
    """The tasks by name, in the order of the tables.

    Raises:
        ConfigError: two modules define a task of the same name.
    """
    found: list[Task] = []
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        if not module.name.rpartition(".")[2].startswith("_"):
            found += importlib.import_module(module.name).TASKS
    kinds = get_args(Kind)
    found.sort(key=lambda task: (kinds.index(task.kind), task.order, task.name))
    by_name = {task.name: task for task in found}
    if len(by_name) < len(found):
        names = [task.name for task in found]
        raise ConfigError(f"several tasks are named {max(names, key=names.count)}")
    return by_name


def names_of(*kinds: Kind) -> tuple[str, ...]:
    """The names of the tasks of some kinds, in the order of the tables."""
    return tuple(name for name, task in all_tasks().items() if task.kind in kinds)


def title_of(name: str) -> str:
    """A task's title.

    Raises:
        ConfigError: there is no such task.
    """
    return find(name).title


def find(name: str) -> Task:
    """A task by name.

    Raises:
        ConfigError: there is no such task.
    """
    tasks = all_tasks()
    if name not in tasks:
        raise ConfigError(f"unknown task {name!r}; there are {', '.join(tasks)}")
    return tasks[name]
