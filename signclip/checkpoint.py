"""Run folders: what a finished training leaves, read strictly.

``model.safetensors`` (weights), ``config.yaml`` (the run's configuration and the model's sizes),
``tokenizer.json``, ``metrics.json`` (curves, counts, times, fingerprint, hashes), ``curves.csv``.
Decision: weights are safetensors, never a pickle; the hashes in ``metrics.json`` let
``signclip verify`` find a changed byte. Cost: the weights' size.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from signclip import files
from signclip.config import RunConfig, read_yaml
from signclip.errors import ConfigError, RunError
from signclip.model import ModelConfig, SignCLIP
from signclip.text import TOKENIZER_FILE, Tokenizer

WEIGHTS, CONFIG, METRICS, CURVES = "model.safetensors", "config.yaml", "metrics.json", "curves.csv"


class Run(NamedTuple):
    """A finished run, opened."""

    config: RunConfig
    model: SignCLIP
    tokenizer: Tokenizer
    metrics: dict[str, Any]


def save(
    folder: Path, model: SignCLIP, tokenizer: Tokenizer, config: RunConfig, metrics: dict[str, Any]
) -> None:
    """Write a run's files into an existing (temporary) folder, where its curves already are.

    ``metrics`` is written last and gains the hashes of all the others.
    """
    save_file(model.state_dict(), folder / WEIGHTS)
    values = {"run": config.model_dump(mode="json"), "model": model.config.to_dict()}
    (folder / CONFIG).write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    tokenizer.save(folder)
    names = (WEIGHTS, CONFIG, TOKENIZER_FILE, CURVES)
    digests = {name: files.sha256_file(folder / name) for name in names}
    (folder / METRICS).write_text(files.canonical_json({**metrics, "sha256": digests}), "utf-8")


def read_metrics(folder: Path | str) -> dict[str, Any]:
    """``metrics.json`` of a run.

    Raises:
        RunError: there is no finished run in the folder.
    """
    path = Path(folder) / METRICS
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise RunError(f"{folder}: no finished run here; make it with `signclip train`") from None
    except ValueError as error:  # not JSON, or not even UTF-8
        raise RunError(f"{path}: damaged ({error})") from None


def read_config(folder: Path | str) -> RunConfig:
    """The configuration that a run was trained with.

    Raises:
        RunError: it is missing or is no run's.
    """
    path = Path(folder) / CONFIG
    try:
        return RunConfig(**read_yaml(path)["run"])
    except (ConfigError, KeyError, ValidationError) as error:
        raise RunError(f"{path}: not a run's configuration ({error})") from None


def load(folder: Path | str) -> Run:
    """Open a run; the model is in evaluation mode.

    Raises:
        RunError: it is missing or damaged, or its weights do not fit its configuration.
    """
    folder = Path(folder)
    metrics = read_metrics(folder)
    config = read_config(folder)
    try:
        model = SignCLIP(ModelConfig.from_dict(read_yaml(folder / CONFIG)["model"]))
        model.load_state_dict(load_file(folder / WEIGHTS))
    except (ConfigError, KeyError) as error:
        raise RunError(f"{folder / CONFIG}: not a run's configuration ({error})") from None
    except (OSError, SafetensorError, RuntimeError) as error:
        raise RunError(f"{folder / WEIGHTS}: cannot be loaded ({error})") from None
    return Run(config, model.eval(), Tokenizer.load(folder), metrics)


def verify(folder: Path | str) -> None:
    """Hash a run's files again.

    Raises:
        RunError: naming the first file that is missing or changed.
    """
    changed = files.first_changed(Path(folder), read_metrics(folder)["sha256"])
    if changed is not None:
        raise RunError(f"{changed}: content differs from its recorded sha256")
