"""Properties of the retrieval metrics, and their equality with the reference's numbers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import metrics

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
    """The definition of `retrieval`, written without numpy's help."""
    unique = sorted(set(texts), key=texts.index)
    t2v_hits, v2t_ranks = [], []
    for text in unique:
        row = scores[texts.index(text)]
        order = sorted(range(len(texts)), key=lambda clip, row=row: (-row[clip], clip))
        t2v_hits.append([texts[clip] == text for clip in order])
    for clip, text in enumerate(texts):
        column = {other: scores[texts.index(other)][clip] for other in unique}
        order = sorted(unique, key=lambda other, column=column: -column[other])
        v2t_ranks.append(order.index(text) + 1)
    return t2v_hits, v2t_ranks


@st.composite
def small_cases(draw):
    clips = draw(st.integers(1, 9))
    texts = draw(st.lists(st.sampled_from("abcde"), min_size=clips, max_size=clips))
    row = st.lists(st.integers(-2, 2), min_size=clips, max_size=clips)
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
@settings(max_examples=60, deadline=None)
def test_exact_metric_equals_brute_force(case):
    scores, texts = case
    t2v_hits, v2t_ranks = brute_force(scores, texts)
    first = [hits.index(True) + 1 for hits in t2v_hits]
    got = metrics.retrieval(np.array(scores, np.float32), texts)
    for direction, ranks in (("t2v", first), ("v2t", v2t_ranks)):
        assert set(got[direction]) == KEYS
        for k in (1, 5, 10, 20):
            assert got[direction][f"R@{k}"] == pytest.approx(np.mean([r <= k for r in ranks]))
        assert got[direction]["MRR"] == pytest.approx(np.mean([1 / r for r in ranks]))
        assert got[direction]["MedianR"] == np.median(ranks)
        assert got[direction]["MeanR"] == pytest.approx(np.mean(ranks))
    for k in (1, 5, 10):
        t2v_precision = np.mean([sum(hits[:k]) / k for hits in t2v_hits])
        assert got["t2v"][f"P@{k}"] == pytest.approx(t2v_precision)
        assert got["v2t"][f"P@{k}"] == pytest.approx(np.mean([r <= k for r in v2t_ranks]) / k)


@pytest.mark.parametrize("name", [name for name in CASES if "dup" not in name])
def test_exact_and_reference_agree_where_texts_are_unique(name):
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


def test_all_equal_scores_rank_by_index_and_never_all_first():
    ranks = metrics.v2t_ranks(np.zeros((4, 4)), np.arange(4))
    assert ranks.tolist() == [1, 2, 3, 4]
    hits = metrics.t2v_hits(np.zeros((2, 4)), [1, 0, 0, 1])
    assert hits.first_rank.tolist() == [2, 1]


def test_ties_are_decided_in_float32():
    # the two scores differ in float64 only
    scores = np.array([[1.0, 0.0], [1.0 + 1e-12, 0.0]])
    assert metrics.v2t_ranks(scores, [0, 1]).tolist() == [1, 2]


def test_permuting_clips_permutes_ranks_when_no_ties():
    rng = np.random.default_rng(1)
    scores = rng.permutation(20 * 50).reshape(20, 50).astype(np.float32)
    labels = rng.integers(0, 20, 50)
    order = rng.permutation(50)
    ranks = metrics.v2t_ranks(scores, labels)
    assert np.array_equal(metrics.v2t_ranks(scores[:, order], labels[order]), ranks[order])
    hits = metrics.t2v_hits(scores, labels)
    moved = metrics.t2v_hits(scores[:, order], labels[order])
    assert np.array_equal(moved.first_rank, hits.first_rank)
    assert all(np.array_equal(moved.hits[k], hits.hits[k]) for k in hits.hits)


def test_labels_without_a_clip_compete_in_v2t_and_are_no_query_in_t2v():
    scores = np.array([[9, 9], [5, 1], [1, 5]], np.float32)  # no clip bears label 0
    assert metrics.v2t_ranks(scores, [1, 2]).tolist() == [2, 2]
    hits = metrics.t2v_hits(scores, [1, 2])
    assert hits.labels.tolist() == [1, 2]
    assert hits.first_rank.tolist() == [1, 1]


def test_t2v_hits_counts_hits_and_positives_per_query():
    scores = np.array([[5, 4, 3, 2, 1, 0], [0, 0, 0, 0, 0, 0]], np.float32)
    hits = metrics.t2v_hits(scores, [1, 0, 1, 0, 0, 0], k=(1, 3, 100))
    assert hits.positives.tolist() == [4, 2]
    assert hits.first_rank.tolist() == [2, 1]
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


# sums over ranks


def test_what_a_rank_adds_to_each_metric():
    units = metrics.rank_units([1, 3, 7, 12])
    assert units["DCG"].tolist() == pytest.approx([1, 1 / 2, 1 / 3, 1 / np.log2(13)])
    assert units["MRR"].tolist() == pytest.approx([1, 1 / 3, 1 / 7, 1 / 12])
    hits = {k: units[f"R@{k}"].tolist() for k in metrics.RECALL_AT}
    assert hits[1] == [True, False, False, False]
    assert hits[5] == [True, True, False, False]
    assert (hits[10], hits[20]) == ([True, True, True, False], [True] * 4)
    assert units["MedianR"].tolist() == units["MeanR"].tolist() == [1, 3, 7, 12]
    for ranks, message in (([], "not empty"), ([[2, 1], [3, 0]], r"ranks\[1, 1\] is 0")):
        with pytest.raises(ValueError, match=message):
            metrics.rank_units(np.array(ranks, int))
    with pytest.raises(ValueError, match="must be ints"):
        metrics.rank_units([1.5])


def test_retrieval_sums_up_the_units_of_ranks():
    scores, texts = tied_case()
    texts = [str(i) for i in range(len(texts))]
    ranks = metrics.v2t_ranks(scores, np.arange(len(texts)))
    v2t = metrics.retrieval(scores, texts)["v2t"]
    recall = {f"R@{k}": np.mean([rank <= k for rank in ranks]) for k in (1, 5, 10, 20)}
    assert v2t == pytest.approx(
        recall
        | {f"P@{k}": recall[f"R@{k}"] / k for k in (1, 5, 10)}
        | {"MRR": np.mean([1 / rank for rank in ranks])}
        | {"MedianR": np.median(ranks), "MeanR": np.mean(ranks)}
    )


def test_both_directions_at_once_are_each_by_itself():
    rng = np.random.default_rng(0)
    scores, targets = rng.integers(0, 3, (5, 40)).astype(float), np.arange(40) % 4
    found = metrics.ranks(scores, targets, (1, 7))
    assert np.array_equal(found.v2t, metrics.v2t_ranks(scores, targets))
    assert np.array_equal(found.predicted, [column.argmax() for column in scores.T])
    expected = metrics.t2v_hits(scores, targets, (1, 7))
    for ours, theirs in zip(found.t2v[:2], expected[:2], strict=True):
        assert np.array_equal(ours, theirs)
    assert {k: of.tolist() for k, of in found.t2v.hits.items()} == {
        k: of.tolist() for k, of in expected.hits.items()
    }
    assert found.texts == 5


@pytest.mark.parametrize("labels", [metrics.ROWS, metrics.ROWS + 1, 3 * metrics.ROWS + 7])
def test_labels_counted_in_parts_are_all_counted(labels):
    # every label but the targets one, which is the last, is above: no count may wrap
    scores = np.ones((labels, 3), np.float32)
    scores[-1] = 0
    assert metrics.v2t_ranks(scores, [labels - 1] * 3).tolist() == [labels] * 3
    scores[-1] = 1  # all tied: the same ranks, by index
    assert metrics.v2t_ranks(scores, [labels - 1, 0, labels - 2]).tolist() == [
        labels,
        1,
        labels - 1,
    ]
