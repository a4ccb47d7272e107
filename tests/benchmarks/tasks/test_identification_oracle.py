"""The sign language of a clip whose text is given."""

import numpy as np
import pytest

from benchmarks.tasks import identification_oracle
from signclip.core.errors import ConfigError

PROMPTS = [("ase", "a"), ("ase", "b"), ("bfi", "a"), ("gsg", "a"), ("gsg", "b"), ("bfi", "c")]
CLIPS = [("bfi", "a"), ("gsg", "b"), ("bfi", "c"), ("ase", "a")]


def oracle(scores: np.ndarray, prompts: list, clips: list) -> identification_oracle.Oracle:
    """From scores (prompts, clips): texts whose dot products with unit vectors they are."""
    return identification_oracle.oracle(scores, prompts, np.eye(scores.shape[1]), clips)


def test_candidates_are_the_languages_that_have_the_text():
    scores = np.zeros((6, 4))
    scores[:, 0] = [1, 9, 2, 3, 9, 9]  # among a: gsg, then bfi
    scores[:, 1] = [9, 1, 9, 9, 2, 9]  # among b: gsg
    found = oracle(scores, PROMPTS, CLIPS)
    assert found.positions.tolist() == [0, 1, 3]  # c is in one language alone
    assert found.rank.stored() == [2, 1, [1, 3]]
    assert found.candidates.tolist() == [3, 2, 3]
    assert found.predicted == ["gsg", "gsg", "ase"]


def test_texts_of_one_language_each_give_no_query():
    found = oracle(np.zeros((6, 1)), PROMPTS, [("bfi", "c")])
    assert [len(of) for of in found] == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("scores", "clips", "message"),
    [
        (np.zeros((5, 4)), CLIPS, "for 6 prompts"),
        (np.zeros((6, 3)), CLIPS, "for 4 clips"),
        (np.full((6, 4), np.nan), CLIPS, "prompt 0: an embedding is not finite"),
        (np.zeros((6, 1)), [("bfi", "b")], "no prompt for 'b' in 'bfi'"),
    ],
)
def test_wrong_input_is_refused(scores, clips, message):
    with pytest.raises(ConfigError, match=message):
        oracle(scores, PROMPTS, clips)


def test_two_prompts_of_one_language_count_as_the_better_of_them():
    prompts = [("ase", "a"), ("bfi", "a"), ("bfi", "a")]
    found = oracle(np.array([[2.0], [1.0], [3.0]]), prompts, [("bfi", "a")])
    assert (found.rank.stored(), found.candidates.tolist()) == ([1], [2])
    assert found.predicted == ["bfi"]


def test_equal_prompts_tie_however_many_a_language_has():
    rng = np.random.default_rng(0)
    prompts = [("ase", "a"), ("bfi", "a"), ("bfi", "a"), ("bfi", "a")]
    for _ in range(50):
        text, clip = rng.normal(size=(2, 64)).astype(np.float32)
        found = identification_oracle.oracle(
            np.stack([text] * 4), prompts, clip[None], [("ase", "a")]
        )
        assert found.predicted == ["ase"]  # the first of equals


def test_a_score_beyond_float32_is_refused():
    large, prompts = np.full((2, 2), 3e38), [("ase", "a"), ("bfi", "a")]
    with (
        np.errstate(over="ignore"),
        pytest.raises(ConfigError, match="clip 0: a score is not finite"),
    ):
        identification_oracle.oracle(large, prompts, large[:1], [("ase", "a")])
