"""Classifiers of embeddings: the paper's settings, and classes without training clips."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

from benchmarks.evaluation import classifiers
from signclip.core.errors import ConfigError

CLASSES = ["a", "b", "c", "d"]
SHOTS = 10


@pytest.fixture
def data():
    """Forty training clips and twelve test clips in four well-separated clouds, 5 numbers each."""
    rng = np.random.default_rng(0)
    centres = rng.normal(0, 5, (4, 5))
    labels = [CLASSES[i % 4] for i in range(40)]
    training = np.stack([centres[CLASSES.index(x)] for x in labels]) + rng.normal(0, 1, (40, 5))
    targets = [CLASSES[i % 4] for i in range(12)]
    clips = np.stack([centres[CLASSES.index(x)] for x in targets]) + rng.normal(0, 1, (12, 5))
    return training, labels, clips, targets


def best(scores) -> list[str]:
    return [CLASSES[row] for row in scores.argmax(axis=0)]


@pytest.mark.parametrize("k", [5, 10])
@pytest.mark.parametrize("learn", [classifiers.few_shot, classifiers.prototypes])
def test_separate_clouds_are_recognised_from_a_few_shots(data, learn, k):
    training, labels, clips, targets = data
    scores = learn(training, labels, clips, CLASSES, k=k)
    assert scores.shape == (4, 12)
    assert scores.dtype == np.float32
    assert np.mean([x == y for x, y in zip(best(scores), targets, strict=True)]) > 0.8


@pytest.mark.parametrize("neighbours", ["root", "classes"])
def test_votes_are_those_of_scikit_learn_with_the_papers_settings(data, neighbours):
    training, labels, clips, _ = data
    chosen = classifiers.shots(labels, CLASSES, SHOTS)
    scaler = StandardScaler().fit(training[chosen])
    count = {"root": round(len(chosen) ** 0.5), "classes": 4}[neighbours]
    assert round(len(chosen) ** 0.5) != 4  # else the two would be one
    voters = KNeighborsClassifier(count).fit(
        scaler.transform(training[chosen]), [labels[i] for i in chosen]
    )
    expected = voters.predict_proba(scaler.transform(clips)).T
    scores = classifiers.few_shot(training, labels, clips, CLASSES, k=SHOTS, neighbours=neighbours)
    assert np.allclose(scores, expected)


def test_one_shot_and_a_neighbour_for_each_class_is_no_recognition(data):
    training, labels, clips, _ = data
    scores = classifiers.few_shot(training, labels, clips, CLASSES, k=1, neighbours="classes")
    assert np.allclose(scores, 0.25)


def test_shots_are_drawn_by_class_and_seed():
    labels = [*"aaaaabbbbbc"]
    first = classifiers.shots(labels, ["a", "b", "c"], 2)
    assert [labels[i] for i in first] == ["a", "a", "b", "b", "c"]  # c has one alone
    assert first.tolist() == classifiers.shots(labels, ["a", "b", "c"], 2).tolist()
    drawn = {tuple(classifiers.shots(labels, ["a", "b"], 2, seed=seed)) for seed in range(20)}
    assert len(drawn) > 5
    assert set(classifiers.shots(labels, ["b"], 100)) == set(range(5, 10))


def test_prototypes_are_cosines_with_means(data):
    training, labels, clips, _ = data
    scores = classifiers.prototypes(training, labels, clips, CLASSES)
    for row, name in enumerate(CLASSES):
        mean = training[[i for i, label in enumerate(labels) if label == name]].mean(axis=0)
        lengths = np.linalg.norm(mean) * np.linalg.norm(clips, axis=1)
        assert np.allclose(scores[row], clips @ mean / lengths, rtol=1e-5)


def test_a_prototype_of_one_clip_is_not_favoured():
    """The mean of many unit vectors is shorter than the one vector of a rare class."""
    rng = np.random.default_rng(0)
    centre = np.array([1.0, 0, 0, 0])
    common = centre + rng.normal(scale=0.8, size=(50, 4))
    common /= np.linalg.norm(common, axis=1, keepdims=True)
    rare = np.array([[0.8, 0.6, 0, 0]])
    training, labels = np.concatenate([common, rare]), ["common"] * 50 + ["rare"]
    test = centre[None]
    assert common.mean(axis=0) @ centre < rare[0] @ centre  # so by dot products it would be
    scores = classifiers.prototypes(training, labels, test, ["common", "rare"])
    assert scores[0, 0] > scores[1, 0]


def test_the_probe_ranks_as_the_papers_does(data):
    training, labels, clips, _ = data
    probe = LogisticRegression(random_state=42, max_iter=100).fit(training, labels)
    scores = classifiers.linear_probe(training, labels, clips, CLASSES)
    assert np.allclose(np.exp(scores), probe.predict_proba(clips).T, atol=1e-6)


@pytest.mark.parametrize(
    "learn",
    [
        lambda *x: classifiers.few_shot(*x, k=5),
        classifiers.prototypes,
        classifiers.linear_probe,
    ],
)
def test_a_class_without_training_clips_is_below_all_others_for_every_clip(data, learn):
    training, labels, clips, _ = data
    scores = learn(training, labels, clips, ["x", *CLASSES])
    assert np.isfinite(scores).all()
    assert (scores[0] < scores[1:]).all()
    with pytest.raises(ConfigError, match="none of the classes has a training clip"):
        learn(training, labels, clips, ["x", "y"])


def test_only_the_given_classes_have_scores_but_the_probe_learns_all(data):
    training, labels, clips, _ = data
    whole = classifiers.linear_probe(training, labels, clips, CLASSES)
    part = classifiers.linear_probe(training, labels, clips, ["c", "a"])
    assert np.allclose(part, whole[[2, 0]])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"k": 0}, "0 shots"),
        ({"training": np.zeros((3, 5))}, "40 labels for training embeddings of shape"),
        ({"clips": np.zeros((3, 4))}, "test embeddings have 4 numbers"),
        ({"clips": np.zeros((0, 5))}, "test embeddings of shape"),
        ({"clips": np.full((2, 5), np.nan)}, "test clip 0: an embedding is not finite"),
    ],
)
def test_what_cannot_be_learned_from_is_refused(data, change, message):
    training, labels, clips, _ = data
    given = {"training": training, "clips": clips, "k": 5} | change
    with pytest.raises(ConfigError, match=message):
        classifiers.few_shot(given["training"], labels, given["clips"], CLASSES, k=given["k"])


def test_a_probe_needs_two_classes(data):
    training, _, clips, _ = data
    with pytest.raises(ConfigError, match="training has 1"):
        classifiers.linear_probe(training, ["a"] * 40, clips, CLASSES)


def test_more_shots_than_clips_is_all_of_them(data):
    training, labels, clips, _ = data
    many = classifiers.few_shot(training, labels, clips, CLASSES, k=1000)
    assert np.array_equal(many, classifiers.few_shot(training, labels, clips, CLASSES, k=10))


@pytest.mark.parametrize("classes", [2, 4])
def test_the_probe_ranks_by_logits_however_large_they_are(data, classes):
    training, labels, clips, _ = data
    kept = [i for i, x in enumerate(labels) if x in CLASSES[:classes]]
    given = [labels[i] for i in kept]
    far = 1e4 * training[kept]
    scores = classifiers.linear_probe(far, given, 1e4 * clips, CLASSES[:classes])
    assert np.isfinite(scores).all()
    probe = LogisticRegression(random_state=classifiers.SEED, max_iter=100).fit(far, given)
    assert [CLASSES[row] for row in scores.argmax(axis=0)] == probe.predict(1e4 * clips).tolist()
    if classes > 2:
        order = probe.decision_function(1e4 * clips).T.argsort(axis=0)
        assert (scores.argsort(axis=0) == order).all()
