"""Exported annotations equal our own input, and imported MMAction2 checkpoints score as there."""

import dataclasses
import pickle
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from mmaction.datasets import PoseDataset
from mmengine.dataset import pseudo_collate
from mmengine.logging import MessageHub
from mmengine.optim import OptimWrapper
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from torch.utils.data import DataLoader
from typer.testing import CliRunner

from baselines import cli
from baselines.skeletons import adapter, annotations, graph, imported, networks, table
from benchmarks.evaluation.encoders import Training
from benchmarks.evaluation.galleries import labels
from benchmarks.evaluation.runs import TrainedOn
from benchmarks.evaluation.skeletons import SkeletonRuns
from signclip.core.errors import ConfigError, RunError, SignCLIPError
from signclip.core.workspace import RunId
from signclip.corpora import manifest, splits
from signclip.experiments import run_folder
from signclip.features.store import corpus_fingerprint

FRAMES = 4
PIPELINE = [
    dict(type="PreNormalize2D"),
    dict(type="GenSkeFeat", dataset="coco", feats=["j"]),
    dict(type="UniformSampleFrames", clip_len=FRAMES, test_mode=True),
    dict(type="PoseDecode"),
    dict(type="FormatGCNInput", num_person=1),
    dict(type="PackActionInputs"),
]


def mmaction2(path, **given) -> PoseDataset:
    """MMAction2's data set, built in MMAction2's registry scope."""
    with DefaultScope.overwrite_default_scope("mmaction"):
        return PoseDataset(str(path), test_mode=True, **given)


@pytest.fixture
def exported(corpus, tmp_path):
    """The synthetic corpus as an annotation file."""
    out = tmp_path / "clips.pkl"
    done = annotations.export(corpus.workspace, "synthetic", out, split="official")
    assert done == ({"train": 18, "validation": 6, "test": 6}, 3, 0)
    return out


def test_mmaction2_reads_each_split_of_an_export(exported):
    read = partial(mmaction2, exported, pipeline=[])
    sizes = {role: len(read(split=role)) for role in annotations.ROLES}
    assert sizes == {"train": 18, "validation": 6, "test": 6}
    content = pickle.loads(exported.read_bytes())
    assert content["classes"] == ["a", "b", "c"]
    assert content["graph"] == graph.skeleton("signing").layout()
    first = read(split="test").get_data_info(0)
    assert (first["frame_dir"], first["label"], first["total_frames"]) == ("clip-24", 0, 7)


def test_mmaction2s_pipeline_gives_the_same_joints_as_the_adapter(exported, corpus):
    pipeline = [step for step in PIPELINE if step["type"] != "UniformSampleFrames"]
    data = mmaction2(exported, pipeline=pipeline, split="train")
    for i in range(3):
        sample = data[i]
        name = f"clip-{i}"
        whole = adapter.keypoints(corpus.store[name], graph.skeleton("signing"))
        ours = adapter.joints([whole])
        theirs = sample["inputs"].numpy()[0]
        assert theirs.shape == ours.shape
        assert np.array_equal(theirs[..., 2], ours[..., 2])
        detected = ours[..., 2] == 1
        assert np.allclose(theirs[detected], ours[detected], atol=1e-4)
        assert 0 < detected.mean() < 1


def test_labels_without_training_clips_are_numbered_last_and_counted(make_corpus, tmp_path):
    made = make_corpus([("b", "train"), ("c", "train"), ("a", "test"), ("c", "validation")])
    out = tmp_path / "x.pkl"
    done = annotations.export(made.workspace, "synthetic", out, split="official")
    assert (done.classes, done.unpredictable) == (2, 1)
    content = pickle.loads(out.read_bytes())
    assert content["classes"] == ["b", "c", "a"]
    assert [one["label"] for one in content["annotations"]] == [0, 1, 1, 2]


def test_an_impossible_export_is_refused(corpus, make_corpus, tmp_path, monkeypatch):
    export = partial(annotations.export, corpus.workspace, "synthetic")
    with pytest.raises(ConfigError, match=r"end in \.pkl"):
        export(tmp_path / "clips.json", split="official")
    with pytest.raises(ConfigError, match="no fold 7"):
        export(tmp_path / "clips.pkl", split="official", fold=7)
    with pytest.raises(ConfigError, match="no split 'letters'"):
        export(tmp_path / "clips.pkl", split="letters")
    empty = make_corpus([("a", "test")])
    with pytest.raises(ConfigError, match="no training clip"):
        annotations.export(empty.workspace, "synthetic", tmp_path / "x.pkl", split="official")
    rows = pd.concat([splits.read(corpus.folder, "official").assign(fold=n) for n in (0, 1)])
    monkeypatch.setattr(splits, "read", lambda *_: rows)
    with pytest.raises(ConfigError, match=r"has folds \[0, 1\]: choose one with --fold"):
        export(tmp_path / "clips.pkl", split="official")
    assert not list(tmp_path.glob("*.pkl"))


@pytest.fixture
def users(tmp_path, corpus, make_recipe):
    """Imports a user's configuration and checkpoint, whose attributes it has."""
    backbone = make_recipe().backbone
    model = networks.config(
        "stgcn", graph.skeleton("signing"), 3, stream="joint", backbone=backbone
    )
    config, weights = tmp_path / "mine.py", tmp_path / "mine.pth"
    config.write_text(f"model = {model!r}\ntest_pipeline = {PIPELINE!r}\n")
    torch.manual_seed(0)
    network = networks.build(model)
    torch.save({"meta": {"epoch": 1}, "state_dict": network.state_dict()}, weights)

    def import_run(name: str = "mine", fold: int | None = None, **changes) -> Path:
        run = RunId(name, "", "synthetic", "official", fold, 0)
        workspace = corpus.workspace.replace(runs=tmp_path / "runs")
        given = dict(config=config, weights=weights, run=run, workspace=workspace)
        return imported.import_run(**(given | changes))

    import_run.network, import_run.config = network.eval(), config
    return import_run


def test_an_imported_checkpoint_scores_as_in_mmaction2(users, exported, corpus):
    folder = users()
    run_folder.verify(folder)
    loaded = imported.load(folder)
    np.random.seed(3)
    before = np.random.get_state()[1].copy()
    ids = [f"clip-{i}" for i in (24, 27, 29)]
    scores = loaded.score([corpus.store[i] for i in ids], ["a", "b", "c", "z"])
    assert np.array_equal(np.random.get_state()[1], before)
    data = mmaction2(exported, pipeline=PIPELINE, split="test")
    for column, row in enumerate((0, 3, 5)):
        sample = data[row]
        batch = {key: [value] for key, value in sample.items()}
        with torch.no_grad():
            theirs = users.network.test_step(batch)[0].pred_scores.item
        assert np.allclose(scores[:3, column], theirs, atol=1e-5)
    assert (scores[3] < scores[:3].min(axis=0)).all()


def test_an_imported_run_is_found_below_any_folder_of_runs(users, tmp_path):
    folder = users()
    runs = tmp_path / "runs"
    assert table.is_imported(folder)
    assert not table.is_imported(runs)
    assert table.is_skeleton("mine", runs)
    assert table.is_skeleton("mine", tmp_path)  # as runs/<a folder>/mine
    assert table.is_skeleton("posec3d", runs)
    assert not table.is_skeleton("E5", runs)


def test_an_imported_run_is_evaluated_in_the_label_gallery(users, corpus, tmp_path):
    users()
    workspace = corpus.workspace.replace(runs=tmp_path / "runs")
    clips, rows = manifest.read(corpus.folder), splits.read(corpus.folder, "official")
    trained_on = TrainedOn(corpus_fingerprint(clips), {0: splits.fingerprint(rows)})
    run = RunId("mine", "cpu", "synthetic", "official", None, 0)
    encoder = SkeletonRuns(run, workspace, trained_on)
    assert (encoder.title, encoder.variant) == ("mine (imported)", graph.VARIANT)
    ids = ["clip-24", "clip-25"]
    gallery = labels(clips.assign(text=clips["text"].where(clips["id"] != "clip-25", "z")))
    fold = encoder.open_fold(0, Training([], [], []))
    assert set(fold.vocabulary) == {"a", "b", "c"}
    scored = fold.score([corpus.store[i] for i in ids], gallery, ids)
    assert scored.scores.shape == (4, 2)
    assert encoder.parameters == sum(p.numel() for p in users.network.parameters())
    with pytest.raises(RunError, match="trained on other clips or another split"):
        SkeletonRuns(run, workspace, trained_on._replace(roles={0: "x"}))
    with pytest.raises(RunError, match="no run of mine with seed 5"):
        SkeletonRuns(dataclasses.replace(run, seed=5), workspace, trained_on)


def test_a_checkpoint_with_objects_is_refused_and_the_hook_prevents_them(users, tmp_path):
    hub = MessageHub("of a test")
    hub.update_scalar("train/loss", 0.5)
    content = {"state_dict": users.network.state_dict(), "message_hub": hub.state_dict()}
    torch.save(content, tmp_path / "objects.pth")
    with pytest.raises(RunError, match="PlainCheckpoint"):
        users(weights=tmp_path / "objects.pth")
    imported.PlainCheckpoint().before_save_checkpoint(None, content)
    assert content["message_hub"]["log_scalars"]["train/loss"][0] == [0.5]
    torch.save(content, tmp_path / "plain.pth")
    assert users(weights=tmp_path / "plain.pth").is_dir()


@pytest.mark.parametrize("plain", [True, False])
def test_a_checkpoint_that_mmengines_runner_saved(users, exported, corpus, tmp_path, plain):
    """Trained as MMAction2's ``tools/train.py`` does: message hub and optimizer beside weights."""
    network = users.network.train()
    runner = Runner(
        network,
        work_dir=str(tmp_path / "work"),
        train_dataloader=DataLoader(
            mmaction2(exported, pipeline=PIPELINE, split="train"), 6, collate_fn=pseudo_collate
        ),
        train_cfg=dict(by_epoch=True, max_epochs=1),
        optim_wrapper=OptimWrapper(torch.optim.SGD(network.parameters(), 0.01)),
        custom_hooks=[dict(type="PlainCheckpoint")] if plain else [],
        default_scope="mmaction",
        experiment_name=f"imported-{plain}",
        log_level="ERROR",
    )
    runner.train()
    weights = tmp_path / "work" / "epoch_1.pth"
    if not plain:
        with pytest.raises(RunError, match="PlainCheckpoint"):
            users(weights=weights)
        return
    loaded = imported.load(users(weights=weights))
    trained = network.eval().state_dict()
    assert loaded.network.state_dict().keys() == trained.keys()
    assert all(torch.equal(v, trained[k]) for k, v in loaded.network.state_dict().items())
    scores = loaded.score([corpus.store["clip-24"]], ["a", "b", "c"])
    assert np.isfinite(scores).all()


def test_a_failed_import_says_why(users, tmp_path):
    for changes, message in (
        (dict(name="stgcn"), "is a model of baselines/models.yaml"),
        (dict(weights=tmp_path / "none.pth"), "cannot be read"),
        (dict(config=tmp_path / "none.py"), "not a recogniser's configuration"),
        (dict(fold=4), "no fold 4"),
    ):
        with pytest.raises(SignCLIPError, match=message):
            users(**changes)
    other = tmp_path / "other.py"
    other.write_text(users.config.read_text().replace("'num_classes': 3", "'num_classes': 60"))
    with pytest.raises(ConfigError, match="60 classes, but the fold's training clips have 3"):
        users(config=other)
    torch.save({"state_dict": {"a": torch.zeros(1)}}, tmp_path / "strange.pth")
    with pytest.raises(RunError, match="does not fit"):
        users(weights=tmp_path / "strange.pth")
    torch.save({"state_dict": {"a": 3}}, tmp_path / "numbers.pth")
    with pytest.raises(RunError, match="holds no weights by name"):
        users(weights=tmp_path / "numbers.pth")


@pytest.mark.parametrize("name", ["export", "import", "models"])
def test_every_command_has_help_with_an_example(name):
    done = CliRunner().invoke(cli.app, [name, "--help"])
    assert done.exit_code == 0
    assert f"Example: python -m baselines {name}" in " ".join(done.output.split())


def test_the_commands_report_what_they_did(corpus, tmp_path, monkeypatch):
    monkeypatch.chdir(corpus.workspace.data.parent)
    words = ["export", "synthetic", str(tmp_path / "x.pkl"), "--split", "official"]
    done = CliRunner().invoke(cli.app, words)
    assert done.exit_code == 0, done.output
    assert "18 train, 6 validation, 6 test clips; num_classes=3" in done.output
    listed = CliRunner().invoke(cli.app, ["models"]).output
    assert "PoseC3D (SlowOnly)" in listed
    assert "CTR-GCN: not in the package mmaction2 1.1.0" in listed
