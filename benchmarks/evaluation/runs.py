"""The runs of one experiment and seed, one per fold: found, and checked to be the expected ones.

Decision: a run is evaluated under a name only if it was trained on the same clips and roles, as the
expected experiment, profile, split and seed, and with the settings that the tables contain now. A
run whose settings are in no table (an imported model, an experiment that is no row) is taken as it
is.

Cost: two small files a run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from signclip.core.errors import RunError
from signclip.core.workspace import RunId, Workspace, is_unfinished, outside_project, trained
from signclip.experiments.run_folder import read_metrics


class TrainedOn(NamedTuple):
    """The clips that runs must have been trained on."""

    corpus_fingerprint: str
    roles: Mapping[int, str]  # fold -> fingerprint of its rows (signclip.corpora.splits)


class Settings(Protocol):
    """The configuration of a SignCLIP or a skeleton run."""

    run_id: RunId

    def model_dump(self, *, exclude: Any = None) -> dict[str, Any]: ...


class Kind(NamedTuple):
    """What differs between SignCLIP runs and skeleton runs."""

    read: Callable[[Path], Any]  # folder -> its settings; None: it has none (imported)
    expected: Callable[[RunId, Workspace], Any]  # the settings now; None: in no table
    excluded: Mapping[str, Any]  # settings that change no bit of the weights
    tables: str  # where the settings are


class CheckedRun(NamedTuple):
    """One fold's run."""

    folder: Path
    settings: Any  # None: an imported model
    metrics: dict[str, Any]


class Runs:
    """The runs of one experiment and seed.

    Args:
        run: with fold None.
    """

    def __init__(self, run: RunId, workspace: Workspace, trained_on: TrainedOn, kind: Kind):
        self._run, self._workspace, self._trained_on, self._kind = run, workspace, trained_on, kind
        self.fingerprints: dict[str, str] = {}  # <seed>/<fold's run> -> the run's fingerprint

    def first(self) -> CheckedRun:
        """The run of the first fold; see :meth:`of_fold`."""
        return self.of_fold(min(self._trained_on.roles))

    def of_fold(self, fold: int) -> CheckedRun:
        """A fold's run.

        Raises:
            RunError: it is missing, or was trained on other clips, as something else, or with other
                settings.
        """
        several = len(self._trained_on.roles) > 1
        run = replace(self._run, fold=fold if several else None)
        folder = self._workspace.find_run(run)
        if not folder.is_dir():
            raise RunError(self._missing(run, folder))
        metrics = read_metrics(folder)
        self._check_clips(folder, metrics, fold)
        settings = self._kind.read(folder)
        if settings is not None:
            self._check_settings(folder, settings, run)
        self.fingerprints[f"{run.seed}/{run.name}"] = metrics.get("fingerprint", "")
        return CheckedRun(folder, settings, metrics)

    def _missing(self, run: RunId, folder: Path) -> str:
        """What to do where a run is missing: there may be one of another split, or unfinished."""
        train = (
            f"signbench train {run.experiment} --split {run.split} --seed {run.seed} "
            f"--profile {run.profile} --corpus {run.corpus}"
        )
        if is_unfinished(folder):
            return f"the training of {folder} is not finished; resume it: {train}"
        message = f"no run of {run.experiment} with seed {run.seed} in {folder}"
        if others := trained(self._workspace.runs, run.experiment, run.seed):
            message += f" (its finished runs: {', '.join(others)}; --split chooses)"
        return f"{message}; train it first: {train}{outside_project(folder)}"

    def _check_clips(self, folder: Path, metrics: dict[str, Any], fold: int) -> None:
        expected = (self._trained_on.corpus_fingerprint, self._trained_on.roles[fold])
        if (metrics.get("corpus_fingerprint"), metrics.get("split_fingerprint")) != expected:
            raise RunError(f"{folder}: trained on other clips or another split; train it again")

    def _check_settings(self, folder: Path, settings: Settings, run: RunId) -> None:
        if settings.run_id != run:
            raise RunError(f"{folder}: trained as {settings.run_id}, not as {run}; train it again")
        expected = self._kind.expected(run, self._workspace)
        if expected is None:
            return
        was, now = (one.model_dump(exclude=self._kind.excluded) for one in (settings, expected))
        if changed := [key for key in now if was[key] != now[key]]:
            raise RunError(
                f"{folder}: {', '.join(changed)} {'is' if len(changed) == 1 else 'are'} not what "
                f"{self._kind.tables} says; train it again"
            )
