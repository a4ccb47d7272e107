"""Training a skeleton model: from a recipe to a run folder, by the engine that trains SignCLIP.

Decisions
* A run is one (model, corpus, split, fold, seed) with all its streams, in
  ``<runs>/<model>/<seed>/<split>[-<fold>]``. :mod:`signclip.training.lifecycle` decides whether an
  earlier run is reused or resumed.
* The classes are the labels of the fold's training clips. A label that only validation or test
  clips have cannot be predicted: it scores below all others, and ``metrics.json`` counts its clips.
* A run is one process, on a GPU if there is one; several processes cannot share it.

Cost: PoseC3D in the ``cpu`` profile takes 31 s a fold of ``letters`` on one core, ST-GCN of 42
points 23 s; reading and preparing clips is a small part of it.
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pandas as pd
import torch
from mmengine.optim import CosineAnnealingLR

from baselines.skeletons import checkpoint, graph, networks, table
from baselines.skeletons.data import Conversion, TrainingClips
from baselines.skeletons.launch import require_single_process
from baselines.skeletons.prediction import Validation
from baselines.skeletons.recipe import NOT_IN_FINGERPRINT, Recipe
from signclip.core import files
from signclip.core.code import fingerprint_code
from signclip.core.errors import StoreError
from signclip.core.workspace import Workspace
from signclip.corpora import splits
from signclip.features.store import FeatureStore
from signclip.text import label
from signclip.training import curves, engine
from signclip.training.engine import Progress
from signclip.training.lifecycle import Inputs, Outcome, loader, read_inputs, run_or_resume
from signclip.training.sampling import ShuffledSampler

# Part of a run's fingerprint: the code that decides its weights, and the versions of libraries.
_CODE = (
    "signclip.text",
    "signclip.poses",
    "signclip.features",
    "signclip.training",
    "baselines.skeletons",
    "baselines.label_scores",
)
_LIBRARIES = ("mmaction2", "mmcv-lite", "mmengine", "numpy", "torch")


def fingerprint(recipe: Recipe, store: FeatureStore, rows: pd.DataFrame) -> str:
    """A digest that changes with anything that decides the run's weights.

    Args:
        rows: the fold of the split.
    """
    about = table.row(recipe.model).items()
    return files.fingerprint(
        {
            "recipe": recipe.model_dump(mode="json", exclude=NOT_IN_FINGERPRINT),
            "row": {key: value for key, value in about if key not in table.NOT_IN_FINGERPRINT},
            "corpus": store.meta["corpus_fingerprint"],
            "features": store.meta["sha256"],
            "roles": splits.fingerprint(rows),
            "code": fingerprint_code(_CODE),
            "versions": {name: version(name) for name in _LIBRARIES},
        }
    )


def train(
    recipe: Recipe, workspace: Workspace, *, progress: Progress = lambda epochs: None
) -> Path:
    """Train one run and return its folder; an interrupted one is resumed.

    Args:
        recipe: ``fold`` None stands for the only fold, 0.
        workspace: has the built corpus (``signclip corpora build``) and its feature store
            (``signclip pack --variant reduced_face_mirrored``); receives the run.
        progress: see :data:`signclip.training.engine.Progress`.

    Raises:
        ConfigError: started by ``torchrun``.
        SignCLIPError: the inputs are missing or do not fit, or the loss is not finite. An earlier
            finished run stays, and so does the last state of this one.
    """
    require_single_process()
    run = recipe.run_id
    inputs = read_inputs(run, graph.VARIANT, workspace)
    digest = fingerprint(recipe, inputs.store, inputs.rows)
    return run_or_resume(
        run,
        inputs,
        digest,
        workspace,
        read=checkpoint.read_recipe,
        train=lambda work: _train(recipe, inputs, work, digest, progress),
        progress=progress,
        epochs=recipe.epochs,
    )


def _train(recipe: Recipe, inputs: Inputs, work: Path, digest: str, progress: Progress) -> Outcome:
    torch.set_num_threads(recipe.threads)
    torch.manual_seed(recipe.seed)
    store = inputs.store
    text_of = inputs.clips.set_index("id")["text"].map(label)
    roles = {role: inputs.stored(role) for role in ("train", "validation", "test")}
    if not roles["train"]:
        raise StoreError(
            f"{store.folder}: no training clip of split {recipe.split!r}, fold {recipe.fold or 0}"
        )
    classes = sorted({text_of[i] for i in roles["train"]})
    target = {name: i for i, name in enumerate(classes)}
    network = networks.from_recipe(recipe, len(classes))
    data = TrainingClips(
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
    learning = curves.Curves(network, validation, every=recipe.validate_every, best=None, work=work)
    optimiser = _optimiser(recipe, network)
    trained = engine.fit(
        network,
        batches,
        optimiser,
        CosineAnnealingLR(optimiser, T_max=recipe.epochs * len(batches), by_epoch=False),
        engine.Plan(
            epochs=recipe.epochs,
            seed=recipe.seed,
            work=work,
            fingerprint=digest,
            save_every=recipe.save_every,
            clip_norm=recipe.clip_norm,
        ),
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
        network,
        learning,
        trained,
        facts,
        lambda folder, metrics: checkpoint.save(folder, network, recipe, classes, metrics),
    )


def _optimiser(recipe: Recipe, network: torch.nn.Module) -> torch.optim.Optimizer:
    common = dict(lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    if recipe.optimiser == "adamw":
        return torch.optim.AdamW(network.parameters(), fused=True, **common)
    return torch.optim.SGD(
        network.parameters(), momentum=recipe.momentum, nesterov=recipe.nesterov, **common
    )
