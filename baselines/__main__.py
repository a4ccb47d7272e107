"""``python -m baselines``: for people with MMAction2 configurations of their own.

Our models are trained by ``python -m benchmarks train skeletons`` and measured by
``python -m benchmarks evaluate skeletons``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from signclip.core.errors import SignCLIPError

app = typer.Typer(no_args_is_help=True, add_completion=False)

Split = Annotated[str, typer.Option(help="A split of the corpus.")]
FoldOption = Annotated[int | None, typer.Option(help="Its fold; needed where there are several.")]
Points = Annotated[str, typer.Option(help="signing (57 points), both_hands (42) or hands (22).")]
Reach = Annotated[
    float | None,
    typer.Option(help="Draw hands in this size, shoulder widths. Default: as they are."),
]
Data = Annotated[Path, typer.Option(help="Folder of the corpora.")]
Features = Annotated[Path, typer.Option(help="Folder of the feature stores.")]
DATA, FEATURES, RUNS = Path("data"), Path("features"), Path("runs")
CORPUS = "spreadthesign-fingerspelling"


@app.callback()
def _root() -> None:
    """MMAction2 annotations of our splits, and MMAction2 checkpoints on our leaderboard."""


@app.command()
def export(
    corpus: Annotated[str, typer.Argument(help="The corpus's folder below data/.")],
    out: Annotated[Path, typer.Argument(help="A file that ends in .pkl.")],
    split: Split = "letters",
    fold: FoldOption = None,
    points: Points = "signing",
    hand_reach: Reach = None,
    data: Data = DATA,
    features: Features = FEATURES,
) -> None:
    """Write a fold's clips as an annotation pickle for MMAction2's PoseDataset.

    Example: python -m baselines export spreadthesign-fingerspelling letters-0.pkl --split letters
    --fold 0
    """
    from baselines.skeletons.annotations import export as write

    done = write(
        data / corpus,
        features / corpus,
        out,
        split=split,
        fold=fold,
        points=points,
        hand_reach=hand_reach,
    )
    counts = ", ".join(f"{count} {role}" for role, count in done.clips.items())
    typer.echo(f"{out}: {counts} clips; num_classes={done.classes}")
    if done.unanswerable:
        typer.echo(
            f"{done.unanswerable} of them have a label that no training clip has: a model of "
            f"{done.classes} classes cannot answer them, and they count as wrong"
        )


@app.command(name="import")
def import_(
    config: Annotated[Path, typer.Argument(help="MMAction2 configuration; it is run: trust it.")],
    checkpoint: Annotated[Path, typer.Argument(help="Its weights (.pth).")],
    name: Annotated[str, typer.Argument(help="What to call the model.")],
    split: Split = "letters",
    fold: FoldOption = None,
    seed: Annotated[int, typer.Option(help="To file it under.")] = 0,
    points: Points = "signing",
    hand_reach: Reach = None,
    corpus: Annotated[str, typer.Option(help="The corpus's folder below data/.")] = CORPUS,
    data: Data = DATA,
    features: Features = FEATURES,
    runs: Annotated[Path, typer.Option(help="Folder of the runs.")] = RUNS,
) -> None:
    """Make a run of a checkpoint that was trained on an exported fold, to be evaluated like ours.

    Give points and hand reach as they were exported, and import every fold of the split; then
    python -m benchmarks evaluate NAME --split SPLIT.

    Example: python -m baselines import my_stgcn.py epoch_16.pth my-stgcn --split letters --fold 0
    """
    from baselines.skeletons.imported import import_run

    folder = import_run(
        config,
        checkpoint,
        name,
        corpus=data / corpus,
        features=features / corpus,
        runs=runs,
        split=split,
        fold=fold,
        seed=seed,
        points=points,
        hand_reach=hand_reach,
    )
    typer.echo(folder)


@app.command()
def models() -> None:
    """List the skeleton models, and those that cannot be had.

    Example: python -m baselines models
    """
    from baselines.skeletons import table

    for name, row in table.models().items():
        typer.echo(f"{name:10} {row['title']}: {row['source']}")
    for name, row in table.missing().items():
        typer.echo(f"{name:10} {row['title']}: {row['reason']}")


def main() -> None:
    """Entry point."""
    try:
        app()
    except SignCLIPError as error:
        typer.echo(f"baselines: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
