"""Recognisers that SignCLIP is compared with.

A recogniser is a class with ``fit(clips, texts)`` and ``score(clips, labels) -> (labels, clips)``,
and a ``variant`` that names the features it reads. It is found by its dotted path.
"""

BASELINES: dict[str, str] = {
    "nearest-neighbour": "baselines.nearest_neighbour:NearestNeighbour",
}
TITLES: dict[str, str] = {
    "nearest-neighbour": "1-nearest-neighbour, mean shape of the dominant hand",
}
