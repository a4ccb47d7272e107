"""Generated blocks of documents: replaced as a whole, made from results."""

import importlib
from pathlib import Path

import pytest

from benchmarks import paper, suites
from benchmarks.report import blocks
from benchmarks.report.places import GALLERIES
from signclip.core.errors import ConfigError

DOCUMENT = "before\n<!-- generated: a -->\nold\n<!-- end: a -->\nafter\n"


@pytest.fixture
def document(tmp_path) -> Path:
    path = tmp_path / "README.md"
    path.write_text(DOCUMENT)
    return path


def test_a_block_is_replaced_as_a_whole_and_then_current(document):
    assert not blocks.is_current(document, "a", "new\n")
    assert blocks.update_block(document, "a", "new\n| x |\n")
    assert document.read_text() == DOCUMENT.replace("old", "new\n| x |")
    assert blocks.is_current(document, "a", "new\n| x |")
    assert not blocks.update_block(document, "a", "new\n| x |\n")


def test_a_document_without_the_block_is_current_and_cannot_be_updated(document):
    assert blocks.is_current(document, "b", "text")
    with pytest.raises(ConfigError, match="no block 'b'"):
        blocks.update_block(document, "b", "text")


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text.replace("<!-- end: a -->", ""),
        lambda text: text + text,
        lambda text: text.replace("generated: a", "x").replace("end: a", "generated: a"),
    ],
)
def test_a_marker_that_is_missing_or_repeated_is_an_error(document, damage):
    document.write_text(damage(DOCUMENT))
    with pytest.raises(ConfigError, match="needs one"):
        blocks.is_current(document, "a", "text")


def test_a_block_that_nothing_makes_is_an_error(document, source):
    with pytest.raises(ConfigError, match="'a' is none of headline, reproduction, fingerclip"):
        blocks.update(document, source)


@pytest.mark.slow
def test_the_blocks_are_made_from_results(board, source, document, stored, written):
    board()
    for name in (*paper.tables(), "claims"):
        written(importlib.import_module(f"benchmarks.report.tables.{name}").TABLE)
    text = "".join(DOCUMENT.replace(": a ", f": {name} ") for name in blocks.BLOCKS)
    document.write_text(text)
    assert blocks.update(document, source) == list(blocks.BLOCKS)
    assert blocks.update(document, source) == []
    best = stored("X", "retrieval", "letters").scores["V2T_R@1"]
    made = document.read_text()
    assert f"| {best.value:.2f} [{best.low:.2f}, {best.high:.2f}] " in made
    line = next(x for x in made.splitlines() if x.startswith("| E3.2 "))
    assert line.endswith("| 0.93                       |")  # the published one
    floor = next(x for x in made.splitlines() if x.startswith("| the best floor"))
    letters, tagged, labels, unseen = [cell.strip() for cell in floor.split("|")][2:-1]
    assert "–" not in (letters, tagged, labels, unseen)
    assert "| pretraining" in made
    assert " need Spreadthesign and ASL Citizen" in made


def test_the_headline_names_the_floor_that_scores_best_in_each_column(board, source, stored):
    board()
    lines = blocks.headline(source).splitlines()
    cells = [cell.strip() for cell in lines[-1].split("|")][2:-1]
    assert lines[-1].startswith("| the best floor")
    for place, cell in zip(blocks.HEADS, cells, strict=True):
        task = GALLERIES[place.gallery]
        floors = [
            stored(name, task, place.split)
            for name in suites.expand(["floors"])
            if name in suites.evaluated(place.split)
        ]
        best = max(floors, key=lambda one: one.scores["V2T_R@1"].value).scores["V2T_R@1"]
        named = next(one for one in floors if one.encoder == cell.split()[-1])
        assert named.scores["V2T_R@1"].value == best.value
        assert cell.startswith(f"{best.value:.2f} [{best.low:.2f}, {best.high:.2f}] ")


def test_a_headline_without_floors_has_no_best_one(board, source):
    board(leave=suites.expand(["floors"]))
    assert {x.strip() for x in blocks.headline(source).splitlines()[-1].split("|")[2:-1]} == {"–"}
