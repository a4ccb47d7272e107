"""Protocols on tiny runs: asked where they make sense, from embeddings that are computed once."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import yaml

from benchmarks import results
from benchmarks.evaluation import embeddings, galleries, protocols
from benchmarks.evaluation.context import opened
from benchmarks.evaluation.encoders import TransferredRun
from benchmarks.tasks import recognition
from benchmarks.tasks.names import ELSEWHERE, OF_LANGUAGES, RECOGNITION
from signclip import inference
from signclip.core import files
from signclip.core.errors import BusyError, ConfigError, RunError, StoreError
from signclip.corpora import manifest, splits
from signclip.features.store import FeatureStore, corpus_fingerprint
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
        return protocols.ask(
            found,
            predictions=tmp_path / "predictions/answers.parquet",
            leaderboard=tmp_path / "leaderboard",
        )

    return run


def test_every_protocol_has_its_name_where_tables_look():
    assert tuple(protocols.PROTOCOLS) == (*RECOGNITION, *OF_LANGUAGES, *ELSEWHERE)


def test_recognition_that_needs_too_large_a_matrix_is_left_out_and_said(ask, monkeypatch, caplog):
    whole = ask("E7.2")
    cells = whole["few_shot_5"].labels * whole["few_shot_5"].n_evaluated
    monkeypatch.setattr(protocols, "MOST_CELLS", cells)  # training clips are more
    assert set(ask("E7.2")) == set(whole) - {"linear_probe"}
    assert "linear_probe is left out" in caplog.text
    monkeypatch.setattr(protocols, "MOST_CELLS", cells - 1)
    assert set(ask("E7.2")) == set(OF_LANGUAGES)
    with pytest.raises(ConfigError, match="no protocol makes sense here"):
        ask("E3.2", "letters")


@pytest.mark.parametrize("encoder", ["E7.2", "X"])
def test_every_protocol_is_asked_where_languages_and_labels_were_met(
    ask, folders, encoder, tmp_path
):
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
    f1 = found["identification"].scores["F1"]
    assert f1.low <= f1.value <= f1.high
    answers = pd.read_parquet(tmp_path / "predictions/answers.parquet")
    assert set(answers["task"]) == set(found)
    for name, of_task in answers.groupby("task"):
        of_clip = of_task.groupby("id")["rank"].agg(list)
        assert of_clip.to_dict() == found[name].ranks
        assert (of_task["rank"] <= of_task["candidates"]).all()
    few = answers[answers["task"] == "few_shot_5"]
    clips = manifest.read(folders["data"] / NAME).set_index("id")["text"].map(label)
    right = few["predicted"].to_numpy() == clips[few["id"]].to_numpy()
    assert (right == (few["rank"] == 1)).all()


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
    # of the same corpus: what the run learned from is no question
    own = splits.read(folders["data"] / NAME, "in_domain")
    learnt = set(own["id"][own["role"].isin(["train", "validation"])])
    tested = tested[~tested["id"].isin(learnt)]
    assert 0 < len(tested) < result.n_total
    assert set(result.ranks) == set(tested["id"])
    assert result.n_dropped["the run learned from it"] > 0
    assert result.n_evaluated + sum(result.n_dropped.values()) == result.n_total
    kept = tmp_path / f"embeddings/{NAME}/E7.2/0/in_domain.reduced_face_mirrored.npz"
    assert kept.is_file()
    # asked among the prompts of the fold's own test clips
    assert result.labels == tested.groupby("fold").size().max()
    with pytest.raises(RunError, match="no finished run"):
        ask("E7.2", "unseen_language", run="official")


def test_a_run_is_not_asked_what_it_learned_from(ask):
    with pytest.raises(ConfigError, match=r"letters, fold 1: .*: the run learned from it"):
        ask("E3.2", "letters", run="letters-0")


def test_a_fine_tuned_run_is_not_asked_what_its_first_run_learned_from(folders, tmp_path):
    """Its own corpus is another; the run that it goes on from met the clips."""
    first = folders["runs"] / "E7.2/0/in_domain"
    tuned = tmp_path / "E7.2-finetuned/0/official"
    shutil.copytree(first, tuned)
    for name, change in {
        "config.yaml": ("run", {"init_run": str(first), "corpus": "mine", "split": "official"}),
        "metrics.json": (None, {"corpus_fingerprint": "another"}),
    }.items():
        values = yaml.safe_load((tuned / name).read_text())
        (values[change[0]] if change[0] else values).update(change[1])
        text = yaml.safe_dump(values) if name.endswith("yaml") else json.dumps(values)
        (tuned / name).write_text(text)
    clips = manifest.read(folders["data"] / NAME)
    asked = folders["data"] / NAME, corpus_fingerprint(clips)
    rows = splits.read(folders["data"] / NAME, "in_domain")
    wanted = set(rows["id"][rows["role"].isin(["train", "validation"])])
    unverified = object.__new__(TransferredRun)
    unverified._run = tuned
    assert unverified.learnt(*asked) == wanted
    unverified._run = first
    assert unverified.learnt(*asked) == wanted
    with pytest.raises(RunError, match="as it was once"):
        unverified.learnt(asked[0], "built anew")
    assert unverified.learnt(asked[0].parent / "mine", "another corpus") == set()


def test_an_answer_that_is_no_longer_asked_for_goes(ask, tmp_path, monkeypatch):
    found = ask("E7.2")
    path = tmp_path / f"leaderboard/E7.2/smoke/linear_probe.{NAME}.in_domain.json"
    assert path.is_file()
    monkeypatch.setattr(protocols, "MOST_CELLS", 0)
    assert set(ask("E7.2")) == set(found) - set(RECOGNITION)
    assert not path.exists()


def test_on_official_splits_the_oracle_chooses_among_test_prompts(
    ask, folders, tmp_path, monkeypatch
):
    monkeypatch.setattr(galleries, "OFFICIAL", "in_domain")
    found = ask("E7.2")["identification_oracle"]
    answers = pd.read_parquet(tmp_path / "predictions/answers.parquet")
    oracle = answers[answers["task"] == "identification_oracle"].set_index("id")["candidates"]
    rows = splits.read(folders["data"] / NAME, "in_domain")
    clips = manifest.read(folders["data"] / NAME).set_index("id")
    tested = clips.loc[rows["id"][rows["role"] == "test"], "text"].map(label)
    assert oracle.to_dict() == {
        clip: count for clip, count in tested.map(tested.value_counts()).items() if count > 1
    }
    assert found.n_dropped["its label is asked in one sign language alone"] > 0


def test_zero_shot_leaves_out_what_pretraining_seldom_met(ask, monkeypatch):
    often = recognition.in_vocabulary
    monkeypatch.setattr(
        recognition, "in_vocabulary", lambda labels, met: often(labels, met, more_than=15)
    )
    found = ask("E7.2", "unseen_language", run="in_domain")
    some, whole = found["zero_shot_in_vocabulary"], found["zero_shot"]
    assert 0 < some.n_evaluated < whole.n_evaluated
    assert some.n_dropped["its label was seldom met in the encoder's own training"] > 0
    assert some.n_evaluated + sum(some.n_dropped.values()) == some.n_total


def test_what_was_asked_by_one_task_is_not_embedded_for_another(ask, folders, tmp_path):
    store_of = FeatureStore(folders["features"] / NAME / "reduced_face")
    run = folders["runs"] / "E7.2/0/in_domain"
    model = inference.load(run)
    cache = embeddings.Cache(tmp_path / "embeddings", store_of)
    ids = list(store_of.index["id"])
    some = cache.embed(run, model, ids[:3])
    again = embeddings.Cache(tmp_path / "embeddings", store_of)
    more = again.embed(run, model, [*ids[5:8], *ids[1:3]])
    assert (more.values[3:] == some.values[1:]).all()
    assert (more.seconds[3:] == some.seconds[1:]).all()
    alone = model.embed_pose([store_of.values(i) for i in ids[5:8]])
    assert np.allclose(more.values[:3], alone, atol=1e-5)


@pytest.fixture
def embedding(folders, monkeypatch):
    """Embeds clips of E7.2's store below a folder; with how many were handed over at a time."""
    store_of = FeatureStore(folders["features"] / NAME / "reduced_face")
    run = folders["runs"] / "E7.2/0/in_domain"
    model, given = inference.load(run), []
    embed = model.embed_pose

    def counted(items, **named):
        given.append(len(items))
        return embed(items, **named)

    monkeypatch.setattr(model, "embed_pose", counted)

    def into(folder, clips):
        ids = list(store_of.index["id"])[:clips]
        return embeddings.Cache(folder, store_of).embed(run, model, ids).values

    return into, given


def test_a_corpus_is_embedded_part_by_part_to_the_same_numbers(embedding, tmp_path, monkeypatch):
    into, given = embedding
    whole = into(tmp_path / "whole", 300)
    monkeypatch.setattr(embeddings, "PART", 256)
    assert (into(tmp_path / "parts", 300) == whole).all()
    monkeypatch.setattr(embeddings, "PART", 70)
    assert np.allclose(into(tmp_path / "small", 300), whole, atol=1e-5)
    assert given == [300, 256, 44, 70, 70, 70, 70, 20]


def test_an_embedding_that_stops_keeps_what_was_written(embedding, tmp_path, monkeypatch):
    into, given = embedding
    monkeypatch.setattr(embeddings, "PART", 4)
    monkeypatch.setattr(embeddings, "PARTS_A_WRITE", 2)
    read = FeatureStore.values

    def damaged(self, clip):
        if clip == list(self.index["id"])[17]:
            raise StoreError(f"{clip}: damaged")
        return read(self, clip)

    with monkeypatch.context() as patched:
        patched.setattr(FeatureStore, "values", damaged)
        with pytest.raises(StoreError):
            into(tmp_path, 20)
    assert given == [4, 4, 4, 4]
    assert len(into(tmp_path, 20)) == 20
    assert given[4:] == [4]  # the fifth part alone


def test_other_code_and_another_device_embed_anew(folders, tmp_path, monkeypatch):
    store_of = FeatureStore(folders["features"] / NAME / "reduced_face")
    run = folders["runs"] / "E7.2/0/in_domain"
    keys = {embeddings._key(run, store_of, "cpu"), embeddings._key(run, store_of, "cuda")}
    monkeypatch.setattr(files, "sha256_code", lambda path: f"changed {path.name}")
    keys.add(embeddings._key(run, store_of, "cpu"))
    monkeypatch.setattr(embeddings, "version", lambda name: "0")
    keys.add(embeddings._key(run, store_of, "cpu"))
    assert len(keys) == 4


def test_who_reads_known_embeddings_does_not_wait_for_who_writes(folders, tmp_path):
    store_of = FeatureStore(folders["features"] / NAME / "reduced_face")
    run = folders["runs"] / "E7.2/0/in_domain"
    model, ids = inference.load(run), list(store_of.index["id"])
    cache = embeddings.Cache(tmp_path / "embeddings", store_of)
    cache.embed(run, model, ids[:2])
    [path] = (tmp_path / "embeddings").rglob("*.npz")
    with files.writing(path):
        cache.embed(run, model, ids[:2])
        with pytest.raises(BusyError):
            cache.embed(run, model, ids[:3])


def test_two_takes_of_one_sign_ask_no_analogy_and_the_others_are_asked(ask, monkeypatch):
    monkeypatch.setattr(protocols, "_each_pair_once", lambda context: False)
    found = ask("E7.2")
    assert set(found) == set(protocols.PROTOCOLS) - {*protocols.ELSEWHERE, "analogies"}


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
