"""Which results share a row and a column, and what is not shown."""

import pandas as pd
import pytest

from benchmarks import encoder_metadata
from benchmarks.leaderboard import clips, columns, compact
from benchmarks.leaderboard.columns import PIPELINE
from signclip.core.errors import ConfigError
from signclip.core.workspace import Workspace
from signclip.corpora import manifest


@pytest.fixture
def table_of(tmp_path):
    """The table of some results."""
    return lambda *found: columns.table_of(map(compact.compact, found), tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"corpus_fingerprint": "other"},
        {"split_fingerprint": "other"},
        {"labels": 7},
        {"task": "few_shot_1"},
        {"split": "in_domain"},
    ],
)
def test_results_of_other_data_do_not_share_a_column(drawn, table_of, change):
    assert len(table_of(drawn("X", 0.5), drawn("E4", 0.5)).places) == 1
    assert len(table_of(drawn("X", 0.5), drawn("E4", 0.5, **change)).places) == 2


def test_clips_of_the_same_sign_are_shown_with_map(drawn, table_of):
    one = drawn("X", 0.5, task="sign_to_sign")
    scores = {**one.scores, "mAP": one.scores["V2T_R@1"], "V2T_DCG": one.scores["V2T_R@1"]}
    found = table_of(one.model_copy(update={"scores": scores}))
    assert found.metrics(found.places[0]) == ["V2T_R@1", "mAP"]


def test_results_of_others_have_rows_of_their_own(drawn, table_of):
    found = [drawn("X", 0.5, group=group) for group in ("repro", "submitted", "local")]
    rows = table_of(*found).rows
    assert [row.key.origin for row in rows] == [PIPELINE, "local", "submitted"]
    assert [row.name for row in rows] == ["X", "X (local)", "X (submitted)"]


def test_one_encoder_of_two_groups_is_one_row_and_what_is_left_out_is_counted(drawn, table_of):
    one, three = drawn("X", 0.5), drawn("X", 0.6, group="full", seeds=[0, 1, 2])
    found = table_of(one, three, drawn("X", 0.6, group="full", split="in_domain"))
    assert len(found.rows) == 1
    assert [cells[0].result.group for cells in found.cells.values()] == ["full", "full"]
    assert found.hidden == {columns.FEWER_SEEDS: 1}


def test_a_transferred_model_is_a_row_with_its_profile_and_a_version_is_not(drawn, table_of):
    found = [drawn("X", 0.5), drawn("X", 0.5, revision="cpu.in_domain", split="official")]
    assert len(table_of(*found).rows) == 1
    versions = [drawn("mine", 0.5, revision=version) for version in ("1.0", "1.1")]
    assert len(table_of(*versions).rows) == 2


def test_contamination_is_that_of_each_cell(drawn, tmp_path):
    learned = [{"name": "somebodys-corpus", "derives_from": ["spreadthesign"], "part": "all"}]
    metadata = encoder_metadata.parse(
        {
            **dict(name="theirs", revision="1.0", authors=["somebody"], licence=None, link=None),
            **dict(training_corpora=learned, parameters=None, run_by="author"),
            "input": {"kind": "pose"},
        },
        "test",
    )
    metadata.write(tmp_path, "submitted")
    mine = drawn("theirs", 0.5, group="submitted", revision="1.0")
    elsewhere = drawn("theirs", 0.5, group="submitted", revision="1.0", corpus="asl-words")
    unknown = drawn("nobodys", 0.5, group="submitted", revision="1.0")
    found = columns.table_of(map(compact.compact, [mine, elsewhere, unknown]), tmp_path)
    names = {
        (found.rows[cell.row].key.encoder, cell.result.corpus): cell.exposure
        for cells in found.cells.values()
        for cell in cells
    }
    assert names == {
        ("theirs", mine.corpus): "source",
        ("theirs", "asl-words"): "none",
        ("nobodys", mine.corpus): "not known",
    }


def test_results_without_a_common_metric_are_an_error(drawn, table_of):
    one = drawn("X", 0.5)
    other = drawn("E4", 0.5, scores={"F1": one.scores["V2T_R@1"]})
    found = table_of(one, other)
    with pytest.raises(ConfigError, match="no common metric"):
        found.metrics(found.places[0])


def test_floors_are_named_as_such_only_where_they_are_ours(drawn, table_of):
    ours, theirs = drawn("dtw", 0.5), drawn("dtw", 0.5, group="submitted")
    assert [row.kind for row in table_of(ours, theirs).rows] == ["floor", "recogniser"]


def test_signers_and_languages_come_from_points_else_from_the_manifest(tmp_path):
    workspace = Workspace(data=tmp_path / "data", results=tmp_path / "results")
    assert clips.about_corpus(workspace, "c") == {}
    rows = pd.DataFrame({"id": ["p", "q"], "signer": ["s1", None], "sign_language": "ase"})
    workspace.corpus("c").mkdir(parents=True)
    rows.reindex(columns=manifest.COLUMNS).to_parquet(
        workspace.corpus("c") / manifest.MANIFEST_FILE
    )
    assert clips.about_corpus(workspace, "c") == {"p": ("s1", "ase"), "q": ("", "ase")}
    workspace.points.mkdir(parents=True)
    rows.assign(corpus="c", sign_language="bfi").to_csv(workspace.points / "player.csv")
    assert clips.about_corpus(workspace, "c")["p"] == ("s1", "bfi")
