"""What a batch's loss is made of: chunks, temperature, second texts, galleries."""

import pytest
import torch

from signclip.experiments.config import Compute
from signclip.features.store import FeatureStore
from signclip.model import losses
from signclip.model.config import ModelConfig
from signclip.model.towers import SignCLIP
from signclip.text import Tokenizer
from signclip.training import contrastive, data
from signclip.training.contrastive import ContrastiveModel, Gallery, TrainingTexts

NAME = "spreadthesign-fingerspelling"
SIZES = ModelConfig(
    frame_dims=63,
    vocab_size=200,
    hidden_size=32,
    attention_heads=2,
    intermediate_size=64,
    pose_layers=1,
    text_layers=1,
    max_frames=40,
    max_tokens=20,
    position_embeddings=42,
    dropout=0.0,
)


@pytest.fixture(scope="module")
def batches(workspace) -> dict[str, dict]:
    """Fourteen clips of seven letters, with a second text each, padded either way."""
    store = FeatureStore(workspace.store(NAME, "dominant_hand"))
    clips = [clip for clip in store if clip[-1] in "abcdefg"][:14]
    examples = [
        data.Example(clip, clip[-1], (f"sign {clip[:3]} {clip[-1]}", clip[-1])) for clip in clips
    ]
    tokenizer = Tokenizer.train([x.texts[0] for x in examples], cased=False)
    dataset = data.ClipDataset(examples, store, augmentations=(), max_frames=40, seed=0)
    items = [dataset[0, i] for i in range(len(clips))]
    return {way: data.Collate(tokenizer, 40, 20, way)(items) for way in ("batch", "none")}


@pytest.fixture(scope="module")
def batch(batches) -> dict:
    """The padded one."""
    return batches["batch"]


def model(batch, compute=None, *, loss="contrastive", **changes) -> ContrastiveModel:
    torch.manual_seed(0)
    sizes = SIZES.replace(**changes)
    return ContrastiveModel(SignCLIP(sizes), compute or Compute(), loss)


def gradients(wrapped, batch) -> tuple[float, torch.Tensor]:
    loss = wrapped(**batch)["loss"]
    loss.backward()
    return loss.item(), torch.cat([weight.grad.flatten() for weight in wrapped.parameters()])


@pytest.mark.parametrize("padding", ["batch", "none"])
@pytest.mark.parametrize("chunk", [1, 4, 13, 14, 100])
def test_a_batch_in_chunks_has_the_same_loss_and_gradients(batches, batch, padding, chunk):
    whole, expected = gradients(model(batch), batch)
    compute = Compute(padding=padding, chunk=chunk)
    loss, got = gradients(model(batch, compute), batches[padding])
    assert loss == pytest.approx(whole, rel=1e-6)
    assert (got - expected).abs().max() <= 1e-5 * expected.abs().max()


def test_chunks_are_embedded_again_with_the_same_dropout(batch):
    """Else the gradient would belong to other embeddings than the loss."""
    wrapped = model(batch, Compute(chunk=4), dropout=0.5)
    torch.manual_seed(1)
    loss = wrapped(**batch)["loss"]
    loss.backward()
    weight = wrapped.signclip.video_encoder.videomlp.linear2.bias
    slope, at = weight.grad[0].item(), []
    for step in (1e-2, -1e-2):
        with torch.no_grad():
            weight[0] += step
        torch.manual_seed(1)
        at.append(wrapped(**batch)["loss"].item())
        with torch.no_grad():
            weight[0] -= step
    assert slope == pytest.approx((at[0] - at[1]) / 2e-2, rel=0.02, abs=1e-3)


def test_a_temperature_multiplies_the_scores_and_is_learned(batch):
    wrapped = model(batch, normalise=True, temperature=True)
    plain = model(batch, normalise=True)
    plain.signclip.load_state_dict(wrapped.signclip.state_dict(), strict=False)
    inputs = {key: batch[key] for key in ("frames", "frame_mask", "token_ids", "token_mask")}
    pose, text = plain.signclip(**inputs)
    expected = losses.contrastive(pose / 0.07, text)
    once = {key: value for key, value in batch.items() if key != "second"}
    loss = wrapped(**once)["loss"]
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    loss.backward()
    assert wrapped.signclip.log_scale.grad.abs() > 0


def test_a_scale_ends_at_a_hundred():
    scaled = SignCLIP(SIZES.replace(temperature=True))
    with torch.no_grad():
        scaled.log_scale.fill_(20.0)
    assert scaled.scale().item() == pytest.approx(100)


def test_second_texts_add_a_loss_of_their_own(batch):
    once = {key: value for key, value in batch.items() if key != "second"}
    other = {**once, **batch["second"]}
    wrapped = model(batch, loss="multi_positive")
    with torch.no_grad():
        both, first, second = (wrapped(**x)["loss"].item() for x in (batch, once, other))
    assert both == pytest.approx(first + second, rel=1e-6)
    assert first != second


def test_texts_have_the_same_key_where_they_are_the_same(batch):
    keys = batch["text_keys"].tolist()
    assert len(set(keys)) == len(keys)
    seconds = batch["second"]["text_keys"].tolist()
    letters = [clip[-1] for clip in batch["clips"]]
    assert len(set(seconds)) == len(set(letters)) < len(letters)
    assert len(set(zip(seconds, letters, strict=True))) == len(set(letters))


def test_the_sigmoid_losss_bias_is_trained_with_the_weights(batch):
    wrapped = model(batch, loss="sigmoid", normalise=True, temperature=True)
    assert wrapped.bias.item() == contrastive.FIRST_BIAS
    wrapped(**batch)["loss"].backward()
    assert wrapped.bias.grad.abs() > 0
    assert "bias" in wrapped.state_dict()


@pytest.mark.parametrize("padding", ["limit", "none"])
def test_attention_pooling_sees_no_padding(batches, batch, padding):
    plain, expected = gradients(model(batch, pooling="attention"), batch)
    if padding == "limit":
        frames = torch.zeros(14, 40, 63).fill_(torch.nan)
        mask = torch.zeros(14, 40, dtype=torch.bool)
        length = batch["frames"].shape[1]
        frames[:, :length], mask[:, :length] = batch["frames"], batch["frame_mask"]
        batch = {**batch, "frames": frames, "frame_mask": mask}
    else:
        batch = batches["none"]
    compute = Compute(padding="none") if padding == "none" else None
    loss, got = gradients(model(batch, compute, pooling="attention"), batch)
    assert loss == pytest.approx(plain, rel=1e-6)
    assert (got - expected).abs().max() <= 1e-5 * expected.abs().max()


def test_a_gallery_holds_each_text_once_and_knows_each_clips():
    gallery = Gallery(["b", "a", "b"], ["c", "a"])
    assert gallery.texts == ["a", "b", "c"]
    assert gallery.target.tolist() == [1, 0, 1]


def test_a_batch_sees_its_own_texts_and_some_others():
    names = [*(f"letter {x}" for x in "abcdefghijklmnop"), "letter a"]
    collate = data.Collate(Tokenizer.train(names, cased=False), 40, 20)
    keys = collate.texts(["letter c", "letter a", "letter c"])["text_keys"]
    for limit, seen in ((100, 16), (5, 5), (1, 2)):
        texts = TrainingTexts(names, collate, limit)
        ids, mask, counts, targets, log_counts = texts.gallery(keys)
        assert len(ids) == len(mask) == len(counts) == seen
        assert mask.sum(dim=1).tolist() == counts
        assert targets[0] == targets[2] != targets[1]
        for row, name in zip(targets, ("letter c", "letter a"), strict=False):
            assert ids[row][mask[row]].tolist() == collate.texts([name])["token_ids"][0].tolist()
        # "letter a" occurs twice
        assert log_counts[targets[1]].exp().item() == pytest.approx(2)
        assert log_counts.exp().sum().item() == pytest.approx(seen + 1)
        assert torch.equal(texts.gallery(keys)[0], ids)
    drawn = [
        set(
            TrainingTexts(names, collate, 5)
            .gallery(collate.texts([name])["text_keys"])[0][:, -2]
            .tolist()
        )
        for name in names[:8]
    ]
    assert len({frozenset(x) for x in drawn}) > 4


def test_loss_gallery_is_that_of_its_texts(batch):
    collate = data.Collate(Tokenizer.train(["a b c d e f g h i j"], cased=False), 40, 20)
    names = [clip[-1] for clip in batch["clips"]]
    changed = {**{k: v for k, v in batch.items() if k != "second"}, **collate.texts(names)}
    texts = TrainingTexts([*"abcdefghij"], collate, 100)
    torch.manual_seed(0)
    wrapped = ContrastiveModel(SignCLIP(SIZES), Compute(), "gallery", [texts])
    signclip = wrapped.signclip
    pose = signclip.pose_embeddings(changed["frames"], changed["frame_mask"])
    text = signclip.text_embeddings(texts.token_ids, texts.token_mask)
    rows = torch.searchsorted(texts.keys, changed["text_keys"])
    expected = losses.gallery(pose, text, rows)
    assert wrapped(**changed)["loss"].item() == pytest.approx(expected.item(), rel=1e-6)
    # texts that all occur once have no handicap; of two that do not, one has
    wrapped.text_prior = 1.0
    assert wrapped(**changed)["loss"].item() == pytest.approx(expected.item(), rel=1e-6)
    wrapped.galleries = [TrainingTexts([*"abcdefghijj"], collate, 100)]
    assert wrapped(**changed)["loss"].item() != pytest.approx(expected.item(), rel=1e-6)


def test_with_separate_parts_each_text_is_compared_with_its_own_part(batch):
    torch.manual_seed(0)
    # the parts exist whatever the tower: only their number of dims counts here
    wrapped = model(batch, normalise=True)
    wrapped.separate_parts = True
    wrapped.signclip.config = SIZES.replace(normalise=True).model_copy(update={"body_dims": 8})
    pose = torch.arange(3.0)[:, None].repeat(1, 32)  # clip i is i everywhere
    language, text = (wrapped._of_own_part(pose, last=last) for last in (False, True))
    assert torch.equal(text[:, :24], pose[:, :24])
    assert torch.equal(language[:, 24:], pose[:, 24:])
    for strange in (text[:, 24:], language[:, :24]):
        assert strange[:, 0].tolist() == [2, 0, 1]
        assert (strange == strange[:, :1]).all()
    separate = wrapped(**batch)["loss"].item()
    wrapped.separate_parts = False
    assert torch.equal(wrapped._of_own_part(pose, last=True), pose)
    assert wrapped(**batch)["loss"].item() != pytest.approx(separate, rel=1e-4)
