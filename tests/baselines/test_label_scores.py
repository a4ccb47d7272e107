"""Unknown labels score below all others; a clip's scores do not depend on other clips."""

import numpy as np

from baselines.label_scores import by_label


def test_scores_follow_the_queried_order_with_unknown_labels_below_all():
    scores = np.array([[0.1, -900.0], [0.7, -2.0]])
    found = by_label(scores, ["a", "b"], ["b", "x", "a", "y"])
    assert found.dtype == np.float32
    assert np.allclose(found[[2, 0]], scores)
    assert (found[[1, 3]] < found[[0, 2]].min(axis=0)).all()
    assert (found[1] == found[3]).all()


def test_impossible_labels_come_last_but_above_unknown_ones():
    scores = np.array([[-np.inf, -np.inf], [-1e6, -np.inf], [3.0, -np.inf]])
    found = by_label(scores, list("abc"), list("xcba"))
    assert np.isfinite(found).all()
    assert (np.argsort(-found[:, 0]) == [1, 2, 3, 0]).all()
    assert found[0, 1] < found[1:, 1].min() == found[1:, 1].max()


def test_a_clips_scores_do_not_depend_on_other_clips():
    scores = np.random.default_rng(0).normal(size=(3, 5)) * 10.0 ** np.arange(5)
    whole = by_label(scores, list("abc"), list("axc"))
    for clip in range(5):
        assert (by_label(scores[:, [clip]], list("abc"), list("axc"))[:, 0] == whole[:, clip]).all()
