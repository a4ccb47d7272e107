"""Verdicts on numbers and claims, and the coefficient of variation."""

import numpy as np
import pytest

from benchmarks.report import verdicts
from benchmarks.report.verdicts import Measured

PUBLISHED = {"value": "0.3862", "tolerance": "0.03"}


@pytest.mark.parametrize(
    ("measured", "verdict"),
    [
        (Measured(0.3862 + 0.03, 0.41, 0.42), verdicts.REPRODUCED),  # within reruns
        (Measured(0.30, 0.28, 0.387), verdicts.REPRODUCED),  # within our interval
        (Measured(0.45, 0.44, 0.46), verdicts.DIFFERS),
        (Measured(0.30, 0.28, 0.32), verdicts.DIFFERS),
    ],
)
def test_the_larger_of_tolerance_and_interval_decides(measured, verdict):
    assert verdicts.judge(PUBLISHED, measured) == verdict


def test_a_value_near_0_is_not_reproduced_by_another_near_0():
    near = {"value": "0.0071", "tolerance": f"{0.0071 / 2}"}
    assert verdicts.judge(near, Measured(0.0104, 0.0104, 0.0104)) == verdicts.REPRODUCED
    assert verdicts.judge(near, Measured(0.02, 0.02, 0.02)) == verdicts.DIFFERS


@pytest.mark.parametrize(
    ("interval", "verdict"),
    [
        ((0.1, 0.01, 0.2), verdicts.HOLDS),
        ((-0.1, -0.2, -0.01), verdicts.DOES_NOT),
        ((0.1, 0.0, 0.2), verdicts.OPEN),
        ((-0.1, -0.2, 0.0), verdicts.OPEN),
    ],
)
def test_a_claim_holds_only_if_the_interval_excludes_0(interval, verdict):
    assert verdicts.claim(Measured(*interval)) == verdict


@pytest.mark.slow
def test_the_coefficient_of_variation_is_unbiased_for_a_normal_sample():
    rng = np.random.default_rng(0)
    true = 10.0  # percent
    for n in (2, 5):
        samples = rng.normal(1.0, true / 100, (20_000, n))
        found = np.mean([verdicts.coefficient_of_variation(*one) for one in samples])
        assert found == pytest.approx(true * (1 + 1 / (4 * n)), rel=0.02)


def test_the_coefficient_of_variation_of_two_numbers_by_hand():
    # |a - b| / sqrt(2) over sqrt(2 / pi), over the mean, times 9 / 8
    expected = 100 * 9 / 8 * (0.02 / np.sqrt(2)) / np.sqrt(2 / np.pi) / 0.39
    assert verdicts.coefficient_of_variation(0.38, 0.40) == pytest.approx(expected)
    assert verdicts.coefficient_of_variation(0.4, 0.4) == 0


@pytest.mark.parametrize("values", [(), (1.0,), (1.0, -1.0)])
def test_without_two_values_and_a_mean_there_is_no_coefficient(values):
    with pytest.raises(ValueError, match="needs two values"):
        verdicts.coefficient_of_variation(*values)


def test_a_verdict_with_its_reason_is_of_its_kind():
    text = verdicts.verdict(verdicts.NOT_RUN, "needs Spreadthesign: all of it")
    assert verdicts.kind_of(text) == verdicts.NOT_RUN
    assert text == "not run: needs Spreadthesign: all of it"
