"""Protocols on tiny runs: asked where they make sense, from embeddings that are computed once."""

import numpy as np
import pytest

from benchmarks import galleries, protocols, results
from benchmarks.opened import opened
from benchmarks.tasks import recognition
from signclip import inference, manifest, splits
from signclip.errors import ConfigError, RunError
from signclip.text import label

NAME = "spreadthesign-fingerspelling"


@pytest.fixture
def ask(folders, tmp_path):
    """Runs all protocols of an encoder on a split, below ``tmp_path``."""

    def run(encoder: str, split: str = "in_domain", **given) -> dict[str, results.Result]:
        found = opened(
            encoder,
            profile="smoke",
            corpus=NAME,
            split=split,
            seeds=[0],
            **folders,
            embeddings=tmp_path / "embeddings",
            **given,
        )
        return protocols.ask(found, leaderboard=tmp_path / "leaderboard")

    return run


@pytest.mark.parametrize("encoder", ["E7.2", "X"])
def test_every_protocol_is_asked_where_languages_and_labels_were_met(ask, encoder, tmp_path):
    found = ask(encoder)
    assert set(found) == set(protocols.PROTOCOLS) - set(protocols.ELSEWHERE)
    for name, result in found.items():
        path = tmp_path / f"leaderboard/{encoder}/smoke/{name}.{NAME}.in_domain.json"
        assert results.read(path) == result
        assert len(result.ranks) == result.n_evaluated
        assert result.n_evaluated + sum(result.n_dropped.values()) == result.n_total
        score = result.scores["V2T_R@1"]
        assert score.low <= score.value <= score.high
        assert 0 < score.chance < 0.5
    assert found["identification"].scores["V2T_R@1"].chance == 1 / 16
    assert found["identification_oracle"].scores["V2T_R@1"].chance > 1 / 16
    assert max(map(len, found["analogies"].ranks.values())) > 50


def test_prompts_without_languages_are_asked_for_no_language(ask):
    found = ask("E3.2", "letters")
    kept = set(protocols.PROTOCOLS) - set(protocols.ELSEWHERE)
    assert set(found) == kept - set(protocols.OF_LANGUAGES)
    assert {result.labels for result in found.values()} == {26}
    assert {result.n_evaluated for result in found.values()} == {410}


def test_clips_are_embedded_once_as_long_as_nothing_changes(ask, tmp_path, monkeypatch):
    first = ask("E7.2")
    kept = tmp_path / f"embeddings/{NAME}/E7.2/0/in_domain.reduced_face.npz"
    content = kept.read_bytes()
    asked = []
    embed = inference.SignCLIPModel.embed_pose

    def counted(self, items, **given):
        asked.append(len(items))
        return embed(self, items, **given)

    monkeypatch.setattr(inference.SignCLIPModel, "embed_pose", counted)
    again = ask("E7.2")
    assert not asked
    same = [{name: one.scores for name, one in of.items()} for of in (first, again)]
    assert same[0] == same[1]
    with np.load(kept) as file:
        stale = dict(file) | {"key": np.array("of other weights"), "embeddings": file["ids"]}
    for broken in (content[: len(content) // 2], None):
        if broken is None:
            np.savez(kept, **stale)
        else:
            kept.write_bytes(broken)
        assert {name: one.scores for name, one in ask("E7.2").items()} == same[0]
    assert asked == [410, 410]


def test_recognition_learns_from_the_training_clips_of_its_fold(ask, folders, tmp_path):
    result = ask("E7.2")["linear_probe"]
    clips = manifest.read(folders["data"] / NAME).set_index("id")
    rows = splits.read(folders["data"] / NAME, "in_domain")
    with np.load(tmp_path / f"embeddings/{NAME}/E7.2/0/in_domain.reduced_face.npz") as file:
        embedded = dict(zip(file["ids"].tolist(), file["embeddings"], strict=True))
    train, test = (list(rows["id"][rows["role"] == role]) for role in ("train", "test"))
    names = galleries.labels(clips.loc[rows["id"]].reset_index()).names
    scores = recognition.linear_probe(
        np.stack([embedded[i] for i in train]),
        [label(clips.loc[i, "text"]) for i in train],
        np.stack([embedded[i] for i in test]),
        names,
    )
    right = [names[row] for row in scores.argmax(axis=0)]
    expected = np.mean([label(clips.loc[i, "text"]) == x for i, x in zip(test, right, strict=True)])
    assert result.scores["V2T_R@1"].value == pytest.approx(expected)


def test_a_run_that_was_trained_elsewhere_is_asked_zero_shot(ask, folders, tmp_path):
    found = ask("E8", "unseen_language", run="in_domain")
    asked = set(protocols.PROTOCOLS) - set(protocols.OF_LANGUAGES)
    # no letter has more than 20 clips
    assert set(found) == asked - {"zero_shot_in_vocabulary"}
    path = f"leaderboard/E8/smoke.in_domain/zero_shot.{NAME}.unseen_language.json"
    result = results.read(tmp_path / path)
    assert result.title == "E7.2, mirrored at test time"
    rows = splits.read(folders["data"] / NAME, "unseen_language")
    tested = rows[rows["role"] == "test"]
    assert result.n_evaluated == len(tested)
    kept = tmp_path / f"embeddings/{NAME}/E7.2/0/in_domain.reduced_face_mirrored.npz"
    assert kept.is_file()
    # asked among the prompts of the fold's own test clips
    assert result.labels == tested.groupby("fold").size().max()
    with pytest.raises(RunError, match="no finished run"):
        ask("E7.2", "unseen_language", run="official")


def test_zero_shot_leaves_out_what_pretraining_seldom_met(ask, monkeypatch):
    often = recognition.in_vocabulary
    monkeypatch.setattr(
        recognition, "in_vocabulary", lambda labels, met: often(labels, met, more_than=8)
    )
    found = ask("E7.2", "unseen_language", run="in_domain")
    some, whole = found["zero_shot_in_vocabulary"], found["zero_shot"]
    assert 0 < some.n_evaluated < whole.n_evaluated
    assert some.n_dropped["its label was seldom met in the encoder's own training"] > 0
    assert some.n_evaluated + sum(some.n_dropped.values()) == some.n_total


def test_who_has_no_embeddings_is_refused(ask):
    with pytest.raises(ConfigError, match="nearest-neighbour has no embeddings"):
        ask("nearest-neighbour", "letters")


def test_an_embedding_file_is_written_whole_or_not_at_all(ask, tmp_path, monkeypatch):
    def killed(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez", killed)
    with pytest.raises(KeyboardInterrupt):
        ask("E7.2")
    assert not list((tmp_path / "embeddings").rglob("*.npz"))
