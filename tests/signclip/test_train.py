"""Training: repeatable to the bit, whole or absent, resumed by fold, honest about bad input."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import signclip
from signclip import checkpoint, config, corpora, manifest, splits, store, train
from signclip.errors import ConfigError, RunError, StoreError

ROOT = Path(__file__).parents[2]
NAME = "spreadthesign-fingerspelling"


def resolved(name: str = "E3.2", **where) -> config.RunConfig:
    return config.resolve(
        ROOT / "benchmarks/experiments.yaml",
        ROOT / "params.yaml",
        name,
        **{"profile": "smoke", "corpus": NAME, "split": "letters", "fold": 0, "seed": 0, **where},
    )


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, Path]:
    """Corpus and features of the 410 Latin letters."""
    folder = tmp_path_factory.mktemp("train")
    clips, dropped = corpora.build(NAME, progress=False)
    clips = clips[clips["text"].map(signclip.text.label).isin(splits.LATIN)]
    corpora.write(folder / "data", clips, dropped, splits.letters(clips))
    root = corpora.root(NAME)
    store.write(clips, root, "dominant_hand", folder / "features" / "dominant_hand", progress=False)
    return {"corpus": folder / "data", "features": folder / "features"}


def weights(folder: Path) -> bytes:
    return (folder / checkpoint.WEIGHTS).read_bytes()


def test_two_runs_give_the_same_bytes_side_by_side_or_alone(folders, tmp_path):
    alone = train.train(resolved(), **folders, runs=tmp_path / "alone")
    configs = [resolved(), resolved(fold=1)]
    together = train.train_all(configs, **folders, runs=tmp_path / "together", jobs=2)
    assert weights(alone) == weights(together[0])
    assert weights(alone) != weights(together[1])


def test_a_finished_run_is_kept_until_something_that_decides_it_changes(folders, tmp_path):
    first = train.train(resolved(), **folders, runs=tmp_path)
    stamp = (first / checkpoint.WEIGHTS).stat().st_mtime_ns
    train.train(resolved(), **folders, runs=tmp_path)
    assert (first / checkpoint.WEIGHTS).stat().st_mtime_ns == stamp
    train.train(resolved().model_copy(update={"learning_rate": 0.002}), **folders, runs=tmp_path)
    assert (first / checkpoint.WEIGHTS).stat().st_mtime_ns != stamp


def test_training_learns_its_own_clips(folders, tmp_path):
    towers = resolved().towers.model_copy(update={"hidden_size": 32, "intermediate_size": 64})
    changes = {"epochs": 12, "learning_rate": 3e-3, "towers": towers}
    folder = train.train(resolved().model_copy(update=changes), **folders, runs=tmp_path)
    curves = np.genfromtxt(folder / checkpoint.CURVES, delimiter=",", names=True)
    assert curves["loss"][-1] < curves["loss"][0] - 0.5
    assert curves["epoch"][-1] == 12


def test_a_failed_training_leaves_nothing_and_keeps_the_earlier_run(folders, tmp_path, monkeypatch):
    folder = train.train(resolved(), **folders, runs=tmp_path)
    before = weights(folder)
    monkeypatch.setattr(train.losses, "contrastive", lambda pose, text: (pose * torch.nan).sum())
    changed = resolved().model_copy(update={"learning_rate": 0.002})
    with pytest.raises(RunError, match=r"loss is nan on the batch of clips \w+-\w"):
        train.train(changed, **folders, runs=tmp_path)
    assert weights(folder) == before
    assert [p.name for p in folder.parent.iterdir() if p.name.endswith(".partial")] == []


def test_a_loaded_run_embeds_each_clip_as_if_alone(folders, tmp_path):
    model = signclip.load(train.train(resolved(), **folders, runs=tmp_path))
    features = store.FeatureStore(folders["features"] / "dominant_hand")
    clips = [features[clip].values for clip in list(features)[::40]]
    together = model.embed_pose(clips, batch_size=3)
    alone = np.concatenate([model.embed_pose([clip]) for clip in clips])
    assert np.abs(together - alone).max() < 1e-5
    assert model.similarity(clips, ["a", "b"]).shape == (len(clips), 2)


def test_poses_paths_and_features_embed_alike(folders, tmp_path):
    model = signclip.load(train.train(resolved(), **folders, runs=tmp_path))
    row = manifest.read(folders["corpus"]).iloc[0]
    path = corpora.root(NAME) / row["path"]
    features = store.FeatureStore(folders["features"] / "dominant_hand")[row["id"]].values
    from_path, from_pose, from_features = (
        model.embed_pose([item]) for item in (path, signclip.poses.read_pose(path), features)
    )
    assert np.array_equal(from_path, from_pose)
    assert np.array_equal(from_path, from_features)


def test_a_changed_byte_of_the_weights_is_found(folders, tmp_path):
    folder = train.train(resolved(), **folders, runs=tmp_path)
    checkpoint.verify(folder)
    data = bytearray(weights(folder))
    data[-5] ^= 1
    (folder / checkpoint.WEIGHTS).write_bytes(data)
    with pytest.raises(RunError, match=r"model\.safetensors"):
        checkpoint.verify(folder)


def test_a_cut_checkpoint_is_refused(folders, tmp_path):
    folder = train.train(resolved(), **folders, runs=tmp_path)
    (folder / checkpoint.WEIGHTS).write_bytes(weights(folder)[:500])
    with pytest.raises(RunError, match="cannot be loaded"):
        signclip.load(folder)


def test_missing_inputs_are_named(folders, tmp_path):
    with pytest.raises(StoreError, match="no feature store here"):
        train.train(resolved("E3"), **folders, runs=tmp_path)
    with pytest.raises(ConfigError, match="has no fold 7"):
        train.train(resolved(fold=7), **folders, runs=tmp_path)
    with pytest.raises(RunError, match="no finished run here"):
        signclip.load(tmp_path / "nowhere")


def test_a_damaged_run_is_trained_again(folders, tmp_path):
    folder = train.train(resolved(), **folders, runs=tmp_path)
    whole = weights(folder)
    for name in (checkpoint.WEIGHTS, checkpoint.CURVES, checkpoint.METRICS):
        (folder / name).write_bytes((folder / name).read_bytes()[:-20] + b"{" * 20)
        train.train(resolved(), **folders, runs=tmp_path)
        checkpoint.verify(folder)
        assert weights(folder) == whole


def test_a_store_of_another_manifest_is_refused(folders, tmp_path):
    clips = manifest.read(folders["corpus"])
    clips.loc[0, "text"] = "B"
    table = splits.letters(clips)
    corpora.write(tmp_path / "data", clips, manifest.read_dropped(folders["corpus"]), table)
    with pytest.raises(StoreError, match="packed from another manifest"):
        train.train(resolved(), **dict(folders, corpus=tmp_path / "data"), runs=tmp_path)


def test_a_run_on_another_corpus_is_not_overwritten(folders, tmp_path):
    train.train(resolved(), **folders, runs=tmp_path)
    with pytest.raises(ConfigError, match="holds a run on corpus"):
        train.train(resolved(corpus="mine"), **folders, runs=tmp_path)


def test_one_failing_fold_does_not_cost_the_others(folders, tmp_path):
    bad = resolved(fold=7)
    with pytest.raises(ConfigError, match="no fold 7"):
        train.train_all([resolved(), bad], **folders, runs=tmp_path, jobs=2)
    assert signclip.load(tmp_path / resolved().run_folder)


def test_a_bert_on_disk_starts_both_towers(folders, tmp_path):
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
    folder = train.train(resolved().model_copy(update=changes), **folders, runs=tmp_path / "runs")
    loaded = checkpoint.load(folder)
    source = BertModel.from_pretrained(bert)
    for tower in (loaded.model.video_encoder.bert, loaded.model.text_encoder):
        ours = tower.encoder.layer[0].output.dense.weight
        assert torch.allclose(ours, source.encoder.layer[0].output.dense.weight, atol=1e-6)
    assert loaded.model.config.pose_cls_id == loaded.tokenizer.cls_id
    shutil.rmtree(folder)
