"""Sign language identification: which language is a clip in?

Decisions
* Plain: the clip is asked among prompts of a language without a text (``<en> <ase>``), one a sign
  language; the answer is a ranking, so its numbers are those of retrieval.
* Oracle: the clip's text is given. It is asked among the prompts of that text in the languages that
  have it (the reference's ``identification_oracle``, whose prompts are those of the test clips); a
  text that one language alone has is no question, and such clips are counted apart.

Cost: milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from benchmarks.results import Score
from signclip.core.errors import ConfigError

RESAMPLES = 2_000  # of F1's interval and of its chance


class Oracle(NamedTuple):
    """Clips that were asked, by position in what was given.

    Attributes:
        asked: int64 (asked,), positions; the others' texts occur in one language alone.
        rank: int64 (asked,), 1-based, of the clip's own language among the candidates.
        candidates: int64 (asked,), languages that have the clip's text, at least 2.
        predicted: the languages that scored highest.
    """

    asked: np.ndarray
    rank: np.ndarray
    candidates: np.ndarray
    predicted: list[str]


def oracle(
    texts: np.ndarray,
    prompts: Sequence[tuple[str, str]],
    embeddings: np.ndarray,
    clips: Sequence[tuple[str, str]],
) -> Oracle:
    """Identify languages where the text is known, by dot product.

    Args:
        texts: float (prompts, d), embeddings.
        prompts: (sign language, text) of each; of equal ones the better counts, ties go to the
            first.
        embeddings: float (clips, d).
        clips: (sign language, text) of each.

    Raises:
        ConfigError: shapes do not fit, an embedding is not finite, or a clip's own prompt is not
            there.
    """
    texts, embeddings = (np.asarray(of, dtype=np.float32) for of in (texts, embeddings))
    for name, values, rows in (("prompt", texts, prompts), ("clip", embeddings, clips)):
        if values.ndim != 2 or len(values) != len(rows):
            raise ConfigError(f"embeddings of shape {values.shape} for {len(rows)} {name}s")
        odd = np.flatnonzero(~np.isfinite(values).all(axis=1))
        if len(odd):
            raise ConfigError(f"{name} {odd[0]}: an embedding is not finite")
    rows_of: dict[str, dict[str, list[int]]] = {}
    for row, (language, text) in enumerate(prompts):
        rows_of.setdefault(text, {}).setdefault(language, []).append(row)
    asked, rank, candidates, predicted = [], [], [], []
    for position, (language, text) in enumerate(clips):
        rows = rows_of.get(text, {})
        languages = list(rows)
        if language not in rows:
            raise ConfigError(f"clip {position}: no prompt for {text!r} in {language!r}")
        if len(rows) < 2:
            continue
        # one by one: a matrix product's last bits depend on how many rows it has
        best = np.array(
            [max((texts[row] * embeddings[position]).sum() for row in of) for of in rows.values()]
        )
        if not np.isfinite(best).all():
            raise ConfigError(f"clip {position}: a score is not finite in float32")
        order = np.argsort(-best, kind="stable")
        asked.append(position)
        rank.append(int(np.flatnonzero(order == languages.index(language))[0]) + 1)
        candidates.append(len(rows))
        predicted.append(languages[order[0]])
    return Oracle(
        np.array(asked, np.int64),
        np.array(rank, np.int64),
        np.array(candidates, np.int64),
        predicted,
    )


def macro_f1(own: np.ndarray, predicted: np.ndarray) -> float:
    """Mean F1 of the languages that clips are in or were taken for (as the paper reports it).

    Args:
        own, predicted: int (clips,), numbers of languages.
    """
    languages = 1 + max(int(own.max()), int(predicted.max()))
    right = np.bincount(own[own == predicted], minlength=languages)
    there = np.bincount(own, minlength=languages) + np.bincount(predicted, minlength=languages)
    return float(np.mean(2 * right[there > 0] / there[there > 0]))


def f1(own: np.ndarray, predicted: np.ndarray, languages: int, *, seed: int = 0) -> Score:
    """:func:`macro_f1` with its bootstrap interval over clips, and that of random answers.

    Args:
        own: int (clips,).
        predicted: int (seeds, clips); the mean over seeds is what is measured.
        languages: that a clip may be taken for.
    """

    def mean(clips: np.ndarray) -> float:
        return float(np.mean([macro_f1(own[clips], one[clips]) for one in predicted]))

    rng = np.random.default_rng(seed)
    clips = np.arange(len(own))
    drawn = [mean(rng.integers(0, len(own), len(own))) for _ in range(RESAMPLES)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    guessed = [macro_f1(own, rng.integers(0, languages, len(own))) for _ in range(RESAMPLES)]
    return Score(
        value=mean(clips), low=float(low), high=float(high), chance=float(np.mean(guessed))
    )
