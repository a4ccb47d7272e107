"""Floors: recognisers that learn little or nothing, fitted when they are evaluated.

A floor is a class with ``fit(clips, texts)``, ``score(clips, labels) -> float32 (labels, clips)``
and ``variant``, the feature variant that it reads. It is imported only when it is used. Where pairs
of sign language and label are ranked, ``language_recogniser`` is the class that is fitted to the
languages; without it the floor itself is. A row here is all that a new floor needs.
"""

from __future__ import annotations

from typing import NamedTuple


class Floor(NamedTuple):
    """A row of :data:`FLOORS`."""

    path: str  # module:Class
    title: str  # in tables


FLOORS: dict[str, Floor] = {
    "nearest-neighbour": Floor(
        "baselines.floors.nearest_neighbour:NearestNeighbour",
        "1-nearest-neighbour, mean shape of the dominant hand",
    ),
    "dtw": Floor(
        "baselines.floors.dtw:DynamicTimeWarping",
        "1-nearest-neighbour, dynamic time warping of the dominant hand's trajectory",
    ),
    "logistic-regression": Floor(
        "baselines.floors.logistic_regression:LogisticRegression",
        "logistic regression, pooled features of the dominant hand",
    ),
    "hand-neighbour": Floor(
        "baselines.floors.pooled:HandNeighbour", "1-nearest-neighbour, hand-centric features"
    ),
    "hand-dtw": Floor(
        "baselines.floors.hand_dtw:HandTimeWarping",
        "1-nearest-neighbour, dynamic time warping of hand-centric features",
    ),
    "hand-svm": Floor("baselines.floors.pooled:HandSVM", "SVM, hand-centric features"),
    "hand-regression": Floor(
        "baselines.floors.pooled:HandRegression", "logistic regression, hand-centric features"
    ),
    "input-neighbour": Floor(
        "baselines.floors.pooled:InputNeighbour", "1-nearest-neighbour, input features of X"
    ),
    "input-svm": Floor("baselines.floors.pooled:InputSVM", "SVM, input features of X"),
    "input-regression": Floor(
        "baselines.floors.pooled:InputRegression", "logistic regression, input features of X"
    ),
}
