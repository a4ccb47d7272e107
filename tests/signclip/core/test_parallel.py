"""Parallel work: in order, bounded, the same as one after the other."""

import os

import pytest

from signclip.core.parallel import chunks, ordered


def square(number: int) -> int:
    if number == 13:
        raise ValueError("unlucky")
    return number * number


def whose(_: int) -> int:
    return os.getpid()


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_pieces(workers):
    assert list(ordered(square, range(10), workers=workers)) == [n * n for n in range(10)]
    assert list(ordered(square, [], workers=workers)) == []


def test_one_worker_is_this_process_and_more_are_others():
    assert set(ordered(whose, range(3), workers=1)) == {os.getpid()}
    assert os.getpid() not in set(ordered(whose, range(3), workers=2))


def test_no_more_than_a_few_pieces_are_taken_ahead():
    taken = []
    pieces = (taken.append(n) or n for n in range(12))
    results = ordered(square, pieces, workers=2)
    next(results)
    assert len(taken) <= 5
    assert list(results) == [n * n for n in range(1, 12)]


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_comes_through_at_its_place(workers):
    results = ordered(square, [2, 13, 3], workers=workers)
    assert next(results) == 4
    with pytest.raises(ValueError, match="unlucky"):
        next(results)


def test_chunks_are_slices_of_at_most_the_size():
    assert [list(part) for part in chunks(list(range(5)), 2)] == [[0, 1], [2, 3], [4]]
    assert list(chunks([], 2)) == []
