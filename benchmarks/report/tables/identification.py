"""Sign-language identification: which sign language a clip is in, by prompts without a text.

Decisions
* The gallery holds the sign languages of the training clips; *label given*: the prompts of the
  clip's label in all languages (the authors' oracle).
* Of the paper's experiment no number is committed; a third party has measured the released model on
  Italian clips. Ours are on the embedded corpus, in columns of their own, where each language has
  one signer: signers are recognised as much as languages.

Cost: a second.
"""

from __future__ import annotations

import pandas as pd

from benchmarks import suites
from benchmarks.metrics.compare import compare
from benchmarks.report import published
from benchmarks.report.cells import short
from benchmarks.report.page import Page, Table
from benchmarks.source import Source, needed

NAME = "identification"
ROWS = ("E6.1", "everywhere")
TASKS = {"identification": "", "identification_oracle": " label given"}
NEEDS = needed([suites.IN_DOMAIN], TASKS, *ROWS)
METRICS = ("V2T_R@1", "V2T_R@5", "V2T_MedianR", "F1")
OTHER_DATA = "another study's clips and the released weights"


def build(source: Source) -> Page:
    """See the module."""
    refused = {"lis V2T_R@1": OTHER_DATA}
    cells = published.compare(NAME, source, {}, refused=refused)
    parts: dict[str, pd.DataFrame] = {
        "Published": published.printed(
            cells.frame(), {"V2T_R@1": short("V2T_R@1"), "F1": "macro F1"}, {}
        )
    }
    firsts = {}
    for need, words in zip(NEEDS, TASKS.values(), strict=True):
        found = source.select(need)
        place = f"{need.split}{words}"
        heads = {name: "macro F1" if name == "F1" else short(name) for name in METRICS}
        part = published.add_task(cells, found, place, heads, words)
        if part is not None:
            firsts[place] = next(iter(found.values()))
            parts[f"Ours, {place.replace(' label', ', label')}"] = part
    notes = dict(firsts=firsts, differences=differences(source))
    return Page(cells.frame(), parts, notes, cells.shown(), cells=cells.sources)


def differences(source: Source) -> list[str]:
    """Paired differences of R@1 between the last and the first row, in words."""
    lines = []
    for need, words in zip(NEEDS, TASKS.values(), strict=True):
        found = source.select(need)
        if len(found) > 1:
            (first, a), *_, (last, b) = found.items()
            one = compare(b, a, "V2T_R@1")
            lines.append(
                f"{last} - {first}{',' if words else ''}{words}: {one.difference:+.3f} "
                f"[{one.low:+.3f}, {one.high:+.3f}]"
            )
    return lines


TABLE = Table(NAME, "Sign-language identification", NEEDS, build)
