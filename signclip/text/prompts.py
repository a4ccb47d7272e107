"""Labels and prompts: the texts that clips are compared with.

Decisions
* Texts that give the same word pieces are one label, however they are written; prompts keep the
  writing of their text.
* A prompt's sign-language tag is checked after BERT's own cleaning of the text, so that spacing and
  invisible characters cannot hide a wrong tag.
* A prompt can be split into its language tags and its text, and embedded as the mean of the two
  (experiments with ``split_prompt``).

Cost: microseconds a prompt.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from tokenizers import normalizers, pre_tokenizers

from signclip.core.errors import ConfigError
from signclip.text.languages import sign_language as _look_up

# Prompt templates of the paper and of the authors' code (github.com/J22Melody/fairseq,
# examples/MMPT).
PROMPTS = {
    "fingerclip": "Fingerspell the letter {TEXT} in German Sign Language.",  # E0 to E3.2
    "pretraining": "<{spoken_language}> <{sign_language}> {text}",  # E4 to E8.1, SignCLIP-Suisse
    "isolated": "<en> <ase> {text}",  # isolated ASL recognition with the pretraining's tags
    "isolated_bsl": "<en> <bfi> {text}",  # the same for BOBSL
    "isolated_named": "<American Sign Language> {text}",  # isolated ASL recognition without tags
    "isolated_v0": 'Sign the sign "{text}" in American Sign Language.',  # Kaggle asl-signs, early
    "identification": "<{spoken_language}> <{sign_language}> ",  # sign-language identification
}

# BERT's tokenizer first drops zero-width and control characters, then splits at white space and
# punctuation. So prompts that differ in these characters alone give the same word pieces.
_CLEANER = normalizers.BertNormalizer(
    clean_text=True, handle_chinese_chars=False, strip_accents=False, lowercase=False
)
_SPLITTER = pre_tokenizers.BertPreTokenizer()
_TWO_TAGS = re.compile(r"\s*<[^<>]+>\s*<([^<>]*)>")
_TAG = r"\s*<\s*([^<>]*[^<>\s])\s*>"
_TAGS_AND_TEXT = re.compile(rf"{_TAG}{_TAG}\s*(\S.*)", re.DOTALL)


@lru_cache(maxsize=1 << 16)
def label(text: str) -> str:
    """The form in which texts are compared: two texts with one form are the same text.

    NFC, casefolded, without what BERT's tokenizer drops (zero-width and control characters, soft
    hyphens), and with a blank only where it separates: ``X - RAY`` and ``X-RAY`` give the same
    word pieces, and are both ``x-ray``.
    """
    check_text(text)
    cleaned = unicodedata.normalize("NFC", _CLEANER.normalize_str(text))
    words = unicodedata.normalize("NFC", cleaned.casefold()).split()
    joined = "".join(words[:1])
    for word in words[1:]:
        alone = _stands_alone(joined[-1]) or _stands_alone(word[0])
        # a combining mark would change the character before it
        blank = "" if alone and not unicodedata.combining(word[0]) else " "
        joined += blank + word
    return joined


def _stands_alone(character: str) -> bool:
    """Is a character a word piece of its own, so that blanks around it change nothing?"""
    return len(_SPLITTER.pre_tokenize_str(f"a{character}")) > 1


def check_text(text: str) -> None:
    """Refuse a text that cannot be written as UTF-8.

    Raises:
        ConfigError: the text has a lone surrogate, which Python makes of bytes that are not UTF-8.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ConfigError(f"text {text!a}: not Unicode (it cannot be written as UTF-8)") from None


def check_prompt_tag(text: str) -> None:
    """Refuse a prompt with an unknown sign-language tag, such as ``<en> <lis> house``.

    White space around and between the tags is ignored, and so are characters that BERT drops.

    Raises:
        LanguageTagError: the prompt starts with two tags, and the second is not in the registry.
        ConfigError: see :func:`check_text`.
    """
    check_text(text)
    tagged = _TWO_TAGS.match(_CLEANER.normalize_str(text))
    if tagged:
        _look_up(tagged[1].strip())


def prompt(template: str, *, text: str, sign_language: str = "", spoken_language: str = "") -> str:
    """Fill a prompt template, e.g. ``"<{spoken_language}> <{sign_language}> {text}"``.

    ``{TEXT}`` is the text in upper case (the paper's FingerCLIP prompts write letters so);
    ``{label}`` is the text in the form in which texts are compared (:func:`label`).

    Raises:
        ConfigError: the template names an unknown field, or a language that is not given.
        LanguageTagError: the prompt's sign-language tag, given or written in the template, is not
            in the registry; the message suggests similar tags.
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


def split_prompt(prompt: str) -> tuple[str, ...]:
    """Split a prompt into its two language tags, and its text with the spoken language's tag.

    ``<en> <ase> house`` gives ``("<en> <ase>", "<en> house")``, however it is spaced. A prompt
    without two tags or without a text gives a single part, itself. Templates split like prompts.
    """
    found = _TAGS_AND_TEXT.fullmatch(_CLEANER.normalize_str(prompt))
    if found is None:
        return (prompt,)
    spoken, sign, rest = found.groups()
    return f"<{spoken}> <{sign}>", f"<{spoken}> {rest}"


def embed_split_prompts(prompts: Sequence[str], embed: Callable[[list[str]], Any]) -> Any:
    """Embed each prompt as the mean of the embeddings of its parts (:func:`split_prompt`).

    Args:
        embed: texts -> embeddings (n, d), an array or a tensor; it is called once, with each
            distinct part once.

    Returns:
        embeddings (prompts, d), of the type that ``embed`` returns.
    """
    parts = [split_prompt(text) for text in prompts]
    row_of = {text: row for row, text in enumerate(dict.fromkeys(itertools.chain(*parts)))}
    embedded = embed(list(row_of))
    first, last = ([row_of[texts[end]] for texts in parts] for end in (0, -1))
    return (embedded[first] + embedded[last]) / 2
