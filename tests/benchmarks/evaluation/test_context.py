"""The evaluation context: folds, dropped clips, and runs that were trained on other clips."""

import json
import shutil

import pandas as pd
import pytest
import yaml

from benchmarks.evaluation import folds
from benchmarks.evaluation.context import open_context
from benchmarks.evaluation.signclip_models import TransferredModel
from benchmarks.runner import run_tasks
from signclip import corpora, inference
from signclip.core.errors import ConfigError, RunError
from signclip.corpora import manifest, splits
from signclip.features import store

NAME = "spreadthesign-fingerspelling"


def context_of(workspace, name: str, split: str, **given):
    where = dict(profile="smoke", corpus=NAME, seeds=[0])
    return open_context(name, workspace, split=split, **where | given)


def test_clips_of_a_store_are_a_sequence_that_can_be_sliced(trained):
    whole = store.FeatureStore(trained.store(NAME, "dominant_hand"))
    ids = list(whole.index["id"][:5])
    clips = folds.StoredClips(whole, ids)
    assert len(clips) == len(list(clips)) == 5
    assert len(clips[1:4]) == 3
    assert (clips[1:4][-1].values == whole[ids[3]].values).all()


def test_only_excluded_clips_of_tested_languages_are_test_clips():
    rows = pd.DataFrame(
        {
            "fold": 0,
            "id": list("abcde"),
            "role": ["train", "validation", "excluded", "test", "excluded"],
        }
    )
    languages = pd.Series(["ase", "csq", "csq", "gsg", "gsg"], index=list("abcde"))
    found = folds.read_folds(rows, languages, set("abcde"), "unseen_language")
    assert found.folds[0].test == ["d"]
    assert found.n_total == 2
    assert found.n_dropped == {"its label is in no training language": 1}


def test_every_clip_of_a_language_that_shares_letters_is_a_test_clip_once():
    clips, _ = corpora.build(NAME, progress=False)
    languages = clips.set_index("id")["sign_language"]
    rows = splits.unseen_language(clips)
    found = folds.read_folds(rows, languages, set(clips["id"]), "unseen_language")
    assert found.n_total == 505
    assert found.n_dropped == {"its label is in no training language": 40}


def test_runs_of_another_split_are_refused_since_they_may_have_trained_on_the_test_clips(
    workspace, tmp_path
):
    folder = workspace.corpus(NAME)
    table = splits.read(folder, "letters").assign(
        fold=lambda rows: (rows["fold"] + 1) % splits.FOLDS
    )
    data = tmp_path / "data"
    corpora.write(data / NAME, manifest.read(folder), manifest.read_dropped(folder), table)
    with pytest.raises(RunError, match="another split"):
        context_of(workspace.replace(data=data), "E3.2", "letters")


def test_an_encoder_without_seeds_takes_the_first(workspace):
    context = context_of(workspace, "nearest-neighbour", "letters", seeds=[0, 1])
    assert (context.seeds, len(context.encoders)) == ([0], 1)
    context = context_of(workspace, "E5", "in_domain", seeds=[0, 1])
    assert (context.seeds, len(context.encoders)) == ([0, 1], 2)


def test_group_and_revision_are_named_and_the_run_is_part_of_the_default(workspace):
    context = context_of(workspace, "E7.2", "unseen_language", run="in_domain")
    assert (context.group, context.revision) == ("local", "smoke.in_domain")
    assert context.predictions_name == "unseen_language.in_domain"
    named = context.named(group="full", revision="v2")
    assert (named.group, named.revision) == ("full", "v2")
    assert named.predictions_name == "unseen_language.in_domain.v2"
    assert named.named().revision == "v2"


def test_a_run_is_not_evaluated_on_the_clips_that_it_was_trained_on(workspace):
    with pytest.raises(ConfigError, match=r"letters, fold 1: .*: the run was trained on it"):
        context_of(workspace, "E3.2", "letters", run="letters-0")
    with pytest.raises(RunError, match="no finished run"):
        context_of(workspace, "E7.2", "unseen_language", run="official")


def test_a_run_given_by_its_path_is_a_transferred_one(workspace):
    path = str(workspace.runs / "E7.2/0/in_domain")
    by_path = context_of(workspace, path, "unseen_language")
    by_name = context_of(workspace, "E7.2", "unseen_language", run="in_domain")
    assert by_path.encoder == "E7.2-0-in_domain"
    assert by_path.folds == by_name.folds
    assert by_path.split_folds.n_dropped["the run was trained on it"] > 0
    with pytest.raises(ConfigError, match="has no runs to choose from"):
        context_of(workspace, path, "unseen_language", run="in_domain")


def test_a_fine_tuned_run_is_not_evaluated_on_the_clips_of_its_first_run(workspace, tmp_path):
    """Its own corpus is another one; the run that it was initialised with saw the clips."""
    first = workspace.runs / "E7.2/0/in_domain"
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
    folder = workspace.corpus(NAME)
    corpus = folder, store.corpus_fingerprint(manifest.read(folder))
    rows = splits.read(folder, "in_domain")
    expected = set(rows["id"][rows["role"].isin(["train", "validation"])])
    unverified = object.__new__(TransferredModel)
    unverified._source = tuned
    assert unverified.trained_on(*corpus) == expected
    unverified._source = first
    assert unverified.trained_on(*corpus) == expected
    with pytest.raises(RunError, match="an earlier version"):
        unverified.trained_on(corpus[0], "built anew")
    assert unverified.trained_on(corpus[0].parent / "mine", "another corpus") == set()


def test_an_imported_model_is_evaluated_by_its_folder(workspace, tmp_path):
    model = inference.load(workspace.runs / "E7.2/0/in_domain")
    model.config, model.metrics = None, {}  # as of a model that was not trained here
    folder = model.save_pretrained(tmp_path / "models/imported")
    context = context_of(workspace, str(folder), "unseen_language", seeds=[0, 1])
    assert (context.encoder, context.seeds) == ("imported", [0])
    assert context.first_encoder.title == "imported (released model)"
    assert context.first_encoder.parameters > 0
    found = run_tasks(context, ["zero_shot", "tagged_retrieval"])
    assert found["zero_shot"].n_evaluated == found["zero_shot"].n_total - sum(
        context.split_folds.n_dropped.values()
    )
    assert list((workspace.embeddings / NAME).rglob("imported.reduced_face.npz"))
    unknown = tmp_path / "models/unknown"
    model.variant = None
    model.save_pretrained(unknown)
    with pytest.raises(ConfigError, match="its variant is not known"):
        context_of(workspace, str(unknown), "unseen_language")
