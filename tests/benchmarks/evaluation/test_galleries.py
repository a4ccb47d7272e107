"""Galleries: which texts they hold, and which of them is a clip's target."""

import pandas as pd
import pytest

from benchmarks.evaluation import galleries

TAGGED = "<{spoken_language}> <{sign_language}> {text}"


@pytest.fixture
def clips() -> pd.DataFrame:
    rows = [
        ("1", "House", "ase", "en"),
        ("2", "house", "ase", "en"),
        ("3", "Haus", "gsg", "de"),
        ("4", "house", "bfi", "en"),
        ("5", "tree", "bfi", "en"),
    ]
    return pd.DataFrame(rows, columns=["id", "text", "sign_language", "spoken_language"])


@pytest.fixture
def rows() -> pd.DataFrame:
    roles = ["train", "test", "validation", "test", "excluded"]
    return pd.DataFrame({"fold": 0, "id": list("12345"), "role": roles})


def test_labels_are_those_of_all_clips_but_the_excluded(clips, rows):
    gallery = galleries.labels(galleries.candidates("in_domain", clips, rows))
    assert gallery.names == ("haus", "house")  # no label that only excluded clips have
    assert gallery.targets == {"1": 1, "2": 1, "3": 0, "4": 1}
    assert not gallery.tagged


def test_prompts_are_unique_and_have_their_languages(clips, rows):
    candidates = galleries.candidates("in_domain", clips, rows)
    tagged = galleries.prompts(candidates, "<en> <{sign_language}> {label}")
    assert tagged.tagged
    assert tagged.names == ("<en> <ase> house", "<en> <bfi> house", "<en> <gsg> haus")
    assert [entry.sign_language for entry in tagged.entries] == ["ase", "bfi", "gsg"]
    assert tagged.targets == {"1": 0, "2": 0, "3": 2, "4": 1}


def test_the_papers_gallery_is_that_of_the_test_clips(clips, rows):
    gallery = galleries.prompts(galleries.candidates("official", clips, rows), TAGGED)
    assert gallery.names == ("<en> <ase> house", "<en> <bfi> house")
    assert gallery.targets == {"2": 0, "4": 1}


def test_the_order_of_the_manifest_changes_nothing(clips, rows):
    one, turned = (galleries.candidates("in_domain", given, rows) for given in (clips, clips[::-1]))
    assert galleries.labels(turned) == galleries.labels(one)
    assert galleries.prompts(turned, galleries.PAIR) == galleries.prompts(one, galleries.PAIR)


def test_labels_without_training_clips_are_logged_with_how_many_clips_are_lost(clips, rows, caplog):
    gallery = galleries.labels(clips)
    galleries.warn_of_unknown("dtw", 2, gallery, ["House", "tree"], ["2", "3"])
    assert [record.message for record in caplog.records] == [
        "dtw, fold 2: no training clip has haus; these labels score below all others, and 1 test "
        "clips have one of them"
    ]
    caplog.clear()
    galleries.warn_of_unknown("dtw", 2, gallery, ["House", "tree", "haus"], ["2", "3"])
    galleries.warn_of_unknown("dtw", 2, gallery, ["House"], ["1", "2"])  # none is lost
    assert not caplog.records
