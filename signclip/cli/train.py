"""The command ``signclip train``.

Decisions
* What is wrong with the names of corpus, split, fold, experiment, profile and model, or with the
  experiment's row, is reported before torch is imported and before clips are read; without
  ``--init`` this process never imports torch.
* A run that was trained on another corpus, from another model or with another profile is never
  replaced: it may have taken days.
* Under ``torchrun`` a folder of clips is built and packed by the main process only.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from signclip.cli.options import DEFAULT, EMBEDDED, Data, Features, Params
from signclip.core import torchrun

if TYPE_CHECKING:
    from signclip.core.workspace import Workspace
    from signclip.experiments.config import RunConfig


app = typer.Typer()


@app.command()
def train(
    context: typer.Context,
    experiment: Annotated[
        str | None, typer.Argument(help="A row of the table of experiments, for example E3.2.")
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(help="A split of the corpus. Default: letters, official, or its first one."),
    ] = None,
    fold: Annotated[str, typer.Option(help="The number of a fold, or all.")] = "all",
    seed: Annotated[int, typer.Option(help="Seed of weights, batches and augmentation.")] = 0,
    corpus: Annotated[
        str,
        typer.Option(
            help="A built corpus below --data, or a folder with manifest.csv, which is built and "
            "packed first."
        ),
    ] = EMBEDDED,
    init: Annotated[
        Path | None,
        typer.Option(help="Start from this model: a run, an imported model or a released file."),
    ] = None,
    name: Annotated[
        str, typer.Option(help="Name of the run, with --init and without an experiment.")
    ] = "finetune",
    profile: Annotated[str, typer.Option(help="A profile of --params: cpu, paper, smoke.")] = "cpu",
    jobs: Annotated[int, typer.Option(min=1, help="Runs trained side by side.")] = 2,
    experiments: Annotated[
        Path | None,
        typer.Option(help="Table of experiments. Default: the one that --params names."),
    ] = None,
    params: Params = DEFAULT.params,
    data: Data = DEFAULT.data,
    features: Features = DEFAULT.features,
    runs: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the runs. Default: runs, with --init runs/finetune/CORPUS-ORIGIN."
        ),
    ] = None,
) -> None:
    """Train an experiment on the folds of a split, or fine-tune a model on your own clips.

    Finished folds are not trained again; a killed training resumes. On several GPUs or machines,
    `torchrun` starts the same command and all processes share each batch.

    Example: `signclip train E3.2 --split letters --fold all`

    Example: `signclip train --corpus my-folder --init runs/E3.2/0/letters-0`

    Example: `torchrun --nproc_per_node=2 -m signclip train E3.2 --fold 0`
    """
    from signclip.core.workspace import RunId, Workspace, locate_run
    from signclip.experiments.run_folder import check_model
    from signclip.experiments.table import resolve
    from signclip.training.launch import train_all

    if experiment is None and init is None:
        raise typer.BadParameter("give an experiment, a model to start from (--init), or both")
    workspace = Workspace(data, features, params=params, experiments=experiments)
    workspace = workspace.replace(runs=runs)
    row: dict[str, Any] | None = None
    settings: dict[str, Any] | None = None
    _check_corpus(corpus, split, fold, workspace)
    if init is None:
        tried = RunId(str(experiment), profile, corpus, split or "official", None, seed)
        variant = resolve(tried, workspace).variant
        corpus = _corpus(context, corpus, variant, workspace, jobs)
    else:
        _check_recipe(experiment, profile, workspace)
        check_model(locate_run(init))
        from signclip.training import finetune

        model, settings = finetune.start(init)
        row = finetune.row_of(model, init) if experiment is None else None
        corpus = _corpus(context, corpus, str(settings["variant"]), workspace, jobs)
        finetune.check_texts(model, workspace.corpus(corpus))
        if runs is None:
            origin = finetune.default_runs(workspace.runs, corpus, init)
            workspace = workspace.replace(runs=origin)
    split, folds = _folds(workspace.corpus(corpus), split, fold)
    run_ids = [RunId(experiment or name, profile, corpus, split, number, seed) for number in folds]
    configs = [resolve(run, workspace, row=row, given=settings) for run in run_ids]
    for config in configs:
        _check_place(workspace.runs / config.run_id.path, config)
    paths = train_all(configs, workspace, jobs=jobs)
    if torchrun.is_main_process():
        for path in paths:
            typer.echo(path)


def _check_recipe(experiment: str | None, profile: str, workspace: Workspace) -> None:
    """Refuse a profile or an experiment that does not exist."""
    from signclip.core.config import read_yaml
    from signclip.experiments.table import experiment_row, experiments_path, profile_recipes

    profile_recipes(workspace.params, profile)
    if experiment is not None:
        experiment_row(read_yaml(experiments_path(workspace)), experiment)


def _check_corpus(corpus: str, split: str | None, fold: str, workspace: Workspace) -> None:
    """Refuse a corpus that is neither built nor a folder, or lacks the split or fold.

    The splits of a folder are known when it is built.
    """
    from signclip.corpora import prepare

    if not prepare.is_folder(corpus):
        _folds(workspace.corpus(prepare.built_name(corpus, workspace)), split, fold)


def _check_place(folder: Path, config: RunConfig) -> None:
    """Refuse to replace a run of the same name that is another training.

    Raises:
        ConfigError: naming what differs.
    """
    from signclip.core.errors import ConfigError, RunError
    from signclip.experiments.run_folder import read_config, read_metrics

    try:
        read_metrics(folder)
        earlier = read_config(folder)
    except RunError:
        return  # not finished or damaged: it is trained again
    origins = [Path(one.init_run or "").resolve() for one in (earlier, config)]
    if earlier.corpus != config.corpus:
        holds = f"on corpus {earlier.corpus!r}"
    elif origins[0] != origins[1] and earlier.init_sha256 != config.init_sha256:
        holds = f"that started from {earlier.init_run or 'no other model'}"
    elif earlier.profile != config.profile:
        holds = f"with profile {earlier.profile!r}"
    else:
        return
    raise ConfigError(f"{folder}: holds a run {holds}; give another folder with --runs")


def _corpus(
    context: typer.Context, given: str, variant: str, workspace: Workspace, jobs: int
) -> str:
    """The name of a corpus; one that is given as a folder is built and packed first."""
    from signclip.corpora import manifest, prepare

    if not prepare.is_folder(given):
        return prepare.packed_name(given, variant, workspace)
    call = partial(prepare.prepare, given, variant, workspace, jobs=jobs)
    if torchrun.launched():
        from signclip.training import distributed

        # until the command ends: a process group cannot be made twice
        context.with_resource(distributed.group())
        name = distributed.on_main_process(call)
    else:
        name = call()
    if torchrun.is_main_process():
        folder = workspace.corpus(name)
        for line in manifest.reasons(manifest.read_dropped(folder)):
            typer.echo(f"{folder}: dropped {line}", err=True)
    return name


def _folds(corpus: Path, split: str | None, fold: str) -> tuple[str, list[int | None]]:
    """The split, and the numbers of the folds to train."""
    from signclip.corpora import splits
    from signclip.experiments.config import ALL_FOLDS

    if split is None:
        names = splits.names(corpus)
        split = next(name for name in ("letters", "official", *names) if name in names)
    folds = splits.fold_numbers(splits.read(corpus, split))
    if fold == ALL_FOLDS:
        return split, folds
    by_name = {str(number or 0): number for number in folds}
    if fold not in by_name:
        raise typer.BadParameter(f"fold {fold!r}; split {split} has {', '.join(by_name)}")
    return split, [by_name[fold]]
