"""An index is whole or refused, belongs to one model, and finds what the model's scores say."""

import csv
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import signclip
from signclip import search
from signclip.core import files
from signclip.core.errors import ConfigError, LanguageTagError, SignIndexError
from signclip.core.verify import verify
from signclip.search.index import Index


def names(hits: list[search.Hit]) -> list[str]:
    return [Path(hit.path).stem for hit in hits]


def test_a_text_finds_the_clips_that_the_model_scores_highest(build, clips, model):
    index = build(clips).index
    assert len(index) == 6
    assert index.dims == 16
    paths = sorted(clips.rglob("*.pose"))
    scores = model.similarity(paths, ["house", "<en> <ase> a"])
    found = index.search(model.embed_text(["house", "<en> <ase> a"]), k=4)
    for column, hits in zip(scores.T, found, strict=True):
        assert names(hits) == [paths[i].stem for i in np.argsort(-column, kind="stable")[:4]]
        assert [hit.score for hit in hits] == pytest.approx(np.sort(column)[::-1][:4], rel=1e-5)
    first = found[0][0]
    assert (first.id, first.frames) == (first.path, 5 + "abcdef".index(Path(first.path).stem))
    assert first.fps == 25


def test_a_learned_scale_and_unit_vectors_count_as_in_similarity(make_model, clips, tmp_path):
    model = make_model(normalise=True, temperature=True)
    built = search.build(search.find_clips([clips]), model, tmp_path / "index", progress=False)
    (hits,) = built.index.search(model.embed_text(["house"]), k=6)
    scores = model.similarity([hit.path for hit in hits], ["house"])[:, 0]
    assert [hit.score for hit in hits] == pytest.approx(scores.tolist(), rel=1e-5)


def test_a_clip_finds_itself_with_cosine_1(build, clips, model):
    index = build(clips).index
    for path in clips.rglob("*.pose"):
        (hits,) = index.search(model.embed_pose([path]), k=1, cosine=True)
        assert names(hits) == [path.stem]
        assert hits[0].score == pytest.approx(1, abs=1e-6)


def test_processes_change_no_byte_and_batches_only_the_rounding(build, clips, monkeypatch):
    monkeypatch.setattr(search.building, "READ", 2)
    monkeypatch.setattr(search.building, "EMBED", 4)
    one, other = (build(clips, out=f"by-{n}", workers=n).index for n in (1, 2))
    for path in one.folder.iterdir():
        assert path.read_bytes() == (other.folder / path.name).read_bytes()
    single = build(clips, out="single", batch_size=1).index
    assert np.abs(one.embeddings - single.embeddings).max() <= 1e-5
    assert one.meta["corpus_fingerprint"] == single.meta["corpus_fingerprint"]


def test_bad_clips_are_listed_and_cost_only_themselves(build, clips, damaged):
    (clips / "bad.pose").write_bytes(damaged["absurd coordinate"])
    (clips / "empty.pose").write_bytes(b"")
    built = build(clips)
    assert (len(built.index), built.dropped) == (6, 2)
    with open(built.index.folder / "dropped.csv", encoding="utf-8") as file:
        rows = {Path(row["path"]).stem: row["reason"] for row in csv.DictReader(file)}
    assert list(rows) == ["bad", "empty"]
    assert "absurd coordinate" in rows["bad"]


def test_long_clips_are_cut_as_in_training_and_counted(build, clips, model, make_pose, pose_bytes):
    (clips / "long.pose").write_bytes(pose_bytes(make_pose(frames=30, seed=9)))
    built = build(clips)
    assert built.cut == 1
    (hits,) = built.index.search(model.embed_pose([clips / "long.pose"]), k=1, cosine=True)
    assert (names(hits), hits[0].frames) == (["long"], 30)


def test_a_video_without_a_pose_is_extracted(build, clips, model, make_pose, monkeypatch):
    pose = make_pose(frames=7, seed=20, fps=30)
    monkeypatch.setattr("signclip.extraction.holistic.pose_of", lambda path: pose)
    (clips / "film.mp4").write_bytes(b"a video")
    index = build(clips).index
    (hits,) = index.search(model.embed_pose([pose]), k=1, cosine=True)
    assert (Path(hits[0].path).name, hits[0].frames, hits[0].fps) == ("film.mp4", 7, 30)
    scores = search.score(model, [clips / "film.mp4"], ["a"]).values
    assert scores == pytest.approx(model.similarity([pose], ["a"]))


def test_sequences_of_kaggle_are_clips(build, shared, model):
    paths = sorted(shared("data/asl-signs-layout").rglob("train_landmark_files/*/*.parquet"))[:3]
    index = build(*paths, sign_language="ase").index
    assert len(index) == len(paths) == 3
    (hits,) = index.search(model.embed_pose(paths[1:2]), k=1, cosine=True)
    assert hits[0].path == str(paths[1])


def test_a_pipe_among_clips_is_listed(build, clips):
    os.mkfifo(clips / "pipe.pose")
    built = build(clips)
    assert (len(built.index), built.dropped) == (6, 1)
    assert "not a regular file" in (built.index.folder / "dropped.csv").read_text()


def test_without_a_usable_clip_nothing_is_written(build, tmp_path):
    (tmp_path / "empty.pose").write_bytes(b"")
    with pytest.raises(SignIndexError, match=r"no clip can be used \(1 dropped; .*is empty"):
        build(tmp_path / "empty.pose")
    assert not (tmp_path / "index").exists()
    with pytest.raises(ConfigError, match="no clip to index"):
        search.build(search.Sources([], [], {}), None, tmp_path / "index")


def test_a_folder_with_other_files_is_not_replaced(build, clips, tmp_path):
    with pytest.raises(ConfigError, match=r"holds a\.pose, which is no part of an index"):
        build(clips, out="clips")
    assert build(clips).index.folder == build(clips).index.folder  # an index is replaced


def test_an_interrupted_build_leaves_the_earlier_index(build, clips, model, monkeypatch):
    before = build(clips).index
    monkeypatch.setattr(search.building, "pq", None)  # fails when the table is written
    with pytest.raises(AttributeError):
        build(clips)
    assert np.array_equal(Index.open(before.folder).embeddings, before.embeddings)
    assert [path.name for path in before.folder.parent.glob(".index*")] == []


def test_only_signs_of_the_given_language_are_found(build, good_clips, clips, model, folder_corpus):
    for row, tag in zip(folder_corpus.rows, ("ase", "gsg", "ase"), strict=True):
        row["sign_language"] = tag
    folder_corpus.write()
    sources = search.find_clips([folder_corpus.root])
    index = search.build(sources, model, clips.parent / "index", progress=False).index
    assert index.languages == {"ase": 2, "gsg": 1}
    query = model.embed_text(["house"])
    (hits,) = index.search(query, sign_language="ase")
    assert {hit.sign_language for hit in hits} == {"ase"}
    assert len(hits) == 2
    (everything,) = index.search(query)
    assert hits == [hit for hit in everything if hit.sign_language == "ase"]
    with pytest.raises(ConfigError, match=r"no sign of 'bfi'; it has ase \(2\), gsg \(1\)"):
        index.search(query, sign_language="bfi")
    with pytest.raises(LanguageTagError, match="did you mean"):
        index.search(query, sign_language="asl")


@pytest.mark.parametrize(
    ("vectors", "k", "message"),
    [
        (np.zeros(16), 1, r"queries of shape \(16,\); \(n, 16\) is expected"),
        (np.zeros((2, 15)), 1, r"\(2, 15\)"),
        (np.full((1, 16), np.nan), 1, "not finite"),
        (np.zeros((1, 16)), 0, "k=0"),
    ],
)
def test_queries_that_do_not_fit_are_refused(build, clips, vectors, k, message):
    with pytest.raises(ConfigError, match=message):
        build(clips).index.search(vectors, k)


def test_an_index_belongs_to_its_model(build, clips, model, make_model):
    index = build(clips, model_path="models/mine").index
    index.check_model(make_model())  # the same weights, made again
    other = make_model(seed=4)
    with pytest.raises(SignIndexError, match=r"made with the model models/mine \(\w{12}\), not"):
        index.check_model(other)
    changed = make_model()
    with torch.no_grad():
        next(changed.model.parameters()).flatten()[0] += 1e-3
    assert search.fingerprint(changed) != search.fingerprint(model)
    cut = make_model(max_frames=15)
    assert search.fingerprint(cut) != search.fingerprint(model)


def test_a_released_file_and_its_imported_folder_are_one_model(released_file, given, tmp_path):
    path = released_file()
    model = signclip.load(path, **given)
    imported = signclip.load(model.save_pretrained(tmp_path / "m"))
    assert search.fingerprint(model) == search.fingerprint(imported)


def _flip(path: Path, position: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["embeddings.npy", "signs.parquet", "dropped.csv"])
def test_verify_finds_a_changed_byte(build, clips, name):
    folder = build(clips).index.folder
    assert verify([folder]) == (1, [])
    _flip(folder / name, -1)
    assert verify([folder])[1] == [f"{folder / name}: content differs from its recorded sha256"]


def test_verify_finds_a_changed_number_in_meta_and_a_missing_meta(build, clips):
    folder = build(clips).index.folder
    _edit(folder, scale=2.0, seal=False)
    assert len(verify([folder])[1]) == 1
    (folder / "meta.json").unlink()
    (problem,) = verify([folder])[1]
    assert problem == f"{folder / 'embeddings.npy'}: nothing beside it records its sha256"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: shutil.rmtree(folder), "no index here; build one with `signclip index"),
        (lambda folder: (folder / "meta.json").write_bytes(b"\xff"), r"meta\.json: damaged"),
        (lambda folder: (folder / "meta.json").write_text("[]"), r"meta\.json: damaged"),
        (lambda folder: (folder / "meta.json").write_text("[" * 100_000), r"meta\.json: damaged"),
        (lambda folder: _edit(folder, signs=5, seal=False), r"meta\.json: damaged"),
        (lambda folder: _edit(folder, signs=5), r"embeddings\.npy: not float32 of shape \(5, 16\)"),
        (lambda folder: _edit(folder, format=2), "not an index of signs in format 1"),
        (lambda folder: _edit(folder, kind="store"), "not an index of signs"),
        (lambda folder: (folder / "embeddings.npy").unlink(), r"embeddings\.npy: cannot be opened"),
        (lambda folder: _cut(folder / "embeddings.npy"), r"embeddings\.npy: cannot be opened"),
        (lambda folder: _cut(folder / "embeddings.npy", 3), r"embeddings\.npy: cannot be opened"),
        (
            lambda folder: np.save(folder / "embeddings.npy", np.array([{}])),
            r"embeddings\.npy: cannot be opened",
        ),
        (lambda folder: np.save(folder / "embeddings.npy", np.zeros((6, 16))), "not float32"),
        (lambda folder: _pipe(folder / "embeddings.npy"), "not a regular file"),
        (lambda folder: _pipe(folder / "signs.parquet"), "not a regular file"),
        (lambda folder: (folder / "signs.parquet").unlink(), r"signs\.parquet: cannot be read"),
        (lambda folder: _cut(folder / "signs.parquet"), r"signs\.parquet: cannot be read"),
    ],
)
def test_a_damaged_index_is_refused_with_the_file(build, clips, damage, message):
    folder = build(clips).index.folder
    damage(folder)
    with pytest.raises(SignIndexError, match=message):
        Index.open(folder)


def _edit(folder: Path, *, seal: bool = True, **values) -> None:
    meta = json.loads((folder / "meta.json").read_text("utf-8")) | values
    (folder / "meta.json").write_text(json.dumps(files.sealed(meta) if seal else meta))


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _cut(path: Path, length: int = -7) -> None:
    path.write_bytes(path.read_bytes()[:length])


def test_embeddings_that_are_not_finite_are_refused_when_they_are_met(build, clips, model):
    folder = build(clips).index.folder
    changed = np.load(folder / "embeddings.npy")
    changed[3, 2] = np.inf
    np.save(folder / "embeddings.npy", changed)
    with pytest.raises(SignIndexError, match="`signclip verify` checks it"):
        Index.open(folder).search(model.embed_text(["house"]))
