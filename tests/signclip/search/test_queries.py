"""A text becomes the model's prompt; scores are those of the model."""

import numpy as np
import pytest

from signclip import search
from signclip.core.errors import ConfigError, LanguageTagError


def test_a_text_becomes_the_models_prompt_and_a_prompt_stays_one(model):
    filled = search.prompts(model, ["house", "<de> <gsg> Haus"], sign_language="ase")
    assert filled == ["<en> <ase> house", "<de> <gsg> Haus"]
    (filled,) = search.prompts(model, ["Haus"], sign_language="gsg", spoken_language="de")
    assert filled == "<de> <gsg> Haus"
    assert search.prompts(model, ["house"], template="{text}") == ["house"]
    assert search.prompts(model, ["a"], template="Sign {TEXT}.") == ["Sign A."]


def test_a_missing_or_wrong_language_is_refused(model):
    with pytest.raises(ConfigError, match="give one with --sign-language"):
        search.prompts(model, ["house"])
    with pytest.raises(LanguageTagError, match="did you mean"):
        search.prompts(model, ["house"], sign_language="asl")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"label_prompt": "<{spoken_language}> {label}"}, "<en> house"),
        ({"split_prompt": True}, "<en> House"),
    ],
)
def test_without_a_language_the_prompt_that_was_trained_without_one_is_used(
    make_model, smoke_config, changes, expected
):
    model = make_model()
    model.config = smoke_config("E7.2", **{"label_prompt": None, "split_prompt": False, **changes})
    assert search.prompts(model, ["House"]) == [expected]
    assert search.prompts(model, ["House"], sign_language="ase") == ["<en> <ase> House"]


def test_scores_are_the_models_and_a_bad_clip_is_an_error_of_its_own(model, clips):
    (clips / "bad.pose").write_bytes(b"")
    paths = [clips / "a.pose", clips / "bad.pose", clips / "b.pose"]
    found = search.score(model, paths, ["house", "a"])
    assert found.clips == [paths[0], paths[2]]
    assert list(found.errors) == [paths[1]]
    expected = model.similarity(found.clips, ["house", "a"])
    assert np.allclose(found.values, expected, rtol=1e-5)
