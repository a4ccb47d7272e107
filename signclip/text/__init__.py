"""The text side before the model: language tags, labels, prompts and tokens.

Decision: what other packages need is imported from here; the modules are :mod:`.languages` (tag
registry), :mod:`.prompts` (labels and prompts) and :mod:`.tokenizer`. Cost: see there.
"""

from __future__ import annotations

from signclip.text.languages import SignLanguage, sign_language, sign_languages
from signclip.text.prompts import (
    PROMPTS,
    check_prompt_tag,
    check_text,
    embed_split_prompts,
    label,
    prompt,
    split_prompt,
)
from signclip.text.tokenizer import (
    BERT_VOCABULARIES,
    SPECIAL_TOKENS,
    TOKENIZER_FILE,
    VOCABULARY_FILE,
    Tokenizer,
    same_tokens,
)

__all__ = [
    "BERT_VOCABULARIES",
    "PROMPTS",
    "SPECIAL_TOKENS",
    "TOKENIZER_FILE",
    "VOCABULARY_FILE",
    "SignLanguage",
    "Tokenizer",
    "check_prompt_tag",
    "check_text",
    "embed_split_prompts",
    "label",
    "prompt",
    "same_tokens",
    "sign_language",
    "sign_languages",
    "split_prompt",
]
