"""Test-time variants E8 and E8.1: E7.2 with clips mirrored, and anonymised, at test time.

Decision: columns and places are those of the pretraining table. No value is in a file that the
authors committed; ours on the corpora at hand stand with the paired difference to E7.2.

Cost: a second.
"""

from __future__ import annotations

import pandas as pd

from benchmarks import suites
from benchmarks.metrics.compare import on_shared_clips
from benchmarks.report.cells import NOTHING, difference_cell, difference_columns
from benchmarks.report.page import Page, Table
from benchmarks.report.tables import pretraining
from benchmarks.source import Source

NAME, SUITE, BASE, METRIC = "test_time", "tested", "E7.2", "V2T_R@1"
MIRRORED = "E8"


def differences(source: Source) -> pd.DataFrame:
    """Paired differences of V2T R@1 to the same weights without a change at test time."""
    lines = []
    for name in suites.expand([SUITE]):
        line = {"id": name, "against": BASE}
        for place in pretraining.PLACES:
            found = source.select(place.need(SUITE, BASE))
            if name in found and BASE in found:
                pair = on_shared_clips(found[name], found[BASE])
                columns = difference_columns(*pair, "minus", METRIC)
                line[place.title] = difference_cell(columns, METRIC, "minus")
        for corpus in pretraining.zero_shot_corpora(source):
            find = pretraining.zero_shot_of(source, corpus)
            a, b = find(name), find(BASE)
            if a is not None and b is not None:
                columns = difference_columns(*on_shared_clips(a, b), "minus", METRIC)
                line[f"{corpus}, zero-shot"] = difference_cell(columns, METRIC, "minus")
        lines.append(line)
    return pd.DataFrame(lines).fillna(NOTHING)


def changed_ranks(source: Source) -> dict[str, tuple[int, int]]:
    """Place -> how many clips have another rank with E8 than with E7.2, and how many there are."""
    found = {}
    for place in pretraining.PLACES:
        results_of = source.select(place.need(MIRRORED, BASE))
        if len(results_of) == 2:
            mine, others = on_shared_clips(results_of[MIRRORED], results_of[BASE])
            changed = sum(others.ranks[clip] != ranks for clip, ranks in mine.ranks.items())
            found[place.title] = changed, len(mine.ranks)
    return found


def build(source: Source) -> Page:
    """See the module."""
    cells, parts, notes = pretraining.build_rows(NAME, source, SUITE)
    notes["changed"] = changed_ranks(source)
    shown = {"Paired difference of V2T R@1": differences(source), **parts}
    return Page(cells.frame(), shown, notes, cells.shown(), cells=cells.sources)


TABLE = Table(
    NAME,
    "Test-time variants",
    tuple(place.need(SUITE, BASE) for place in pretraining.PLACES),
    build,
)
