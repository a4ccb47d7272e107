"""The report as a whole: discovery, what it owns, and adding a table, a figure or a page."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import report, suites
from benchmarks.report import html, page
from signclip.core import files
from signclip.core.errors import ConfigError

ROOT = Path(__file__).parents[3]
WHERE = dict(profile="cpu", corpus="c", seed=0)
NEW_TABLE = """
import pandas as pd
from benchmarks.report.page import Page, Table
from benchmarks.source import Need

NEED = Need("letters", "retrieval", ("floors",))

def build(source):
    frame = pd.DataFrame({"id": list(source.select(NEED))})
    return Page(frame, {"Floors": frame})

TABLE = Table("new", "A new table", (NEED,), build)
"""
NEW_FIGURE = """
from matplotlib.figure import Figure as Picture
from benchmarks.report.drawing import Drawing, Figure

def draw(source):
    numbers = source.frame[["encoder", "value"]]
    return Drawing(Picture(figsize=(1, 1)), numbers)

FIGURE = Figure("new", "A new figure", (), draw)
"""
SCRIPT = """
from pathlib import Path
from benchmarks import report
from signclip.core.workspace import Workspace
where = dict(profile="cpu", corpus="c")
workspace = Workspace(results=Path("results"))
assert "new" in report.table_names() and "new" in report.figure_names()
report.write_table("new", workspace, seed=0, **where)
report.write_figure("new", workspace, seed=0, **where)
report.write_transfer(workspace, run="in_domain", **where)
"""


def test_every_module_is_named_like_its_table():
    assert report.table_names() == sorted(report.table_names())
    for package, attribute, names in (
        ("tables", "TABLE", report.table_names()),
        ("figures", "FIGURE", report.figure_names()),
        ("transfer", "TABLE", ["breakdown", "recognition"]),
    ):
        found = [report._find(package, name, attribute) for name in names]
        assert [one.name for one in found] == names
        assert all(one.title for one in found)


def test_every_table_has_notes_and_every_template_a_table():
    templates = {path.name.removesuffix(".md.j2") for path in page.TEMPLATES.glob("[a-z]*.md.j2")}
    assert templates == {*report.table_names(), "transfer_recognition"}


@pytest.mark.parametrize("write", [report.write_table, report.write_figure])
def test_an_unknown_name_is_answered_with_the_known_ones(workspace, write):
    with pytest.raises(ConfigError, match=r"unknown name 'no'; there are .*(fingerclip|ablation)"):
        write("no", workspace, **WHERE)


@pytest.fixture
def few(monkeypatch):
    """A report of two tables and a figure."""
    names = {"tables": ["fingerclip", "pretraining"], "figures": ["ablation"]}
    monkeypatch.setattr(report, "_names", names.get)


@pytest.mark.slow
def test_everything_is_written_and_what_is_no_longer_made_disappears(few, board, workspace):
    board()
    folders = ("tables", "figures", "costs", "report")
    for folder in folders:
        (workspace.results / folder).mkdir()
        (workspace.results / folder / "old.csv").touch()
    paths = report.write_all(workspace, **WHERE)
    there = {path for folder in folders for path in (workspace.results / folder).iterdir()}
    listings = {workspace.results / folder / files.DIGESTS for folder in folders}
    assert set(paths) | listings == there
    for listing in listings:
        listed = set(files.read_json(listing)["sha256"])
        assert listed == {path.name for path in paths if path.parent == listing.parent}
    assert len(paths) == 2 * (len(page.SUFFIXES) + 1) + len(html.PICTURES) + 1
    assert report.write_table("pretraining", workspace, **WHERE) in paths


def test_an_error_leaves_the_old_report(few, board, stored, workspace):
    board()
    stored("E6.1", "retrieval", "in_domain").path(workspace.leaderboard).write_text("{")
    old = [workspace.results / name for name in ("tables/fingerclip.md", "report/index.html")]
    for path in old:
        path.parent.mkdir()
        path.write_text("old")
    with pytest.raises(ConfigError, match=r"E6\.1/.*not a valid result"):
        report.write_all(workspace, **WHERE)
    for path in old:
        assert path.read_text() == "old"
        assert [one.name for one in path.parent.iterdir()] == [path.name]


@pytest.mark.slow
def test_a_missing_result_leaves_its_cells_empty_and_is_named(few, board, workspace):
    board(leave=["E6.1"])
    report.write_all(workspace, **WHERE)
    reason = "E6.1: no result on in_domain, retrieval: `make repro` makes it"
    text = (workspace.results / "tables/pretraining.md").read_text()
    assert f"Missing: {reason}." in text
    row = next(line for line in text.splitlines() if line.startswith("| E6.1"))
    assert row.split("|")[-2].strip() == "–"
    assert "E6.1: no result on in_domain" in (workspace.results / "report/index.html").read_text()


@pytest.mark.slow
def test_a_table_a_figure_and_a_page_are_one_file_each(measured, workspace, tmp_path):
    for name in suites.expand([suites.FLOOR_SUITE]):
        measured(name, "retrieval", "letters")
        measured(name, "retrieval", "letters", group="transfer-c")
    copy = tmp_path / "copy"
    shutil.copytree(ROOT / "benchmarks", copy / "benchmarks")
    shutil.copytree(workspace.leaderboard, copy / "results/leaderboard")
    shutil.copy(ROOT / "params.yaml", copy)
    package = copy / "benchmarks/report"
    (package / "tables/new.py").write_text(NEW_TABLE)
    (package / "figures/new.py").write_text(NEW_FIGURE)
    for page_of in (package / "transfer").glob("[a-z]*.py"):
        page_of.unlink()
    (package / "transfer/new.py").write_text(NEW_TABLE)
    environment = os.environ | {"PYTHONPATH": f"{copy}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-c", SCRIPT]
    subprocess.run(command, cwd=copy, env=environment, check=True)
    text = (copy / "results/tables/new.md").read_text()
    assert text.startswith("# A new table\n\n## Floors\n")
    assert "| nearest-neighbour" in text
    assert (copy / "results/transfer/c/new.md").read_text() == text
    assert (copy / "results/figures/new.pdf").stat().st_size
    assert "nearest-neighbour,0.5" in (copy / "results/figures/new.csv").read_text()
