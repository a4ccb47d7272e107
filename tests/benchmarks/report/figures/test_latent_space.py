"""Latent space: made-up embeddings for which the neighbours are known."""

import numpy as np
import pandas as pd
import pytest

from benchmarks import points as points_package
from benchmarks.points import latent_space as points_module
from benchmarks.points.latent_space import CLIP, HELD_OUT, LETTERS, PROMPT, TRAINING
from benchmarks.report.figures import latent_space
from signclip.core.errors import SignCLIPError

LANGUAGES = ("ase", "gsg", "ise", "swl")
CLIPS = pd.DataFrame(
    [
        {"id": f"{tag}-{letter}", "sign_language": tag, "label": letter}
        for tag in LANGUAGES
        for letter in LETTERS
    ]
)
CLIPS["role"] = np.where(CLIPS["sign_language"] == "swl", HELD_OUT, TRAINING)


def embeddings(group: str, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Clips and prompts that lie together by the column ``group``, far from the origin."""
    rng = np.random.default_rng(seed)
    middles = {name: rng.normal(size=16) for name in CLIPS[group].unique()}
    noise = 0.1 * rng.normal(size=(2, len(CLIPS), 16))
    clips = np.stack([middles[name] for name in CLIPS[group]]) + noise[0]
    return clips + 5, clips + noise[1] - 5


@pytest.fixture(scope="module")
def points() -> pd.DataFrame:
    """Model E7.2 groups by sign language, X by letter."""
    models = {"E7.2": "sign_language", "X": "label"}
    return pd.concat(
        [
            points_module.frame(CLIPS, *embeddings(group)).assign(model=model)
            for model, group in models.items()
        ],
        ignore_index=True,
    )


def test_the_nearest_clip_is_another_one_of_the_group(points):
    table = latent_space.shares(points)
    assert list(table["clips"]) == [18, 6] * 2
    for model, same, other in (("E7.2", "sign_language", "label"), ("X", "label", "sign_language")):
        found = latent_space.held_out(table, model)
        # another clip cannot share both
        assert (found["clips"], found[same], found[other]) == (6, 1, 0)


def test_chance_is_the_share_of_pairs_of_clips(points):
    others = len(CLIPS) - 1
    assert latent_space.by_chance(points, "label") == pytest.approx(3 / others)
    assert latent_space.by_chance(points, "sign_language") == pytest.approx(5 / others)


def test_groups_are_together_in_the_picture_and_it_is_the_same_each_time(points):
    again = points_module.frame(CLIPS, *embeddings("label"))
    drawn = points[points["model"] == "X"].reset_index(drop=True)
    assert drawn[["x", "y"]].to_numpy() == pytest.approx(again[["x", "y"]].to_numpy())
    assert drawn[["x", "y"]].abs().max().max() == pytest.approx(1)
    spread = drawn.groupby("label")[["x", "y"]].std().mean(axis=1)
    assert spread.max() < 0.5 * drawn[["x", "y"]].std().mean()


def test_a_constant_added_to_one_side_changes_nothing():
    clips, prompts = embeddings("label")
    one = points_module.project(clips, prompts)
    assert points_module.project(clips + 100, prompts) == pytest.approx(one, abs=1e-3)
    assert list(points_module.nearest(clips + 100)) == list(points_module.nearest(clips))


def test_every_clip_has_its_prompt_with_the_same_role(points):
    one = points[points["model"] == "X"].set_index("id")
    clips, prompts = (one[one["kind"] == kind] for kind in (CLIP, PROMPT))
    assert clips["role"].equals(prompts["role"])
    assert list(clips.index) == list(CLIPS["id"])


def test_the_title_says_what_groups_the_clips(points, source):
    source.workspace.points.mkdir(parents=True)
    points.to_csv(source.workspace.points / "latent_space.csv", index=False)
    drawing = latent_space.draw(source)
    titles = [axes.get_title(loc="left") for axes in drawing.figure.axes]
    assert "near those of their sign language" in titles[0]
    assert "same letter 0%, language 100%" in titles[0]
    assert "near those of their letter" in titles[1]
    named = {text.get_text() for text in drawing.figure.axes[0].texts} - set(LETTERS.upper())
    assert named == set(LANGUAGES)
    assert {text.get_text() for text in drawing.figure.axes[1].texts} == set(LETTERS.upper())
    assert "scores highest among those shown for" in drawing.caption


def test_without_runs_there_are_no_points(source, measured):
    measured("X", "retrieval", "in_domain", runs={"0/in_domain": "a"})
    path = points_package.write(points_module.POINTS, source, source.workspace.points)
    assert path.read_text().startswith("model,kind,id")
    with pytest.raises(SignCLIPError, match="holds no points"):
        latent_space.draw(source)
