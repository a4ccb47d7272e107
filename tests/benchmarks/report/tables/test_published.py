"""The tables of the paper: every published cell with a verdict, ours beside, never mixed up."""

import importlib

import pandas as pd
import pytest

from benchmarks import paper
from benchmarks.report import published, summary, verdicts
from benchmarks.report.cells import ALL_RETRIEVAL_METRICS
from benchmarks.results import MEAN_RANKS, Score

TABLES = paper.tables()


def table_of(name: str):
    return importlib.import_module(f"benchmarks.report.tables.{name}").TABLE


@pytest.mark.parametrize("name", TABLES)
def test_every_published_cell_stands_in_its_table_with_a_verdict(name, board, cells):
    board()
    frame, _ = cells(table_of(name))
    known = paper.published(name)
    for cell in known.to_dict("records"):
        here = frame.loc[(cell["row"], cell["column"])]
        assert here["published"] == cell["value"]
        kind = verdicts.kind_of(here["verdict"])
        assert kind in verdicts.KINDS
        assert (kind == verdicts.NOT_PUBLISHED) == (cell["value"] == "")
    values = (known["value"] != "").sum()
    assert len(summary.published_cells(frame)) == values


@pytest.mark.parametrize("name", TABLES)
def test_without_any_result_the_published_values_stand_alone(name, cells):
    frame, text = cells(table_of(name))
    assert len(frame) >= len(paper.published(name))
    assert "## " in text


@pytest.mark.parametrize("name", TABLES)
def test_results_on_the_embedded_corpus_judge_no_published_cell(name, board, cells):
    board()
    frame, _ = cells(table_of(name))
    judged = frame["verdict"].map(verdicts.kind_of).isin([verdicts.REPRODUCED, verdicts.DIFFERS])
    assert not judged.any()  # nothing was counted either: there are no points


@pytest.mark.parametrize("name", ["fingerclip", "pretraining", "test_time"])
def test_equal_results_give_equal_bytes(name, board, written):
    board()
    assert written(table_of(name)) == written(table_of(name))


def test_a_missing_result_is_an_empty_cell_with_the_reason(board, cells):
    board(leave=["E3.1"])
    frame, text = cells(table_of("fingerclip"))
    assert frame.loc[("E3.1", "V2T_R@1"), "letters"] == ""
    assert frame.loc[("E3", "V2T_R@1"), "letters"] != ""
    assert "- Missing: E3.1: no result on letters, retrieval: `make repro` makes it." in text


@pytest.fixture
def on_spreadthesign(measured):
    """Writes a result of a row on Spreadthesign with the paper's recipe: the published values."""

    def write(row: str, **changed: float) -> None:
        theirs = paper.published("pretraining").set_index(["row", "column"])["value"]
        values = {name: float(theirs[row, name]) for name in ALL_RETRIEVAL_METRICS} | changed
        measured(
            *(row, "tagged_retrieval", "official"),
            group="pretraining-spreadthesign",
            revision="paper",
            corpus="spreadthesign",
            scores={
                name: Score(value=x, low=x, high=x, chance=1 if name.endswith(MEAN_RANKS) else 0.1)
                for name, x in values.items()
            },
        )

    return write


def test_on_the_papers_corpus_every_cell_is_judged(board, on_spreadthesign, cells):
    board()
    on_spreadthesign("E7.2", **{"V2T_R@1": 0.45})
    frame, text = cells(table_of("pretraining"))
    assert frame.loc[("E7.2", "V2T_R@1"), "verdict"] == verdicts.DIFFERS
    assert frame.loc[("E7.2", "V2T_R@1"), "difference"] == "+0.0638"
    assert float(frame.loc[("E7.2", "V2T_R@1"), "cv"]) == pytest.approx(15.2)
    assert frame.loc[("E7.2", "V2T_R@5"), "verdict"] == verdicts.REPRODUCED
    assert frame.loc[("E7.2", "V2T_R@5"), "cv"] == "0.0"
    assert frame.loc[("E7.1", "V2T_R@1"), "verdict"] == "not run: needs Spreadthesign"
    assert frame.loc[("E7.2", "AC_V2T_R@1"), "verdict"] == (
        "not run: needs Spreadthesign and ASL Citizen"
    )
    assert "3 reproduced, 1 differs" in text
    assert "- Signature, Spreadthesign: `task:tagged_retrieval|corpus:spreadthesign|" in text


def test_zero_shot_columns_are_judged_by_what_was_pretrained_on_the_papers_corpus(
    board, measured, cells, monkeypatch
):
    board()
    measured(
        *("E7.2", "zero_shot_in_vocabulary", "official"),
        group="transfer-asl-citizen",
        revision="paper.official",
        corpus="asl-citizen",
        value=0.0237,
    )
    frame, _ = cells(table_of("pretraining"))
    other = "not comparable: pretrained on spreadthesign-fingerspelling"
    assert frame.loc[("E7.2", "AC_V2T_R@1"), "verdict"] == other
    named = {"pretrained": {"corpus": paper.CORPUS}}
    monkeypatch.setattr(published, "read_yaml", lambda path: named)
    frame, _ = cells(table_of("pretraining"))
    assert frame.loc[("E7.2", "AC_V2T_R@1"), "verdict"] == verdicts.REPRODUCED
    assert frame.loc[("E7.2", "AC_V2T_R@5"), "verdict"] == verdicts.DIFFERS


def test_zero_shot_results_on_a_corpus_at_hand_have_columns_of_their_own(board, measured, cells):
    board()
    where = dict(group="transfer-words", revision="cpu.in_domain", corpus="words")
    measured("E7.2", "zero_shot", "official", value=0.25, **where)
    frame, text = cells(table_of("pretraining"))
    cell = frame.loc[("E7.2", "words V2T_R@1")]
    assert (cell["words"], cell["published"], cell["verdict"]) == ("0.2500", "", verdicts.OURS)
    assert "## Zero-shot, words, trained on the embedded corpus" in text


def test_ours_stand_beside_in_both_galleries(board, cells, stored):
    board()
    frame, text = cells(table_of("pretraining"))
    for gallery, task in (("tagged", "tagged_retrieval"), ("labels", "retrieval")):
        value = stored("E6.1", task, "in_domain").scores["V2T_R@1"].value
        assert frame.loc[("E6.1", "V2T_R@1"), f"in_domain {gallery}"] == f"{value:.4f}"
    assert frame.loc[("chance", "V2T_R@1"), "in_domain tagged"] == "0.0100"
    assert text.index("ours tagged, R@1") < text.index("ours labels, R@1")
    assert "| E6.1\\*" in text  # inferred
    assert "| E7.2 " in text


def test_parameters_are_counted_on_our_model(board, workspace, cells):
    board()
    workspace.points.mkdir(parents=True)
    rows = [("E7.2", 609, 217681152), ("E4", 609, 999), ("E3", 1629, 178281216)]
    sizes = pd.DataFrame(rows, columns=["experiment", "dims", "parameters"])
    sizes.assign(variant="v", points=203).to_csv(workspace.points / "model_sizes.csv", index=False)
    frame, _ = cells(table_of("pretraining"))
    assert frame.loc[("E7.2", "parameters"), "verdict"] == verdicts.REPRODUCED
    assert frame.loc[("E4", "parameters"), "verdict"] == verdicts.DIFFERS
    frame, text = cells(table_of("representations"))
    assert frame.loc[("E7.2", "parameters"), "verdict"] == verdicts.REPRODUCED
    assert frame.loc[("holistic", "spatial"), "verdict"] == verdicts.REPRODUCED
    assert "[999]" in text  # ours, where it differs


def test_a_corpus_at_hand_judges_its_published_figures(workspace, cells):
    folder = workspace.results / "corpora"
    folder.mkdir(parents=True)
    card = "panel,name,value\nlength,1-1,3\ntotal,clips,2515\ntotal,signs,35\ntotal,signers,21\n"
    (folder / "rwth-fs.csv").write_text(card)
    frame, text = cells(table_of("datasets"))
    assert frame.loc[("rwth-fs", "signs"), "verdict"] == verdicts.REPRODUCED
    assert frame.loc[("rwth-fs", "signers"), "verdict"] == verdicts.DIFFERS
    assert "20 [21]" in text
    assert frame.loc[("wlasl", "signs"), "verdict"] == "not run: needs WLASL"
    assert "| rwth-fs" in text
