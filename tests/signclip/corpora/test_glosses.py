"""Gloss cleaning: what the paper does, and nothing more."""

import pytest

from signclip import corpora


@pytest.mark.parametrize(
    ("corpus", "gloss", "cleaned"),
    [
        ("asl-citizen", "WOMAN1", "woman"),
        ("asl-citizen", "WOMAN12", "woman"),
        ("asl-citizen", "ICE CREAM", "ice cream"),
        ("asl-citizen", "1DOLLAR", "1dollar"),
        ("asl-citizen", "DECIDE_2", "decide_"),  # underscores are Sem-Lex's matter
        ("asl-citizen", "10", "10"),  # nothing would be left
        ("sem-lex", "ice_cream", "ice cream"),
        ("sem-lex", "ice_cream_2", "ice cream"),
        ("sem-lex", "woman_12", "woman"),
        ("sem-lex", "WOMAN", "WOMAN"),  # case is ASL Citizen's matter
        ("sem-lex", "woman2", "woman2"),
        ("sem-lex", "a_1_b", "a 1 b"),
        ("sem-lex", "_2", "_2"),
        ("asl-signs", "TV", "TV"),
        ("popsign", "callonphone", "callonphone"),
        ("folder", "WOMAN1", "WOMAN1"),
    ],
)
def test_glosses_as_the_paper_compares_them(corpus, gloss, cleaned):
    clean = corpora.loader(corpus).cleaned
    assert clean(gloss) == cleaned
    assert clean(cleaned) == cleaned  # cleaning twice changes nothing
