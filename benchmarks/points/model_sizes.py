"""Sizes of the paper's models, counted on ours in the published configuration.

Decisions
* Models are built on torch's meta device, without memory, with the profile ``paper`` and the
  vocabularies that the recipes start from.
* The authors' towers also carry BERT's poolers, whose output they discard; ours have none. They are
  added, so that the counts can be compared.

Cost: seconds, to import torch and transformers.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from benchmarks import paper, suites
from benchmarks.points import Made, Points
from benchmarks.source import Source
from signclip.core.workspace import RunId

VOCABULARIES = {"bert-base-cased": 28996, "bert-base-uncased": 30522}  # entries
ROWS = ("fingerclip", "pretraining")
COLUMNS = ["experiment", "variant", "points", "dims", "pose_layers", "text_layers", "parameters"]


def pooler(size: int) -> int:
    """Parameters of the pooler of one BERT with hidden size ``size``."""
    return size * size + size


def count(config: Any, dims: int) -> int:
    """Parameters of the model of a run configuration, with the authors' poolers.

    Args:
        config: a :class:`signclip.experiments.config.RunConfig` that starts from a BERT.
        dims: numbers a frame.
    """
    import torch

    from signclip.model.config import SWITCHES, ModelConfig
    from signclip.model.towers import SignCLIP

    vocabulary = VOCABULARIES[config.init]
    sizes = ModelConfig(
        frame_dims=dims,
        vocab_size=vocabulary,
        pose_vocab_size=vocabulary,
        **config.towers.model_dump(),
        **{name: getattr(config, name) for name in SWITCHES},
    )
    with torch.device("meta"):
        model = SignCLIP(sizes)
    own = sum(parameter.numel() for parameter in model.parameters())
    return own + 2 * pooler(config.towers.hidden_size)


def make(source: Source) -> Made:
    """See the module."""
    from signclip.experiments.table import resolve
    from signclip.poses import VARIANTS

    rows = []
    for name in suites.expand(ROWS):
        run = RunId(name, paper.PROFILE, source.corpus, suites.IN_DOMAIN, None, 0)
        config = resolve(run, source.workspace)
        dims = VARIANTS[config.variant].dims
        assert dims is not None, "the paper's variants have a fixed size"
        towers = config.towers
        rows.append(
            dict(
                experiment=name,
                variant=config.variant,
                points=dims // 3,
                dims=dims,
                pose_layers=towers.pose_layers,
                text_layers=towers.text_layers,
                parameters=count(config, dims),
            )
        )
    return Made(pd.DataFrame(rows)[COLUMNS], [f"profile {paper.PROFILE}"])


POINTS = Points("model_sizes", "sizes of the paper's models", make)
