"""`signclip embed`: good clips are written, bad ones listed, whatever the order."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import signclip
from signclip import cli, inference
from signclip.cli import embedding
from signclip.core.errors import ConfigError, RunError, SignCLIPError


@pytest.fixture
def model(released_file, given, vocabulary, tmp_path):
    """An imported model."""
    out = tmp_path / "model"
    inference.import_checkpoint(released_file(), out, tokenizer=vocabulary, **given)
    return out


@pytest.fixture
def clips(tmp_path, make_pose, pose_bytes):
    """Three poses, one of them over the limit of 16 frames and in a folder of its own."""
    folder = tmp_path / "clips"
    (folder / "more").mkdir(parents=True)
    for i, (name, frames) in enumerate((("b", 4), ("a", 9), ("more/c", 20))):
        (folder / f"{name}.pose").write_bytes(pose_bytes(make_pose(frames=frames, seed=i)))
    (folder / "notes.txt").write_text("not a pose")
    return folder


def run(*arguments) -> tuple[int, str]:
    """Exit status and output of ``signclip embed``; errors come as the library raises them."""
    result = CliRunner().invoke(cli.app, ["embed", *map(str, arguments)])
    if isinstance(result.exception, SignCLIPError):
        raise result.exception
    return result.exit_code, result.output


def kaggle_clip(path: Path, frames: int) -> None:
    """One sequence in Kaggle's layout, random but for the shoulders."""
    sizes = {"pose": 33, "face": 468, "left_hand": 21, "right_hand": 21}
    xyz = np.random.default_rng(0).uniform(0.1, 0.9, (frames, sum(sizes.values()), 3))
    xyz[:, 11], xyz[:, 12] = (0.7, 0.5, 0), (0.3, 0.5, 0)
    table = pd.DataFrame(xyz.reshape(-1, 3), columns=["x", "y", "z"])
    table["frame"] = np.repeat(np.arange(frames), sum(sizes.values()))
    table["type"] = np.tile(np.repeat(list(sizes), list(sizes.values())), frames)
    table["landmark_index"] = np.tile(np.concatenate([*map(np.arange, sizes.values())]), frames)
    table.to_parquet(path, index=False)


def sem_lex_clip(path: Path, frames: int) -> None:
    """One array in Sem-Lex's layout, random but for the shoulders."""
    array = np.random.default_rng(1).uniform(0.1, 0.9, (frames, 553, 3)).astype(np.float32)
    array[:, 478 + 11], array[:, 478 + 12] = (0.7, 0.5, 0), (0.3, 0.5, 0)
    np.save(path, array)


def test_a_folder_is_searched_for_poses_of_every_format_and_all_embed(model, clips, tmp_path):
    kaggle_clip(clips / "c.parquet", frames=5)
    sem_lex_clip(clips / "more" / "d.npy", frames=6)
    status, output = run(model, clips / "more", clips / "c.parquet", "--out", tmp_path / "out.npz")
    assert status == 0, output
    written = np.load(tmp_path / "out.npz")
    paths = [clips / "more" / "c.pose", clips / "more" / "d.npy", clips / "c.parquet"]
    assert written["pose_ids"].tolist() == list(map(str, paths))
    opened = signclip.load(model)
    features = [
        signclip.poses.preprocess(signclip.poses.read_pose(path), opened.variant) for path in paths
    ]
    assert np.allclose(opened.embed_pose(features), written["pose_embeddings"], atol=1e-5)
    assert np.allclose(opened.embed_pose(paths), written["pose_embeddings"], atol=1e-5)


def test_folders_files_and_texts_become_one_npz(model, clips, tmp_path):
    out = tmp_path / "out.npz"
    (tmp_path / "texts.txt").write_text("<en> <ase> house\n\nhouses\n", encoding="utf-8")
    status, output = run(
        *(model, clips / "b.pose", clips, "--out", out),
        *("--text", "house", "--text", "é", "--texts", tmp_path / "texts.txt"),
    )
    assert status == 0, output
    assert f"{out}: 3 poses and 4 texts of 16 numbers" in " ".join(output.split())
    assert "1 clips over the limit of 16 frames: truncate" in output
    written = np.load(out)
    paths = [clips / "b.pose", clips / "a.pose", clips / "more" / "c.pose"]
    texts = ["house", "é", "<en> <ase> house", "houses"]
    assert written["pose_ids"].tolist() == [str(path) for path in paths]
    assert written["texts"].tolist() == texts
    opened = signclip.load(model)
    assert np.array_equal(written["pose_embeddings"], opened.embed_pose(paths))
    assert np.array_equal(written["text_embeddings"], opened.embed_text(texts))
    assert not (tmp_path / "out.npz.dropped.csv").exists()


def test_parquet_holds_the_same(model, clips, tmp_path):
    for out in ("out.npz", "out.parquet"):
        assert run(model, clips, "--text", "house", "--out", tmp_path / out)[0] == 0
    table, arrays = pd.read_parquet(tmp_path / "out.parquet"), np.load(tmp_path / "out.npz")
    assert table["kind"].tolist() == ["pose", "pose", "pose", "text"]
    assert table["id"].tolist() == [*arrays["pose_ids"], *arrays["texts"]]
    expected = np.concatenate([arrays["pose_embeddings"], arrays["text_embeddings"]])
    assert np.array_equal(np.stack(table["embedding"]), expected)


def test_bad_files_are_listed_and_the_good_ones_written(model, clips, tmp_path, damaged):
    (clips / "bad.pose").write_bytes(damaged["NaN confidence"])
    out, listed = tmp_path / "out.npz", tmp_path / "out.npz.dropped.csv"
    arguments = (model, clips, clips / "gone.pose", tmp_path / "film.mp4", "--out", out)
    status, output = run(*arguments)
    assert status == 1
    assert f"3 clips dropped: {listed}" in " ".join(output.split())
    rows = {row["id"]: row["reason"] for row in csv.DictReader(listed.open(encoding="utf-8"))}
    assert list(rows) == [str(clips / "bad.pose"), str(clips / "gone.pose"), str(arguments[3])]
    assert "not finite" in rows[str(clips / "bad.pose")]
    assert "cannot be read" in rows[str(clips / "gone.pose")]
    assert "a video" in rows[str(arguments[3])]
    assert len(np.load(out)["pose_ids"]) == 3
    assert run(model, clips / "a.pose", "--out", out)[0] == 0
    assert not listed.exists()  # it told of the earlier file


def test_a_path_that_is_not_there_is_named_before_the_model_is_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(inference, "load", lambda *_, **__: pytest.fail("the work began"))
    with pytest.raises(ConfigError, match="/nope: no such file or folder"):
        run("x.pt", "/nope", "--text", "a")
    with pytest.raises(RunError, match="runs/none: no finished run here"):
        run("runs/none", "--text", "a")
    assert list(tmp_path.iterdir()) == []


def test_wrong_paths_are_refused_without_importing_torch(tmp_path):
    code = "import sys; from signclip import cli; sys.argv = ['signclip', 'embed', 'none', '/nope']"
    code += "\ntry: cli.main()\nexcept SystemExit as end: print(end.code, 'torch' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "2 False\n"
    assert done.stderr == "signclip: /nope: no such file or folder\n"


def test_every_damaged_file_costs_only_itself(model, clips, tmp_path, damaged):
    bad = tmp_path / "bad"
    bad.mkdir()
    for i, content in enumerate(damaged.values()):
        (bad / f"{i}.pose").write_bytes(content)
    status, _ = run(model, bad, clips / "a.pose", "--out", tmp_path / "out.npz")
    assert status == 1
    assert np.load(tmp_path / "out.npz")["pose_ids"].tolist() == [str(clips / "a.pose")]
    assert len(pd.read_csv(tmp_path / "out.npz.dropped.csv")) == len(damaged)


def test_long_clips_dropped_by_policy_are_listed_but_no_error(model, clips, tmp_path):
    out = tmp_path / "out.npz"
    status, output = run(model, clips, "--out", out, "--long", "drop")
    assert status == 0, output
    assert "1 clips over the limit of 16 frames: drop" in output
    listed = pd.read_csv(tmp_path / "out.npz.dropped.csv")
    assert listed.values.tolist() == [[str(clips / "more/c.pose"), "more than 16 frames"]]
    assert len(np.load(out)["pose_ids"]) == 2


def test_two_calls_give_the_same_bytes(model, clips, tmp_path):
    for suffix in ("npz", "parquet"):
        outs = [tmp_path / f"{i}.{suffix}" for i in range(2)]
        for out in outs:
            run(model, clips, "--text", "house", "--out", out)
        assert outs[0].read_bytes() == outs[1].read_bytes()


def test_a_released_file_embeds_directly_but_texts_need_a_vocabulary(
    released_file, released_state, clips, tmp_path
):
    sizes = dict(hidden_size=24, attention_heads=12, position_embeddings=260)
    path, out = released_file(model=released_state(**sizes)), tmp_path / "out.npz"
    with pytest.raises(ConfigError, match="embed_text needs the model's vocabulary"):
        run(path, clips, "--text", "house", "--out", out)
    assert not out.exists()
    assert run(path, clips, "--out", out)[0] == 0
    assert np.load(out)["pose_embeddings"].shape == (3, 24)


def test_what_a_released_files_shapes_do_not_tell_is_given_as_for_importing(
    released_file, clips, vocabulary, tmp_path
):
    path, out, model = released_file(), tmp_path / "out.npz", tmp_path / "model"
    options = ["--attention-heads", "2", "--max-frames", "12", "--max-tokens", "8", "--normalise"]
    options += ["--tokenizer", vocabulary]
    arguments = ["import-checkpoint", path, model, *options]
    assert CliRunner().invoke(cli.app, list(map(str, arguments))).exit_code == 0
    text = ["--text", "abcdefghijkl"]
    status, output = run(path, clips, *text, "--out", out, *options, "--batch-size", "1")
    assert status == 0, output
    assert "1 clips over the limit of 12 frames" in output
    written, opened = np.load(out), signclip.load(model)
    assert np.allclose(np.linalg.norm(written["pose_embeddings"], axis=1), 1)
    expected = opened.embed_pose(written["pose_ids"].tolist())
    assert np.abs(written["pose_embeddings"] - expected).max() <= 1e-5
    assert np.array_equal(written["text_embeddings"], opened.embed_text(["abcdefghijkl"]))
    with pytest.raises(ConfigError, match="max_frames belong to released files"):
        run(model, clips, "--out", out, "--max-frames", "12")
    with pytest.raises(ConfigError, match=r"max_frames: .* not 0"):
        run(path, clips, "--out", out, "--max-frames", "0")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out", "out.txt", "--text", "a"], r"must end in \.npz or \.parquet"),
        (["--out", "out.npz"], "nothing to embed"),
        (["--out", "out.npz", "--texts", "none.txt"], "none.txt: cannot be read"),
        (["--out", "out.npz", "--text", "a", "--long", "cut"], "there are truncate"),
        (["--out", "out.npz", "--text", "<en> <lis> a"], "did you mean ise"),
        (["empty", "--out", "out.npz"], "no pose file in this folder"),
        (["--out", "empty.npz", "--text", "a"], r"empty\.npz: .*it is a folder"),
        (["--out", "list.npz", "--text", "a"], r"list\.npz\.dropped\.csv: .*it is a folder"),
        (["--out", "texts/out.npz", "--text", "a"], r"texts/out\.npz: cannot be written"),
        (["--out", ".", "--text", "a"], "must end in"),
        (["--out", "out.npz", "--text", "a\udcff"], "UTF-8"),
    ],
)
def test_wrong_arguments_are_named_and_nothing_is_written(
    model, tmp_path, monkeypatch, arguments, message
):
    monkeypatch.chdir(tmp_path)
    for folder in ("empty", "empty.npz", "list.npz.dropped.csv"):
        (tmp_path / folder).mkdir()
    (tmp_path / "texts").write_text("a file")
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(SignCLIPError, match=message):
        run(model, *arguments)
    assert sorted(path.name for path in tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    "arguments",
    [
        *(("import-checkpoint", "x.pt", out) for out in ("", ".", "/", "file/out", "file", "full")),
        ("import-checkpoint", "x.pt", "\udcff"),
        ("embed", "x.pt", "--text", "a", "--out", "file/out.npz"),
        ("embed", "x.pt", "--text", "a", "--out", "full.npz"),
    ],
)
def test_a_place_that_cannot_be_had_is_refused_before_the_model_is_read(
    tmp_path, monkeypatch, arguments
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(inference, "load", lambda *_, **__: pytest.fail("the work began"))
    (tmp_path / "file").write_text("a file")
    for folder in ("full", "full.npz"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "file").write_text("")
    result = CliRunner().invoke(cli.app, arguments)
    assert isinstance(result.exception, ConfigError)


def test_paths_that_are_not_utf8_have_one_id_in_every_form(model, clips, tmp_path, damaged):
    good, bad = (os.fsencode(clips) + name for name in (b"/\xff.pose", b"/\xfe.pose"))
    os.rename(clips / "a.pose", good)
    with open(bad, "wb") as file:
        file.write(damaged["empty"])
    outs = [os.fsdecode(os.fsencode(tmp_path) + name) for name in (b"/\xff.npz", b"/o.parquet")]
    for out in outs:
        status, output = run(model, os.fsdecode(good), os.fsdecode(bad), "--out", out)
        assert status == 1, output
        lines = Path(f"{out}.dropped.csv").read_text(encoding="utf-8").splitlines()
        (row,) = csv.DictReader(lines)
        assert row["id"] == f"{clips}/\\xfe.pose"
    assert np.load(outs[0])["pose_ids"].tolist() == [f"{clips}/\\xff.pose"]
    assert pd.read_parquet(outs[1])["id"].tolist() == [f"{clips}/\\xff.pose"]


def test_a_byte_order_mark_is_no_part_of_the_first_prompt(tmp_path):
    (tmp_path / "texts.txt").write_text("<en> <ase> house\nhouses\n", encoding="utf-8-sig")
    assert embedding.prompts([], tmp_path / "texts.txt") == ["<en> <ase> house", "houses"]


@pytest.mark.parametrize("with_clips", [False, True])
def test_a_bar_of_poses_is_shown_only_where_there_are_some(
    model, clips, tmp_path, monkeypatch, with_clips
):
    hidden, shown = [], inference.bar

    def bar(**options):
        hidden.append(options["disable"])
        return shown(**{**options, "disable": True})

    monkeypatch.setattr(inference, "bar", bar)
    run(model, *([clips] if with_clips else []), "--text", "a", "--out", tmp_path / "out.npz")
    assert hidden == [not with_clips]


@pytest.mark.parametrize("command", ["embed", "import-checkpoint"])
def test_help_shows_an_example(command):
    result = CliRunner().invoke(cli.app, [command, "--help"])
    assert result.exit_code == 0
    assert f"Example: signclip {command}" in " ".join(result.output.replace("`", "").split())
