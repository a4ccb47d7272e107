"""The best rows are those of a full sort in float64, whatever the blocks; ties go by row."""

import numpy as np
import pytest

from signclip.search import exact


def norms(matrix: np.ndarray) -> np.ndarray:
    return np.sqrt((matrix.astype(np.float64) ** 2).sum(axis=1))


def sorted_rows(
    matrix: np.ndarray, query: np.ndarray, k: int, *, cosine: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Rows and scores by numpy's stable sort of all scores, row by row in float64."""
    wide = matrix.astype(np.float64)
    scores = (wide * query.astype(np.float64)).sum(axis=1)
    if cosine:
        lengths = norms(matrix)
        scores = scores / np.where(lengths > 0, lengths, 1)
        scores = scores / np.linalg.norm(query.astype(np.float64))
    rounded = scores.astype(np.float32)
    order = np.argsort(-rounded, kind="stable")[:k]
    return order, rounded[order]


def random(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


@pytest.mark.parametrize("cosine", [False, True])
@pytest.mark.parametrize("block", [1, 7, 100, 1000, 5000])
@pytest.mark.parametrize("k", [1, 10, 2000])
def test_blocks_find_what_a_full_sort_finds(k, block, cosine):
    matrix, queries = random(1003, 24), random(5, 24, seed=1)
    matrix[::3] *= 40
    matrix[17] = 0
    found = exact.best(matrix, norms(matrix), queries, k, cosine=cosine, block=block)
    for query, best in zip(queries, found, strict=True):
        rows, scores = sorted_rows(matrix, query, k, cosine=cosine)
        assert np.array_equal(best.rows, rows)
        assert np.array_equal(best.scores, scores)
        assert best.scores.dtype == np.float32


@pytest.mark.parametrize("order", [1, -1])
def test_sorted_scores_are_no_worst_case(order):
    matrix = np.linspace(-1, 1, 3000, dtype=np.float32)[::order, None].repeat(4, axis=1)
    (best,) = exact.best(matrix, norms(matrix), np.ones((1, 4), np.float32), 5, block=64)
    expected = range(2999, 2994, -1) if order == 1 else range(5)
    assert best.rows.tolist() == list(expected)


@pytest.mark.parametrize("dims", [5, 16, 33, 128])
def test_equal_embeddings_tie_and_go_by_row_wherever_they_lie(dims):
    matrix, query = random(500, dims), random(1, dims, seed=2)
    twins = [3, 63, 64, 200, 499]
    matrix[twins] = query / 2 + 3 * query
    for block in (64, 100, 500):
        (best,) = exact.best(matrix, norms(matrix), query, 6, block=block)
        assert best.rows[:5].tolist() == twins
        assert len(set(best.scores[:5].tolist())) == 1


def test_a_constant_matrix_gives_its_first_rows():
    matrix = np.full((5000, 8), 0.1, dtype=np.float32)
    (best,) = exact.best(matrix, norms(matrix), random(1, 8), 7, block=512)
    assert best.rows.tolist() == list(range(7))


def test_what_float32_cannot_tell_apart_is_told_apart():
    """Two rows whose float32 products with a query may round either way."""
    query = np.array([[1, 1, 1]], dtype=np.float32)
    large, small = 2.0**24, 1.0
    matrix = np.array([[large, small, -large], [large, 2 * small, -large]], dtype=np.float32)
    (best,) = exact.best(matrix, norms(matrix), query, 1)
    assert (best.rows.tolist(), best.scores.tolist()) == ([1], [2.0])


def test_only_allowed_rows_are_found():
    matrix, queries = random(400, 6), random(3, 6, seed=1)
    allowed = np.zeros(400, dtype=bool)
    allowed[[1, 5, 200, 399]] = True
    for block in (50, 400):
        found = exact.best(matrix, norms(matrix), queries, 10, allowed=allowed, block=block)
        for query, best in zip(queries, found, strict=True):
            rows, scores = sorted_rows(matrix[allowed], query, 10)
            assert best.rows.tolist() == np.flatnonzero(allowed)[rows].tolist()
            assert np.array_equal(best.scores, scores)
    nothing = exact.best(matrix, norms(matrix), queries, 10, allowed=np.zeros(400, dtype=bool))
    assert [len(best.rows) for best in nothing] == [0, 0, 0]


def test_many_queries_give_what_each_alone_gives():
    matrix, queries = random(300, 9), random(exact.QUERIES + 5, 9, seed=1)
    together = exact.best(matrix, norms(matrix), queries, 4, scale=2.5)
    for query, best in zip(queries, together, strict=True):
        (alone,) = exact.best(matrix, norms(matrix), query[None], 4, scale=2.5)
        assert np.array_equal(alone.rows, best.rows)
        assert np.array_equal(alone.scores, best.scores)


def test_no_rows_and_no_queries():
    nothing = np.empty((0, 3), dtype=np.float32)
    (best,) = exact.best(nothing, norms(nothing), random(1, 3), 2)
    assert len(best.rows) == len(best.scores) == 0
    assert exact.best(random(4, 3), norms(random(4, 3)), nothing, 2) == []


def test_a_matrix_that_is_not_finite_is_refused():
    matrix = random(10, 3)
    matrix[4, 1] = np.nan
    with pytest.raises(FloatingPointError):
        exact.best(matrix, np.ones(10), random(1, 3), 2)
