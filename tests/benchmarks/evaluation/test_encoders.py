"""Encoders: a clip is scored from its own frames; a run is evaluated as what it was trained as."""

import shutil
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest
import yaml

from baselines.floors import FLOORS
from benchmarks.evaluation import encoders, galleries
from benchmarks.evaluation.embedding import EmbeddingFold, Prompts
from benchmarks.evaluation.factory import encoder_name, open_encoder
from benchmarks.evaluation.ranks import Recognised
from benchmarks.evaluation.runs import TrainedOn
from signclip import checkpoint, inference
from signclip.core.config import read_yaml
from signclip.core.errors import RunError
from signclip.core.workspace import RunId, Workspace
from signclip.corpora import manifest, splits
from signclip.features import store
from signclip.poses import Features

NAME = "spreadthesign-fingerspelling"


def opened(
    workspace: Workspace, experiment: str, split: str = "letters", **changes
) -> encoders.Encoder:
    folder = workspace.corpus(NAME)
    rows = splits.read(folder, split)
    roles = {fold: splits.fingerprint(part) for fold, part in rows.groupby("fold")}
    trained_on = TrainedOn(store.corpus_fingerprint(manifest.read(folder)), roles)
    run = replace(RunId(experiment, "smoke", NAME, split, None, 0), **changes)
    return open_encoder(run, workspace, trained_on)


class Case(NamedTuple):
    """An encoder with what it is evaluated on, fold 0."""

    encoder: encoders.Encoder
    training: encoders.Training
    clips: list[Features]
    galleries: list[galleries.Gallery]

    def scores(self, clips: list[Features]) -> np.ndarray:
        """The clips' scores in every gallery, (texts of all galleries, clips)."""
        fold = self.encoder.open_fold(0, self.training)
        scored = [fold.score(clips, gallery) for gallery in self.galleries]
        return np.concatenate(
            [
                one.scores if isinstance(one, Recognised) else one.gallery @ one.clips.T
                for one in scored
            ]
        )


# a row without and with languages in its prompts, one with language-free prompts beside them, one
# that is evaluated on other features, the best one on known and on unseen languages, and a
# recogniser in the label gallery and in both galleries
RUNS = [
    ("E3.2", "letters"),
    ("E5", "in_domain"),
    ("X9", "in_domain"),
    ("E8", "in_domain"),
    ("X", "in_domain"),
    ("X", "unseen_language"),
]
CASES = [*RUNS, ("nearest-neighbour", "letters"), ("nearest-neighbour", "in_domain")]


@pytest.fixture(params=CASES, ids="-".join)
def case(request, trained) -> Case:
    """Each kind of encoder with its galleries."""
    name, split = request.param
    encoder = opened(trained, name, split)
    features = store.FeatureStore(trained.store(NAME, encoder.variant))
    whole = manifest.read(trained.corpus(NAME))
    rows = splits.read(trained.corpus(NAME), split)
    candidates = galleries.candidates(split, whole, rows)
    chosen = [galleries.labels(candidates)]
    if split != "letters":
        chosen.append(galleries.prompts(candidates, encoder.template))
    clips = whole.set_index("id")
    rows = rows.query("fold == 0")
    train_ids, test_ids = (list(rows["id"][rows["role"] == role]) for role in ("train", "test"))
    known = clips.loc[train_ids]
    training = encoders.Training(
        [features[i] for i in train_ids],
        list(known["text"]),
        list(zip(known["sign_language"], known["spoken_language"], strict=True)),
    )
    return Case(encoder, training, [features[i] for i in test_ids], chosen)


def test_a_clips_scores_depend_on_its_own_frames_alone(case):
    """The guard against elimination: neither the order nor the choice of test clips matters."""
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


@pytest.mark.parametrize("case", RUNS, indirect=True, ids="-".join)  # a recogniser learns from them
def test_a_runs_scores_ignore_which_letters_a_language_has_in_training(case):
    """Of the training clips a run uses the set of languages, and not the letters of each."""
    training = case.training
    order = np.random.default_rng(2).permutation(len(training.texts))
    shuffled = training._replace(texts=[training.texts[i] for i in order])
    assert np.array_equal(
        case.scores(case.clips), case._replace(training=shuffled).scores(case.clips)
    )


@pytest.mark.parametrize(
    "other", [{"profile": "paper"}, {"corpus": "mine"}, {"seed": 1}, {"experiment": "E3"}]
)
def test_a_run_is_not_evaluated_as_something_else(trained, other):
    with pytest.raises(RunError, match=r"trained as|no run of|not a run"):
        opened(trained, **{"experiment": "E3.2", **other})


@pytest.mark.parametrize(
    ("file", "key", "value", "named"),
    [("experiments", "augment", ["noise"], "augment is"), ("params", "epochs", 7, "epochs is")],
)
def test_a_run_of_a_row_that_has_changed_is_refused(trained, tmp_path, file, key, value, named):
    values = read_yaml(getattr(trained, file))
    (values["E3.2"] if file == "experiments" else values["profiles"]["smoke"]["fingerclip"])[
        key
    ] = value
    changed = tmp_path / "changed.yaml"
    changed.write_text(yaml.safe_dump(values))
    with pytest.raises(RunError, match=f"{named} not what .*; train it again"):
        opened(trained.replace(**{file: changed}), "E3.2")


def test_titles_may_change_and_a_run_of_no_row_is_taken_as_it_is(trained, tmp_path):
    values = read_yaml(trained.experiments)
    changed = tmp_path / "experiments.yaml"
    changed.write_text(yaml.safe_dump(values | {"E3.2": values["E3.2"] | {"title": "renamed"}}))
    opened(trained.replace(experiments=changed), "E3.2")
    del values["E3.2"]
    changed.write_text(yaml.safe_dump(values))
    opened(trained.replace(experiments=changed), "E3.2")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("E3.1", "^no run of E3.1 .*train it first: signbench train E3.1 --split letters"),
        ("posec3d", "^no run of posec3d .*signbench train posec3d --split letters"),
        ("foo", "^'foo' is no experiment.*E7.2.*beyond"),
        ("no/folder", "no finished run here"),
    ],
)
def test_an_encoder_that_does_not_exist_is_named_with_what_to_do(trained, name, message):
    with pytest.raises(RunError, match=message):
        opened(trained, name)


def test_where_another_split_was_trained_its_runs_are_named(trained):
    message = r"no run of X9 with seed 0 .*its finished runs: in_domain; --split chooses.*train it"
    with pytest.raises(RunError, match=message):
        opened(trained, "X9")


def test_an_unfinished_run_is_not_called_a_missing_one(trained, tmp_path):
    runs = tmp_path / "runs"
    (runs / "local/E3.1/0/.letters-0.work").mkdir(parents=True)
    with pytest.raises(
        RunError, match=r"E3\.1/0/letters-0 is not finished; resume it: signb.*--profile smoke"
    ):
        opened(trained.replace(runs=runs), "E3.1")


def test_a_name_like_that_of_a_row_is_guessed(trained):
    with pytest.raises(RunError, match=r"'nearest-neighbor' is no .*did you mean nearest-neigh"):
        opened(trained, "nearest-neighbor")


def test_fine_tunings_of_several_models_have_names_of_their_own(trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = "finetune/0/official"
    for origin in ("mine-E3.2-0-letters-0", "mine-released"):
        shutil.copytree(trained.runs / "E3.2/0/letters-0", f"runs/finetune/{origin}/{run}")
        assert encoder_name(f"runs/finetune/{origin}/{run}") == f"{origin}-finetune-0-official"
    shutil.copytree(trained.runs / "E3.2/0/letters-0", "runs/E3.2/0/letters-0")
    assert encoder_name("runs/E3.2/0/letters-0") == "E3.2-0-letters-0"


def test_encoders_have_names_that_are_folders():
    assert encoder_name("E7.2") == "E7.2"
    assert encoder_name("my_package.module:MyEncoder") == "MyEncoder"
    assert encoder_name("models/baseline_temporal.pt") == "baseline_temporal"
    assert encoder_name("models/imported one") == "imported-one"
    assert all(encoder_name(name) == name for name in FLOORS)


def fold_of(trained, experiment: str, training: encoders.Training) -> EmbeddingFold:
    return opened(trained, experiment, "in_domain").open_fold(0, training)


def gallery_of(*labels: str) -> galleries.Gallery:
    return galleries.Gallery(labels, tuple(galleries.Entry(name, name) for name in labels), {})


def test_a_label_without_a_language_is_the_mean_of_its_prompts_over_the_training_languages(trained):
    # the number of clips of a language does not count, nor do the spoken languages of one
    languages = [("ase", "en"), ("gsg", "de"), ("ase", "en"), ("ase", "")]
    training = encoders.Training([], [], languages)
    fold = fold_of(trained, "E5", training)
    for row, letter in zip(fold.embed_gallery(gallery_of("a", "b")), "ab", strict=True):
        each = fold.embed_text([f"<en> <ase> {letter}", f"<en> <gsg> {letter}"])
        assert np.allclose(row, each.mean(axis=0), atol=1e-6)
    beside = fold_of(trained, "X9", training)
    expected = beside.embed_text(["<en> a", "<en> b"])
    assert np.allclose(beside.embed_gallery(gallery_of("a", "b")), expected, atol=1e-6)
    assert fold.prompts == Prompts(
        "<en> <{sign_language}> {label}", "<en> <{sign_language}> {label}"
    )


def test_a_split_prompt_is_the_mean_of_its_parts_and_its_label_the_second(trained):
    model = inference.load(trained.runs / "X/0/in_domain")
    assert checkpoint.read_config(trained.runs / "X/0/in_domain").split_prompt
    prompts = ["<en> <ase> a", "<en> <gsg> a", "<en> <ase> b"]
    languages, letters = (
        {x: model.embed_text([f"<en> {x}"])[0] for x in names}
        for names in (("<ase>", "<gsg>"), "ab")
    )
    for prompt, row in zip(prompts, model.embed_text(prompts), strict=True):
        _, language, letter = prompt.split()
        assert np.allclose(row, (languages[language] + letters[letter]) / 2, atol=1e-6)
    fold = fold_of(trained, "X", encoders.Training([], [], [("ase", "en"), ("gsg", "de")]))
    found = fold.embed_gallery(gallery_of("a", "b"))
    assert np.allclose(found, list(letters.values()), atol=1e-6)
    assert model.embed_text([]).shape == (0, model.dims)


def test_a_recogniser_of_languages_is_a_factor_of_its_tagged_scores(trained):
    """(language, label) is right where both are nearest; a language without clips never is."""
    features = store.FeatureStore(trained.store(NAME, "dominant_hand"))
    clips = manifest.read(trained.corpus(NAME)).set_index("id", drop=False)
    chosen = clips[clips["sign_language"].isin(["ase", "gsg"])]
    gallery = galleries.prompts(clips, galleries.PAIR)
    training = encoders.Training(
        [features[i] for i in chosen["id"]],
        list(chosen["text"]),
        list(zip(chosen["sign_language"], chosen["spoken_language"], strict=True)),
    )
    fold = opened(trained, "nearest-neighbour").open_fold(0, training)
    scored = fold.score(training.clips, gallery)
    targets = np.array([gallery.targets[i] for i in chosen["id"]])
    assert scored.ranks(targets).v2t.recall(1).mean() > 0.95  # they are the training clips
    best = [gallery.entries[i].sign_language for i in scored.scores.argmax(axis=0)]
    assert set(best) <= {"ase", "gsg"}
