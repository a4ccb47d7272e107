"""The text side before the model: language tags, labels, prompts, tokens.

Decisions
* Language tags are the ones the paper's model was trained with (``languages.csv``: the 41 of
  Spreadthesign's English part, facts from its statistics, plus ``sgg``). They are plain word pieces
  to the tokenizer, so a wrong one is silent there; here it is refused, with near matches.
* Labels are compared NFC-normalised and casefolded; prompts keep the case they are given in.
* Offline, a WordPiece vocabulary is trained on the corpus's own prompts and stored with the run; it
  is never called the paper's BERT. Cost: milliseconds for a few hundred prompts.
"""

from __future__ import annotations

import csv
import difflib
import string
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer as FastTokenizer
from tokenizers import decoders, models, normalizers, pre_tokenizers

from signclip.errors import ConfigError, LanguageTagError

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
TOKENIZER_FILE = "tokenizer.json"


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
    table = resources.files("signclip").joinpath("languages.csv").read_text(encoding="utf-8")
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


def label(text: str) -> str:
    """The form in which texts are compared: NFC, casefolded, outer white space removed."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).strip().casefold())


def prompt(template: str, *, text: str, sign_language: str = "", spoken_language: str = "") -> str:
    """Fill a prompt template, e.g. ``"<{spoken_language}> <{sign_language}> {text}"``.

    ``{TEXT}`` is the text in upper case (the paper's FingerCLIP prompts name letters so).

    Raises:
        ConfigError: the template names a field that does not exist.
    """
    fields = dict(
        text=text, TEXT=text.upper(), sign_language=sign_language, spoken_language=spoken_language
    )
    try:
        return template.format(**fields)
    except (KeyError, IndexError, ValueError, AttributeError, TypeError) as error:
        raise ConfigError(
            f"prompt template {template!r}: {error!r}; fields are {sorted(fields)}"
        ) from None


class Tokenizer:
    """Word pieces to padded id arrays. Wraps a ``tokenizers`` tokenizer file."""

    def __init__(self, fast: FastTokenizer):
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
        """Read ``tokenizer.json`` (ours, or a Hugging Face BERT tokenizer's) from a folder.

        Raises:
            ConfigError: there is no such file, it is damaged, or no BERT vocabulary.
        """
        path = Path(folder) / TOKENIZER_FILE
        if not path.is_file():
            raise ConfigError(f"{path}: no tokenizer here")
        try:
            fast = FastTokenizer.from_file(str(path))
        except Exception as error:  # the library raises nothing more precise
            raise ConfigError(f"{path}: damaged ({error})") from None
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
