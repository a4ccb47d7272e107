"""Class probabilities of clips, and the validation of a training.

Cost: a forward pass a clip and view.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from baselines.skeletons.data import Conversion
from baselines.skeletons.networks import Streams
from baselines.skeletons.recipe import Recipe
from signclip.poses.landmarks import Features

VIEWS = 64  # views of clips in one forward pass; bounds memory


@torch.no_grad()
def probabilities(recipe: Recipe, network: Streams, clips: Sequence[Features]) -> torch.Tensor:
    """Class probabilities, float (clips, classes), by a network in evaluation mode."""
    conversion, parts = Conversion(recipe), []
    device = next(network.parameters()).device
    chunk = max(1, VIEWS // recipe.views)
    for start in range(0, len(clips), chunk):
        part = clips[start : start + chunk]
        views = [view for clip in part for view in conversion.views(clip)]
        inputs = conversion.tensor(views, recipe.views).to(device)
        parts.append(network(inputs, mode="tensor").cpu())
    return torch.cat(parts)


class Validation:
    """Cross-entropy and V2T R@1 of validation clips, with the training classes as the gallery."""

    def __init__(self, recipe: Recipe, clips: Sequence[Features], targets: Sequence[int]):
        self.recipe, self.clips = recipe, clips
        self.targets = torch.tensor(targets, dtype=torch.int64)  # -1: no class has the label

    def __call__(self, network: Streams) -> dict[str, float]:
        """Evaluate a network in evaluation mode.

        A clip whose label is no class counts as wrong, and has no cross-entropy.
        """
        if not len(self.clips):
            return {}
        found = probabilities(self.recipe, network, self.clips)
        known = self.targets >= 0
        row = {}
        if known.any():
            correct = found[known].gather(1, self.targets[known, None]).clamp_min(1e-12)
            row["validation_loss"] = -correct.log().mean().item()
        row["validation_V2T_R@1"] = (found.argmax(dim=1) == self.targets).float().mean().item()
        return row
