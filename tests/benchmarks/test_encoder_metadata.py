"""Metadata: validated, sealed beside results, there for every row, and what follows from it."""

import json
from pathlib import Path

import pytest

from benchmarks import encoder_metadata, results
from benchmarks.encoder_metadata import EncoderMetadata, exposure, parse
from signclip.core.errors import ConfigError

BOARD = Path(__file__).parents[2] / "results/leaderboard"
NAME = "spreadthesign-fingerspelling"
GIVEN = {
    "name": "mine",
    "revision": "1",
    "authors": ["somebody"],
    "licence": "MIT",
    "link": None,
    "training_corpora": [],
    "parameters": None,
    "run_by": "author",
    "input": {"kind": "pose"},
}


def metadata(**changes) -> EncoderMetadata:
    return parse({**GIVEN, **changes}, "a class")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"colour": "red"}, "colour: Extra inputs"),
        ({"name": "../other"}, "name: String should match"),
        ({"revision": ""}, "revision: String should match"),
        ({"authors": []}, "authors: Tuple should have at least 1 item"),
        ({"link": "my page"}, "link: String should match"),
        ({"run_by": "me"}, "run_by: Input should be 'author', 'us' or 'third party'"),
        ({"parameters": -1}, "parameters: Input should be greater"),
        ({"input": {"kind": "variant"}}, "'variant' needs the field 'variant'"),
        ({"input": {"kind": "pose", "variant": "signing"}}, "does not take the field 'variant'"),
        ({"training_corpora": [{"part": "train"}]}, r"training_corpora\.0\.name: Field required"),
    ],
)
def test_a_wrong_field_is_named(changes, message):
    with pytest.raises(ConfigError, match=f"a class: metadata is not valid: .*{message}"):
        metadata(**changes)


@pytest.mark.parametrize("field", GIVEN)
def test_every_field_must_be_given(field):
    with pytest.raises(ConfigError, match=f"{field}: Field required"):
        parse({key: GIVEN[key] for key in GIVEN if key != field}, "a class")


def test_a_sidecar_is_read_back_and_an_edited_or_moved_one_refused(tmp_path):
    about = metadata()
    path = about.write(tmp_path, "submitted")
    assert path == tmp_path / "submitted/mine/1" / results.SIDECAR
    assert encoder_metadata.find(tmp_path, "submitted", "mine", "1") == about
    moved = tmp_path / "submitted/other/1" / results.SIDECAR
    moved.parent.mkdir(parents=True)
    moved.write_bytes(path.read_bytes())
    with pytest.raises(ConfigError, match=r"its content belongs in \.\.\./mine/1"):
        encoder_metadata.find(tmp_path, "submitted", "other", "1")
    path.write_text(path.read_text().replace("somebody", "somebody else"))
    with pytest.raises(ConfigError, match="edited after it was written"):
        encoder_metadata.find(tmp_path, "submitted", "mine", "1")
    path.write_text("{")
    with pytest.raises(ConfigError, match="not valid JSON"):
        encoder_metadata.find(tmp_path, "submitted", "mine", "1")


def test_there_is_metadata_for_every_committed_row():
    places = {path.parent for path in BOARD.rglob("*.json")}
    assert len(places) > 50
    for place in places:
        group, encoder, revision = place.relative_to(BOARD).parts
        about = encoder_metadata.find(BOARD, group, encoder, revision)
        assert about is not None, place
        assert about.title
        assert about.kind is not None


def test_nobody_is_not_known():
    assert encoder_metadata.known("nobody", "cpu") is None


@pytest.mark.parametrize(
    ("corpora", "expected"),
    [
        (None, "not known"),
        ([], "none"),
        ([{"name": "wlasl"}], "none"),
        ([{"name": NAME, "part": "train"}], "training clips"),
        ([{"name": NAME}], "test clips"),
        ([{"name": NAME, "part": "all"}], "test clips"),
        ([{"name": "spreadthesign", "part": "train"}], "source"),
        ([{"name": "dictionary", "derives_from": ["spreadthesign"]}], "source"),
        ([{"name": NAME, "part": "train"}, {"name": "spreadthesign"}], "source"),
    ],
)
def test_contamination_follows_from_training_corpora_and_their_sources(corpora, expected):
    assert exposure(metadata(training_corpora=corpora), NAME) == expected
    assert exposure(None, NAME) == "not known"


def test_what_is_learned_from_the_splits_own_training_clips_is_kept_apart():
    assert exposure(metadata(trained_here=True), NAME) == "trained here"
    transferred = encoder_metadata.known("E7.2", "cpu.in_domain", "transfer-asl-words")
    assert exposure(transferred, "asl-words") == "none"
    assert exposure(transferred, NAME) == "training clips"
    assert exposure(encoder_metadata.known("E7.2", "cpu"), "asl-words") == "trained here"
    pretrained = encoder_metadata.known("X", "paper.official", "pretraining-spreadthesign")
    assert exposure(pretrained, "spreadthesign") == "training clips"
    assert exposure(pretrained, NAME) == "source"


def test_a_released_checkpoint_shares_its_source_with_the_embedded_corpus():
    about = encoder_metadata.released("baseline", "abc", "reduced_face")
    assert exposure(about, NAME) == "source"
    assert json.loads(about.model_dump_json())["run_by"] == "us"


def test_the_table_of_corpora_is_read_once_for_a_whole_board(monkeypatch):
    """Reading it takes milliseconds, and a board asks for each of its cells."""
    about = metadata(training_corpora=[{"name": "asl-signs", "part": "train"}])
    first = exposure(about, NAME)
    monkeypatch.setattr(encoder_metadata, "read_yaml", lambda _: pytest.fail("read again"))
    assert exposure(about, NAME) == first


@pytest.mark.parametrize("text", ['"text"', "[]", "null", "1"])
def test_metadata_that_are_no_object_are_refused_in_one_line(tmp_path, text):
    path = encoder_metadata.sidecar(tmp_path, "submitted", "mine", "1")
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"encoder.json: not valid JSON metadata \(a \w+, not an"):
        encoder_metadata.find(tmp_path, "submitted", "mine", "1")
