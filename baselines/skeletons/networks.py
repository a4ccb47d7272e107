"""MMAction2's skeleton recognisers, built from a recipe; several streams of one as one network.

Decisions
* A model is a row of ``baselines/models.yaml`` and a profile's numbers; :func:`config` turns them
  into the dictionary from which MMAction2 builds a recogniser. No configuration file is copied.
* Each stream has its own recogniser, and all are trained in one run: their losses are added, and
  since they share no weights, each learns as if alone (except for a limit on the gradient's norm,
  which covers all of them). Their probabilities are averaged, as is usual for the scores of
  separately trained streams.
* The loss is the cross-entropy of the head's logits, without the top-5 accuracy that MMAction2
  computes with it: there may be fewer than five classes.

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

from baselines.skeletons import adapter, graph
from baselines.skeletons.graph import Skeleton
from baselines.skeletons.recipe import Recipe
from baselines.skeletons.table import GRAPH, row
from signclip.core.errors import ConfigError

STAGES = 10  # default of MMAction2's graph networks
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
    """The configuration from which MMAction2 builds the recogniser of one stream.

    Args:
        stream: the input, one of :data:`baselines.skeletons.adapter.STREAMS` or ``MAPS``.
        backbone: the profile's settings; they override the row's.
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
        body["in_channels"] = map_count(stream, skeleton)
        body.setdefault("base_channels", 64)
        channels = EXPANSION * body["base_channels"] * 2 ** (body["num_stages"] - 1)
        head = {**about["head"], "dropout_ratio": dropout}
    head |= {"num_classes": classes, "in_channels": channels, "average_clips": "prob"}
    return {"type": about["recognizer"], "backbone": body, "cls_head": head}


def map_count(stream: str, skeleton: Skeleton) -> int:
    """Number of heat maps a frame in a stream of maps."""
    return len(skeleton.inward if stream == "limb_map" else skeleton.names)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence MMEngine, which logs a line for each weight that it initialises."""
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def build(settings: Mapping[str, Any]) -> nn.Module:
    """Build a recogniser from its configuration, with initial weights from torch's random state.

    Raises:
        ConfigError: MMAction2 refuses the configuration.
    """
    import mmaction.engine.model
    import mmaction.models  # noqa: F401  registers them
    from mmaction.registry import MODELS

    # names of layers are looked up in the default scope of the process
    with _quiet(), DefaultScope.overwrite_default_scope("mmaction"):
        try:
            recogniser = MODELS.build(copy.deepcopy(dict(settings)))
        except (AssertionError, KeyError, TypeError, ValueError, RuntimeError) as error:
            raise ConfigError(f"MMAction2 cannot build this model: {error}") from None
        recogniser.init_weights()
    return recogniser


def from_recipe(recipe: Recipe, classes: int) -> Streams:
    """The network of a recipe before its first update."""
    skeleton = graph.skeleton(recipe.points)
    configs = {
        stream: config(
            recipe.model,
            skeleton,
            classes,
            stream=stream,
            backbone=recipe.backbone,
            dropout=recipe.dropout,
        )
        for stream in recipe.streams
    }
    return Streams(configs, skeleton, label_smoothing=recipe.label_smoothing)


class Streams(BaseModel):
    """One recogniser a stream, trained side by side.

    Args:
        configs: stream -> configuration of its recogniser.
        skeleton: of the input joints.
    """

    def __init__(
        self,
        configs: Mapping[str, Mapping[str, Any]],
        skeleton: Skeleton,
        *,
        label_smoothing: float = 0.0,
    ):
        super().__init__()
        self.streams = nn.ModuleDict({name: build(settings) for name, settings in configs.items()})
        self.skeleton, self.label_smoothing = skeleton, label_smoothing

    def init_weights(self) -> None:
        """Do nothing: :func:`build` has initialised the weights."""

    def forward(
        self,
        inputs: Tensor,
        labels: Tensor | None = None,
        clips: Sequence[str] = (),
        mode: str = "loss",
    ) -> dict[str, Tensor] | Tensor:
        """The loss of a batch, or with ``mode="tensor"`` the probabilities of its classes.

        Args:
            inputs: joints (clips, views, frames, points, 3), or the maps of all streams
                concatenated (clips, views, maps, frames, size, size); see
                :class:`baselines.skeletons.data.Conversion`.
            labels: int (clips,).
            clips: ids, for error messages of the training engine.

        Returns:
            ``loss``; or float (clips, classes), the mean over streams and views.
        """
        logits = [self._logits(name, part) for name, part in self._inputs(inputs).items()]
        if mode == "loss":
            losses = [
                F.cross_entropy(one.mean(dim=1), labels, label_smoothing=self.label_smoothing)
                for one in logits
            ]
            return {"loss": sum(losses[1:], start=losses[0])}
        return torch.stack([one.softmax(dim=-1).mean(dim=1) for one in logits]).mean(dim=0)

    def _inputs(self, inputs: Tensor) -> dict[str, Tensor]:
        """Each stream's input: its own maps, or the joints from which it is derived later."""
        if inputs.ndim == 5:
            return dict.fromkeys(self.streams, inputs)
        widths = [map_count(name, self.skeleton) for name in self.streams]
        return dict(zip(self.streams, inputs.split(widths, dim=2), strict=True))

    def _logits(self, name: str, inputs: Tensor) -> Tensor:
        """Logits of one stream: float (clips, views, classes)."""
        clips, views = inputs.shape[:2]
        if name in adapter.STREAMS:
            derived = adapter.stream(name, inputs.flatten(0, 1), self.skeleton)
            inputs = derived[:, None, None]  # one view, one person
        else:
            inputs = inputs.flatten(0, 1)[:, None]
        return self.streams[name](inputs, stage="head").unflatten(0, (clips, views))
