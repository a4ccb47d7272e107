"""Published statistics: the three distributions count the same clips."""

from benchmarks.paper.figures import LANGUAGES, PER_CONCEPT, POSE_LENGTHS, statistics
from signclip.text import sign_languages


def test_languages_and_concepts_count_the_same_clips():
    of_concepts = statistics(PER_CONCEPT)
    clips = (of_concepts["examples_per_concept"] * of_concepts["concepts"]).sum()
    assert clips == statistics(LANGUAGES)["examples"].sum() == 456_913
    assert of_concepts["concepts"].sum() == 18_423


def test_the_languages_are_those_of_the_tag_registry():
    published = dict(statistics(LANGUAGES).itertuples(index=False, name=None))
    assert published == {
        tag: row.pretraining_clips for tag, row in sign_languages().items() if row.in_pretraining
    }


def test_poses_are_at_most_as_long_as_the_models_take():
    lengths = statistics(POSE_LENGTHS)
    assert lengths["frames"].between(1, 256).all()
    assert lengths["frames"].is_unique
    assert lengths["clips"].sum() == 453_261
    assert (lengths["frames"] * lengths["clips"]).sum() == 44_314_861
