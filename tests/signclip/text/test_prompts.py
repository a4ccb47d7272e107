"""Labels and prompts: what is the same text, what is refused, and how prompts are split."""

import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signclip import text
from signclip.core.errors import ConfigError, LanguageTagError

# Tags


@pytest.mark.parametrize(
    "prompt",
    [
        "<en> <lis> house",
        "<en>  <lis> house",
        "<en><lis> house",
        " <en> <lis> house",
        "< en > < lis > house",
        "<en>\t<lis>",
        "<en>\N{NO-BREAK SPACE}<lis>",
        "<English> <lis> house",
        "\N{ZERO WIDTH SPACE}<en> <lis> house",
        "\N{ZERO WIDTH NO-BREAK SPACE}<en> <lis> house",
        "<en>\N{ZERO WIDTH JOINER}<lis> house",
        "<en> <l\N{SOFT HYPHEN}is> house",
        "\0<en> <lis> house",
        "<en>\x7f\x85 <\x01lis> house",
        "<en>\ue000<lis>",
        "<en>\ufffd<lis>",
    ],
)
def test_a_prompts_unknown_tag_is_refused_however_it_is_spaced(prompt):
    with pytest.raises(LanguageTagError, match=r"'lis'; did you mean ise \(Italian"):
        text.check_prompt_tag(prompt)


@pytest.mark.parametrize("template", ["{text}", "<{spoken_language}> <{sign_language}> {text}"])
def test_a_text_that_is_no_unicode_makes_no_prompt(template):
    with pytest.raises(ConfigError, match="UTF-8"):
        text.prompt(template, text="a\udcff", sign_language="ase", spoken_language="en")


@pytest.mark.parametrize(
    "prompt",
    [
        "<en> <i\N{SOFT HYPHEN}se>",
        "<en> < ise >",
        "< en > < ise > house",
        "<en><rsl-by>",
        "<en> house <lis>",
        "<lis",
    ],
)
def test_a_known_tag_and_what_is_no_tag_pass(prompt):
    text.check_prompt_tag(prompt)


# Labels


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("A", "a"),
        ("É", "e\N{COMBINING ACUTE ACCENT}"),
        (" ch ", "CH"),
        ("Σ", "σ"),
        ("Σ", "ς"),
        ("GUTEN  TAG", "GUTEN\N{NO-BREAK SPACE}TAG"),
        ("GUTEN TAG", "GUTEN\N{ZERO WIDTH SPACE} TAG"),
        ("X-RAY", "X - RAY"),
        ("X-RAY", "x -ray"),
        ("over\N{SOFT HYPHEN}head", "overhead"),
    ],
)
def test_labels_that_differ_in_case_composition_or_space_are_one(one, other):
    assert text.label(one) == text.label(other)


def test_texts_with_the_same_word_pieces_are_one_label():
    texts = [
        *("GUTEN TAG", "GUTEN  TAG", "GUTEN\N{NO-BREAK SPACE}TAG", "GUTEN \N{ZERO WIDTH SPACE}TAG"),
        *("X-RAY", "X - RAY", "over\N{SOFT HYPHEN}head", "overhead", "dog"),
    ]
    pieces = text.Tokenizer.train([*texts, "?"], vocab_size=200)
    ids, mask = pieces.encode(texts, max_tokens=32)
    tokens = {row[valid].tobytes() for row, valid in zip(ids, mask, strict=True)}
    assert len(tokens) == len({text.label(one) for one in texts}) == 4


@pytest.mark.parametrize(
    ("one", "other"), [("a", "ä"), ("i", "ı"), ("c", "č"), ("А", "A"), ("n", "ñ")]
)
def test_labels_that_differ_otherwise_are_two(one, other):
    """The fourth pair is a Cyrillic and a Latin letter that look alike."""
    assert text.label(one) != text.label(other)


@given(st.text())
@settings(max_examples=300, deadline=None, derandomize=True, database=None)
def test_a_label_is_its_own_label_and_normal(value):
    once = text.label(value)
    assert text.label(once) == once
    assert unicodedata.is_normalized("NFC", once)
    assert once == once.strip()


# Prompts


def test_a_prompt_fills_in_what_it_names():
    assert text.prompt("{TEXT}", text="ch") == "CH"
    template = "<{spoken_language}> <{sign_language}> {text}"
    assert (
        text.prompt(template, text="Water", sign_language="ase", spoken_language="en")
        == "<en> <ase> Water"
    )
    assert text.prompt("no field", text="a") == "no field"


@pytest.mark.parametrize(
    "template", ["{gloss}", "{}", "{0}", "{text", "{text.x}", "{text[x]}", "{text:d}"]
)
def test_a_bad_prompt_template_is_refused_and_the_fields_are_named(template):
    with pytest.raises(ConfigError, match="sign_language"):
        text.prompt(template, text="a")


@pytest.mark.parametrize("template", ["{text}", *text.PROMPTS.values()])
def test_a_prompt_is_not_made_for_an_unknown_sign_language(template):
    with pytest.raises(LanguageTagError, match=r"'lis'; did you mean ise \(Italian"):
        text.prompt(template, text="casa", sign_language="lis", spoken_language="it")


def test_a_templates_own_tag_is_checked_too():
    with pytest.raises(LanguageTagError, match="did you mean ise"):
        text.prompt("<it> < lis > {text}", text="casa")


def test_braces_in_a_text_are_no_fields():
    assert text.prompt("say {text}", text="{sign_language}") == "say {sign_language}"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("fingerclip", "Fingerspell the letter A in German Sign Language."),
        ("pretraining", "<en> <ase> a"),
        ("isolated", "<en> <ase> a"),
        ("isolated_v0", 'Sign the sign "a" in American Sign Language.'),
        ("identification", "<en> <ase> "),
    ],
)
def test_the_papers_prompts_are_filled_as_its_code_does(name, expected):
    fields = dict(text="a", sign_language="ase", spoken_language="en")
    assert text.prompt(text.PROMPTS[name], **fields) == expected


def test_a_prompt_is_not_filled_with_a_language_that_is_not_given():
    with pytest.raises(ConfigError, match="spoken_language"):
        text.prompt(text.PROMPTS["pretraining"], text="a", sign_language="ase")


# Parts


@pytest.mark.parametrize(
    ("prompt", "parts"),
    [
        ("<en> <ase> house", ("<en> <ase>", "<en> house")),
        ("<en> <{sign_language}> {label}", ("<en> <{sign_language}>", "<en> {label}")),
        ("<en> <ase> two words\n<and> more", ("<en> <ase>", "<en> two words <and> more")),
        ("<en> <ase> <b> c", ("<en> <ase>", "<en> <b> c")),
        ("<Swiss German> <sgg> Haus", ("<Swiss German> <sgg>", "<Swiss German> Haus")),
        *(
            (spaced, ("<en> <ase>", "<en> house"))
            for spaced in (
                "<en><ase> house",
                "<en>  <ase>   house",
                " <en>\t<ase> house",
                "< en > < ase > house",
                "<en> <ase>house",
                "<en>\u200b <ase> house",
            )
        ),
        ("<en> house", ("<en> house",)),
        ("<en> <ase> ", ("<en> <ase> ",)),
        ("house <en> <ase> x", ("house <en> <ase> x",)),
        ("", ("",)),
    ],
)
def test_a_prompts_sign_language_is_split_from_the_rest(prompt, parts):
    assert text.split_prompt(prompt) == parts


@pytest.mark.parametrize("name", [n for n in text.PROMPTS if n not in {"isolated_named"}])
def test_a_template_is_split_as_its_prompts_are(name):
    template, fields = text.PROMPTS[name], {"sign_language": "gsg", "spoken_language": "de"}
    filled = text.split_prompt(text.prompt(template, text="Haus", **fields))
    parts = text.split_prompt(template)
    assert filled == tuple(text.prompt(part, text="Haus", **fields) for part in parts)


def test_each_part_is_embedded_once_and_a_prompt_is_their_mean():
    embedded = []

    def embed(texts):
        embedded.extend(texts)
        return np.array([[len(one), 1.0] for one in texts])

    prompts = ["<en> <ase> ab", "<en> <bfi> ab", "<en> ab", "<en> <ase> ab"]
    found = text.embed_split_prompts(prompts, embed)
    assert sorted(embedded) == ["<en> <ase>", "<en> <bfi>", "<en> ab"]
    assert found.tolist() == [[8.5, 1], [8.5, 1], [7, 1], [8.5, 1]]
