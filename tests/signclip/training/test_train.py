"""Training: repeatable to the bit, whole or absent, resumed by fold, honest about bad input."""

import errno
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import signclip
from signclip import checkpoint, corpora
from signclip.core.errors import ConfigError, RunError, StoreError
from signclip.core.workspace import Workspace
from signclip.corpora import manifest, splits
from signclip.experiments.config import Compute
from signclip.features import store
from signclip.training import contrastive, curves, examples, finetune, launch, train

NAME = "spreadthesign-fingerspelling"


def weights(folder: Path) -> bytes:
    return (folder / checkpoint.WEIGHTS).read_bytes()


@pytest.fixture(scope="module")
def shared_runs(workspace, smoke_config, tmp_path_factory) -> Path:
    """A folder of runs with the one of ``smoke_config()``. Not to be changed by a test."""
    runs = tmp_path_factory.mktemp("runs")
    train.train(smoke_config(), workspace.replace(runs=runs))
    return runs


@pytest.fixture
def finished(shared_runs, smoke_config, tmp_path) -> Path:
    """The finished run of ``smoke_config()`` in ``tmp_path``, as if it had been trained there."""
    shutil.copytree(shared_runs, tmp_path, dirs_exist_ok=True)
    return tmp_path / smoke_config().run_id.path


@pytest.mark.slow
def test_two_runs_give_the_same_bytes_side_by_side_or_alone(
    workspace, tmp_path, smoke_config, shared_runs
):
    alone = shared_runs / smoke_config().run_id.path
    configs = [smoke_config(), smoke_config(fold=1)]
    together = launch.train_all(configs, workspace.replace(runs=tmp_path / "together"), jobs=2)
    assert weights(alone) == weights(together[0])
    assert weights(alone) != weights(together[1])


def test_a_finished_run_is_kept_until_something_that_decides_it_changes(
    workspace, tmp_path, smoke_config, finished
):
    first = finished
    stamp = (first / checkpoint.WEIGHTS).stat().st_mtime_ns
    train.train(smoke_config(), workspace.replace(runs=tmp_path))
    assert (first / checkpoint.WEIGHTS).stat().st_mtime_ns == stamp
    train.train(smoke_config(learning_rate=0.002), workspace.replace(runs=tmp_path))
    assert (first / checkpoint.WEIGHTS).stat().st_mtime_ns != stamp


@pytest.mark.slow
def test_clips_read_ahead_by_other_processes_are_the_same_clips(workspace, tmp_path, smoke_config):
    changes = dict(augment=("affine2d", "temporal", "noise"), reshuffle=True, epochs=2)
    runs = [
        run
        for loaders in (0, 2)
        for run in launch.train_all(  # in processes of a fork server, where nothing is inherited
            [smoke_config(**changes, compute=Compute(loaders=loaders))],
            workspace.replace(runs=tmp_path / str(loaders)),
            jobs=1,
        )
    ]
    assert weights(runs[0]) == weights(runs[1])


@pytest.mark.slow
def test_training_learns_its_own_clips(workspace, tmp_path, smoke_config):
    towers = smoke_config().towers.model_copy(update={"hidden_size": 32, "intermediate_size": 64})
    changes = {"epochs": 12, "learning_rate": 3e-3, "towers": towers}
    folder = train.train(smoke_config(**changes), workspace.replace(runs=tmp_path))
    rows = np.genfromtxt(folder / curves.CURVES, delimiter=",", names=True)
    assert rows["loss"][-1] < rows["loss"][0] - 0.5
    assert rows["epoch"][-1] == 12


def test_a_failed_training_keeps_the_earlier_run(
    workspace, tmp_path, monkeypatch, smoke_config, finished
):
    folder = finished
    before = weights(folder)
    monkeypatch.setattr(
        contrastive.losses, "contrastive", lambda pose, text: (pose * torch.nan).sum()
    )
    changed = smoke_config(learning_rate=0.002)
    with pytest.raises(RunError, match=r"update 1: the loss is nan on the batch of \w+-\w"):
        train.train(changed, workspace.replace(runs=tmp_path))
    assert weights(folder) == before
    assert [p.name for p in folder.parent.iterdir() if p.name.endswith(".partial")] == []


def test_a_loaded_run_embeds_each_clip_as_if_alone(workspace, finished):
    model = signclip.load(finished)
    features = store.FeatureStore(workspace.store(NAME, "dominant_hand"))
    clips = [features[clip].values for clip in list(features)[::40]]
    together = model.embed_pose(clips, batch_size=3)
    alone = np.concatenate([model.embed_pose([clip]) for clip in clips])
    assert np.abs(together - alone).max() < 1e-5
    assert model.similarity(clips, ["a", "b"]).shape == (len(clips), 2)


def test_poses_paths_and_features_embed_alike(embedded, workspace, finished):
    model = signclip.load(finished)
    row = manifest.read(workspace.corpus(NAME)).iloc[0]
    path = embedded.root / row["path"]
    features = store.FeatureStore(workspace.store(NAME, "dominant_hand"))[row["id"]].values
    from_path, from_pose, from_features = (
        model.embed_pose([item]) for item in (path, signclip.poses.read_pose(path), features)
    )
    assert np.array_equal(from_path, from_pose)
    assert np.array_equal(from_path, from_features)


def test_a_changed_byte_of_the_weights_is_found(finished):
    checkpoint.verify(finished)
    data = bytearray(weights(finished))
    data[-5] ^= 1
    (finished / checkpoint.WEIGHTS).write_bytes(data)
    with pytest.raises(RunError, match=r"model\.safetensors"):
        checkpoint.verify(finished)


def test_a_cut_checkpoint_is_refused(finished):
    (finished / checkpoint.WEIGHTS).write_bytes(weights(finished)[:500])
    with pytest.raises(RunError, match="cannot be loaded"):
        signclip.load(finished)


def test_a_full_disk_names_the_run(workspace, tmp_path, smoke_config, monkeypatch):
    def log(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(train, "_train", log)
    config = smoke_config("E3.2")
    refused = pytest.raises(ConfigError, match=r"cannot be written \(No space left on device\)")
    with refused as error:
        train.train(config, workspace.replace(runs=tmp_path))
    assert str(error.value).startswith(str(tmp_path / config.run_id.path))


def test_missing_inputs_are_named(workspace, tmp_path, smoke_config):
    config = smoke_config("E3")
    command = f"signclip pack {config.corpus} --variant {config.variant}"
    with pytest.raises(StoreError, match=f"no feature store here; make it with `{command}`"):
        train.train(config, workspace.replace(runs=tmp_path))
    with pytest.raises(ConfigError, match="has no fold 7"):
        train.train(smoke_config(fold=7), workspace.replace(runs=tmp_path))
    with pytest.raises(RunError, match="no finished run here"):
        signclip.load(tmp_path / "nowhere")


def test_a_damaged_run_is_trained_again(workspace, tmp_path, smoke_config, finished):
    folder = finished
    whole = weights(folder)
    for name in (checkpoint.WEIGHTS, curves.CURVES, checkpoint.METRICS):
        (folder / name).write_bytes((folder / name).read_bytes()[:-20] + b"{" * 20)
        train.train(smoke_config(), workspace.replace(runs=tmp_path))
        checkpoint.verify(folder)
        assert weights(folder) == whole


def test_a_store_of_another_manifest_is_refused(workspace, tmp_path, smoke_config):
    clips = manifest.read(workspace.corpus(NAME))
    clips.loc[0, "text"] = "B"
    table = splits.letters(clips)
    corpora.write(
        tmp_path / "data" / NAME, clips, manifest.read_dropped(workspace.corpus(NAME)), table
    )
    with pytest.raises(StoreError, match="packed from another manifest"):
        train.train(smoke_config(), workspace.replace(data=tmp_path / "data", runs=tmp_path))


@pytest.mark.parametrize("role", ["train", "validation"])
def test_a_number_that_is_none_in_the_store_is_named_before_the_model_sees_it(
    workspace, tmp_path, smoke_config, role
):
    rows = splits.read(workspace.corpus(NAME), "letters")
    clip = rows["id"][(rows["fold"] == 0) & (rows["role"] == role)].iloc[3]
    shutil.copytree(workspace.features, tmp_path / "features")
    packed = store.FeatureStore(tmp_path / "features" / NAME / "dominant_hand")
    row = packed.index.set_index("id").loc[clip]
    path = packed.folder / "features.bin"
    values = np.fromfile(path, dtype=np.float32)
    values[(row["offset"] + 1) * packed.dims + 5] = np.nan
    values.tofile(path)
    with pytest.raises(StoreError, match=f"^{clip}: features .* are not finite"):
        train.train(
            smoke_config(),
            workspace.replace(features=tmp_path / "features", runs=tmp_path / "runs"),
        )


def test_a_run_on_another_corpus_is_not_overwritten(workspace, tmp_path, smoke_config, shared_runs):
    shutil.copytree(shared_runs, tmp_path / "runs")
    for part in ("data", "features"):
        (tmp_path / part).mkdir()
        (tmp_path / part / "mine").symlink_to(getattr(workspace, part) / NAME)
    mine = Workspace(tmp_path / "data", tmp_path / "features", tmp_path / "runs")
    with pytest.raises(ConfigError, match="holds a run on corpus"):
        train.train(smoke_config(corpus="mine"), mine)


@pytest.mark.slow
def test_one_failing_fold_does_not_cost_the_others(workspace, tmp_path, smoke_config):
    bad = smoke_config(fold=7)
    with pytest.raises(ConfigError, match="no fold 7"):
        launch.train_all([smoke_config(), bad], workspace.replace(runs=tmp_path), jobs=2)
    assert signclip.load(tmp_path / smoke_config().run_id.path)


def test_a_bert_on_disk_starts_both_towers(workspace, tmp_path, smoke_config):
    """The paper's profile starts from a BERT; here a small one, made by the test."""
    from transformers import BertConfig, BertModel, BertTokenizerFast

    bert = tmp_path / "bert"
    BertModel(
        BertConfig(
            vocab_size=40,
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=130,
        )
    ).save_pretrained(bert)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz", "letter"]
    (tmp_path / "vocab.txt").write_text("\n".join([*words, *(f"w{i}" for i in range(8))]))
    BertTokenizerFast(str(tmp_path / "vocab.txt")).save_pretrained(bert)
    changes = {"init": str(bert), "learning_rate": 1e-12}
    folder = train.train(smoke_config(**changes), workspace.replace(runs=tmp_path / "runs"))
    loaded = checkpoint.load(folder)
    source = BertModel.from_pretrained(bert)
    for tower in (loaded.model.video_encoder.bert, loaded.model.text_encoder):
        ours = tower.encoder.layer[0].output.dense.weight
        assert torch.allclose(ours, source.encoder.layer[0].output.dense.weight, atol=1e-6)
    assert loaded.model.config.pose_cls_id == loaded.tokenizer.cls_id
    shutil.rmtree(folder)


PAIR = "<en> <{sign_language}> {label}"


def test_a_prompt_in_parts_is_trained_by_them_and_asked_whole(smoke_config, embedded):
    clips = embedded.manifest.set_index("id", drop=False).loc[["ase-a", "ase-b", "gsg-b"]]
    whole, parts = (smoke_config(prompt=PAIR, split_prompt=split) for split in (False, True))
    assert [x.texts for x in examples.make_examples(whole, clips)] == [
        ("<en> <ase> a",),
        ("<en> <ase> b",),
        ("<en> <gsg> b",),
    ]
    assert [x.texts for x in examples.make_examples(parts, clips)] == [
        ("<en> <ase>", "<en> a"),
        ("<en> <ase>", "<en> b"),
        ("<en> <gsg>", "<en> b"),
    ]
    assert examples.query_templates(parts) == (PAIR, "<en> {label}")
    assert examples.query_templates(whole) == (PAIR,)


def test_of_two_texts_one_that_all_clips_share_teaches_nothing(smoke_config, embedded):
    clips = embedded.manifest.set_index("id", drop=False)
    config = smoke_config(prompt=PAIR, split_prompt=True)
    american = examples.make_examples(config, clips.loc[["ase-a", "ase-b"]])
    assert [x.texts for x in american] == [("<en> a",), ("<en> b",)]
    one = examples.make_examples(config, clips.loc[["ase-a"]])
    assert [x.texts for x in one] == [("<en> <ase>",)]


def test_a_spoken_language_with_a_space_comes_apart_too(smoke_config, embedded):
    clips = embedded.manifest.set_index("id", drop=False).loc[["ase-a", "gsg-b"]]
    clips = clips.assign(spoken_language=["en", "Swiss German"])
    config = smoke_config(prompt="<{spoken_language}> <{sign_language}> {text}", split_prompt=True)
    assert [len(x.texts) for x in examples.make_examples(config, clips)] == [2, 2]


def test_what_validates_a_run_in_parts_is_its_whole_prompts_and_its_labels(
    training_folder, workspace, smoke_config, tmp_path
):
    config = smoke_config(prompt=PAIR, split_prompt=True, epochs=1)
    run = train.train(config, workspace.replace(runs=tmp_path))
    last = checkpoint.read_metrics(run)["last"]
    assert {"validation_loss", "validation_V2T_R@1", "validation_label_V2T_R@1"} <= last.keys()
    model = signclip.load(run)
    saved = signclip.load(model.save_pretrained(tmp_path / "saved"))
    texts = ["<en> <ase> a", "<en> a", "<en> <bfi> b"]
    assert np.array_equal(model.embed_text(texts), saved.embed_text(texts))
    assert not np.allclose(*model.embed_text(texts[:2]))
    _, given = finetune.start(run)
    assert given["split_prompt"]
