"""Rows beyond the paper: paired differences to E7.2, to the best floor and to the changed row.

Decisions
* Differences are paired by clip (:mod:`benchmarks.metrics.compare`), so that a clip that is hard
  for both sides does not widen the interval.
* The floor is the best one of each place, chosen on its test clips: only a row that beats that one
  is better than no training. Floors draw nothing at random, so they also stand beside rows over
  several seeds.
* A row that the pipeline does not evaluate at a place is a dash: which rows the pipeline has time
  for is not a finding.
* Whether X beats every other row stands in a part of its own, X minus each row that is evaluated
  on the same split, including the paper's.
* Measurements over several seeds (``make full``) are shown below the pipeline's; which of them is
  decided in :mod:`benchmarks.report.places`.

Cost: a tenth of a second per difference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from benchmarks import suites
from benchmarks.report.cells import (
    NOTHING,
    cell,
    difference_cell,
    difference_columns,
    number,
    score_columns,
    seeds_of,
)
from benchmarks.report.families import best_floor
from benchmarks.report.page import Page, Table
from benchmarks.report.places import PLACES, Found, Place, at_places, seeds_title, several_seeds
from benchmarks.results import Result
from benchmarks.source import NoResults, Source
from signclip.core.config import read_yaml
from signclip.core.workspace import RunId, Workspace
from signclip.experiments.table import experiments_path, resolve

BASE, BEST = "E7.2", "X"
FLOOR = "best floor"
METRIC, DEEPER = "V2T_R@1", "V2T_R@10"
METRICS = (METRIC, "V2T_R@5", DEEPER, "V2T_MedianR")
CHANCE = "chance"
ROWS = (BASE, "beyond", suites.SKELETON_SUITE, suites.FLOOR_SUITE)
OPPONENTS = ("fingerclip", "pretraining", "tested")  # rows of the paper that X is compared with


def bases(workspace: Workspace) -> dict[str, str]:
    """Row beyond the paper -> the row that it changes."""
    experiments = read_yaml(experiments_path(workspace))
    return {name: experiments[name]["base"] for name in suites.expand(["beyond"])}


def frame(found: Found, base_of: Mapping[str, str]) -> pd.DataFrame:
    """One row per place and encoder, and chance behind each place."""
    rows = []
    for place, results_of in found.items():
        for name, result in results_of.items():
            row = {
                "group": result.group,
                "revision": result.revision,
                "seeds": seeds_of(result),
                "split": place.split,
                "gallery": place.gallery,
                "id": name,
                "row": result.title,
                "n_evaluated": str(result.n_evaluated),
                "n_total": str(result.n_total),
                "texts": str(result.labels),
            }
            row |= score_columns(result, METRICS, chance=False)
            row |= _differences(name, results_of, base_of.get(name, ""))
            rows.append(row | {"signature": result.signature})
        if results_of:
            scores = next(iter(results_of.values())).scores
            same = ("group", "revision", "split", "gallery", "texts")
            row = {key: rows[-1][key] for key in same} | {"id": CHANCE, "row": "random scores"}
            rows.append(row | {f"ours_{m}": number(scores[m].chance, m) for m in METRICS})
    return pd.DataFrame(rows).fillna("")


def _differences(name: str, results_of: Mapping[str, Result], base: str) -> dict[str, str]:
    """The paired differences of a row's columns."""
    result = results_of[name]
    columns = {}
    floor = best_floor(results_of)
    for other, column in ((BASE, f"minus_{BASE}"), (floor, "minus_floor")):
        if other in results_of and other != name:
            columns |= difference_columns(result, results_of[other], column, METRIC)
    columns |= {"floor": floor or "", "base": base}
    if base in results_of:
        columns |= difference_columns(result, results_of[base], "minus_base", METRIC)
    if BEST in results_of and name != BEST:
        columns |= difference_columns(results_of[BEST], result, f"{BEST}_minus", METRIC)
    return columns


def parts(table: pd.DataFrame, seeds: str) -> dict[str, pd.DataFrame]:
    """Heading -> printed part: values, then differences to E7.2, floor and base, X minus each row.

    Args:
        seeds: as a heading names them.
    """
    row_of = {(row["id"], row["split"], row["gallery"]): row for row in table.to_dict("records")}
    titles = dict(table[["id", "row"]].itertuples(index=False, name=None))
    base_of = dict(table[["id", "base"]].itertuples(index=False, name=None))
    rows = suites.expand(ROWS)

    def printed(names: Sequence[str], column: str, metric: str) -> pd.DataFrame:
        shown = [name for name in names if name in titles]
        out = {"id": shown, "row": [titles[name] for name in shown]}
        if column == "minus_base":
            out["base"] = [base_of[name] for name in shown]
        show = cell if column == "ours" else difference_cell
        for place in PLACES:
            out[place.title] = [
                show(row_of.get((name, *place), {}), metric, column) for name in shown
            ]
        return pd.DataFrame(out)

    other_base = [name for name in rows if base_of.get(name, "") not in ("", BASE)]
    found = {
        f"V2T R@1, {seeds}": printed([*rows, CHANCE], "ours", METRIC),
        f"V2T R@1, difference to {BASE}, {seeds}": printed(
            [name for name in rows if name != BASE], f"minus_{BASE}", METRIC
        ),
        f"V2T R@1, difference to the best floor, {seeds}": pd.concat(
            [_floors(table), printed(rows, "minus_floor", METRIC)], ignore_index=True
        ),
        f"V2T R@1, difference to the base, where that is not {BASE}, {seeds}": printed(
            other_base, "minus_base", METRIC
        ),
        f"V2T R@1, {BEST} minus each row, {seeds}": printed(
            [name for name in suites.expand([*OPPONENTS, *ROWS]) if name != BEST],
            f"{BEST}_minus",
            METRIC,
        ),
        f"V2T R@10, {seeds}": printed([*rows, CHANCE], "ours", DEEPER),
    }
    heads = [place.title for place in PLACES]
    return {
        heading: part
        for heading, part in found.items()
        if len(part) and (part[heads] != NOTHING).any(axis=None)
    }


def with_floors(found: Found, ours: Found) -> dict[Place, dict[str, Result]]:
    """Results over several seeds with the pipeline's floors beside them, where they have none."""
    floors = suites.expand([suites.FLOOR_SUITE])
    return {
        place: {**here, **{x: ours[place][x] for x in floors if x in ours[place] and x not in here}}
        if here
        else {}
        for place, here in found.items()
    }


def _floors(table: pd.DataFrame) -> pd.DataFrame:
    """A line that names the best floor of each place."""
    floor_of = {
        (row["split"], row["gallery"]): row["floor"]
        for row in table.to_dict("records")
        if row["floor"]
    }
    named = {place.title: floor_of.get(tuple(place), NOTHING) for place in PLACES}
    return pd.DataFrame([{"id": FLOOR, "row": "no training beforehand", **named}])


def settings_of_best(source: Source) -> list[tuple[str, str, str]]:
    """Where the run configurations of X and E7.2 differ: (setting, X's, E7.2's)."""
    both = []
    for name in (BEST, BASE):
        run = RunId(name, source.profile, "", suites.IN_DOMAIN, None, 0)
        values = resolve(run, source.workspace).model_dump(
            mode="json", exclude={"experiment", "title"}
        )
        towers = values.pop("towers")
        both.append(values | {f"towers.{key}": value for key, value in towers.items()})
    best, base = both
    return [
        (key, _setting(best[key]), _setting(base[key])) for key in best if best[key] != base[key]
    ]


def _setting(value: object) -> str:
    return " + ".join(map(str, value)) if isinstance(value, list) else str(value)


def build(source: Source) -> Page:
    """See the module."""
    rows = [*ROWS, *OPPONENTS]
    ours = {place: here for place, here in at_places(source, rows).items() if here}
    if not ours:
        raise NoResults("none of these rows was measured; `make repro` does")
    full = several_seeds(source, ours, rows)
    base_of = bases(source.workspace)
    table = frame(ours, base_of)
    printed = parts(table, seeds_title(ours))
    if full:
        more = frame(with_floors(full.found, ours), base_of)
        printed |= parts(more, seeds_title(full.found))
        table = pd.concat([table, more], ignore_index=True).fillna("")
    found = [*ours.items(), *((place, here) for place, here in full.found.items() if here)]
    floor = ours.get(Place(suites.UNSEEN, "tagged"), {}).get("nearest-neighbour")
    notes = dict(
        first={place: next(iter(here.values())) for place, here in ours.items()},
        signatures=[(place, next(iter(here.values())).signature) for place, here in found],
        settings=settings_of_best(source),
        floor=floor,
        full=full,
        everywhere=suites.expand(["everywhere"]),
        nothing=NOTHING,
    )
    shown = [result for _, here in found for result in here.values()]
    return Page(table, printed, notes, shown)


NEEDS = tuple(place.need(*ROWS, *OPPONENTS) for place in PLACES)
TABLE = Table("beyond", "Beyond the paper", NEEDS, build)
