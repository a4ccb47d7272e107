"""Vocabularies trained on prompts: encoding, repeatability, damaged files."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from signclip import text
from signclip.core.errors import ConfigError
from signclip.text import Tokenizer

PROMPTS = [f"Fingerspell the letter {letter} in sign language." for letter in "ABCXYZ"]
UNKNOWN = text.SPECIAL_TOKENS.index("[UNK]")  # special tokens come first


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


def test_the_letters_of_prompts_have_distinct_known_pieces(tokenizer):
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


def test_a_vocabulary_has_at_most_the_given_size():
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
