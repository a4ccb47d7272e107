"""Rows, places and columns of a board, from results.

Decisions
* A row is an encoder. Its results in the groups of the pipeline (``repro``, ``full``,
  ``transfer-<corpus>``, ``pretraining-<corpus>``) stand in one row; those of the groups
  ``submitted`` and ``local`` in rows of their own, so that nobody's results mix with ours. The
  revision ``<profile>.<run>`` of a transferred model counts as ``<profile>``.
* A place is what results must share to be compared: corpus and split with their fingerprints, task
  and size of the gallery. A column is a metric at a place. Each place has one main metric, which
  the overall order is made of.
* Of several results of a row at a place, one is shown: that of most seeds, then that of the
  pipeline. The others are counted, with the reason.

Cost: milliseconds for 300 results.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from baselines.floors import FLOORS
from benchmarks import encoder_metadata, results, tasks
from benchmarks.encoder_metadata import EncoderMetadata
from benchmarks.leaderboard.compact import Compact, RowRanks
from benchmarks.results import Result
from signclip.core.errors import ConfigError
from signclip.corpora import splits

PIPELINE = "pipeline"  # origin of all groups that are not in SEPARATE
SEPARATE = (results.SUBMITTED, results.LOCAL)
MAIN_METRICS = ("V2T_R@1", "mAP", "F1")  # the first that all results of a place have
SHOWN_METRICS = (
    *("V2T_R@1", "V2T_R@5", "V2T_R@10", "V2T_MRR", "V2T_MedianR"),
    *("T2V_P@1", "T2V_R@10", "T2V_MedianR", "mAP", "F1"),
)
LOWER_IS_BETTER = ("MedianR", "MeanR")
FLOOR, SKELETON, POSE_TEXT, POSE, OTHER = (
    *("floor", "recogniser", "pose and text", "pose"),
    "not known",
)
FEWER_SEEDS = "the same encoder at the same place, with fewer seeds or of a later group"


class Place(NamedTuple):
    """What the results of a column share."""

    corpus: str
    corpus_fingerprint: str
    split: str
    split_fingerprint: str
    task: str
    labels: int


class RowKey(NamedTuple):
    """What the results of a row share."""

    encoder: str
    revision: str
    origin: str  # PIPELINE or one of SEPARATE


@dataclass(frozen=True)
class Row:
    """An encoder on the board.

    Attributes:
        metadata: None: there is none.
        kind: ``pose and text``, ``pose``, ``recogniser``, ``floor`` or ``not known``.
    """

    key: RowKey
    title: str
    metadata: EncoderMetadata | None
    kind: str

    @property
    def name(self) -> str:
        """As the page names it."""
        suffix = "" if self.key.origin == PIPELINE else f" ({self.key.origin})"
        return self.key.encoder + suffix


@dataclass(frozen=True)
class Cell:
    """A row's result at a place, and what its encoder has seen of the corpus.

    Attributes:
        result: without its ranks.
        ranks: its ranks as arrays, in a tenth of the memory.
        exposure: see :func:`benchmarks.encoder_metadata.exposure`.
    """

    row: int
    result: Result
    ranks: RowRanks
    exposure: str


@dataclass(frozen=True)
class Table:
    """All results, as rows and places.

    Attributes:
        cells: place -> its cells, in the order of rows.
        hidden: reason -> number of results that are not shown.
    """

    rows: list[Row]
    cells: Mapping[Place, list[Cell]]
    hidden: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def places(self) -> list[Place]:
        """In the order of the page: corpora and splits of most results first."""
        known, of_corpus = list(tasks.all_tasks()), self._cells_of_corpus
        most_of_split: Counter[tuple] = Counter()
        for place, cells in self.cells.items():
            most_of_split[place[:4]] = max(most_of_split[place[:4]], len(cells))

        def order(place: Place) -> tuple:
            task = known.index(place.task) if place.task in known else len(known)
            fewer = (-len(of_corpus[place.corpus]), place.corpus)
            return (*fewer, -most_of_split[place[:4]], place[:4], task)

        return sorted(self.cells, key=order)

    @cached_property
    def _cells_of_corpus(self) -> dict[str, list[Cell]]:
        found: dict[str, list[Cell]] = {}
        for place, cells in self.cells.items():
            found.setdefault(place.corpus, []).extend(cells)
        return found

    def metrics(self, place: Place) -> list[str]:
        """The metrics that are shown at a place, the main one first.

        Raises:
            ConfigError: its results have no metric in common.
        """
        cells = self.cells[place]
        common = set(cells[0].result.scores).intersection(*(c.result.scores for c in cells))
        if not common:
            raise ConfigError(f"{place.task} on {place.corpus}, {place.split}: no common metric")
        shown = [name for name in SHOWN_METRICS if name in common] or sorted(common)
        main = next((name for name in MAIN_METRICS if name in common), shown[0])
        return [main, *(name for name in shown if name != main)]


def lower_is_better(metric: str) -> bool:
    """Is a smaller value of this metric better?"""
    return metric.endswith(LOWER_IS_BETTER)


def row_key(result: Result) -> RowKey:
    """The row that a result belongs to."""
    base, _, run = result.revision.partition(".")
    revision = base if run in splits.SPLITS else result.revision
    origin = result.group if result.group in SEPARATE else PIPELINE
    return RowKey(result.encoder, revision, origin)


def place_of(result: Result) -> Place:
    """The place of a result."""
    return Place(
        *(result.corpus, result.corpus_fingerprint),
        *(result.split, result.split_fingerprint),
        *(result.task, result.labels),
    )


def table_of(found: Iterable[Compact], leaderboard: Path) -> Table:
    """Sort results into rows and places.

    Args:
        found: as :func:`benchmarks.leaderboard.compact.compact` makes them.
        leaderboard: the folder of the results, where their metadata lie.

    Raises:
        ConfigError: metadata are damaged.
    """
    best: dict[tuple[RowKey, Place], Result] = {}
    ranks: dict[tuple[RowKey, Place], RowRanks] = {}
    hidden: Counter[str] = Counter()
    for result, of_result in found:
        where = row_key(result), place_of(result)
        if where in best:
            hidden[FEWER_SEEDS] += 1
        if where not in best or _preference(result) < _preference(best[where]):
            best[where], ranks[where] = result, of_result
    keys = sorted({key for key, _ in best}, key=lambda key: (key.origin != PIPELINE, *key))
    number = {key: row for row, key in enumerate(keys)}
    about = _metadata(best.values(), leaderboard)
    cells: dict[Place, list[Cell]] = {}
    of_row: dict[RowKey, list[Result]] = {key: [] for key in keys}
    for (key, place), result in best.items():
        metadata = about[result.group, result.encoder, result.revision]
        exposure = encoder_metadata.exposure(metadata, result.corpus)
        cell = Cell(number[key], result, ranks[key, place], exposure)
        cells.setdefault(place, []).append(cell)
        of_row[key].append(result)
    for of_place in cells.values():
        of_place.sort(key=lambda cell: cell.row)
    rows = [_row(key, of_row[key], about) for key in keys]
    return Table(rows, cells, dict(hidden))


Metadata = dict[tuple[str, str, str], EncoderMetadata | None]  # group, encoder, revision


def _metadata(found: Iterable[Result], leaderboard: Path) -> Metadata:
    keys = {(result.group, result.encoder, result.revision) for result in found}
    return {key: encoder_metadata.find(leaderboard, *key) for key in keys}


def _preference(result: Result) -> tuple:
    """Smaller is preferred."""
    return (-len(result.seeds), result.group != results.REPRO, result.group)


def _row(key: RowKey, found: list[Result], about: Metadata) -> Row:
    first = min(found, key=lambda result: (result.revision != key.revision, _preference(result)))
    metadata = about[first.group, first.encoder, first.revision]
    kind = (metadata.kind if metadata is not None else None) or OTHER
    if key.origin == PIPELINE and key.encoder in FLOORS:
        kind = FLOOR
    title = (metadata.title if metadata is not None else "") or first.title
    return Row(key, title, metadata, kind)
