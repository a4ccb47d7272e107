"""Integer keys that order clips as scores do, each with the number of clips that it stands for.

One int64 holds a float32 score and how many clips have this embedding, so the best clips of a text
are kept and merged by comparing integers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

EMPTY = np.iinfo(np.int64).min  # a key below that of every clip, of no clips


def keys_of(scores: NDArray[np.float32], clips: NDArray[np.int64]) -> NDArray[np.int64]:
    """One integer per embedding, larger if it scores higher; ``clips``: how many have it."""
    bits = (scores + 0).view(np.int32).astype(np.int64)  # + 0: -0 and 0 are equal scores
    return _ordered(bits) * 2**32 + clips


def clips_of(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """The number of clips in each key."""
    return keys % 2**32


def score_of(keys: NDArray[np.int64]) -> NDArray[np.float32]:
    """The score in each key; NaN in an empty one."""
    return _ordered(keys >> 32).astype(np.int32).view(np.float32)


def _ordered(bits: NDArray[np.int64]) -> NDArray[np.int64]:
    """The bits of float32 numbers as integers in the order of the numbers; its own inverse."""
    return np.where(bits < 0, -(2**31) - 1 - bits, bits)
