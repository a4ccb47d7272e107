"""Evaluation on the embedded corpus: each clip from its own frames, every clip counted."""

import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
import yaml

from baselines.floors import FLOORS
from baselines.floors.nearest_neighbour import NearestNeighbour
from benchmarks import results
from benchmarks.evaluation import context as opening
from benchmarks.evaluation import encoders, galleries, predictions, scores
from benchmarks.evaluation import evaluate as evaluation
from benchmarks.evaluation.context import opened
from signclip import checkpoint, corpora, inference
from signclip.core.errors import PoseError, RunError
from signclip.corpora import manifest, splits
from signclip.core.config import read_yaml
from signclip.experiments.config import RunConfig
from signclip.features import store
from signclip.poses import Features

ROOT = Path(__file__).parents[3]
NAME = "spreadthesign-fingerspelling"


def run_encoder(folders, split="letters", **changes) -> encoders.RunEncoder:
    rows = splits.read(folders["data"] / NAME, split)
    expected = dict(experiment="E3.2", profile="smoke", corpus=NAME, split=split, seed=0) | changes
    expected["experiment"], other = encoders.trained_as(
        folders["experiments"], expected["experiment"]
    )
    return encoders.RunEncoder(
        encoders.Expected(**expected),
        **other,
        experiments=folders["experiments"],
        params=folders["params"],
        runs=folders["runs"],
        roles={fold: splits.fingerprint(group) for fold, group in rows.groupby("fold")},
        corpus_fingerprint=store.corpus_fingerprint(manifest.read(folders["data"] / NAME)),
    )


class Case(NamedTuple):
    """An encoder with what it is measured on, fold 0."""

    encoder: encoders.RunEncoder | encoders.Recogniser
    training: encoders.Training
    clips: list[Features]
    asked: list[galleries.Gallery]

    def scores(self, clips: list[Features]) -> np.ndarray:
        """Every gallery's scores of the clips, (texts of all galleries, clips)."""
        scored = self.encoder.score_fold(0, self.training, clips, self.asked)
        assert len(scored) == len(self.asked)
        return np.concatenate(
            [
                one.scores if isinstance(one, scores.Recognised) else one.gallery @ one.clips.T
                for one in scored
            ]
        )


# a row without and with languages in its prompts, one with language-free prompts beside them, one
# that is tested on features of its own, the best one in known and in new languages, and a
# recogniser where it is asked among labels alone and in both galleries
RUNS = [
    ("E3.2", "letters", 1),
    ("E5", "in_domain", 2),
    ("X9", "in_domain", 2),
    ("E8", "in_domain", 2),
    ("X", "in_domain", 2),
    ("X", "unseen_language", 2),
]
CASES = [
    *RUNS,
    ("nearest-neighbour", "letters", 1),
    ("nearest-neighbour", "in_domain", 2),
]


@pytest.fixture(params=CASES, ids=lambda case: "-".join(case[:2]))
def case(request, folders) -> Case:
    """Each kind of encoder with its galleries."""
    name, split, count = request.param
    chosen = (
        encoders.Recogniser(name)
        if name in FLOORS
        else run_encoder(folders, split, experiment=name)
    )
    features = store.FeatureStore(folders["features"] / NAME / chosen.variant)
    manifested = manifest.read(folders["data"] / NAME)
    rows = splits.read(folders["data"] / NAME, split)
    asked = galleries.of(split, manifested, rows, chosen.template)
    assert len(asked) == count
    clips = manifested.set_index("id")
    rows = rows.query("fold == 0")
    train_ids, test_ids = (list(rows["id"][rows["role"] == role]) for role in ("train", "test"))
    known = clips.loc[train_ids]
    training = encoders.Training(
        [features[i] for i in train_ids],
        list(known["text"]),
        list(zip(known["sign_language"], known["spoken_language"], strict=True)),
    )
    return Case(chosen, training, [features[i] for i in test_ids], asked)


def config_of(folders, experiment: str) -> RunConfig:
    return checkpoint.read_config(folders["runs"] / experiment / "0/in_domain")


def measured(name: str, folders: dict[str, Path], out: Path, split="letters", seeds=(0,)):
    found = opened(
        name,
        profile="smoke",
        corpus=NAME,
        split=split,
        seeds=seeds,
        **folders,
        embeddings=out / "embeddings",
    )
    return evaluation.evaluate(
        found, predictions=out / "predictions", leaderboard=out / "leaderboard"
    )


def test_a_clips_scores_depend_on_its_own_frames_alone(case):
    """The guard against elimination: neither order, nor company, nor what else is tested counts."""
    whole = case.scores(case.clips)
    order = np.random.default_rng(0).permutation(len(case.clips))
    assert np.allclose(whole[:, order], case.scores([case.clips[i] for i in order]), atol=1e-4)
    for i in (0, 17, len(case.clips) - 1):
        assert np.allclose(whole[:, [i]], case.scores([case.clips[i]]), atol=1e-4)


def test_other_clips_may_hold_anything(case):
    rng = np.random.default_rng(1)
    changed = [case.clips[0]] + [
        clip._replace(values=rng.normal(size=clip.values.shape).astype(np.float32))
        for clip in case.clips[1:]
    ]
    before, after = case.scores(case.clips)[:, 0], case.scores(changed)[:, 0]
    assert np.allclose(before, after, atol=1e-4)


@pytest.mark.parametrize("case", RUNS, indirect=True)  # a recogniser learns from them
def test_which_letters_a_language_has_in_training_is_not_known_when_its_clips_are_scored(case):
    """Of the training clips a run gets to see which languages there are, and not whose is which."""
    training = case.training
    order = np.random.default_rng(2).permutation(len(training.texts))
    shuffled = training._replace(texts=[training.texts[i] for i in order])
    assert np.array_equal(
        case.scores(case.clips), case._replace(training=shuffled).scores(case.clips)
    )


def test_a_clip_that_cannot_be_scored_is_named_by_its_id(folders, tmp_path, monkeypatch):
    whole = store.FeatureStore.values
    bad = splits.read(folders["data"] / NAME, "letters").query("role == 'test'")["id"].iloc[3]

    def damaged(self, clip: str):
        return whole(self, clip) * (np.nan if clip == bad else 1)

    monkeypatch.setattr(store.FeatureStore, "values", damaged)
    with pytest.raises(PoseError, match=f"^{bad}: features are not finite"):
        measured("E3.2", folders, tmp_path)


def test_the_gallery_is_the_same_26_prompts_for_every_clip(folders, tmp_path):
    measured("E3.2", folders, tmp_path)
    gallery = pd.read_parquet(tmp_path / "predictions" / predictions.GALLERY_FILE)
    for _, fold in gallery.groupby("fold"):
        assert tuple(fold["label"]) == splits.LATIN


def label_scores(name: str, folders: dict[str, Path], out: Path) -> dict[str, results.Score]:
    """Scores among labels, where languages should not count."""
    split = "letters" if name in ("E3.2", *FLOORS) else "in_domain"
    return measured(name, folders, out, split)["retrieval"].scores


def test_the_languages_in_the_manifest_change_no_score(folders, tmp_path, monkeypatch):
    """With every clip's language renamed, results stay: no encoder is told a clip's language."""
    names = ("E3.2", "E5", "X9", "X", "nearest-neighbour")
    before = {name: label_scores(name, folders, tmp_path / "before") for name in names}
    read, same = manifest.read, store.corpus_fingerprint(manifest.read(folders["data"] / NAME))

    def scrambled(folder: Path) -> pd.DataFrame:
        clips = read(folder)
        tags = clips["sign_language"].sample(frac=1, random_state=0).to_numpy()
        assert (tags != clips["sign_language"]).any()
        return clips.assign(sign_language=tags)

    monkeypatch.setattr(opening.manifest, "read", scrambled)
    for module in (opening, store):  # else the runs and stores would, rightly, be refused
        monkeypatch.setattr(module, "corpus_fingerprint", lambda clips: same)
    for name in names:
        assert label_scores(name, folders, tmp_path / "after") == before[name]


@pytest.mark.parametrize(
    "other", [{"profile": "paper"}, {"corpus": "mine"}, {"seed": 1}, {"experiment": "E3"}]
)
def test_runs_are_not_evaluated_as_what_they_are_not(folders, other):
    with pytest.raises(RunError, match=r"trained as|no run of|not a run"):
        run_encoder(folders, **other)


def test_runs_of_another_split_are_refused_since_they_may_have_trained_on_the_test_clips(
    folders, tmp_path
):
    clips = manifest.read(folders["data"] / NAME)
    table = splits.read(folders["data"] / NAME, "letters").assign(
        fold=lambda rows: (rows["fold"] + 1) % splits.FOLDS
    )
    data = tmp_path / "data"
    corpora.write(data / NAME, clips, manifest.read_dropped(folders["data"] / NAME), table)
    with pytest.raises(RunError, match="another split"):
        measured("E3.2", dict(folders, data=data), tmp_path)


@pytest.mark.parametrize(
    ("file", "key", "value", "named"),
    [("experiments", "augment", ["noise"], "augment is"), ("params", "epochs", 7, "epochs is")],
)
def test_runs_of_what_a_row_was_once_are_refused(folders, tmp_path, file, key, value, named):
    values = read_yaml(folders[file])
    (values["E3.2"] if file == "experiments" else values["profiles"]["smoke"]["fingerclip"])[
        key
    ] = value
    changed = tmp_path / "changed.yaml"
    changed.write_text(yaml.safe_dump(values))
    with pytest.raises(RunError, match=f"{named} not what .*; train it again"):
        run_encoder(dict(folders, **{file: changed}))


def test_what_decides_no_weights_may_change_and_a_run_of_no_row_is_what_it_is(folders, tmp_path):
    values = read_yaml(folders["experiments"])
    changed = tmp_path / "experiments.yaml"
    changed.write_text(yaml.safe_dump(values | {"E3.2": values["E3.2"] | {"title": "renamed"}}))
    run_encoder(dict(folders, experiments=changed))
    del values["E3.2"]
    changed.write_text(yaml.safe_dump(values))
    run_encoder(dict(folders, experiments=changed))


@pytest.mark.parametrize(
    ("name", "told"), [("E3.1", "^no run of E3.1 .*train it first$"), ("foo", "E7.2.*beyond")]
)
def test_what_cannot_be_evaluated_is_told_in_one_sentence(folders, name, told):
    with pytest.raises(RunError, match=told):
        run_encoder(folders, experiment=name)


def test_a_result_says_which_runs_it_is_of(folders, tmp_path):
    found = measured("E5", folders, tmp_path, "in_domain", [0, 1])["retrieval"].runs
    assert found == {
        f"{seed}/in_domain": checkpoint.read_metrics(folders["runs"] / f"E5/{seed}/in_domain")[
            "fingerprint"
        ]
        for seed in (0, 1)
    }


def test_runs_are_measured_without_a_look_at_the_training_clips(folders, tmp_path, monkeypatch):
    read: set[str] = set()
    for name in ("__getitem__", "values"):
        whole = getattr(store.FeatureStore, name)
        monkeypatch.setattr(
            store.FeatureStore,
            name,
            lambda self, i, whole=whole: (read.add(i), whole(self, i))[1],
        )
    measured("E5", folders, tmp_path, "in_domain")
    roles = splits.read(folders["data"] / NAME, "in_domain")
    assert read == set(roles["id"][roles["role"] == "test"])
    read.clear()
    measured("E5", folders, tmp_path, "in_domain")
    assert not read  # embedded before


@pytest.mark.parametrize("name", ["E5", "nearest-neighbour"])
def test_the_cost_of_scoring_is_told_and_not_that_of_opening_and_fitting(
    name, folders, tmp_path, monkeypatch
):
    def slow(whole):
        def slowed(*given, **named):
            time.sleep(1)
            return whole(*given, **named)

        return slowed

    monkeypatch.setattr(inference, "load", slow(inference.load))
    monkeypatch.setattr(NearestNeighbour, "fit", slow(NearestNeighbour.fit))
    found = measured(name, folders, tmp_path, "in_domain")["retrieval"]
    assert found.n_evaluated / found.cost.evaluation_clips_per_second < 1  # second


def test_clips_of_a_store_are_a_sequence_that_can_be_cut(folders):
    there = store.FeatureStore(folders["features"] / NAME / "dominant_hand")
    ids = list(there.index["id"][:5])
    clips = opening.Stored(there, ids)
    assert len(clips) == len(list(clips)) == 5
    assert len(clips[1:4]) == 3
    assert (clips[1:4][-1].values == there[ids[3]].values).all()


def test_only_excluded_clips_of_languages_under_test_are_test_clips():
    rows = pd.DataFrame(
        {
            "fold": 0,
            "id": list("abcde"),
            "role": ["train", "validation", "excluded", "test", "excluded"],
        }
    )
    languages = pd.Series(["ase", "csq", "csq", "gsg", "gsg"], index=list("abcde"))
    folds, tested, dropped = opening._folds(rows, languages, set("abcde"), "unseen_language")
    assert folds[0].test == ["d"]
    assert (tested, dropped) == (2, {"its label is in no training language": 1})


def test_every_clip_of_a_language_that_shares_letters_is_a_test_clip_once():
    clips, _ = corpora.build(NAME, progress=False)
    languages = clips.set_index("id")["sign_language"]
    rows = splits.unseen_language(clips)
    _, tested, dropped = opening._folds(rows, languages, set(clips["id"]), "unseen_language")
    assert (tested, dropped) == (505, {"its label is in no training language": 40})


def test_every_clip_is_tested_once_and_counted(folders, tmp_path):
    result = measured("nearest-neighbour", folders, tmp_path)["retrieval"]
    clips = pd.read_parquet(tmp_path / "predictions" / predictions.CLIPS_FILE)
    assert clips["id"].is_unique
    assert result.n_total == result.n_evaluated == len(clips) == 410
    assert result.n_dropped == {}
    assert sum(result.corpus_dropped.values()) == 26
    assert result.scores["V2T_R@1"].value == (clips["rank"] == 1).mean()


@pytest.mark.parametrize(("name", "embedded"), [("E3.2", True), ("nearest-neighbour", False)])
def test_predictions_say_what_was_scored(folders, tmp_path, name, embedded):
    measured(name, folders, tmp_path)
    clips, texts = (
        pd.read_parquet(tmp_path / "predictions" / file)
        for file in (predictions.CLIPS_FILE, predictions.GALLERY_FILE)
    )
    assert ("embedding" in clips) == ("embedding" in texts) == embedded
    assert ("scores" in clips) != embedded
    for fold, of_fold in clips.groupby("fold"):
        gallery = texts[texts["fold"] == fold].reset_index()
        if embedded:
            scores = np.stack(gallery["embedding"]) @ np.stack(of_fold["embedding"]).T
        else:
            scores = np.stack(of_fold["scores"]).T
        own = [gallery["label"].tolist().index(one) for one in of_fold["label"]]
        own_scores = scores[own, np.arange(len(own))]
        best = gallery["label"][scores.argmax(axis=0)].to_numpy()
        tied = (np.abs(scores - own_scores) < 1e-5).sum(axis=0) > 1  # by rounding, perhaps
        assert (of_fold["rank"] == 1 + (scores > own_scores).sum(axis=0))[~tied].all()
        assert ((of_fold["predicted"] == best) | tied).all()
        assert tied.mean() < 0.5


def test_a_test_clip_without_features_is_counted_as_dropped(folders, tmp_path):
    clips = manifest.read(folders["data"] / NAME)
    test = splits.read(folders["data"] / NAME, "letters").query("fold == 0 and role == 'test'")
    lost = set(clips["path"][clips["id"] == test["id"].iloc[0]])
    lexicon = tmp_path / "lexicon"
    for path in set(clips["path"]) - lost:
        (lexicon / path).parent.mkdir(parents=True, exist_ok=True)
        (lexicon / path).symlink_to(corpora.root(NAME) / path)
    features = tmp_path / "features"
    out = features / NAME / "dominant_hand"
    store.write(clips, lexicon, "dominant_hand", out, progress=False)
    result = measured("nearest-neighbour", dict(folders, features=features), tmp_path)["retrieval"]
    assert result.n_dropped == {"not in the feature store": 1}
    assert (result.n_total, result.n_evaluated) == (410, 409)


def test_the_floor_is_far_over_chance(folders, tmp_path):
    score = measured("nearest-neighbour", folders, tmp_path)["retrieval"].scores["V2T_R@1"]
    assert score.low > 5 * score.chance


def test_tagged_rows_are_asked_among_all_pairs_that_the_corpus_has(folders, tmp_path):
    both = measured("E5", folders, tmp_path, "in_domain")
    assert {task: one.labels for task, one in both.items()} == {
        "retrieval": 26,
        "tagged_retrieval": 410,
    }
    clips = pd.read_parquet(tmp_path / "predictions/tagged_clips.parquet")
    own = "<en> <" + clips["sign_language"] + "> " + clips["id"].str.rsplit("-", n=1).str[1]
    assert list(clips["label"]) == list(own)
    for task, one in both.items():
        path = tmp_path / f"leaderboard/E5/smoke/{task}.{NAME}.in_domain.json"
        assert results.read(path) == one


def test_a_label_without_a_language_is_the_mean_of_its_prompts_over_the_training_languages(
    folders,
):
    encoder = run_encoder(folders, "in_domain", experiment="E5")
    model = inference.load(folders["runs"] / "E5/0/in_domain")
    gallery = galleries.Gallery(
        "retrieval", ("a", "b"), (galleries.Entry("a", "a"), galleries.Entry("b", "b")), {}
    )
    # how many clips a language has does not count, nor do the spoken languages of one
    training = encoders.Training([], [], [("ase", "en"), ("gsg", "de"), ("ase", "en"), ("ase", "")])
    found = encoders.gallery_embeddings(model, config_of(folders, "E5"), gallery, training)
    for row, letter in zip(found, "ab", strict=True):
        each = model.embed_text([f"<en> <ase> {letter}", f"<en> <gsg> {letter}"])
        assert np.allclose(row, each.mean(axis=0), atol=1e-6)
    beside = encoders.gallery_embeddings(
        inference.load(folders["runs"] / "X9/0/in_domain"),
        config_of(folders, "X9"),
        gallery,
        training,
    )
    model = inference.load(folders["runs"] / "X9/0/in_domain")
    assert np.allclose(beside, model.embed_text(["<en> a", "<en> b"]), atol=1e-6)
    assert encoder.template == "<en> <{sign_language}> {label}"


def test_a_prompt_that_was_trained_in_two_parts_is_their_mean_and_its_label_the_second(folders):
    run = folders["runs"] / "X/0/in_domain"
    model, trained_as = inference.load(run), checkpoint.read_config(run)
    prompts = ["<en> <ase> a", "<en> <gsg> a", "<en> <ase> b"]
    languages, letters = (
        {x: model.embed_text([f"<en> {x}"])[0] for x in names}
        for names in (("<ase>", "<gsg>"), "ab")
    )
    for prompt, row in zip(prompts, model.embed_text(prompts), strict=True):
        _, language, letter = prompt.split()
        assert np.allclose(row, (languages[language] + letters[letter]) / 2, atol=1e-6)
    entries = tuple(galleries.Entry(letter, letter) for letter in "ab")
    gallery = galleries.Gallery("retrieval", ("a", "b"), entries, {})
    training = encoders.Training([], [], [("ase", "en"), ("gsg", "de")])
    found = encoders.gallery_embeddings(model, trained_as, gallery, training)
    assert np.allclose(found, list(letters.values()), atol=1e-6)
    assert model.embed_text([]).shape == (0, model.dims)


def test_a_row_that_trains_nothing_is_its_runs_on_other_features(folders, tmp_path):
    mirrored = measured("E8", folders, tmp_path, "in_domain")["tagged_retrieval"]
    assert (mirrored.encoder, mirrored.title) == ("E8", "E7.2, mirrored at test time")
    itself = measured("E7.2", folders, tmp_path, "in_domain")["tagged_retrieval"]
    assert mirrored.cost.parameters == itself.cost.parameters
    clips, same = manifest.read(folders["data"] / NAME).set_index("id"), 0
    features = {
        variant: store.FeatureStore(folders["features"] / NAME / variant)
        for variant in ("reduced_face", "reduced_face_mirrored")
    }
    for clip in itself.ranks:
        if np.array_equal(*(of[clip].values for of in features.values())):
            assert mirrored.ranks[clip] == itself.ranks[clip], clips.loc[clip]
            same += 1
    assert 0 < same < len(itself.ranks)


def test_several_seeds_are_one_measurement_over_the_same_clips(folders, tmp_path):
    each = [measured("E5", folders, tmp_path, "in_domain", [seed]) for seed in (0, 1)]
    both = measured("E5", folders, tmp_path, "in_domain", [0, 1])
    for task in ("retrieval", "tagged_retrieval"):
        one, other, pooled = each[0][task], each[1][task], both[task]
        assert pooled.seeds == [0, 1]
        assert pooled.n_evaluated == one.n_evaluated
        for name in ("V2T_R@1", "V2T_R@10", "T2V_P@5"):
            mean = (one.scores[name].value + other.scores[name].value) / 2
            assert pooled.scores[name].value == pytest.approx(mean)
        for clip, ranks in pooled.ranks.items():
            assert ranks == [*one.ranks[clip], *other.ranks[clip]]
    clips = pd.read_parquet(tmp_path / "predictions" / predictions.CLIPS_FILE)
    assert not clips.duplicated(["seed", "id"]).any()
    assert set(clips["seed"]) == {0, 1}


def test_a_recogniser_of_languages_is_a_factor_of_its_tagged_scores(folders):
    """(language, label) is right where both are nearest; a language that was not met is not."""
    features = store.FeatureStore(folders["features"] / NAME / "dominant_hand")
    clips = manifest.read(folders["data"] / NAME).set_index("id", drop=False)
    chosen = clips[clips["sign_language"].isin(["ase", "gsg"])]
    asked = [galleries.prompts(clips, galleries.PAIR)]
    training = encoders.Training(
        [features[i] for i in chosen["id"]],
        list(chosen["text"]),
        list(zip(chosen["sign_language"], chosen["spoken_language"], strict=True)),
    )
    (scored,) = encoders.Recogniser("nearest-neighbour").score_fold(
        0, training, training.clips, asked
    )
    own = np.array([asked[0].own[i] for i in chosen["id"]])
    assert (scored.ranks(own).v2t == 1).mean() > 0.95  # they are its own clips
    best = [asked[0].entries[i].sign_language for i in scored.scores.argmax(axis=0)]
    assert set(best) <= {"ase", "gsg"}


def test_the_tagged_floor_is_never_right_at_rank_1_where_each_pair_occurs_once(folders, tmp_path):
    """What the table's note says of it."""
    floor = measured("nearest-neighbour", folders, tmp_path, "in_domain")
    assert floor["tagged_retrieval"].scores["V2T_R@1"].value == 0
    assert floor["tagged_retrieval"].scores["V2T_R@10"].value > 0
    assert floor["retrieval"].scores["V2T_R@1"].value > 0
