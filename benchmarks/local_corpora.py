"""What the pipeline does with a corpus: pack its features, pretrain on it, transfer to it.

Decisions
* Which feature variants are packed follows from the rows that a plan (embedded corpus) or the uses
  of a local corpus (``corpora`` in ``params.yaml``) name, so a row with a new variant changes no
  stage.
* A local corpus is measured on its ``official`` split. Its runs, predictions and results lie in
  folders of their own: ``runs/<use>/<corpus>/<profile>`` (another profile's runs, which may have
  taken days, stay), ``predictions/<use>-<corpus>`` and ``results/leaderboard/<use>-<corpus>``.
* *Fingerspelling* is FingerCLIP's: its rows, trained and evaluated on the corpus.
* *Open* is for corpora that anyone can download (:mod:`benchmarks.open_corpora`): FingerCLIP's best
  row and X; on other splits than the official one X alone, as on the embedded corpus, because the
  paper's rows know the languages that they were trained on only. Both rows read the hands, so the
  poses need no face.
* *Transfer* is the paper's downstream comparison: the floors, the skeleton models and the rows
  trained from scratch; the rows of the pretraining table and X evaluated zero-shot with the runs
  that ``pretrained`` names, as far as these are there; and fine-tuned from there.
* Features for pretraining are packed in half precision: the paper's corpus takes 350 GB so.

Cost: that of the trainings; finished ones are not repeated.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from benchmarks import suites
from signclip.core.config import Strict, checked, read_yaml
from signclip.core.errors import ConfigError
from signclip.core.workspace import RunId, Workspace

_log = logging.getLogger(__name__)

SPLIT = "official"
# Uses of a local corpus; the stage `pretraining` does the first three.
PRETRAINING, FINGERSPELLING, OPEN = "pretraining", "fingerspelling", "open"
TRANSFER = "transfer"
TRAINED_ON = (PRETRAINING, FINGERSPELLING, OPEN)
WITH_PROTOCOLS = ("E6.1", "everywhere")  # E6.1: the paper's row for identification, iconicity
BEST, BEST_FINGERCLIP = "X", "E3.2"
ROWS = {
    PRETRAINING: ("pretraining", "tested", BEST),
    FINGERSPELLING: ("fingerclip",),
    OPEN: (BEST_FINGERCLIP, BEST),
    TRANSFER: ("pretraining", "tested", BEST, "skeletons", "floors"),
}
FINETUNED = "-finetuned"  # what the name of a fine-tuned row ends with


class Pretrained(Strict):
    """The section ``pretrained`` of ``params.yaml``: the runs that transfer starts from."""

    runs: Path
    run: str
    corpus: str


class Job(NamedTuple):
    """How a stage of a local corpus is run."""

    profile: str
    seed: int
    jobs: int


def variants(rows: Iterable[str], workspace: Workspace) -> list[str]:
    """The feature variants that rows need, sorted by name."""
    import importlib

    from baselines.floors import FLOORS
    from baselines.skeletons import table as skeletons
    from baselines.skeletons.graph import VARIANT as SKELETON_VARIANT
    from signclip.experiments import table

    experiments = read_yaml(table.experiments_path(workspace))
    found = set()
    for row in suites.expand(rows):
        if row in FLOORS:
            module, _, name = FLOORS[row].path.partition(":")
            found.add(getattr(importlib.import_module(module), name).variant)
        elif row in skeletons.models():
            found.add(SKELETON_VARIANT)
        else:
            found.add(table.experiment_row(experiments, row)["variant"])
    return sorted(found)


def pack(
    name: str, workspace: Workspace, *, profile: str, jobs: int, dtype: str | None = None
) -> list[Path]:
    """Pack every variant that the pipeline needs of a built corpus; returns the stores.

    Args:
        profile: whose plan decides, for a corpus that is not local.

    Raises:
        SignCLIPError: the corpus is not built, or a clip cannot be read.
    """
    from signclip import corpora
    from signclip.corpora import local, manifest
    from signclip.features import store

    entry = local.entries(workspace.params).get(name)
    if entry is None:
        plan = suites.plan_of(profile, workspace.params)
        rows: Sequence[str] = [
            row for named in (*plan.evaluate.values(), *plan.protocols.values()) for row in named
        ]
        uses: Sequence[str] = ()
    else:
        uses = entry.use
        rows = [row for use in uses for row in ROWS[use]]
    if dtype is None:
        dtype = "float16" if PRETRAINING in uses else "float32"
    folders = {one: workspace.store(name, one) for one in variants(rows, workspace)}
    if not folders:  # a corpus that the pipeline only builds
        (workspace.features / name).mkdir(parents=True, exist_ok=True)
        return []
    clips = manifest.read(workspace.corpus(name))
    root = corpora.root(name, params=workspace.params)
    store.write_variants(clips, root, folders, dtype=dtype, workers=jobs)
    return list(folders.values())


def uses_of(name: str, workspace: Workspace) -> tuple[str, ...]:
    """The uses of a local corpus.

    Raises:
        ConfigError: ``params.yaml`` names no such corpus.
    """
    from signclip.corpora import local

    entries = local.entries(workspace.params)
    if name not in entries:
        raise ConfigError(
            f"{workspace.params} names no corpus {name!r}; add it with "
            f"`signclip corpora enable {name} PATH`"
        )
    return tuple(entries[name].use)


def folders_of(use: str, name: str, workspace: Workspace, profile: str) -> tuple[Workspace, str]:
    """The workspace and the group of results of one use of a corpus; its folders are made."""
    group = f"{use}-{name}"
    inside = workspace.replace(runs=workspace.runs / use / name / profile)
    for folder in (inside.runs, inside.predictions / group, inside.leaderboard / group):
        folder.mkdir(parents=True, exist_ok=True)
    return inside, group


def pretrain(name: str, workspace: Workspace, job: Job) -> None:
    """Train the rows of a corpus's uses on it, except those of transfer, and evaluate them.

    Raises:
        SignCLIPError: the corpus, its features or a run are missing or damaged.
    """
    from benchmarks.runner.rows import PROTOCOLS, Settings, evaluate_rows
    from signclip.corpora import splits

    inside, group = folders_of(PRETRAINING, name, workspace, job.profile)
    uses = [use for use in TRAINED_ON if use in uses_of(name, workspace)]
    wanted = {SPLIT: suites.expand([row for use in uses for row in ROWS[use]])}
    if OPEN in uses:
        others = [split for split in splits.names(workspace.corpus(name)) if split != SPLIT]
        wanted |= {split: [BEST] for split in others}
    tested = set(suites.expand(["tested"]))  # evaluated with the weights of another row
    rows = {split: [row for row in of if row not in tested] for split, of in wanted.items()}
    suites.train(rows, [job.seed], inside, profile=job.profile, corpus=name, jobs=job.jobs)
    where = (workspace.replace(runs=inside.runs), Settings(job.profile, name, (job.seed,), group))
    for split, of in wanted.items():
        evaluate_rows(of, [split], *where)
    if PRETRAINING in uses:
        evaluate_rows(suites.expand(WITH_PROTOCOLS), [SPLIT], *where, names=PROTOCOLS)


def read_pretrained(params: Path) -> Pretrained:
    """The runs that transfer starts from.

    Raises:
        ConfigError: the section is missing or has an unknown key.
    """
    values = read_yaml(params).get("pretrained", {})
    return checked(Pretrained, f"{params}, pretrained", values)


def transfer(name: str, workspace: Workspace, job: Job) -> None:
    """Measure a local corpus zero-shot, few-shot, from scratch and fine-tuned; write its pages.

    Raises:
        SignCLIPError: the corpus, its features, or a run are missing or damaged.
    """
    from benchmarks import report, tasks
    from benchmarks.runner.rows import PROTOCOLS, Settings, evaluate_rows

    inside, group = folders_of(TRANSFER, name, workspace, job.profile)
    pretrained = read_pretrained(workspace.params)
    rows = {SPLIT: ("everywhere", "skeletons")}
    suites.train(rows, [job.seed], inside, profile=job.profile, corpus=name, jobs=job.jobs)
    origins = workspace.replace(runs=pretrained.runs)
    _fine_tune(name, inside, origins, pretrained.run, job)
    settings = Settings(job.profile, name, (job.seed,), group)
    where = (workspace.replace(runs=inside.runs), settings)
    trained = suites.expand(["everywhere", "finetuned"])
    evaluate_rows(suites.expand([*trained, "skeletons", "floors"]), [SPLIT], *where)
    evaluate_rows(trained, [SPLIT], *where, names=PROTOCOLS)
    zero_shot = replace(settings, run=pretrained.run)
    everywhere = suites.expand(["everywhere", "tested"])
    others = [row for row in suites.expand(["pretraining"]) if row not in everywhere]
    transferred = _with_runs(others, origins, pretrained, job)
    evaluate_rows(everywhere, [SPLIT], origins, zero_shot, names=PROTOCOLS)
    evaluate_rows(transferred, [SPLIT], origins, zero_shot, names=tasks.names_of("transfer"))
    report.write_transfer(workspace, profile=job.profile, corpus=name, run=pretrained.run)


def _with_runs(
    rows: Sequence[str], origins: Workspace, pretrained: Pretrained, job: Job
) -> list[str]:
    """The rows whose pretrained run is there; the others are named in the log."""
    runs = {row: origins.find_run(Path(row, str(job.seed), pretrained.run)) for row in rows}
    for row, run in runs.items():
        if not run.is_dir():
            _log.info("%s is not measured zero-shot: no run at %s", row, run)
    return [row for row, run in runs.items() if run.is_dir()]


def _fine_tune(
    name: str, inside: Workspace, pretrained: Workspace, run: str, job: Job
) -> list[Path]:
    """Fine-tune the suite ``finetuned``, each row from the pretrained run of the same name."""
    from signclip.corpora import splits
    from signclip.experiments import table
    from signclip.training import finetune
    from signclip.training.launch import train_all

    configs = []
    folds = splits.fold_numbers(splits.read(inside.corpus(name), SPLIT))
    for row in suites.expand(["finetuned"]):
        path = Path(row.removesuffix(FINETUNED), str(job.seed), run)
        origin = pretrained.find_run(path)
        model, given = finetune.start(origin)
        finetune.check_texts(model, inside.corpus(name))
        configs += [
            table.resolve(
                RunId(row, job.profile, name, SPLIT, fold, job.seed),
                inside,
                row=finetune.row_of(model, origin),
                given=given,
            )
            for fold in folds
        ]
    return train_all(configs, inside, jobs=job.jobs)
