"""Generated blocks of documents: Markdown between two markers, made from results.

Decisions
* A block stands between ``<!-- generated: NAME -->`` and ``<!-- end: NAME -->``. It is replaced as
  a whole, so a document is current if replacing changes nothing.
* :data:`BLOCKS` names the functions that make the blocks. No stage writes into documents: ``python
  -m benchmarks.report.blocks README.md`` does, and a test tells when it is due.

Cost: a second.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from benchmarks import suites
from benchmarks.evaluation.galleries import RETRIEVAL
from benchmarks.paper import published
from benchmarks.report import source_of, summary, verdicts
from benchmarks.report.cells import NOTHING, cell, score_columns
from benchmarks.report.families import best_floor
from benchmarks.report.page import markdown_table
from benchmarks.report.places import Place
from benchmarks.report.tables import comparisons
from benchmarks.report.tables.beyond import BASE, BEST, FLOOR, METRIC
from benchmarks.results import Result
from benchmarks.source import Need, Source
from signclip.core import files
from signclip.core.errors import ConfigError
from signclip.core.workspace import Workspace

EMBEDDED = "spreadthesign-fingerspelling"
DIGITS = 2
REASONS = 6  # that are told one by one
FINGERCLIP = "E3.2"
SHORT_TITLES = {  # of rows, where the result's title is too long for a README
    FINGERCLIP: f"{FINGERCLIP}, the paper's FingerCLIP",
    BASE: f"{BASE}, the SignCLIP row that the paper released",
    BEST: f"{BEST}, changes that helped, combined",
    FLOOR: "the best floor, no training beforehand",
}
LETTERS = Place(suites.LETTERS, "labels")
TAGGED, LABELS = (Place(suites.IN_DOMAIN, gallery) for gallery in ("tagged", "labels"))
UNSEEN = Place(suites.UNSEEN, "labels")
HEADS = {
    LETTERS: "letters",
    TAGGED: "in_domain, with the language",
    LABELS: "in_domain, without",
    UNSEEN: "unseen_language, without",
}
# A row is scored on the question that it was trained for: FingerCLIP for letters; the paper's
# SignCLIP row, whose prompts name a language, for (language, label) pairs. The floor is
# the best one of each column.
PLACES_OF = {
    FINGERCLIP: (LETTERS,),
    BASE: (LETTERS, TAGGED),
    BEST: tuple(HEADS),
    FLOOR: tuple(HEADS),
}


def text_of(path: Path, name: str) -> str | None:
    """What stands in a block of a document; None if the document has no such block.

    Raises:
        ConfigError: a marker is missing or repeated.
    """
    document = path.read_text(encoding="utf-8")
    start, end = _markers(name)
    counts = (document.count(start), document.count(end))
    if counts == (0, 0):
        return None
    if counts != (1, 1) or document.index(start) > document.index(end):
        raise ConfigError(f"{path}: block {name!r} needs one {start} and one {end} behind it")
    return document[document.index(start) + len(start) : document.index(end)].strip("\n")


def update_block(path: Path, name: str, text: str) -> bool:
    """Replace a block of a document; whether that changed anything.

    Raises:
        ConfigError: the document has no such block, or a marker is missing or repeated.
    """
    current = text_of(path, name)
    start, end = _markers(name)
    if current is None:
        raise ConfigError(f"{path}: no block {name!r}; write {start} and {end} where it belongs")
    if is_current(path, name, text):
        return False
    document = path.read_text(encoding="utf-8")
    before, after = document.index(start) + len(start), document.index(end)
    new = text.strip("\n")
    files.write_text(path, f"{document[:before]}\n{new}\n{document[after:]}")
    return True


def is_current(path: Path, name: str, text: str) -> bool:
    """Whether a block of a document is the given text; a document without the block is current."""
    current = text_of(path, name)
    return current is None or current == text.strip("\n")


def _markers(name: str) -> tuple[str, str]:
    return f"<!-- generated: {name} -->", f"<!-- end: {name} -->"


def names_in(path: Path) -> list[str]:
    """The names of the blocks of a document."""
    return re.findall(r"<!-- generated: (.+?) -->", path.read_text(encoding="utf-8"))


def headline(source: Source) -> str:
    """V2T R@1 of the paper's rows, X and the best floor, each where it is asked what it is for.

    Of several seeds where the pipeline does not measure a row.
    """
    named = [name for name in SHORT_TITLES if name != FLOOR]
    found = {place: source.select_any(place.need(*named, suites.FLOOR_SUITE)) for place in HEADS}
    rows = []
    for name, title in SHORT_TITLES.items():
        row = {"V2T R@1 [95 % interval]": title}
        for place, head in HEADS.items():
            row[head] = NOTHING
            if name == FLOOR and (floor := best_floor(found[place])) is not None:
                row[head] = f"{_shown(found[place][floor])} {floor}"
            elif place in PLACES_OF[name]:
                row[head] = _shown(found[place].get(name))
        rows.append(row)
    return markdown_table(pd.DataFrame(rows))


def fingerclip(source: Source) -> str:
    """V2T R@1 of FingerCLIP, the skeletons and the best floor on letters, beside the paper's."""
    need = Need(
        suites.LETTERS, RETRIEVAL, ("fingerclip", suites.SKELETON_SUITE, suites.FLOOR_SUITE)
    )
    found = source.select(need)
    values = published("fingerclip").query("column == @METRIC").set_index("row")["value"]
    rows = [
        {
            "row": name,
            "input": result.title,
            "V2T R@1 here [95 % interval]": _shown(result),
            "V2T R@1, paper (RWTH-FS)": _rounded(values.get(name, "")),
        }
        for name, result in found.items()
        if name not in suites.expand([suites.FLOOR_SUITE]) or name == best_floor(found)
    ]
    chance = next(iter(found.values())).scores[METRIC].chance
    rows.append(dict(zip(rows[0], ("chance", "", f"{chance:.{DIGITS}f}", ""), strict=True)))
    return markdown_table(pd.DataFrame(rows))


def reproduction(source: Source) -> str:
    """How many published numbers and claims are reproduced, differ or cannot be run, and why."""
    tables = source.workspace.results / "tables"
    numbers = summary.numbers(tables)
    total = numbers.drop(columns="table").sum()
    numbers.loc[len(numbers)] = {"table": "all", **total}
    numbers["table"] = numbers["table"].str.replace("_", " ")
    why = summary.reasons(tables)
    reasons = [
        f"{one['values']} {one['reason'].replace('needs', 'need', 1)}"
        for one in why[:REASONS].to_dict("records")
    ]
    if len(why) > REASONS:
        reasons.append(f"{why[REASONS:]['values'].sum()} other corpora or models")
    counted = summary.reproduced_by_counting(tables)
    others = [f"{count} are {what}" for what, count in summary.origins().items()]
    measured = int(total[verdicts.REPRODUCED]) - counted
    sentence = (
        f"Of {total['published']} published values, {counted} are reproduced by counting (sizes of "
        f"the models) and {measured} by measuring a score again; {', '.join(others)}."
    )
    claims = summary.claims(tables).rename(columns={"where": "claims of order judged on"})
    return "\n\n".join(
        (
            sentence,
            markdown_table(numbers.astype(str)),
            f"Not run: {'; '.join(reasons)}.",
            markdown_table(claims.astype(str)),
        )
    )


def _shown(result: Result | None) -> str:
    if result is None:
        return NOTHING
    return cell(score_columns(result, [METRIC]), METRIC, digits=DIGITS)


def _rounded(value: str) -> str:
    return f"{float(value):.{DIGITS}f}" if value else ""


Block = Callable[[Source], str]
BLOCKS: Mapping[str, Block] = {
    "headline": headline,
    "reproduction": reproduction,
    "fingerclip": fingerclip,
    "comparisons": comparisons.block,
}


def update(path: Path, source: Source) -> list[str]:
    """Replace every block of a document that :data:`BLOCKS` makes; the names of changed blocks.

    Raises:
        ConfigError: a block has no function, or a marker is missing or repeated.
    """
    changed = []
    for name in names_in(path):
        if name not in BLOCKS:
            raise ConfigError(f"{path}: block {name!r} is none of {', '.join(BLOCKS)}")
        if update_block(path, name, BLOCKS[name](source)):
            changed.append(name)
    return changed


def main(
    paths: Annotated[list[Path], typer.Argument(help="Documents.")],
    profile: Annotated[str, typer.Option(help="Profile of the results.")] = "cpu",
    corpus: Annotated[str, typer.Option(help="Corpus of the results.")] = EMBEDDED,
) -> None:
    """Replace the generated blocks of documents.

    Example: python -m benchmarks.report.blocks README.md
    """
    source = source_of(Workspace(), profile=profile, corpus=corpus)
    for path in paths:
        typer.echo(f"{path}: {', '.join(update(path, source)) or 'current'}")


if __name__ == "__main__":
    typer.run(main)
