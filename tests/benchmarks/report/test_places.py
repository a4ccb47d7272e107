"""Several seeds: whether two results are of the same models."""

import pytest

from benchmarks.report import places
from benchmarks.report.places import FINGERPRINTS, NOTHING_SHARED, RANKS, same_models

RUN, OTHER = "0/in_domain", "1/in_domain"


def full(result, ranks, **changes):
    return result(group="full", seeds=[0, 1], ranks=ranks, **changes)


@pytest.mark.parametrize(
    ("ours", "theirs", "ranks", "reason"),
    [
        ({RUN: "a"}, {RUN: "a", OTHER: "b"}, [3, 9], FINGERPRINTS),
        ({RUN: "a"}, {RUN: "a", OTHER: "b"}, [4, 9], FINGERPRINTS),  # decides by itself
        ({RUN: "a"}, {RUN: "old", OTHER: "b"}, [3, 9], RANKS),
        ({RUN: "a"}, {RUN: "old", OTHER: "b"}, [4, 3], ""),
        ({RUN: "a"}, {}, [3, 9], RANKS),
        ({RUN: "a"}, {}, [4, 3], ""),
        ({}, {}, [3, 9], RANKS),
    ],
)
def test_fingerprints_or_else_the_ranks_of_the_shared_seed(result, ours, theirs, ranks, reason):
    pipeline = result(runs=ours, ranks={"p": [3]})
    assert same_models(full(result, {"p": ranks}, runs=theirs), pipeline) == reason


def test_without_a_shared_seed_nothing_speaks_against_it(result):
    assert same_models(full(result, {"p": [1, 1]}), result(seeds=[7])) == NOTHING_SHARED
    assert same_models(full(result, {"p": [1, 1]}), None) == NOTHING_SHARED


@pytest.mark.parametrize("ranks", [{}, {"p": [3]}, {"q": [3, 9]}])
def test_ranks_that_cannot_be_compared_prove_nothing(result, ranks):
    assert same_models(full(result, ranks), result(ranks={"p": [3]})) == ""


def test_results_of_other_clips_or_models_are_left_out_and_named(board, measured, stored, source):
    board()
    board(group="full", seeds=range(3))
    labels, tagged = places.IN_DOMAIN
    one = stored("X", "retrieval", "in_domain", "full")
    changed = one.model_copy(update={"split_fingerprint": "another"})
    changed.write(source.workspace.leaderboard)
    other = stored("X13", "retrieval", "in_domain", "full")
    ranks = {clip: [2, *of[1:]] for clip, of in other.ranks.items()}
    other.model_copy(update={"ranks": ranks}).write(source.workspace.leaderboard)
    rows = ["E7.2", "beyond"]
    ours = places.at_places(source, rows)
    found = places.several_seeds(source, ours, rows)
    assert found.left_out == ["X13 on in_domain, labels", "X on in_domain, labels"]
    assert ours[labels].keys() - found.found[labels].keys() == {"X", "X13"}
    assert ours[tagged].keys() == found.found[tagged].keys()


def test_a_heading_names_the_seeds(result):
    place = places.PLACES[0]
    assert places.seeds_title({place: {"a": result()}}) == "seed 0"
    floor, row = result(), result(seeds=[0, 1, 2])
    assert places.seeds_title({place: {"floor": floor, "row": row}}) == "seeds 0, 1, 2"
