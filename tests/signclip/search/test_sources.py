"""Files, folders, manifests and built corpora become one list of clips, each file once."""

import pytest
from typer.testing import CliRunner

from signclip import search
from signclip.cli import app as signclip
from signclip.core.errors import ConfigError, LanguageTagError, ManifestError
from signclip.core.workspace import Workspace
from signclip.search import sources


def names(found: search.Sources) -> list[str]:
    return [clip.path.name for clip in found.clips]


def test_a_file_is_taken_once_and_folders_in_the_order_of_their_names(clips):
    (clips / "notes.txt").write_text("no clip")
    (clips / ".hidden.pose").write_bytes(b"")
    (clips / "folder.pose").mkdir()
    found = search.find_clips([clips / "c.pose", clips], sign_language="ase")
    assert names(found) == ["c.pose", "a.pose", "b.pose", "d.pose", "e.pose", "f.pose"]
    assert {clip.sign_language for clip in found.clips} == {"ase"}
    assert found.clips[0].id == str(clips / "c.pose")


def test_an_index_in_a_folder_is_no_clip(clips, model):
    found = search.find_clips([clips])
    search.build(found, model, clips / "index", progress=False)
    assert search.find_clips([clips]) == found


def test_a_video_is_read_from_the_pose_beside_it_and_else_itself(clips):
    (clips / "a.mp4").write_bytes(b"a video")
    (clips / "z.MP4").write_bytes(b"a video")
    found = search.find_clips([clips])
    assert names(found) == ["a.pose", "b.pose", "c.pose", "d.pose", "e.pose", "f.pose", "z.MP4"]
    assert names(search.find_clips([clips / "a.mp4"])) == ["a.pose"]


def test_a_folder_with_a_manifest_says_text_and_language(good_clips):
    good_clips.add("film", b"a video", path="film.mp4")
    good_clips.write()
    found = search.find_clips([good_clips.root])
    assert [(clip.id, clip.text, clip.sign_language) for clip in found.clips] == [
        (f"good-{i}", "water", "ase") for i in range(3)
    ]
    assert [(one.id, "signclip extract" in one.reason) for one in found.dropped] == [("film", True)]
    good_clips.rows[0]["sign_language"] = "asl"
    good_clips.write()
    with pytest.raises(LanguageTagError, match="good-0"):
        search.find_clips([good_clips.root])
    (good_clips.root / "manifest.csv").write_text("id,path\na,b\n")
    with pytest.raises(ManifestError, match="column"):
        search.find_clips([good_clips.root])


@pytest.fixture
def corpus(good_clips, tmp_path, monkeypatch):
    """A built corpus ``mine`` of three clips."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text("corpora: {}\n")
    for words in (
        ["corpora", "enable", "mine", str(good_clips.root)],
        ["corpora", "build", "mine"],
    ):
        assert CliRunner().invoke(signclip, words).exit_code == 0
    return good_clips


@pytest.mark.parametrize("source", ["mine", "data/mine"])
def test_a_built_corpus_is_found_by_its_name_and_its_folder(corpus, source, model, tmp_path):
    found = search.find_clips([source])
    assert [clip.id for clip in found.clips] == ["good-0", "good-1", "good-2"]
    built = search.build(found, model, tmp_path / "index", progress=False)
    assert built.index.meta["corpora"] == found.corpora
    assert list(found.corpora) == ["mine"]
    (hits,) = built.index.search(model.embed_text(["house"]))
    assert {(hit.text, hit.sign_language) for hit in hits} == {("water", "ase")}


def test_a_clip_that_changed_since_its_corpus_was_built_is_dropped(corpus, model, tmp_path):
    corpus.root.joinpath("good-1.pose").write_bytes(
        corpus.root.joinpath("good-0.pose").read_bytes()
    )
    built = search.build(search.find_clips(["mine"]), model, tmp_path / "index", progress=False)
    assert (len(built.index), built.dropped) == (2, 1)
    assert "changed since the corpus was built" in (tmp_path / "index/dropped.csv").read_text()


def test_what_is_no_source_is_named(corpus, tmp_path):
    with pytest.raises(ConfigError, match=r"^nope: neither .* a built corpus in data \(mine\)"):
        search.find_clips(["nope"])
    with pytest.raises(ConfigError, match=r"`signclip corpora build` makes one"):
        search.find_clips(["nope"], workspace=Workspace(data=tmp_path / "empty"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="neither a pose file nor a video in this folder"):
        sources.clip_files(tmp_path / "empty")
    with pytest.raises(LanguageTagError, match="did you mean"):
        search.find_clips(["mine"], sign_language="asl")
