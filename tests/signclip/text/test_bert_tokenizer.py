"""Vocabularies from folders and from a hub give what BERT's own tokenizer gives."""

import json
import time

import pytest
import transformers
from transformers import BertTokenizerFast

from signclip.core.errors import ConfigError
from signclip.text import SPECIAL_TOKENS, Tokenizer

PIECES = [
    *SPECIAL_TOKENS,
    *(
        "<",
        ">",
        "house",
        "House",
        "##s",
        "é",
        "e",
        "en",
        "ase",
        "a",
        "##b",
        "\u2028",
        "日",
        "'",
        "how",
    ),
]
TEXTS = [
    "<en> <ase> house",
    "Houses  HOUSE\thouse\n",
    "é É e\u0301 ab abb xyz",
    "日本 how's \u2028 [SEP] [CLS]",
    "",
    "house " * 40,
]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "vocab.txt").write_text("\n".join(PIECES) + "\n", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("cased", [True, False])
def test_a_vocabulary_file_gives_berts_own_pieces(folder, cased):
    theirs = BertTokenizerFast(str(folder / "vocab.txt"), do_lower_case=not cased)
    ids, mask = Tokenizer.from_vocabulary(folder, cased=cased).encode(TEXTS, max_tokens=64)
    expected = [theirs(text, max_length=63, truncation=True)["input_ids"] for text in TEXTS]
    assert [row[valid].tolist() for row, valid in zip(ids, mask, strict=True)] == expected


def test_case_is_told_by_the_folder_or_by_the_pieces(folder):
    def pieces(text: str) -> list[int]:
        return Tokenizer.load(folder).encode([text], max_tokens=64)[0][0].tolist()

    assert pieces("House") != pieces("house")  # 'House' is in the vocabulary
    (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": True}))
    assert pieces("House") == pieces("house")
    (folder / "tokenizer_config.json").unlink()
    lower = [piece for piece in PIECES if piece != "House"]
    (folder / "vocab.txt").write_text("\n".join(lower), encoding="utf-8")
    assert pieces("HOUSE") == pieces("house")


def test_a_saved_vocabulary_is_the_same_tokenizer(folder, tmp_path):
    first = Tokenizer.load(folder)
    first.save(tmp_path)  # tokenizer.json, which is read before vocab.txt
    second = Tokenizer.load(tmp_path)
    for a, b in zip(*(t.encode(TEXTS, max_tokens=64) for t in (first, second)), strict=True):
        assert a.tolist() == b.tolist()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"a\nb\n", r"no \[PAD\], \[UNK\]"),
        (("\n".join([*PIECES, "house"])).encode(), "stands twice"),
        (b"\xff\xfe\x00", "cannot be read"),
        (b"", r"no \[PAD\]"),
    ],
)
def test_a_damaged_vocabulary_is_refused(folder, content, reason):
    (folder / "vocab.txt").write_bytes(content)
    with pytest.raises(ConfigError, match=rf"vocab\.txt: .*{reason}"):
        Tokenizer.load(folder)


def test_a_damaged_tokenizer_file_is_refused(tmp_path):
    (tmp_path / "tokenizer.json").write_text('{"version": "1.0"')
    with pytest.raises(ConfigError, match=r"tokenizer\.json: damaged"):
        Tokenizer.from_pretrained(tmp_path)
    with pytest.raises(ConfigError, match="no tokenizer here"):
        Tokenizer.from_pretrained(tmp_path.parent)


def test_a_hubs_tokenizer_is_taken_by_name(folder, monkeypatch):
    """As if it were in the hub's cache."""
    bert = BertTokenizerFast(str(folder / "vocab.txt"), do_lower_case=False)
    bert.save_pretrained(folder / "saved")
    found = transformers.AutoTokenizer.from_pretrained(folder / "saved")
    found("set truncation", truncation=True, max_length=4, padding="max_length")
    monkeypatch.setattr(
        transformers.AutoTokenizer, "from_pretrained", lambda name, **options: found
    )
    ours = Tokenizer.from_pretrained("bert-base-cased").encode(TEXTS, max_tokens=64)
    expected = Tokenizer.from_vocabulary(folder).encode(TEXTS, max_tokens=64)
    assert ours[0].tolist() == expected[0].tolist()


def test_without_a_network_the_hub_is_given_up_at_once(monkeypatch):
    def no_network(*_, **__):
        raise ConnectionError("Name or service not known")

    monkeypatch.setattr("huggingface_hub.get_hf_file_metadata", no_network)
    start = time.perf_counter()
    with pytest.raises(ConfigError, match=r"'no-such/bert'.*hub.*not known.*give a folder with"):
        Tokenizer.from_pretrained("no-such/bert")
    assert time.perf_counter() - start < 20
