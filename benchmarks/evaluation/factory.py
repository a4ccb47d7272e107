"""From a name to an encoder: the only place that decides what a name stands for.

Decision: in this order, a name is a floor, a dotted path ``package.module:Class``, the path of a
model (a ``.pt`` file or a folder), a skeleton model, or an experiment with runs. Rows that train
nothing (``weights_of``) are the runs of another row on their own features.

Cost: nothing but the chosen kind of encoder is imported.
"""

from __future__ import annotations

import re
from pathlib import Path

from baselines.floors import FLOORS
from baselines.skeletons import table as skeleton_table
from benchmarks import suites
from benchmarks.evaluation.encoders import Encoder
from benchmarks.evaluation.runs import TrainedOn
from signclip.core.config import did_you_mean, read_yaml
from signclip.core.errors import ConfigError, RunError
from signclip.core.workspace import RunId, Workspace, locate_run
from signclip.experiments import run_folder, table


def encoder_name(given: str) -> str:
    """The name of an encoder in paths and tables: a class's or a model's name without its path.

    A run's folder is called like its split, so the run's name has the folder of runs, the
    experiment and the seed before it: the results of two fine-tunings lie beside each other.
    """
    if ":" in given:
        given = given.rpartition(":")[2]
    elif _is_model_path(given):
        path = Path(given)
        given = path.stem if path.suffix == ".pt" else path.name
        if _is_run(path):
            depth = 4  # <folder of runs>/<experiment>/<seed>/<split>
            given = "-".join(part for part in path.parts[-depth:] if part != "runs")
    return re.sub(r"[^A-Za-z0-9._-]+", "-", given)


def open_encoder(
    run: RunId, workspace: Workspace, trained_on: TrainedOn, *, transferred: str | None = None
) -> Encoder:
    """Open an encoder.

    Args:
        run: its experiment is the encoder's name, see the module; profile, corpus, split and seed
            are those of the runs; the fold is None.
        trained_on: the clips that its runs must have been trained on.
        transferred: name of a run of the experiment that was trained on another corpus or split
            (``in_domain``), and serves all folds.

    Raises:
        SignCLIPError: there is no such encoder, or its runs are missing, damaged or others than
            expected.
    """
    name = run.experiment
    if name in FLOORS or ":" in name or _is_model_path(name):
        if transferred is not None:
            raise ConfigError(f"{name} has no runs to choose from; leave out the run")
        return _without_runs(name)
    if transferred is None and skeleton_table.is_skeleton(name, workspace.runs):
        from benchmarks.evaluation.skeletons import SkeletonRuns  # MMEngine and torch, seconds

        return SkeletonRuns(run, workspace, trained_on)
    return _signclip(run, workspace, trained_on, transferred)


def _without_runs(name: str) -> Encoder:
    from benchmarks.evaluation import dotted

    if name in FLOORS:
        return dotted.open_class(FLOORS[name].path, FLOORS[name].title)
    if ":" in name:
        return dotted.open_class(name)
    from benchmarks.evaluation.signclip_models import TransferredModel

    return TransferredModel(locate_run(Path(name)), seeded=False)


def _signclip(
    run: RunId, workspace: Workspace, trained_on: TrainedOn, transferred: str | None
) -> Encoder:
    from benchmarks.evaluation.signclip_models import SignCLIPRuns, TransferredModel

    name, changes = run.experiment, {}
    rows = read_yaml(table.experiments_path(workspace))
    if name in rows:
        trained, variant = table.tested_as(table.experiments_path(workspace), name)
        if variant is not None:
            name = trained
            changes = {
                "variant": variant,
                "title": table.experiment_row(rows, run.experiment)["title"],
            }
    elif not _has_runs(name, workspace):
        known = [*rows, *suites.read(), *FLOORS]
        raise RunError(
            f"{name!r} is no experiment, suite, floor or skeleton model, and has no runs; there "
            f"are {', '.join(known)}{did_you_mean(name, known)}"
        )
    if transferred is not None:
        folder = workspace.find_run(Path(name, str(run.seed), transferred))
        return TransferredModel(folder, seeded=True, **changes)
    trained_run = RunId(name, run.profile, run.corpus, run.split, None, run.seed)
    return SignCLIPRuns(trained_run, workspace, trained_on, **changes)


def _has_runs(name: str, workspace: Workspace) -> bool:
    runs = workspace.runs
    return any(folder.is_dir() for folder in (runs / name, *runs.glob(f"*/{name}")))


def _is_run(path: Path) -> bool:
    try:
        run_folder.read_config(locate_run(path))
    except RunError:  # an imported or released model, or none
        return False
    return True


def _is_model_path(name: str) -> bool:
    path = Path(name)
    return path.suffix == ".pt" or len(path.parts) > 1 or (path / run_folder.CONFIG).is_file()
