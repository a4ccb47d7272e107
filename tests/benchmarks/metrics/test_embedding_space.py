"""The embedding space: spread of a concept over languages, and analogies between clips."""

import numpy as np
import pytest

from benchmarks.metrics import embedding_space
from signclip.core.errors import ConfigError


def test_the_most_iconic_concept_comes_first():
    rng = np.random.default_rng(0)
    near, far = rng.normal(0, 0.1, (4, 3)), rng.normal(0, 5, (4, 3))
    table = embedding_space.iconicity(np.concatenate([far, near]), [*"ffffnnnn"])
    assert table["concept"].tolist() == ["n", "f"]
    expected = np.std(near, axis=0).sum()
    assert table["spread"][0] == pytest.approx(expected)


def test_concepts_are_compared_over_as_many_clips():
    table = embedding_space.iconicity(np.arange(12.0).reshape(6, 2), [*"aabbbc"])
    assert table["concept"].tolist() == ["a", "b"]
    assert embedding_space.iconicity(np.arange(12.0).reshape(6, 2), [*"aabbbc"], clips=3)[
        "concept"
    ].tolist() == ["b"]
    with pytest.raises(ConfigError, match="no concept has 5 clips"):
        embedding_space.iconicity(np.zeros((6, 2)), [*"aabbbc"], clips=5)


PAIRS = [(language, letter) for language in ("l", "m", "n") for letter in "xyz"]


def test_parallelograms_are_all_and_nothing_else():
    found = embedding_space.parallelograms(PAIRS[:-1], [0, 7])
    named = {tuple(PAIRS[i] for i in row) for row in found}
    for a, b, c, d in named:
        assert a[0] == d[0] != c[0] == b[0]
        assert a[1] == b[1] != c[1] == d[1]
    # (l, x): two other languages have x, m with two other letters and n with one (no z there)
    assert sum(row[3] == 0 for row in found) == 3
    # (n, y): both others have y; n's only other letter is x
    assert sum(row[3] == 7 for row in found) == 2
    with pytest.raises(ConfigError, match="both properties"):
        embedding_space.parallelograms([("l", "x"), ("l", "x")], [0])


def test_of_many_analogies_some_are_drawn_the_same_each_time():
    pairs = [(language, letter) for language in "lmnop" for letter in "vwxyz"]
    whole = embedding_space.parallelograms(pairs, [0, 9])
    assert len(whole) == 2 * 4 * 4
    some = embedding_space.parallelograms(pairs, [0, 9], most=5)
    assert np.bincount(some[:, 3]).tolist() == [5, *[0] * 8, 5]
    assert {tuple(row) for row in some} < {tuple(row) for row in whole}
    assert (some == embedding_space.parallelograms(pairs, [0, 9], most=5)).all()


def test_sums_of_two_properties_are_solved_and_noise_is_not():
    rng = np.random.default_rng(0)
    of = {name: rng.normal(size=20) for name in "lmnxyz"}
    sums = np.stack([of[language] + of[letter] for language, letter in PAIRS])
    # of one length, so that cosines of sums are exact
    queries = embedding_space.parallelograms(PAIRS, range(len(PAIRS)))
    assert len(queries) == 9 * 2 * 2
    noise = rng.normal(size=(9, 20))
    assert embedding_space.analogies(sums, queries).recall(1).mean() > 0.9
    assert embedding_space.analogies(noise, queries).recall(1).mean() < 0.6


def test_a_b_and_c_are_no_candidates_and_equal_ones_tie():
    embeddings = np.array([[1.0, 0], [0, 1], [1, 0], [1, 0], [1, 0], [0, -1]])
    # a = 0, b = 1, c = 2: the sum points to (2, -1); 3 and 4 are equally near, 0 and 2 are out
    ranks = embedding_space.analogies(embeddings, [[0, 1, 2, 3], [0, 1, 2, 4], [0, 1, 2, 5]])
    assert ranks.stored() == [[1, 2], [1, 2], 3]
    few = embedding_space.analogies(embeddings, [[0, 1, 2, 4]], np.array([5, 4]))
    assert few.stored() == [1]
    with pytest.raises(ConfigError, match="not among the candidates"):
        embedding_space.analogies(embeddings, [[0, 1, 2, 3]], np.array([4, 5]))
    with pytest.raises(ConfigError, match="no direction"):
        embedding_space.analogies(np.zeros((6, 2)), [[0, 1, 2, 3]])
    with pytest.raises(ConfigError, match="no analogies"):
        embedding_space.analogies(embeddings, np.empty((0, 4)))


def test_king_minus_man_plus_woman_is_queen():
    rng = np.random.default_rng(0)
    royal, male, female, plain = rng.normal(size=(4, 30))
    of = {
        "king": royal + male,
        "queen": royal + female,
        "man": plain + male,
        "woman": plain + female,
        "tree": rng.normal(size=30),
    }
    labels = [name for name in of for _ in range(3)]
    clips = np.stack([of[name] + rng.normal(scale=0.1, size=30) for name in labels])
    found = embedding_space.analogy(clips, labels, "king", "man", "woman")
    assert list(found["label"]) == ["queen", "tree"]
    assert set(found["clips"]) == {3}
    assert found["cosine"].is_monotonic_decreasing
    assert found["cosine"].iloc[0] > 0.8
    with pytest.raises(ConfigError, match="no clip has the label emperor"):
        embedding_space.analogy(clips, labels, "emperor", "man", "woman")
    with pytest.raises(ConfigError, match="no label but king, man, woman"):
        embedding_space.analogy(clips[[0, 6, 9]], ["king", "man", "woman"], "king", "man", "woman")
    with pytest.raises(ConfigError, match="no direction"):
        embedding_space.analogy(clips * 0, labels, "king", "man", "woman")
