"""Unique rows of embeddings, so that equal embeddings are multiplied once and tie everywhere.

Decision: rows are equal if all their float32 numbers are (-0 and 0 are). Candidates are found by a
64-bit hash of each row and then compared number by number, so a collision of hashes costs time and
changes nothing.

Cost: one pass over the rows, 2 ns a number, and another over those that repeat; `step` rows in
memory at a time, so a memory map will do.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

STEP = 512


class UniqueRows(NamedTuple):
    """The distinct rows of a matrix, numbered by first occurrence.

    Attributes:
        first: int64 (distinct,), where each occurs first, ascending.
        of_row: int64 (rows,), the number of each row's distinct one.
        counts: int64 (distinct,), how often each occurs.
    """

    first: NDArray[np.int64]
    of_row: NDArray[np.int64]
    counts: NDArray[np.int64]


def unique_rows(values: NDArray) -> UniqueRows:
    """Find the distinct rows of (rows, dims), compared as float32."""
    _, first, group = np.unique(_hashes(values), return_index=True, return_inverse=True)
    leader = first[group]  # the row that each is compared with
    suspects = np.flatnonzero(leader != np.arange(len(values)))
    while len(suspects):
        others = suspects[~_equal(values, suspects, leader[suspects])]
        # of rows that share but a hash with their leader, the first one leads the others
        _, at, group = np.unique(leader[others], return_index=True, return_inverse=True)
        leader[others] = others[at][group]
        suspects = others[leader[others] != others]
    first = np.unique(leader)
    of_row = np.searchsorted(first, leader)
    return UniqueRows(first, of_row, np.bincount(of_row, minlength=len(first)))


def _hashes(values: NDArray) -> NDArray[np.uint64]:
    """A sum of each row's bits with odd random factors, modulo 2^64: uint64 (rows,)."""
    factors = np.random.default_rng(0).integers(0, 2**63, values.shape[1], np.uint64) * 2 + 1
    found = np.empty(len(values), np.uint64)
    for start in range(0, len(values), STEP):
        bits = _float32(values[start : start + STEP]).view(np.uint32)
        found[start : start + STEP] = (bits * factors).sum(axis=1, dtype=np.uint64)
    return found


def _equal(values: NDArray, rows: NDArray, others: NDArray) -> NDArray[np.bool_]:
    equal = np.empty(len(rows), bool)
    for start in range(0, len(rows), STEP):
        part = slice(start, start + STEP)
        equal[part] = (_float32(values[rows[part]]) == _float32(values[others[part]])).all(axis=1)
    return equal


def _float32(rows: NDArray) -> NDArray[np.float32]:
    return np.ascontiguousarray(rows, np.float32) + np.float32(0)  # -0 becomes 0
