"""Model folders: the output of a training or of an imported checkpoint, read strictly.

A folder has ``model.safetensors`` (weights), ``config.yaml``, ``tokenizer.json`` (a released model
may lack it) and ``metrics.json`` (counts, times, fingerprint, hashes). Runs also have
``curves.csv``, ``losses.csv`` and ``curves.png``; exported models have a ``README.md``.

Decisions
* All models have one format: ``config.yaml`` holds ``model`` (its configuration) and either ``run``
  (how it was trained, with the variant and the prompt) or, for an imported model, ``variant`` and
  ``prompt``.
* Weights are safetensors, never a pickle, and must be finite. The hashes in ``metrics.json`` let
  ``signclip verify`` find a changed byte.
* Anything wrong with a folder is one RunError that names the file.

Cost: reading the weights, and once more to check that they are finite.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
import yaml
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from signclip.core import files
from signclip.core.config import read_yaml
from signclip.core.errors import ConfigError, RunError
from signclip.experiments.config import RunConfig
from signclip.experiments.run_folder import CONFIG, METRICS, WEIGHTS, read_config, read_metrics
from signclip.experiments.run_folder import verify as verify
from signclip.model import released
from signclip.model.config import ModelConfig
from signclip.model.released import from_reference as from_reference
from signclip.model.released import not_finite, some
from signclip.model.towers import SignCLIP
from signclip.text import BERT_VOCABULARIES, TOKENIZER_FILE, Tokenizer

CARD = "README.md"


class Run(NamedTuple):
    """A trained or imported model with its tokenizer and settings."""

    config: RunConfig | None  # how it was trained; None: an imported model
    model: SignCLIP
    tokenizer: Tokenizer | None
    metrics: dict[str, Any]
    variant: str | None  # of the features, signclip.poses.VARIANTS; None: not known
    prompt: str  # template of its texts


def save(folder: Path, run: Run) -> None:
    """Write a model's files into an existing (temporary) folder, which may have its curves already.

    ``metrics.json`` is written last and lists the hashes of all other files.
    """
    save_file(run.model.state_dict(), folder / WEIGHTS)
    if run.config is None:
        values: dict[str, Any] = {"variant": run.variant, "prompt": run.prompt}
    else:
        values = {"run": run.config.model_dump(mode="json")}
    values["model"] = run.model.config.model_dump()
    (folder / CONFIG).write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    # safetensors ignores the umask: nobody else could read the weights
    shutil.copymode(folder / CONFIG, folder / WEIGHTS)
    if run.tokenizer is not None:
        run.tokenizer.save(folder)
    written = [path for path in folder.iterdir() if path.is_file()]
    digests = {path.name: files.sha256_file(path) for path in written}
    metrics = {**run.metrics, "sha256": digests}
    (folder / METRICS).write_text(files.sealed_json(metrics), "utf-8")


def export(folder: Path, run: Run, sections: str = "") -> None:
    """Write a model and its card into a new folder, whose lock the caller holds.

    Args:
        sections: end of the card, in Markdown; see :mod:`signclip.model_card`.
    """
    with files.atomic_folder(folder) as partial:
        save(partial, run)
        (partial / CARD).write_text(card(run, folder.name) + sections, encoding="utf-8")


@contextmanager
def new_folder(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder that does not exist yet or is empty.

    Raises:
        ConfigError: the folder is not empty, or cannot be written.
        BusyError: another process holds the lock.
    """
    if files.as_text(folder) != str(folder):
        raise ConfigError(f"{folder}: not UTF-8, so safetensors cannot read it; give another path")
    with files.writing(folder):
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise ConfigError(f"{folder}: exists already; give a new folder")
        yield


def open_released(path: Path, **settings: Any) -> Run:
    """Open a file released by the authors; variant and prompt are those of its recipe.

    Args:
        settings: see :func:`signclip.checkpoint.from_reference`.

    Raises:
        CheckpointError, ConfigError: see there.
    """
    model = from_reference(path, **settings)
    sizes = model.config
    source = {"file": path.name, "sha256": files.sha256_file(path)}
    variant = released.VARIANTS.get(sizes.frame_dims)
    prompt = released.recipe(sizes.vocab_size, sizes.conv_layers).prompt
    return Run(None, model, None, {"source": source}, variant, prompt)


def load(folder: Path | str) -> Run:
    """Open a model folder, with the model in evaluation mode.

    Raises:
        RunError: the folder is missing or damaged, or its weights do not fit its configuration.
    """
    folder = Path(folder)
    metrics = read_metrics(folder)
    try:
        values = read_yaml(folder / CONFIG)
        if "run" in values:
            config = read_config(folder)
            variant, prompt = config.variant, config.prompt
        else:
            config, variant, prompt = None, values["variant"], values["prompt"]
            if not (isinstance(variant, str | None) and isinstance(prompt, str)):
                raise ConfigError("variant and prompt must be texts")
        sizes = ModelConfig(**values["model"])
        if instead := files.stand_in_at(folder / WEIGHTS):
            raise RunError(f"{folder / WEIGHTS}: {instead}")
        _check_shapes(sizes, folder / WEIGHTS)
        model = SignCLIP(sizes)
        weights = load_file(folder / WEIGHTS)
        model.load_state_dict(weights)
    except (ConfigError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise RunError(f"{folder / CONFIG}: not a model's configuration ({error})") from None
    except (OSError, SafetensorError, RuntimeError) as error:
        raise RunError(f"{folder / WEIGHTS}: cannot be loaded ({error})") from None
    bad = not_finite(weights)
    if bad:
        raise RunError(f"{folder / WEIGHTS}: weights that are not finite numbers: {some(bad)}")
    # a run always has a tokenizer; users may add one to a released model
    given = TOKENIZER_FILE in metrics.get("sha256", {}) or (folder / TOKENIZER_FILE).is_file()
    tokenizer = Tokenizer.load(folder) if given else None
    return Run(config, model.eval(), tokenizer, metrics, variant, prompt)


def _check_shapes(sizes: ModelConfig, path: Path) -> None:
    """That a file's weights are those of a model, before either takes memory.

    Raises:
        ConfigError: naming the weights that are missing, unknown or of another shape.
        OSError, SafetensorError: the file is missing or damaged.
    """
    with torch.device("meta"):
        wanted = {name: list(w.shape) for name, w in SignCLIP(sizes).state_dict().items()}
    with safe_open(path, "pt") as file:
        found = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
    if odd := sorted(
        name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name)
    ):
        raise ConfigError(f"its sizes do not fit {path.name}: {some(odd)}")


def card(run: Run, name: str) -> str:
    """A short model card in Markdown: sizes, use, origin.

    Args:
        name: of the folder, for the example.
    """
    sizes = run.model.config
    text = "in `tokenizer.json`" if run.tokenizer else "not included: `embed_text` needs it"
    score = "cosine" if sizes.normalise else "dot product"
    if sizes.temperature:
        score += " times a learned scale"
    prompts = f"`{run.prompt}`"
    if run.config is not None and run.config.label_prompt is not None:
        prompts += f" and, without a language, `{run.config.label_prompt}`"
    if run.config is not None and run.config.split_prompt:
        prompts += ", the sign language embedded separately from the rest"
    source = run.metrics.get("source")
    if run.config is not None:
        config = run.config
        fold = "" if config.fold is None else f"fold {config.fold} of "
        origin = (
            f"Trained as experiment {config.experiment} ({config.title}), profile "
            f"{config.profile}, seed {config.seed}, on {fold}split "
            f"{config.split} of {config.corpus}."
        )
    elif source is not None:
        origin = (
            f"Imported from `{source['file']}` (sha256 `{source['sha256']}`), a checkpoint in the "
            "layout of the authors of SignCLIP (Jiang et al., EMNLP 2024, "
            "https://github.com/J22Melody/fairseq). The weights are theirs, and we know of no "
            "licence: ask them before you redistribute this folder."
        )
    else:
        origin = "Not recorded."
    return f"""# SignCLIP: {name}

| | |
|---|---|
| parameters | {sum(p.numel() for p in run.model.parameters()):,} |
| pose tower | {sizes.pose_layers} layers of width {sizes.hidden_size} |
| text tower | {sizes.text_layers} layers of width {sizes.hidden_size} |
| features | {run.variant or "variant not known"}, {sizes.frame_dims} numbers a frame |
| longest clip | {sizes.max_frames} frames |
| vocabulary | {sizes.vocab_size:,} word pieces, {text} |
| prompts | {prompts} |
| score | {score} |

```python
import signclip

model = signclip.load("{name}")
model.embed_pose(["clip.pose"])  # float32 (1, {sizes.hidden_size})
```

{origin}
"""


def check_tokenizer(tokenizer: Tokenizer, vocab_size: int) -> None:
    """Refuse a tokenizer that is not the text tower's.

    Raises:
        ConfigError: it has another number of word pieces.
    """
    if tokenizer.vocab_size != vocab_size:
        known = BERT_VOCABULARIES.get(vocab_size)
        name = f" ({known})" if known else ""
        raise ConfigError(
            f"the tokenizer has {tokenizer.vocab_size} word pieces, the model's text tower "
            f"{vocab_size}{name}: not its vocabulary"
        )


def find_tokenizer(vocab_size: int) -> Tokenizer:
    """The tokenizer of a released model, by the size of its text tower's vocabulary.

    Raises:
        ConfigError: the vocabulary is unknown, or in neither the hub's cache nor the hub.
    """
    needed = BERT_VOCABULARIES.get(vocab_size, "its own")
    hint = (
        f"embed_text needs the model's vocabulary ({needed}, {vocab_size} word pieces), which is "
        "not stored with it: load it with tokenizer=... (on the command line --tokenizer), a "
        "folder with tokenizer.json or vocab.txt"
    )
    if vocab_size not in BERT_VOCABULARIES:
        raise ConfigError(hint)
    try:
        tokenizer = Tokenizer.from_pretrained(needed)
    except ConfigError as error:
        raise ConfigError(f"{hint}. Tried: {error}") from None
    check_tokenizer(tokenizer, vocab_size)
    return tokenizer
