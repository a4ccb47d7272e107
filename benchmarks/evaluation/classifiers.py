"""Classifiers of embeddings for isolated sign recognition: scores of classes for test clips.

Decisions
* Every function returns scores, float32 (classes, clips), higher is better, so ranks, intervals and
  tables are those of every other encoder.
* The classes are given, in a fixed order that also decides ties. A class without training clips
  scores below all others (:mod:`baselines.label_scores`): its test clips stay in the count, as
  misses. (The paper drops such clips.)
* The settings are the paper's: standardised embeddings; as many neighbours as the root of the
  number of shots (the authors' later code) or as there are classes (their earlier code); an
  unscaled logistic regression of at most 100 iterations; shots drawn once with seed 42. With one
  shot a class and a neighbour for each class, all classes get one vote each, which recognises
  nothing. With the root, one shot gives that many classes one vote each, and the first of them in
  the alphabet is
  predicted: the paper's 1-shot setting measures little; read 5 shots and more.
* Unlike the authors' code: shots are drawn from every class of the gallery, not only from those of
  test clips; a tie goes to the first class, where scikit-learn's top-k gives it to the last; and
  the probe learns all labels on every corpus, Sem-Lex included.
* A class with fewer training clips than shots uses all it has.
* A prototype is compared by cosine: the mean of few clips is longer than that of many, so by dot
  product classes of one clip would win.

Cost: milliseconds for thousands of clips; the probe takes seconds.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Literal

import numpy as np
from scipy.special import log_softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler, normalize

from baselines.label_scores import by_label
from signclip.core.errors import ConfigError

SEED = 42  # of the shots and of the probe, as in the authors' code
Neighbours = Literal["root", "classes"]


def shots(labels: Sequence[str], classes: Sequence[str], k: int, *, seed: int = SEED) -> np.ndarray:
    """Draw up to k training clips of each class at random: int64 positions, ascending.

    Raises:
        ConfigError: k is below 1, or no class has a training clip.
    """
    if k < 1:
        raise ConfigError(f"{k} shots: at least one per class is needed")
    rng = np.random.default_rng(seed)
    of_class: dict[str, list[int]] = {name: [] for name in classes}
    for position, label in enumerate(labels):
        if label in of_class:
            of_class[label].append(position)
    drawn = [rng.permutation(positions)[:k] for positions in of_class.values()]
    chosen = np.sort(np.concatenate(drawn)).astype(np.int64) if drawn else np.empty(0, np.int64)
    if not len(chosen):
        raise ConfigError("none of the classes has a training clip")
    return chosen


def few_shot(
    training: np.ndarray,
    labels: Sequence[str],
    clips: np.ndarray,
    classes: Sequence[str],
    *,
    k: int,
    neighbours: Neighbours = "root",
    seed: int = SEED,
) -> np.ndarray:
    """Votes of the nearest neighbours among k shots a class, float32 (classes, clips).

    Args:
        training: (n, d), embeddings of the training clips.
        labels: (n,), their labels.
        clips: (m, d), embeddings of the test clips.
        classes: candidates for the test clips.
        k: shots a class.
        neighbours: number that vote: the root of the number of all shots, or the number of classes;
            at most the number of shots.

    Raises:
        ConfigError: shapes or numbers do not fit, see :func:`shots`.
    """
    training, clips = _checked(training, labels, clips)
    chosen = shots(labels, classes, k, seed=seed)
    wanted = round(math.sqrt(len(chosen))) if neighbours == "root" else len(classes)
    scaler = StandardScaler().fit(training[chosen])
    voters = KNeighborsClassifier(n_neighbors=max(1, min(wanted, len(chosen))))
    with warnings.catch_warnings():
        # with one shot a class there are as many classes as clips, on purpose
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
        voters.fit(scaler.transform(training[chosen]), [labels[i] for i in chosen])
    return _in_class_order(
        voters.predict_proba(scaler.transform(clips)).T, voters.classes_, classes
    )


def prototypes(
    training: np.ndarray,
    labels: Sequence[str],
    clips: np.ndarray,
    classes: Sequence[str],
    *,
    k: int | None = None,
    seed: int = SEED,
) -> np.ndarray:
    """Cosines with the mean of each class's shots, float32 (classes, clips).

    Args:
        k: shots a class; None: all training clips. The others as in :func:`few_shot`.

    Raises:
        ConfigError: see :func:`few_shot`.
    """
    training, clips = _checked(training, labels, clips)
    chosen = shots(labels, classes, len(labels) if k is None else k, seed=seed)
    names, row = np.unique([labels[i] for i in chosen], return_inverse=True)
    sums = np.zeros((len(names), training.shape[1]))
    np.add.at(sums, row, training[chosen])
    return _in_class_order(normalize(sums) @ normalize(clips).T, names, classes)


def linear_probe(
    training: np.ndarray,
    labels: Sequence[str],
    clips: np.ndarray,
    classes: Sequence[str],
    *,
    iterations: int = 100,
) -> np.ndarray:
    """Log-probabilities of a logistic regression on embeddings, float32 (classes, clips).

    The regression learns all training labels, as the paper's does; only ``classes`` are scored. It
    stops before convergence; this is the paper's setting and raises no warning.

    Raises:
        ConfigError: see :func:`few_shot`; or training has a single class.
    """
    training, clips = _checked(training, labels, clips)
    if len(set(labels)) < 2:
        raise ConfigError(f"a probe needs two classes; training has {len(set(labels))}")
    probe = LogisticRegression(random_state=SEED, max_iter=iterations)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        probe.fit(training, list(labels))
    logits = probe.decision_function(clips)
    if logits.ndim == 1:  # with two classes, the logits of the second
        logits = np.stack([-logits, logits], axis=1) / 2
    # logarithms distinguish what would both round to 0
    return _in_class_order(log_softmax(logits, axis=1).T, probe.classes_, classes)


def _checked(
    training: np.ndarray, labels: Sequence[str], clips: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Training and test embeddings as float64 of equal width, finite and not empty."""
    arrays = []
    for name, values in (("training", training), ("test", clips)):
        values = np.asarray(values, dtype=np.float64)
        if values.ndim != 2 or not values.size:
            raise ConfigError(f"{name} embeddings of shape {values.shape}; (clips, d) is expected")
        odd = np.flatnonzero(~np.isfinite(values).all(axis=1))
        if len(odd):
            raise ConfigError(f"{name} clip {odd[0]}: an embedding is not finite")
        arrays.append(values)
    if len(labels) != len(arrays[0]) or arrays[0].shape[1] != arrays[1].shape[1]:
        raise ConfigError(
            f"{len(labels)} labels for training embeddings of shape {arrays[0].shape}; test "
            f"embeddings have {arrays[1].shape[1]} numbers"
        )
    return arrays[0], arrays[1]


def _in_class_order(scores: np.ndarray, names: Sequence[str], classes: Sequence[str]) -> np.ndarray:
    """Scores (names, clips) in the order of the classes; a class without a score is below all.

    Raises:
        ConfigError: no class has a score.
    """
    if not set(names) & set(classes):
        raise ConfigError("none of the classes has a training clip")
    return by_label(scores, names, classes)
