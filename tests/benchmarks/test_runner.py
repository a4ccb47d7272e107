"""Evaluation on the embedded corpus: every clip counted, one measurement over seeds, all tasks."""

import time

import numpy as np
import pandas as pd
import pytest

from baselines.floors import FLOORS
from baselines.floors.nearest_neighbour import NearestNeighbour
from benchmarks import results, runner, tasks
from benchmarks.evaluation import classifiers, context, galleries, predictions
from benchmarks.evaluation.context import open_context
from benchmarks.metrics.ties import TiedRanks
from benchmarks.tasks import _conditions, analogies, zero_shot_in_vocabulary
from signclip import checkpoint, corpora, inference
from signclip.core.errors import ConfigError, PoseError
from signclip.corpora import manifest, splits
from signclip.features import store
from signclip.text import label

NAME = "spreadthesign-fingerspelling"
RETRIEVAL = tasks.names_of("retrieval")
RECOGNITION, LANGUAGE = tasks.names_of("recognition"), tasks.names_of("language")
CLIPS = tasks.names_of("clips")
PROTOCOLS = tasks.names_of("recognition", "clips", "language", "transfer")


def measured(name, workspace, split="letters", seeds=(0,), names=RETRIEVAL, **given):
    where = dict(profile="smoke", corpus=NAME, split=split, seeds=seeds)
    return runner.run_tasks(open_context(name, workspace, **where, **given), names)


@pytest.fixture
def protocols(workspace):
    """Runs the tasks besides retrieval."""

    def run(name: str, split: str = "in_domain", **given) -> dict[str, results.Result]:
        return measured(name, workspace, split, names=PROTOCOLS, **given)

    return run


def path_of(workspace, encoder: str, task: str, split: str, revision="smoke"):
    where = (workspace.leaderboard, "local", encoder, revision, task, NAME, split)
    return results.path_of(*where)


def test_a_clip_that_cannot_be_scored_is_named_by_its_id(workspace, monkeypatch):
    whole = store.FeatureStore.values
    rows = splits.read(workspace.corpus(NAME), "letters")
    bad = rows.query("role == 'test'")["id"].iloc[3]

    def damaged(self, clip: str):
        return whole(self, clip) * (np.nan if clip == bad else 1)

    monkeypatch.setattr(store.FeatureStore, "values", damaged)
    with pytest.raises(PoseError, match=f"^{bad}: features are not finite"):
        measured("E3.2", workspace)


def test_the_gallery_is_the_same_26_prompts_for_every_clip(workspace):
    measured("E3.2", workspace)
    gallery = pd.read_parquet(workspace.predictions / "E3.2/letters" / predictions.GALLERY_FILE)
    for _, fold in gallery.groupby("fold"):
        assert tuple(fold["label"]) == splits.LATIN


def label_scores(name: str, workspace) -> dict[str, results.Score]:
    """Scores among labels, which languages should not change."""
    split = "letters" if name in ("E3.2", *FLOORS) else "in_domain"
    return measured(name, workspace, split)["retrieval"].scores


@pytest.mark.slow
def test_the_languages_in_the_manifest_change_no_score(workspace, tmp_path, monkeypatch):
    """With every clip's language renamed, results stay: no encoder knows a clip's language."""
    names = ("E3.2", "E5", "X9", "X", "nearest-neighbour")
    before = {name: label_scores(name, workspace) for name in names}
    read = manifest.read
    fingerprint = store.corpus_fingerprint(read(workspace.corpus(NAME)))

    def scrambled(folder) -> pd.DataFrame:
        clips = read(folder)
        tags = clips["sign_language"].sample(frac=1, random_state=0).to_numpy()
        assert (tags != clips["sign_language"]).any()
        return clips.assign(sign_language=tags)

    monkeypatch.setattr(context.manifest, "read", scrambled)
    for module in (context, store):  # otherwise runs and stores would, rightly, be refused
        monkeypatch.setattr(module, "corpus_fingerprint", lambda clips: fingerprint)
    after = workspace.replace(embeddings=tmp_path / "after", results=tmp_path / "after")
    for name in names:
        assert label_scores(name, after) == before[name]


def test_a_result_names_its_runs(workspace):
    found = measured("E5", workspace, "in_domain", [0, 1])["retrieval"].runs
    assert found == {
        f"{seed}/in_domain": checkpoint.read_metrics(workspace.runs / f"E5/{seed}/in_domain")[
            "fingerprint"
        ]
        for seed in (0, 1)
    }


def test_retrieval_does_not_read_the_training_clips(workspace, monkeypatch):
    read: set[str] = set()
    for name in ("__getitem__", "values"):
        whole = getattr(store.FeatureStore, name)
        monkeypatch.setattr(
            store.FeatureStore,
            name,
            lambda self, i, whole=whole: (read.add(i), whole(self, i))[1],
        )
    measured("E5", workspace, "in_domain")
    roles = splits.read(workspace.corpus(NAME), "in_domain")
    assert read == set(roles["id"][roles["role"] == "test"])
    read.clear()
    measured("E5", workspace, "in_domain")
    assert not read  # embedded before


@pytest.mark.parametrize("name", ["E5", "nearest-neighbour"])
def test_the_cost_is_that_of_scoring_and_not_of_loading_and_fitting(name, workspace, monkeypatch):
    def slow(whole):
        def slowed(*given, **named):
            time.sleep(1)
            return whole(*given, **named)

        return slowed

    monkeypatch.setattr(inference, "load", slow(inference.load))
    monkeypatch.setattr(NearestNeighbour, "fit", slow(NearestNeighbour.fit))
    found = measured(name, workspace, "in_domain")["retrieval"]
    assert found.n_evaluated / found.cost.evaluation_clips_per_second < 1  # second


def test_every_clip_is_tested_once_and_counted(workspace):
    result = measured("nearest-neighbour", workspace)["retrieval"]
    folder = workspace.predictions / "nearest-neighbour/letters"
    clips = pd.read_parquet(folder / predictions.CLIPS_FILE)
    assert clips["id"].is_unique
    assert result.n_total == result.n_evaluated == len(clips) == 410
    assert result.n_dropped == {}
    assert sum(result.corpus_dropped.values()) == 26
    assert result.scores["V2T_R@1"].value == (clips["rank"] == 1).mean()


@pytest.mark.parametrize(("name", "embeds"), [("E3.2", True), ("nearest-neighbour", False)])
def test_predictions_contain_what_was_scored(workspace, name, embeds):
    measured(name, workspace)
    clips, texts = (
        pd.read_parquet(workspace.predictions / name / "letters" / file)
        for file in (predictions.CLIPS_FILE, predictions.GALLERY_FILE)
    )
    assert ("embedding" in clips) == ("embedding" in texts) == embeds
    assert ("scores" in clips) != embeds
    for fold, of_fold in clips.groupby("fold"):
        gallery = texts[texts["fold"] == fold].reset_index()
        if embeds:
            scores = np.stack(gallery["embedding"]) @ np.stack(of_fold["embedding"]).T
        else:
            scores = np.stack(of_fold["scores"]).T
        targets = [gallery["label"].tolist().index(one) for one in of_fold["label"]]
        of_target = scores[targets, np.arange(len(targets))]
        best = gallery["label"][scores.argmax(axis=0)].to_numpy()
        tied = (np.abs(scores - of_target) < 1e-5).sum(axis=0) > 1  # by rounding, perhaps
        assert (of_fold["rank"] == 1 + (scores > of_target).sum(axis=0))[~tied].all()
        assert ((of_fold["predicted"] == best) | tied).all()
        assert tied.mean() < 0.5


@pytest.mark.slow
def test_a_test_clip_without_features_is_counted_as_dropped(workspace, tmp_path):
    clips = manifest.read(workspace.corpus(NAME))
    rows = splits.read(workspace.corpus(NAME), "letters")
    test = rows.query("fold == 0 and role == 'test'")
    lost = set(clips["path"][clips["id"] == test["id"].iloc[0]])
    lexicon = tmp_path / "lexicon"
    for path in set(clips["path"]) - lost:
        (lexicon / path).parent.mkdir(parents=True, exist_ok=True)
        (lexicon / path).symlink_to(corpora.root(NAME) / path)
    features = tmp_path / "features"
    out = features / NAME / "dominant_hand"
    store.write(clips, lexicon, "dominant_hand", out, progress=False)
    result = measured("nearest-neighbour", workspace.replace(features=features))["retrieval"]
    assert result.n_dropped == {"not in the feature store": 1}
    assert (result.n_total, result.n_evaluated) == (410, 409)


def test_the_floor_is_far_above_chance(workspace):
    score = measured("nearest-neighbour", workspace)["retrieval"].scores["V2T_R@1"]
    assert score.low > 5 * score.chance


def test_tagged_rows_are_also_ranked_among_all_pairs_of_the_corpus(workspace):
    both = measured("E5", workspace, "in_domain")
    assert {task: one.labels for task, one in both.items()} == {
        "retrieval": 26,
        "tagged_retrieval": 410,
    }
    clips = pd.read_parquet(workspace.predictions / "E5/in_domain/tagged_clips.parquet")
    own = "<en> <" + clips["sign_language"] + "> " + clips["id"].str.rsplit("-", n=1).str[1]
    assert list(clips["label"]) == list(own)
    for task, one in both.items():
        assert results.read(path_of(workspace, "E5", task, "in_domain")) == one


def test_a_row_that_trains_nothing_evaluates_its_runs_on_other_features(workspace):
    mirrored = measured("E8", workspace, "in_domain")["tagged_retrieval"]
    assert (mirrored.encoder, mirrored.title) == ("E8", "E7.2, mirrored at test time")
    itself = measured("E7.2", workspace, "in_domain")["tagged_retrieval"]
    assert mirrored.cost.parameters == itself.cost.parameters
    same = 0
    features = [
        store.FeatureStore(workspace.store(NAME, variant))
        for variant in ("reduced_face", "reduced_face_mirrored")
    ]
    for clip in itself.ranks:
        if np.array_equal(*(of_variant[clip].values for of_variant in features)):
            assert mirrored.ranks[clip] == itself.ranks[clip], clip
            same += 1
    assert 0 < same < len(itself.ranks)


def test_several_seeds_are_one_measurement_over_the_same_clips(workspace):
    each = [measured("E5", workspace, "in_domain", [seed]) for seed in (0, 1)]
    both = measured("E5", workspace, "in_domain", [0, 1])
    for task in RETRIEVAL:
        one, other, pooled = each[0][task], each[1][task], both[task]
        assert pooled.seeds == [0, 1]
        assert pooled.n_evaluated == one.n_evaluated
        for name in ("V2T_R@1", "V2T_R@10", "T2V_P@5"):
            mean = (one.scores[name].value + other.scores[name].value) / 2
            assert pooled.scores[name].value == pytest.approx(mean)
        for clip, ranks in pooled.ranks.items():
            assert ranks == [*one.ranks[clip], *other.ranks[clip]]
    clips = pd.read_parquet(workspace.predictions / "E5/in_domain" / predictions.CLIPS_FILE)
    assert not clips.duplicated(["seed", "id"]).any()
    assert set(clips["seed"]) == {0, 1}


def test_the_tagged_floor_is_never_right_at_rank_1_where_each_pair_occurs_once(workspace):
    """As the note of the table says."""
    floor = measured("nearest-neighbour", workspace, "in_domain")
    assert floor["tagged_retrieval"].scores["V2T_R@1"].value == 0
    assert floor["tagged_retrieval"].scores["V2T_R@10"].value > 0
    assert floor["retrieval"].scores["V2T_R@1"].value > 0


@pytest.mark.slow
def test_recognition_that_needs_too_large_a_matrix_is_skipped_with_a_warning(
    protocols, monkeypatch, caplog
):
    whole = protocols("E7.2")
    cells = whole["few_shot_5"].labels * whole["few_shot_5"].n_evaluated
    monkeypatch.setattr(_conditions, "MOST_CELLS", cells)  # training clips are more
    assert set(protocols("E7.2")) == set(whole) - {"linear_probe"}
    assert "scores in one matrix are over the limit" in caplog.text
    monkeypatch.setattr(_conditions, "MOST_CELLS", cells - 1)
    assert set(protocols("E7.2")) == {*CLIPS, *LANGUAGE}
    assert set(protocols("E3.2", "letters")) == set(CLIPS)


@pytest.mark.slow
@pytest.mark.parametrize("encoder", ["E7.2", "X"])
def test_every_protocol_runs_where_languages_and_labels_are_in_training(
    protocols, workspace, encoder
):
    found = protocols(encoder)
    assert tuple(found) == (*RECOGNITION, *CLIPS, *LANGUAGE)
    for name, result in found.items():
        assert results.read(path_of(workspace, encoder, name, "in_domain")) == result
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
    table = pd.read_parquet(workspace.predictions / encoder / "protocols/in_domain.parquet")
    assert set(table["task"]) == set(found)
    for name, of_task in table.groupby("task"):
        columns = (of_task[column].to_numpy() for column in predictions.RANK_COLUMNS)
        stored = pd.Series(TiedRanks(*columns).stored(), index=of_task["id"])
        assert stored.groupby(level=0).agg(list).to_dict() == found[name].ranks
        assert (of_task["rank"] <= of_task["candidates"]).all()
    few = table[table["task"] == "few_shot_5"]
    clips = manifest.read(workspace.corpus(NAME)).set_index("id")["text"].map(label)
    right = few["predicted"].to_numpy() == clips[few["id"]].to_numpy()
    alone = (few["rank"] == few["rank_high"]).to_numpy()  # of tied labels the first is predicted
    assert (right == (few["rank"] == 1))[alone].all()
    assert (few["rank"][right] == 1).all()


@pytest.mark.slow
def test_prompts_without_languages_get_no_language_task(protocols):
    found = protocols("E3.2", "letters")
    assert set(found) == {*RECOGNITION, *CLIPS}
    assert {found[name].labels for name in RECOGNITION} == {26}
    assert {found[name].n_evaluated for name in RECOGNITION} == {410}


@pytest.mark.slow
def test_recognition_learns_from_the_training_clips_of_its_fold(protocols, workspace):
    result = protocols("E7.2")["linear_probe"]
    clips = manifest.read(workspace.corpus(NAME)).set_index("id")
    rows = splits.read(workspace.corpus(NAME), "in_domain")
    cached = workspace.embeddings / NAME / "E7.2/0/in_domain.reduced_face.npz"
    with np.load(cached) as file:
        embedded = dict(zip(file["ids"].tolist(), file["embeddings"], strict=True))
    train, test = (list(rows["id"][rows["role"] == role]) for role in ("train", "test"))
    names = galleries.labels(clips.loc[rows["id"]].reset_index()).names
    scores = classifiers.linear_probe(
        np.stack([embedded[i] for i in train]),
        [label(clips.loc[i, "text"]) for i in train],
        np.stack([embedded[i] for i in test]),
        names,
    )
    right = [names[row] for row in scores.argmax(axis=0)]
    expected = np.mean([label(clips.loc[i, "text"]) == x for i, x in zip(test, right, strict=True)])
    assert result.scores["V2T_R@1"].value == pytest.approx(expected)


def test_a_run_that_was_trained_on_other_clips_is_evaluated_zero_shot(protocols, workspace):
    found = protocols("E8", "unseen_language", run="in_domain")
    assert set(found) == {
        *RECOGNITION,
        "sign_to_sign",
        "zero_shot",
    }  # no letter has more than 20 clips
    result = results.read(
        path_of(workspace, "E8", "zero_shot", "unseen_language", "smoke.in_domain")
    )
    assert result.title == "E7.2, mirrored at test time"
    rows = splits.read(workspace.corpus(NAME), "unseen_language")
    tested = rows[rows["role"] == "test"]
    # of the same corpus: clips that the run was trained on are left out
    known = splits.read(workspace.corpus(NAME), "in_domain")
    known = set(known["id"][known["role"].isin(["train", "validation"])])
    tested = tested[~tested["id"].isin(known)]
    assert 0 < len(tested) < result.n_total
    assert set(result.ranks) == set(tested["id"])
    assert result.n_dropped["the run was trained on it"] > 0
    assert result.n_evaluated + sum(result.n_dropped.values()) == result.n_total
    cached = workspace.embeddings / NAME / "E7.2/0/in_domain.reduced_face_mirrored.npz"
    assert cached.is_file()
    # the gallery is the prompts of the fold's own test clips
    assert result.labels == tested.groupby("fold").size().max()


@pytest.mark.slow
def test_the_result_of_a_task_that_is_skipped_now_is_removed(protocols, workspace, monkeypatch):
    found = protocols("E7.2")
    path = path_of(workspace, "E7.2", "linear_probe", "in_domain")
    assert path.is_file()
    monkeypatch.setattr(_conditions, "MOST_CELLS", 0)
    assert set(protocols("E7.2")) == set(found) - set(RECOGNITION)
    assert not path.exists()


@pytest.mark.slow
def test_on_official_splits_the_oracle_chooses_among_test_prompts(
    protocols, workspace, monkeypatch
):
    monkeypatch.setattr(galleries, "OFFICIAL", "in_domain")
    found = protocols("E7.2")["identification_oracle"]
    table = pd.read_parquet(workspace.predictions / "E7.2/protocols/in_domain.parquet")
    oracle = table[table["task"] == "identification_oracle"].set_index("id")["candidates"]
    rows = splits.read(workspace.corpus(NAME), "in_domain")
    clips = manifest.read(workspace.corpus(NAME)).set_index("id")
    tested = clips.loc[rows["id"][rows["role"] == "test"], "text"].map(label)
    assert oracle.to_dict() == {
        clip: count for clip, count in tested.map(tested.value_counts()).items() if count > 1
    }
    assert found.n_dropped["its label occurs in one sign language only"] > 0


def test_zero_shot_in_vocabulary_leaves_out_labels_that_are_rare_in_pretraining(
    protocols, monkeypatch
):
    frequent = zero_shot_in_vocabulary.in_vocabulary
    monkeypatch.setattr(
        zero_shot_in_vocabulary,
        "in_vocabulary",
        lambda labels, known: frequent(labels, known, more_than=15),
    )
    found = protocols("E7.2", "unseen_language", run="in_domain")
    some, whole = found["zero_shot_in_vocabulary"], found["zero_shot"]
    assert 0 < some.n_evaluated < whole.n_evaluated
    assert some.n_dropped["its label is rare in the encoder's own training"] > 0
    assert some.n_evaluated + sum(some.n_dropped.values()) == some.n_total


def test_labels_are_frequent_from_twenty_one_clips():
    seen = ["house"] * 21 + ["tree"] * 20
    found = zero_shot_in_vocabulary.in_vocabulary(["house", "tree", "sun", "house"], seen)
    assert found.tolist() == [True, False, False, True]


def test_with_two_takes_of_one_sign_analogies_are_skipped(protocols, monkeypatch):
    monkeypatch.setattr(analogies, "each_pair_once", lambda context, fold: False)
    assert set(protocols("E7.2")) == {*RECOGNITION, *CLIPS, *LANGUAGE} - {"analogies"}


def test_an_encoder_without_embeddings_has_no_protocols(protocols):
    with pytest.raises(ConfigError, match=r"nearest-neighbour.*the encoder has no embeddings"):
        protocols("nearest-neighbour", "letters")


@pytest.mark.slow
def test_all_tasks_at_once_are_what_they_are_alone(workspace, protocols):
    alone = measured("X", workspace, "in_domain") | protocols("X")
    together = measured("X", workspace, "in_domain", names=None)
    assert list(together) == list(alone)
    assert all(together[name].scores == alone[name].scores for name in alone)
    assert all(together[name].ranks == alone[name].ranks for name in alone)


def test_an_unknown_task_is_refused(workspace):
    with pytest.raises(ConfigError, match="unknown task 'few_shot'; there are retrieval"):
        measured("E5", workspace, "in_domain", names=["few_shot"])
