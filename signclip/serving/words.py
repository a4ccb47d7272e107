"""The texts of an index as words: which of them are nearest to a clip?

Decisions
* A word is a text with its sign language, scored as the model's prompt of both. Texts that give the
  same prompt (a model whose prompt names no sign language) are one word.
* Prompts without a sign language are left out where others have one: some models embed the two
  kinds differently (:mod:`signclip.inference`), and their scores cannot be compared.
* Words are embedded once, when the server starts; of more than the limit the most frequent.

Cost: 1 ms a word for small towers on a CPU.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from signclip.core.errors import ConfigError
from signclip.search.index import Index, scale
from signclip.search.queries import prompts

if TYPE_CHECKING:
    from signclip.inference import SignCLIPModel


class Word(NamedTuple):
    """A text of the index; ``sign_language`` is empty where the index does not say it."""

    text: str
    sign_language: str


class Words:
    """The words of an index with their embeddings.

    Attributes:
        words: in the order of their rows.
        left_out: words over the limit.
    """

    def __init__(self, index: Index, model: SignCLIPModel, most: int):
        counts = Counter(
            Word(text, language) for text, language in index.texts() if text and not text.isspace()
        )
        tagged = any(word.sign_language for word in counts)
        found: dict[str, Word] = {}  # prompt -> word
        for word, _ in counts.most_common():
            if word.sign_language or not tagged:
                try:
                    (prompt,) = prompts(model, [word.text], sign_language=word.sign_language)
                except ConfigError:  # the model needs a sign language, and the index says none
                    continue
                found.setdefault(prompt, word)
        chosen = dict(list(found.items())[:most])
        self.left_out = len(found) - len(chosen)
        self.words = list(chosen.values())
        self._rows = _embed(model, list(chosen)) * np.float32(scale(model))
        self._languages = np.array([word.sign_language for word in self.words], dtype=object)

    def best(self, clip: np.ndarray, k: int, sign_language: str) -> list[tuple[Word, float]]:
        """The ``k`` best words for a clip's embedding (d,), best first; equal scores by row."""
        rows = np.arange(len(self.words))
        if sign_language:
            rows = rows[self._languages == sign_language]
        scores = self._rows[rows] @ clip
        order = np.argsort(-scores, kind="stable")[:k]
        return [(self.words[rows[i]], float(scores[i])) for i in order]


def _embed(model: SignCLIPModel, texts: list[str]) -> np.ndarray:
    try:
        return model.embed_text(texts)
    except ConfigError:  # two of them are the same to the model; each alone has an embedding
        return np.concatenate([model.embed_text([text]) for text in texts])
