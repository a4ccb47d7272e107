"""Retrieval of clips by clips, against scikit-learn, by simulation and by its properties."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from benchmarks.metrics import clip_retrieval, intervals, rank_units

KS = (1, 5, 10)


@pytest.fixture
def clips():
    rng = np.random.default_rng(0)
    return rng.normal(size=(60, 5)).astype(np.float32), [str(x) for x in rng.integers(0, 25, 60)]


def test_average_precision_is_scikit_learns(clips):
    vectors, labels = clips
    found = clip_retrieval.retrieve(vectors, labels)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    for query, average, positives in zip(
        found.queries, found.average_precision, found.positives, strict=True
    ):
        others = np.delete(np.arange(len(labels)), query)
        right = [labels[i] == labels[query] for i in others]
        assert positives == sum(right)
        expected = average_precision_score(right, unit[others] @ unit[query])
        assert average == pytest.approx(expected, abs=1e-6)


def test_the_first_right_clip_has_the_first_rank(clips):
    vectors, labels = clips
    found = clip_retrieval.retrieve(vectors, labels)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    for query, rank, nearest in zip(found.queries, found.first_rank, found.nearest, strict=True):
        others = np.delete(np.arange(len(labels)), query)
        order = others[np.argsort(-(unit[others] @ unit[query]), kind="stable")]
        assert order[0] == nearest
        assert [labels[i] for i in order].index(labels[query]) + 1 == rank


def test_chunks_and_lengths_change_nothing(clips):
    vectors, labels = clips
    whole = clip_retrieval.retrieve(vectors, labels)
    scaled = vectors * np.random.default_rng(1).uniform(1, 9, (60, 1)).astype(np.float32)
    for found in (
        clip_retrieval.retrieve(vectors, labels, chunk=7),
        clip_retrieval.retrieve(scaled, labels),
    ):
        assert all(np.array_equal(a, b) for a, b in zip(whole[:4], found[:4], strict=True))


def test_a_clip_whose_label_is_alone_is_no_query():
    found = clip_retrieval.retrieve(np.eye(3, dtype=np.float32), ["a", "b", "a"])
    assert found.queries.tolist() == [0, 2]
    assert not len(clip_retrieval.retrieve(np.eye(3), ["a", "b", "c"]).queries)


def test_odd_input_is_refused():
    with pytest.raises(ValueError, match="for 2 labels"):
        clip_retrieval.retrieve(np.eye(3), ["a", "b"])
    with pytest.raises(ValueError, match="clip 1 is not finite"):
        clip_retrieval.retrieve(np.array([[1.0], [np.nan]]), ["a", "a"])


@pytest.mark.parametrize(("positives", "candidates"), [(1, 1), (1, 9), (3, 9), (9, 9), (2, 40)])
def test_chance_is_that_of_random_orders(positives, candidates):
    expected = clip_retrieval.chance_first_hit(positives, candidates, KS)
    rng = np.random.default_rng(0)
    right = np.arange(candidates) < positives
    orders = np.array([rng.permutation(right) for _ in range(4000)])
    units = rank_units(orders.argmax(axis=1) + 1)
    for name, value in expected.items():
        if name == "MedianR" or name not in units:
            continue
        spread = 5 * np.std(units[name]) / np.sqrt(len(orders)) + 1e-9
        assert np.mean(units[name]) == pytest.approx(value, abs=spread), name
    precision = np.cumsum(orders, axis=1) / np.arange(1, candidates + 1)
    average = (precision * orders).sum(axis=1) / positives
    [chance] = clip_retrieval.chance_average_precision([positives], candidates)
    assert average.mean() == pytest.approx(chance, abs=5 * average.std() / 63 + 1e-9)


def test_with_one_right_clip_chance_is_that_of_a_text():
    for candidates in (1, 2, 7, 30):
        found = clip_retrieval.chance_first_hit(1, candidates, KS)
        assert found == pytest.approx(intervals.chance_v2t(candidates, KS))
    found, known = clip_retrieval.chance_first_hit(4, 30, KS), intervals.chance_t2v([4], 30, KS)
    for name in ("R@1", "R@5", "R@10", "MRR", "MedianR", "MeanR"):
        assert found[name] == pytest.approx(known[name])
