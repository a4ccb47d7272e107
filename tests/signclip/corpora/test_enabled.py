"""Enabling a corpus: one line of params.yaml changes, every other byte stays."""

from pathlib import Path

import pytest
import yaml

from signclip import corpora
from signclip.core.errors import ConfigError
from signclip.corpora import enabled

ROOT = Path(__file__).parents[3]
PARAMS = """# a comment
profile: cpu # another

corpora: # where they are
  rwth-fs: ""
  asl-signs: ""  # Kaggle

tuning:
  asl-signs: 3
"""


@pytest.fixture
def params(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(PARAMS)
    return path


def test_a_path_is_written_and_read_and_the_rest_stays(params):
    enabled.enable("rwth-fs", "../my data/rwth: fs", params)
    assert enabled.paths(params)["rwth-fs"] == "../my data/rwth: fs"
    assert params.read_text() == PARAMS.replace('rwth-fs: ""', 'rwth-fs: "../my data/rwth: fs"')
    enabled.enable("rwth-fs", "", params)
    assert params.read_text() == PARAMS


def test_a_name_outside_the_section_is_another_thing(params):
    enabled.enable("asl-signs", "x", params)
    assert yaml.safe_load(params.read_text())["tuning"] == {"asl-signs": 3}


def test_a_new_name_and_a_new_section_are_added(params, tmp_path):
    enabled.enable("wlasl", "w", params)
    assert enabled.paths(params) == {"rwth-fs": "", "asl-signs": "", "wlasl": "w"}
    bare = tmp_path / "bare.yaml"
    bare.write_text("profile: cpu")
    enabled.enable("wlasl", "w", bare)
    assert yaml.safe_load(bare.read_text()) == {"profile": "cpu", "corpora": {"wlasl": "w"}}


def test_paths_are_relative_to_the_file(params):
    enabled.enable("wlasl", "copies/wlasl", params)
    assert enabled.path_of("wlasl", params) == params.parent / "copies" / "wlasl"
    assert enabled.path_of("rwth-fs", params) is None
    assert enabled.path_of("sem-lex", params) is None


@pytest.mark.parametrize("text", ["corpora: 3\n", "corpora: {a: 3}\n", "- a\n", "a: [\n"])
def test_a_broken_file_is_refused(params, text):
    params.write_text(text)
    with pytest.raises(ConfigError, match=r"params\.yaml"):
        enabled.paths(params)


def test_a_section_in_one_line_is_not_guessed_at(params):
    params.write_text("corpora: {rwth-fs: a}\n")
    with pytest.raises(ConfigError, match="yourself"):
        enabled.enable("wlasl", "w", params)
    assert params.read_text() == "corpora: {rwth-fs: a}\n"


def test_without_a_file_nothing_is_enabled_and_nothing_can_be(tmp_path):
    assert enabled.paths(tmp_path / "params.yaml") == {}
    with pytest.raises(ConfigError, match="repository's folder"):
        enabled.enable("wlasl", "w", tmp_path / "params.yaml")


def test_the_repository_lists_every_corpus_that_needs_a_copy():
    needed = set(corpora.CORPORA) - {"spreadthesign-fingerspelling"}
    assert set(enabled.paths(ROOT / "params.yaml")) == needed
