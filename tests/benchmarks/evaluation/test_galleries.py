"""Galleries: which texts, and which of them is a clip's own."""

import pandas as pd
import pytest

from benchmarks.evaluation import galleries

TAGGED, PLAIN = "<{spoken_language}> <{sign_language}> {text}", "Sign {label}."


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


def test_prompts_without_languages_are_asked_among_labels_alone(clips, rows):
    (gallery,) = galleries.of("in_domain", clips, rows, PLAIN)
    assert gallery.task == "retrieval"
    assert gallery.names == ("haus", "house")  # no label of excluded clips alone
    assert gallery.own == {"1": 1, "2": 1, "3": 0, "4": 1}


def test_tagged_prompts_are_asked_in_both_galleries(clips, rows):
    labels, tagged = galleries.of("in_domain", clips, rows, "<en> <{sign_language}> {label}")
    assert labels.names == ("haus", "house")
    assert tagged.task == "tagged_retrieval"
    assert tagged.names == ("<en> <ase> house", "<en> <bfi> house", "<en> <gsg> haus")
    assert [entry.sign_language for entry in tagged.entries] == ["ase", "bfi", "gsg"]
    assert tagged.own == {"1": 0, "2": 0, "3": 2, "4": 1}


def test_letters_are_asked_without_languages_whoever_is_asked(clips, rows):
    for template in (TAGGED, PLAIN, galleries.PAIR):
        (gallery,) = galleries.of("letters", clips, rows, template)
        assert gallery.task == "retrieval"


def test_the_papers_gallery_is_the_unique_prompts_of_the_test_clips(clips, rows):
    (gallery,) = galleries.of("official", clips, rows, TAGGED)
    assert gallery.task == "tagged_retrieval"
    assert gallery.names == ("<en> <ase> house", "<en> <bfi> house")
    assert gallery.own == {"2": 0, "4": 1}


def test_the_order_of_the_manifest_changes_nothing(clips, rows):
    turned = galleries.of("in_domain", clips[::-1], rows, galleries.PAIR)
    assert turned == galleries.of("in_domain", clips, rows, galleries.PAIR)


def test_labels_that_were_not_met_are_told_with_how_many_clips_are_lost(clips, rows, caplog):
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
