"""Retrieval over folds: the paper's definitions, pooled, with chance beside."""

import numpy as np
import pytest

from benchmarks import metrics
from benchmarks.metrics import scoring

LABELS, CLIPS = 6, 30


def made(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores (labels, clips) and each clip's label."""
    rng = np.random.default_rng(seed)
    targets = np.arange(CLIPS) % LABELS
    scores = rng.normal(size=(LABELS, CLIPS)) + 1.5 * (np.arange(LABELS)[:, None] == targets)
    return scores.astype(np.float32), targets


def ranks(scores: np.ndarray, targets: np.ndarray) -> metrics.Ranks:
    return metrics.ranks(scores, targets, scoring.KS)


def fold(seed: int) -> metrics.Ranks:
    return ranks(*made(seed))


def test_one_folds_metrics_are_the_references():
    scores, targets = made(0)
    texts = [f"letter {i}" for i in targets]
    reference = metrics.reference_retrieval(scores[targets], texts)
    ours = scoring.score_galleries([ranks(scores, targets)])
    for k in (1, 5, 10):
        assert ours[f"V2T_R@{k}"].value == pytest.approx(reference["v2t"][f"R{k}"], abs=1e-12)
        assert ours[f"T2V_P@{k}"].value == pytest.approx(reference["t2v"][f"P{k}"], abs=1e-12)
    assert ours["V2T_MedianR"].value == reference["v2t"]["MedianR"]
    assert ours["T2V_MedianR"].value == reference["t2v"]["MedianR"]


def test_folds_are_pooled_over_clips():
    folds = [fold(seed) for seed in range(3)]
    each = [scoring.score_galleries([one])["V2T_R@1"].value for one in folds]
    assert scoring.score_galleries(folds)["V2T_R@1"].value == pytest.approx(np.mean(each))


def test_every_score_lies_in_its_interval_and_names_its_chance():
    for name, score in scoring.score_galleries([fold(1), fold(2)]).items():
        assert score.low <= score.value <= score.high, name
        assert score.chance > 0, name


def test_random_scores_come_out_at_chance():
    rng = np.random.default_rng(0)
    targets = np.arange(600) % LABELS
    random = ranks(rng.normal(size=(LABELS, 600)).astype(np.float32), targets)
    for name, score in scoring.score_galleries([random]).items():
        if name.startswith("V2T_R"):
            assert score.low <= score.chance <= score.high, name


def test_several_seeds_average_each_clip_before_the_bootstrap():
    folds = [fold(1), fold(2)]
    one, same = scoring.score_galleries(folds), scoring.score_galleries(folds, folds)
    assert same == one  # seeds that agree add no certainty
    other = [ranks(-scores, targets) for scores, targets in (made(1), made(2))]
    both = scoring.score_galleries(folds, other)
    for name in ("V2T_R@1", "T2V_P@5"):
        mean = (one[name].value + scoring.score_galleries(other)[name].value) / 2
        assert both[name].value == pytest.approx(mean)
    each = np.concatenate([one.v2t.low for side in (folds, other) for one in side])
    assert both["V2T_MedianR"].value == np.median(each)  # of all seeds
    assert both["V2T_R@1"].chance == one["V2T_R@1"].chance


def test_queries_of_a_clip_are_averaged_before_the_bootstrap():
    candidates = [np.array([2, 2, 4, 4]), np.array([10])]
    ranks = [metrics.TiedRanks.of(one) for one in ([1, 2, 2, 1], [7])]
    found = scoring.score_candidates(ranks, candidates)
    assert found["V2T_R@1"].value == pytest.approx((0.5 + 0) / 2)
    assert found["V2T_R@1"].chance == pytest.approx(((0.5 + 0.5 + 0.25 + 0.25) / 4 + 0.1) / 2)
    assert found["V2T_R@10"].value == found["V2T_R@10"].chance == 1
    assert found["V2T_MedianR"].value == (2 + 7) / 2  # half of the weight lies on each clip
    assert found["V2T_MRR"].value == pytest.approx((0.75 + 1 / 7) / 2)
    harmonic = {n: sum(1 / r for r in range(1, n + 1)) / n for n in (2, 4, 10)}
    of_clips = (harmonic[2] + harmonic[4]) / 2, harmonic[10]
    assert found["V2T_MRR"].chance == pytest.approx(sum(of_clips) / 2)
    assert found["V2T_MeanR"].chance == pytest.approx(((1.5 + 2.5) / 2 + 5.5) / 2)
    tied = scoring.score_candidates([metrics.TiedRanks.of([1], [4], [2])], [[9]], [[3]])
    assert tied["V2T_R@1"].value == pytest.approx(2 / 5)
    assert tied["V2T_R@1"].chance == pytest.approx(3 / 9)


def test_an_encoder_that_says_nothing_gets_chance_in_every_metric():
    nothing = [ranks(np.zeros((n, 11), np.float32), np.arange(11) % n) for n in (3, 5)]
    for name, score in scoring.score_galleries(nothing, nothing).items():
        assert score.value == pytest.approx(score.chance), name


def test_chance_is_that_of_each_folds_own_gallery():
    small = ranks(np.zeros((2, 1), np.float32), np.array([0]))
    large = ranks(np.zeros((10, 3), np.float32), np.array([0, 1, 2]))
    found = scoring.score_galleries([small, large])
    assert found["V2T_R@1"].chance == pytest.approx((1 / 2 + 3 * 1 / 10) / 4)
    # one query among one clip, three among three
    assert found["T2V_R@1"].chance == pytest.approx((1 + 3 * 1 / 3) / 4)
    assert found["T2V_MRR"].chance == pytest.approx((1 + (1 + 1 / 2 + 1 / 3)) / 4)
