"""Ranks from embeddings equal those on the matrix, whatever the chunks, threads and ties."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import metrics
from benchmarks.metrics import keys, streaming, unique

K = (1, 3, 10)


def random_case(clips, texts, dims, seed=0):
    """Numbers whose products round, so that another order of summing gives other scores."""
    rng = np.random.default_rng(seed)
    made = [rng.standard_normal((rows, dims), dtype=np.float32) for rows in (clips, texts)]
    return *made, rng.integers(0, texts, clips)


def duplicated_case(clips, texts, dims, seed=0):
    """Half of the clips and texts repeat others, at random places: ties in both directions."""
    clip_rows, text_rows, targets = random_case(clips, texts, dims, seed)
    rng = np.random.default_rng(seed + 1)
    for rows in (clip_rows, text_rows):
        chosen = rng.permutation(len(rows))
        half = len(rows) // 2
        rows[chosen[:half]] = rows[rng.choice(chosen[half:], half)]
    return clip_rows, text_rows, targets


def assert_equal(got, expected):
    assert got.v2t.stored() == expected.v2t.stored()
    assert np.array_equal(got.predicted, expected.predicted)
    assert_same_hits(got.t2v, expected.t2v)


def assert_same_hits(got, expected):
    assert np.array_equal(got.labels, expected.labels)
    assert got.first_rank.stored() == expected.first_rank.stored()
    assert np.array_equal(got.positives, expected.positives)
    assert got.hits.keys() == expected.hits.keys()
    for depth in expected.hits:
        assert np.allclose(got.hits[depth], expected.hits[depth], rtol=1e-12), depth


def assert_equals_the_matrix(got, matrix, targets, k=K):
    assert got.v2t.stored() == metrics.v2t_ranks(matrix, targets).stored()
    assert np.array_equal(got.predicted, matrix.argmax(axis=0))
    assert_same_hits(got.t2v, metrics.t2v_hits(matrix, targets, k))


@st.composite
def small_cases(draw):
    """Whole numbers, whose products are exact in any order: few distinct scores, many ties."""
    clips, texts = draw(st.integers(1, 12)), draw(st.integers(1, 6))
    row = st.lists(st.integers(-1, 1), min_size=2, max_size=2)
    return (
        np.array(draw(st.lists(row, min_size=clips, max_size=clips)), np.float32),
        np.array(draw(st.lists(row, min_size=texts, max_size=texts)), np.float32),
        np.array(draw(st.lists(st.integers(0, texts - 1), min_size=clips, max_size=clips))),
    )


@given(small_cases(), st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_ranks_equal_those_on_a_plain_product(case, workers):
    clips, texts, targets = case
    assert_equals_the_matrix(
        streaming.ranks(clips, texts, targets, K, workers=workers), texts @ clips.T, targets
    )


@given(st.integers(1, 40), st.integers(1, 30), st.integers(0, 2**32 - 2), st.booleans())
@settings(max_examples=30, deadline=None)
def test_ranks_equal_those_on_the_matrix_of_the_same_scores(tile_clips, texts, seed, duplicated):
    make = duplicated_case if duplicated else random_case
    # the number of clips steps over the border of a tile
    clips, texts, targets = make(streaming.TILE - 20 + tile_clips, texts, 7, seed)
    matrix = streaming.score_matrix(clips, texts, targets)
    assert np.allclose(matrix, texts @ clips.T, atol=1e-4)
    assert_equals_the_matrix(streaming.ranks(clips, texts, targets, K), matrix, targets)


@pytest.mark.parametrize("make", [random_case, duplicated_case])
def test_neither_chunks_nor_threads_change_a_rank(make):
    clips, texts, targets = make(9 * streaming.TILE + 5, 2 * streaming.TILE + 3, 33)
    matrix = streaming.score_matrix(clips, texts, targets)
    found = [
        streaming.ranks(clips, texts, targets, K, workers=workers, budget=budget)
        for workers, budget in ((1, 0), (1, 2**30), (2, 0), (3, streaming.BUDGET))
    ]
    assert_equals_the_matrix(found[0], matrix, targets)
    for other in found[1:]:
        assert_equal(other, found[0])


def test_a_budget_decides_how_many_clips_are_held(monkeypatch):
    clips, texts, targets = random_case(20 * streaming.TILE, 5, 8)
    job = streaming._Job(clips, texts, targets)
    assert {len(rows) for rows in job.chunks(1, 0)} == {streaming.TILE}
    assert len(job.chunks(1, 2**30)) == 10
    for workers, budget in ((1, 0), (1, 2**30), (3, 0)):
        chunks = job.chunks(workers, budget)
        assert [clip for rows in chunks for clip in rows] == list(range(len(clips)))
        assert all(rows.start % streaming.TILE == 0 for rows in chunks)


@pytest.mark.parametrize("dims", [1, 5, 64, 768])
def test_equal_embeddings_have_equal_scores_wherever_they_lie(dims):
    clips, texts, targets = random_case(streaming.TILE + 40, streaming.TILE + 9, dims)
    clips[::3], texts[::2] = clips[0], texts[0]
    matrix = streaming.score_matrix(clips, texts, targets)
    assert np.unique(matrix[::2, ::3]).size == 1
    assert_equals_the_matrix(streaming.ranks(clips, texts, targets, K), matrix, targets)
    # a collapsed encoder: every rank is open
    clips[:], texts[:] = clips[0], texts[0]
    found = streaming.ranks(clips, texts, targets)
    assert set(map(tuple, found.v2t.stored())) == {(1, len(texts))}
    assert found.t2v.first_rank.tied.tolist() == [len(clips)] * len(found.t2v.labels)
    assert found.t2v.hits[5] == pytest.approx(5 * found.t2v.positives / len(clips))
    assert not found.predicted.any()


def test_equal_embeddings_tie_even_where_a_product_depends_on_its_place(monkeypatch):
    multiply = streaming._Tiles.multiply

    def odd(tiles, number):
        scores = multiply(tiles, number)
        scores += 1e-3 * np.arange(streaming.TILE, dtype=np.float32)  # a BLAS that rounds by place
        scores += 1e-3 * np.arange(streaming.TILE, dtype=np.float32)[:, None]
        return scores

    monkeypatch.setattr(streaming._Tiles, "multiply", odd)
    clips, texts, targets = duplicated_case(40, 12, 3)
    matrix = streaming.score_matrix(clips, texts, targets)
    for rows, scores in ((clips, matrix.T), (texts, matrix)):
        for one, same in itertools.combinations(range(len(rows)), 2):
            if (rows[one] == rows[same]).all():
                assert np.array_equal(scores[one], scores[same])
    assert_equals_the_matrix(streaming.ranks(clips, texts, targets, K), matrix, targets)


def test_rows_that_share_but_a_hash_are_told_apart(monkeypatch):
    rows = np.array([[1, 2], [3, 4], [1, 2], [-0.0, 5], [3, 4], [0, 5], [7, 7]], np.float32)
    expected = unique.UniqueRows([0, 1, 3, 6], [0, 1, 0, 2, 1, 2, 3], [2, 2, 2, 1])
    for collide in (False, True):
        if collide:
            monkeypatch.setattr(unique, "_hashes", lambda rows: np.zeros(len(rows), np.uint64))
        found = unique.unique_rows(rows)
        assert [part.tolist() for part in found] == list(expected)


def test_a_clip_never_outranks_itself_by_rounding():
    # one text: its rank can only be 1, and its best clip is found at the place of its score
    clips, texts, targets = random_case(3 * streaming.TILE + 1, 1, 768)
    found = streaming.ranks(clips, texts, targets)
    assert found.v2t.stored() == [1] * len(clips)
    assert found.t2v.first_rank.stored() == [1]
    # every clip its targets text, at 768 numbers each: the count of clips above is the matrix's
    clips, texts, _ = random_case(700, 700, 768)
    targets = np.random.default_rng(5).permutation(700)
    matrix = streaming.score_matrix(clips, texts, targets)
    assert_equals_the_matrix(streaming.ranks(clips, texts, targets, K), matrix, targets)


def test_a_product_that_differs_at_the_second_time_is_an_error(monkeypatch):
    clips, texts, targets = random_case(30, 4, 8)
    choose = streaming._Job.choose_best

    def disturbed(job):
        choose(job)
        job.target_score[3] = np.nextafter(job.target_score[3], np.float32(np.inf))

    monkeypatch.setattr(streaming._Job, "choose_best", disturbed)
    with pytest.raises(RuntimeError, match="other scores the second time"):
        streaming.ranks(clips, texts, targets)


def test_embeddings_are_read_from_memory_maps_and_left_as_they_are(tmp_path):
    clips, texts, targets = random_case(1100, 30, 16)
    expected = streaming.ranks(clips, texts, targets, K)
    for name, rows in (("clips", clips), ("texts", texts)):
        rows.tofile(tmp_path / name)
    maps = [
        np.memmap(tmp_path / name, np.float32, mode="r", shape=rows.shape)
        for name, rows in (("clips", clips), ("texts", texts))
    ]
    assert_equal(streaming.ranks(*maps, targets, K), expected)
    assert np.array_equal(maps[0], clips)


def test_other_number_types_are_compared_as_float32():
    clips, texts, targets = random_case(40, 9, 5)
    wide = clips.astype(np.float64) * (1 + 1e-12)  # equal in float32
    assert_equal(
        streaming.ranks(wide, texts, targets, K), streaming.ranks(clips, texts, targets, K)
    )
    half = clips.astype(np.float16)
    assert_equal(
        streaming.ranks(half, texts, targets, K),
        streaming.ranks(half.astype(np.float32), texts, targets, K),
    )


def test_a_depth_beyond_the_gallery_counts_all_positives():
    clips, texts, targets = random_case(12, 3, 4)
    matrix = streaming.score_matrix(clips, texts, targets)
    found = streaming.ranks(clips, texts, targets, (100,))
    assert_same_hits(found.t2v, metrics.t2v_hits(matrix, targets, (100,)))
    assert np.array_equal(found.t2v.hits[100], found.t2v.positives)


def test_keys_order_clips_by_score():
    scores = np.array([0, -0.0, 1e-40, -1e-40, 3, -3, 3, np.finfo(np.float32).min], np.float32)
    clips = np.array([9, 2, 5, 5, 2**32 - 1, 0, 1, 7])
    found = keys.keys_of(scores, clips)
    assert np.argsort(-found).tolist() == np.lexsort((-clips, -scores)).tolist()
    assert np.array_equal(keys.clips_of(found), clips)
    assert np.array_equal(keys.score_of(found), scores)
    assert found.min() > keys.EMPTY


def test_zeros_of_both_signs_tie():
    clips = np.array([[-1], [1], [1]], np.float32)
    texts = np.zeros((2, 1), np.float32)  # scores -0, 0, 0
    assert_equals_the_matrix(
        streaming.ranks(clips, texts, [1, 1, 0], (1, 2)), np.zeros((2, 3)), [1, 1, 0], (1, 2)
    )


# refusals


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["clips", "texts"])
def test_an_embedding_that_is_not_finite_is_named(name, value):
    clips, texts, targets = random_case(streaming.TILE + 30, streaming.TILE + 20, 3)
    rows = {"clips": clips, "texts": texts}[name]
    rows[streaming.TILE + 7, 2] = rows[streaming.TILE + 9, 0] = value
    with pytest.raises(ValueError, match=rf"{name}\[{streaming.TILE + 7}, 2\] is -?(nan|inf)"):
        streaming.ranks(clips, texts, targets)


def test_an_embedding_that_overflows_float32_is_named():
    clips, texts, targets = random_case(3, 2, 2)
    wide = clips.astype(np.float64)
    wide[1, 0] = 1e300
    with pytest.raises(ValueError, match=r"clips\[1, 0\] is inf in float32"):
        streaming.ranks(wide, texts, targets)


@pytest.mark.parametrize("at", [0, 1], ids=["targets text", "another text"])
def test_a_score_that_overflows_is_named_by_clip_and_text(at):
    clips, texts = np.ones((4, 2), np.float32), np.ones((3, 2), np.float32)
    clips[2], texts[at] = 1e30, 1e30
    with pytest.raises(ValueError, match=rf"score of clips\[2\] and texts\[{at}\] is inf"):
        streaming.ranks(clips, texts, [1, 2, 0, 0])


def test_large_scores_that_do_not_overflow_are_ranked():
    clips, texts = np.full((3, 2), 1e18, np.float32), np.full((2, 2), 5e19, np.float32)
    assert streaming.ranks(clips, texts, [1, 0, 1]).v2t.stored() == [[1, 2]] * 3


@pytest.mark.parametrize(
    ("clips", "texts", "targets", "message"),
    [
        (np.zeros((0, 3)), np.zeros((2, 3)), [], r"clips must be numbers .*\(0, 3\)"),
        (np.zeros((2, 3)), np.zeros(3), [0, 0], r"texts must be numbers .*\(3,\)"),
        (np.zeros((2, 3)), np.zeros((2, 4)), [0, 0], "the same dims"),
        (np.zeros((2, 3)), np.array([["a"]]), [0, 0], "texts must be numbers"),
        (np.zeros((2, 3)), np.zeros((2, 3)), [0], "targets must be 2 ints"),
        (np.zeros((2, 3)), np.zeros((2, 3)), [0.0, 1.0], "targets must be 2 ints"),
        (np.zeros((2, 3)), np.zeros((2, 3)), [0, 2], r"targets\[1\] is 2"),
        (np.zeros((2, 3)), np.zeros((2, 3)), [-1, 1], r"targets\[0\] is -1"),
    ],
)
def test_wrong_input_is_refused(clips, texts, targets, message):
    with pytest.raises(ValueError, match=message):
        streaming.ranks(clips, texts, targets)


def test_a_depth_or_workers_below_one_are_refused():
    clips, texts, targets = random_case(3, 2, 2)
    for k in ((), (0, 1)):
        with pytest.raises(ValueError, match="depths of at least 1"):
            streaming.ranks(clips, texts, targets, k)
    with pytest.raises(ValueError, match="workers must be at least 1"):
        streaming.ranks(clips, texts, targets, workers=0)
