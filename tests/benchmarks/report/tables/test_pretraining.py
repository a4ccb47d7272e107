"""The pretraining table: the authors' numbers as they are, ours in columns of their own."""

import csv

import pandas as pd
import pytest

from benchmarks import results, suites
from benchmarks.report.tables import fingerclip, pretraining
from benchmarks.results import Score
from signclip.core.errors import ConfigError


def written(folder) -> pd.DataFrame:
    pretraining.write(revision="cpu", corpus="c", results_folder=folder)
    path = folder / "tables" / "pretraining.csv"
    return pd.read_csv(path, dtype=str, keep_default_na=False).set_index("id")


def test_the_published_values_are_the_authors_cell_by_cell(shared):
    with shared("paper/pretraining_results.csv").open() as file:
        theirs = {row["config"]: row for row in csv.DictReader(file)}
    transcribed = fingerclip.published("pretraining").set_index("config", drop=False)
    rows = [config for config in transcribed.index if transcribed.loc[config, "V2T_R@1"]]
    assert rows == list(theirs)
    for config, source in theirs.items():
        for column, value in source.items():
            name = column.replace(" T2V", "_T2V").replace(" V2T", "_V2T")
            name = name.replace("Median R", "MedianR")
            name = {"#params": "parameters", "time": "time", "config": "config"}.get(name, name)
            assert transcribed.loc[config, name] == value, (config, column)


def test_each_row_is_the_experiment_that_the_facts_say():
    found = dict(
        fingerclip.published("pretraining")[["config", "experiment"]].itertuples(index=False)
    )
    assert found["signclip_v1_1/baseline"] == "E4"
    assert found["signclip_v1_1/baseline_pre"] == "E6.1"
    assert found["signclip_v1_1/baseline_temporal"] == "E7.2"
    assert found["signclip_v1_1/baseline_final_proj"] == "E-final-proj"
    assert list(found.values()) == suites.expand(["pretraining", "tested"])


def test_ours_stand_beside_in_both_galleries_and_no_row_is_called_reproduced(board, tmp_path):
    frame = written(board(tmp_path))
    for name in suites.expand(["pretraining", "tested"]):
        for group, task in pretraining.GALLERIES.items():
            path = results.path_of(tmp_path / "leaderboard", name, "cpu", task, "c", "in_domain")
            value = results.read(path).scores["V2T_R@1"].value
            assert frame.loc[name, f"{group}_V2T_R@1"] == f"{value:.4f}"
    assert set(frame["verdict"]) == {"needs Spreadthesign", "no published numbers", ""}
    assert list(frame.index[frame["verdict"] == "no published numbers"]) == ["E8", "E8.1"]
    assert frame.loc["ours", "tagged_V2T_R@1"] == "0.0100"  # chance
    text = (tmp_path / "tables/pretraining.md").read_text()
    assert "| E7.2 " in text
    assert "| 0.3862 " in text
    assert "no published numbers" in text


@pytest.mark.parametrize(
    ("value", "low", "high", "told"),
    [
        (0.3862 + 0.03, 0.41, 0.42, "reproduced"),
        (0.30, 0.28, 0.387, "reproduced"),
        (0.45, 0.44, 0.46, "not reproduced (R@1 0.4500)"),
    ],
)
def test_on_the_papers_corpus_a_row_is_judged(board, tmp_path, result, value, low, high, told):
    scores = {
        name: Score(value=theirs, low=theirs, high=theirs, chance=0.1)
        for name, theirs in fingerclip.published("pretraining")
        .set_index("experiment")
        .loc["E7.2", [m for group in fingerclip.METRICS.values() for m in group]]
        .astype(float)
        .items()
    }
    scores["V2T_R@1"] = Score(value=value, low=low, high=high, chance=0.1)
    result(
        encoder="E7.2",
        revision="paper",
        task="tagged_retrieval",
        corpus="spreadthesign",
        split="official",
        scores=scores,
    ).write(board(tmp_path) / "leaderboard")
    frame = written(tmp_path)
    assert frame.loc["E7.2", "verdict"] == told
    assert frame.loc["E7.2", "spreadthesign_V2T_R@1"] == f"{value:.4f}"
    assert frame.loc["E7.1", "verdict"] == "needs Spreadthesign"


def test_a_value_near_0_is_not_reproduced_by_another_near_0(board, tmp_path, result):
    paper = fingerclip.published("pretraining").set_index("experiment").loc["E5.2"]

    def told(factor: float) -> str:
        scores = {
            name: Score(value=factor * float(paper[name]), low=0, high=0, chance=0.1)
            for name in pretraining.JUDGED
        }
        return pretraining.verdict(paper, result(scores=scores))

    assert float(paper["V2T_R@1"]) < pretraining.TOLERANCE
    assert told(0.6) == told(1.4) == "reproduced"
    assert told(0.4).startswith("not reproduced (R@1")


def test_the_notes_count_the_clips_of_the_papers_corpus(result):
    pairs = {"E5": {"labels": result(), "tagged": result()}}
    theirs = {"E5": result(corpus_dropped={"no video": 3})}
    (note,) = (n for n in pretraining.notes(pairs, theirs) if n.startswith("Spreadthesign:"))
    assert "4 of 5 test clips; 1: no hand" in note
    assert "3: no video" in note
    assert not [n for n in pretraining.notes(pairs, {}) if n.startswith("Spreadthesign:")]


def test_equal_results_give_equal_bytes_and_a_missing_result_is_named(board, tmp_path):
    files = []
    for name in ("a", "b"):
        written(board(tmp_path / name))
        files.append({p.name: p.read_bytes() for p in (tmp_path / name / "tables").iterdir()})
    assert files[0] == files[1]
    assert set(files[0]) == {"pretraining.csv", "pretraining.md", "pretraining.tex"}
    costs = pd.read_csv(tmp_path / "a/costs/pretraining.csv")
    assert list(costs["encoder"]) == suites.expand(["pretraining", "tested"])
    with pytest.raises(ConfigError, match=r"E6\.1.*no result here"):
        written(board(tmp_path / "c", leave=["E6.1"]))
