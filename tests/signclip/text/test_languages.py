"""The registry of sign-language tags: complete, and strict with unknown ones."""

import csv

import pytest

from signclip import text
from signclip.core.errors import LanguageTagError


def test_the_registry_holds_the_papers_41_tags_and_swiss_german():
    registry = text.sign_languages()
    assert sum(row.in_pretraining for row in registry.values()) == 41
    assert [tag for tag, row in registry.items() if not row.in_pretraining] == ["sgg"]
    assert registry["rsl-by"].iso639_3 == "rsl"
    assert registry["gss-cy"].iso639_3 == "gss"
    clips = [row.pretraining_clips for row in registry.values()]
    assert clips == sorted(clips, reverse=True)
    assert all(len(row.iso639_3) == 3 for row in registry.values())


def test_the_registry_agrees_with_the_papers_statistics(shared):
    with open(shared("paper/spreadthesign_languages.csv"), encoding="utf-8") as file:
        published = {row["sign_language"]: int(row["examples"]) for row in csv.DictReader(file)}
    ours = {tag: row for tag, row in text.sign_languages().items() if row.in_pretraining}
    assert {tag: row.pretraining_clips for tag, row in ours.items()} == published


@pytest.mark.parametrize("tag", text.sign_languages())
def test_every_tag_of_the_registry_is_found(tag):
    assert text.sign_language(tag).tag == tag


@pytest.mark.parametrize(
    ("tag", "near"),
    [
        ("lis", "ise (Italian Sign Language)"),
        ("LIS", "ise (Italian Sign Language)"),
        ("asl", "ase (American Sign Language)"),
        ("dgs", "gsg (German Sign Language)"),
        ("bsl", "bfi (British Sign Language)"),
        ("Italian", "ise (Italian Sign Language)"),
        ("ASE", "ase (American Sign Language)"),
        ("rsl_by", "rsl-by"),
    ],
)
def test_an_unknown_tag_is_refused_with_near_ones(tag, near):
    with pytest.raises(LanguageTagError) as caught:
        text.sign_language(tag)
    assert repr(tag) in str(caught.value)
    assert near in str(caught.value)


@pytest.mark.parametrize("tag", ["", " ase", "qqqq"])
def test_a_tag_without_near_ones_is_refused_too(tag):
    with pytest.raises(LanguageTagError, match="unknown sign-language tag"):
        text.sign_language(tag)
