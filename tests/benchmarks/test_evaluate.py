"""Evaluation on the embedded corpus: each clip from its own frames, every clip counted."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import evaluate as evaluation
from benchmarks import results
from signclip import config, corpora, manifest, splits, store, text, train
from signclip.errors import PoseError, RunError

ROOT = Path(__file__).parents[2]
NAME = "spreadthesign-fingerspelling"


def trained(folders: dict[str, Path], fold: int) -> None:
    run = config.resolve(
        ROOT / "benchmarks/experiments.yaml",
        ROOT / "params.yaml",
        "E3.2",
        profile="smoke",
        corpus=NAME,
        split="letters",
        fold=fold,
        seed=0,
    )
    train.train(
        run,
        corpus=folders["data"] / NAME,
        features=folders["features"] / NAME,
        runs=folders["runs"],
    )


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, Path]:
    """Corpus, features and five tiny trained folds of E3.2."""
    folder = tmp_path_factory.mktemp("evaluate")
    found = {name: folder / name for name in ("data", "features", "runs")}
    clips, dropped = corpora.build(NAME, progress=False)
    clips = clips[clips["text"].map(text.label).isin(splits.LATIN)]
    corpora.write(found["data"] / NAME, clips, dropped, splits.letters(clips))
    out = found["features"] / NAME / "dominant_hand"
    store.write(clips, corpora.root(NAME), "dominant_hand", out, progress=False)
    for fold in range(splits.FOLDS):
        trained(found, fold)
    return found


def run_encoder(folders, **changes) -> evaluation.RunEncoder:
    rows = splits.read(folders["data"] / NAME, "letters")
    expected = dict(experiment="E3.2", profile="smoke", corpus=NAME, split="letters", seed=0)
    return evaluation.RunEncoder(
        evaluation.Expected(**{**expected, **changes}),
        runs=folders["runs"],
        roles={fold: splits.fingerprint(group) for fold, group in rows.groupby("fold")},
        corpus_fingerprint=store.corpus_fingerprint(manifest.read(folders["data"] / NAME)),
    )


@pytest.fixture(params=["E3.2", "nearest-neighbour"])
def encoder(request, folders):
    """An encoder, its features, and training clips and test clips of fold 0."""
    chosen = (
        evaluation.Recogniser(request.param)
        if request.param in evaluation.BASELINES
        else run_encoder(folders)
    )
    features = store.FeatureStore(folders["features"] / NAME / chosen.variant)
    clips = manifest.read(folders["data"] / NAME).set_index("id")
    rows = splits.read(folders["data"] / NAME, "letters").query("fold == 0")
    train_ids, test_ids = (list(rows["id"][rows["role"] == role]) for role in ("train", "test"))
    training = ([features[i] for i in train_ids], list(clips.loc[train_ids, "text"]))
    return chosen, training, [features[i] for i in test_ids]


def measured(name: str, folders: dict[str, Path], out: Path) -> results.Result:
    return evaluation.evaluate(
        name,
        revision="smoke",
        corpus=NAME,
        split="letters",
        seed=0,
        **folders,
        predictions=out / "predictions",
        leaderboard=out / "leaderboard",
    )


def test_a_clips_scores_depend_on_its_own_frames_alone(encoder):
    """The guard against elimination: neither order, nor company, nor what else is tested counts."""
    chosen, training, clips = encoder
    whole = chosen.score_fold(0, training, clips, splits.LATIN).scores
    order = np.random.default_rng(0).permutation(len(clips))
    shuffled = chosen.score_fold(0, training, [clips[i] for i in order], splits.LATIN).scores
    assert np.allclose(whole[:, order], shuffled, atol=1e-4)
    for i in (0, 17, 80):
        alone = chosen.score_fold(0, training, [clips[i]], splits.LATIN).scores
        assert np.allclose(whole[:, [i]], alone, atol=1e-4)


def test_other_clips_may_hold_anything(encoder):
    chosen, training, clips = encoder
    rng = np.random.default_rng(1)
    changed = [clips[0]] + [
        clip._replace(values=rng.normal(size=clip.values.shape).astype(np.float32))
        for clip in clips[1:]
    ]
    before = chosen.score_fold(0, training, clips, splits.LATIN).scores[:, 0]
    after = chosen.score_fold(0, training, changed, splits.LATIN).scores[:, 0]
    assert np.allclose(before, after, atol=1e-4)


def test_a_clip_that_cannot_be_scored_is_named_by_its_id(folders, tmp_path, monkeypatch):
    whole = store.FeatureStore.__getitem__
    bad = splits.read(folders["data"] / NAME, "letters").query("role == 'test'")["id"].iloc[3]

    def damaged(self, clip: str):
        found = whole(self, clip)
        return found._replace(values=found.values * np.nan) if clip == bad else found

    monkeypatch.setattr(store.FeatureStore, "__getitem__", damaged)
    with pytest.raises(PoseError, match=f"^{bad}: features are not finite"):
        measured("E3.2", folders, tmp_path)


def test_the_gallery_is_the_same_26_prompts_for_every_clip(folders, tmp_path):
    measured("E3.2", folders, tmp_path)
    gallery = pd.read_parquet(tmp_path / "predictions" / evaluation.GALLERY_FILE)
    for _, fold in gallery.groupby("fold"):
        assert tuple(fold["label"]) == splits.LATIN


def test_the_languages_in_the_manifest_change_no_score(folders, tmp_path, monkeypatch):
    """With every clip's language renamed, results stay: no encoder is told a clip's language."""
    names = ("E3.2", "nearest-neighbour")
    before = {name: measured(name, folders, tmp_path / "before").scores for name in names}
    read, same = manifest.read, store.corpus_fingerprint(manifest.read(folders["data"] / NAME))

    def scrambled(folder: Path) -> pd.DataFrame:
        clips = read(folder)
        tags = clips["sign_language"].sample(frac=1, random_state=0).to_numpy()
        assert (tags != clips["sign_language"]).any()
        return clips.assign(sign_language=tags)

    monkeypatch.setattr(evaluation.manifest, "read", scrambled)
    for module in (evaluation, store):  # else the runs and stores would, rightly, be refused
        monkeypatch.setattr(module, "corpus_fingerprint", lambda clips: same)
    for name in names:
        assert measured(name, folders, tmp_path / "after").scores == before[name]


@pytest.mark.parametrize(
    "other", [{"profile": "paper"}, {"corpus": "mine"}, {"seed": 1}, {"experiment": "E3"}]
)
def test_runs_are_not_evaluated_as_what_they_are_not(folders, other):
    with pytest.raises(RunError, match=r"trained as|no finished run|not a run"):
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


def test_every_clip_is_tested_once_and_counted(folders, tmp_path):
    result = measured("nearest-neighbour", folders, tmp_path)
    clips = pd.read_parquet(tmp_path / "predictions" / evaluation.CLIPS_FILE)
    assert clips["id"].is_unique
    assert result.n_total == result.n_evaluated == len(clips) == 410
    assert result.n_dropped == {}
    assert sum(result.corpus_dropped.values()) == 26
    assert result.scores["V2T_R@1"].value == (clips["rank"] == 1).mean()


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
    result = measured("nearest-neighbour", dict(folders, features=features), tmp_path)
    assert result.n_dropped == {"not in the feature store": 1}
    assert (result.n_total, result.n_evaluated) == (410, 409)


def test_the_floor_is_far_over_chance(folders, tmp_path):
    score = measured("nearest-neighbour", folders, tmp_path).scores["V2T_R@1"]
    assert score.low > 5 * score.chance
