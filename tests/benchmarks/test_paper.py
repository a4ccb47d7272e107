"""Published values as data: the authors' numbers cell by cell, complete and with a source."""

import csv

import pytest

from benchmarks import paper, suites
from benchmarks.report import verdicts
from signclip.core.errors import ConfigError

TABLES = (
    *("representations", "datasets", "fingerclip", "pretraining"),
    *("test_time", "recognition", "identification", "embedding_space"),
)


def value_of(table: str) -> dict[tuple[str, str], str]:
    cells = paper.published(table)
    return {
        (row, column): value
        for row, column, value in cells[["row", "column", "value"]].itertuples(index=False)
    }


def config_of(table: str) -> dict[str, str]:
    """The authors' configuration -> row."""
    return dict(paper.rows(table)[["config", "row"]].itertuples(index=False, name=None))


def test_the_paper_has_eight_tables():
    assert tuple(paper.tables()) == TABLES


@pytest.mark.parametrize(
    ("table", "rows", "values"), [("fingerclip", 10, 90), ("pretraining", 13, 442)]
)
def test_the_committed_tables_are_complete(table, rows, values):
    cells = paper.published(table)
    assert cells["row"].nunique() == rows
    assert (cells["value"] != "").sum() == values


def test_fingerclip_is_the_authors_cell_by_cell(shared):
    row_of = {name.removeprefix("test_"): row for name, row in config_of("fingerclip").items()}
    ours = value_of("fingerclip")
    with shared("paper/fingerclip_results.csv").open() as file:
        theirs = list(csv.DictReader(file))
    assert len(theirs) == len(row_of)
    for line in theirs:
        row = row_of[line["config"].removeprefix("test_")]
        for column, value in line.items():
            if column not in ("config", "notes"):
                name = column.replace("Median R", "MedianR")
                assert float(ours[row, name]) == float(value), (row, name)


def test_pretraining_is_the_authors_cell_by_cell(shared):
    row_of, ours = config_of("pretraining"), value_of("pretraining")
    with shared("paper/pretraining_results.csv").open() as file:
        theirs = list(csv.DictReader(file))
    seen = set()
    for line in theirs:
        row = row_of[line["config"]]
        for column, value in line.items():
            name = column.replace(" T2V", "_T2V").replace(" V2T", "_V2T")
            name = name.replace("Median R", "MedianR").replace("#params", "parameters")
            if name != "config":
                assert ours[row, name] == value, (row, name)
                seen.add((row, name))
    assert seen == set(ours)


def test_preliminary_runs_are_the_authors_cell_by_cell(shared):
    row_of, ours = config_of("recognition"), value_of("recognition")
    with shared("paper/asl_signs_results.csv").open() as file:
        for line in csv.DictReader(file):
            for column, value in line.items():
                if column not in ("config", "notes"):
                    name = f"AS_{column.replace('Median R', 'MedianR')}"
                    assert ours[row_of[line["config"]], name] == value


@pytest.mark.parametrize("table", TABLES)
def test_every_cell_belongs_to_a_row_and_has_a_value_or_a_reason(table):
    cells = paper.published(table)  # checks values, reasons and sources
    assert list(dict.fromkeys(cells["row"])) == list(paper.rows(table)["row"])
    for cell in cells.to_dict("records"):
        if cell["tolerance"]:
            assert paper.numeric(cell["value"]) >= 0
            assert float(cell["tolerance"]) >= 0


def test_shares_differ_by_what_reruns_differ_by_but_not_near_0():
    cells = paper.published("pretraining").set_index(["row", "column"])
    assert float(cells.loc[("E7.2", "V2T_R@1"), "tolerance"]) == 0.03
    assert float(cells.loc[("E5.2", "V2T_R@1"), "tolerance"]) == pytest.approx(0.0071 / 2)


def test_experiments_are_rows_of_ours():
    known = {*suites.expand(["fingerclip", "pretraining", "tested", "finetuned"]), ""}
    for table in TABLES:
        assert set(paper.rows(table)["experiment"]) <= known, table


def test_claims_name_published_values_and_rows_of_ours():
    known = set(suites.expand(["fingerclip", "pretraining", "finetuned"]))
    claims = paper.claims()
    assert claims["claim"].is_unique
    for claim in claims.to_dict("records"):
        assert {claim["better_row"], claim["worse_row"]} <= known
        values = value_of(claim["table"])
        if claim["column"]:
            better, worse = (
                float(values[claim[side], claim["column"]]) for side in ("better", "worse")
            )
            assert better > worse, claim["claim"]
            if claim["known"] == "order":  # more than reruns differ by
                assert better - worse > 0.03, claim["claim"]


def test_numbers_with_units_are_read():
    assert paper.numeric("217M") == 217e6
    assert paper.numeric("62h") == 62
    with pytest.raises(ValueError, match="could not convert"):
        paper.numeric("543x3")


def test_a_cell_without_value_and_reason_is_refused(tmp_path, monkeypatch):
    (tmp_path / "t.csv").write_text("row,column,value,tolerance,source,reason\nE1,a,,,,\n")
    monkeypatch.setattr(paper, "PAPER", tmp_path)
    with pytest.raises(ConfigError, match=r"t\.csv, E1, a: a cell has a value, or a reason"):
        paper.published("t")
    with pytest.raises(ConfigError, match="no such published table"):
        paper.published("nothing")


def test_verdict_kinds_are_distinct():
    assert len(set(verdicts.KINDS)) == len(verdicts.KINDS)


def test_the_ids_that_the_authors_state_are_five():
    stated = {
        row["id"]
        for table in TABLES
        for row in paper.rows(table).to_dict("records")
        if row["id"] and row["id_source"] == paper.STATED
    }
    assert stated == {"E3", "E3.2", "E7.2", "E8", "E8.1"}
