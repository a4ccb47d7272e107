"""MMAction2's skeleton recognisers by name, and several streams of one as one model.

Decisions
* A model is a row of ``models.yaml`` and numbers of a profile; :func:`config` makes of them what
  MMAction2 builds a recogniser from. No configuration file is copied.
* Streams are recognisers of their own, trained in one run: their losses are added, and since they
  share no weight, each learns as if alone (but for a limit on the gradient's norm, which is one for
  all). Their probabilities are averaged, as MMAction2's users do with the scores of runs.
* The loss is the head's logits' cross-entropy, without MMAction2's top-5 accuracy beside it, which
  means nothing where there are fewer classes.

Cost: importing MMAction2's models takes a few seconds, once.
"""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.logging import MMLogger
from mmengine.model import BaseModel
from mmengine.registry import DefaultScope
from torch import Tensor, nn
from torch.nn import functional as F

from baselines.skeletons import adapter
from baselines.skeletons.graph import Skeleton
from baselines.skeletons.table import GRAPH, row
from signclip.core.errors import ConfigError

STAGES = 10  # of MMAction2's graph networks, where a profile does not say
EXPANSION = 4  # of a bottleneck's channels, in ResNets of 50 layers and more


def config(
    model: str,
    skeleton: Skeleton,
    classes: int,
    *,
    stream: str,
    backbone: Mapping[str, Any],
    dropout: float = 0.0,
) -> dict[str, Any]:
    """What MMAction2 builds a recogniser of one stream from.

    Args:
        stream: that it takes, of :data:`baselines.skeletons.adapter.STREAMS` or ``MAPS``.
        backbone: what a profile says of it, beside its row.
        dropout: before the last layer.
    """
    about = row(model)
    body = {**about["backbone"], **backbone}
    if about["takes"] == GRAPH:
        body["graph_cfg"] = {"layout": skeleton.layout(), "mode": about["graph"]}
        body.setdefault("base_channels", 64)
        inflated = body.setdefault("inflate_stages", [5, 8])
        stages = range(2, body.get("num_stages", STAGES) + 1)
        channels = body["base_channels"] * 2 ** sum(stage in stages for stage in inflated)
        head = {**about["head"], "dropout": dropout}
    else:
        body["in_channels"] = channels_of(stream, skeleton)
        body.setdefault("base_channels", 64)
        channels = EXPANSION * body["base_channels"] * 2 ** (body["num_stages"] - 1)
        head = {**about["head"], "dropout_ratio": dropout}
    head |= {"num_classes": classes, "in_channels": channels, "average_clips": "prob"}
    return {"type": about["recognizer"], "backbone": body, "cls_head": head}


def channels_of(stream: str, skeleton: Skeleton) -> int:
    """How many maps a frame of a stream has."""
    return len(skeleton.inward if stream == "limb_map" else skeleton.names)


@contextmanager
def _quiet() -> Iterator[None]:
    """MMEngine says a line of each weight that it initialises."""
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def build(wanted: Mapping[str, Any]) -> nn.Module:
    """A recogniser from its configuration, weights initialised from torch's random state.

    Raises:
        ConfigError: MMAction2 refuses it.
    """
    import mmaction.engine.model
    import mmaction.models  # noqa: F401  registers them
    from mmaction.registry import MODELS

    # what a recogniser is made of is looked up where the process's scope says
    with _quiet(), DefaultScope.overwrite_default_scope("mmaction"):
        try:
            recogniser = MODELS.build(copy.deepcopy(dict(wanted)))
        except (AssertionError, KeyError, TypeError, ValueError, RuntimeError) as error:
            raise ConfigError(f"MMAction2 cannot build this model: {error}") from None
        recogniser.init_weights()
    return recogniser


class Streams(BaseModel):
    """One recogniser a stream, trained side by side.

    Args:
        configs: stream -> what MMAction2 builds its recogniser from.
        skeleton: of the joints that it is given.
    """

    def __init__(
        self,
        configs: Mapping[str, Mapping[str, Any]],
        skeleton: Skeleton,
        *,
        label_smoothing: float = 0.0,
    ):
        super().__init__()
        self.streams = nn.ModuleDict({name: build(wanted) for name, wanted in configs.items()})
        self.skeleton, self.label_smoothing = skeleton, label_smoothing

    def init_weights(self) -> None:
        """Nothing: weights are initialised when they are made."""

    def forward(
        self,
        inputs: Tensor,
        labels: Tensor | None = None,
        clips: Sequence[str] = (),
        mode: str = "loss",
    ) -> dict[str, Tensor] | Tensor:
        """The loss of a batch, or with ``mode="tensor"`` its classes' probabilities.

        Args:
            inputs: of :class:`baselines.skeletons.training.Clips`: (clips, views, frames, points, 3) or
                maps (clips, views, maps, frames, size, size), one stream's after the other's.
            labels: int (clips,).

        Returns:
            ``loss``; or float (clips, classes), the mean over streams and views.
        """
        logits = [self._logits(name, of) for name, of in self._apart(inputs).items()]
        if mode == "loss":
            losses = [
                F.cross_entropy(one.mean(dim=1), labels, label_smoothing=self.label_smoothing)
                for one in logits
            ]
            return {"loss": sum(losses[1:], start=losses[0])}
        return torch.stack([one.softmax(dim=-1).mean(dim=1) for one in logits]).mean(dim=0)

    def _apart(self, inputs: Tensor) -> dict[str, Tensor]:
        """What each stream takes; joints are derived when their turn comes, maps lie together."""
        if inputs.ndim == 5:
            return dict.fromkeys(self.streams, inputs)
        widths = [channels_of(name, self.skeleton) for name in self.streams]
        return dict(zip(self.streams, inputs.split(widths, dim=2), strict=True))

    def _logits(self, name: str, inputs: Tensor) -> Tensor:
        """(clips, views, classes)."""
        clips, views = inputs.shape[:2]
        if name in adapter.STREAMS:
            of_stream = adapter.stream(name, inputs.flatten(0, 1), self.skeleton)
            inputs = of_stream[:, None, None]  # one view, one person
        else:
            inputs = inputs.flatten(0, 1)[:, None]
        return self.streams[name](inputs, stage="head").unflatten(0, (clips, views))
