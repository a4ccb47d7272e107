"""Training a run: from a configuration to a model folder.

Decisions
* One run is one (experiment, corpus, split, fold, seed). :mod:`signclip.training.lifecycle` decides
  whether it is reused, resumed or trained.
* Folds are independent and small, so several are trained side by side in worker processes, each on
  ``threads`` CPU threads: two single-threaded runs on two cores finish sooner than two runs one
  after the other on both, and give the same bits however many run at once. Under ``torchrun`` runs
  are trained one after another by all processes (on several machines: in a shared folder).
* Validation is exact: cross-entropy and R@1 of each validation clip against all prompts of training
  and validation (or of validation alone, see ``validation_gallery``). Unlike the validation loss of
  the authors' code, it does not depend on the composition of batches.

Cost: the ``cpu`` profile takes 40 to 50 s a FingerCLIP fold on one core.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import nn
from torch.utils.data import DataLoader
from transformers import BertModel

from signclip import checkpoint, inference
from signclip.core import files
from signclip.core.code import fingerprint_code
from signclip.core.errors import ConfigError, StoreError
from signclip.core.workspace import Workspace
from signclip.corpora import splits
from signclip.experiments.config import NOT_IN_FINGERPRINT, RunConfig
from signclip.features.store import FeatureStore
from signclip.model.config import SWITCHES, ModelConfig
from signclip.model.pose_tower import PoseTower
from signclip.model.towers import SignCLIP
from signclip.text import Tokenizer
from signclip.training import curves, engine
from signclip.training.contrastive import ContrastiveModel, Gallery, TrainingTexts, Validation
from signclip.training.data import ClipDataset, Collate
from signclip.training.engine import Progress
from signclip.training.examples import (
    Example,
    fill,
    make_examples,
    query_templates,
    training_templates,
)
from signclip.training.lifecycle import (
    Inputs,
    Outcome,
    loader,
    read_inputs,
    run_or_resume,
)
from signclip.training.optim import FairseqAdam, PolynomialDecay
from signclip.training.sampling import (
    BatchSampler,
    LanguagesSampler,
    RoundsSampler,
    ShuffledSampler,
)

# Part of a run's fingerprint: the code that decides its weights, and the versions of libraries.
_CODE = (
    "signclip.text",
    "signclip.poses",
    "signclip.features",
    "signclip.model",
    "signclip.training",
)
_PACKAGES = ("mmengine", "numpy", "tokenizers", "torch", "transformers")


def run_fingerprint(config: RunConfig, store: FeatureStore, rows: pd.DataFrame) -> str:
    """A hash of everything that decides the run's weights."""
    return files.fingerprint(
        {
            "config": config.model_dump(mode="json", exclude=NOT_IN_FINGERPRINT),
            "corpus": store.meta["corpus_fingerprint"],
            "features": store.meta["sha256"],
            "roles": splits.fingerprint(rows),
            "code": fingerprint_code(_CODE),
            "versions": {name: version(name) for name in _PACKAGES},
        }
    )


def _initial_model(
    config: RunConfig, frame_dims: int, prompts: Sequence[str]
) -> tuple[SignCLIP, Tokenizer]:
    """The model before its first update, and its tokenizer.

    The model is one that ``init_run`` names; or its two towers start from the text BERT ``init``,
    as in the paper; or its weights are random and its vocabulary is trained on the prompts.

    Raises:
        ConfigError: the towers do not fit the features or the BERT.
    """
    if config.init_run is not None:
        origin = inference.load(config.init_run)
        if origin.model.config.frame_dims != frame_dims:
            raise ConfigError(
                f"{config.init_run}: takes {origin.model.config.frame_dims} numbers a frame, the "
                f"features have {frame_dims}"
            )
        return origin.model, origin.vocabulary()
    tokenizer = (
        Tokenizer.train(prompts, cased=config.cased)
        if config.init is None
        else Tokenizer.from_pretrained(config.init)
    )
    sizes = ModelConfig(
        frame_dims=frame_dims,
        vocab_size=tokenizer.vocab_size,
        **config.towers.model_dump(),
        **{name: getattr(config, name) for name in SWITCHES},
    )
    if config.init is None:
        return SignCLIP(sizes), tokenizer
    sizes = sizes.replace(
        pose_vocab_size=tokenizer.vocab_size,
        pose_cls_id=tokenizer.cls_id,
        pose_sep_id=tokenizer.sep_id,
    )
    model = SignCLIP(sizes)
    towers = [(model.text_encoder, config.towers.text_layers)]
    if isinstance(model.video_encoder, PoseTower):
        towers.append((model.video_encoder.bert, config.towers.pose_layers))
    for tower, layers in towers:
        source = BertModel.from_pretrained(
            config.init, num_hidden_layers=layers, add_pooling_layer=False
        )
        try:
            tower.load_state_dict(source.state_dict())
        except RuntimeError as error:
            raise ConfigError(f"init {config.init!r} does not fit the towers: {error}") from None
    return model, tokenizer


def train(
    config: RunConfig,
    workspace: Workspace,
    *,
    progress: Progress = lambda epochs: None,
) -> Path:
    """Train one run; return its folder, ``workspace.runs / config.run_id.path``.

    An unchanged finished run is reused and an interrupted one is resumed. Processes started by
    ``torchrun`` share every batch.

    Args:
        config: ``fold`` None stands for the only fold, 0.
        workspace: has the built corpus (``signclip corpora build``) and the feature store of the
            variant (``signclip pack``); receives the run.
        progress: see :data:`signclip.training.engine.Progress`.

    Raises:
        SignCLIPError: the inputs are missing or do not fit, or the loss is not finite. An earlier
            finished run stays, and so does the last state of this one.
    """
    run = config.run_id
    inputs = read_inputs(run, config.variant, workspace)
    fingerprint = run_fingerprint(config, inputs.store, inputs.rows)
    return run_or_resume(
        run,
        inputs,
        fingerprint,
        workspace,
        read=checkpoint.read_config,
        train=lambda work: _train(config, inputs, work, fingerprint, progress),
        progress=progress,
        epochs=config.epochs,
    )


def _batches(
    config: RunConfig, examples: Sequence[Example], store: FeatureStore, collate: Collate
) -> DataLoader:
    """Batches of augmented training clips."""
    drawn: dict[str, Any] = dict(
        batch_size=config.batch_size, reshuffle=config.reshuffle, seed=config.seed
    )
    sampler: BatchSampler
    if config.batching == "rounds":
        sampler = RoundsSampler([example.label for example in examples], **drawn)
    elif config.batching == "languages":
        sampler = LanguagesSampler([example.sign_language for example in examples], **drawn)
    else:
        sampler = ShuffledSampler(len(examples), **drawn)
    dataset = ClipDataset(
        examples,
        store,
        augmentations=config.augment,
        max_frames=config.towers.max_frames,
        seed=config.seed,
        packed=config.compute.padding == "none",
    )
    return loader(dataset, sampler, collate, processes=config.compute.loaders)


def _galleries(
    config: RunConfig, training: pd.DataFrame, validated: pd.DataFrame
) -> dict[str, Gallery]:
    """The galleries of the validation clips: prompts, and texts without a language if trained."""
    others = training if config.validation_gallery == "all" else training[:0]
    templates = query_templates(config)
    queries, distractors = (fill(templates, clips) for clips in (validated, others))
    return {
        name: Gallery([texts[i] for texts in queries], [texts[i] for texts in distractors])
        for i, name in enumerate(("validation", "validation_label")[: len(templates)])
    }


def _parameter_groups(model: nn.Module, weight_decay: float) -> list[dict]:
    """Parameter groups: matrices get weight decay; biases, norms and temperatures do not."""
    weights = list(model.parameters())
    if not weight_decay:
        return [{"params": weights, "weight_decay": 0.0}]
    groups: dict[bool, list[nn.Parameter]] = {True: [], False: []}
    for weight in weights:
        groups[weight.ndim > 1].append(weight)
    return [
        {"params": groups[True], "weight_decay": weight_decay},
        {"params": groups[False], "weight_decay": 0.0},
    ]


def _train(
    config: RunConfig, inputs: Inputs, work: Path, fingerprint: str, progress: Progress
) -> Outcome:
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    store = inputs.store
    by_id = inputs.clips.set_index("id", drop=False)
    training, validated = (by_id.loc[inputs.stored(role)] for role in ("train", "validation"))
    if training.empty:
        raise StoreError(f"{store.folder}: holds no training clip of split {config.split!r}")
    examples = make_examples(config, training)
    sides = list(zip(*(example.texts for example in examples), strict=True))
    columns = zip(*fill(training_templates(config), training), strict=True)
    model, tokenizer = _initial_model(config, store.dims, list(itertools.chain(*columns)))
    if config.init_run is None:
        model.video_encoder.standardise(
            store.values(clip)[: config.towers.max_frames] for clip in training["id"]
        )
    towers = config.towers
    collate = Collate(tokenizer, towers.max_frames, towers.max_tokens, config.compute.padding)
    batches = _batches(config, examples, store, collate)
    validation = Validation(
        [store.values(clip) for clip in validated["id"]],
        _galleries(config, training, validated),
        tokenizer,
        config,
    )
    learning = curves.Curves(
        model,
        validation,
        every=config.validate_every,
        best="validation_loss" if config.select == "lowest_validation_loss" else None,
        work=work,
    )
    galleries: list[TrainingTexts] = []
    if config.loss == "gallery":
        galleries = [TrainingTexts(texts, collate, config.gallery_texts) for texts in sides]
    trained_model = ContrastiveModel(
        model,
        config.compute,
        config.loss,
        galleries,
        smoothing=config.label_smoothing,
        text_prior=config.text_prior,
        separate_parts=config.separate_parts,
    )
    optimiser = FairseqAdam(
        _parameter_groups(trained_model, config.weight_decay),
        lr=config.learning_rate,
        betas=(0.9, 0.98),
        decoupled_weight_decay=True,
        fused=True,
    )
    total = config.decay_updates or config.epochs * len(batches)
    trained = engine.fit(
        trained_model,
        batches,
        optimiser,
        PolynomialDecay(optimiser, warmup=config.warmup_updates, total=total),
        engine.Plan(
            epochs=config.epochs,
            seed=config.seed,
            work=work,
            fingerprint=fingerprint,
            save_every=config.save_every,
            clip_norm=config.clip_norm,
        ),
        hooks=[learning],
        progress=progress,
    )
    if learning.best_weights is not None:
        model.load_state_dict(learning.best_weights)
    return Outcome(
        model,
        learning,
        trained,
        {"clips": {"train": len(training), "validation": len(validated)}},
        lambda folder, metrics: checkpoint.save(
            folder,
            checkpoint.Run(config, model, tokenizer, metrics, config.variant, config.prompt),
        ),
    )
