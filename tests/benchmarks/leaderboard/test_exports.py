"""Exports say what the board says, in formats that others can read."""

import io
import json
from pathlib import Path

import jsonschema
import pandas as pd
import pytest
import yaml

from benchmarks.leaderboard import exports, output, sharing
from benchmarks.results import load
from signclip.core import files
from signclip.core.verify import verify
from signclip.core.workspace import Workspace

SCHEMA = json.loads(Path(__file__).with_name("every_eval_ever.schema.json").read_text())


@pytest.fixture
def made(drawn, board_of):
    """A board of three rows and two places."""
    return board_of(
        drawn("X", 0.9),
        drawn("E4", 0.2),
        drawn("nobodys_&", 0.4, group="submitted"),
        drawn("X", 0.7, split="in_domain", signers="signers are disjoint"),
    )


def test_the_csv_has_every_cell_with_the_values_of_the_results(made):
    frame = pd.read_csv(io.StringIO(exports.csv(made)))
    assert len(frame) == 4
    cells = [cell for place in made.places for cell in made.table.cells[place]]
    expected = [cell.result.scores["V2T_R@1"].value for cell in cells]
    assert frame["value"].tolist() == pytest.approx(expected)
    assert (frame["best_place"] <= frame["worst_place"]).all()
    assert frame["seen"].notna().all()


def test_tables_hold_every_row_with_its_range_of_places(made):
    text = exports.markdown(made)
    for row in made.table.rows:
        assert f"| {row.name} |" in text
    assert text.count("smallest detectable difference") == 2
    assert "Holm over" in text
    assert "chance 0.200" in text


def test_latex_has_no_bare_special_character(made):
    text = exports.latex(made)
    assert r"nobodys\_\&" in text
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 3


def test_records_are_valid_every_eval_ever(made):
    for row in range(len(made.table.rows)):
        record = sharing.every_eval_ever(made, row, time=1_700_000_000)
        jsonschema.validate(record, SCHEMA)
        for one in record["evaluation_results"]:  # what its validator checks beyond the schema
            score, metric = one["score_details"], one["metric_config"]
            interval = score["uncertainty"]["confidence_interval"]
            assert metric["min_score"] <= interval["lower"] <= score["score"]
            assert score["score"] <= interval["upper"] <= metric["max_score"]
    records = [sharing.every_eval_ever(made, row, time=1) for row in range(len(made.table.rows))]
    assert len({one["evaluation_id"] for one in records}) == len(records)


@pytest.mark.parametrize(
    "path",
    [
        ("schema_version",),
        ("source_metadata", "evaluator_relationship"),
        ("eval_library", "version"),
        ("model_info", "id"),
        ("model_info", "additional_details", "deployment_type"),
        ("evaluation_results", 0, "source_data", "dataset_name"),
        ("evaluation_results", 0, "metric_config", "lower_is_better"),
        ("evaluation_results", 0, "score_details", "score"),
    ],
)
def test_a_record_without_a_required_field_is_not_valid(made, path):
    record = sharing.every_eval_ever(made, 0, time=1)
    *above, last = path
    part = record
    for key in above:
        part = part[key]
    del part[last]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(record, SCHEMA)


def test_the_hubs_entries_have_what_the_hub_requires(made):
    row = [one.key.encoder for one in made.table.rows].index("X")
    entries = yaml.safe_load(sharing.eval_results(made, row))
    assert len(entries) == 2
    for entry in entries:
        assert entry.keys() <= {"dataset", "value", "date", "source", "notes", "verifyToken"}
        assert {"id", "task_id"} <= entry["dataset"].keys()
        assert isinstance(entry["value"], float)


def test_everything_is_written_and_no_export_is_taken_for_a_result(drawn, tmp_path):
    workspace = Workspace(results=tmp_path / "results")
    results = [drawn("X", 0.9), drawn("E4", 0.2)]
    for result in results:
        result.write(workspace.leaderboard)
    html, folder = output.write(workspace)
    first = html.read_bytes()
    assert {path.name for path in folder.iterdir()} == {
        *("leaderboard.csv", "leaderboard.md", "leaderboard.tex", "every-eval-ever", "hub"),
        files.DIGESTS,
    }
    assert verify([folder])[1] == []
    assert len(load(workspace.leaderboard)) == 2
    output.write(workspace)
    assert html.read_bytes() == first


def test_a_board_without_results_is_a_page_that_says_so(tmp_path):
    html, folder = output.write(Workspace(results=tmp_path / "results"))
    assert "There are no results yet" in html.read_text()
    assert (folder / "leaderboard.csv").read_text().strip() == ""
