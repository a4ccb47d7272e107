"""Corpora that anyone can download: OpenHands' layouts, and fetching them from a mirror."""

import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from signclip import corpora
from signclip.core.errors import FetchError, ManifestError
from signclip.corpora import catalogue, fetch, splits
from signclip.features import store

OPEN = ("lsa64", "autsl", "include", "openhands-wlasl", "openhands-fingerspelling")


def build(name, root):
    return corpora.build(name, root, progress=False)


def sides(clips):
    return {split: set(part["signer"]) for split, part in clips.groupby("split")}


@pytest.mark.parametrize("name", OPEN)
def test_hand_variants_take_every_clip(name, untouched, tmp_path):
    clips, dropped = build(name, untouched(name))
    assert dropped.empty
    folders = {variant: tmp_path / variant for variant in ("signing", "dominant_hand")}
    store.write_variants(clips, untouched(name), folders, progress=False)
    for folder in folders.values():
        assert len(store.FeatureStore(folder)) == len(clips)


def test_lsa64_is_split_by_signer(untouched):
    clips, _ = build("lsa64", untouched("lsa64"))
    assert sides(clips) == {"train": {"001", "008"}, "validation": {"009"}, "test": {"010"}}
    clip = clips.set_index("id").loc["008_010_002"]
    assert (clip["text"], clip["sign_language"]) == ("Red(?)", "aed")
    overlap = splits.shared_signers(splits.official(clips), clips)
    assert "signers are disjoint" in overlap.text()


def test_lsa64_names_a_sign_without_a_gloss_and_a_damaged_list(miniature):
    root = miniature("lsa64")
    (root / "LSA64_Cut" / "notes.pkl").write_bytes(b"x")
    _, dropped = build("lsa64", root)
    assert dropped["reason"].tolist() == ["its name is not <sign>_<signer>_<repeat>"]
    (root / "lsa64_signs.md").write_text("01|Opaque|R|\n")
    with pytest.raises(ManifestError, match=r"008_001_001: sign 8 is not in lsa64_signs\.md"):
        build("lsa64", root)
    (root / "lsa64_signs.md").write_text("Opaque\n")
    with pytest.raises(ManifestError, match="line 1 is not <number>"):
        build("lsa64", root)


def test_autsl_has_its_lists_and_english_texts(untouched):
    clips, _ = build("autsl", untouched("autsl"))
    assert sides(clips) == {"train": {"signer0"}, "validation": {"signer1"}, "test": {"signer2"}}
    assert clips["text"].unique().tolist() == ["sister", "hurry", "difficult"]
    assert set(clips["fps"]) == {30.0}


def test_autsl_names_the_line_of_an_unknown_class(miniature):
    root = miniature("autsl")
    (root / "test_labels.csv").write_text("signer2_sample1,7\n")
    with pytest.raises(ManifestError, match=r"test_labels\.csv, line 1: class 7 is not in"):
        build("autsl", root)


def test_include_has_words_without_their_numbers_and_a_validation_set(untouched):
    clips, _ = build("include", untouched("include"))
    assert set(clips["text"]) == {"Bird", "House"}
    assert clips.groupby("text")["split"].value_counts().to_dict() == {
        (word, split): count
        for word in ("Bird", "House")
        for split, count in (("train", 3), ("validation", 1), ("test", 2))
    }
    assert "Places/19. House/Extra/MVI_r0" in set(clips["id"])


def test_wlasl_falls_back_to_the_largest_of_openhands_lists(miniature):
    root = miniature("openhands-wlasl")
    whole, _ = build("openhands-wlasl", root)
    (root / "WLASL_v0.3.json").rename(root / "asl100.json")
    again, _ = build("openhands-wlasl", root)
    assert again["id"].tolist() == whole["id"].tolist()
    assert set(whole["signer"]) == {"0", "1"}


def test_fingerspelling_holds_out_whole_languages_too(untouched):
    name = "openhands-fingerspelling"
    clips, _ = build(name, untouched(name))
    assert clips["sign_language"].nunique() == 6
    assert (clips.groupby(["sign_language", "text"])["split"].nunique() == 3).all()
    table = corpora.split_table(name, clips)
    assert set(table["split"]) == {"official", "unseen_language"}
    tag = clips.set_index("id")["sign_language"]
    held_out = table[table["split"] == "unseen_language"]
    text = clips.set_index("id")["text"]
    assert set(text[held_out["id"]]) == {"a", "b"}  # not sch, α, ç
    for _, fold in held_out.groupby("fold"):
        tags = {role: set(tag[part["id"]]) for role, part in fold.groupby("role")}
        assert not tags["test"] & tags["train"]


def test_fingerspelling_reads_the_languages_that_are_there(miniature):
    root = miniature("openhands-fingerspelling")
    for language in ("Argentine", "German", "Greek", "Indian"):
        shutil.rmtree(root / language)
    (root / "Turkish" / "glosses.csv").write_text("a\n")
    clips, dropped = build("openhands-fingerspelling", root)
    assert set(clips["sign_language"]) == {"ase", "tsm"}
    assert set(dropped["reason"]) == {"Turkish/glosses.csv does not list ç"}
    table = corpora.split_table("openhands-fingerspelling", clips)
    assert set(table["split"]) == {"official"}


def test_a_hostile_pickle_costs_its_own_clip(miniature):
    root = miniature("lsa64")
    (root / "LSA64_Cut" / "001_001_001.pkl").write_bytes(b"cos\nsystem\n(S'touch ran'\ntR.")
    clips, dropped = build("lsa64", root)
    assert dropped["id"].tolist() == ["001_001_001"]
    assert "not a pickle of OpenHands' arrays" in dropped["reason"][0]
    assert len(clips) == 15


# Fetching


@pytest.fixture
def mirror(tmp_path, untouched, monkeypatch):
    """A mirror that has OpenHands' corpora as archives and tables; ``requests`` are counted."""
    served = tmp_path / "mirror"
    for name in ("lsa64", "openhands-fingerspelling"):
        root = untouched(name)
        for row in catalogue.about(name).downloads:
            target = served / name / row.file
            target.parent.mkdir(parents=True, exist_ok=True)
            if row.unpack:
                inside = Path(row.file).stem
                shutil.make_archive(str(target.with_suffix("")), "zip", root, inside)
            else:
                shutil.copy(root / row.file, target)

    class Quiet(SimpleHTTPRequestHandler):
        requests: ClassVar[list[str]] = []

        def log_message(self, *_):
            self.requests.append(self.path)

    serve = partial(Quiet, directory=served)
    with ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        monkeypatch.setenv(fetch.MIRROR, f"http://127.0.0.1:{server.server_port}/")
        yield Quiet.requests
        server.shutdown()


@pytest.mark.parametrize("name", ["lsa64", "openhands-fingerspelling"])
def test_a_corpus_is_fetched_from_a_mirror_and_built(name, mirror, untouched, tmp_path):
    assert not fetch.unreachable(name)
    to = tmp_path / "out"
    fetch.fetch(name, to, progress=False)
    downloads = catalogue.about(name).downloads
    assert [path.removeprefix(f'"GET /{name}/') for path in mirror] == [
        f"/{name}/{row.file}" for row in downloads
    ]
    clips, _ = build(name, to)
    expected, _ = build(name, untouched(name))
    assert clips["sha256"].tolist() == expected["sha256"].tolist()
    assert fetch.is_complete(name, to)
    fetch.fetch(name, to, progress=False)
    assert len(mirror) == len(downloads)  # nothing is downloaded twice


def test_a_server_that_cannot_be_reached_is_named_at_once(monkeypatch, tmp_path):
    monkeypatch.setenv(fetch.MIRROR, "http://127.0.0.1:9")
    assert "127.0.0.1 cannot be reached" in fetch.unreachable("lsa64")
    monkeypatch.setattr(fetch, "PAUSE_SECONDS", 0)
    with pytest.raises(FetchError, match="By hand"):
        fetch.fetch("lsa64", tmp_path, progress=False)
    assert not fetch.is_complete("lsa64", tmp_path)
