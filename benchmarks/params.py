"""What is wrong with ``params.yaml`` and the tables, said before the pipeline begins.

Decision: everything that a stage would refuse by its name alone is refused first: a key, a profile,
a recipe or a row that does not exist, a row that its variant cannot serve, and the path of a local
corpus. Otherwise the last stage refuses it, after the trainings.

Cost: two seconds, most of it for imports.
"""

from __future__ import annotations

from baselines.skeletons import recipe
from baselines.skeletons import table as skeletons
from benchmarks import local_corpora, suites
from signclip import corpora
from signclip.core.config import did_you_mean, read_yaml
from signclip.core.errors import ConfigError
from signclip.core.workspace import RunId, Workspace
from signclip.corpora import local
from signclip.experiments import table

KEYS = (
    *("profile", "seed", "jobs", "experiments", "profiles"),
    *("tuning", "figures", "corpora", "pretrained"),
)


def check(workspace: Workspace) -> str:
    """Check ``params.yaml`` and what it names; returns the profile.

    Raises:
        ConfigError: the first thing that is wrong.
    """
    values = read_yaml(workspace.params)
    for key in values:
        if key not in KEYS:
            raise ConfigError(f"{workspace.params}: unknown key {key!r}{did_you_mean(key, KEYS)}")
    for key in ("profile", "seed", "jobs"):
        if key not in values:
            raise ConfigError(f"{workspace.params}: {key} is missing")
    for key in ("seed", "jobs"):
        if not isinstance(values[key], int):
            raise ConfigError(f"{workspace.params}: {key} must be a number, not {values[key]!r}")
    profile = str(values["profile"])
    table.profile_recipes(workspace.params, profile)
    _check_corpora(workspace)
    for row, split in _rows(workspace, profile):
        _check_row(RunId(row, profile, "corpus", split, None, values["seed"]), workspace)
    return profile


def _check_corpora(workspace: Workspace) -> None:
    """Refuse a local corpus whose folder is not there, or not in its loader's layout."""
    entries = local.entries(workspace.params)
    for name in entries:
        corpora.root(name, params=workspace.params)
    if any(local_corpora.TRANSFER in entry.use for entry in entries.values()):
        local_corpora.read_pretrained(workspace.params)


def _rows(workspace: Workspace, profile: str) -> list[tuple[str, str]]:
    """Every row that is trained, with its split: of the profile's plan and of local corpora."""
    wanted = [
        (row, split)
        for stage in suites.plan_of(profile, workspace.params).train.values()
        for split, names in stage.items()
        for row in suites.expand(names)
    ]
    for entry in local.entries(workspace.params).values():
        for use in entry.use:
            names = ("everywhere",) if use == local_corpora.TRANSFER else local_corpora.ROWS[use]
            wanted += [(row, local_corpora.SPLIT) for row in suites.expand(names)]
    tested = set(suites.expand(["tested"]))  # they train nothing
    return [pair for pair in dict.fromkeys(wanted) if pair[0] not in tested]


def _check_row(run: RunId, workspace: Workspace) -> None:
    if run.experiment in skeletons.models() or run.experiment in skeletons.missing():
        recipe.resolve(run, workspace.params)
    else:
        table.resolve(run, workspace)
