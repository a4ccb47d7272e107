"""Recognisers that SignCLIP is compared with.

Floors, which learn little or nothing, are fitted when they are measured: a floor is a class with
``fit(clips, texts)`` and ``score(clips, labels) -> (labels, clips)``, and a ``variant`` that names
the features it reads. It is found by its dotted path.

Skeleton models are MMAction2's (``models.yaml``), trained beforehand (:mod:`baselines.skeletons.training`).
"""

BASELINES: dict[str, str] = {
    "nearest-neighbour": "baselines.floors.nearest_neighbour:NearestNeighbour",
    "dtw": "baselines.floors.dtw:DynamicTimeWarping",
    "logistic-regression": "baselines.floors.logistic_regression:LogisticRegression",
}
TITLES: dict[str, str] = {
    "nearest-neighbour": "1-nearest-neighbour, mean shape of the dominant hand",
    "dtw": "1-nearest-neighbour, dynamic time warping of the dominant hand's trajectory",
    "logistic-regression": "logistic regression, pooled features of the dominant hand",
}
