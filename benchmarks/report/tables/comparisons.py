"""What this repository claims of its own rows, each with its comparison, intervals and verdict.

Decisions
* A claim is a row of ``benchmarks/report/comparisons.csv``: two rows and a split and gallery.
  ``best floor`` stands for the floor with the highest V2T R@1 there, chosen on the same test clips,
  so an encoder that wins against it wins against each of them.
* A difference of V2T R@1 is paired by clip and has two 95 % intervals: over clips, and over signers
  or sign languages, which are drawn whole. The verdict rests on the wider one.
* Beside each claim stands the number of intervals of its family, which are not corrected for it.
* Measurements over several seeds are judged where there are any (:mod:`benchmarks.report.places`).

Cost: a tenth of a second a claim.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd

from benchmarks import suites
from benchmarks.metrics.compare import both_intervals, on_shared_clips
from benchmarks.metrics.intervals import PairedDifference
from benchmarks.report import verdicts
from benchmarks.report.cells import NOTHING, seeds_of
from benchmarks.report.families import best_floor
from benchmarks.report.page import Page, Table, markdown_table
from benchmarks.report.places import Found, Place, at_places, several_seeds
from benchmarks.report.tables.beyond import FLOOR, METRIC, with_floors
from benchmarks.report.verdicts import Measured
from benchmarks.results import Result
from benchmarks.source import NoResults, Source

FILE = Path(__file__).parents[1] / "comparisons.csv"
INTERVALS = {"over_clips": "over clips", "over_groups": "over sign languages"}


def claims() -> list[dict[str, str]]:
    """The rows of ``comparisons.csv``."""
    with FILE.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


CLAIMS = claims()
ENCODERS = tuple(dict.fromkeys(one[side] for one in CLAIMS for side in ("better", "worse")))
ROWS = (*(name for name in ENCODERS if name != FLOOR), suites.FLOOR_SUITE)
PLACES = tuple(dict.fromkeys(Place(one["split"], one["gallery"]) for one in CLAIMS))


def judged(
    ours: Found, full: Found, languages: Mapping[str, str]
) -> Iterator[tuple[dict[str, str], list[Result]]]:
    """Each claim with its numbers and verdict, and the two results.

    Args:
        ours: the pipeline's results.
        full: those over several seeds, with the floors beside them.
        languages: sign language of each clip.
    """
    counts = pd.Series([one["family"] for one in CLAIMS]).value_counts()
    for claim in CLAIMS:
        place = Place(claim["split"], claim["gallery"])
        row = claim | {"intervals_of_family": str(counts[claim["family"]])}
        both = _both(claim, full.get(place, {})) or _both(claim, ours.get(place, {}))
        if both is None:
            yield row | {"verdict": verdicts.verdict(verdicts.NOT_RUN, "no result")}, []
            continue
        shared = on_shared_clips(*both)
        found = both_intervals(*shared, METRIC, groups=languages)
        row |= {"worse": both[1].encoder, "seeds": seeds_of(both[0])}
        row |= {"clips": str(len(shared[0].ranks)), "difference": f"{found.wider.difference:+.4f}"}
        for name in INTERVALS:
            row |= _bounds(name, getattr(found, name))
        yield row | {"verdict": verdicts.claim(Measured(*found.wider))}, list(both)


def _both(claim: Mapping[str, str], here: Mapping[str, Result]) -> tuple[Result, Result] | None:
    worse = best_floor(here) if claim["worse"] == FLOOR else claim["worse"]
    if claim["better"] not in here or worse not in here:
        return None
    return here[claim["better"]], here[worse]


def _bounds(name: str, one: PairedDifference | None) -> dict[str, str]:
    values = ("", "") if one is None else (f"{one.low:+.4f}", f"{one.high:+.4f}")
    return dict(zip((f"{name}_low", f"{name}_high"), values, strict=True))


def printed(table: pd.DataFrame) -> pd.DataFrame:
    """As the Markdown shows the claims."""
    shown = pd.DataFrame({"claim": table["claim"]})
    shown["comparison"] = table["better"] + " minus " + table["worse"]
    shown["where"] = table["split"] + ", " + table["gallery"]
    for name, title in {"difference": "difference", **INTERVALS}.items():
        columns = [name] if name == "difference" else [f"{name}_low", f"{name}_high"]
        parts = table.reindex(columns=columns).fillna("")
        text = parts.agg(", ".join, axis=1)
        shown[title] = text.where(parts.iloc[:, 0] != "", NOTHING)
    shown["seeds"] = table.reindex(columns=["seeds"]).fillna("")["seeds"]
    shown["verdict"] = table["verdict"]
    shown["of a family of"] = table["intervals_of_family"]
    return shown


def _measured(source: Source) -> tuple[pd.DataFrame, list[Result]]:
    ours = {place: here for place, here in at_places(source, ROWS, PLACES).items() if here}
    if not ours:
        raise NoResults("none of these rows was measured; `make repro` does")
    full = with_floors(several_seeds(source, ours, ROWS).found, ours)
    try:
        clips = source.points("clips")[["id", "sign_language"]]
        languages = dict(clips.itertuples(index=False, name=None))
    except NoResults:
        languages = {}
    found = list(judged(ours, full, languages))
    table = pd.DataFrame([row for row, _ in found]).fillna("")
    return table, [result for _, both in found for result in both]


def build(source: Source) -> Page:
    """See the module."""
    table, shown = _measured(source)
    return Page(table, {"V2T R@1, paired differences": printed(table)}, {}, shown)


def block(source: Source) -> str:
    """The claims as a Markdown table, for documents (:mod:`benchmarks.report.blocks`)."""
    return markdown_table(printed(_measured(source)[0]))


NEEDS = tuple(place.need(*ROWS) for place in PLACES)
TABLE = Table("comparisons", "Claims of this repository", NEEDS, build)
