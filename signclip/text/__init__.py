"""The text side before the model: language tags, labels, prompts, tokens.

Decisions
* Language tags are the ones the paper's model was trained with (``languages.csv``: the 41 of
  Spreadthesign's English part, facts from its statistics, plus ``sgg``). They are plain word pieces
  to the tokenizer, so a wrong one is silent there; here it is refused, with near matches.
* Labels are compared NFC-normalised and casefolded; prompts keep the case they are given in.
* The paper's vocabularies are read from a folder (``tokenizer.json`` or ``vocab.txt``) or a hub.
* Offline, a WordPiece vocabulary is trained on the corpus's own prompts and stored with the run; it
  is never called the paper's BERT. Cost: milliseconds for a few hundred prompts.
"""

from __future__ import annotations

import csv
import difflib
import itertools
import json
import re
import string
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TypeVar

import numpy as np
from tokenizers import Tokenizer as FastTokenizer
from tokenizers import decoders, models, normalizers, pre_tokenizers

from signclip.core.errors import ConfigError, LanguageTagError

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
TOKENIZER_FILE, VOCABULARY_FILE = "tokenizer.json", "vocab.txt"
# The paper's vocabularies by their number of word pieces (facts section 2.1).
BERT_VOCABULARIES = {28_996: "bert-base-cased", 30_522: "bert-base-uncased"}


@dataclass(frozen=True)
class SignLanguage:
    """One row of the tag registry."""

    tag: str  # what stands in a prompt and in manifests: ISO 639-3, or rsl-by / gss-cy
    iso639_3: str
    name: str
    in_pretraining: bool  # among the 41 tags of the paper's pretraining
    pretraining_clips: int  # clips of the English part of Spreadthesign (paper, data statistics)


@cache
def sign_languages() -> dict[str, SignLanguage]:
    """The registry, tag -> row, in the order of clips in pretraining."""
    table = resources.files("signclip.text").joinpath("languages.csv").read_text(encoding="utf-8")
    return {
        row["tag"]: SignLanguage(
            row["tag"],
            row["iso639_3"],
            row["name"],
            row["in_pretraining"] == "yes",
            int(row["pretraining_clips"]),
        )
        for row in csv.DictReader(table.splitlines())
    }


# What people write for a sign language whose tag is another: national abbreviations and ISO codes
# of other languages that read like them. Only used to suggest, never to translate silently.
_ALIASES = {"lis": "ise", "asl": "ase", "bsl": "bfi", "dgs": "gsg", "lsf": "fsl", "libras": "bzs"}


def sign_language(tag: str) -> SignLanguage:
    """Look up a tag.

    Raises:
        LanguageTagError: the tag is not in the registry; near matches are named.
    """
    registry = sign_languages()
    if tag in registry:
        return registry[tag]
    near = [_ALIASES[tag.casefold()]] if tag.casefold() in _ALIASES else []
    near += [
        row.tag
        for row in registry.values()
        if len(tag) > 3 and tag.casefold() in row.name.casefold()
    ]
    near += difflib.get_close_matches(tag.casefold(), registry, n=3, cutoff=0.5)
    near = list(dict.fromkeys(near))[:4]
    hint = (
        "; did you mean " + " or ".join(f"{t} ({registry[t].name})" for t in near) if near else ""
    )
    raise LanguageTagError(f"unknown sign-language tag {tag!r}{hint}")


_look_up = sign_language  # where an argument bears the function's name

Array = TypeVar("Array")  # of numbers: numpy's, or a tensor

# BERT splits at white space and punctuation: however they are spaced, these are the same pieces
_TAGGED = re.compile(r"\s*<[^<>]+>\s*<([^<>]*)>")
# and it drops zero-width and control characters first: with them too they are the same pieces
_CLEANER = normalizers.BertNormalizer(
    clean_text=True, handle_chinese_chars=False, strip_accents=False, lowercase=False
)


def check_text(text: str) -> None:
    """Refuse a text that no tokenizer and no file can take.

    Raises:
        ConfigError: it has a lone surrogate, such as Python makes of bytes that are not UTF-8.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ConfigError(f"text {text!a}: not Unicode (it cannot be written as UTF-8)") from None


def check_prompt_tag(text: str) -> None:
    """Refuse a prompt like ``<en> <lis> house`` whose sign-language tag nobody trained with.

    White space around and between the tags does not count, nor do characters that BERT drops.

    Raises:
        LanguageTagError: it has the form ``<spoken> <sign> ...`` with a tag not in the registry.
        ConfigError: :func:`check_text` refuses it.
    """
    check_text(text)
    tagged = _TAGGED.match(_CLEANER.normalize_str(text))
    if tagged:
        sign_language(tagged[1].strip())


def label(text: str) -> str:
    """The form in which texts are compared: NFC, casefolded, outer white space removed."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).strip().casefold())


# Templates by the name of what the paper and its code prompt so (facts 2, 1.7).
PROMPTS = {
    "fingerclip": "Fingerspell the letter {TEXT} in German Sign Language.",  # E0 to E3.2
    "pretraining": "<{spoken_language}> <{sign_language}> {text}",  # E4 to E8.1, SignCLIP-Suisse
    "isolated": "<en> <ase> {text}",  # isolated recognition of ASL with the pretraining's tags
    "isolated_bsl": "<en> <bfi> {text}",  # the same for BOBSL
    "isolated_named": "<American Sign Language> {text}",  # the same without them
    "isolated_v0": 'Sign the sign "{text}" in American Sign Language.',  # Kaggle asl-signs, early
    "identification": "<{spoken_language}> <{sign_language}> ",  # of the sign language: no text
}


_TAG = r"\s*<\s*([^<>]*[^<>\s])\s*>"
_PARTS = re.compile(rf"{_TAG}{_TAG}\s*(\S.*)", re.DOTALL)


def apart(prompt: str) -> tuple[str, ...]:
    """A prompt's two tags, and the prompt without the second, that of the sign language.

    ``<en> <ase> house`` is ``<en> <ase>`` and ``<en> house``, however it is spaced. A prompt
    without two tags or without a text stays as it is; templates come apart as prompts do.
    """
    found = _PARTS.fullmatch(_CLEANER.normalize_str(prompt))
    if found is None:
        return (prompt,)
    spoken, sign, rest = found.groups()
    return f"<{spoken}> <{sign}>", f"<{spoken}> {rest}"


def averaged(prompts: Sequence[str], embed: Callable[[list[str]], Array]) -> Array:
    """Embeddings of prompts as the means of those of their parts (:func:`apart`), (n, d).

    Args:
        embed: texts -> their embeddings, an array or a tensor (n, d); each part is embedded once.
    """
    parts = [apart(text) for text in prompts]
    row_of = {text: row for row, text in enumerate(dict.fromkeys(itertools.chain(*parts)))}
    embedded = embed(list(row_of))
    first, last = ([row_of[texts[end]] for texts in parts] for end in (0, -1))
    return (embedded[first] + embedded[last]) / 2


def prompt(template: str, *, text: str, sign_language: str = "", spoken_language: str = "") -> str:
    """Fill a prompt template, e.g. ``"<{spoken_language}> <{sign_language}> {text}"``.

    ``{TEXT}`` is the text in upper case (the paper's FingerCLIP prompts name letters so),
    ``{label}`` the text as clips are compared by it (:func:`label`).

    Raises:
        ConfigError: the template names a field that does not exist, or a language not given.
        LanguageTagError: the prompt's sign-language tag is not in the registry, be it given or
            written in the template; near matches are named.
    """
    if sign_language:
        _look_up(sign_language)
    fields = {"text": text, "TEXT": text.upper(), "label": label(text)}
    languages = {"sign_language": sign_language, "spoken_language": spoken_language}
    fields |= {name: tag for name, tag in languages.items() if tag}
    try:
        filled = template.format(**fields)
    except (KeyError, IndexError, ValueError, AttributeError, TypeError) as error:
        raise ConfigError(
            f"prompt template {template!r}: {error!r}; fields are {sorted({*fields, *languages})}, "
            "and a language that it names must be given"
        ) from None
    check_prompt_tag(filled)
    return filled


def _is_cased(folder: Path, vocab: Iterable[str]) -> bool:
    try:
        told = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
        return not told["do_lower_case"]
    except (OSError, ValueError, KeyError, TypeError):
        return any(piece != piece.lower() for piece in set(vocab) - set(SPECIAL_TOKENS))


class Tokenizer:
    """Word pieces to padded id arrays. Wraps a ``tokenizers`` tokenizer file."""

    def __init__(self, fast: FastTokenizer):
        # a file may ask for both; `encode` does them itself
        fast.no_truncation()
        fast.no_padding()
        self._fast = fast
        self.vocab_size: int = fast.get_vocab_size()
        self.pad_id, self.cls_id, self.sep_id = (
            fast.token_to_id(token) for token in ("[PAD]", "[CLS]", "[SEP]")
        )
        if None in (self.pad_id, self.cls_id, self.sep_id):
            raise ConfigError("the tokenizer has no [PAD], [CLS] or [SEP]: not a BERT vocabulary")

    @classmethod
    def train(
        cls, texts: Iterable[str], *, vocab_size: int = 2000, cased: bool = False
    ) -> Tokenizer:
        """Make a WordPiece vocabulary from ``texts`` (their order does not matter).

        Whole words by frequency, and every character as a start and as a continuation, so that a
        new word is spelt and not unknown. The ``tokenizers`` trainer is not used: it breaks ties by
        hash order, and two runs of it on equal prompts gave two vocabularies. Accents count also
        without ``cased``, unlike in BERT's uncased models.
        """
        # without them 176 labels of the embedded corpus would be 135 texts
        normalizer = normalizers.BertNormalizer(lowercase=not cased, strip_accents=False)
        splitter = pre_tokenizers.BertPreTokenizer()
        words = Counter(
            word
            for text in sorted(set(texts))
            for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(text))
        )
        alphabet = sorted(set("".join(words)) | set(string.printable.strip()))
        pieces = list(SPECIAL_TOKENS) + alphabet + [f"##{letter}" for letter in alphabet]
        by_count = sorted(words, key=lambda word: (-words[word], word))
        pieces += [word for word in by_count if len(word) > 1][: max(0, vocab_size - len(pieces))]
        vocab = {piece: i for i, piece in enumerate(pieces)}
        fast = FastTokenizer(models.WordPiece(vocab, unk_token="[UNK]"))
        fast.normalizer, fast.pre_tokenizer = normalizer, splitter
        fast.decoder = decoders.WordPiece()
        fast.add_special_tokens(list(SPECIAL_TOKENS))
        return cls(fast)

    @classmethod
    def load(cls, folder: Path | str) -> Tokenizer:
        """Read a folder's ``tokenizer.json`` (ours, or a Hugging Face BERT's) or ``vocab.txt``.

        Raises:
            ConfigError: there is neither, or it is damaged or no BERT vocabulary.
        """
        path = Path(folder) / TOKENIZER_FILE
        if not path.is_file() and (Path(folder) / VOCABULARY_FILE).is_file():
            return cls.from_vocabulary(folder)
        if not path.is_file():
            raise ConfigError(f"{path}: no tokenizer here")
        try:
            fast = FastTokenizer.from_file(str(path))
        except Exception as error:  # the library raises nothing more precise
            raise ConfigError(f"{path}: damaged ({error})") from None
        return cls(fast)

    @classmethod
    def from_vocabulary(cls, folder: Path | str, *, cased: bool | None = None) -> Tokenizer:
        """A BERT tokenizer from a folder's ``vocab.txt``, one word piece a line.

        Args:
            cased: keep upper case and accents? Default: what ``tokenizer_config.json`` beside it
                says, else whether any word piece has an upper-case letter.

        Raises:
            ConfigError: the file is not there or is no BERT vocabulary.
        """
        path = Path(folder) / VOCABULARY_FILE
        try:
            # not splitlines(): BERT's word pieces contain Unicode's other line separators
            pieces = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: cannot be read ({error})") from None
        vocab = {piece.removesuffix("\r"): i for i, piece in enumerate(pieces)}
        missing = [token for token in SPECIAL_TOKENS if token not in vocab]
        if missing or len(vocab) != len(pieces):
            what = f"no {', '.join(missing)}" if missing else "a word piece stands twice"
            raise ConfigError(f"{path}: not a BERT vocabulary ({what})")
        if cased is None:
            cased = _is_cased(Path(folder), vocab)
        fast = FastTokenizer(models.WordPiece(vocab, unk_token="[UNK]"))
        fast.normalizer = normalizers.BertNormalizer(lowercase=not cased)
        fast.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        fast.decoder = decoders.WordPiece()
        fast.add_special_tokens(list(SPECIAL_TOKENS))
        return cls(fast)

    @classmethod
    def from_pretrained(cls, source: Path | str) -> Tokenizer:
        """A tokenizer by folder, or by its name on the Hugging Face hub (``bert-base-cased``).

        The local cache is asked first. Cost: a download of some hundred KB, once.

        Raises:
            ConfigError: neither the folder nor the hub has it, or the hub is out of reach.
        """
        if Path(source).is_dir():
            return cls.load(source)
        from huggingface_hub import get_hf_file_metadata, hf_hub_url
        from transformers import AutoTokenizer

        name = str(source)
        try:
            try:
                found = AutoTokenizer.from_pretrained(name, local_files_only=True)
            except OSError:
                # one look without retries: transformers takes 48 s to notice a missing network
                get_hf_file_metadata(hf_hub_url(name, "config.json"), timeout=10)
                found = AutoTokenizer.from_pretrained(name)
            fast = FastTokenizer.from_str(found.backend_tokenizer.to_str())
        except Exception as error:  # hub and transformers have a type for each failure
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ConfigError(
                f"tokenizer {name!r}: no folder of that name, and not to be had from the hub "
                f"({reason}); give a folder with {TOKENIZER_FILE} or {VOCABULARY_FILE}"
            ) from None
        return cls(fast)

    def save(self, folder: Path | str) -> None:
        """Write ``tokenizer.json`` into a folder."""
        self._fast.save(str(Path(folder) / TOKENIZER_FILE))

    def encode(self, texts: Sequence[str], *, max_tokens: int) -> tuple[np.ndarray, np.ndarray]:
        """``[CLS] pieces [SEP]``, padded to the longest of ``texts``.

        Args:
            max_tokens: the paper's ``max_len``. Its sequence carries one more [SEP] after [CLS], so
                at most ``max_tokens - 3`` pieces are kept (reference: ``Aligner``).

        Returns:
            token ids, int64 (n, longest); mask, bool (n, longest), True = valid.
        """
        kept = [
            self._fast.encode(text, add_special_tokens=False).ids[: max_tokens - 3]
            for text in texts
        ]
        width = max((len(ids) for ids in kept), default=0) + 2
        token_ids = np.full((len(kept), width), self.pad_id, dtype=np.int64)
        mask = np.zeros((len(kept), width), dtype=bool)
        for row, ids in enumerate(kept):
            sequence = [self.cls_id, *ids, self.sep_id]
            token_ids[row, : len(sequence)] = sequence
            mask[row, : len(sequence)] = True
        return token_ids, mask
