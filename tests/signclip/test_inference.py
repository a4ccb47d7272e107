"""Embedding: independent of company, with a stated policy for long clips and bad input."""

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

import signclip
from signclip import checkpoint, inference
from signclip.core.errors import ConfigError, LanguageTagError, PoseError, RunError, SampleError
from signclip.core.workspace import RunId, Workspace
from signclip.experiments.table import resolve
from signclip.inference import SignCLIPModel
from signclip.model import long_clips
from signclip.model.config import ModelConfig
from signclip.model.towers import SignCLIP
from signclip.text import Tokenizer

ROOT = Path(__file__).parents[2]
LIMIT = 16
SIZES = dict(
    frame_dims=6,
    vocab_size=5,
    hidden_size=16,
    attention_heads=2,
    intermediate_size=32,
    pose_layers=2,
    text_layers=1,
    max_frames=LIMIT,
    max_tokens=10,
    position_embeddings=LIMIT + 2,
)


def made(**sizes) -> SignCLIPModel:
    """A model of random weights that takes features only."""
    torch.manual_seed(3)
    towers = SignCLIP(ModelConfig(**{**SIZES, **sizes}))
    for parameter in towers.parameters():  # fresh layers hardly look at their input; these do
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.5)
    return SignCLIPModel(checkpoint.Run(None, towers, None, {}, None, "{text}"))


def clip(length: int) -> np.ndarray:
    return np.random.default_rng(length).normal(size=(length, 6)).astype(np.float32)


@pytest.mark.parametrize("sizes", [{}, {"conv_layers": 2}, {"projection": True, "normalise": True}])
@pytest.mark.parametrize("long", ["truncate", "windows"])
def test_a_list_gives_what_each_clip_alone_gives(sizes, long):
    model = made(**sizes)
    lengths = [*range(1, 3 * LIMIT, 2), 1, LIMIT, LIMIT, 100, 2]
    clips = [clip(length) for length in lengths]
    alone = np.concatenate([model.embed_pose([one], long=long) for one in clips])
    assert np.abs(alone[0] - alone[1]).max() > 0.01  # clips do differ
    for batch_size in (1, 3, 64):
        together = model.embed_pose(clips, long=long, batch_size=batch_size)
        assert together.dtype == np.float32
        assert np.abs(together - alone).max() <= 1e-5
    backwards = model.embed_pose(clips[::-1], long=long)[::-1]
    assert np.abs(backwards - alone).max() <= 1e-5


def test_the_bar_moves_with_every_batch_and_ends_at_the_number_of_clips(monkeypatch):
    moves = []

    class Bar:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def update(self, clips: int = 1) -> None:
            moves.append(clips)

    monkeypatch.setattr(inference, "bar", lambda **_: Bar())
    model = made()
    lengths = [3, 5, 40, 9, 1, 16, 7]  # 9 windows
    for long in ("truncate", "windows", "drop"):
        moves.clear()
        model.embed_clips([clip(n) for n in lengths], long=long, batch_size=2)
        assert len(moves) >= 4, long
        assert sum(moves) == len(lengths), long
        assert max(moves) <= 2, long


@pytest.mark.parametrize("long", ["truncate", "windows"])
def test_what_is_cut_off_a_long_clip_is_not_kept_in_memory(long):
    values = clip(100)
    (first, *rest) = long_clips.split_clip(values, LIMIT, whole=long == "windows")
    assert np.array_equal(first, values[:LIMIT])
    assert len(rest) == (6 if long == "windows" else 0)
    assert (first.base is None) == (long == "truncate")


def test_ids_name_the_items_in_errors():
    model = made()
    clips = [clip(2), np.full((2, 6), np.nan)]
    for embed in (model.embed_pose, model.embed_clips):
        with pytest.raises(PoseError, match=r"^clip-7: features are not finite"):
            embed(clips, ids=["clip-3", "clip-7"])
    embedded = model.embed_clips(clips, ids=["clip-3", "clip-7"], keep_going=True)
    assert embedded.errors[1].sample == "clip-7"
    with pytest.raises(ConfigError, match="1 ids for 2 items"):
        model.embed_pose(clips, ids=["clip-3"])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_tensors_embed_like_arrays_also_those_that_require_grad(dtype):
    model = made()
    tensor = torch.from_numpy(clip(4)).to(dtype).requires_grad_()
    expected = model.embed_pose([tensor.detach().float().numpy()])
    assert np.array_equal(model.embed_pose([tensor]), expected)


def test_texts_that_the_vocabulary_cannot_distinguish_are_an_error_that_names_two():
    """Their prompts would be one vector, and every clip as near to one text as to the other."""
    tokenizer = Tokenizer.train(["<en> house", "<en> sun"], vocab_size=60)
    model = made(vocab_size=tokenizer.vocab_size)
    model.tokenizer = tokenizer
    same = ["<en> \N{GRINNING FACE}", "<en> \N{CAT FACE}"]
    for texts in (same, ["<en> sun"] * 4 + same):
        with pytest.raises(ConfigError, match=r"'<en> .' and '<en> .' have the same tokens"):
            model.embed_text(texts, batch_size=2)
    assert model.embed_text([same[0], "<en> house", same[0]]).shape == (3, 16)
    model.distinct_texts = False  # an evaluation lets them tie
    tied, other, again = model.embed_text([same[0], "<en> house", same[1]])
    assert np.array_equal(tied, again)
    assert not np.array_equal(tied, other)


def test_a_batch_holds_at_least_one_clip():
    with pytest.raises(ConfigError, match="batch_size=0"):
        made().embed_pose([clip(2)], batch_size=0)
    for batch_size in (0, -1):
        with pytest.raises(ConfigError, match=f"batch_size={batch_size}"):
            made().embed_text(["a"], batch_size=batch_size)


def test_chunks_change_nothing(monkeypatch):
    model, clips = made(), [clip(length) for length in (3, 40, 9, 1, 16, 17, 20)]
    whole = model.embed_clips(clips, long="drop")
    monkeypatch.setattr(inference, "_CHUNK", 2)
    parts = model.embed_clips(clips, long="drop")
    assert np.abs(whole.embeddings - parts.embeddings).max() <= 1e-5
    assert whole.kept.tolist() == parts.kept.tolist() == [0, 2, 3, 4]
    assert whole.long == parts.long == [1, 5, 6]


def test_long_clips_follow_the_policy_and_are_counted_and_logged(caplog):
    model, clips = made(), [clip(3), clip(40), clip(LIMIT)]
    truncated = model.embed_pose(clips)
    assert np.abs(truncated[1] - model.embed_pose([clips[1][:LIMIT]])[0]).max() <= 1e-5
    with caplog.at_level(logging.WARNING):
        segments = model.embed_pose(clips, long="windows")
    assert "1 of 3 clips have more than 16 frames: windows" in caplog.text
    parts = model.embed_pose([clips[1][:16], clips[1][16:32], clips[1][32:]])
    assert np.abs(segments[1] - np.average(parts, axis=0, weights=[16, 16, 8])).max() <= 1e-5
    assert np.abs(segments[[0, 2]] - truncated[[0, 2]]).max() <= 1e-5
    dropped = model.embed_pose(clips, long="drop")
    assert np.abs(dropped - truncated[[0, 2]]).max() <= 1e-5
    assert model.long_clips == {"truncate": 1, "windows": 1, "drop": 1}
    with pytest.raises(ConfigError, match="there are truncate, drop, windows"):
        model.embed_pose(clips, long="cut")


def test_windows_of_a_normalised_model_have_unit_length():
    embedding = made(normalise=True).embed_pose([clip(40)], long="windows")
    assert np.linalg.norm(embedding) == pytest.approx(1)


def test_nothing_gives_no_rows():
    model = made()
    assert model.embed_pose([]).shape == (0, 16)
    assert model.embed_pose([clip(20)], long="drop").shape == (0, 16)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (np.full((2, 6), np.nan), "not finite"),
        (np.array([[0, 0, 0, 0, 0, np.inf]]), "not finite"),
        (np.full((2, 6), 1e300), "not finite"),
        (np.zeros((0, 6)), "is expected, not empty"),
        (np.zeros((2, 5)), "shape \\(2, 5\\)"),
        (np.zeros(6), "shape \\(6,\\)"),
        ([[1, 2], [3]], "no array of numbers"),
        (torch.zeros(2, 6).to_sparse(), "no array of numbers"),
        (torch.full((2, 6), torch.nan), "not finite"),
        (None, "no array of numbers"),
        (np.full((2, 6), "1"), "no array of numbers"),
        (np.ones((2, 6), dtype=object), "no array of numbers"),
        (np.ones((2, 6), dtype=complex), "no array of numbers"),
        (np.ones((2, 6), dtype="datetime64[s]"), "no array of numbers"),
        (torch.ones(2, 6, dtype=torch.complex64), "no array of numbers"),
        (np.full((2, 6), 1e20), "absurd feature 1e"),
        ("a/clip.MP4", "cannot be"),
        (Path("nowhere.pose"), "cannot be read"),
        ("a\0b.pose", "cannot be read"),
        ("a\ud800b.pose", "cannot be read"),
    ],
)
def test_unusable_items_are_named_or_collected(bad, reason):
    model = made()
    name = str(bad) if isinstance(bad, str | Path) else "item 1"
    with pytest.raises(SampleError, match=f"^{name}: .*{reason}"):
        model.embed_pose([clip(2), bad])
    embedded = model.embed_clips([clip(2), bad, clip(3)], keep_going=True)
    assert embedded.kept.tolist() == [0, 2]
    assert list(embedded.errors) == [1]
    assert embedded.embeddings.shape == (2, 16)


def test_a_single_item_in_place_of_a_list_is_refused(make_pose):
    for single in ("a.pose", Path("a.pose"), make_pose()):
        with pytest.raises(TypeError, match="put a single one into a list"):
            made().embed_pose(single)
    with pytest.raises(TypeError, match="put a single one into a list"):
        made().embed_text("house")
    for embed in (made().embed_pose, made().embed_clips, made().embed_text):
        with pytest.raises(TypeError, match="not a mapping; give its values"):
            embed({"a": clip(2)})
        with pytest.raises(TypeError, match="a list of"):
            embed(3)


def test_any_iterable_of_clips_will_do():
    model, clips = made(), {"a": clip(3), "b": clip(5)}
    expected = model.embed_pose(list(clips.values()))
    for items in (clips.values(), (value for value in clips.values()), tuple(clips.values())):
        assert np.array_equal(model.embed_pose(items), expected)


def test_a_face_of_another_size_costs_its_clip_alone(released_file, released_state, make_pose):
    """`holistic` has as many points as the file; the model has a fixed number."""
    state = released_state(frame_dims=1629)
    model = signclip.load(
        released_file(model=state), variant="holistic", attention_heads=2, max_frames=16
    )
    refined = make_pose(irises=True)
    with pytest.raises(PoseError, match=r"^refined: .*1659.* \(frames, 1629\)"):
        model.features(refined, sample="refined")
    embedded = model.embed_clips([make_pose(), refined], keep_going=True)
    assert embedded.kept.tolist() == [0]
    assert list(embedded.errors) == [1]


@pytest.mark.parametrize("check_tags", [True, False])
def test_a_text_that_is_no_unicode_is_refused(check_tags):
    with pytest.raises(ConfigError, match=r"'\\udcff'.* UTF-8"):
        made().embed_text(["a", "\udcff"], check_tags=check_tags)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prompt": "{word}"}, "prompt template '{word}'"),
        ({"prompt": "{"}, "prompt template"),
        ({"variant": ""}, "unknown variant ''"),
    ],
)
def test_what_is_given_for_a_released_model_is_checked_when_it_is_loaded(
    released_file, given, changes, message
):
    with pytest.raises(ConfigError, match=message):
        signclip.load(released_file(), **given, **changes)


def test_an_empty_prompt_is_one_that_was_given(released_file, given):
    assert signclip.load(released_file(), **given, prompt="").prompt == ""


def test_poses_paths_and_features_embed_alike(
    released_file, given, make_pose, pose_bytes, tmp_path
):
    model = signclip.load(released_file(), **given)
    pose = make_pose(frames=20)
    path = tmp_path / "clip.pose"
    path.write_bytes(pose_bytes(pose))
    features = signclip.poses.preprocess(pose, "reduced_face")
    embeddings = [model.embed_pose([item]) for item in (pose, path, str(path), features)]
    for other in embeddings[1:]:
        assert np.array_equal(embeddings[0], other)
    with pytest.raises(ConfigError, match="not known which variant"):
        made().embed_pose([pose])


def test_texts_without_a_vocabulary_say_what_is_missing(released_file, given, monkeypatch):
    model = signclip.load(released_file(), **given)
    assert model.embed_pose([np.zeros((2, 609))]).shape == (1, 16)
    with pytest.raises(ConfigError, match=r"vocabulary \(its own, 110 word pieces\).*tokenizer="):
        model.embed_text(["house"])

    def offline(name):
        raise ConfigError(f"tokenizer {name!r}: no network")

    monkeypatch.setattr(Tokenizer, "from_pretrained", offline)
    paper = made(vocab_size=28_996)
    with pytest.raises(ConfigError, match=r"bert-base-cased, 28996 .* Tried: .*no network"):
        paper.embed_text(["house"])


def test_a_vocabulary_is_looked_for_by_the_text_towers_size(monkeypatch):
    words = [chr(0x4E00 + i) for i in range(20_000)] + [chr(0xAC00 + i) for i in range(8_991)]
    requested = []

    def hub(name):
        requested.append(name)
        return _tokenizer(words)

    monkeypatch.setattr(Tokenizer, "from_pretrained", hub)
    model = made(vocab_size=28_996)
    for texts in (words[:2], words[2:4]):
        assert model.embed_text(texts).shape == (2, 16)
    assert requested == ["bert-base-cased"]


def _tokenizer(words: list[str]) -> Tokenizer:
    from tokenizers import Tokenizer as Fast
    from tokenizers import models

    from signclip.text import SPECIAL_TOKENS

    vocab = {piece: i for i, piece in enumerate([*SPECIAL_TOKENS, *words])}
    return Tokenizer(Fast(models.WordPiece(vocab, unk_token="[UNK]")))


def test_another_models_vocabulary_is_refused(released_file, given, vocabulary):
    with pytest.raises(ConfigError, match="7 word pieces, the model's text tower 110"):
        signclip.load(released_file(), tokenizer=_tokenizer(["a", "b"]), **given)
    assert signclip.load(released_file(), tokenizer=vocabulary, **given).tokenizer


def test_a_wrong_sign_language_tag_is_refused_with_the_near_one(released_file, given, vocabulary):
    model = signclip.load(released_file(), tokenizer=vocabulary, **given)
    with pytest.raises(LanguageTagError, match=r"'lis'; did you mean ise \(Italian"):
        model.embed_text(["<en> <ase> house", "<en> <lis> house"])
    texts = ["<en> <lis> house"]
    assert model.embed_text(texts, check_tags=False).shape == (1, 16)
    assert model.embed_text(["< a house", "<en> house", ""]).shape == (3, 16)


def test_texts_do_not_depend_on_company(released_file, given, vocabulary):
    model = signclip.load(released_file(), tokenizer=vocabulary, **given)
    texts = ["", "a", "house", "<en> <ase> house", "abcdefghijklmnop", "é houses"]
    alone = np.concatenate([model.embed_text([text]) for text in texts])
    for batch_size in (2, 256):
        assert np.abs(model.embed_text(texts, batch_size=batch_size) - alone).max() <= 1e-5
        clips = [np.random.default_rng(i).normal(size=(i, 609)) for i in (3, 16, 1)]
        scores = model.similarity(clips, texts, batch_size=batch_size)
        assert np.abs(scores - model.embed_pose(clips) @ alone.T).max() <= 1e-4


def run() -> checkpoint.Run:
    """A run of the smoke profile, untrained."""
    tokenizer = Tokenizer.train(["Fingerspell the letter A in sign language."])
    resolved = resolve(
        RunId("E3.2", "smoke", "spreadthesign-fingerspelling", "letters", 0, 0),
        Workspace(params=ROOT / "params.yaml", experiments=ROOT / "benchmarks/experiments.yaml"),
    )
    sizes = dict(frame_dims=63, vocab_size=tokenizer.vocab_size, **resolved.towers.model_dump())
    model = SignCLIP(ModelConfig(**sizes)).eval()
    return checkpoint.Run(
        resolved, model, tokenizer, {"seconds": 1.5}, resolved.variant, resolved.prompt
    )


def test_a_saved_run_opens_as_the_same_run(tmp_path):
    model = SignCLIPModel(run())
    out = model.save_pretrained(tmp_path / "mine")
    loaded = signclip.load(out)
    features = [np.random.default_rng(0).normal(size=(9, 63))]
    assert np.array_equal(loaded.embed_pose(features), model.embed_pose(features))
    assert np.array_equal(loaded.embed_text(["a", "b"]), model.embed_text(["a", "b"]))
    assert loaded.config == model.config
    assert loaded.metrics["seconds"] == 1.5
    assert "experiment E3.2" in (out / "README.md").read_text()
    checkpoint.verify(out)
    with pytest.raises(ConfigError, match="exists already"):
        model.save_pretrained(out)
    with pytest.raises(ConfigError, match="fixed"):
        signclip.load(out, variant="right_hand")
    with pytest.raises(ConfigError, match="max_frames belong to released files"):
        signclip.load(out, max_frames=3)


def test_run_folders_written_before_this_form_open_too(tmp_path):
    """Their config.yaml holds `run` and `model`, and the model has no word of convolutions."""
    model = SignCLIPModel(run())
    out = model.save_pretrained(tmp_path / "mine")
    values = yaml.safe_load((out / "config.yaml").read_text())
    assert set(values) == {"run", "model"}
    del values["model"]["conv_layers"]
    (out / "config.yaml").write_text(yaml.safe_dump(values))
    assert signclip.load(out).variant == "dominant_hand"


def test_a_run_is_found_below_the_folder_of_its_stage(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    saved = SignCLIPModel(run()).save_pretrained("runs/signclip/E7.2/0/in_domain")
    assert signclip.load("runs/E7.2/0/in_domain").config == signclip.load(saved).config
    assert signclip.load(tmp_path / "runs/E7.2/0/in_domain").config is not None
    with pytest.raises(RunError, match=r"^runs/E7\.2/1/in_domain: no finished run here"):
        signclip.load("runs/E7.2/1/in_domain")
    SignCLIPModel(run()).save_pretrained("runs/pretraining/E7.2/0/in_domain")
    with pytest.raises(
        ConfigError, match=r"runs/pretraining/E7\.2/0/in_domain, runs/signclip/E7\.2"
    ):
        signclip.load("runs/E7.2/0/in_domain")


def test_a_runs_tokenizer_must_be_there_and_another_models_may_be_added(
    released_file, given, vocabulary, tmp_path
):
    out = SignCLIPModel(run()).save_pretrained(tmp_path / "mine")
    (out / "tokenizer.json").unlink()
    with pytest.raises(ConfigError, match="no tokenizer here"):
        signclip.load(out)
    imported = tmp_path / "imported"
    inference.import_checkpoint(released_file(), imported, **given)
    Tokenizer.load(vocabulary).save(imported)
    assert signclip.load(imported).embed_text(["house"]).shape == (1, 16)
    (imported / "metrics.json").unlink()
    with pytest.raises(RunError, match="no finished run here"):
        signclip.load(imported)
