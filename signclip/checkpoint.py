"""Model folders: what a finished training, or an imported checkpoint, leaves; read strictly.

``model.safetensors`` (weights), ``config.yaml``, ``tokenizer.json`` (a released model may lack it),
``metrics.json`` (counts, times, fingerprint, hashes); runs also have ``curves.csv``, ``losses.csv``
and ``curves.png``, models saved for others a ``README.md``.

Decisions
* One form for all: ``config.yaml`` holds ``model`` (the sizes) and either ``run`` (how it was
  trained here, the variant and the prompt among it) or, for a model from elsewhere, ``variant`` and
  ``prompt`` alone.
* Weights are safetensors, never a pickle, and finite; the hashes in ``metrics.json`` let
  ``signclip verify`` find a changed byte.
* Whatever is wrong with a folder is one RunError that names the file.

Cost: the weights' size, read once more to see that they are finite.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from signclip.core import files
from signclip.core.config import read_yaml
from signclip.core.errors import ConfigError, RunError
from signclip.experiments.config import RunConfig
from signclip.experiments.run_folder import CONFIG, METRICS, WEIGHTS, read_config, read_metrics
from signclip.experiments.run_folder import verify as verify
from signclip.model.config import ModelConfig
from signclip.model.released import from_reference as from_reference
from signclip.model.released import not_finite, some
from signclip.model.towers import SignCLIP
from signclip.text import TOKENIZER_FILE, Tokenizer

CARD = "README.md"


class Run(NamedTuple):
    """A finished run or an imported model, opened."""

    config: RunConfig | None  # how it was trained; None: elsewhere
    model: SignCLIP
    tokenizer: Tokenizer | None
    metrics: dict[str, Any]
    variant: str | None  # of the features, signclip.poses.VARIANTS; None: not known
    prompt: str  # template of its texts


def save(
    folder: Path,
    model: SignCLIP,
    tokenizer: Tokenizer | None,
    config: RunConfig | None,
    metrics: dict[str, Any],
    *,
    variant: str | None = None,
    prompt: str = "",
) -> None:
    """Write a model's files into an existing (temporary) folder, where its curves already are.

    ``metrics`` is written last and gains the hashes of all the others.

    Args:
        config: of the run, where it was trained here; it decides ``variant`` and ``prompt`` then.
    """
    save_file(model.state_dict(), folder / WEIGHTS)
    if config is None:
        values: dict[str, Any] = {"variant": variant, "prompt": prompt}
    else:
        values = {"run": config.model_dump(mode="json")}
    values["model"] = model.config.model_dump()
    (folder / CONFIG).write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    # safetensors lets nobody else read what it writes, whatever the umask
    shutil.copymode(folder / CONFIG, folder / WEIGHTS)
    if tokenizer is not None:
        tokenizer.save(folder)
    there = [path for path in folder.iterdir() if path.is_file()]
    digests = {path.name: files.sha256_file(path) for path in there}
    (folder / METRICS).write_text(files.canonical_json({**metrics, "sha256": digests}), "utf-8")


def load(folder: Path | str) -> Run:
    """Open a model folder; the model is in evaluation mode.

    Raises:
        RunError: it is missing or damaged, or its weights do not fit its configuration.
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
                raise ConfigError("variant and prompt are no text")
        model = SignCLIP(ModelConfig(**values["model"]))
        weights = load_file(folder / WEIGHTS)
        model.load_state_dict(weights)
    except (ConfigError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise RunError(f"{folder / CONFIG}: not a model's configuration ({error})") from None
    except (OSError, SafetensorError, RuntimeError) as error:
        raise RunError(f"{folder / WEIGHTS}: cannot be loaded ({error})") from None
    bad = not_finite(weights)
    if bad:
        raise RunError(f"{folder / WEIGHTS}: weights that are no finite numbers: {some(bad)}")
    # a run's tokenizer is part of it; to a released model a user may add one
    given = TOKENIZER_FILE in metrics.get("sha256", {}) or (folder / TOKENIZER_FILE).is_file()
    tokenizer = Tokenizer.load(folder) if given else None
    return Run(config, model.eval(), tokenizer, metrics, variant, prompt)


def card(run: Run, name: str) -> str:
    """A short model card in Markdown: what it is, how to use it, where it comes from.

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
        prompts += ", the sign language embedded apart from the rest"
    source = run.metrics.get("source")
    if run.config is not None:
        config = run.config
        origin = (
            f"Trained as experiment {config.experiment} ({config.title}), profile "
            f"{config.profile}, seed {config.seed}, on fold {config.fold} of split "
            f"{config.split} of {config.corpus}."
        )
    elif source is not None:
        origin = (
            f"Imported from `{source['file']}` (sha256 `{source['sha256']}`), a checkpoint in the "
            "layout of the authors of SignCLIP (Jiang et al., EMNLP 2024, "
            "https://github.com/J22Melody/fairseq). The weights are theirs and come without a "
            "licence that we know of: ask them before you pass this folder on."
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
