"""Isolated sign recognition from embeddings: class scores of test clips, by who learns what.

Decisions
* Every function gives scores, float32 (classes, clips), higher is better; ranks, intervals and
  tables are then those of every other encoder (:mod:`benchmarks.tasks.retrieval`).
* The classes are given, in a fixed order that also decides ties. A class without a training clip
  scores below all others (:mod:`baselines.label_scores`): a test clip of it stays in the count, as
  a miss. (The paper drops such clips.)
* The settings are the paper's: standardised embeddings and as many neighbours as the root of the
  number of shots in all (its later code) or as there are classes (its earlier), an unscaled
  logistic regression of at most 100 iterations, shots drawn once with seed 42 (facts 6). With one
  shot a class and a neighbour for each class, all classes get one vote each: no recognition. With
  the root, one shot gives as many classes one vote each, and the first of them in the alphabet is
  the answer: the paper's 1-shot setting measures little; read 5 and more.
* Unlike the paper's code: shots are drawn of every class that is asked for, not of those alone that
  test clips have; a tie goes to the first class, where scikit-learn's top-k gives it to the last;
  and the probe learns all labels on every corpus, Sem-Lex's too.
* A class with fewer training clips than shots gives all it has.
* A prototype counts by its direction: the mean of few clips is longer than that of many, so that by
  dot products classes of one clip would win.

Cost: milliseconds for thousands of clips; the probe seconds.
"""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Sequence
from typing import Literal

import numpy as np
from scipy.special import log_softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler, normalize

from baselines.label_scores import by_label
from benchmarks.tasks.names import OFTEN
from signclip.core.errors import ConfigError

SEED = 42  # of the shots and the probe, the paper's
Neighbours = Literal["root", "classes"]


def in_vocabulary(
    labels: Sequence[str], pretraining_labels: Sequence[str], *, more_than: int = OFTEN
) -> np.ndarray:
    """Which clips' labels are concepts that pretraining saw often: bool (clips,).

    The paper's zero-shot recognition asks for these alone (facts 6, ``test_in_vocab``).

    Args:
        labels: of the test clips.
        pretraining_labels: one a pretraining clip.
        more_than: clips of the concept.
    """
    seen = Counter(pretraining_labels)
    return np.array([seen[label] > more_than for label in labels], dtype=bool)


def shots(labels: Sequence[str], classes: Sequence[str], k: int, *, seed: int = SEED) -> np.ndarray:
    """Up to k training clips of each class, drawn at random: int64, positions ascending.

    Raises:
        ConfigError: k is below 1, or no class has a training clip.
    """
    if k < 1:
        raise ConfigError(f"{k} shots: at least one a class is needed")
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
    """k-nearest-neighbour votes of k shots a class, float32 (classes, clips).

    Args:
        training: (n, d), embeddings of the training clips.
        labels: (n,), their labels.
        clips: (m, d), embeddings of the test clips.
        classes: that test clips are told apart into.
        k: shots a class.
        neighbours: that vote: the root of the number of shots in all, or as many as classes. Never
            more than there are shots.

    Raises:
        ConfigError: shapes or numbers do not fit, see :func:`shots`.
    """
    training, clips = _checked(training, labels, clips)
    chosen = shots(labels, classes, k, seed=seed)
    wanted = round(math.sqrt(len(chosen))) if neighbours == "root" else len(classes)
    scaler = StandardScaler().fit(training[chosen])
    voters = KNeighborsClassifier(n_neighbors=max(1, min(wanted, len(chosen))))
    with warnings.catch_warnings():
        # one shot a class is as many classes as clips, on purpose
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
        voters.fit(scaler.transform(training[chosen]), [labels[i] for i in chosen])
    return _placed(voters.predict_proba(scaler.transform(clips)).T, voters.classes_, classes)


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
        k: shots a class; None: all training clips. Others as in :func:`few_shot`.

    Raises:
        ConfigError: see :func:`few_shot`.
    """
    training, clips = _checked(training, labels, clips)
    chosen = shots(labels, classes, len(labels) if k is None else k, seed=seed)
    names, row = np.unique([labels[i] for i in chosen], return_inverse=True)
    sums = np.zeros((len(names), training.shape[1]))
    np.add.at(sums, row, training[chosen])
    return _placed(normalize(sums) @ normalize(clips).T, names, classes)


def linear_probe(
    training: np.ndarray,
    labels: Sequence[str],
    clips: np.ndarray,
    classes: Sequence[str],
    *,
    iterations: int = 100,
) -> np.ndarray:
    """Probabilities of a logistic regression on frozen embeddings, float32 (classes, clips).

    The regression learns all labels of training, as the paper's does; only ``classes`` are asked.
    That it stops before it has converged is part of the paper's setting and not warned of.

    Raises:
        ConfigError: see :func:`few_shot`; or training has a single class.
    """
    training, clips = _checked(training, labels, clips)
    if len(set(labels)) < 2:
        raise ConfigError(f"a probe tells classes apart; training has {len(set(labels))}")
    probe = LogisticRegression(random_state=SEED, max_iter=iterations)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        probe.fit(training, list(labels))
    logits = probe.decision_function(clips)
    if logits.ndim == 1:  # two classes: of the second one
        logits = np.stack([-logits, logits], axis=1) / 2
    # logarithms keep apart what would both round to 0
    return _placed(log_softmax(logits, axis=1).T, probe.classes_, classes)


def _checked(
    training: np.ndarray, labels: Sequence[str], clips: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Both as float64, of one width, finite and not empty."""
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


def _placed(scores: np.ndarray, names: Sequence[str], classes: Sequence[str]) -> np.ndarray:
    """Scores (names, clips) in the order of the classes; one without a name below all others.

    Raises:
        ConfigError: no class has a score.
    """
    if not set(names) & set(classes):
        raise ConfigError("none of the classes has a training clip")
    return by_label(scores, names, classes)
