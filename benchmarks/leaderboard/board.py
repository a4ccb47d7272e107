"""The board: every column with its statistics, and the overall order.

Decisions
* Ties are tested for metrics that are means over clips of hits at a depth, ``V2T_R@k``: result
  files have the ranks. Other metrics have intervals and no ranks; the page says so.
* A clip that a result has dropped is left out of its pairs, so a pair is compared on the clips that
  both have.
* Replicates of a column without per-clip ranks are drawn from a normal distribution with the width
  of each result's interval.

Cost: 1 s for 60 rows and 35 places; 3 s for 1,000 rows and 20 places of 300 clips.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from benchmarks.leaderboard import order, paired
from benchmarks.leaderboard.columns import Cell, Place, Table, lower_is_better
from benchmarks.leaderboard.order import ColumnPoints, Standing
from benchmarks.leaderboard.paired import Hits, Ranks, Ties, Units
from benchmarks.metrics.groups import About

NOT_A_MEAN = "not a mean of hits over clips, so rows are not tested in pairs"
NO_RANKS = "a result has no ranks of its clips, so rows are not tested in pairs"
WIDTH = 2 * 1.96  # of a 95 % interval, in standard errors


@dataclass(frozen=True)
class Column:
    """One metric at one place.

    Attributes:
        values: of the cells, in their order, like low, high.
        ties: None: not tested.
        why_untested: why; empty if it is tested.
    """

    place: Place
    metric: str
    cells: Sequence[Cell]
    ties: Ties | None
    why_untested: str

    @property
    def values(self) -> list[float]:
        """The metric of each cell."""
        return [cell.result.scores[self.metric].value for cell in self.cells]

    @property
    def order(self) -> list[int]:
        """Numbers of the cells, best first; equal ones in the order of rows."""
        sign = 1 if lower_is_better(self.metric) else -1
        values = self.values
        return sorted(range(len(values)), key=lambda number: sign * values[number])

    @property
    def chance(self) -> float:
        """The value of random scores."""
        return self.cells[0].result.scores[self.metric].chance


@dataclass(frozen=True)
class Board:
    """All that the page and the exports show.

    Attributes:
        columns: place -> its columns, the main one first.
        units: place -> what is resampled there.
        ranks: place -> ranks of the clips of its cells.
        points: place -> Borda points of its main column.
        standings: of each row, over all places.
    """

    table: Table
    columns: Mapping[Place, list[Column]]
    units: Mapping[Place, Units]
    ranks: Mapping[Place, Ranks]
    points: Mapping[Place, ColumnPoints]
    standings: list[Standing]

    @property
    def places(self) -> list[Place]:
        """In the order of the page."""
        return self.table.places

    def main(self, place: Place) -> Column:
        """The main column of a place."""
        return self.columns[place][0]


def board_of(table: Table, about: Mapping[str, About]) -> Board:
    """Compute all statistics of a board.

    Args:
        about: corpus -> clip -> (signer, sign language).
    """
    draws = order.replicates_of(sum(map(len, table.cells.values())))
    columns, units, points, ranks = {}, {}, {}, {}
    for number, place in enumerate(table.places):
        cells = table.cells[place]
        ranks[place] = paired.ranks_of([cell.ranks for cell in cells])
        units[place] = paired.choose_units(ranks[place].clips, about.get(place.corpus, {}))
        here = At(ranks[place], units[place])
        columns[place] = [_column(place, metric, cells, here) for metric in table.metrics(place)]
        points[place] = _points(columns[place][0], here, draws, number)
    main = [columns[place][0] for place in table.places]
    standings = order.standings(
        [points[place] for place in table.places],
        [column.values for column in main],
        len(table.rows),
    )
    return Board(table, columns, units, ranks, points, standings)


def depth_of(metric: str) -> int | None:
    """k of ``V2T_R@k``; None: another metric."""
    named = re.fullmatch(r"V2T_R@(\d+)", metric)
    return int(named[1]) if named else None


@dataclass(frozen=True)
class At:
    """The clips of a place."""

    ranks: Ranks
    units: Units
    _hits: dict[int, Hits] = field(default_factory=dict)

    def hits(self, depth: int) -> Hits:
        """Hits at a depth, computed once for the tests and the replicates."""
        if depth not in self._hits:
            self._hits[depth] = paired.hits_of(self.ranks, depth)
        return self._hits[depth]


def _column(place: Place, metric: str, cells: Sequence[Cell], here: At) -> Column:
    depth = depth_of(metric)
    why = NOT_A_MEAN if depth is None else ""
    if not why and not all(cell.ranks.clips for cell in cells):
        why = NO_RANKS
    if why or depth is None:
        return Column(place, metric, cells, None, why)
    values = [cell.result.scores[metric].value for cell in cells]
    found = paired.ties(here.hits(depth), values, here.units)
    return Column(place, metric, cells, found, "")


def _points(column: Column, here: At, draws: int, seed: int) -> ColumnPoints:
    sign = -1.0 if lower_is_better(column.metric) else 1.0
    depth = depth_of(column.metric)
    if column.ties is not None and depth is not None:
        hits = here.hits(depth)
        sums = paired.by_unit(np.maximum(hits.steps, 0), here.units)
        sizes = paired.by_unit((hits.steps >= 0).astype(np.int64), here.units)
        drawn = order.resampled_means(sums / hits.scale, sizes, draws, seed)
        drawn = np.round(drawn, 12)  # equal rows stay equal
    else:
        drawn = sign * _from_intervals(column, draws, seed)
    return ColumnPoints(
        [cell.row for cell in column.cells],
        order.beaten(sign * np.array(column.values)),
        np.rint(order.beaten(drawn) * order.BYTE).astype(np.uint8).T,
    )


def _from_intervals(column: Column, draws: int, seed: int) -> NDArray[np.float64]:
    scores = [cell.result.scores[column.metric] for cell in column.cells]
    errors = np.array([(score.high - score.low) / WIDTH for score in scores])
    rng = np.random.default_rng(seed)
    return np.array(column.values) + errors * rng.standard_normal((draws, len(scores)))
