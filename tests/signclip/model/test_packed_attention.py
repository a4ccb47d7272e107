"""Without padding, and the other ways to compute a loss: another way, the same numbers."""

import shutil

import numpy as np
import pytest
import torch

from signclip.experiments.config import Compute
from signclip.features.store import FeatureStore
from signclip.model import packed_attention
from signclip.model.config import ModelConfig
from signclip.model.towers import SignCLIP
from signclip.text import Tokenizer
from signclip.training import contrastive, data, train

NAME = "spreadthesign-fingerspelling"
SIZES = ModelConfig(
    frame_dims=63,
    vocab_size=200,
    hidden_size=32,
    attention_heads=2,
    intermediate_size=64,
    pose_layers=2,
    text_layers=1,
    max_frames=40,
    max_tokens=20,
    position_embeddings=42,
    dropout=0.0,
)


def test_groups_end_where_the_next_would_be_too_short():
    lengths = [100, 90, 88, 41, 40, 7, 3, 3]
    assert [lengths[group] for group in packed_attention.groups_of(lengths, 0.85)] == [
        [100, 90, 88],
        [41, 40],
        [7],
        [3, 3],
    ]
    assert packed_attention.groups_of(lengths, 0) == [slice(0, 8)]
    assert len(packed_attention.groups_of(lengths, 1)) == len(set(lengths))
    assert packed_attention.groups_of([5], 0.85) == [slice(0, 1)]


def test_a_layout_knows_where_each_token_came_from():
    layout = packed_attention.Layout([2, 4, 3], 1.0, torch.device("cpu"))
    assert layout.owner.tolist() == [1, 1, 1, 1, 2, 2, 2, 0, 0]
    assert layout.place.tolist() == [0, 1, 2, 3, 0, 1, 2, 0, 1]
    assert layout.is_last.tolist() == [False] * 3 + [True] + [False] * 2 + [True, False, True]
    weights = layout.mean_weights()
    assert torch.equal(weights.sum(dim=1), torch.ones(3))
    assert weights[1].tolist() == pytest.approx([0, 1 / 3, 1 / 3, 1 / 3, 0, 0, 0, 0, 0])


@pytest.mark.parametrize("ratio", [0.0, 0.7, 1.0])
def test_attention_is_each_sequences_own(ratio):
    lengths = [3, 7, 5, 7, 2]
    layout = packed_attention.Layout(lengths, ratio, torch.device("cpu"))
    query, key, value = torch.randn(3, 1, 2, sum(lengths), 4)
    out, _ = packed_attention.attend(None, query, key, value, None, layout=layout)
    start = 0
    for length in layout.lengths:
        rows = slice(start, start + length)
        alone = torch.nn.functional.scaled_dot_product_attention(
            *(side[:, :, rows] for side in (query, key, value))
        )
        assert torch.allclose(out[:, rows], alone.transpose(1, 2), atol=1e-6)
        start += length


def each_sequences_own(ends, query, key, value, scale):
    """Attention, sequence after sequence: (n, heads, size) each -> (n, heads, size)."""
    parts = []
    for start, end in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True):
        parts_of = (side[start:end].transpose(0, 1) for side in (query, key, value))
        parts.append(torch.nn.functional.scaled_dot_product_attention(*parts_of, scale=scale))
    return torch.cat(parts, dim=1).transpose(0, 1)


@pytest.fixture
def flash_on_a_cpu():
    """torch's operator has kernels for GPUs alone; here are slow ones with its very arguments."""
    used = []

    def batched(ends, *sides):
        return zip(*(side.float().tensor_split(ends[1:-1].tolist()) for side in sides), strict=True)

    def weights(query, key, scale):
        return (torch.einsum("qhd,khd->hqk", query, key) * scale).softmax(dim=-1)

    def forward(query, key, value, ends, ends_too, longest, longest_too, dropout, *flags, scale):
        assert ends.dtype == torch.int32
        assert torch.equal(ends, ends_too)
        assert longest == longest_too == ends.diff().max()
        assert flags == (False, False)  # not causal, nothing returned of what was dropped
        used.append((query.dtype, dropout))
        parts = [
            torch.einsum("hqk,khd->qhd", weights(q, k, scale), v)
            for q, k, v in batched(ends, query, key, value)
        ]
        return torch.cat(parts).to(query.dtype), *(query.new_empty(0) for _ in range(4))

    def backward(gradient, query, key, value, out, statistics, ends, *rest, scale):
        parts = []
        for g, q, k, v in batched(ends, gradient, query, key, value):
            p = weights(q, k, scale)
            by_weight = torch.einsum("qhd,khd->hqk", g, v)
            by_score = scale * p * (by_weight - (by_weight * p).sum(dim=-1, keepdim=True))
            of_query = torch.einsum("hqk,khd->qhd", by_score, k)
            of_key = torch.einsum("hqk,qhd->khd", by_score, q)
            parts.append((of_query, of_key, torch.einsum("hqk,qhd->khd", p, g)))
        return tuple(torch.cat(side).to(query.dtype) for side in zip(*parts, strict=True))

    library = torch.library.Library("aten", "IMPL")
    library.impl("_flash_attention_forward", forward, "CPU")
    library.impl("_flash_attention_backward", backward, "CPU")
    yield used
    library._destroy()


def test_one_call_for_all_sequences_gives_the_loss_and_gradients_of_groups(
    batch, flash_on_a_cpu, monkeypatch
):
    way = {"padding": "none", "precision": "bfloat16"}
    loss, gradients = computed(batch, **way)
    monkeypatch.setattr(packed_attention, "takes_flash", lambda device, size: size == 16)
    other_loss, other_gradients = computed(batch, attention="flash", **way)
    assert flash_on_a_cpu == [(torch.bfloat16, 0.0)] * (SIZES.pose_layers + SIZES.text_layers)
    assert other_loss == pytest.approx(loss, rel=1e-3)
    assert torch.cosine_similarity(other_gradients, gradients, dim=0) > 0.9999
    flash_on_a_cpu.clear()
    computed(batch, SIZES.replace(dropout=0.3), attention="flash", **way)
    assert {dropout for _, dropout in flash_on_a_cpu} == {0.3}


def test_who_takes_all_sequences_in_one_call(monkeypatch, caplog):
    packed_attention.takes_flash.cache_clear()
    cpu, gpu = torch.device("cpu"), torch.device("cuda", 0)
    assert not packed_attention.takes_flash(cpu, 64)
    able = {"is_flash_attention_available": True, "get_device_capability": (9, 0)}
    for name, value in able.items():
        owner = torch.backends.cuda if name.startswith("is") else torch.cuda
        monkeypatch.setattr(owner, name, lambda *given, value=value: value)
    assert packed_attention.takes_flash(gpu, 64)
    assert not caplog.text
    assert not packed_attention.takes_flash(gpu, 20)
    packed_attention.takes_flash.cache_clear()
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    assert not packed_attention.takes_flash(gpu, 64)
    assert not packed_attention.takes_flash(gpu, 64)
    assert caplog.text.count("no FlashAttention for heads of 64") == 1
    packed_attention.takes_flash.cache_clear()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="FlashAttention needs a GPU")
def test_a_gpu_attends_to_all_sequences_in_one_call(batch):
    way = {"padding": "none", "precision": "bfloat16"}
    on_gpu = {"none": {k: x.cuda() if torch.is_tensor(x) else x for k, x in batch["none"].items()}}
    loss, gradients = computed(on_gpu, device="cuda", **way)
    other_loss, other_gradients = computed(on_gpu, device="cuda", attention="flash", **way)
    assert other_loss == pytest.approx(loss, rel=1e-3)
    assert torch.cosine_similarity(other_gradients, gradients, dim=0) > 0.999
    used = torch.profiler.profile()
    with used:
        computed(on_gpu, SIZES.replace(dropout=0.5), device="cuda", attention="flash", **way)
    calls = {event.key: event.count for event in used.key_averages()}
    assert calls["aten::_flash_attention_forward"] == SIZES.pose_layers + SIZES.text_layers


def test_a_cpu_attends_in_groups_whatever_is_asked(batch):
    way = {"padding": "none", "precision": "bfloat16", "group_ratio": 0.7}
    loss, gradients = computed(batch, **way)
    other_loss, other_gradients = computed(batch, attention="flash", **way)
    assert other_loss == loss
    assert torch.equal(other_gradients, gradients)


@pytest.fixture(scope="module")
def batch(workspace, smoke_config) -> dict[str, dict]:
    """The same twelve real clips, padded each way, and their tokenizer's inputs."""
    store = FeatureStore(workspace.store(NAME, "dominant_hand"))
    examples = [
        data.Example(clip, clip[-1], (f"Fingerspell {'the letter ' * (i % 3)}{clip[-1]}",))
        for i, clip in enumerate(list(store)[::35])
    ]
    tokenizer = Tokenizer.train([example.texts[0] for example in examples], cased=False)
    clips = data.ClipDataset(examples, store, augmentations=(), max_frames=40, seed=0)
    items = [clips[0, i] for i in range(len(clips))]
    assert tokenizer.vocab_size <= SIZES.vocab_size
    return {
        padding: data.Collate(tokenizer, SIZES.max_frames, SIZES.max_tokens, padding)(items)
        for padding in ("limit", "batch", "none")
    }


def computed(batch, sizes=SIZES, device="cpu", **changes) -> tuple[float, torch.Tensor]:
    """Loss and all gradients of a model of fixed weights."""
    torch.manual_seed(0)
    model = SignCLIP(sizes).to(device)
    compute = Compute(**changes)
    wrapped = contrastive.ContrastiveModel(model, compute)
    loss = wrapped(**batch[compute.padding])["loss"]
    loss.backward()
    return loss.item(), torch.cat([weight.grad.flatten() for weight in model.parameters()])


def test_padding_is_as_wide_as_it_says(batch):
    limit, longest = batch["limit"], max(batch["batch"]["frame_counts"])
    assert limit["frames"].shape[1:] == (SIZES.max_frames, SIZES.frame_dims)
    assert limit["token_ids"].shape[1] == SIZES.max_tokens - 1
    assert batch["batch"]["frames"].shape[1] == longest
    for way, padded in batch.items():
        assert padded["token_mask"].sum(dim=1).tolist() == padded["token_counts"]
        if way != "none":
            assert padded["frame_mask"].sum(dim=1).tolist() == padded["frame_counts"]
    assert "frame_mask" not in batch["none"]
    assert torch.equal(
        batch["none"]["frames"], batch["batch"]["frames"][batch["batch"]["frame_mask"]]
    )
    assert len(set(batch["batch"]["frame_counts"])) > 3  # else there is nothing to group


@pytest.mark.parametrize(
    "changes",
    [
        {"padding": "limit"},
        {"padding": "none"},
        {"padding": "none", "group_ratio": 0.7},
        {"padding": "none", "group_ratio": 0.0},
        {"attention": "eager"},
    ],
    ids=str,
)
def test_another_way_gives_the_same_loss_and_gradients(batch, changes):
    loss, gradients = computed(batch)
    other_loss, other_gradients = computed(batch, **changes)
    assert other_loss == pytest.approx(loss, rel=1e-6)
    scale = gradients.abs().max()
    assert (other_gradients - gradients).abs().max() <= 1e-5 * scale


def test_bfloat16_is_near_and_its_loss_is_float32(batch):
    loss, gradients = computed(batch)
    near_loss, near = computed(batch, precision="bfloat16")
    assert near_loss != loss
    assert near_loss == pytest.approx(loss, rel=0.02)
    assert torch.cosine_similarity(near, gradients, dim=0) > 0.99
    assert near.dtype == torch.float32


@pytest.mark.parametrize(
    "changes",
    [
        {"padding": "none", "attention": "eager"},
        {"padding": "batch", "attention": "flash", "precision": "bfloat16"},
        {"padding": "none", "attention": "flash"},
    ],
    ids=str,
)
def test_what_cannot_go_together_is_refused(changes):
    with pytest.raises(ValueError, match="goes with"):
        Compute(**changes)


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("g++"), reason="torch.compile needs a C++ compiler")
@pytest.mark.parametrize("padding", ["batch", "none"])
def test_compiled_towers_give_the_same_loss_and_gradients(batch, padding):
    small = SIZES.replace(pose_layers=1)  # compiling takes its time
    loss, gradients = computed(batch, small)
    other_loss, other = computed(batch, small, compile=True, padding=padding)
    assert other_loss == pytest.approx(loss, rel=1e-5)
    assert (other - gradients).abs().max() <= 1e-4 * gradients.abs().max()


@pytest.mark.slow
@pytest.mark.parametrize("padding", ["limit", "none"])
def test_padding_does_not_change_a_whole_training(workspace, smoke_config, tmp_path, padding):
    """Without dropout, whose draws go by shape."""
    towers = smoke_config().towers.model_copy(update={"dropout": 0.0})
    losses = [
        np.genfromtxt(
            train.train(
                smoke_config(towers=towers, compute=Compute(padding=way)),
                workspace.replace(runs=tmp_path / way),
            )
            / "losses.csv",
            delimiter=",",
            skip_header=1,
        )
        for way in ("batch", padding)
    ]
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)
