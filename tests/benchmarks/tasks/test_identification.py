"""Which sign language a clip is in, where its text is known."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from benchmarks.tasks import identification
from signclip.errors import ConfigError

PROMPTS = [("ase", "a"), ("ase", "b"), ("bfi", "a"), ("gsg", "a"), ("gsg", "b"), ("bfi", "c")]
CLIPS = [("bfi", "a"), ("gsg", "b"), ("bfi", "c"), ("ase", "a")]


def test_candidates_are_the_languages_that_have_the_text():
    scores = np.zeros((6, 4))
    scores[:, 0] = [1, 9, 2, 3, 9, 9]  # among a: gsg, then bfi
    scores[:, 1] = [9, 1, 9, 9, 2, 9]  # among b: gsg
    found = identification.oracle(scores, PROMPTS, CLIPS)
    assert found.asked.tolist() == [0, 1, 3]  # c is in one language alone
    assert found.rank.tolist() == [2, 1, 1]  # ties go to the first prompt
    assert found.candidates.tolist() == [3, 2, 3]
    assert found.predicted == ["gsg", "gsg", "ase"]
    assert found.chance == pytest.approx((1 / 3 + 1 / 2 + 1 / 3) / 3)


@pytest.mark.parametrize(
    ("scores", "clips", "message"),
    [
        (np.zeros((5, 4)), CLIPS, "6 prompts and 4 clips"),
        (np.full((6, 4), np.nan), CLIPS, r"scores\[0, 0\] is nan"),
        (np.zeros((6, 1)), [("bfi", "b")], "no prompt for 'b' in 'bfi'"),
        (np.zeros((6, 1)), [("bfi", "c")], "no text occurs in two"),
    ],
)
def test_what_cannot_be_asked_is_refused(scores, clips, message):
    with pytest.raises(ConfigError, match=message):
        identification.oracle(scores, PROMPTS, clips)


def test_f1_is_a_mean_over_languages():
    own, predicted = ["ase", "ase", "bfi"], ["ase", "bfi", "bfi"]
    expected = f1_score(own, predicted, average="macro")
    assert identification.macro_f1(own, predicted) == pytest.approx(expected)
