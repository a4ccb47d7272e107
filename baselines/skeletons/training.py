"""Training a skeleton model: from a recipe to a run folder, by the engine that trains SignCLIP.

Decisions
* A run is one (model, corpus, split, fold, seed), all its streams together, in
  ``runs/<model>/<seed>/<split>[-<fold>]/``; how it is kept, or gone on with where it was killed:
  :mod:`signclip.training.lifecycle`.
* The classes are the labels of the fold's training clips. A label that only validation or test
  clips have cannot be answered: it scores below all others, and is counted in ``metrics.json``.
* A run is one process, on a GPU where there is one; it is not shared by several.
* Clips are drawn anew for every epoch: which frames, and the affine change, by (seed, epoch, clip).

Cost: PoseC3D in the ``cpu`` profile takes 31 s a fold of ``letters`` on one core, ST-GCN of 42
points 23 s; reading and preparing clips is a small part of it.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
import yaml
from mmengine.optim import CosineAnnealingLR
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch.utils.data import Dataset

from baselines.label_scores import by_label
from baselines.skeletons import adapter, graph, models, table
from baselines.skeletons.adapter import Track
from baselines.skeletons.launch import must_be_alone
from baselines.skeletons.recipe import UNDECIDING, Recipe
from signclip import checkpoint
from signclip.checkpoint import CONFIG, METRICS, WEIGHTS
from signclip.core import files
from signclip.core.errors import ConfigError, RunError, StoreError
from signclip.corpora import splits
from signclip.experiments.config import read_yaml
from signclip.features.store import FeatureStore
from signclip.poses.landmarks import Features
from signclip.text import label
from signclip.training import augmentation, curves, engine
from signclip.training.engine import Progress
from signclip.training.lifecycle import (
    Inputs,
    Outcome,
    kept_or_trained,
    loader,
    read_inputs,
)
from signclip.training.sampling import ShuffledSampler

VIEWS = 64  # of clips, measured at a time; decides nothing
# The code that decides a run's weights, see signclip.training.train.
_OWN = ("adapter", "graph", "models", "training")
_SHARED = (
    "augment",
    "curves",
    "distributed",
    "engine",
    "points",
    "runs",
    "sampling",
    "store",
    "text",
)
_PACKAGES = ("mmaction2", "mmcv-lite", "mmengine", "numpy", "torch")


class Model(NamedTuple):
    """A trained model, opened."""

    recipe: Recipe
    classes: tuple[str, ...]
    network: models.Streams
    metrics: dict[str, Any]

    @property
    def title(self) -> str:
        """As tables print it."""
        return table.row(self.recipe.model)["title"]

    @property
    def variant(self) -> str:
        """Of the features."""
        return graph.VARIANT

    def score(self, clips: Sequence[Features], labels: Sequence[str]) -> np.ndarray:
        """Probabilities of labels, float32 (labels, clips); one not trained: below all others.

        Each clip is scored from its own frames, whatever others are asked with it.
        """
        found = probabilities(self.recipe, self.network, clips).numpy()
        return by_label(found.T, self.classes, [label(name) for name in labels])


def fingerprint(recipe: Recipe, store: FeatureStore, rows: pd.DataFrame) -> str:
    """Changes when anything that decides the run's weights does."""
    here, shared = Path(__file__).parent, Path(files.__file__).parent
    about = table.row(recipe.model)
    code = {name: files.sha256_code(here / f"{name}.py") for name in _OWN}
    code |= {f"signclip.{name}": files.sha256_code(shared / f"{name}.py") for name in _SHARED}
    return files.fingerprint(
        {
            "recipe": recipe.model_dump(mode="json", exclude=UNDECIDING),
            "row": {key: x for key, x in about.items() if key not in ("title", "source")},
            "corpus": store.meta["corpus_fingerprint"],
            "features": store.meta["sha256"],
            "roles": splits.fingerprint(rows),
            "code": code,
            "versions": {name: version(name) for name in _PACKAGES},
        }
    )


class Conversion:
    """Clips to what a recipe's model takes."""

    def __init__(self, recipe: Recipe):
        self.recipe, self.skeleton = recipe, graph.skeleton(recipe.points)

    def track(self, clip: Features) -> Track:
        """A whole clip."""
        return adapter.track(clip, self.skeleton, self.recipe.hand_reach)

    def drawn(self, clip: Features, rng: np.random.Generator) -> Track:
        """A training clip: ``recipe.frames`` frames, bent a little."""
        whole = self.track(clip)
        at = adapter.drawn_frames(len(whole.seen), self.recipe.frames, rng)
        clip = adapter.taken(whole, at)
        if rng.random() < self.recipe.hands_alone and clip.seen[:, self.skeleton.hands].any():
            clip = adapter.hands_alone(clip, self.skeleton)
        return adapter.bent(clip, rng, self.recipe.affine_std) if self.recipe.affine_std else clip

    def measured(self, clip: Features) -> list[Track]:
        """A clip that is scored: each of its views."""
        whole, views = self.track(clip), self.recipe.views
        count = len(whole.seen)
        return [
            adapter.taken(whole, adapter.even_frames(count, self.recipe.frames, view, views))
            for view in range(views)
        ]

    def tensor(self, clips: Sequence[Track], views: int = 1) -> torch.Tensor:
        """Tracks, the views of a clip one after the other, to the network's input."""
        values = adapter.joints(clips) if self.recipe.map_size is None else self._maps(clips)
        return torch.from_numpy(values).unflatten(0, (-1, views))

    def _maps(self, clips: Sequence[Track]) -> np.ndarray:
        """The maps of each stream, one stream's after the other's: (clips, maps, frames, y, x)."""
        size, streams = self.recipe.map_size, self.recipe.streams
        widths = [models.channels_of(name, self.skeleton) for name in streams]
        ends = np.cumsum(widths)
        # written in place: a batch of the published size is gigabytes
        maps = np.empty((len(clips), ends[-1], self.recipe.frames, size, size), np.float32)
        for clip, of_clip in zip(clips, maps, strict=True):
            for name, end, width in zip(streams, ends, widths, strict=True):
                of_clip[end - width : end] = adapter.maps_of(
                    name, clip, self.skeleton, size, self.recipe.sigma
                )
        return maps


class Clips(Dataset):
    """Training clips by ``(epoch, position)``: id, frames, class."""

    def __init__(
        self,
        ids: Sequence[str],
        targets: Sequence[int],
        store: FeatureStore,
        conversion: Conversion,
        seed: int,
    ):
        self.ids, self.targets, self.store = list(ids), list(targets), store
        self.conversion, self.seed = conversion, seed

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, key: tuple[int, int]) -> tuple[str, Track, int]:
        epoch, position = key
        clip = self.ids[position]
        rng = augmentation.generator(self.seed, epoch, clip)
        return clip, self.conversion.drawn(self.store[clip], rng), self.targets[position]

    def collate(self, items: Sequence[tuple[str, Track, int]]) -> dict[str, Any]:
        """What :class:`baselines.skeletons.models.Streams` takes."""
        ids, tracks, targets = zip(*items, strict=True)
        return {
            "inputs": self.conversion.tensor(tracks),
            "labels": torch.tensor(targets),
            "clips": list(ids),
        }


def network(recipe: Recipe, classes: int) -> models.Streams:
    """The model before its first update."""
    skeleton = graph.skeleton(recipe.points)
    wanted = {
        stream: models.config(
            recipe.model,
            skeleton,
            classes,
            stream=stream,
            backbone=recipe.backbone,
            dropout=recipe.dropout,
        )
        for stream in recipe.streams
    }
    return models.Streams(wanted, skeleton, label_smoothing=recipe.label_smoothing)


@torch.no_grad()
def probabilities(recipe: Recipe, model: models.Streams, clips: Sequence[Features]) -> torch.Tensor:
    """Of each class for each clip, float (clips, classes), by a network in evaluation mode."""
    conversion, parts = Conversion(recipe), []
    device = next(model.parameters()).device
    together = max(1, VIEWS // recipe.views)
    for start in range(0, len(clips), together):
        part = clips[start : start + together]
        views = [view for clip in part for view in conversion.measured(clip)]
        values = conversion.tensor(views, recipe.views).to(device)
        parts.append(model(values, mode="tensor").cpu())
    return torch.cat(parts)


class Validation:
    """Cross-entropy and R@1 of validation clips among the classes and the labels beyond them."""

    def __init__(self, recipe: Recipe, clips: Sequence[Features], targets: Sequence[int]):
        self.recipe, self.clips = recipe, clips
        self.targets = torch.tensor(targets, dtype=torch.int64)  # -1: no class has the label

    def __call__(self, model: models.Streams) -> dict[str, float]:
        """Measure a model in evaluation mode; a label beyond its classes is never found."""
        if not len(self.clips):
            return {}
        found = probabilities(self.recipe, model, self.clips)
        known = self.targets >= 0
        row = {}
        if known.any():
            own = found[known].gather(1, self.targets[known, None]).clamp_min(1e-12)
            row["validation_loss"] = -own.log().mean().item()
        row["validation_V2T_R@1"] = (found.argmax(dim=1) == self.targets).float().mean().item()
        return row


def train(
    recipe: Recipe,
    *,
    corpus: Path,
    features: Path,
    runs: Path,
    progress: Progress = lambda epochs: None,
) -> Path:
    """Train one run; returns its folder. One that was killed is gone on with.

    Args:
        recipe: ``fold`` None stands for the only fold, 0.
        corpus: folder with manifest and splits (``signclip corpora build``).
        features: folder of the feature stores (``signclip pack --variant reduced_face_mirrored``).
        progress: see :data:`signclip.training.engine.Progress`.

    Raises:
        ConfigError: started by ``torchrun``.
        SignCLIPError: the inputs are missing or do not fit, or the loss is not finite. An earlier
            finished run stays, and so does the last state of this one.
    """
    must_be_alone()
    inputs = read_inputs(recipe, graph.VARIANT, corpus=corpus, features=features)
    wanted = fingerprint(recipe, inputs.store, inputs.rows)
    return kept_or_trained(
        recipe,
        inputs,
        wanted,
        runs=runs,
        read=read_recipe,
        train=lambda work: _train(recipe, inputs, work, wanted, progress),
        progress=progress,
    )


def _train(recipe: Recipe, inputs: Inputs, work: Path, wanted: str, progress: Progress) -> Outcome:
    torch.set_num_threads(recipe.threads)
    torch.manual_seed(recipe.seed)
    store = inputs.store
    text_of = inputs.clips.set_index("id")["text"].map(label)
    roles = {role: inputs.stored(role) for role in ("train", "validation", "test")}
    if not roles["train"]:
        raise StoreError(
            f"{store.folder}: holds no training clip of split {recipe.split!r}, fold "
            f"{recipe.fold or 0}"
        )
    classes = sorted({text_of[i] for i in roles["train"]})
    target = {name: i for i, name in enumerate(classes)}
    model = network(recipe, len(classes))
    data = Clips(
        roles["train"],
        [target[text_of[i]] for i in roles["train"]],
        store,
        Conversion(recipe),
        recipe.seed,
    )
    sampler = ShuffledSampler(
        len(data), batch_size=recipe.batch_size, reshuffle=True, seed=recipe.seed
    )
    batches = loader(data, sampler, data.collate, processes=recipe.loaders)
    validation = Validation(
        recipe,
        [store[i] for i in roles["validation"]],
        [target.get(text_of[i], -1) for i in roles["validation"]],
    )
    learning = curves.Curves(model, validation, every=recipe.validate_every, best=None, work=work)
    optimiser = _optimiser(recipe, model)
    trained = engine.fit(
        model,
        batches,
        optimiser,
        CosineAnnealingLR(optimiser, T_max=recipe.epochs * len(batches), by_epoch=False),
        epochs=recipe.epochs,
        seed=recipe.seed,
        work=work,
        fingerprint=wanted,
        save_every=recipe.save_every,
        names=lambda batch: batch["clips"],
        clip_norm=recipe.clip_norm,
        hooks=[learning],
        progress=progress,
    )
    facts = {
        "clips": {role: len(ids) for role, ids in roles.items()},
        "clips_without_class": {
            role: sum(text_of[i] not in target for i in ids)
            for role, ids in roles.items()
            if role != "train"
        },
    }
    return Outcome(
        model,
        learning,
        trained,
        facts,
        lambda folder, metrics: save(folder, model, recipe, classes, metrics),
    )


def _optimiser(recipe: Recipe, model: torch.nn.Module) -> torch.optim.Optimizer:
    common = dict(lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    if recipe.optimiser == "adamw":
        return torch.optim.AdamW(model.parameters(), fused=True, **common)
    return torch.optim.SGD(
        model.parameters(), momentum=recipe.momentum, nesterov=recipe.nesterov, **common
    )


def save(
    folder: Path,
    model: models.Streams,
    recipe: Recipe,
    classes: Sequence[str],
    metrics: dict[str, Any],
) -> None:
    """Write a run's files into an existing (temporary) folder, where its curves already are.

    Weights are one file, a stream's names beginning with ``streams.<stream>.``.
    """
    values = {"skeleton": recipe.model_dump(mode="json"), "classes": list(classes)}
    (folder / CONFIG).write_text(
        yaml.safe_dump(values, sort_keys=False, allow_unicode=True), encoding="utf-8"
    )
    weights = {name: value.contiguous().cpu() for name, value in model.state_dict().items()}
    save_file(weights, folder / WEIGHTS)
    # safetensors lets nobody else read what it writes, whatever the umask
    shutil.copymode(folder / CONFIG, folder / WEIGHTS)
    digests = {x.name: files.sha256_file(x) for x in folder.iterdir() if x.is_file()}
    (folder / METRICS).write_text(files.canonical_json({**metrics, "sha256": digests}), "utf-8")


def _read_config(folder: Path) -> tuple[Recipe, tuple[str, ...]]:
    """A run's recipe and classes.

    Raises:
        RunError: they are missing or are no skeleton run's.
    """
    path = folder / CONFIG
    try:
        values = read_yaml(path)
        return Recipe(**values["skeleton"]), tuple(map(str, values["classes"]))
    except (ConfigError, KeyError, TypeError, UnicodeDecodeError, ValidationError) as error:
        raise RunError(f"{path}: not a skeleton run's configuration ({error})") from None


def read_recipe(folder: Path | str) -> Recipe:
    """The recipe that a run was trained with.

    Raises:
        RunError: it is missing or is no skeleton run's.
    """
    return _read_config(Path(folder))[0]


def load(folder: Path | str) -> Model:
    """Open a run; its network is in evaluation mode, on a GPU where there is one.

    Raises:
        RunError: it is missing or damaged, or its weights do not fit its recipe.
    """
    folder = Path(folder)
    metrics = checkpoint.read_metrics(folder)
    recipe, classes = _read_config(folder)
    model = network(recipe, len(classes))
    try:
        model.load_state_dict(load_file(folder / WEIGHTS))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise RunError(f"{folder / WEIGHTS}: cannot be loaded ({error})") from None
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return Model(recipe, classes, model.eval().to(device), metrics)
