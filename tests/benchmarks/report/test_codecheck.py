"""The manifest for a reproduction: it lists what the report makes, and is current."""

from pathlib import Path

import yaml

from benchmarks import report
from benchmarks.report import codecheck

ROOT = Path(__file__).parents[3]


def test_the_manifest_is_current():
    text = codecheck.text(ROOT / "CITATION.cff")
    reason = "run `python -m benchmarks.report.codecheck`"
    assert (ROOT / codecheck.FILE).read_text(encoding="utf-8") == text, reason


def test_every_table_and_figure_and_the_page_are_listed():
    content = yaml.safe_load((ROOT / codecheck.FILE).read_text(encoding="utf-8"))
    listed = [entry["file"] for entry in content["manifest"]]
    assert listed == [
        "results/report/index.html",
        *(f"results/tables/{name}.csv" for name in report.table_names()),
        *(f"results/figures/{name}.pdf" for name in report.figure_names()),
    ]
    assert all(entry["comment"] for entry in content["manifest"])
    assert content["version"] == codecheck.VERSION
    assert {"title", "authors", "reference"} == content["paper"].keys()
