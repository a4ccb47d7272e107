"""Metrics of an embedding space: the spread of concepts over sign languages, and analogies.

Decisions
* Iconicity is the paper's: the embeddings of one concept in many languages, their standard
  deviation in each dimension, summed; a smaller spread means more similar signs
  (``test_iconicity.py`` of the authors' code; its grouping by the last word of a prompt is a defect
  and not copied). Spreads over different numbers of languages are not comparable, so the number can
  be fixed.
* An analogy a - b + c = d is right if d is the nearest of all candidates except a, b and c (as for
  words: king - man + woman = queen). By cosine, since sums differ in length.
* Between labels (``analogy``) each label is the mean of its clips' unit vectors.

Cost: analogies x candidates dot products.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from benchmarks.metrics.ties import TiedRanks
from signclip.core.errors import ConfigError

MOST = 1_000  # analogies per target item


def iconicity(
    embeddings: np.ndarray, concepts: Sequence[str], *, clips: int | None = None
) -> pd.DataFrame:
    """The spread of each concept's embeddings over its clips, smallest first.

    Args:
        embeddings: (n, d), one clip per sign language and concept.
        concepts: (n,), the clips' labels.
        clips: keep concepts with exactly this many clips; None: with two or more.

    Returns:
        One row per concept: ``concept``, ``clips``, ``spread``.

    Raises:
        ConfigError: no concept has that many clips.
    """
    embeddings = np.asarray(embeddings, dtype=np.float64)
    rows = []
    for concept, of_concept in pd.Series(range(len(concepts))).groupby(list(concepts)):
        count = len(of_concept)
        if count < 2 or (clips is not None and count != clips):
            continue
        spread = float(np.std(embeddings[of_concept.to_numpy()], axis=0).sum())
        rows.append({"concept": concept, "clips": count, "spread": spread})
    if not rows:
        raise ConfigError(f"no concept has {clips or 'two or more'} clips")
    return pd.DataFrame(rows).sort_values(["spread", "concept"], ignore_index=True)


def parallelograms(
    pairs: Sequence[tuple[str, str]], targets: Sequence[int], *, most: int = MOST, seed: int = 0
) -> np.ndarray:
    """Analogies over two independent properties, such as (sign language, letter).

    The target's language with another letter, minus another language with that letter, plus that
    other language with the target's letter: (l, y) - (m, y) + (m, x) = (l, x).

    Args:
        pairs: the two properties of each item; no two items have both in common.
        targets: items that are to be found (d).
        most: analogies per target; of more, this many are drawn.

    Returns:
        int64 (analogies, 4): a, b, c, d, positions in ``pairs``; ordered by target.

    Raises:
        ConfigError: two items have both properties in common.
    """
    place = {pair: position for position, pair in enumerate(pairs)}
    if len(place) != len(pairs):
        raise ConfigError("two items have both properties in common")
    of_language: dict[str, dict[str, int]] = {}
    with_letter: dict[str, list[int]] = {}
    for position, (language, letter) in enumerate(pairs):
        of_language.setdefault(language, {})[letter] = position
        with_letter.setdefault(letter, []).append(position)
    rng = np.random.default_rng(seed)
    parts = [np.empty((0, 4), dtype=np.int64)]
    for d in targets:
        language, letter = pairs[d]
        letters = of_language[language]
        found = [
            (letters[second], b, c, d)
            for c in with_letter[letter]
            if pairs[c][0] != language
            for second, b in of_language[pairs[c][0]].items()
            if second != letter and second in letters
        ]
        queries = np.array(found, dtype=np.int64).reshape(-1, 4)
        if len(queries) > most:
            queries = queries[np.sort(rng.choice(len(queries), most, replace=False))]
        parts.append(queries)
    return np.concatenate(parts)


def analogy(embeddings: np.ndarray, labels: Sequence[str], a: str, b: str, c: str) -> pd.DataFrame:
    """Labels by their cosine with a - b + c, nearest first, without a, b and c.

    Args:
        embeddings: (n, d), none of them zero.
        labels: (n,), of the clips.

    Returns:
        One row per label: ``label``, ``clips``, ``cosine``.

    Raises:
        ConfigError: a, b or c has no clip, no other label has one, or an embedding is zero.
    """
    names, row = np.unique(labels, return_inverse=True)
    place = {str(name): i for i, name in enumerate(names)}
    if unknown := [name for name in (a, b, c) if name not in place]:
        raise ConfigError(f"no clip has the label {', '.join(unknown)}")
    counts = np.bincount(row)
    means = np.zeros((len(names), np.shape(embeddings)[1]))
    np.add.at(means, row, _directions(embeddings))
    unit = _directions(means / counts[:, None])
    cosines = unit @ _directions((unit[place[a]] - unit[place[b]] + unit[place[c]])[None])[0]
    found = pd.DataFrame({"label": names, "clips": counts, "cosine": cosines})
    found = found[~found["label"].isin([a, b, c])]
    if found.empty:
        raise ConfigError(f"no label but {', '.join(dict.fromkeys([a, b, c]))} has clips")
    return found.sort_values("cosine", ascending=False, kind="stable", ignore_index=True)


def _directions(embeddings: np.ndarray) -> np.ndarray:
    """Each at unit length, float64.

    Raises:
        ConfigError: one is zero or not finite.
    """
    values = np.asarray(embeddings, dtype=np.float64)
    length = np.linalg.norm(values, axis=1, keepdims=True)
    if not np.isfinite(length).all() or not length.all():
        raise ConfigError("an embedding is zero or not finite: it has no direction")
    return values / length


def analogies(
    embeddings: np.ndarray, queries: np.ndarray, candidates: np.ndarray | None = None
) -> TiedRanks:
    """Ranks of d by cosine with a - b + c among the candidates without a, b and c: (analogies,).

    Args:
        embeddings: (n, d), none of them zero.
        queries: int (analogies, 4), rows a, b, c, d of the embeddings.
        candidates: rows that are ranked; default all. d must be among them.

    Raises:
        ConfigError: there is no query, an embedding is zero, or a d is not a candidate.
    """
    queries = np.asarray(queries, dtype=np.int64).reshape(-1, 4)
    if not len(queries):
        raise ConfigError("no analogies to rank")
    unit = _directions(embeddings)
    candidates = np.arange(len(unit)) if candidates is None else np.sort(candidates)
    column_of = np.full(len(unit), -1)
    column_of[candidates] = np.arange(len(candidates))
    if (column_of[queries[:, 3]] < 0).any():
        raise ConfigError("the fourth clip of an analogy is not among the candidates")
    candidate_units = unit[candidates]
    above, tied = np.empty((2, len(queries)), dtype=np.int64)
    for row, (a, b, c, d) in enumerate(queries):
        # not by BLAS, whose last bits may differ between equal rows
        scores = np.einsum("cd,d->c", candidate_units, unit[a] - unit[b] + unit[c])
        out = column_of[[a, b, c]]
        scores[out[out >= 0]] = -np.inf
        target = scores[column_of[d]]
        above[row], tied[row] = (scores > target).sum(), (scores == target).sum()
    return TiedRanks.of(1 + above, above + tied)
