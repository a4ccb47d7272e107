"""The table of experiments: rows merged with their bases, and resolved into run configurations.

Decisions
* An experiment is a named difference from a base, in one YAML table; a profile (``cpu``, ``paper``,
  ``smoke``) is numbers in ``params.yaml``. Neither is code, and no code branches on the profile.
* Some keys of a row are not fields of :class:`~signclip.experiments.config.RunConfig`:
  ``base`` (the row that it extends), ``recipe`` (the profile's block of numbers), ``prompts`` (a
  prompt template per split; ``other`` for splits not named: a gallery without languages is queried
  with prompts without them), ``half_depth`` (half the profile's pose layers), ``batch_factor``
  (that many of the profile's batches in one, embedded in chunks, for as many updates), and
  ``weights_of`` (the row trains nothing: it evaluates another row's runs on its own variant).
* A run's configuration is resolved once, checked strictly and stored with the run. A row whose
  augmentation or frame input cannot serve its variant is refused here, before anything is loaded.

Cost: reading two small YAML files, 10 ms.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from signclip.core.config import checked, did_you_mean, read_yaml
from signclip.core.errors import ConfigError
from signclip.core.workspace import RunId, Workspace
from signclip.experiments.config import RunConfig
from signclip.poses import VARIANTS, mirror, point_names

TABLE_KEY = "experiments"  # of params.yaml: path of the table, relative to params.yaml
# Keys of a row that are no fields of RunConfig.
ROW_KEYS = ("base", "recipe", "prompts", "half_depth", "batch_factor", "weights_of")
# Augmentation steps that need positions, and those that need the points of the selection `signing`.
OF_POSITIONS, OF_HANDS = ("flip", "affine2d"), ("affine3d", "bones", "jitter")
HANDS, HAND_INPUT = "signing", "frame_input hands"


def experiments_path(workspace: Workspace) -> Path:
    """The workspace's table of experiments: its own, or the one that ``params.yaml`` names.

    Raises:
        ConfigError: ``params.yaml`` names none, or cannot be read.
    """
    if workspace.experiments is not None:
        return workspace.experiments
    named = read_yaml(workspace.params).get(TABLE_KEY)
    if not isinstance(named, str):
        raise ConfigError(
            f"{workspace.params}: no table of experiments (key {TABLE_KEY!r}); "
            "name it there or give --experiments"
        )
    return workspace.params.parent / named


def profile_recipes(params: Path | str, profile: str) -> dict[str, Any]:
    """A profile's recipes by name.

    Raises:
        ConfigError: the profile does not exist.
    """
    profiles = read_yaml(params).get("profiles", {})
    if profile not in profiles:
        raise ConfigError(
            f"{params}: unknown profile {profile!r}; there are {', '.join(profiles)}"
            f"{did_you_mean(profile, profiles)}"
        )
    return profiles[profile]


def experiment_row(table: dict[str, Any], name: str) -> dict[str, Any]:
    """A row with its bases merged in; the row's own keys win.

    Raises:
        ConfigError: the row or a base does not exist, or the bases form a circle.
    """
    chain: list[str] = []
    current: str | None = name
    while current is not None:
        if current not in table:
            raise ConfigError(
                f"unknown experiment {current!r}; there are {', '.join(table)}"
                f"{did_you_mean(current, table)}"
            )
        if current in chain:
            raise ConfigError(f"experiment {name!r}: its bases form a circle at {current!r}")
        chain.append(current)
        current = table[current].get("base")
    row: dict[str, Any] = {}
    for link in reversed(chain):
        row.update({key: value for key, value in table[link].items() if key != "base"})
    return row


def tested_as(experiments: Path | str, name: str) -> tuple[str, str | None]:
    """The experiment whose runs a row evaluates, and the variant (None: that of the runs).

    Raises:
        ConfigError: the row does not exist.
    """
    row = experiment_row(read_yaml(experiments), name)
    if "weights_of" in row:
        return row["weights_of"], row["variant"]
    return name, None


def resolve(
    run: RunId,
    workspace: Workspace,
    *,
    row: dict[str, Any] | None = None,
    given: dict[str, Any] | None = None,
) -> RunConfig:
    """The configuration of one run.

    Args:
        workspace: ``params`` holds the numbers of the row's recipe, under
            ``profiles.<profile>.<recipe>``; for ``experiments`` see :func:`experiments_path`.
        row: the experiment's row, where it is in no table.
        given: values that override row and recipe; within a mapping, the keys that it names.

    Raises:
        ConfigError: a name does not exist, or a value is missing, unknown or out of range.
    """
    name = run.experiment
    row = dict(row) if row else experiment_row(read_yaml(experiments_path(workspace)), name)
    known = (*RunConfig.model_fields, *ROW_KEYS)
    for key in row:
        if key not in known:
            raise ConfigError(
                f"experiment {name!r}: {key}: unknown key{did_you_mean(str(key), known)}"
            )
    if "weights_of" in row:
        raise ConfigError(
            f"experiment {name!r} trains nothing: it evaluates the runs of {row['weights_of']} on "
            f"{row['variant']}"
        )
    recipe = row.pop("recipe", None)
    if "prompts" in row:
        prompts = row.pop("prompts")
        row["prompt"] = prompts.get(run.split, prompts.get("other"))
    half_depth = row.pop("half_depth", False)
    recipes = profile_recipes(workspace.params, run.profile)
    if recipe not in recipes:
        raise ConfigError(f"experiment {name!r}: profile {run.profile!r} has no recipe {recipe!r}")
    batch_factor = row.pop("batch_factor", 1)
    numbers = {**recipes[recipe], **row}
    if half_depth:
        towers = numbers["towers"]
        numbers["towers"] = {**towers, "pose_layers": max(1, towers["pose_layers"] // 2)}
    if batch_factor > 1:
        chunk = numbers["batch_size"]
        numbers["batch_size"] = batch_factor * chunk
        numbers["epochs"] *= batch_factor  # the same number of updates
        numbers["compute"] = {**numbers.get("compute", {}), "chunk": chunk}
    numbers = _merged(numbers, given or {})
    if numbers.get("label_prompt") == numbers.get("prompt"):
        numbers["label_prompt"] = None  # the same text would be learned twice
    config = checked(
        RunConfig,
        f"experiment {name!r}, profile {run.profile!r}",
        numbers,
        experiment=name,
        profile=run.profile,
        corpus=run.corpus,
        split=run.split,
        fold=run.fold,
        seed=run.seed,
    )
    if config.variant not in VARIANTS:
        raise ConfigError(
            f"experiment {name!r}: unknown variant {config.variant!r}"
            f"{did_you_mean(config.variant, VARIANTS)}"
        )
    if problem := _unserved(config):
        raise ConfigError(f"experiment {name!r}: {problem}")
    return config


def _unserved(config: RunConfig) -> str | None:
    """What of a configuration its variant cannot serve, with the reason; None: all is served.

    :class:`signclip.training.data.Augmentation` refuses the same steps, but a training is half a
    minute old by then.
    """
    variant = VARIANTS[config.variant]
    reasons: dict[str, str] = {}  # step -> why
    if variant.standardised:
        reasons |= dict.fromkeys(OF_POSITIONS, "its values are standardised, they are no positions")
    if variant.points != HANDS:
        reasons |= dict.fromkeys((*OF_HANDS, HAND_INPUT), f"it lacks the points of `{HANDS}`")
    try:
        mirror.permutation(point_names(config.variant))
    except ConfigError as error:
        reasons["flip"] = str(error)
    steps = [*config.augment, *([HAND_INPUT] if config.frame_input == "hands" else [])]
    for step in steps:
        if step in reasons:
            what = step if step == HAND_INPUT else f"augmentation {step!r}"
            return f"{what} cannot serve variant {config.variant!r}: {reasons[step]}"
    return None


def _merged(numbers: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """``numbers`` overridden by ``given``, mapping by mapping."""
    return numbers | {
        key: _merged(numbers.get(key) or {}, value) if isinstance(value, dict) else value
        for key, value in given.items()
    }
