"""Contrastive training: the loss of a batch as the engine calls it, and validation.

Decisions
* Padding, precision, attention kernels and compilation change how a loss is computed, not its
  definition; logits and loss are always float32.
* The loss is over the batch of all processes together.
* A batch may be larger than memory: it is embedded in chunks, and each chunk again in the backward
  pass (gradient caching), which takes a third more time.

Cost: the two towers; validation embeds its clips and the gallery.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from mmengine.model import BaseDataPreprocessor, BaseModel
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from signclip.experiments.config import Compute, Loss, RunConfig
from signclip.model import losses, packed_attention
from signclip.model.packed_attention import Layout
from signclip.model.padding import pad_frames
from signclip.model.pose_tower import PoseTower
from signclip.model.towers import SignCLIP
from signclip.text import Tokenizer, embed_split_prompts
from signclip.training import distributed
from signclip.training.data import Collate

# Initial bias of the sigmoid loss: training starts from "no pair belongs together" (Zhai et al.,
# 2023).
FIRST_BIAS = -10.0


class TrainingTexts:
    """The tokens of all training texts: the candidates of loss ``gallery``.

    Args:
        collate: turns texts into tokens.
        limit: the number of texts in the gallery of one batch.
    """

    def __init__(self, texts: Iterable[str], collate: Collate, limit: int):
        clips = Counter(texts)
        tokens = collate.texts(sorted(clips))
        order = tokens["text_keys"].argsort()
        counts = torch.tensor([clips[text] for text in sorted(clips)], dtype=torch.float32)
        self.log_counts = counts[order].log()
        self.keys = tokens["text_keys"][order]
        self.token_ids, self.token_mask = (tokens[x][order] for x in ("token_ids", "token_mask"))
        self.limit = limit

    def gallery(self, keys: Tensor) -> tuple[Tensor, Tensor, list[int], Tensor, Tensor]:
        """The gallery of a batch: its texts and random others.

        The draw depends on the members of the batch alone, so that all processes draw the same; a
        batch with the same members gets the same gallery again.

        Args:
            keys: int64 (b,), of each clip's text.

        Returns:
            tokens (n, l), their mask and counts, the row of each clip's text (b,), and the
            logarithm of each text's number of training clips (n,).
        """
        targets = torch.searchsorted(self.keys, keys.cpu())
        chosen = torch.arange(len(self.keys))
        if len(self.keys) > self.limit:
            generator = torch.Generator().manual_seed(int(keys.sum()) % 2**63)
            lot = torch.rand(len(self.keys), generator=generator)
            lot[targets] = -1.0
            chosen = lot.argsort()[: max(self.limit, len(targets.unique()))].sort().values
            targets = torch.searchsorted(chosen, targets)
        mask = self.token_mask[chosen]
        counts = mask.sum(dim=1)
        longest = int(counts.max())
        ids, mask = self.token_ids[chosen, :longest], mask[:, :longest]
        tensors = (ids, mask, targets, self.log_counts[chosen])
        ids, mask, targets, log_counts = (tensor.to(keys.device) for tensor in tensors)
        return ids, mask, counts.tolist(), targets, log_counts


class ContrastiveModel(BaseModel):
    """A model in training as MMEngine calls it: the loss of a batch.

    Args:
        galleries: for loss ``gallery``: all first texts, and all second texts if clips have them.
        smoothing: label smoothing of loss ``gallery``.
        text_prior: factor on the handicap of frequent texts in loss ``gallery``.
        separate_parts: see :meth:`_of_own_part`.
    """

    def __init__(
        self,
        model: SignCLIP,
        compute: Compute,
        loss: Loss = "contrastive",
        galleries: Sequence[TrainingTexts] = (),
        smoothing: float = 0.0,
        text_prior: float = 0.0,
        separate_parts: bool = False,
    ):
        super().__init__(BaseDataPreprocessor(non_blocking=True))  # loaders pin their memory
        self.signclip, self.loss, self.chunk = model, loss, compute.chunk
        self.separate_parts = separate_parts
        self.galleries, self.smoothing, self.text_prior = galleries, smoothing, text_prior
        if loss == "sigmoid":
            self.bias = nn.Parameter(torch.tensor(FIRST_BIAS))
        self.ratio = compute.group_ratio if compute.padding == "none" else None
        self.bfloat16, self.flash = compute.precision == "bfloat16", compute.attention == "flash"
        attention: str = compute.attention
        if self.ratio is not None:
            attention = (
                packed_attention.attention_compiled()
                if compute.compile
                else packed_attention.ATTENTION
            )
        berts = [model.text_encoder]
        if isinstance(model.video_encoder, PoseTower):
            berts.append(model.video_encoder.bert)
        for bert in berts:
            bert.set_attn_implementation(attention)
            if compute.compile:  # layer by layer: compiling a whole tower would take minutes
                for layer in bert.encoder.layer:
                    layer.compile(dynamic=True)

    def forward(self, *, mode: str = "loss", **batch: Any) -> dict[str, Tensor]:
        """The loss of a batch over all processes.

        If clips have a second text, the losses of both texts are added.

        Args:
            batch: see :class:`signclip.training.data.Collate`.
        """
        assert mode == "loss", mode
        frames, frame_mask = batch["frames"], batch.get("frame_mask")
        assert (frame_mask is None) == (self.ratio is not None), (
            "the batch was collated with another padding"
        )
        sides = [batch, batch["second"]] if "second" in batch else [batch]
        towers, names = self.signclip, ("token_ids", "token_mask", "token_counts")
        with torch.autocast(frames.device.type, torch.bfloat16, enabled=self.bfloat16):
            pose = self._embedded(
                towers.pose_embeddings, frames, frame_mask, batch["frame_counts"], ends=2
            )
            if self.loss != "gallery":
                tokens = ([side[name] for name in names] for side in sides)
                texts = [self._embedded(towers.text_embeddings, *x) for x in tokens]
        pose = distributed.gather(pose.float()) * self.signclip.scale()
        keys = [distributed.gather(side["text_keys"]) for side in sides]
        poses = [self._of_own_part(pose, last=side is sides[-1]) for side in sides]
        if self.loss == "gallery":
            parts = [self._gallery_loss(*x) for x in zip(poses, keys, self.galleries, strict=True)]
        else:
            texts = [distributed.gather(text.float()) for text in texts]
            parts = [self._batch_loss(*x) for x in zip(poses, texts, keys, strict=True)]
        return {"loss": sum(parts[1:], start=parts[0])}

    def _of_own_part(self, pose: Tensor, *, last: bool) -> Tensor:
        """Clips as one of their texts is compared with them: (b, d) -> (b, d).

        With ``separate_parts`` the last text (without a language) is compared with the clip's hands
        and the body of the next clip in the batch, the other one with the body and the next clip's
        hands. So a label learns nothing of the signer, although many labels have one signer only.
        """
        if not self.separate_parts:
            return pose
        body = self.signclip.config.body_dims
        own, others = (pose, pose.roll(1, 0)) if last else (pose.roll(1, 0), pose)
        return torch.cat([own[:, :-body], others[:, -body:]], dim=1)

    def _batch_loss(self, pose: Tensor, text: Tensor, keys: Tensor) -> Tensor:
        if self.loss == "contrastive":
            return losses.contrastive(pose, text)
        same = keys[:, None] == keys[None]
        if self.loss == "multi_positive":
            return losses.multi_positive(pose, text, same)
        return losses.sigmoid(pose, text, same, self.bias)

    def _gallery_loss(self, pose: Tensor, keys: Tensor, texts: TrainingTexts) -> Tensor:
        ids, mask, counts, targets, log_counts = texts.gallery(keys)
        processes = dict(rank=distributed.rank(), world_size=distributed.world_size())
        mine = distributed.share(list(range(len(ids))), **processes)  # each process embeds its part
        rows = mine or [0]  # a process without a part embeds one text, which is left out below
        with torch.autocast(pose.device.type, torch.bfloat16, enabled=self.bfloat16):
            text = self._embedded(
                self.signclip.text_embeddings, ids[rows], mask[rows], [counts[i] for i in rows]
            )
        text = distributed.gather(text[: len(mine)].float())
        handicap = self.text_prior * log_counts if self.text_prior else None
        return losses.gallery(pose, text, targets, self.smoothing, handicap)

    def _embedded(
        self,
        tower: Callable,
        values: Tensor,
        mask: Tensor | None,
        counts: list[int],
        ends: int = 0,
    ) -> Tensor:
        """Embeddings of one side, (b, d), computed in chunks if the configuration says so.

        Of each chunk only the inputs are kept; the backward pass computes its embeddings again,
        with the same dropout. So a large batch needs the memory of a small one.

        Args:
            values, mask: (b, length, ...) and bool (b, length); without padding (n, ...) and no
                mask.
            ends: tokens that the tower adds to each sequence.
        """
        if self.chunk is None or self.chunk >= len(counts):
            return tower(values, mask, self._layout([n + ends for n in counts], values.device))
        parts = []
        for start in range(0, len(counts), self.chunk):
            rows = slice(start, start + self.chunk)
            part: tuple[Tensor, Tensor | None]
            if mask is None:
                before = sum(counts[:start])
                part = values[before : before + sum(counts[rows])], None
            else:
                longest = max(counts[rows])
                part = values[rows, :longest], mask[rows, :longest]
            layout = self._layout([n + ends for n in counts[rows]], values.device)
            parts.append(checkpoint(tower, *part, layout, use_reentrant=False))
        return torch.cat(parts)

    def _layout(self, lengths: list[int], device: torch.device) -> Layout | None:
        if self.ratio is None:
            return None
        sizes = self.signclip.config
        size = sizes.hidden_size // sizes.attention_heads
        flash = self.flash and packed_attention.takes_flash(device, size)
        return Layout(lengths, self.ratio, device, flash=flash)


class Gallery:
    """A retrieval gallery: unique texts, and the row of each clip's text.

    Args:
        queries: the text of each clip.
        others: further texts of the gallery.
    """

    def __init__(self, queries: Sequence[str], others: Iterable[str] = ()):
        self.texts = sorted({*queries, *others})
        index = {text: i for i, text in enumerate(self.texts)}
        self.target = torch.tensor([index[text] for text in queries], dtype=torch.int64)


class Validation:
    """Cross-entropy and V2T R@1 of clips against galleries of texts.

    With ``split_prompt``, the loss is that of the whole prompts.

    Args:
        clips: float (frames, dims) each.
        galleries: by the prefix of their columns; the loss is that of the first.
    """

    def __init__(
        self,
        clips: Sequence[np.ndarray],
        galleries: Mapping[str, Gallery],
        tokenizer: Tokenizer,
        config: RunConfig,
    ):
        self.clips, self.galleries, self.tokenizer = clips, galleries, tokenizer
        self.split_prompt = config.split_prompt
        self.towers, self.batch_size = config.towers, config.compute.chunk or config.batch_size

    @torch.no_grad()
    def __call__(self, model: SignCLIP) -> dict[str, float]:
        """Measure a model that is in evaluation mode; without clips, an empty row."""
        if not len(self.clips):
            return {}
        device = next(model.parameters()).device
        order = sorted(range(len(self.clips)), key=lambda i: len(self.clips[i]))
        poses = torch.empty(len(order), model.config.hidden_size, device=device)
        for chosen in self._parts(order):
            frames, mask = pad_frames([self.clips[i] for i in chosen], self.towers.max_frames)
            poses[chosen] = model.pose_embeddings(frames.to(device), mask.to(device))
        row: dict[str, float] = {}
        for name, gallery in self.galleries.items():
            logits = poses @ self._embedded(model, gallery.texts).T * model.scale()
            target = gallery.target.to(device)
            if not row:
                row[f"{name}_loss"] = F.cross_entropy(logits, target).item()
            row[f"{name}_V2T_R@1"] = (logits.argmax(dim=1) == target).float().mean().item()
        return row

    def _embedded(self, model: SignCLIP, texts: Sequence[str]) -> Tensor:
        if self.split_prompt:
            return embed_split_prompts(texts, partial(self._in_batches, model))
        return self._in_batches(model, texts)

    def _in_batches(self, model: SignCLIP, texts: Sequence[str]) -> Tensor:
        device, parts = next(model.parameters()).device, []
        for chosen in self._parts(texts):
            tokens = self.tokenizer.encode(chosen, max_tokens=self.towers.max_tokens)
            ids, mask = (torch.from_numpy(array).to(device) for array in tokens)
            parts.append(model.text_embeddings(ids, mask))
        return torch.cat(parts)

    def _parts(self, items: Sequence) -> Iterator[Sequence]:
        for start in range(0, len(items), self.batch_size):
            yield items[start : start + self.batch_size]
