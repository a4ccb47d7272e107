"""Where a project's files lie, and the identity of a training run.

Decisions
* :class:`Workspace` holds the folders and the two tables of a project. Its defaults are relative to
  the current folder, so that a command typed in a checkout needs none of them.
* :class:`RunId` names one training. Its path below a folder of runs is
  ``<experiment>/<seed>/<split>[-<fold>]``; profile and corpus are not part of the path, so runs on
  other corpora have folders of their own.
* The runs of one pipeline stage lie under one folder (``runs/fingerclip``, ``runs/signclip``, ...),
  so a run is looked up below ``runs`` itself and below each of its folders.

Cost: one listing of ``runs`` for each run that is looked up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from signclip.core import files
from signclip.core.errors import ConfigError

# What marks a folder as a finished run; see signclip.experiments.run_folder.
METRICS_FILE = "metrics.json"
PARAMS_FILE = Path("params.yaml")  # marks the folder of a project
FULL, LOCAL = "full", "local"  # folders of runs: of `make full`, and trained by hand


@dataclass(frozen=True)
class RunId:
    """One training: an experiment (or a skeleton model) on one fold of a split, with one seed.

    Attributes:
        experiment: id of a row of the table of experiments, or name of a skeleton model.
        profile: of ``params.yaml``.
        fold: None where the split has one fold only.
    """

    experiment: str
    profile: str
    corpus: str
    split: str
    fold: int | None
    seed: int

    @property
    def path(self) -> Path:
        """``<experiment>/<seed>/<split>[-<fold>]``, relative to a folder of runs."""
        return Path(self.experiment, str(self.seed), self.name)

    @property
    def name(self) -> str:
        """The last part of the path: the split, and the fold where there are several."""
        return self.split if self.fold is None else f"{self.split}-{self.fold}"


@dataclass(frozen=True)
class Workspace:
    """The folders and tables of a project.

    Attributes:
        data: built corpora, one folder each (manifest, dropped clips, splits).
        features: feature stores, ``<corpus>/<variant>``.
        runs: finished trainings.
        embeddings: cached embeddings of clips, ``<corpus>/...``.
        predictions: ``<group>/<encoder>/<split>``, the ranks of every test clip.
        results: result files, tables and figures.
        params: profiles and corpora.
        experiments: table of experiments; None: the one that ``params`` names.
    """

    data: Path = Path("data")
    features: Path = Path("features")
    runs: Path = Path("runs")
    embeddings: Path = Path("embeddings")
    predictions: Path = Path("predictions")
    results: Path = Path("results")
    params: Path = PARAMS_FILE
    experiments: Path | None = None

    def replace(self, **changes: Path | None) -> Workspace:
        """A copy with other folders; None keeps what is there."""
        return replace(self, **{name: path for name, path in changes.items() if path is not None})

    def corpus(self, name: str) -> Path:
        """The folder of a built corpus."""
        return self.data / name

    def store(self, corpus: str, variant: str) -> Path:
        """The folder of a feature store."""
        return self.features / corpus / variant

    @property
    def leaderboard(self) -> Path:
        """The folder of all result files."""
        return self.results / "leaderboard"

    @property
    def points(self) -> Path:
        """``results/points``: the plotted points, see :mod:`benchmarks.points`."""
        return self.results / "points"

    def find_run(self, run: RunId | Path) -> Path:
        """The folder of a run; see :func:`find_run`."""
        return find_run(self.runs, run.path if isinstance(run, RunId) else run)


def find_run(runs: Path, path: Path) -> Path:
    """``runs/<stage>/path`` where one stage has it, else ``runs/path``.

    Other runs are only found where no stage has the run, so that what a pipeline evaluates is what
    it has trained: those of ``make full`` (``runs/full``), then those that were trained by hand
    (``runs/path``, else ``runs/local``). Equal runs of several stages (the same fingerprint) are
    one. Where there is no such run the answer is the place of an unfinished one, else
    ``runs/path``, so that whoever opens it reports what is there.

    Raises:
        ConfigError: several stages have different runs of this name.
    """
    direct = runs / path
    others = (runs / FULL / path, direct, runs / LOCAL / path)
    stages = sorted(runs.iterdir()) if runs.is_dir() else []
    places = [stage / path for stage in stages if stage.name not in (FULL, LOCAL)]
    found = [place for place in places if _is_finished(place)]
    if len({_fingerprint(place) for place in found}) > 1:
        listed = ", ".join(map(str, found))
        raise ConfigError(f"{direct}: several runs have this name: {listed}; give one of them")
    for is_so in (_is_finished, is_unfinished):
        if (place := next(filter(is_so, (*places, *others)), None)) is not None:
            return place
    return direct


def _is_finished(run: Path) -> bool:
    return (run / METRICS_FILE).is_file()


def state_folder(run: Path) -> Path:
    """Where the state of an interrupted training lies, beside the folder of its run."""
    return run.with_name(f".{run.name}.work")


def is_unfinished(run: Path) -> bool:
    """Whether a training was begun there and has not ended."""
    return not _is_finished(run) and state_folder(run).is_dir()


def trained(runs: Path, experiment: str, seed: int) -> list[str]:
    """The names of all finished runs of an experiment and seed, ``<split>[-<fold>]``, sorted."""
    below = f"{experiment}/{seed}/*/{METRICS_FILE}"
    found = [path for prefix in ("", "*/") for path in runs.glob(prefix + below)]
    return sorted({path.parent.name for path in found if not path.parent.name.startswith(".")})


def outside_project(path: Path | str, params: Path = PARAMS_FILE) -> str:
    """The end of a message about a missing file: that the current folder is no project's.

    Args:
        path: of the file; an absolute one does not depend on the current folder.
    """
    if Path(path).is_absolute() or params.is_file():
        return ""
    return f"; {Path.cwd()} has no {params}: run this in the repository's folder"


def _fingerprint(run: Path) -> str:
    """What identifies a run; the path where it is not recorded."""
    try:
        return str(files.read_json(run / METRICS_FILE)["fingerprint"])
    except (OSError, ValueError, KeyError, TypeError):
        return str(run)


def locate_run(path: Path) -> Path:
    """``<runs>/<experiment>/<seed>/<split>[-<fold>]`` to the stage's folder that has this run.

    Any other path, and one where there is no such run, is returned as it is.

    Raises:
        ConfigError: several stages have it.
    """
    depth = 3  # of a run below a folder of runs
    if path.exists() or len(path.parts) < depth:
        return path
    return find_run(path.parents[depth - 1], Path(*path.parts[-depth:]))
