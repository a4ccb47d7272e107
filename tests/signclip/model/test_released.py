"""Released checkpoints: read safely, strictly, and to the same numbers."""

import argparse
import os
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from logging import FileHandler
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from typer.testing import CliRunner

import signclip
from signclip import checkpoint, cli, text
from signclip.checkpoint import from_reference
from signclip.core.errors import CheckpointError, ConfigError
from signclip.inference import import_checkpoint
from signclip.model.released import POOLERS

NORM = "text_encoder.encoder.layer.0.output.LayerNorm.weight"
LINEAR = "video_encoder.videomlp.linear1.weight"


@pytest.fixture
def frames() -> list[np.ndarray]:
    return [np.random.default_rng(i).normal(size=(i, 609)).astype(np.float32) for i in (3, 16, 1)]


def same(model, state, prefix="mmmodel.") -> bool:
    return all(torch.equal(v, state[prefix + k].float()) for k, v in model.state_dict().items())


def test_a_file_in_fairseqs_layout_gives_its_weights(released_file, released_state, given):
    model = from_reference(released_file(), **given)
    assert same(model, released_state())
    assert not model.training
    assert model.config.frame_dims == 609
    assert (model.config.pose_layers, model.config.text_layers) == (2, 1)
    assert (model.config.pose_cls_id, model.config.pose_sep_id) == (101, 102)


def test_a_file_older_than_torchs_zip_format_is_read_too(released_file, released_state, given):
    assert same(from_reference(str(released_file(legacy=True)), **given), released_state())


@pytest.mark.parametrize("prefix", ["", "mmmodel."])
def test_a_state_dict_fits_with_and_without_prefix(released_state, given, prefix):
    state = released_state(prefix)
    assert same(from_reference(OrderedDict(state), **given), state, prefix)
    assert same(from_reference({"model": state}, **given), state, prefix)
    both = {
        **state,
        "text_encoder.pooler.dense.bias": 0,
        "mmmodel.text_encoder.pooler.dense.bias": 0,
    }
    both = {key: state.get(key, torch.zeros(16)) for key in both}
    with pytest.raises(CheckpointError, match="both with and without"):
        from_reference(both, **given)


def test_half_precision_comes_out_as_float32(released_state, given):
    state = {key: value.half() for key, value in released_state().items()}
    model = from_reference(state, **given)
    assert same(model, state)
    assert {value.dtype for value in model.state_dict().values()} == {torch.float32}


@pytest.mark.parametrize(
    "sizes",
    [
        {"projection": True},
        {"conv_layers": 2, "frame_dims": 12},
        {"pose_layers": 1, "text_layers": 3, "vocab_size": 120, "intermediate_size": 40},
    ],
)
def test_sizes_come_from_shapes(released_state, given, sizes):
    config = from_reference(released_state(**sizes), **given).config
    assert sizes.items() <= config.model_dump().items()


def test_what_shapes_do_not_tell_is_given(released_state, given, frames):
    model = from_reference(released_state(projection=True), **given, normalise=True, max_tokens=20)
    assert model.config.max_tokens == 20
    with torch.inference_mode():
        embedding = model.pose_embeddings(
            torch.from_numpy(frames[0])[None], torch.ones(1, 3, dtype=torch.bool)
        )
    assert embedding.norm().item() == pytest.approx(1)
    with pytest.raises(ConfigError, match="no multiple of attention_heads 12"):
        from_reference(released_state())
    with pytest.raises(ConfigError, match="cannot hold max_frames 256"):
        from_reference(released_state(), attention_heads=2)


@pytest.mark.parametrize("key", [LINEAR, NORM, POOLERS[1], "text_encoder.encoder.layer.0."])
def test_a_missing_key_is_named(released_state, given, key):
    state = {k: v for k, v in released_state().items() if not k.startswith(f"mmmodel.{key}")}
    with pytest.raises(CheckpointError, match=rf"missing.* {key}"):
        from_reference(state, **given)


@pytest.mark.parametrize(
    "key",
    [
        "video_encoder.bert.encoder.layer.999999999.attention.self.query.bias",
        f"video_encoder.bert.encoder.layer.{'9' * 5000}.attention.self.query.bias",
        "text_encoder.embeddings.word_embeddings.extra",
        "video_projection.linear.bias",
        "video_encoder.agcn.weight",
        "another.mmmodel.text_encoder.pooler.dense.bias",
    ],
)
def test_an_unknown_key_is_named(released_state, given, key):
    state = {**released_state(), "mmmodel." + key: torch.zeros(16)}
    with pytest.raises(CheckpointError, match=rf"unknown {key}"):
        from_reference(state, **given)


@pytest.mark.parametrize(
    "key", [LINEAR, NORM, POOLERS[0], "text_encoder.embeddings.LayerNorm.bias"]
)
def test_a_misshapen_key_is_named_with_both_shapes(released_state, given, key):
    state = released_state()
    state["mmmodel." + key] = state["mmmodel." + key][:-1]
    with pytest.raises(CheckpointError, match=rf"misshapen {key} is \(15.*must be \(16"):
        from_reference(state, **given)


def test_poolers_are_there_all_or_none(released_state, given):
    state = {k: v for k, v in released_state("").items() if k not in POOLERS}
    assert same(from_reference(state, **given), state, "")
    state[POOLERS[3]] = torch.zeros(16)
    with pytest.raises(CheckpointError, match=f"missing {POOLERS[0]}"):
        from_reference(state, **given)


def test_position_ids_may_be_missing_and_must_count(released_state, given):
    state = {k: v for k, v in released_state("").items() if not k.endswith("position_ids")}
    assert same(from_reference(state, **given), state, "")
    for tower in ("video_encoder.bert", "text_encoder"):
        key = f"{tower}.embeddings.position_ids"
        for wrong in (
            torch.arange(64),
            torch.arange(63)[None],
            torch.arange(128).reshape(2, 64),
            torch.arange(64).flip(0)[None],
            torch.full((1, 64), torch.nan),
        ):
            with pytest.raises(CheckpointError, match=rf"fit SignCLIP: {key} must count .* to 63"):
                from_reference({**released_state(""), key: wrong}, **given)


@pytest.mark.parametrize(
    "value",
    [
        torch.full((16,), torch.nan),
        torch.ones(16, dtype=torch.int64),
        torch.full((16,), 1e300, dtype=torch.float64),  # infinite in float32
    ],
    ids=["NaN", "int64", "too large for float32"],
)
def test_weights_that_are_no_finite_numbers_are_refused(released_state, given, value):
    with pytest.raises(CheckpointError, match=f"not finite numbers: {NORM}"):
        from_reference({**released_state(), "mmmodel." + NORM: value}, **given)


@pytest.mark.parametrize(
    "content", [{}, {"model": {}}, {"model": None}, {"a": 1}, {"model": {3: torch.zeros(1)}}]
)
def test_something_else_is_refused(content, given):
    with pytest.raises(CheckpointError, match=r"holds no weights|not tensors"):
        from_reference(content, **given)


class Hostile:
    """Unpickled, it creates a folder (or calls another function with its path)."""

    def __init__(self, path: Path, function: Callable = os.mkdir):
        self.path, self.function = str(path), function

    def __reduce__(self):
        return self.function, (self.path,)


@pytest.mark.parametrize("place", ["model", "cfg", "extra_state", "plain", "plain 4", "legacy"])
@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_a_pickle_that_would_run_code_is_refused_and_does_not_run(
    released_file, released_state, given, tmp_path, place
):
    trace = tmp_path / "ran"
    if place.startswith("plain"):
        path = tmp_path / "plain.pt"
        path.write_bytes(pickle.dumps(Hostile(trace), protocol=4 if "4" in place else 2))
    elif place == "legacy":
        path = released_file(legacy=True, args=Hostile(trace))
    elif place == "model":
        path = released_file(model={**released_state(), "mmmodel.x": Hostile(trace)})
    else:
        path = released_file(**{place: Hostile(trace)})
    reason = "refused.*mkdir.*nothing was run"
    if place == "plain 4":  # torch's reader knows no pickle of this kind at all
        reason = r"not a whole checkpoint \(Unsupported operand"
    for read in (from_reference, signclip.load):
        with pytest.raises(CheckpointError, match=rf"{path.name}: {reason}"):
            read(path, **given)
    assert not trace.exists()
    with open(path, "rb") as file:  # the trap works: torch, asked to trust the file, springs it
        torch.load(file, weights_only=False) if path.name != "plain.pt" else pickle.load(file)
    assert trace.exists()


def test_only_argparses_namespace_is_allowed_and_only_while_reading(released_file, given):
    with pytest.raises(CheckpointError, match=r"asks for pathlib\.\w+"):
        from_reference(released_file(cfg={"path": Path("x")}), **given)
    assert argparse.Namespace not in torch.serialization.get_safe_globals()


def test_what_a_process_allows_its_own_files_is_not_open_to_these(released_file, given, tmp_path):
    trace = tmp_path / "ran"
    before = torch.serialization.get_safe_globals()
    # it creates a file, and torch does not block its module by itself
    torch.serialization.add_safe_globals([FileHandler])
    try:
        mine = set(torch.serialization.get_safe_globals())
        with pytest.raises(CheckpointError, match=r"refused.*FileHandler"):
            from_reference(released_file(cfg=Hostile(trace, FileHandler)), **given)
        assert set(torch.serialization.get_safe_globals()) == mine
        from_reference(released_file(), **given)
        assert set(torch.serialization.get_safe_globals()) == mine
    finally:
        torch.serialization.clear_safe_globals()
        torch.serialization.add_safe_globals(before)
    assert not trace.exists()


def test_threads_that_read_at_once_do_not_disturb_each_other(released_file, released_state, given):
    path, before = released_file(), set(torch.serialization.get_safe_globals())
    with ThreadPoolExecutor(8) as pool:
        models = list(pool.map(lambda _: from_reference(path, **given), range(24)))
    assert all(same(model, released_state()) for model in models)
    assert set(torch.serialization.get_safe_globals()) == before


@pytest.mark.parametrize(
    ("sizes", "max_frames", "max_tokens", "prompt"),
    [
        ({"vocab_size": 30_522, "frame_dims": 63}, 128, 96, "fingerclip"),
        ({"vocab_size": 28_996}, 256, 64, "pretraining"),
        ({"vocab_size": 28_996, "frame_dims": 12, "conv_layers": 2}, 128, 96, "isolated_v0"),
    ],
)
def test_fingerclip_signclip_and_its_version_0_open_with_their_own_recipes(
    released_file, released_state, sizes, max_frames, max_tokens, prompt
):
    big = dict(position_embeddings=260, hidden_size=24, attention_heads=12)
    model = signclip.load(released_file(model=released_state(**big, **sizes)))
    assert model.model.config.max_frames == max_frames
    assert model.model.config.max_tokens == max_tokens
    assert model.prompt == text.PROMPTS[prompt]
    given = signclip.load(
        released_file(model=released_state(**big, **sizes)), max_frames=200, max_tokens=20
    )
    assert (given.model.config.max_frames, given.model.config.max_tokens) == (200, 20)


def test_damaged_files_are_named(released_file, given, tmp_path):
    whole = released_file().read_bytes()
    bad = tmp_path / "bad.pt"
    cuts = [0, 1, 4, 100, len(whole) // 2, len(whole) - 1000, len(whole) - 1]
    for content in (*(whole[:cut] for cut in cuts), b"garbage " * 99, bytes(5000), whole[7:]):
        bad.write_bytes(content)
        with pytest.raises(CheckpointError, match=r"bad\.pt: not a whole checkpoint"):
            from_reference(bad, **given)
    with pytest.raises(CheckpointError, match=r"nowhere\.pt: cannot be read"):
        signclip.load(tmp_path / "nowhere.pt")
    with pytest.raises(CheckpointError, match="cannot be read"):
        from_reference(tmp_path, **given)
    torch.save([1, 2], bad)
    with pytest.raises(CheckpointError, match="holds a list"):
        from_reference(bad, **given)


def test_a_flipped_bit_is_found_and_its_record_named(released_file, given):
    path = released_file()
    with zipfile.ZipFile(path) as archive:
        record = max(archive.infolist(), key=lambda info: info.file_size)
    content = bytearray(path.read_bytes())
    content[record.header_offset + record.file_size // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=f"not a whole .*record {record.filename} is damaged"):
        from_reference(path, **given)


def test_a_record_shorter_than_its_tensor_is_not_filled_from_the_next(released_file, given):
    """torch maps the file and would read the bytes behind a record as weights."""
    path = released_file()
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    record = max((name for name in content if "/data/" in name), key=lambda one: len(content[one]))
    content[record] = content[record][:-64]
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    with pytest.raises(CheckpointError, match=f"another size than their tensors: {record}"):
        from_reference(path, **given)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "git lfs pull"),
        (b"<!DOCTYPE html><html><body>Sign in</body></html>", "a web page"),
    ],
)
def test_what_a_download_left_in_its_place_is_named(tmp_path, content, reason):
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=reason):
        from_reference(path)


def test_the_prefix_of_data_parallel_is_named(released_file, given):
    content = torch.load(released_file(), weights_only=False)
    state = {f"module.{key}": value for key, value in content["model"].items()}
    with pytest.raises(CheckpointError, match=r"all keys start with 'module\.'"):
        from_reference(state, **given)


def test_compressed_records_are_not_taken_for_numbers(released_file, given, tmp_path):
    with (
        zipfile.ZipFile(released_file()) as plain,
        zipfile.ZipFile(tmp_path / "packed.pt", "w") as packed,
    ):
        for i, name in enumerate(plain.namelist()):
            packed.writestr(name, plain.read(name), zipfile.ZIP_DEFLATED if i else None)
    with pytest.raises(CheckpointError, match=r"records are compressed: checkpoint_best/"):
        from_reference(tmp_path / "packed.pt", **given)


def test_loading_directly_and_importing_give_the_same(
    released_file, given, frames, tmp_path, vocabulary
):
    path, out = released_file(), tmp_path / "out"
    direct = signclip.load(path, tokenizer=vocabulary, **given)
    assert direct.variant == "reduced_face"
    import_checkpoint(path, out, tokenizer=vocabulary, **given)
    imported = signclip.load(out)
    assert np.array_equal(direct.embed_pose(frames), imported.embed_pose(frames))
    texts = ["<en> <ase> house", "houses", ""]
    assert np.array_equal(direct.embed_text(texts), imported.embed_text(texts))
    assert imported.variant == "reduced_face"
    assert imported.prompt == "<{spoken_language}> <{sign_language}> {text}"
    assert imported.config is None
    checkpoint.verify(out)


def test_the_command_imports_and_describes(released_file, tmp_path):
    path, out = released_file(), tmp_path / "models" / "E7.2"
    arguments = ["import-checkpoint", str(path), str(out), "--attention-heads", "2"]
    arguments += ["--max-frames", "16", "--normalise", "--variant", "reduced_face_unknown"]
    wrong = CliRunner().invoke(cli.app, arguments)
    assert isinstance(wrong.exception, ConfigError)
    assert not out.exists()
    result = CliRunner().invoke(cli.app, arguments[:-2])
    assert result.exit_code == 0, result.output
    assert "variant reduced_face, without vocabulary" in result.output
    names = {file.name for file in out.iterdir()}
    assert names == {"model.safetensors", "config.yaml", "metrics.json", "README.md"}
    written = yaml.safe_load((out / "config.yaml").read_text())
    assert set(written) == {"variant", "prompt", "model"}
    assert written["model"]["normalise"] is True
    card = (out / "README.md").read_text()
    for part in (path.name, "sha256", "reduced_face, 609 numbers", "not included", "licence"):
        assert part in card
    again = CliRunner().invoke(cli.app, arguments[:-2])
    assert isinstance(again.exception, ConfigError)
    assert "exists already" in str(again.exception)


def test_a_variant_that_does_not_fit_is_refused(
    released_file, released_state, given, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for use in (signclip.load, lambda path, **more: import_checkpoint(path, "out", **more)):
        with pytest.raises(ConfigError, match="63 numbers a frame, the model 609"):
            use(released_file(), variant="right_hand", **given)
    assert not Path("out").exists()
    path = released_file(model=released_state(frame_dims=12))
    unknown = signclip.load(path, **given)
    assert unknown.variant is None
    assert unknown.embed_pose([np.zeros((2, 12))]).shape == (1, 16)


def test_the_released_E72_gives_the_published_demo_scores(shared):
    """Dot products, prompts and all, as the authors' README prints them for its demo_sign.py."""
    path = os.environ.get("SIGNCLIP_RELEASED")
    if not path:
        pytest.skip("no released E7.2 file: set SIGNCLIP_RELEASED to its path")
    pose = shared("reference/preprocess/house.pose")
    published = {
        "random text": 62.97612380981445,
        "house": 67.9032211303711,
        "<en> <ase> house": 93.79232788085938,
        "<en> <gsg> house": 80.39485931396484,
        "<en> <fsl> house": 83.63579559326172,
        "<en> <ase> sun": 72.60753631591797,
        "<en> <ase> police": 81.2123031616211,
        "<en> <ase> how are you?": 80.26660919189453,
    }
    model = signclip.load(path, tokenizer=os.environ.get("SIGNCLIP_TOKENIZER", "bert-base-cased"))
    scores = model.similarity([pose], list(published))[0]
    assert scores == pytest.approx(list(published.values()), abs=0.02)
