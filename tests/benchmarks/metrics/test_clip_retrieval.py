"""Retrieval of clips by clips, against scikit-learn, by simulation and by its properties."""

import itertools

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from benchmarks.metrics import clip_retrieval, rank_units


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
    for query, rank, nearest in zip(
        found.queries, found.first_rank.stored(), found.nearest, strict=True
    ):
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
        assert found.first_rank.stored() == whole.first_rank.stored()
        for name in ("queries", "nearest", "positives"):
            assert np.array_equal(getattr(found, name), getattr(whole, name))


@pytest.mark.parametrize("values", [[0, 0, 0, 0, 0], [1, 1, 1, -1, -1], [1, -1, 1, 1, -1]])
def test_tied_clips_give_the_mean_over_all_orders(values):
    labels = ["a", "b", "a", "a", "b"]
    found = clip_retrieval.retrieve(np.array(values, np.float32)[:, None], labels)
    for row, query in enumerate(found.queries):
        others = np.delete(np.arange(5), query)
        first, average = [], []
        for order in itertools.permutations(others):
            ranked = sorted(order, key=lambda clip: -values[clip] * values[query])
            right = np.array([labels[clip] == labels[query] for clip in ranked])
            first.append(1 / (right.argmax() + 1))
            average.append((np.cumsum(right) / np.arange(1, 5))[right].mean())
        units = rank_units(found.first_rank[row : row + 1])
        assert units["MRR"][0] == pytest.approx(np.mean(first))
        assert found.average_precision[row] == pytest.approx(np.mean(average))


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
    rng = np.random.default_rng(0)
    right = np.arange(candidates) < positives
    orders = np.array([rng.permutation(right) for _ in range(4000)])
    precision = np.cumsum(orders, axis=1) / np.arange(1, candidates + 1)
    average = (precision * orders).sum(axis=1) / positives
    [chance] = clip_retrieval.chance_average_precision([positives], candidates)
    assert average.mean() == pytest.approx(chance, abs=5 * average.std() / 63 + 1e-9)


def test_embeddings_that_are_all_equal_have_chance_as_average_precision():
    labels = [str(i % 3) for i in range(10)]
    found = clip_retrieval.retrieve(np.ones((10, 2), np.float32), labels)
    chance = clip_retrieval.chance_average_precision(found.positives, 9)
    assert found.average_precision == pytest.approx(chance)
