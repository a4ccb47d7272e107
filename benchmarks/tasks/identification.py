"""Sign language identification: which language is a clip in?

Decisions
* Plain: the clip is asked among prompts of a language without a text (``<en> <ase>``), one a sign
  language; the answer is a ranking, so its numbers are those of retrieval.
* Oracle: the clip's text is given. It is asked among the prompts of that text in the languages that
  have it (the reference's ``identification_oracle``); a text that one language alone has is no
  question, and such clips are counted apart.

Cost: milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from signclip.errors import ConfigError

TEMPLATE = "<{spoken_language}> <{sign_language}>"  # facts 1.7


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

    @property
    def chance(self) -> float:
        """R@1 of random scores."""
        return float(np.mean(1 / self.candidates))


def oracle(
    scores: np.ndarray, prompts: Sequence[tuple[str, str]], clips: Sequence[tuple[str, str]]
) -> Oracle:
    """Identify languages where the text is known.

    Args:
        scores: float (prompts, clips), higher is better; ties go to the first prompt.
        prompts: (sign language, text) of each row, all different.
        clips: (sign language, text) of each column.

    Raises:
        ConfigError: shapes do not fit, a score is not finite, a clip's own prompt is not there, or
            no text is shared by two languages.
    """
    scores = np.asarray(scores, dtype=np.float32)
    if scores.shape != (len(prompts), len(clips)):
        raise ConfigError(
            f"scores of shape {scores.shape} for {len(prompts)} prompts and {len(clips)} clips"
        )
    if not np.isfinite(scores).all():
        row, column = np.argwhere(~np.isfinite(scores))[0]
        raise ConfigError(f"scores[{row}, {column}] is {scores[row, column]}")
    rows_of: dict[str, list[int]] = {}
    for row, (_, text) in enumerate(prompts):
        rows_of.setdefault(text, []).append(row)
    asked, rank, candidates, predicted = [], [], [], []
    for position, (language, text) in enumerate(clips):
        rows = rows_of.get(text, [])
        languages = [prompts[row][0] for row in rows]
        if language not in languages:
            raise ConfigError(f"clip {position}: no prompt for {text!r} in {language!r}")
        if len(rows) < 2:
            continue
        order = np.argsort(-scores[rows, position], kind="stable")
        asked.append(position)
        rank.append(int(np.flatnonzero(order == languages.index(language))[0]) + 1)
        candidates.append(len(rows))
        predicted.append(languages[order[0]])
    if not asked:
        raise ConfigError("no text occurs in two sign languages: nothing to identify")
    return Oracle(np.array(asked), np.array(rank), np.array(candidates), predicted)


def macro_f1(own: Sequence[str], predicted: Sequence[str]) -> float:
    """Mean F1 of the languages that clips are in or were taken for (as the paper reports it)."""
    from sklearn.metrics import f1_score

    return float(f1_score(list(own), list(predicted), average="macro", zero_division=0.0))
