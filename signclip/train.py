"""Training a run with MMEngine's Runner.

Decisions
* One run is one (experiment, corpus, split, fold, seed). It is written under a temporary name and
  renamed when finished, so a run folder is whole or absent; a finished run whose fingerprint
  (configuration, data, training code, torch) is unchanged is not trained again.
* Folds are independent and small, so several train side by side in worker processes, each on
  ``threads`` CPU threads: two single-threaded runs on two cores finish sooner than two runs after
  each other on both, and give the same bits however many run at once.
* Validation is exact: cross-entropy and R@1 of each validation clip against all prompts of training
  and validation, independent of batch composition (unlike the reference's validation loss).

Cost: the ``cpu`` profile takes 40 to 50 s a FingerCLIP fold on one core.
"""

from __future__ import annotations

import copy
import multiprocessing
import os
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, wait
from importlib.metadata import version
from multiprocessing import connection
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader
from transformers import BertModel

from signclip import checkpoint, files, losses, manifest, splits
from signclip.config import RunConfig
from signclip.data import ClipDataset, Collate, Example, RoundsSampler, pad_frames
from signclip.errors import ConfigError, RunError, StoreError
from signclip.model import ModelConfig, SignCLIP
from signclip.optim import FairseqAdam, PolynomialDecay
from signclip.progress import bar
from signclip.store import FeatureStore
from signclip.text import Tokenizer, label, prompt

# The code that decides a run's weights: its hash is part of a run's fingerprint.
_DECIDING = ("augment", "checkpoint", "data", "losses", "model", "optim", "store", "text", "train")
_PACKAGES = ("mmengine", "numpy", "tokenizers", "torch", "transformers")
Progress = Callable[[int], None]


class ContrastiveModel(BaseModel):
    """MMEngine's view of a model in training: a batch in, its loss out."""

    def __init__(self, model: SignCLIP):
        super().__init__()
        self.signclip = model

    def forward(
        self,
        frames: Tensor,
        frame_mask: Tensor,
        token_ids: Tensor,
        token_mask: Tensor,
        clips: list[str],
        mode: str = "loss",
    ) -> dict[str, Tensor]:
        """The loss of a batch.

        Raises:
            RunError: it is not finite; the clips of the batch are named.
        """
        assert mode == "loss", mode
        pose, text = self.signclip(frames, frame_mask, token_ids, token_mask)
        loss = losses.contrastive(pose, text)
        if not torch.isfinite(loss):
            raise RunError(f"the loss is {loss.item()} on the batch of clips {', '.join(clips)}")
        return {"loss": loss}


class Validate(Hook):
    """Writes one row of the curves every ``every`` epochs and remembers the best weights."""

    def __init__(
        self,
        clips: Sequence[np.ndarray],
        prompts: Sequence[str],
        gallery: Sequence[str],
        tokenizer: Tokenizer,
        config: RunConfig,
        progress: Progress,
    ):
        towers = config.towers
        self.config, self.progress = config, progress
        self.inputs = pad_frames(clips, towers.max_frames) if clips else None
        tokens = tokenizer.encode(gallery, max_tokens=towers.max_tokens)
        self.tokens = tuple(torch.from_numpy(array) for array in tokens)
        self.target = torch.tensor([gallery.index(text) for text in prompts])
        self.rows: list[dict[str, float]] = []
        self.best_loss, self.best_weights = float("inf"), None
        self._losses: list[float] = []
        self._clips, self._start = 0, time.perf_counter()

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        """Collect the batch's loss."""
        self._losses.append(outputs["loss"].item())
        self._clips += len(data_batch["clips"])

    def after_train_epoch(self, runner) -> None:
        """Measure on the validation clips, where it is time to."""
        self.progress(1)
        epoch = runner.epoch + 1
        if epoch % self.config.validate_every and epoch != self.config.epochs:
            return
        seconds = time.perf_counter() - self._start
        row = {
            "epoch": epoch,
            "loss": float(np.mean(self._losses)),
            "learning_rate": runner.optim_wrapper.get_lr()["lr"][0],
            "clips_per_second": self._clips / seconds,
        }
        if self.inputs is not None:
            row |= self._validation(runner.model.signclip)
            if (
                self.config.select == "lowest_validation_loss"
                and row["validation_loss"] < self.best_loss
            ):
                self.best_loss = row["validation_loss"]
                self.best_weights = copy.deepcopy(runner.model.signclip.state_dict())
        self.rows.append(row)
        self._losses, self._clips, self._start = [], 0, time.perf_counter()

    @torch.no_grad()
    def _validation(self, model: SignCLIP) -> dict[str, float]:
        device = next(model.parameters()).device
        model.eval()
        poses = model.pose_embeddings(*(tensor.to(device) for tensor in self.inputs))
        texts = model.text_embeddings(*(tensor.to(device) for tensor in self.tokens))
        model.train()
        logits, target = poses @ texts.T, self.target.to(device)
        hits = (logits.argmax(dim=1) == target).float()
        return {
            "validation_loss": F.cross_entropy(logits, target).item(),
            "validation_V2T_R@1": hits.mean().item(),
        }


def run_fingerprint(config: RunConfig, store: FeatureStore, rows: pd.DataFrame) -> str:
    """Changes when anything that decides the run's weights does."""
    here = Path(__file__).parent
    return files.fingerprint(
        {
            "config": config.model_dump(mode="json"),
            "corpus": store.meta["corpus_fingerprint"],
            "features": store.meta["sha256"],
            "roles": splits.fingerprint(rows),
            "code": {name: files.sha256_file(here / f"{name}.py") for name in _DECIDING},
            "versions": {name: version(name) for name in _PACKAGES},
        }
    )


def examples_of(config: RunConfig, clips: pd.DataFrame) -> list[Example]:
    """Clip, label and prompt of manifest rows, in the rows' order."""
    return [
        Example(
            row["id"],
            label(row["text"]),
            prompt(
                config.prompt,
                text=row["text"],
                sign_language=row["sign_language"],
                spoken_language=row["spoken_language"],
            ),
        )
        for row in clips.to_dict("records")
    ]


def _make_model(config: RunConfig, frame_dims: int, tokenizer: Tokenizer) -> SignCLIP:
    """A fresh model, or one whose two towers start from a text BERT, as in the paper (facts 2)."""
    sizes = config.towers.model_dump()
    common = dict(frame_dims=frame_dims, vocab_size=tokenizer.vocab_size)
    switches = dict(projection=config.projection, normalise=config.normalise)
    if config.init is None:
        return SignCLIP(ModelConfig(**common, **sizes, **switches))
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
    return model


def train(
    config: RunConfig,
    *,
    corpus: Path,
    features: Path,
    runs: Path,
    progress: Progress = lambda epochs: None,
) -> Path:
    """Train one run; returns its folder ``runs/<experiment>/<seed>/<split>[-<fold>]``.

    Args:
        config: ``fold`` None stands for the only fold, 0.
        corpus: folder with manifest and splits (``signclip corpora build``).
        features: folder whose sub-folder ``<variant>`` is the feature store (``signclip pack``).
        progress: called with the number of epochs finished since the last call.

    Raises:
        SignCLIPError: the inputs are missing or do not fit, or the loss is not finite. Nothing of
            the unfinished run stays; an earlier finished one does.
    """
    clips = manifest.read(corpus)
    store = FeatureStore.of(clips, features / config.variant)
    rows = splits.read(corpus, config.split)
    rows = rows[rows["fold"] == (config.fold or 0)]
    if rows.empty:
        raise ConfigError(f"split {config.split!r} has no fold {config.fold}")
    out = runs / config.run_folder
    with files.writing(out):
        fingerprint = run_fingerprint(config, store, rows)
        if _is_finished(out, config, fingerprint):
            progress(config.epochs)
            return out
        with files.atomic_folder(out) as partial:
            _train(config, clips, store, rows, partial, fingerprint, progress)
    return out


def _is_finished(out: Path, config: RunConfig, fingerprint: str) -> bool:
    """Is this very run there and whole? A damaged one is trained again.

    Raises:
        ConfigError: the folder holds a run on another corpus, which would be overwritten.
    """
    try:
        checkpoint.verify(out)
        there = checkpoint.read_config(out)
    except RunError:
        return False
    if there.corpus != config.corpus:
        raise ConfigError(
            f"{out} holds a run on corpus {there.corpus!r}; give another folder with --runs"
        )
    return checkpoint.read_metrics(out)["fingerprint"] == fingerprint


def _train(
    config: RunConfig,
    clips: pd.DataFrame,
    store: FeatureStore,
    rows: pd.DataFrame,
    folder: Path,
    fingerprint: str,
    progress: Progress,
) -> None:
    start = time.perf_counter()
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    kept = clips[clips["id"].isin(store.index["id"])].set_index("id", drop=False)
    by_role = {}
    for role in ("train", "validation"):
        ids = rows["id"][rows["role"] == role]
        by_role[role] = examples_of(config, kept.loc[ids[ids.isin(kept.index)]])
    if not by_role["train"]:
        raise StoreError(f"{store.folder}: holds no training clip of split {config.split!r}")
    tokenizer = (
        Tokenizer.train([e.prompt for e in by_role["train"]], cased=config.cased)
        if config.init is None
        else Tokenizer.from_pretrained(config.init)
    )
    model = _make_model(config, store.dims, tokenizer)

    dataset = ClipDataset(by_role["train"], store, augmentations=config.augment, seed=config.seed)
    sampler = RoundsSampler(
        [example.label for example in dataset.examples],
        batch_size=config.batch_size,
        reshuffle=config.reshuffle,
        seed=config.seed,
    )
    towers = config.towers
    loader = DataLoader(
        dataset,
        batch_sampler=sampler,
        collate_fn=Collate(tokenizer, towers.max_frames, towers.max_tokens),
    )
    validate = Validate(
        [store[example.clip].values for example in by_role["validation"]],
        [example.prompt for example in by_role["validation"]],
        sorted({e.prompt for side in by_role.values() for e in side}),
        tokenizer,
        config,
        progress,
    )
    optimiser = FairseqAdam(model.parameters(), lr=config.learning_rate, betas=(0.9, 0.98))
    total = config.decay_updates or config.epochs * len(loader)
    runner = Runner(
        model=ContrastiveModel(model),
        work_dir=str(folder / "mmengine"),
        train_dataloader=loader,
        train_cfg=dict(by_epoch=True, max_epochs=config.epochs),
        optim_wrapper=OptimWrapper(optimiser, clip_grad=dict(max_norm=config.clip_norm)),
        param_scheduler=PolynomialDecay(optimiser, warmup=config.warmup_updates, total=total),
        default_hooks=dict(checkpoint=None, logger=None, sampler_seed=None),
        custom_hooks=[validate],
        visualizer=dict(type="Visualizer", vis_backends=[]),
        randomness=dict(seed=config.seed),
        # MMEngine would set the start method of the whole process to its own default
        env_cfg=dict(mp_cfg=dict(mp_start_method=multiprocessing.get_start_method())),
        log_level="ERROR",
        experiment_name=f"{config.run_folder}-{time.time_ns()}".replace("/", "-"),
    )
    runner.train()
    shutil.rmtree(folder / "mmengine")

    if validate.best_weights is not None:
        model.load_state_dict(validate.best_weights)
    pd.DataFrame(validate.rows).to_csv(folder / checkpoint.CURVES, index=False)
    metrics = {
        "fingerprint": fingerprint,
        "corpus_fingerprint": store.meta["corpus_fingerprint"],
        "split_fingerprint": splits.fingerprint(rows),
        "clips": {role: len(examples) for role, examples in by_role.items()},
        "clips_not_in_store": int((~rows["id"].isin(store.index["id"])).sum()),
        "parameters": sum(p.numel() for p in model.parameters()),
        "updates": config.epochs * len(loader),
        "seconds": time.perf_counter() - start,
        "last": validate.rows[-1],
    }
    checkpoint.save(folder, model, tokenizer, config, metrics)


_epochs_done: Any = None  # a worker's handle on the parent's counter


def _start_worker(counter: Any) -> None:
    global _epochs_done
    _epochs_done = counter
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A killed parent cannot stop its workers; without this they would train on, unseen."""
    connection.wait([multiprocessing.parent_process().sentinel])
    os._exit(1)


def _count(epochs: int) -> None:
    with _epochs_done.get_lock():
        _epochs_done.value += epochs


def _work(config: RunConfig, corpus: Path, features: Path, runs: Path) -> Path:
    return train(config, corpus=corpus, features=features, runs=runs, progress=_count)


def train_all(
    configs: Sequence[RunConfig], *, corpus: Path, features: Path, runs: Path, jobs: int
) -> list[Path]:
    """Train several runs, ``jobs`` at a time, with one progress bar over all their epochs.

    Raises:
        SignCLIPError: a run failed; those that had finished are kept, those not begun are not.
    """
    total = sum(config.epochs for config in configs)
    # A fork server imports torch once; its forks start in milliseconds and hold no threads.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["signclip.train"])
    counter = context.Value("i", 0)
    names = ", ".join(sorted({config.experiment for config in configs}))
    with (
        ProcessPoolExecutor(jobs, context, _start_worker, (counter,)) as pool,
        bar(total=total, desc=f"{names}: {len(configs)} runs", unit="epoch") as epochs,
    ):
        futures = [pool.submit(_work, config, corpus, features, runs) for config in configs]
        try:
            pending = set(futures)
            while pending:
                done, pending = wait(pending, timeout=0.2)
                epochs.update(counter.value - epochs.n)
                for future in done:
                    future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return [future.result() for future in futures]
