"""Splits and galleries side by side, and which measurements over several seeds may stand there.

Decisions
* A :class:`Place` is a split with a retrieval gallery: ``labels`` (without languages) or ``tagged``
  ((sign language, label) prompts). ``letters`` has no tagged gallery.
* Results of the group ``full`` (several seeds) are shown beside the pipeline's if they are of the
  same clips and split and, for the seeds that both have, of the same models. Models are the same if
  their run fingerprints are equal. A fingerprint also changes with code that leaves the weights as
  they are; so if fingerprints differ or are not recorded, equal ranks of every test clip count as
  well. What is left out is named in the notes.

Cost: milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from benchmarks import suites
from benchmarks.evaluation.galleries import RETRIEVAL, TAGGED_RETRIEVAL
from benchmarks.results import Result, StoredRank
from benchmarks.source import Need, Source

GALLERIES = {"tagged": TAGGED_RETRIEVAL, "labels": RETRIEVAL}


class Place(NamedTuple):
    """A split and a gallery in which rows are compared."""

    split: str
    gallery: str  # of GALLERIES

    @property
    def title(self) -> str:
        """The head of its column."""
        return f"{self.split}, {self.gallery}"

    def need(self, *rows: str) -> Need:
        """The results of rows at this place."""
        return Need(self.split, GALLERIES[self.gallery], rows)


PLACES = (
    Place(suites.LETTERS, "labels"),
    Place(suites.IN_DOMAIN, "labels"),
    Place(suites.IN_DOMAIN, "tagged"),
    Place(suites.UNSEEN, "labels"),
    Place(suites.UNSEEN, "tagged"),
)
IN_DOMAIN = tuple(place for place in PLACES if place.split == suites.IN_DOMAIN)

Found = Mapping[Place, Mapping[str, Result]]  # place -> encoder -> result


class SeveralSeeds(NamedTuple):
    """Results over several seeds.

    Attributes:
        found: those that may be shown.
        by_ranks: the encoders of these whose models were found equal by ranks alone.
        left_out: those of other clips, splits or models, in words.
    """

    found: Found
    by_ranks: list[str]
    left_out: list[str]

    def __bool__(self) -> bool:
        return any(self.found.values())


def at_places(source: Source, rows: Sequence[str], places: Iterable[Place] = PLACES) -> Found:
    """The pipeline's results of rows at each place, as far as they are there."""
    return {place: source.select(place.need(*rows)) for place in places}


def several_seeds(source: Source, ours: Found, rows: Sequence[str]) -> SeveralSeeds:
    """The results of rows over several seeds that may stand beside the pipeline's."""
    found: dict[Place, dict[str, Result]] = {}
    by_ranks: dict[str, None] = {}
    left_out = []
    for place, here in ours.items():
        known = {(one.corpus_fingerprint, one.split_fingerprint) for one in here.values()}
        found[place] = {}
        for name, result in source.select_full(place.need(*rows)).items():
            same_clips = (result.corpus_fingerprint, result.split_fingerprint) in known
            if not same_clips or not (reason := same_models(result, here.get(name))):
                left_out.append(f"{name} on {place.title}")
                continue
            found[place][name] = result
            if reason == RANKS and result.runs:
                by_ranks[name] = None
    return SeveralSeeds(found, list(by_ranks), left_out)


FINGERPRINTS, RANKS, NOTHING_SHARED = "run fingerprints", "ranks", "no seed in common"


def same_models(other: Result, ours: Result | None) -> str:
    """Why two results of an encoder are of the same models for the seeds that both have.

    Returns:
        :data:`FINGERPRINTS`, :data:`RANKS` or :data:`NOTHING_SHARED`; empty: they are not.
    """
    seeds = [seed for seed in other.seeds if ours is not None and seed in ours.seeds]
    if ours is None or not seeds:
        return NOTHING_SHARED
    runs = other.runs.keys() & ours.runs.keys()
    if runs and all(other.runs[run] == ours.runs[run] for run in runs):
        return FINGERPRINTS
    ranks = _ranks_of(other, seeds)
    return RANKS if ranks is not None and ranks == _ranks_of(ours, seeds) else ""


def _ranks_of(result: Result, seeds: Sequence[int]) -> dict[str, list[StoredRank]] | None:
    """Clip -> its ranks with the given seeds; None if they are not recorded seed by seed."""
    if not result.ranks or any(len(of) != len(result.seeds) for of in result.ranks.values()):
        return None
    columns = [result.seeds.index(seed) for seed in seeds]
    return {clip: [of[column] for column in columns] for clip, of in result.ranks.items()}


def seeds_title(found: Found) -> str:
    """The seeds of most runs, as a heading names them: ``seed 0`` or ``seeds 0, 1, 2``."""
    seeds = max((result.seeds for here in found.values() for result in here.values()), key=len)
    return f"seed{'s'[: len(seeds) > 1]} {', '.join(map(str, seeds))}"
