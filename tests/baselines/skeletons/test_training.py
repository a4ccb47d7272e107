"""Skeleton runs learn, repeat bit for bit, are reused while unchanged, and refuse nonsense."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from baselines.skeletons import checkpoint, launch, networks, prediction, recipe, table, training
from baselines.skeletons.recipe import Recipe
from signclip.core.errors import ConfigError, RunError, StoreError
from signclip.core.workspace import RunId, Workspace
from signclip.corpora import splits
from signclip.experiments.run_folder import CONFIG, WEIGHTS, read_metrics, verify


def trained(corpus, runs, chosen: Recipe) -> Path:
    return training.train(chosen, corpus.workspace.replace(runs=runs))


def weights(folder: Path) -> bytes:
    return (folder / WEIGHTS).read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("model", table.models())
def test_every_model_learns_its_training_clips_and_generalises(
    model, corpus, tmp_path, make_recipe
):
    chosen = make_recipe(model, epochs=16, learning_rate=0.02, optimiser="adamw", hand_reach=1.0)
    folder = trained(corpus, tmp_path, chosen)
    curve = pd.read_csv(folder / "curves.csv")
    assert curve["loss"].iloc[-1] < curve["loss"].iloc[0] / 2
    assert curve["validation_V2T_R@1"].iloc[-1] == 1
    loaded = checkpoint.load(folder)
    ids = [f"clip-{i}" for i in range(24, 30)]  # the test clips, a a b b c c
    scores = loaded.score([corpus.store[i] for i in ids], ["a", "b", "c", "z"])
    assert scores.argmax(axis=0).tolist() == [0, 0, 1, 1, 2, 2]
    assert (scores[3] < scores[:3].min(axis=0)).all()
    assert np.allclose(scores[:3].sum(axis=0), 1, atol=1e-5)


def test_a_clip_is_scored_from_its_own_frames_alone(corpus, tmp_path, make_recipe):
    loaded = checkpoint.load(trained(corpus, tmp_path, make_recipe(views=3)))
    clips = [corpus.store[f"clip-{i}"] for i in range(5)]
    together = loaded.score(clips, ["a", "b", "c"])
    alone = np.concatenate([loaded.score([clip], ["a", "b", "c"]) for clip in clips], axis=1)
    assert np.allclose(together, alone, atol=1e-5)


def test_two_runs_give_the_same_bytes_and_each_stream_learns_as_if_alone(
    corpus, tmp_path, make_recipe
):
    both = make_recipe(affine_std=0.1)
    folders = [trained(corpus, tmp_path / name, both) for name in ("one", "two")]
    assert weights(folders[0]) == weights(folders[1])
    other = trained(corpus, tmp_path / "three", both.model_copy(update={"seed": 1}))
    assert weights(other) != weights(folders[0])
    # the first stream's weights are drawn first, so alone it starts from the same ones
    single = trained(corpus, tmp_path / "four", both.model_copy(update={"streams": ("joint",)}))
    whole, alone = (checkpoint.load(x).network.state_dict() for x in (folders[0], single))
    assert all(torch.equal(value, whole[name]) for name, value in alone.items())
    assert any(name.startswith("streams.bone.") for name in whole)


def test_maps_of_points_and_of_limbs_reach_their_own_streams(corpus, tmp_path, make_recipe):
    both = make_recipe("posec3d", streams=("heat_map", "limb_map"))
    folder = trained(corpus, tmp_path, both)
    clips = [corpus.store[f"clip-{i}"] for i in range(24, 30)]
    loaded = checkpoint.load(folder)
    together = loaded.score(clips, ["a", "b", "c"])
    each = []
    for stream in both.streams:
        # a network with the weights of one stream, which receives that stream's maps only
        single = both.model_copy(update={"streams": (stream,)})
        alone = networks.from_recipe(single, 3)
        prefix = f"streams.{stream}."
        alone.load_state_dict(
            {k: v for k, v in loaded.network.state_dict().items() if k.startswith(prefix)}
        )
        each.append(prediction.probabilities(single, alone.eval(), clips).numpy().T)
    assert np.allclose(together, np.mean(each, axis=0), atol=1e-6)
    assert not np.allclose(*each, atol=1e-3)


def test_a_finished_run_is_reused_until_its_fingerprint_changes(corpus, tmp_path, make_recipe):
    folder = trained(corpus, tmp_path, make_recipe())
    stamp = (folder / WEIGHTS).stat().st_mtime_ns
    trained(corpus, tmp_path, make_recipe(save_every=7))
    assert (folder / WEIGHTS).stat().st_mtime_ns == stamp
    for change in (dict(learning_rate=0.01), dict(hand_reach=1.0)):
        trained(corpus, tmp_path, make_recipe(**change))
        changed = (folder / WEIGHTS).stat().st_mtime_ns
        assert changed != stamp
        stamp = changed


def test_a_run_describes_itself_and_a_changed_byte_is_detected(corpus, tmp_path, make_recipe):
    folder = trained(corpus, tmp_path, make_recipe())
    assert folder == tmp_path / "stgcn/0/official"
    assert checkpoint.read_recipe(folder) == make_recipe()
    metrics = read_metrics(folder)
    loaded = checkpoint.load(folder)
    assert metrics["parameters"] == sum(p.numel() for p in loaded.network.parameters())
    assert metrics["clips"] == {"train": 18, "validation": 6, "test": 6}
    assert len(pd.read_csv(folder / "losses.csv")) == metrics["updates"] == 3
    assert {"curves.png", "config.yaml", "model.safetensors"} <= set(metrics["sha256"])
    verify(folder)
    content = bytearray(weights(folder))
    content[-1] ^= 1
    (folder / WEIGHTS).write_bytes(content)
    with pytest.raises(RunError, match="content differs"):
        verify(folder)


@pytest.mark.slow
def test_a_killed_and_resumed_run_equals_an_uninterrupted_one(
    corpus, tmp_path, make_recipe, train_in_fork
):
    """Statistics of batch norms and random states of dropout are part of the resumed state."""
    (tmp_path / "data").symlink_to(corpus.workspace.data)
    (tmp_path / "features").symlink_to(corpus.workspace.features)
    chosen = make_recipe("posec3d", epochs=2, save_every=2, affine_std=0.1, dropout=0.5)

    def train_in_process(runs: str, *killed: str | int) -> int:
        values = chosen.model_dump(mode="json")
        return train_in_fork(tmp_path, tmp_path / runs, values, *killed)

    assert train_in_process("once") == 0
    assert train_in_process("twice", "after-update", 4) == -9
    assert train_in_process("twice") == 0
    run = chosen.run_id.path
    for name in ("losses.csv", WEIGHTS):
        once, twice = (tmp_path / part / run / name for part in ("once", "twice"))
        assert once.read_bytes() == twice.read_bytes(), name
    starts = read_metrics(tmp_path / "twice" / run)["starts"]
    assert [start["after_update"] for start in starts] == [0, 2]


@pytest.mark.slow
def test_runs_trained_side_by_side_equal_runs_trained_alone(corpus, tmp_path, make_recipe):
    recipes = [make_recipe(), make_recipe(seed=1)]
    together = launch.train_all(recipes, corpus.workspace.replace(runs=tmp_path / "all"), jobs=2)
    alone = [trained(corpus, tmp_path / "alone", one) for one in recipes]
    assert [weights(x) for x in together] == [weights(x) for x in alone]


def test_several_processes_are_refused(corpus, tmp_path, make_recipe, monkeypatch):
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="without torchrun"):
        launch.train_all([make_recipe()], corpus.workspace.replace(runs=tmp_path), jobs=1)


def test_labels_without_training_clips_are_counted_and_never_predicted(
    make_corpus, tmp_path, make_recipe
):
    rows = [("a", "train")] * 4 + [("b", "train")]  # b has a single clip
    rows += [("a", "validation"), ("q", "validation"), ("a", "test"), ("y", "test"), ("z", "test")]
    made = make_corpus(rows)
    folder = trained(made, tmp_path, make_recipe(epochs=2))
    metrics = read_metrics(folder)
    assert metrics["clips_without_class"] == {"validation": 1, "test": 2}
    assert metrics["last"]["validation_V2T_R@1"] <= 0.5
    loaded = checkpoint.load(folder)
    assert loaded.classes == ("a", "b")
    scores = loaded.score([made.store["clip-8"]], ["a", "b", "y", "z"])
    assert (scores[2:] < scores[:2].min()).all()


def test_a_single_class_is_trained_and_always_predicted(make_corpus, tmp_path, make_recipe):
    made = make_corpus([("a", "train")] * 3 + [("b", "test")])
    folder = trained(made, tmp_path, make_recipe("stgcnpp"))
    scores = checkpoint.load(folder).score([made.store["clip-3"]], ["a", "b"])
    assert scores[0, 0] == 1.0 > scores[1, 0]
    assert "validation_loss" not in read_metrics(folder)["last"]


def test_a_split_without_training_clips_is_refused(make_corpus, tmp_path, make_recipe):
    made = make_corpus([("a", "validation"), ("b", "test")])
    with pytest.raises(StoreError, match="no training clip of split 'official', fold 0"):
        trained(made, tmp_path, make_recipe())
    with pytest.raises(ConfigError, match="has no fold 3"):
        trained(made, tmp_path, make_recipe(fold=3))


def test_another_corpus_is_not_overwritten(corpus, tmp_path, make_recipe):
    trained(corpus, tmp_path, make_recipe())
    other = SimpleNamespace(workspace=Workspace(tmp_path / "data", tmp_path / "features"))
    for folder in ("data", "features"):  # the same clips by another name
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "another").symlink_to(getattr(corpus.workspace, folder) / "synthetic")
    with pytest.raises(ConfigError, match="holds a run on corpus 'synthetic'"):
        trained(other, tmp_path, make_recipe(corpus="another"))


def test_a_run_that_does_not_fit_its_recipe_is_refused(corpus, tmp_path, make_recipe):
    folder = trained(corpus, tmp_path, make_recipe())
    values = yaml.safe_load((folder / CONFIG).read_text())
    values["skeleton"]["backbone"]["base_channels"] = 4
    (folder / CONFIG).write_text(yaml.safe_dump(values))
    with pytest.raises(RunError, match=r"model\.safetensors: cannot be loaded"):
        checkpoint.load(folder)
    (folder / CONFIG).write_text(json.dumps({"run": {}}))
    with pytest.raises(RunError, match="not a skeleton run's configuration"):
        checkpoint.load(folder)
    shutil.rmtree(folder)
    with pytest.raises(RunError, match="no finished run here"):
        checkpoint.load(folder)


@pytest.mark.parametrize(
    ("model", "changes", "message"),
    [
        ("stgcn", dict(streams=("heat_map",)), "streams must be some of joint, bone"),
        ("stgcn", dict(streams=("joint", "joint")), "each once"),
        ("stgcn", dict(map_size=28), "map_size is required by models that take maps"),
        ("posec3d", dict(map_size=None), "map_size is required by models that take maps"),
        ("stgcn", dict(epochs=0), "epochs"),
        ("stgcn", dict(another=1), "another"),
    ],
)
def test_inconsistent_recipes_are_refused(model, changes, message, make_recipe):
    with pytest.raises(ValueError, match=message):
        make_recipe(model, **changes)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (dict(model="another"), "unknown skeleton model 'another'; there are stgcn"),
        (dict(model="msg3d"), "MS-G3D cannot be trained: not in the package mmaction2"),
        (dict(profile="none"), "unknown profile 'none'"),
        (dict(model="posec3d"), "'p' has no numbers for skeleton model 'posec3d'"),
        (dict(points="feet"), "unknown selection of points 'feet'"),
        (dict(epochs=-1), "profile 'p': epochs: Input should be greater than 0"),
    ],
)
def test_an_unresolvable_recipe_is_refused_with_the_reason(given, message, tmp_path):
    numbers = dict(frames=4, batch_size=2, epochs=1, learning_rate=0.1, validate_every=1)
    place = {key: given.pop(key) for key in ("model", "profile") if key in given}
    block = {**numbers, "models": {"stgcn": given}}
    params = tmp_path / "params.yaml"
    params.write_text(yaml.safe_dump({"profiles": {"p": {"skeletons": block}}}))
    run = RunId(place.get("model", "stgcn"), place.get("profile", "p"), "c", "official", None, 0)
    with pytest.raises(ConfigError, match=message):
        recipe.resolve(run, params)


def test_a_model_that_mmaction2_cannot_build_is_refused_with_its_message():
    with pytest.raises(ConfigError, match="MMAction2 cannot build this model"):
        networks.build({"type": "RecognizerGCN", "backbone": {"type": "NoSuchBackbone"}})


def test_a_new_row_and_its_numbers_are_all_that_a_new_model_needs(
    corpus, tmp_path, make_recipe, monkeypatch
):
    inputs = corpus.store, splits.read(corpus.folder, "official")
    old = training.fingerprint(make_recipe(), *inputs)
    content = yaml.safe_load(table.TABLE.read_text())
    content["models"]["aagcn"] = {
        "title": "2s-AAGCN",
        "source": "Shi et al., 2020",
        "recognizer": "RecognizerGCN",
        "takes": "graph",
        "graph": "spatial",
        "backbone": {"type": "AAGCN", "num_person": 1},
        "head": {"type": "GCNHead"},
    }
    monkeypatch.setattr(table, "TABLE", tmp_path / "models.yaml")
    table.TABLE.write_text(yaml.safe_dump(content))
    numbers = make_recipe().model_dump(mode="json", exclude={*RunId.__annotations__, "model"})
    params = tmp_path / "params.yaml"
    block = {"models": {"aagcn": numbers}}
    params.write_text(yaml.safe_dump({"profiles": {"p": {"skeletons": block}}}))
    run = RunId("aagcn", "p", "synthetic", "official", None, 0)
    folder = trained(corpus, tmp_path / "runs", recipe.resolve(run, params))
    assert folder == tmp_path / "runs/aagcn/0/official"
    loaded = checkpoint.load(folder)
    assert loaded.title == "2s-AAGCN"
    assert loaded.score([corpus.store["clip-24"]], ["a", "b"]).shape == (2, 1)
    # the other models' runs are not trained again
    assert training.fingerprint(make_recipe(), *inputs) == old
