"""Tags, labels, prompts and tokens."""

import csv
import json
import os
import subprocess
import sys
import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signclip import text
from signclip.core.errors import ConfigError, LanguageTagError
from signclip.text import Tokenizer

PROMPTS = [f"Fingerspell the letter {letter} in sign language." for letter in "ABCXYZ"]
UNKNOWN = text.SPECIAL_TOKENS.index("[UNK]")  # special tokens come first


# Tags


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
    [("A", "a"), ("É", "e\N{COMBINING ACUTE ACCENT}"), (" ch ", "CH"), ("Σ", "σ"), ("Σ", "ς")],
)
def test_labels_that_differ_in_case_composition_or_space_are_one(one, other):
    assert text.label(one) == text.label(other)


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


# Tokens


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.train(PROMPTS)


def test_a_sequence_is_cls_pieces_sep_and_padding_is_masked(tokenizer):
    ids, mask = tokenizer.encode(["a", PROMPTS[0]], max_tokens=64)
    assert ids.dtype == np.int64
    assert mask.dtype == bool
    pieces = ["fingerspell", "the", "letter", "a", "in", "sign", "language", "."]
    assert ids.shape == mask.shape == (2, len(pieces) + 2)
    assert ids[0, :3].tolist() == [tokenizer.cls_id, ids[0, 1], tokenizer.sep_id]
    assert ids[1, 4] == ids[0, 1]  # the letter
    assert mask.sum(axis=1).tolist() == [3, len(pieces) + 2]
    assert (ids[~mask] == tokenizer.pad_id).all()
    assert (ids[mask] != tokenizer.pad_id).all()


def test_one_text_encodes_as_it_does_among_many(tokenizer):
    many, mask = tokenizer.encode([*PROMPTS, "a much longer text than the others"], max_tokens=64)
    for i, prompt in enumerate(PROMPTS):
        alone, _ = tokenizer.encode([prompt], max_tokens=64)
        assert many[i][mask[i]].tolist() == alone[0].tolist()


def test_at_most_three_fewer_pieces_than_max_tokens_are_kept(tokenizer):
    long = "a " * 100
    for max_tokens in (3, 4, 12, 64):
        ids, mask = tokenizer.encode([long], max_tokens=max_tokens)
        assert mask.sum() == max_tokens - 3 + 2  # [CLS] and [SEP]
        assert ids[0, -1] == tokenizer.sep_id


def test_no_texts_are_no_rows(tokenizer):
    ids, mask = tokenizer.encode([], max_tokens=64)
    assert len(ids) == len(mask) == 0


def test_the_prompts_letters_are_told_apart_and_known(tokenizer):
    ids, mask = tokenizer.encode(PROMPTS, max_tokens=64)
    assert mask.all()
    assert len({tuple(row) for row in ids}) == len(PROMPTS)
    assert UNKNOWN not in ids


def test_a_letter_of_no_prompt_is_the_unknown_piece(tokenizer):
    assert UNKNOWN in tokenizer.encode(["ж"], max_tokens=64)[0]


def test_a_new_word_is_spelt_and_not_unknown(tokenizer):
    ids, _ = tokenizer.encode(["quickly jumped"], max_tokens=64)
    assert UNKNOWN not in ids
    assert len(ids[0]) > 10


def test_special_tokens_in_a_text_are_single_pieces_not_letters(tokenizer):
    ids, _ = tokenizer.encode(["[SEP]"], max_tokens=64)
    assert ids[0].tolist() == [tokenizer.cls_id, tokenizer.sep_id, tokenizer.sep_id]


def test_case_counts_only_in_a_cased_vocabulary():
    cased, uncased = (Tokenizer.train(["Ä a"], cased=cased) for cased in (True, False))
    for tokenizer, distinct in ((cased, 3), (uncased, 2)):
        ids, _ = tokenizer.encode(["a", "A", "Ä"], max_tokens=8)
        assert len({tuple(row) for row in ids}) == distinct


def test_a_vocabulary_depends_neither_on_the_order_nor_on_the_number_of_equal_prompts(tmp_path):
    prompts = ["water tea", "tea coffee", "milk"]
    for name, texts in (("one", prompts), ("other", ["milk", *prompts[::-1], "milk"])):
        (tmp_path / name).mkdir()
        Tokenizer.train(texts).save(tmp_path / name)
    one, other = ((tmp_path / name / text.TOKENIZER_FILE).read_bytes() for name in ("one", "other"))
    assert one == other


def test_a_vocabulary_does_not_depend_on_the_run():
    """The trainer of ``tokenizers`` broke ties by hash order."""
    program = (
        "import sys; from signclip.text import Tokenizer; "
        "print(Tokenizer.train(sys.argv[1:]).encode(sys.argv[1:], max_tokens=64)[0].tolist())"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", program, "zebra yak xenops wren", "vole urial tapir"],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(runs) == 1


def test_a_vocabulary_is_no_larger_than_asked_beyond_its_letters():
    words = [f"word{chr(97 + i)}{chr(97 + j)}" for i in range(20) for j in range(20)]
    small = Tokenizer.train(words, vocab_size=300)
    assert small.vocab_size == 300
    ids, _ = small.encode(words, max_tokens=64)
    assert len({tuple(row) for row in ids}) == len(words)


def test_a_saved_tokenizer_encodes_alike(tokenizer, tmp_path):
    tokenizer.save(tmp_path)
    again = Tokenizer.load(tmp_path)
    assert again.vocab_size == tokenizer.vocab_size
    for ours, theirs in zip(
        again.encode(PROMPTS, max_tokens=64), tokenizer.encode(PROMPTS, max_tokens=64), strict=True
    ):
        assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("content", [None, b"", b"{}", b"\xff\x00"])
def test_a_missing_or_damaged_tokenizer_is_refused_naming_the_file(tmp_path, content):
    if content is not None:
        (tmp_path / text.TOKENIZER_FILE).write_bytes(content)
    with pytest.raises(ConfigError, match=text.TOKENIZER_FILE):
        Tokenizer.load(tmp_path)


def test_a_tokenizer_without_berts_special_tokens_is_refused(tokenizer, tmp_path):
    tokenizer.save(tmp_path)
    data = (tmp_path / text.TOKENIZER_FILE).read_text().replace("[CLS]", "<s>")
    json.loads(data)
    (tmp_path / text.TOKENIZER_FILE).write_text(data)
    with pytest.raises(ConfigError, match="CLS"):
        Tokenizer.load(tmp_path)


def test_letters_that_differ_by_an_accent_are_different_texts():
    tokenizer = Tokenizer.train([f"letter {letter}" for letter in "AÁÄÅĄ"])
    ids, _ = tokenizer.encode([f"letter {letter}" for letter in "AÁÄÅĄ"], max_tokens=10)
    assert len({tuple(row) for row in ids}) == 5


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
def test_a_prompts_sign_language_comes_apart_from_the_rest(prompt, parts):
    assert text.split_prompt(prompt) == parts


@pytest.mark.parametrize("name", [n for n in text.PROMPTS if n not in {"isolated_named"}])
def test_a_template_comes_apart_as_its_prompts_do(name):
    template, fields = text.PROMPTS[name], {"sign_language": "gsg", "spoken_language": "de"}
    filled = text.split_prompt(text.prompt(template, text="Haus", **fields))
    parts = text.split_prompt(template)
    assert filled == tuple(text.prompt(part, text="Haus", **fields) for part in parts)


def test_each_part_is_embedded_once_and_a_prompt_is_their_mean():
    asked = []

    def embed(texts):
        asked.extend(texts)
        return np.array([[len(one), 1.0] for one in texts])

    prompts = ["<en> <ase> ab", "<en> <bfi> ab", "<en> ab", "<en> <ase> ab"]
    found = text.embed_split_prompts(prompts, embed)
    assert sorted(asked) == ["<en> <ase>", "<en> <bfi>", "<en> ab"]
    assert found.tolist() == [[8.5, 1], [8.5, 1], [7, 1], [8.5, 1]]
