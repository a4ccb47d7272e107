"""What a picture's places are."""

import numpy as np
import pytest

from benchmarks.report.figures.fingerclip import spread_out


@pytest.mark.parametrize("seed", range(3))
def test_boxes_are_moved_apart_and_no_further_than_needed(seed):
    rng = np.random.default_rng(seed)
    places = rng.uniform(0, 10, (26, 2)).astype(np.float32)
    places[1] = places[0]
    moved = spread_out(places, least=0.8)
    first, second = np.triu_indices(26, 1)
    apart = np.hypot(*(moved[first] - moved[second]).T)
    assert apart.min() >= 0.8 - 1e-6
    assert np.abs(moved - places).max() < 3
    far = np.array([[0, 0], [5, 5]])
    assert np.array_equal(spread_out(far, least=1), far)
