"""What the paper says is better than what, and whether that holds on the corpora at hand.

Decisions
* A claim is a row of ``benchmarks/paper/claims.csv``: two rows of ours and where they are
  compared. It is stated in the paper, or the order of two published values further apart than
  reruns are.
* A place is a split and a gallery; a claim is judged in that of its table, and in another one if
  both rows were measured there. It holds if the 95 % interval of the paired difference of V2T R@1
  lies above 0, does not if it lies below 0, and else cannot be told. Where clips are of several
  sign languages, the wider of the intervals over clips and over languages counts.
* On the paper's own corpus the verdict needs that corpus.
* Intervals are not corrected for the number of claims; the notes give it.

Cost: seconds, for the resampling.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import pandas as pd

from benchmarks import paper, suites
from benchmarks.evaluation.galleries import OFFICIAL, RETRIEVAL, TAGGED_RETRIEVAL
from benchmarks.metrics.compare import compare, on_shared_clips
from benchmarks.report import verdicts
from benchmarks.report.cells import NOTHING
from benchmarks.report.page import Page, Table
from benchmarks.report.places import Place as Gallery
from benchmarks.report.published import Cells
from benchmarks.report.tables.pretraining import zero_shot_corpora
from benchmarks.report.verdicts import Measured
from benchmarks.results import Result
from benchmarks.source import NoResults, Source
from signclip.core.errors import ConfigError

NAME, METRIC = "claims", "V2T_R@1"
EMBEDDED, TRANSFER = "embedded", "transfer"  # where a claim is judged
KNOWN = {"stated": "stated in the paper", "order": "order of published values"}
ON_PAPERS = "the paper's corpus"
# Where the paper's rows are asked what they were trained for: on `letters` prompts name no language
GALLERIES = {
    "fingerclip": Gallery(suites.LETTERS, "labels"),
    "pretraining": Gallery(suites.IN_DOMAIN, "tagged"),
}
NEEDS = tuple(gallery.need(table) for table, gallery in GALLERIES.items())
NEEDED_FOR_TRANSFER = "Spreadthesign and PopSign ASL, ASL Citizen or Sem-Lex"


class Place(NamedTuple):
    """Where a claim is judged, and the two results; either may be missing."""

    name: str
    better: Result | None
    worse: Result | None
    reason: str = ""  # why one is missing


def languages(source: Source) -> dict[str, str]:
    """Clip of the embedded corpus -> sign language; empty without the points."""
    try:
        clips = source.points("clips")
    except NoResults:
        return {}
    return dict(clips[["id", "sign_language"]].itertuples(index=False, name=None))


def places(claim: Mapping[str, str], source: Source) -> Iterator[Place]:
    """Where a claim is judged: the paper's corpus, then those at hand."""
    if claim["where"] == EMBEDDED:
        yield _on_papers_corpus(claim, source)
        asked = GALLERIES[claim["table"]]
        for gallery in dict.fromkeys((asked, *GALLERIES.values())):
            place = _at(gallery, claim, source)
            if gallery == asked or (place.better and place.worse):
                yield place
        return
    yield from _out_of_domain(claim, source)


def _at(gallery: Gallery, claim: Mapping[str, str], source: Source) -> Place:
    """The two results on a split of the embedded corpus."""
    rows = claim["better_row"], claim["worse_row"]
    need = gallery.need(*rows)
    found, missing = source.select(need), source.missing(need)
    return Place(gallery.title, *(found.get(row) for row in rows), "; ".join(missing.values()))


def _out_of_domain(claim: Mapping[str, str], source: Source) -> Iterator[Place]:
    """The two results on each transfer corpus, those of the paper first."""
    sides = (
        (claim["better_row"], claim["better_task"]),
        (claim["worse_row"], claim["worse_task"]),
    )
    papers = [one.corpus for one in paper.columns("recognition") if one.corpus != "asl-signs"]
    found = {
        corpus: [_transferred(source, corpus, *side, OFFICIAL, paper.PROFILE) for side in sides]
        for corpus in papers
    }
    there = {corpus: both for corpus, both in found.items() if all(both)}
    for corpus, both in there.items():
        yield Place(corpus, *both)
    if not there:
        yield Place(ON_PAPERS, None, None, f"needs {NEEDED_FOR_TRANSFER}")
    for corpus in zero_shot_corpora(source):
        here = [
            _transferred(source, corpus, *side, suites.IN_DOMAIN, source.profile) for side in sides
        ]
        yield Place(corpus, *here, f"no result: `signbench transfer {corpus}` measures both")


def _transferred(
    source: Source, corpus: str, row: str, task: str, run: str, profile: str
) -> Result | None:
    """A result on a transfer corpus; a fine-tuned row is one of that corpus."""
    revision = profile if row in suites.expand(["finetuned"]) else f"{profile}.{run}"
    tasks = (TAGGED_RETRIEVAL, RETRIEVAL) if task == TAGGED_RETRIEVAL else (task,)
    where = dict(group=f"transfer-{corpus}", revision=revision, corpus=corpus)
    return source.find_first(row, tasks, OFFICIAL, **where)


def _on_papers_corpus(claim: Mapping[str, str], source: Source) -> Place:
    """The two results on the corpus of the claim's table, with the paper's recipe."""
    column = next(one for one in paper.columns(claim["table"]) if not one.prefix)
    where = dict(group=f"{column.use}-{column.corpus}", revision=paper.PROFILE)
    found = [
        source.find(row, column.task, OFFICIAL, corpus=column.corpus, **where)
        for row in (claim["better_row"], claim["worse_row"])
    ]
    return Place(ON_PAPERS, *found, f"needs {column.needs}")


def judge(place: Place, groups: Mapping[str, str], across_tasks: bool) -> dict[str, str]:
    """The paired difference at a place, its interval and the verdict."""
    if place.better is None or place.worse is None:
        return {"verdict": verdicts.verdict(verdicts.NOT_RUN, place.reason)}
    both = on_shared_clips(place.better, place.worse)
    try:
        found = compare(*both, METRIC, groups=groups, across_tasks=across_tasks)
    except ConfigError as error:
        return {"verdict": verdicts.verdict(verdicts.NOT_COMPARABLE, str(error))}
    return {
        "difference": f"{found.difference:+.4f}",
        "low": f"{found.low:+.4f}",
        "high": f"{found.high:+.4f}",
        "clips": str(len(both[0].ranks)),
        "verdict": verdicts.claim(Measured(*found)),
    }


def published_value(claim: Mapping[str, str], side: str) -> str:
    """The published value of one side; empty where none is published."""
    if not claim["column"]:
        return ""
    values = paper.published(claim["table"])
    here = (values["row"] == claim[side]) & (values["column"] == claim["column"])
    if not here.any():
        raise NoResults(f"claims.csv, {claim['claim']}: no published {claim[side]}")
    return str(values[here]["value"].iloc[0])


def judged(source: Source) -> Cells:
    """One row a claim and place."""
    cells = Cells()
    groups = languages(source)
    for claim in paper.claims().to_dict("records"):
        about = {
            "row": claim["claim"],
            "claim": claim["text"],
            "known": KNOWN[claim["known"]],
            "source": claim["source"],
            "published_better": published_value(claim, "better"),
            "published_worse": published_value(claim, "worse"),
            "better": f"{claim['better_row']} {claim['better_task']}".strip(),
            "worse": f"{claim['worse_row']} {claim['worse_task']}".strip(),
        }
        for place in places(claim, source):
            line = judge(place, groups, across_tasks=claim["where"] == TRANSFER)
            cells.rows.append({**about, "place": place.name, **line})
            if place.better is not None and place.worse is not None:
                cells.sources[claim["claim"], place.name] = [place.better, place.worse]
    return cells


def printed(frame: pd.DataFrame) -> pd.DataFrame:
    """One line a claim and place; the claim stands on its first line."""
    lines = []
    for _, part in frame.groupby("row", sort=False):
        for number, one in enumerate(part.to_dict("records")):
            first = number == 0
            values = " over ".join(
                one[name] or NOTHING for name in ("published_better", "published_worse")
            )
            difference = one.get("difference", "")
            if difference:
                low, high = float(one["low"]), float(one["high"])
                difference = f"{float(difference):+.3f} [{low:+.3f}, {high:+.3f}]"
            lines.append(
                {
                    "claim": one["claim"] if first else "",
                    "known from": one["known"] if first else "",
                    "compared": f"{one['better']} - {one['worse']}" if first else "",
                    "paper": (values if one["published_better"] else NOTHING) if first else "",
                    "where": one["place"],
                    "difference here": difference or NOTHING,
                    "verdict": f"**{one['verdict']}**" if difference else one["verdict"],
                }
            )
    return pd.DataFrame(lines)


def build(source: Source) -> Page:
    """See the module."""
    cells = judged(source)
    frame = cells.frame()
    notes = dict(
        claims=frame["row"].nunique(),
        judged=int((frame["difference"] != "").sum()) if "difference" in frame else 0,
        corpus=source.corpus,
        profile=source.profile,
    )
    return Page(
        frame,
        {"V2T R@1": printed(frame)},
        notes,
        cells.shown(),
        cells=cells.sources,
        points=("clips",) if languages(source) else (),
    )


TABLE = Table(NAME, "Claims of the paper", NEEDS, build)
