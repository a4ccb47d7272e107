"""Your own MMAction2 configuration and checkpoint, measured as ours are.

Decisions
* A checkpoint becomes a run folder (``runs/<name>/<seed>/<split>[-<fold>]``), weights as
  safetensors; ``python -m benchmarks evaluate <name>`` finds it there. Of the configuration the
  model and the test pipeline are kept, as data: it is Python, and run only when it is imported.
* Test clips go through the configuration's own test pipeline, from what
  :mod:`baselines.skeletons.annotations` exports, one by one.
* Weights are loaded with ``weights_only=True`` and nothing is allowed beyond it. MMEngine's own
  checkpoints hold its message hub, whose classes need ``getattr``, so they are refused: train with
  the hook :class:`PlainCheckpoint`, or save the weights alone.

Cost: the checkpoint's size; a pass of each test clip through the pipeline.
"""

from __future__ import annotations

import copy
import pickle
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import yaml
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.logging import HistoryBuffer
from mmengine.registry import HOOKS, DefaultScope
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from baselines.label_scores import by_label
from baselines.skeletons import annotations, graph, models, table
from baselines.skeletons.table import IMPORTED
from signclip import checkpoint
from signclip.checkpoint import CONFIG, METRICS, WEIGHTS
from signclip.core import files
from signclip.core.config import read_yaml
from signclip.core.errors import ConfigError, RunError
from signclip.core.workspace import RunId
from signclip.corpora import manifest, splits
from signclip.features.store import FeatureStore
from signclip.poses import Features
from signclip.text import label


@HOOKS.register_module()
class PlainCheckpoint(Hook):
    """Checkpoints that ``torch.load(weights_only=True)`` takes: the message hub in plain values.

    In a configuration: ``custom_imports = dict(imports=["baselines.skeletons.imported"])`` and
    ``custom_hooks = [dict(type="PlainCheckpoint")]``.
    """

    def before_save_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        """Change what is about to be saved."""
        if "message_hub" in checkpoint:
            checkpoint["message_hub"] = _plain(checkpoint["message_hub"])


def _plain(value: Any) -> Any:
    if isinstance(value, HistoryBuffer):
        return [[float(x) for x in part] for part in value.data]
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return value if isinstance(value, str | int | float | bool | None) else str(value)


class Imported(NamedTuple):
    """An imported run, opened."""

    title: str
    variant: str
    classes: tuple[str, ...]
    network: nn.Module
    pipeline: list[dict[str, Any]]
    points: str
    hand_reach: float | None
    metrics: dict[str, Any]

    @torch.no_grad()
    def score(self, clips: Sequence[Features], labels: Sequence[str]) -> np.ndarray:
        """The model's scores of labels, float32 (labels, clips).

        A label beyond its classes scores below all others.
        """
        import mmaction.datasets  # noqa: F401  registers its transforms
        from mmengine.dataset import Compose

        skeleton = graph.skeleton(self.points)
        found = []
        drawn = np.random.get_state()  # UniformSampleFrames seeds numpy's generator when testing
        try:
            with DefaultScope.overwrite_default_scope("mmaction"):
                pipeline = Compose(copy.deepcopy(self.pipeline))
                for clip in clips:
                    given = annotations.annotation("clip", clip, skeleton, 0, self.hand_reach)
                    sample = pipeline(given | {"modality": "Pose", "start_index": 0})
                    batch = {key: [value] for key, value in sample.items()}
                    found.append(self.network.test_step(batch)[0].pred_scores.item.cpu().numpy())
        finally:
            np.random.set_state(drawn)
        of_clip = np.stack(found)
        return by_label(of_clip.T, self.classes, [label(name) for name in labels])


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """The state dict of a checkpoint, MMEngine's or a bare one.

    Raises:
        RunError: it cannot be read, or not without running code that it names.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise RunError(
            f"{path}: holds Python objects beside its weights (MMEngine's message hub, most likely)"
            ", and a stranger's objects are code. Train with the hook "
            "baselines.skeletons.imported.PlainCheckpoint, or, if the file is your own, save its weights alone: "
            "torch.save(torch.load(path, weights_only=False)['state_dict'], new)"
        ) from None
    except (OSError, RuntimeError, EOFError) as error:
        raise RunError(f"{path}: cannot be read ({error})") from None
    weights = content.get("state_dict", content) if isinstance(content, dict) else None
    if not weights or not all(isinstance(value, torch.Tensor) for value in weights.values()):
        raise RunError(f"{path}: no weights by name in it")
    return dict(weights)


def import_run(
    config: Path,
    weights: Path,
    name: str,
    *,
    corpus: Path,
    features: Path,
    runs: Path,
    split: str,
    fold: int | None = None,
    seed: int = 0,
    points: str = "signing",
    hand_reach: float | None = None,
) -> Path:
    """Make a run folder of a checkpoint that was trained on an exported fold; returns it.

    Args:
        config: MMAction2's configuration file. It is Python and is run: take no stranger's.
        name: of the model, as ``python -m benchmarks evaluate`` shall know it.
        points, hand_reach: as the annotations were exported.

    Raises:
        ConfigError: the configuration cannot be used, or has another number of classes than the
            fold, or the name is one of ours.
        RunError: the weights cannot be loaded, or do not fit the model.
    """
    if name in table.models():
        raise ConfigError(f"{name!r} is a model of ours; give yours another name")
    try:
        whole = Config.fromfile(str(config)).to_dict()
        model, pipeline = whole["model"], whole["test_pipeline"]
        wanted = model["cls_head"]["num_classes"]
    except Exception as error:  # a configuration is code: it raises what it likes
        raise ConfigError(f"{config}: not a recogniser's configuration ({error!r})") from None
    store = FeatureStore.of(manifest.read(corpus), features / graph.VARIANT)
    chosen = annotations.read_fold(corpus, split, fold, store)
    if wanted not in (chosen.trained, len(chosen.classes)):
        raise ConfigError(
            f"{config}: {wanted} classes, but the fold's training clips have {chosen.trained}"
        )
    values = {
        IMPORTED: {
            "name": name,
            "model": model,
            "test_pipeline": pipeline,
            "points": points,
            "hand_reach": hand_reach,
        },
        "classes": list(chosen.classes[:wanted]),
    }
    state = read_weights(weights)
    network = _network(model, state, weights)
    rows = splits.read(corpus, split)
    rows = rows[rows["fold"] == (fold or 0)]
    metrics = {
        "corpus_fingerprint": store.meta["corpus_fingerprint"],
        "split_fingerprint": splits.fingerprint(rows),
        "fingerprint": files.fingerprint([files.sha256_file(weights), _jsonable(values)]),
        "parameters": sum(p.numel() for p in network.parameters()),
        "seconds": 0.0,  # not known
        "source": {"config": config.name, "checkpoint": weights.name},
    }
    out = runs / RunId(name, "", "", split, fold, seed).path
    with files.writing(out), files.atomic_folder(out) as partial:
        (partial / CONFIG).write_text(
            yaml.safe_dump(_jsonable(values), sort_keys=False, allow_unicode=True), "utf-8"
        )
        save_file({k: v.contiguous() for k, v in network.state_dict().items()}, partial / WEIGHTS)
        shutil.copymode(partial / CONFIG, partial / WEIGHTS)
        digests = {x.name: files.sha256_file(x) for x in partial.iterdir()}
        (partial / METRICS).write_text(
            files.canonical_json({**metrics, "sha256": digests}), "utf-8"
        )
    return out


def _jsonable(value: Any) -> Any:
    """Tuples as lists: what YAML and JSON can hold."""
    if isinstance(value, Mapping):
        return {key: _jsonable(item) for key, item in value.items()}
    return [_jsonable(item) for item in value] if isinstance(value, list | tuple) else value


def _network(model: Mapping[str, Any], state: Mapping[str, Any], source: Path) -> nn.Module:
    network = models.build(model)
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise RunError(f"{source}: does not fit the configuration's model ({error})") from None
    return network.eval()


def load(folder: Path | str) -> Imported:
    """Open an imported run.

    Raises:
        RunError: it is missing or damaged.
    """
    folder = Path(folder)
    metrics = checkpoint.read_metrics(folder)
    try:
        values = read_yaml(folder / CONFIG)
        about, classes = values[IMPORTED], tuple(map(str, values["classes"]))
        network = _network(about["model"], load_file(folder / WEIGHTS), folder / WEIGHTS)
    except (ConfigError, KeyError, TypeError, OSError, SafetensorError) as error:
        raise RunError(f"{folder}: not an imported run ({error})") from None
    return Imported(
        f"{about['name']} (imported)",
        graph.VARIANT,
        classes,
        network,
        about["test_pipeline"],
        about["points"],
        about["hand_reach"],
        metrics,
    )
