"""Import of a user's MMAction2 configuration and checkpoint, to be evaluated like our models.

Decisions
* A checkpoint becomes a run folder (``runs/local/<name>/<seed>/<split>[-<fold>]``) with weights as
  safetensors, where ``signbench evaluate <name>`` finds it. The configuration is Python
  code and is executed once, at the import; its model and test pipeline are stored as data.
* Test clips pass through the configuration's own test pipeline one by one, from the annotations
  that :mod:`baselines.skeletons.annotations` exports.
* Weights are loaded with ``weights_only=True`` and no additional allowed classes. MMEngine's own
  checkpoints contain its message hub, whose classes need ``getattr``, and are refused: train with
  the hook :class:`PlainCheckpoint`, or save the weights alone.

Cost: the checkpoint's size; each test clip passes through the pipeline once.
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
from baselines.skeletons import annotations, graph, networks, table
from baselines.skeletons.table import IMPORTED
from signclip.core import files
from signclip.core.config import read_yaml
from signclip.core.errors import ConfigError, RunError
from signclip.core.workspace import RunId, Workspace
from signclip.corpora import manifest, splits
from signclip.experiments.run_folder import CONFIG, METRICS, WEIGHTS, read_metrics
from signclip.features.store import FeatureStore
from signclip.poses import Features
from signclip.text import label


@HOOKS.register_module()
class PlainCheckpoint(Hook):
    """Makes checkpoints readable by ``torch.load(weights_only=True)``: only plain values.

    In a configuration: ``custom_imports = dict(imports=["baselines.skeletons.imported"])`` and
    ``custom_hooks = [dict(type="PlainCheckpoint")]``.
    """

    def before_save_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        """Replace the message hub of the checkpoint that is about to be saved."""
        if "message_hub" in checkpoint:
            checkpoint["message_hub"] = _plain(checkpoint["message_hub"])


def _plain(value: Any) -> Any:
    """Numbers, text, lists and mappings in place of MMEngine's objects."""
    if isinstance(value, HistoryBuffer):
        return [[float(x) for x in part] for part in value.data]
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, np.generic):  # np.float64 is a float, but pickled as an object
        return value.item()
    return value if isinstance(value, str | int | float | bool | None) else str(value)


class ImportedModel(NamedTuple):
    """An imported run, loaded for evaluation."""

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

        A label that is not a class scores below all others.
        """
        import mmaction.datasets  # noqa: F401  registers its transforms
        from mmengine.dataset import Compose

        skeleton = graph.skeleton(self.points)
        scores = []
        random_state = np.random.get_state()  # UniformSampleFrames reseeds numpy in evaluation
        try:
            with DefaultScope.overwrite_default_scope("mmaction"):
                pipeline = Compose(copy.deepcopy(self.pipeline))
                for clip in clips:
                    given = annotations.annotation("clip", clip, skeleton, 0, self.hand_reach)
                    sample = pipeline(given | {"modality": "Pose", "start_index": 0})
                    batch = {key: [value] for key, value in sample.items()}
                    scores.append(self.network.test_step(batch)[0].pred_scores.item.cpu().numpy())
        finally:
            np.random.set_state(random_state)
        by_clip = np.stack(scores)  # (clips, classes)
        return by_label(by_clip.T, self.classes, [label(name) for name in labels])


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """The state dict of a checkpoint, in MMEngine's format or on its own.

    Raises:
        RunError: it cannot be read, or not without executing code that it names.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise RunError(
            f"{path}: holds Python objects beside its weights (most likely MMEngine's message hub)"
            ", and loading a stranger's objects executes code. Train with the hook "
            "baselines.skeletons.imported.PlainCheckpoint, or, if you made the file yourself, save "
            "its weights alone: torch.save(torch.load(path, weights_only=False)['state_dict'], new)"
        ) from None
    except (OSError, RuntimeError, EOFError) as error:
        raise RunError(f"{path}: cannot be read ({error})") from None
    weights = content.get("state_dict", content) if isinstance(content, dict) else None
    if not weights or not all(isinstance(value, torch.Tensor) for value in weights.values()):
        raise RunError(f"{path}: holds no weights by name")
    return dict(weights)


def _read_settings(config: Path) -> tuple[dict[str, Any], list[dict[str, Any]], int]:
    """Execute a configuration: its model, its test pipeline and its number of classes.

    Raises:
        ConfigError: it is not the configuration of a recogniser.
    """
    try:
        values = Config.fromfile(str(config)).to_dict()
        return (
            values["model"],
            values["test_pipeline"],
            values["model"]["cls_head"]["num_classes"],
        )
    except Exception as error:  # a configuration is code and may raise anything
        raise ConfigError(f"{config}: not a recogniser's configuration ({error!r})") from None


def import_run(
    config: Path,
    weights: Path,
    run: RunId,
    workspace: Workspace,
    *,
    points: str = "signing",
    hand_reach: float | None = None,
) -> Path:
    """Make a run folder of a checkpoint that was trained on an exported fold; return the folder.

    Args:
        config: MMAction2's configuration file. It is Python code and is executed: use only files
            that you trust.
        run: ``experiment`` is the name of the model, ``profile`` is not used.
        workspace: has the built corpus and its feature store; receives the run.
        points, hand_reach: as the annotations were exported.

    Raises:
        ConfigError: the configuration cannot be used, or its number of classes is not the fold's,
            or the name is that of one of our models.
        RunError: the weights cannot be loaded, or do not fit the model.
    """
    name = run.experiment
    if name in table.models():
        raise ConfigError(f"{name!r} is a model of baselines/models.yaml; choose another name")
    model, pipeline, classes = _read_settings(config)
    corpus = workspace.corpus(run.corpus)
    store = FeatureStore.of(manifest.read(corpus), workspace.store(run.corpus, graph.VARIANT))
    fold = annotations.read_fold(corpus, run.split, run.fold, store)
    if classes not in (fold.trained, len(fold.classes)):
        raise ConfigError(
            f"{config}: {classes} classes, but the fold's training clips have {fold.trained}"
        )
    settings = {
        IMPORTED: {
            "name": name,
            "model": model,
            "test_pipeline": pipeline,
            "points": points,
            "hand_reach": hand_reach,
        },
        "classes": list(fold.classes[:classes]),
    }
    network = _network(model, read_weights(weights), weights)
    rows = splits.read(corpus, run.split)
    rows = rows[rows["fold"] == (run.fold or 0)]
    metrics = {
        "corpus_fingerprint": store.meta["corpus_fingerprint"],
        "split_fingerprint": splits.fingerprint(rows),
        "fingerprint": files.fingerprint([files.sha256_file(weights), _as_lists(settings)]),
        "parameters": sum(p.numel() for p in network.parameters()),
        "seconds": 0.0,  # unknown
        "source": {"config": config.name, "checkpoint": weights.name},
    }
    out = workspace.runs / run.path
    with files.writing(out), files.atomic_folder(out) as partial:
        _write(partial, network, settings, metrics)
    return out


def _write(
    folder: Path, network: nn.Module, settings: Mapping[str, Any], metrics: Mapping[str, Any]
) -> None:
    (folder / CONFIG).write_text(
        yaml.safe_dump(_as_lists(settings), sort_keys=False, allow_unicode=True), "utf-8"
    )
    save_file({k: v.contiguous() for k, v in network.state_dict().items()}, folder / WEIGHTS)
    shutil.copymode(folder / CONFIG, folder / WEIGHTS)  # safetensors ignores the umask
    digests = {x.name: files.sha256_file(x) for x in folder.iterdir()}
    (folder / METRICS).write_text(files.sealed_json({**metrics, "sha256": digests}), "utf-8")


def _as_lists(value: Any) -> Any:
    """Lists in place of tuples, which YAML and JSON cannot hold."""
    if isinstance(value, Mapping):
        return {key: _as_lists(item) for key, item in value.items()}
    return [_as_lists(item) for item in value] if isinstance(value, list | tuple) else value


def _network(model: Mapping[str, Any], state: Mapping[str, Any], source: Path) -> nn.Module:
    network = networks.build(model)
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise RunError(f"{source}: does not fit the configuration's model ({error})") from None
    return network.eval()


def load(folder: Path | str) -> ImportedModel:
    """Load an imported run.

    Raises:
        RunError: it is missing or damaged.
    """
    folder = Path(folder)
    metrics = read_metrics(folder)
    try:
        values = read_yaml(folder / CONFIG)
        about, classes = values[IMPORTED], tuple(map(str, values["classes"]))
        network = _network(about["model"], load_file(folder / WEIGHTS), folder / WEIGHTS)
        return ImportedModel(
            f"{about['name']} (imported)",
            graph.VARIANT,
            classes,
            network,
            about["test_pipeline"],
            about["points"],
            about["hand_reach"],
            metrics,
        )
    except (ConfigError, KeyError, TypeError, OSError, SafetensorError) as error:
        raise RunError(f"{folder}: not an imported run ({error})") from None
