"""Files of embeddings: both formats hold the same, and a wrong file is refused with its cause."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.evaluation import precomputed
from benchmarks.evaluation.precomputed import Vectors
from signclip.core.errors import ConfigError


@pytest.fixture
def vectors() -> Vectors:
    rng = np.random.default_rng(0)
    clips = {f"clip-{i}": rng.normal(size=4).astype(np.float32) for i in range(5)}
    return Vectors(clips, {"a": clips["clip-1"], "b": clips["clip-2"]}, "{label}")


def same(a: Vectors, b: Vectors) -> bool:
    sides = zip((a.clips, a.texts), (b.clips, b.texts), strict=True)
    return all(
        x.keys() == y.keys() and all(np.array_equal(x[k], y[k]) for k in x) for x, y in sides
    )


def test_what_is_written_is_read(tmp_path, vectors):
    path = tmp_path / "mine.npz"
    precomputed.write(path, vectors)
    first = path.read_bytes()
    assert same(precomputed.read(path), vectors)
    precomputed.write(path, precomputed.read(path))
    assert path.read_bytes() == first


def test_both_formats_hold_the_same(tmp_path, vectors):
    rows = [{"id": clip, "text": None, "embedding": v} for clip, v in vectors.clips.items()]
    rows += [{"id": None, "text": text, "embedding": v} for text, v in vectors.texts.items()]
    pd.DataFrame(rows).to_parquet(tmp_path / "mine.parquet")
    assert same(precomputed.read(tmp_path / "mine.parquet"), vectors)
    pd.DataFrame(rows[:5])[["id", "embedding"]].to_parquet(tmp_path / "clips.parquet")
    assert same(precomputed.read(tmp_path / "clips.parquet"), vectors._replace(texts={}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ids": None}, "has no field 'ids'"),
        ({"ids": ["x"] * 3}, "clip 'x' occurs twice"),
        ({"ids": ["x"]}, r"1 clips and embeddings float32 of shape \(3, 2\)"),
        ({"embeddings": np.ones((3, 2))}, "all clips have the same embedding"),
        ({"embeddings": np.full((3, 2), np.inf)}, "the embedding of clip 'x' is not finite"),
        ({"embeddings": np.array([["a", "b"]] * 3)}, "numbers of shape"),
        ({"embeddings": np.array([{}, {}, {}])}, "not a file of embeddings"),
        (
            {"texts": ["a"], "text_embeddings": np.ones((1, 3))},
            "clips and texts are not of one width",
        ),
    ],
)
def test_a_wrong_file_is_refused_with_its_cause(tmp_path, changes, message):
    values = {"ids": ["x", "y", "z"], "embeddings": np.arange(6, dtype=np.float32).reshape(3, 2)}
    values = {key: value for key, value in (values | changes).items() if value is not None}
    np.savez(tmp_path / "mine.npz", **values)
    with pytest.raises(ConfigError, match=message):
        precomputed.read(tmp_path / "mine.npz")


def test_no_file_and_no_embeddings_are_named(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        precomputed.read(tmp_path / "nothing.npz")
    (tmp_path / "text.npz").write_text("ids")
    (tmp_path / "text.parquet").write_text("ids")
    for name in ("text.npz", "text.parquet"):
        with pytest.raises(ConfigError, match=r"cannot be read|not a file of embeddings"):
            precomputed.read(tmp_path / name)
