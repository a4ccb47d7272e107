"""The families of encoders, as figures group and colour them, and the best row of each.

Decisions
* Families are suites of ``suites.yaml``. E8 and E8.1 have the weights of another row and belong to
  none.
* The best row of a family is that with the highest value on the test clips that are shown, so the
  value itself is optimistic; captions name the row and how it was chosen.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from benchmarks import suites
from benchmarks.report.drawing import OKABE_ITO
from benchmarks.results import Result
from benchmarks.source import Need, Source

METRIC = "V2T_R@1"


class Family(NamedTuple):
    """Encoders of one kind."""

    title: str
    suite: str
    colour: str
    marker: str


FINGERCLIP = Family("FingerCLIP", "fingerclip", OKABE_ITO["orange"], "s")
PAPER = Family("SignCLIP, rows of the paper", "pretraining", OKABE_ITO["blue"], "o")
BEYOND = Family("SignCLIP, rows beyond it", "beyond", OKABE_ITO["vermillion"], "D")
SKELETONS = Family("skeleton models", suites.SKELETON_SUITE, OKABE_ITO["green"], "^")
FLOORS = Family("floors", suites.FLOOR_SUITE, OKABE_ITO["purple"], "v")
FAMILIES = (FINGERCLIP, PAPER, BEYOND, SKELETONS, FLOORS)


def select(source: Source, family: Family, split: str, task: str) -> dict[str, Result]:
    """Encoder -> result of a family's rows on a split, those that there are."""
    return source.select(Need(split, task, (family.suite,)))


def best(results: Mapping[str, Result], metric: str = METRIC) -> str | None:
    """The encoder with the highest value, the first of equal ones; None where there is none."""
    return max(results, key=lambda name: results[name].scores[metric].value, default=None)


def best_floor(results: Mapping[str, Result], metric: str = METRIC) -> str | None:
    """The floor with the highest value here: what an encoder has to beat.

    It is chosen on the test clips that are shown, so it is a harder opponent than a floor that was
    chosen beforehand.
    """
    floors = suites.expand([suites.FLOOR_SUITE])
    return best({name: results[name] for name in floors if name in results}, metric)


def short_title(result: Result) -> str:
    """What a figure calls an encoder: a row's id, ``1-NN``, else its title without details."""
    named = {*suites.expand(["fingerclip", "pretraining", "tested", "beyond"])}
    if result.encoder in named:
        return result.encoder
    return re.split(r"[,(]", result.title)[0].strip().replace("1-nearest-neighbour", "1-NN")
