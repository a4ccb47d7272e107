"""Suites (named lists of rows) and plans (what a pipeline trains and evaluates): ``suites.yaml``.

Decisions
* A pipeline stage names a plan's stage and no rows, so adding a row changes ``experiments.yaml``
  and ``suites.yaml`` alone.
* All runs of a stage are trained by one command, side by side: ``in_domain`` has one fold, so a
  command for each row would leave all cores but one idle. Finished runs are not trained again.

Cost: reading a YAML file once a process; torch is not imported.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

from baselines.floors import FLOORS
from baselines.skeletons import table as skeletons
from signclip.core.config import Strict, checked, read_yaml
from signclip.core.errors import ConfigError
from signclip.core.workspace import RunId, Workspace
from signclip.corpora import splits

SUITES_FILE = Path(__file__).with_name("suites.yaml")
FLOOR_SUITE, SKELETON_SUITE = "floors", "skeletons"
ALIASES = {"baselines": FLOOR_SUITE}  # former names
LETTERS, IN_DOMAIN, UNSEEN = "letters", "in_domain", "unseen_language"
DEFAULT_PLAN = "repro"

Rows = Mapping[str, tuple[str, ...]]  # split -> rows and suites


class Plan(Strict):
    """What a pipeline trains and evaluates; the values name rows and suites."""

    train: dict[str, dict[str, tuple[str, ...]]]  # stage -> split -> rows
    evaluate: dict[str, tuple[str, ...]]  # split -> rows
    protocols: dict[str, tuple[str, ...]]

    def stage(self, name: str) -> Rows:
        """What a training stage trains.

        Raises:
            ConfigError: there is no such stage.
        """
        if name not in self.train:
            raise ConfigError(f"unknown stage {name!r}; there are {', '.join(self.train)}")
        return self.train[name]


@cache
def read(path: Path = SUITES_FILE) -> dict[str, tuple[str, ...]]:
    """Suite -> rows; the floors and the skeleton models are suites, too."""
    listed = {name: tuple(rows) for name, rows in read_yaml(path)["suites"].items()}
    return listed | {FLOOR_SUITE: tuple(FLOORS), SKELETON_SUITE: tuple(skeletons.models())}


@cache
def plan(name: str = DEFAULT_PLAN, path: Path = SUITES_FILE) -> Plan:
    """A plan by name.

    Raises:
        ConfigError: there is no such plan, or it has an unknown key.
    """
    plans = read_yaml(path)["plans"]
    if name not in plans:
        raise ConfigError(f"unknown plan {name!r}; there are {', '.join(plans)}")
    return checked(Plan, f"suites.yaml, plan {name!r}", plans[name])


def plan_of(profile: str, params: Path) -> Plan:
    """The plan that a profile of ``params.yaml`` names; default ``repro``."""
    profiles = read_yaml(params).get("profiles", {})
    return plan(profiles.get(profile, {}).get("plan", DEFAULT_PLAN))


def expand(names: Iterable[str], *, without: Iterable[str] = ()) -> list[str]:
    """Replace the names of suites by their rows; each row once, in order.

    Args:
        without: rows and suites that are left out.
    """
    left_out = set(expand(without)) if without else set()
    rows = (row for name in names for row in read().get(ALIASES.get(name, name), (name,)))
    return [row for row in dict.fromkeys(rows) if row not in left_out]


def evaluated(split: str, *, among: Plan | None = None) -> list[str]:
    """The encoders that a plan (default ``repro``) evaluates on a split."""
    return expand((among or plan()).evaluate.get(split, ()))


def train(
    rows: Rows,
    seeds: Sequence[int],
    workspace: Workspace,
    *,
    profile: str,
    corpus: str,
    jobs: int,
) -> list[Path]:
    """Train rows on all folds of splits with several seeds; returns the folders of the runs.

    Args:
        rows: split -> experiments, skeleton models, or suites.

    Raises:
        ConfigError: a row or a split does not exist, or there is nothing to train.
        SignCLIPError: a run failed.
    """
    from baselines.skeletons import recipe
    from baselines.skeletons.launch import train_all as train_skeletons
    from signclip.experiments import table
    from signclip.training.launch import train_all

    run_ids = [
        RunId(row, profile, corpus, split, fold, seed)
        for split, names in rows.items()
        for fold in splits.fold_numbers(splits.read(workspace.corpus(corpus), split))
        for row in expand(names)
        for seed in seeds
    ]
    if not run_ids:
        raise ConfigError("nothing to train: give rows or suites, splits and seeds")
    recipes = [
        recipe.resolve(run, workspace.params) for run in run_ids if _is_skeleton(run.experiment)
    ]
    configs = [table.resolve(run, workspace) for run in run_ids if not _is_skeleton(run.experiment)]
    # the longest first: otherwise the other processes wait for them at the end
    recipes.sort(key=lambda one: one.epochs * len(one.streams), reverse=True)
    configs.sort(key=lambda one: one.epochs, reverse=True)
    paths = train_skeletons(recipes, workspace, jobs=jobs) if recipes else []
    return paths + (train_all(configs, workspace, jobs=jobs) if configs else [])


def _is_skeleton(row: str) -> bool:
    # a model that cannot be had is refused with its reason
    return row in skeletons.models() or row in skeletons.missing()
