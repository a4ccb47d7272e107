"""The inputs of points, tables and figures: results in a tidy frame, points, predictions, runs.

Decisions
* A table or figure declares the results that it shows as :class:`Need` objects. A need is a filter
  of the frame. A result that is not there is left out, and :meth:`Source.missing` says why: the
  profile's plan (``suites.yaml``) tells what the pipeline makes.
* Predictions and runs are read by points alone (:mod:`benchmarks.points`); tables and figures read
  results and points, so that they can be made where nothing was trained.
* A row that the pipeline does not evaluate on a split may have been measured with one seed by
  ``make full``; on equal clips and split it stands among the pipeline's results (its group is in
  the table's CSV).
* The paths of predictions and runs are made here only.

Cost: the frame is read once, a second for 300 results.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks import results, suites
from benchmarks.evaluation.galleries import RETRIEVAL, TAGGED_RETRIEVAL
from benchmarks.results import FULL, REPRO, Result
from signclip.core.errors import ConfigError, RunError, SignCLIPError
from signclip.core.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd

_KEY = ["group", "encoder", "revision", "task", "corpus", "split"]


class NoResults(SignCLIPError):
    """What a table or figure shows was not measured here; the message says what makes it."""


class Need(NamedTuple):
    """The results of rows on one task and split."""

    split: str
    task: str
    rows: tuple[str, ...]  # rows and suites, in the order of the table


@dataclass(frozen=True)
class Source:
    """Where one report reads from.

    Attributes:
        profile: revision of the results.
        seed: of the runs whose curves and embeddings are shown.
        group: of the results that must exist and of the predictions.
        run: name of the pretrained runs that a transfer corpus was evaluated with.
    """

    workspace: Workspace
    profile: str
    corpus: str
    seed: int = 0
    group: str = REPRO
    run: str = suites.IN_DOMAIN

    @cached_property
    def frame(self) -> pd.DataFrame:
        """:func:`benchmarks.results.load`."""
        return results.load(self.workspace.leaderboard)

    @cached_property
    def _by_key(self) -> dict[tuple[str, ...], Result]:
        rows = self.frame.drop_duplicates(_KEY)
        return dict(zip(rows[_KEY].itertuples(index=False, name=None), rows["result"], strict=True))

    @cached_property
    def plan(self) -> suites.Plan:
        """What the pipeline evaluates in this profile."""
        return suites.plan_of(self.profile, self.workspace.params)

    def find(
        self,
        encoder: str,
        task: str,
        split: str,
        *,
        group: str | None = None,
        revision: str | None = None,
        corpus: str | None = None,
    ) -> Result | None:
        """One result, or None; group, revision and corpus are the source's by default."""
        place = (group or self.group, encoder, revision or self.profile)
        return self._by_key.get((*place, task, corpus or self.corpus, split))

    def find_first(
        self, encoder: str, tasks: Iterable[str], split: str, **where: str
    ) -> Result | None:
        """The result of the first of some tasks that has one; ``where`` as in :meth:`find`."""
        found = (self.find(encoder, task, split, **where) for task in tasks)
        return next((one for one in found if one is not None), None)

    def planned(self, split: str, task: str) -> list[str]:
        """The encoders whose result on a task and split the pipeline makes."""
        retrieval = task in (RETRIEVAL, TAGGED_RETRIEVAL)
        planned = self.plan.evaluate if retrieval else self.plan.protocols
        return suites.expand(planned.get(split, ()))

    def select(self, need: Need) -> dict[str, Result]:
        """Encoder -> result of a need, in the order of its rows; those that there are.

        Raises:
            ConfigError: a result was measured on other clips than the rest.
        """
        named = {
            name: self.find(name, need.task, need.split) or self._one_seed(name, need)
            for name in suites.expand(need.rows)
        }
        found = {name: result for name, result in named.items() if result is not None}
        self._check_same_clips(found.values())
        return found

    def _check_same_clips(self, found: Iterable[Result]) -> None:
        """Refuse a result of another corpus or split than most: its row would not be comparable."""
        clips = {one.path(self.workspace.leaderboard): _clips(one) for one in found}
        counts = Counter(clips.values())
        if len(counts) > 1:
            usual = counts.most_common(1)[0][0]
            path = next(path for path, of in clips.items() if of != usual)
            raise ConfigError(
                f"{path}: measured on corpus {clips[path][0]}, split {clips[path][1]}, the other "
                f"results on {usual[0]}, {usual[1]}; measure it again or remove it"
            )

    def missing(self, need: Need) -> dict[str, str]:
        """Encoder -> why a result of a need that the pipeline makes is not there."""
        found = self.select(need)
        planned = self.planned(need.split, need.task)
        return {
            name: f"no result on {need.split}, {need.task}: `make repro` makes it"
            for name in suites.expand(need.rows)
            if name in planned and name not in found
        }

    def select_full(self, need: Need) -> dict[str, Result]:
        """Encoder -> result over several seeds (group ``full``), where there is one."""
        found = {
            name: self.find(name, need.task, need.split, group=FULL)
            for name in suites.expand(need.rows)
            if self._one_seed(name, need) is None
        }
        return {name: result for name, result in found.items() if result is not None}

    def select_any(self, need: Need) -> dict[str, Result]:
        """:meth:`select`, and :meth:`select_full` for the rows that it lacks."""
        return self.select_full(need) | self.select(need)

    def _one_seed(self, encoder: str, need: Need) -> Result | None:
        """A row's result in the group ``full`` with this seed alone, where ``repro`` has none."""
        if self.group != REPRO or self.find(encoder, need.task, need.split) is not None:
            return None
        result = self.find(encoder, need.task, need.split, group=FULL)
        if result is None or result.seeds != [self.seed]:
            return None
        return result if _clips(result) in self._clips_of(need.split) else None

    def _clips_of(self, split: str) -> set[tuple[str, str]]:
        """The corpus and split fingerprints of this source's own results on a split."""
        return {
            _clips(one)
            for (group, *_, corpus, where), one in self._by_key.items()
            if (group, corpus, where) == (self.group, self.corpus, split)
        }

    def points(self, name: str) -> pd.DataFrame:
        """The plotted points of a name, empty cells as empty text.

        Raises:
            NoResults: they were not made here.
            ConfigError: the file is damaged.
        """
        import pandas as pd

        path = self.workspace.points / f"{name}.csv"
        if not path.is_file():
            raise NoResults(f"{path}: no points here; `signbench points {name}` makes them")
        try:
            table = pd.read_csv(path, keep_default_na=False, na_values=[""])
        except (ValueError, pd.errors.ParserError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: damaged ({error})") from None
        if table.empty:
            raise NoResults(f"{path}: holds no points; `make repro` trains what they need")
        text = table.select_dtypes(exclude="number").columns
        return table.fillna(dict.fromkeys(text, ""))

    def predictions(self, encoder: str, split: str) -> Path:
        """The folder of an encoder's predictions on a split."""
        return self.workspace.predictions / self.group / encoder / split

    def runs(self, result: Result) -> list[Path]:
        """The folders of the runs that a result was measured with, of this source's seed.

        Raises:
            RunError: the result names no such run, or one is missing.
        """
        seed = f"{self.seed}/"
        names = [name for name in result.runs if name.startswith(seed)]
        folders = [self.workspace.find_run(Path(result.encoder, name)) for name in names]
        if not folders:
            raise RunError(f"{result.encoder}: its result names no run with seed {self.seed}")
        for folder in folders:
            if not folder.is_dir():
                raise RunError(f"{folder}: no run here; train it first")
        return folders


def _clips(result: Result) -> tuple[str, str]:
    """The corpus and split fingerprints of a result."""
    return result.corpus_fingerprint, result.split_fingerprint


def needed(splits: Iterable[str], tasks: Iterable[str], *rows: str) -> tuple[Need, ...]:
    """One need for each pair of a split and a task."""
    tasks = tuple(tasks)
    return tuple(Need(split, task, rows) for split in splits for task in tasks)
