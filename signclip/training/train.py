"""Training a run: from a configuration to a model folder.

Decisions
* One run is one (experiment, corpus, split, fold, seed); how it is kept, or gone on with where it
  was killed: :mod:`signclip.training.lifecycle`.
* Folds are independent and small, so several train side by side in worker processes, each on
  ``threads`` CPU threads: two single-threaded runs on two cores finish sooner than two runs after
  each other on both, and give the same bits however many run at once. Under ``torchrun`` runs
  follow each other, each by all processes (on several machines, in a folder that all can see).
* Validation is exact: cross-entropy and R@1 of each validation clip against all prompts of training
  and validation (or of validation alone, see ``validation_gallery``), independent of batch
  composition (unlike the reference's validation loss).

Cost: the ``cpu`` profile takes 40 to 50 s a FingerCLIP fold on one core.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

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
from signclip.model.towers import SignCLIP
from signclip.text import Tokenizer, label, prompt, split_prompt
from signclip.training import curves, engine
from signclip.training.contrastive import ContrastiveModel, Gallery, Texts, Validation
from signclip.training.data import ClipDataset, Collate, Example
from signclip.training.engine import Progress
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
    """Changes when anything that decides the run's weights does."""
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


def templates_asked(config: RunConfig) -> tuple[str, ...]:
    """Of what a clip is asked: its prompt and, where it is trained by one, a text of its label."""
    of_label = split_prompt(config.prompt)[1:] if config.split_prompt else (config.label_prompt,)
    return config.prompt, *(template for template in of_label if template is not None)


def templates_trained(config: RunConfig) -> tuple[str, ...]:
    """Of what a clip is trained with: the parts of its prompt, or what it is asked."""
    return split_prompt(config.prompt) if config.split_prompt else templates_asked(config)


def _filled(templates: Sequence[str], clips: pd.DataFrame) -> list[tuple[str, ...]]:
    """The texts of each clip."""
    names = ["text", "sign_language", "spoken_language"]
    rows = clips[names].to_dict("records")
    return [tuple(prompt(template, **row) for template in templates) for row in rows]


def examples_of(config: RunConfig, clips: pd.DataFrame) -> list[Example]:
    """What manifest rows are trained as, in the rows' order.

    Of two texts, one that is the same for all clips teaches nothing and is left out.
    """
    texts = _filled(templates_trained(config), clips)
    sides = [place for place, side in enumerate(zip(*texts, strict=True)) if len(set(side)) > 1]
    return [
        Example(
            row["id"],
            label(row["text"]),
            tuple(own[place] for place in sides or [0]),
            row["sign_language"],
        )
        for row, own in zip(clips.to_dict("records"), texts, strict=True)
    ]


def _start(
    config: RunConfig, frame_dims: int, prompts: Sequence[str]
) -> tuple[SignCLIP, Tokenizer]:
    """The model before its first update, and its vocabulary.

    It is fresh, with a vocabulary of its own prompts; or its two towers start from a text BERT, as
    in the paper (facts 2); or it goes on from another model.
    """
    if config.init_run is not None:
        before = inference.load(config.init_run)
        if before.model.config.frame_dims != frame_dims:
            raise ConfigError(
                f"{config.init_run}: takes {before.model.config.frame_dims} numbers a frame, the "
                f"features have {frame_dims}"
            )
        return before.model, before.vocabulary()
    tokenizer = (
        Tokenizer.train(prompts, cased=config.cased)
        if config.init is None
        else Tokenizer.from_pretrained(config.init)
    )
    sizes = config.towers.model_dump()
    common = dict(frame_dims=frame_dims, vocab_size=tokenizer.vocab_size)
    switches = {name: getattr(config, name) for name in SWITCHES}
    if config.init is None:
        return SignCLIP(ModelConfig(**common, **sizes, **switches)), tokenizer
    own = dict(
        pose_vocab_size=tokenizer.vocab_size,
        pose_cls_id=tokenizer.cls_id,
        pose_sep_id=tokenizer.sep_id,
    )
    model = SignCLIP(ModelConfig(**common, **sizes, **own, **switches))
    for tower, layers in (
        (model.video_encoder.bert, config.towers.pose_layers),
        (model.text_encoder, config.towers.text_layers),
    ):
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
    """Batches of the training clips, augmented, as the configuration has them."""
    drawn = dict(batch_size=config.batch_size, reshuffle=config.reshuffle, seed=config.seed)
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
    """What validation clips are asked: prompts and, where they are trained by them, labels."""
    others = training if config.validation_gallery == "all" else training[:0]
    templates = templates_asked(config)
    asked, beside = (_filled(templates, clips) for clips in (validated, others))
    return {
        name: Gallery([texts[place] for texts in asked], [texts[place] for texts in beside])
        for place, name in enumerate(("validation", "validation_label")[: len(templates)])
    }


def _decayed(model: nn.Module, weight_decay: float) -> list[dict]:
    """Groups of parameters: matrices decay, biases, norms and temperatures do not."""
    weights = list(model.parameters())
    if not weight_decay:
        return [{"params": weights, "weight_decay": 0.0}]
    groups = {True: [], False: []}
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
    examples = examples_of(config, training)
    sides = list(zip(*(example.texts for example in examples), strict=True))
    words = itertools.chain(*zip(*_filled(templates_trained(config), training), strict=True))
    model, tokenizer = _start(config, store.dims, list(words))
    if config.body_dims and config.init_run is None:
        model.video_encoder.body.standardise(
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
    galleries = []
    if config.loss == "gallery":
        galleries = [Texts(texts, collate, config.gallery_texts) for texts in sides]
    trained_model = ContrastiveModel(
        model, config.compute, config.loss, galleries, config.label_smoothing
    )
    optimiser = FairseqAdam(
        _decayed(trained_model, config.weight_decay),
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
        epochs=config.epochs,
        seed=config.seed,
        work=work,
        fingerprint=fingerprint,
        save_every=config.save_every,
        names=lambda batch: batch["clips"],
        clip_norm=config.clip_norm,
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
