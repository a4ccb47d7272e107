"""Word-piece tokenizers: BERT's vocabularies, or one trained on a corpus's own prompts.

Decisions
* The paper's vocabularies are read from a folder (``tokenizer.json`` or ``vocab.txt``) or from the
  Hugging Face hub.
* Without a network, a WordPiece vocabulary is trained on the corpus's prompts and stored with the
  run. It is never presented as the paper's BERT vocabulary.

Cost: training takes milliseconds for a few hundred prompts.
"""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer as FastTokenizer
from tokenizers import decoders, models, normalizers, pre_tokenizers

from signclip.core import files
from signclip.core.errors import ConfigError

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
TOKENIZER_FILE, VOCABULARY_FILE = "tokenizer.json", "vocab.txt"
# Number of word pieces -> name, for the vocabularies that the paper uses.
BERT_VOCABULARIES = {28_996: "bert-base-cased", 30_522: "bert-base-uncased"}


def same_tokens(a: str, b: str) -> str:
    """The message for two texts that a vocabulary does not distinguish."""
    return (
        f"{a!r} and {b!r} have the same tokens in the model's vocabulary; write them in a script "
        "that it has, or take another model"
    )


def _is_cased(folder: Path, vocab: Iterable[str]) -> bool:
    """Does a folder's vocabulary keep upper case: its configuration's word, else its pieces'."""
    try:
        config = files.read_json(folder / "tokenizer_config.json")
        return not config["do_lower_case"]
    except (OSError, ValueError, KeyError, TypeError):
        return any(piece != piece.lower() for piece in set(vocab) - set(SPECIAL_TOKENS))


class Tokenizer:
    """Turns texts into padded arrays of token ids; wraps a tokenizer of ``tokenizers``."""

    def __init__(self, fast: FastTokenizer):
        # tokenizer.json may switch these on; `encode` does both itself
        fast.no_truncation()
        fast.no_padding()
        self._fast = fast
        self.vocab_size: int = fast.get_vocab_size()
        self.unknown_id = fast.token_to_id("[UNK]")
        self.pad_id, self.cls_id, self.sep_id = (
            fast.token_to_id(token) for token in ("[PAD]", "[CLS]", "[SEP]")
        )
        if None in (self.pad_id, self.cls_id, self.sep_id):
            raise ConfigError("the tokenizer has no [PAD], [CLS] or [SEP]: not a BERT vocabulary")

    @classmethod
    def train(
        cls, texts: Iterable[str], *, vocab_size: int = 2000, cased: bool = False
    ) -> Tokenizer:
        """Train a WordPiece vocabulary on ``texts`` (their order does not matter).

        The pieces are the most frequent whole words, and every character both as the start and as
        the continuation of a word, so that new words are spelt out. The trainer of ``tokenizers``
        is not used: it breaks ties by hash order, so that two runs on the same prompts gave
        different vocabularies. Unlike in BERT's uncased models, accents are kept even without
        ``cased``.
        """
        # without accents the 176 labels of the embedded corpus would be only 135 different texts
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
        """Read ``tokenizer.json`` (ours, or a BERT's of Hugging Face) or ``vocab.txt`` of a folder.

        Raises:
            ConfigError: neither file exists, or it is damaged or not a BERT vocabulary.
        """
        path = Path(folder) / TOKENIZER_FILE
        if not path.is_file() and (Path(folder) / VOCABULARY_FILE).is_file():
            return cls.from_vocabulary(folder)
        if not path.is_file():
            raise ConfigError(f"{path}: no tokenizer here")
        try:
            fast = FastTokenizer.from_file(str(path))
        except Exception as error:  # the library has no narrower type
            raise ConfigError(f"{path}: damaged ({error})") from None
        return cls(fast)

    @classmethod
    def from_vocabulary(cls, folder: Path | str, *, cased: bool | None = None) -> Tokenizer:
        """Build a BERT tokenizer from a folder's ``vocab.txt``, one word piece a line.

        Args:
            cased: keep upper case and accents? Default: as ``tokenizer_config.json`` in the same
                folder says, else whether any word piece has an upper-case letter.

        Raises:
            ConfigError: the file is missing or not a BERT vocabulary.
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
        """Load a tokenizer from a folder, or by its Hugging Face name (``bert-base-cased``).

        The hub's local cache is tried first. Cost: one download of a few hundred KB.

        Raises:
            ConfigError: neither a folder nor the hub has it, or the hub cannot be reached.
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
                # one request without retries: transformers takes 48 s to notice a missing network
                get_hf_file_metadata(hf_hub_url(name, "config.json"), timeout=10)
                found = AutoTokenizer.from_pretrained(name)
            fast = FastTokenizer.from_str(found.backend_tokenizer.to_str())
        except Exception as error:  # hub and transformers raise many unrelated types
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ConfigError(
                f"tokenizer {name!r}: no such folder, and the Hugging Face hub did not provide it "
                f"({reason}); give a folder with {TOKENIZER_FILE} or {VOCABULARY_FILE}"
            ) from None
        return cls(fast)

    def save(self, folder: Path | str) -> None:
        """Write ``tokenizer.json`` into a folder."""
        self._fast.save(str(Path(folder) / TOKENIZER_FILE))

    def encode(self, texts: Sequence[str], *, max_tokens: int) -> tuple[np.ndarray, np.ndarray]:
        """Encode texts as ``[CLS] pieces [SEP]``, padded to the longest of them.

        Args:
            max_tokens: ``max_len`` of the authors' code, whose sequence has one more [SEP] after
                [CLS]; so at most ``max_tokens - 3`` word pieces of a text are kept.

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
