"""Floors: recognisers that learn little or nothing, fitted when they are evaluated.

A floor is a class with ``fit(clips, texts)``, ``score(clips, labels) -> float32 (labels, clips)``
and ``variant``, the feature variant that it reads. It is imported only when it is used.
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
}
