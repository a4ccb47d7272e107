"""The summary counts what the tables say."""

import importlib

import pytest

from benchmarks import paper
from benchmarks.report import page, summary, verdicts
from signclip.core.errors import ConfigError


@pytest.fixture
def tables(board, written, workspace):
    """Writes the tables of the paper; returns their folder."""
    board()
    for name in (*paper.tables(), summary.CLAIMS):
        written(importlib.import_module(f"benchmarks.report.tables.{name}").TABLE)
    return workspace.results / "tables"


def test_every_published_value_and_claim_is_counted_once(tables):
    found = summary.numbers(tables).set_index("table")
    for name in paper.tables():
        values = int((paper.published(name)["value"] != "").sum())
        assert found.loc[name, "published"] == values
        assert found.loc[name, list(summary.NUMBERS)].sum() == values
    assert found.loc["fingerclip", verdicts.NOT_RUN] == 90
    reasons = summary.reasons(tables)
    assert reasons["values"].sum() == found[verdicts.NOT_RUN].sum()
    assert list(reasons["values"]) == sorted(reasons["values"], reverse=True)

    found = summary.claims(tables).set_index("where")
    assert found.loc["the paper's corpus", verdicts.NOT_RUN] == len(paper.claims())
    assert found.loc["letters, labels", verdicts.NOT_RUN] == 0
    assert (found["claims"] == found[list(summary.OF_CLAIMS)].sum(axis=1)).all()


def test_a_missing_or_foreign_table_is_named(workspace):
    tables = workspace.results / "tables"
    tables.mkdir(parents=True)
    for name in paper.tables():
        (tables / f"{name}.csv").write_text("row,published,verdict\nE3,,\n")
    assert summary.numbers(tables)["published"].sum() == 0
    (tables / "fingerclip.csv").write_text("id\nE3\n")
    with pytest.raises(ConfigError, match=r"fingerclip\.csv: has no column verdict"):
        summary.numbers(tables)
    (tables / "fingerclip.csv").unlink()
    with pytest.raises(ConfigError, match=r"fingerclip\.csv: no table here; `signbench paper`"):
        summary.numbers(tables)


def test_a_table_without_results_says_so(written, workspace):
    beyond = importlib.import_module("benchmarks.report.tables.beyond").TABLE
    text = written(beyond)["md"]
    assert "- Nothing to show here: none of these rows was measured" in text
    assert set(page.SUFFIXES) == {"csv", "md", "tex", "json"}
