"""The pretraining table: the authors' numbers as they are, ours in columns of their own."""

import csv
import io

import pandas as pd
import pytest

from benchmarks import suites
from benchmarks.paper import published
from benchmarks.report import page
from benchmarks.report.cells import ALL_RETRIEVAL_METRICS
from benchmarks.report.places import GALLERIES
from benchmarks.report.tables import pretraining
from benchmarks.results import Score
from signclip.core.errors import ConfigError


@pytest.fixture
def table(written):
    """Writes the table; returns the frame of its CSV and its Markdown."""

    def write() -> tuple[pd.DataFrame, str]:
        texts = written(pretraining.TABLE)
        frame = pd.read_csv(io.StringIO(texts["csv"]), dtype=str, keep_default_na=False)
        return frame.set_index("id"), texts["md"]

    return write


def test_the_published_values_are_the_authors_cell_by_cell(shared):
    with shared("paper/pretraining_results.csv").open() as file:
        theirs = {row["config"]: row for row in csv.DictReader(file)}
    transcribed = published("pretraining").set_index("config", drop=False)
    rows = [config for config in transcribed.index if transcribed.loc[config, "V2T_R@1"]]
    assert rows == list(theirs)
    for config, source in theirs.items():
        for column, value in source.items():
            name = column.replace(" T2V", "_T2V").replace(" V2T", "_V2T")
            name = name.replace("Median R", "MedianR")
            name = {"#params": "parameters", "time": "time", "config": "config"}.get(name, name)
            assert transcribed.loc[config, name] == value, (config, column)


def test_each_row_is_its_experiment():
    found = dict(published("pretraining")[["config", "experiment"]].itertuples(index=False))
    assert found["signclip_v1_1/baseline"] == "E4"
    assert found["signclip_v1_1/baseline_pre"] == "E6.1"
    assert found["signclip_v1_1/baseline_temporal"] == "E7.2"
    assert found["signclip_v1_1/baseline_final_proj"] == "E-final-proj"
    assert list(found.values()) == suites.expand(pretraining.ROWS)


def test_ours_stand_beside_in_both_galleries_and_no_row_is_called_reproduced(board, table, stored):
    board()
    frame, text = table()
    for name in suites.expand(pretraining.ROWS):
        for gallery, task in GALLERIES.items():
            value = stored(name, task, "in_domain").scores["V2T_R@1"].value
            assert frame.loc[name, f"{gallery}_V2T_R@1"] == f"{value:.4f}"
    assert set(frame["verdict"]) == {"needs Spreadthesign", "no published numbers", ""}
    assert list(frame.index[frame["verdict"] == "no published numbers"]) == ["E8", "E8.1"]
    assert frame.loc["ours", "tagged_V2T_R@1"] == "0.0100"  # chance
    assert "| E7.2 " in text
    assert "| 0.3862 " in text


@pytest.mark.parametrize(
    ("value", "low", "high", "verdict"),
    [
        (0.3862 + 0.03, 0.41, 0.42, "reproduced"),
        (0.30, 0.28, 0.387, "reproduced"),
        (0.45, 0.44, 0.46, "not reproduced (R@1 0.4500)"),
    ],
)
def test_on_the_papers_corpus_a_row_is_judged(board, measured, table, value, low, high, verdict):
    board()
    theirs = published("pretraining").set_index("experiment").loc["E7.2"]
    scores = {
        name: Score(value=x, low=x, high=x, chance=0.1)
        for name, x in theirs[list(ALL_RETRIEVAL_METRICS)].astype(float).items()
    }
    scores["V2T_R@1"] = Score(value=value, low=low, high=high, chance=0.1)
    measured(
        *("E7.2", "tagged_retrieval", "official"),
        group="pretraining-spreadthesign",
        revision="paper",
        corpus="spreadthesign",
        scores=scores,
    )
    frame, text = table()
    assert frame.loc["E7.2", "verdict"] == verdict
    assert frame.loc["E7.2", "spreadthesign_V2T_R@1"] == f"{value:.4f}"
    assert frame.loc["E7.1", "verdict"] == "needs Spreadthesign"
    assert "- Signature, Spreadthesign: `task:tagged_retrieval|corpus:spreadthesign|" in text
    assert "in profile `paper`" in text


def test_a_value_near_0_is_not_reproduced_by_another_near_0(result):
    theirs = published("pretraining").set_index("experiment").loc["E5.2"]

    def verdict(factor: float) -> str:
        scores = {
            name: Score(value=factor * float(theirs[name]), low=0, high=0, chance=0.1)
            for name in pretraining.JUDGED
        }
        return pretraining.verdict(theirs, result(scores=scores))

    assert float(theirs["V2T_R@1"]) < pretraining.TOLERANCE
    assert verdict(0.6) == verdict(1.4) == "reproduced"
    assert verdict(0.4).startswith("not reproduced (R@1")


def test_the_notes_count_the_clips_of_the_papers_corpus(result):
    values = dict(first={"labels": result(), "tagged": result()}, profiles=["cpu"])
    values |= dict(tolerance=0.03, unpublished=pretraining.UNPUBLISHED)
    theirs = {"E5": result(corpus_dropped={"no video": 3})}

    def counts(theirs) -> list[str]:
        text = page.render_notes("pretraining", values | {"theirs": theirs})
        return [line for line in text.splitlines() if line.startswith("- Spreadthesign:")]

    (note,) = counts(theirs)
    assert "4 of 5 test clips evaluated; 1 not (no hand)" in note
    assert "3 (no video)" in note
    assert counts({}) == []


def test_equal_results_give_equal_bytes_and_costs(board, written, workspace):
    board()
    assert written(pretraining.TABLE) == written(pretraining.TABLE)
    costs = pd.read_csv(workspace.results / "costs/pretraining.csv")
    assert list(costs["encoder"]) == suites.expand(pretraining.ROWS)


def test_a_missing_result_is_named(board, written):
    board(leave=["E6.1"])
    with pytest.raises(ConfigError, match=r"E6\.1.*no result here"):
        written(pretraining.TABLE)
