"""Cached embeddings: computed once as long as nothing changes, and written atomically."""

import numpy as np
import pytest

from benchmarks.evaluation import embeddings
from benchmarks.evaluation.context import open_context
from benchmarks.runner import run_tasks
from signclip import inference
from signclip.core import code, files
from signclip.core.errors import BusyError, StoreError
from signclip.features.store import FeatureStore

NAME = "spreadthesign-fingerspelling"
RUN = "E7.2/0/in_domain"


@pytest.fixture
def store_of(trained) -> FeatureStore:
    return FeatureStore(trained.store(NAME, "reduced_face"))


@pytest.fixture
def run(trained):
    return trained.runs / RUN


def measured(workspace) -> dict[str, dict]:
    """Scores of all tasks of E7.2."""
    where = dict(profile="smoke", corpus=NAME, split="in_domain", seeds=[0])
    found = run_tasks(open_context("E7.2", workspace, **where))
    return {name: result.scores for name, result in found.items()}


@pytest.mark.slow
def test_clips_are_embedded_once_as_long_as_nothing_changes(workspace, monkeypatch):
    first = measured(workspace)
    cached = workspace.embeddings / NAME / f"{RUN}.reduced_face.npz"
    content = cached.read_bytes()
    sizes = []
    embed = inference.SignCLIPModel.embed_pose

    def counted(self, items, **given):
        sizes.append(len(items))
        return embed(self, items, **given)

    monkeypatch.setattr(inference.SignCLIPModel, "embed_pose", counted)
    assert measured(workspace) == first
    assert not sizes
    with np.load(cached) as file:
        stale = dict(file) | {"key": np.array("of other weights"), "embeddings": file["ids"]}
    for broken in (content[: len(content) // 2], None):
        if broken is None:
            np.savez(cached, **stale)
        else:
            cached.write_bytes(broken)
        assert measured(workspace) == first
    test, rest = sizes[:2]
    assert sizes == [test, rest] * 2
    assert test + rest == 410  # every clip once


def test_clips_that_one_task_embedded_are_not_embedded_for_another(store_of, run, tmp_path):
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
def embedding(store_of, run, monkeypatch):
    """Embeds clips of E7.2's store into a folder; and the number of clips of each call."""
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


def test_an_interrupted_embedding_keeps_what_was_written(embedding, tmp_path, monkeypatch):
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
    assert given[4:] == [4]  # only the fifth part


def test_other_code_and_another_device_embed_anew(store_of, run, monkeypatch):
    keys = {embeddings._key(run, store_of, "cpu"), embeddings._key(run, store_of, "cuda")}
    monkeypatch.setattr(code, "fingerprint_code", lambda names: dict.fromkeys(names, "changed"))
    keys.add(embeddings._key(run, store_of, "cpu"))
    monkeypatch.setattr(embeddings, "version", lambda name: "0")
    keys.add(embeddings._key(run, store_of, "cpu"))
    assert len(keys) == 4


def test_reading_cached_embeddings_does_not_wait_for_a_writer(store_of, run, tmp_path):
    model, ids = inference.load(run), list(store_of.index["id"])
    cache = embeddings.Cache(tmp_path / "embeddings", store_of)
    cache.embed(run, model, ids[:2])
    [path] = (tmp_path / "embeddings").rglob("*.npz")
    with files.writing(path):
        cache.embed(run, model, ids[:2])
        with pytest.raises(BusyError):
            cache.embed(run, model, ids[:3])


def test_an_embedding_file_is_written_whole_or_not_at_all(workspace, monkeypatch):
    def killed(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez", killed)
    with pytest.raises(KeyboardInterrupt):
        measured(workspace)
    assert not list(workspace.embeddings.rglob("*.npz"))


def test_a_model_is_cached_below_the_folder_wherever_it_lies(store_of, tmp_path):
    cache = embeddings.Cache(tmp_path, store_of)
    for source in ("/model", "a/../../../b/model", "runs/x/E1/0/letters", "model"):
        path = cache._path(embeddings.Path(source))
        assert path.is_relative_to(tmp_path)
        assert ".." not in path.parts


def test_the_key_of_a_file_is_its_content(store_of, tmp_path):
    file = tmp_path / "released.pt"
    file.write_bytes(b"weights")
    first = embeddings._key(file, store_of, "cpu")
    assert embeddings._key(file, store_of, "cpu") == first
    file.write_bytes(b"other weights")
    assert embeddings._key(file, store_of, "cpu") != first
