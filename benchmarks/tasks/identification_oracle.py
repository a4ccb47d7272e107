"""Sign-language identification where the clip's text is given.

Decisions
* A clip's candidates are the prompts of its text in the languages that have it. Clips whose text
  occurs in one language only have no query and are counted as dropped.
* On ``official``, the split of the paper's corpora, the prompts are those of the test clips, as in
  the authors' code (``identification_oracle``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from benchmarks.evaluation import galleries
from benchmarks.evaluation.ranks import CandidateRanks
from benchmarks.metrics import TiedRanks
from benchmarks.tasks import Task, _conditions, _languages
from signclip.core.errors import ConfigError

if TYPE_CHECKING:
    from benchmarks.evaluation.context import FoldContext


def run(fold: FoldContext) -> CandidateRanks:
    """Rank the sign languages of each test clip's text."""
    _languages.tag_template(fold)
    context, test, embedding_fold = fold.context, fold.fold.test, fold.embedding_fold
    others = [] if context.split == galleries.OFFICIAL else fold.fold.train
    clips = context.clips.loc[sorted({*others, *test})]
    gallery = galleries.prompts(clips, embedding_fold.prompts.full)
    found = oracle(
        embedding_fold.embed_text(gallery.names),
        [(entry.sign_language, entry.label) for entry in gallery.entries],
        fold.embeddings(test),
        list(zip(context.languages(test), context.labels(test), strict=True)),
    )
    return CandidateRanks(
        [test[position] for position in found.positions],
        found.rank.split([1] * len(found.rank)),
        list(found.candidates[:, None]),
        found.predicted,
    )


class Oracle(NamedTuple):
    """Clips whose text occurs in several languages.

    Attributes:
        positions: int64 (queries,), of the clips among those given.
        rank: of the clip's language among the candidates.
        candidates: int64 (queries,), number of languages that have the clip's text, at least 2.
        predicted: the language with the highest score of each; of tied ones the first.
    """

    positions: np.ndarray
    rank: TiedRanks
    candidates: np.ndarray
    predicted: list[str]


def oracle(
    texts: np.ndarray,
    prompts: Sequence[tuple[str, str]],
    embeddings: np.ndarray,
    clips: Sequence[tuple[str, str]],
) -> Oracle:
    """Identify sign languages given the text, by dot product.

    Args:
        texts: float (prompts, d), embeddings.
        prompts: (sign language, text) of each; of equal pairs the higher score counts.
        embeddings: float (clips, d).
        clips: (sign language, text) of each.

    Raises:
        ConfigError: shapes do not fit, an embedding is not finite, or a clip's own prompt is
            missing.
    """
    texts, embeddings = (np.asarray(values, dtype=np.float32) for values in (texts, embeddings))
    for name, values, pairs in (("prompt", texts, prompts), ("clip", embeddings, clips)):
        if values.ndim != 2 or len(values) != len(pairs):
            raise ConfigError(f"embeddings of shape {values.shape} for {len(pairs)} {name}s")
        odd = np.flatnonzero(~np.isfinite(values).all(axis=1))
        if len(odd):
            raise ConfigError(f"{name} {odd[0]}: an embedding is not finite")
    rows_of: dict[str, dict[str, list[int]]] = {}
    for row, (language, text) in enumerate(prompts):
        rows_of.setdefault(text, {}).setdefault(language, []).append(row)
    positions, low, high, candidates, predicted = [], [], [], [], []
    for position, (language, text) in enumerate(clips):
        of_language = rows_of.get(text, {})
        languages = list(of_language)
        if language not in of_language:
            raise ConfigError(f"clip {position}: no prompt for {text!r} in {language!r}")
        if len(languages) < 2:
            continue
        # one by one: the last bits of a matrix product depend on its number of rows
        best = np.array(
            [
                max((texts[row] * embeddings[position]).sum() for row in rows)
                for rows in of_language.values()
            ]
        )
        if not np.isfinite(best).all():
            raise ConfigError(f"clip {position}: a score is not finite in float32")
        own = best[languages.index(language)]
        positions.append(position)
        low.append(1 + int((best > own).sum()))
        high.append(int((best >= own).sum()))
        candidates.append(len(languages))
        predicted.append(languages[int(best.argmax())])
    return Oracle(
        np.array(positions, np.int64),
        TiedRanks(*(np.array(of, np.int64) for of in (low, high, [1] * len(low)))),
        np.array(candidates, np.int64),
        predicted,
    )


skip = _conditions.first_of(_conditions.no_texts, _conditions.no_language_tags)

TASKS = (
    Task(
        "identification_oracle",
        "sign language, label given",
        "language",
        run,
        skip,
        order=2,
        dropped="its label occurs in one sign language only",
    ),
)
