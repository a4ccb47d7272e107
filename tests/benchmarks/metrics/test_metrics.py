"""Properties of the retrieval metrics, and their equality with the reference's numbers."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import metrics
from benchmarks.metrics import intervals

GOLDEN = Path(__file__).parents[2] / "golden" / "metrics"
SHARED = Path(__file__).parents[4] / "shared" / "reference" / "metrics"
CASES = json.loads((GOLDEN / "reference_cases.json").read_text())["cases"]

KEYS = {"R@1", "R@5", "R@10", "R@20", "P@1", "P@5", "P@10", "MRR", "MedianR", "MeanR"}


def golden_case(name):
    with np.load(GOLDEN / "reference_cases.npz") as arrays:
        return arrays[f"{name}.scores"], arrays[f"{name}.texts"].tolist()


def tied_case(clips=61, labels=9, seed=0):
    """Few distinct scores, so that nearly every rank is decided by a tie."""
    rng = np.random.default_rng(seed)
    texts = [f"gloss {i}" for i in rng.integers(0, labels, clips)]
    return rng.integers(0, 4, (clips, clips)).astype(np.float32), texts


def brute_force(scores, texts):
    """The definition of `retrieval`: every order of the tied, each as likely as any other.

    Returns, for each direction, the rank of the first right candidate and the right candidates in
    the first k, (orders, queries) and k -> (orders, queries).
    """
    unique = sorted(set(texts), key=texts.index)
    queries = {
        "t2v": [(scores[texts.index(text)], [other == text for other in texts]) for text in unique],
        "v2t": [
            ([scores[texts.index(other)][clip] for other in unique], [o == text for o in unique])
            for clip, text in enumerate(texts)
        ],
    }
    found = {}
    for direction, of in queries.items():
        first, hits = [], {k: [] for k in (1, 5, 10)}
        for row, right in of:
            ordered = [
                [right[i] for i in sorted(order, key=lambda i, row=row: -row[i])]
                for order in itertools.permutations(range(len(row)))
            ]
            first.append([one.index(True) + 1 for one in ordered])
            for k in hits:
                hits[k].append([sum(one[:k]) for one in ordered])
        found[direction] = np.array(first), hits
    return found


@st.composite
def small_cases(draw):
    clips = draw(st.integers(1, 5))
    texts = draw(st.lists(st.sampled_from("abcde"), min_size=clips, max_size=clips))
    row = st.lists(st.integers(-1, 1), min_size=clips, max_size=clips)
    return draw(st.lists(row, min_size=clips, max_size=clips)), texts


# the paper's metric


@pytest.mark.parametrize("name", CASES)
def test_reference_metric_equals_the_reference_exactly(name):
    scores, texts = golden_case(name)
    assert metrics.reference_retrieval(scores, texts) == CASES[name]


def test_reference_metric_equals_every_shared_case_exactly():
    if not SHARED.is_dir():
        pytest.skip("../shared/reference/metrics is not beside the checkout")
    expected = json.loads((SHARED / "metrics.json").read_text())
    for name, case in expected.items():
        with np.load(SHARED / f"{name}.npz") as arrays:
            got = metrics.reference_retrieval(arrays["scores_text_x_video"], arrays["texts"])
        for direction in ("t2v", "v2t"):
            assert got[direction] == case["metrics"][f"RWTHFSMetric.{direction}"], (name, direction)


def test_reference_v2t_merges_only_adjacent_duplicates():
    # clip 2 ("c") sees "a", "b", "a" before its targets text: three runs, though two unique texts
    texts = ["a", "b", "c", "a"]
    scores = np.zeros((4, 4), np.float32)
    scores[:, 2] = [4, 3, 1, 2]
    separate = metrics.reference_retrieval(scores, texts)["v2t"]["MeanR"]
    scores[:, 2] = [4, 2, 1, 3]  # now the two "a" are adjacent
    adjacent = metrics.reference_retrieval(scores, texts)["v2t"]["MeanR"]
    assert separate - adjacent == pytest.approx(1 / 4)


def test_reference_recall_is_micro_and_precision_has_a_ceiling():
    texts = ["a", "a", "b"]
    perfect = np.array([[2, 2, 0], [2, 2, 0], [0, 0, 2]], np.float32)
    t2v = metrics.reference_retrieval(perfect, texts)["t2v"]
    assert t2v["R1"] == 2 / 3  # 2 unique texts over 3 clips, though nothing is wrong
    assert t2v["P5"] == 3 / (5 * 2)
    exact = metrics.retrieval(perfect, texts)["t2v"]
    assert exact["R@1"] == 1


# the exact metric


@given(small_cases())
@settings(max_examples=80, deadline=None)
def test_exact_metric_is_the_mean_over_all_orders_of_the_tied(case):
    scores, texts = case
    got = metrics.retrieval(np.array(scores, np.float32), texts)
    for direction, (first, hits) in brute_force(scores, texts).items():
        assert set(got[direction]) == KEYS
        for k in (1, 5, 10, 20):
            assert got[direction][f"R@{k}"] == pytest.approx(np.mean(first <= k))
        assert got[direction]["MRR"] == pytest.approx(np.mean(1 / first))
        assert got[direction]["MedianR"] == np.median(first)  # of all orders of all queries
        assert got[direction]["MeanR"] == pytest.approx(np.mean(first))
        for k, counts in hits.items():
            assert got[direction][f"P@{k}"] == pytest.approx(np.mean(counts) / k)


@pytest.mark.parametrize("texts", [[f"letter {i % 26}" for i in range(410)], list("aab"), ["a"]])
def test_an_encoder_that_says_nothing_gets_chance(texts):
    got = metrics.retrieval(np.full((len(texts), len(texts)), 3), texts)
    positives = np.unique(texts, return_counts=True)[1]
    by_chance = {
        "v2t": intervals.chance_v2t(len(positives), metrics.RECALL_AT),
        "t2v": intervals.chance_t2v(positives, len(texts), metrics.RECALL_AT),
    }
    for direction, of in got.items():
        for name, value in of.items():
            assert value == pytest.approx(by_chance[direction][name]), (direction, name)


@pytest.mark.parametrize("name", [x for x in CASES if "dup" not in x and "ties" not in x])
def test_exact_and_reference_agree_where_texts_are_unique_and_nothing_ties(name):
    scores, texts = golden_case(name)
    exact, reference = (f(scores, texts) for f in (metrics.retrieval, metrics.reference_retrieval))
    for direction in ("t2v", "v2t"):
        for key, value in reference[direction].items():
            exact_key = key if key.endswith("R") else f"{key[0]}@{key[1:]}"
            assert exact[direction][exact_key] == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize("name", [name for name in CASES if "dup_same_rows" in name])
def test_exact_and_reference_v2t_agree_where_duplicates_have_equal_rows(name):
    # equal rows tie; they merge only where no other text ties with them, true of these cases
    scores, texts = golden_case(name)
    exact = metrics.retrieval(scores, texts)["v2t"]
    reference = metrics.reference_retrieval(scores, texts)["v2t"]
    assert {key: exact[key] for key in ("MedianR", "MeanR")} == {
        key: reference[key] for key in ("MedianR", "MeanR")
    }


@pytest.mark.parametrize("function", [metrics.retrieval, metrics.reference_retrieval])
@pytest.mark.parametrize("chunk", [1, 7, 60, 61, 62])
def test_chunked_equals_full_including_ties(function, chunk):
    scores, texts = tied_case()
    assert function(scores, texts, chunk=chunk) == function(scores, texts, chunk=10_000)


def test_all_equal_scores_leave_every_rank_open():
    ranks = metrics.v2t_ranks(np.zeros((4, 4)), np.arange(4))
    assert ranks.stored() == [[1, 4]] * 4
    hits = metrics.t2v_hits(np.zeros((2, 4)), [1, 0, 0, 0])
    assert hits.first_rank.stored() == [[1, 2, 3], [1, 4]]
    assert {k: of.tolist() for k, of in hits.hits.items()} == {
        1: [0.75, 0.25],
        5: [3, 1],
        10: [3, 1],
    }


def test_ties_are_decided_in_float32():
    # the two scores differ in float64 only
    scores = np.array([[1.0, 0.0], [1.0 + 1e-12, 0.0]])
    assert metrics.v2t_ranks(scores, [0, 1]).stored() == [[1, 2], [1, 2]]


def test_permuting_clips_permutes_ranks_even_of_the_tied():
    rng = np.random.default_rng(1)
    scores = rng.integers(0, 9, (20, 50)).astype(np.float32)
    labels = rng.integers(0, 20, 50)
    order = rng.permutation(50)
    ranks = metrics.v2t_ranks(scores, labels)
    moved = metrics.v2t_ranks(scores[:, order], labels[order])
    assert moved.stored() == ranks[order].stored()
    hits = metrics.t2v_hits(scores, labels)
    moved = metrics.t2v_hits(scores[:, order], labels[order])
    assert moved.first_rank.stored() == hits.first_rank.stored()
    assert all(np.allclose(moved.hits[k], hits.hits[k]) for k in hits.hits)


def test_labels_without_a_clip_compete_in_v2t_and_are_no_query_in_t2v():
    scores = np.array([[9, 9], [5, 1], [1, 5]], np.float32)  # no clip bears label 0
    assert metrics.v2t_ranks(scores, [1, 2]).stored() == [2, 2]
    hits = metrics.t2v_hits(scores, [1, 2])
    assert hits.labels.tolist() == [1, 2]
    assert hits.first_rank.stored() == [1, 1]


def test_t2v_hits_counts_hits_and_positives_per_query():
    scores = np.array([[5, 4, 3, 2, 1, 0], [6, 5, 4, 3, 2, 1]], np.float32)
    hits = metrics.t2v_hits(scores, [1, 0, 1, 0, 0, 0], k=(1, 3, 100))
    assert hits.positives.tolist() == [4, 2]
    assert hits.first_rank.stored() == [2, 1]
    assert {k: count.tolist() for k, count in hits.hits.items()} == {
        1: [0, 1],
        3: [1, 2],
        100: [4, 2],
    }


def test_k_beyond_the_gallery_recalls_everything_and_still_divides_by_k():
    scores, texts = np.eye(3, dtype=np.float32), ["a", "b", "c"]
    for direction in metrics.retrieval(scores, texts).values():
        assert direction["R@10"] == direction["R@20"] == 1
        assert direction["P@10"] == pytest.approx(1 / 10)


def test_scores_are_left_as_they_were():
    scores, texts = tied_case()
    before = scores.copy()
    metrics.retrieval(scores, texts)
    metrics.reference_retrieval(scores, texts)
    assert np.array_equal(scores, before)


# refusals


@pytest.mark.parametrize("function", [metrics.retrieval, metrics.reference_retrieval])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_non_finite_score_is_named(function, value):
    scores = np.zeros((5, 5), np.float32)
    scores[3, 1] = scores[4, 0] = value
    with pytest.raises(ValueError, match=r"scores\[3, 1\] is -?(nan|inf)"):
        function(scores, list("abcde"))


def test_a_non_finite_score_is_found_in_the_row_of_a_duplicate_text():
    scores = np.zeros((3, 3), np.float32)
    scores[2, 0] = np.nan  # row 2 repeats text "a" and takes part in no rank
    with pytest.raises(ValueError, match=r"scores\[2, 0\]"):
        metrics.retrieval(scores, ["a", "b", "a"])


def test_a_non_finite_score_is_found_beyond_the_first_chunk_of_rows():
    scores = np.zeros((metrics.CHUNK + 3, 2), np.float32)
    scores[metrics.CHUNK + 1, 1] = np.nan
    with pytest.raises(ValueError, match=rf"scores\[{metrics.CHUNK + 1}, 1\]"):
        metrics.v2t_ranks(scores, [0, 1])


def test_a_score_that_overflows_float32_is_named():
    with pytest.raises(ValueError, match=r"scores\[0, 1\] is inf in float32"):
        metrics.v2t_ranks(np.array([[0, 1e300]]), [0, 0])


@pytest.mark.parametrize(
    ("shape", "texts"), [((0, 0), []), ((2, 3), ["a", "b"]), ((3, 3), ["a", "b"]), ((4,), ["a"])]
)
@pytest.mark.parametrize("function", [metrics.retrieval, metrics.reference_retrieval])
def test_wrong_shapes_and_empty_input_are_refused_with_the_shape(function, shape, texts):
    with pytest.raises(ValueError, match=str(shape).replace("(", r"\(").replace(")", r"\)")):
        function(np.zeros(shape, np.float32), texts)


@pytest.mark.parametrize("labels", [[0, 2], [0, -1]])
def test_a_label_outside_the_rows_is_named(labels):
    with pytest.raises(ValueError, match=r"targets\[1\]"):
        metrics.v2t_ranks(np.zeros((2, 2)), labels)


@pytest.mark.parametrize("labels", [[0], [0, 1, 1], [0.0, 1.0]])
def test_labels_of_a_wrong_shape_or_type_are_refused(labels):
    with pytest.raises(ValueError, match="targets must be 2 ints"):
        metrics.t2v_hits(np.zeros((2, 2)), labels)


def test_a_depth_or_a_chunk_below_one_is_refused():
    with pytest.raises(ValueError, match="k must be at least 1"):
        metrics.t2v_hits(np.zeros((2, 2)), [0, 1], k=(0, 1))
    with pytest.raises(ValueError, match="chunk must be at least 1"):
        metrics.v2t_ranks(np.zeros((2, 2)), [0, 1], chunk=-1)


# both directions


def test_both_directions_at_once_are_each_by_itself():
    rng = np.random.default_rng(0)
    scores, targets = rng.integers(0, 3, (5, 40)).astype(float), np.arange(40) % 4
    found = metrics.ranks(scores, targets, (1, 7))
    assert found.v2t.stored() == metrics.v2t_ranks(scores, targets).stored()
    assert np.array_equal(found.predicted, [column.argmax() for column in scores.T])
    expected = metrics.t2v_hits(scores, targets, (1, 7))
    assert np.array_equal(found.t2v.labels, expected.labels)
    assert found.t2v.first_rank.stored() == expected.first_rank.stored()
    assert {k: of.tolist() for k, of in found.t2v.hits.items()} == {
        k: of.tolist() for k, of in expected.hits.items()
    }
    assert found.texts == 5


@pytest.mark.parametrize("labels", [metrics.ROWS, metrics.ROWS + 1, 3 * metrics.ROWS + 7])
def test_labels_counted_in_parts_are_all_counted(labels):
    # every label but the targets one, which is the last, is above: no count may wrap
    scores = np.ones((labels, 3), np.float32)
    scores[-1] = 0
    assert metrics.v2t_ranks(scores, [labels - 1] * 3).stored() == [labels] * 3
    scores[-1] = 1  # all tied
    assert metrics.v2t_ranks(scores, [labels - 1, 0, labels - 2]).stored() == [[1, labels]] * 3
