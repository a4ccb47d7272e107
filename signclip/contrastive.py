"""Contrastive training as the engine sees it: the loss of a batch, and what is validated.

Decisions
* Padding, precision, fused attention and compilation change how a loss is computed, not what it is;
  logits and loss are float32 always.
* The loss is over the batch of all processes together.

Cost: the two towers; validation embeds its clips and the gallery.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from mmengine.model import BaseModel
from torch import Tensor
from torch.nn import functional as F

from signclip import distributed, losses, unpadded
from signclip.config import Compute, RunConfig
from signclip.data import pad_frames
from signclip.model import SignCLIP
from signclip.text import Tokenizer
from signclip.unpadded import Layout


class ContrastiveModel(BaseModel):
    """MMEngine's view of a model in training: a batch in, its loss out."""

    def __init__(self, model: SignCLIP, compute: Compute):
        super().__init__()
        self.signclip = model
        self.ratio = compute.group_ratio if compute.padding == "none" else None
        self.bfloat16 = compute.precision == "bfloat16"
        for bert in (model.video_encoder.bert, model.text_encoder):
            bert.set_attn_implementation(
                compute.attention if self.ratio is None else unpadded.ATTENTION
            )
        self.towers = (model.pose_embeddings, model.text_embeddings)
        if compute.compile:
            self.towers = tuple(torch.compile(tower, dynamic=True) for tower in self.towers)

    def forward(
        self,
        frames: Tensor,
        frame_mask: Tensor,
        token_ids: Tensor,
        token_mask: Tensor,
        frame_counts: list[int],
        token_counts: list[int],
        clips: list[str],
        mode: str = "loss",
    ) -> dict[str, Tensor]:
        """The loss of a batch, all processes' parts of it together; see :class:`Collate`."""
        assert mode == "loss", mode
        pose_tower, text_tower = self.towers
        of_poses = self._layout([count + 2 for count in frame_counts], frames.device)
        of_texts = self._layout(token_counts, frames.device)
        with torch.autocast(frames.device.type, torch.bfloat16, enabled=self.bfloat16):
            pose = pose_tower(frames, frame_mask, of_poses)
            text = text_tower(token_ids, token_mask, of_texts)
        pose, text = (distributed.gather(side.float()) for side in (pose, text))
        return {"loss": losses.contrastive(pose, text)}

    def _layout(self, lengths: list[int], device: torch.device) -> Layout | None:
        return None if self.ratio is None else Layout(lengths, self.ratio, device)


class Validation:
    """Cross-entropy and V2T R@1 of clips against a gallery of prompts.

    Args:
        clips: float (frames, dims) each.
        prompts: of each clip.
        gallery: unique prompts, those of the clips among them.
    """

    def __init__(
        self,
        clips: Sequence[np.ndarray],
        prompts: Sequence[str],
        gallery: Sequence[str],
        tokenizer: Tokenizer,
        config: RunConfig,
    ):
        self.clips, self.gallery, self.tokenizer = clips, gallery, tokenizer
        self.towers, self.batch_size = config.towers, config.batch_size
        index = {text: i for i, text in enumerate(gallery)}
        self.target = torch.tensor([index[text] for text in prompts])

    @torch.no_grad()
    def __call__(self, model: SignCLIP) -> dict[str, float]:
        """Measure a model that is in evaluation mode; nothing without clips."""
        if not len(self.clips):
            return {}
        device = next(model.parameters()).device
        order = sorted(range(len(self.clips)), key=lambda i: len(self.clips[i]))
        poses = torch.empty(len(order), model.config.hidden_size, device=device)
        for chosen in self._parts(order):
            frames, mask = pad_frames([self.clips[i] for i in chosen], self.towers.max_frames)
            poses[chosen] = model.pose_embeddings(frames.to(device), mask.to(device))
        texts = []
        for chosen in self._parts(self.gallery):
            tokens = self.tokenizer.encode(chosen, max_tokens=self.towers.max_tokens)
            texts.append(model.text_embeddings(*(torch.from_numpy(x).to(device) for x in tokens)))
        logits, target = poses @ torch.cat(texts).T, self.target.to(device)
        hits = (logits.argmax(dim=1) == target).float()
        return {
            "validation_loss": F.cross_entropy(logits, target).item(),
            "validation_V2T_R@1": hits.mean().item(),
        }

    def _parts(self, items: Sequence) -> Iterator[Sequence]:
        for start in range(0, len(items), self.batch_size):
            yield items[start : start + self.batch_size]
