"""SignCLIP models as encoders: runs of this split, and models that were trained on other clips.

Decisions
* :class:`SignCLIPRuns`: one run per fold, checked to be the expected one
  (:mod:`benchmarks.evaluation.runs`).
* :class:`TransferredModel`: one model for all folds, without the test clips that it (or a run that
  it was initialised with) was trained on. It is a run that was trained on another corpus or split,
  an imported folder, or one of the authors' files; the last two do not record their training clips.

Cost: a model is loaded when its fold is opened, onto a GPU if there is one.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.evaluation.embedding import EmbeddingFold, Prompts
from benchmarks.evaluation.embeddings import Cache
from benchmarks.evaluation.encoders import Encoder, Training
from benchmarks.evaluation.runs import Kind, Runs, TrainedOn
from signclip.core import files
from signclip.core.config import read_yaml
from signclip.core.errors import ConfigError, RunError
from signclip.core.workspace import RunId, Workspace
from signclip.corpora import manifest, splits
from signclip.experiments import run_folder, table
from signclip.experiments.config import NOT_IN_FINGERPRINT, RunConfig
from signclip.text import TOKENIZER_FILE, label

if TYPE_CHECKING:  # torch
    from signclip.inference import SignCLIPModel

_LEARNED_FROM = ("train", "validation")  # roles of clips


def _expected(run: RunId, workspace: Workspace) -> RunConfig | None:
    if run.experiment not in read_yaml(table.experiments_path(workspace)):
        return None
    return table.resolve(run, workspace)


SIGNCLIP = Kind(
    run_folder.read_config, _expected, NOT_IN_FINGERPRINT, "experiments.yaml or params.yaml"
)


class SignCLIPRuns(Encoder):
    """The SignCLIP runs of one experiment and seed, one per fold.

    Args:
        run: with fold None.
        changes: ``variant`` of the features and ``title``, where they differ from the runs'.
    """

    embeds = True

    def __init__(self, run: RunId, workspace: Workspace, trained_on: TrainedOn, **changes: str):
        super().__init__()
        self._runs = Runs(run, workspace, trained_on, SIGNCLIP)
        self.runs = self._runs.fingerprints
        config = self._runs.first().settings
        self.template = config.prompt
        self.title = changes.get("title", config.title)
        self.variant = changes.get("variant", config.variant)

    def open_fold(self, fold: int, training: Training, cache: Cache | None = None) -> EmbeddingFold:
        """Load a fold's run."""
        run = self._runs.of_fold(fold)
        self.parameters = run.metrics["parameters"]
        self.training_seconds += run.metrics["seconds"]
        model, prompts = _on_device(run.folder), Prompts.of(run.settings)
        return EmbeddingFold(model, prompts, training, source=run.folder, cache=cache)


class TransferredModel(Encoder):
    """One SignCLIP model for all folds, trained on other clips.

    Args:
        source: a run's or an imported folder, or one of the authors' files.
        tokenizer: the vocabulary of one of the authors' files, see :func:`signclip.load`.
        changes: ``variant`` of the features and ``title``, where they differ from the model's.

    Raises:
        SignCLIPError: there is no such model, or it is damaged, or its variant is not known.
    """

    embeds = True
    transferred = True

    def __init__(self, source: Path, *, seeded: bool, tokenizer: str | None = None, **changes: str):
        super().__init__()
        self._source, self.seeded, self._tokenizer = source, seeded, tokenizer
        self._config: RunConfig | None = None
        self._model: SignCLIPModel | None = None
        variant: str | None
        if _is_run(source):
            run_folder.verify(source)
            self._config = config = run_folder.read_config(source)
            metrics = run_folder.read_metrics(source)
            self.training_seconds = metrics["seconds"]
            self.runs = {"/".join(source.parts[-2:]): metrics.get("fingerprint", "")}
            self.parameters, variant, title = metrics["parameters"], config.variant, config.title
            self._prompts = Prompts.of(config)
        else:
            model = self._load()
            self.parameters = sum(one.numel() for one in model.model.parameters())
            variant, title = model.variant, f"{source.stem} (released model)"
            self._prompts = Prompts(model.prompt, model.prompt)
        self.template = self._prompts.full
        self.title = changes.get("title", title)
        chosen = changes.get("variant", variant)
        if chosen is None:
            raise ConfigError(
                f"{source}: its variant is not known; import it with `signclip import-checkpoint "
                f"{source} FOLDER --variant VARIANT`, and evaluate the folder"
            )
        self.variant = chosen

    def open_fold(self, fold: int, training: Training, cache: Cache | None = None) -> EmbeddingFold:
        """The model, whatever the fold."""
        model = self._load()
        return EmbeddingFold(model, self._prompts, training, source=self._source, cache=cache)

    def _load(self) -> SignCLIPModel:
        if self._model is None:
            self._model = _on_device(self._source, self._tokenizer)
        return self._model

    @property
    def vocabulary(self) -> str:
        """Digest of its tokenizer; empty: it has none, and reads no text."""
        tokenizer = self._load().tokenizer
        if tokenizer is None:
            return ""
        with tempfile.TemporaryDirectory() as folder:
            tokenizer.save(folder)
            return files.sha256_file(Path(folder, TOKENIZER_FILE))

    def trained_on(self, corpus: Path, corpus_fingerprint: str) -> set[str]:
        """The clips of a built corpus that the model, or one it was initialised with, learned from.

        These are training and validation clips.

        Raises:
            ConfigError: it was trained on this corpus, by a split that no longer exists.
            RunError: it was trained on an earlier version of this corpus.
        """
        found: set[str] = set()
        run: Path | None = self._source
        while run is not None and (run / run_folder.METRICS).is_file():
            metrics = run_folder.read_metrics(run)
            if "corpus_fingerprint" not in metrics:
                break
            config = run_folder.read_config(run)
            if metrics["corpus_fingerprint"] == corpus_fingerprint:
                rows = splits.read(corpus, config.split)
                in_fold = rows["fold"] == (config.fold or 0)
                found |= set(rows["id"][in_fold & rows["role"].isin(_LEARNED_FROM)])
            elif config.corpus == corpus.name:
                raise RunError(
                    f"{run}: trained on an earlier version of {corpus.name}; it cannot be told "
                    "which of its clips the run was not trained on"
                )
            run = None if config.init_run is None else Path(config.init_run)
        return found

    def pretraining_labels(self, data: Path) -> tuple[str, ...]:
        """One label for each clip of the run's corpus, if it is built here.

        The paper counts concepts over the whole pretraining corpus, held-out clips included.
        """
        if self._config is None or not (data / self._config.corpus).is_dir():
            return ()
        return tuple(manifest.read(data / self._config.corpus)["text"].map(label))


def _is_run(source: Path) -> bool:
    """Whether it is a run that was trained here, or the place where one is expected."""
    if source.is_file() or source.suffix == ".pt":
        return False
    path = source / run_folder.CONFIG
    return not path.is_file() or "run" in read_yaml(path)


def _on_device(source: Path, tokenizer: str | None = None) -> Any:
    """A model, on a GPU if there is one.

    Labels that its vocabulary does not distinguish tie in a gallery.
    """
    import torch

    from signclip import inference

    model = inference.load(source, tokenizer=tokenizer)
    model.distinct_texts = False
    return model.to("cuda" if torch.cuda.is_available() else "cpu")
