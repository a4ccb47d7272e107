"""``python -m baselines``: exchange with MMAction2, for users with configurations of their own.

Our own models are trained by ``signbench train skeletons`` and evaluated by
``signbench evaluate skeletons``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from signclip.core.errors import SignCLIPError, names_explained
from signclip.core.workspace import LOCAL, RunId, Workspace

app = typer.Typer(no_args_is_help=True, add_completion=False)

DEFAULT = Workspace()
CORPUS = "spreadthesign-fingerspelling"

Split = Annotated[str, typer.Option(help="A split of the corpus.")]
FoldOption = Annotated[
    int | None, typer.Option(help="A fold of the split; required if there are several.")
]
Points = Annotated[
    str, typer.Option(help="Keypoints: signing (57 points), both_hands (42) or hands (22).")
]
HandReach = Annotated[
    float | None,
    typer.Option(
        help="Scale each hand to this size in shoulder widths, its wrist in the middle of the "
        "shoulders. Default: hands stay as they are."
    ),
]
Data = Annotated[Path, typer.Option(help="Folder of the built corpora.")]
FeaturesFolder = Annotated[Path, typer.Option("--features", help="Folder of the feature stores.")]
Runs = Annotated[Path, typer.Option(help="Folder that receives the run.")]


@app.callback()
def _root() -> None:
    """Export splits as MMAction2 annotations, and import MMAction2 checkpoints for evaluation."""


@app.command()
def export(
    corpus: Annotated[str, typer.Argument(help="Name of a corpus, a folder of --data.")],
    out: Annotated[Path, typer.Argument(help="File to write; its name must end in .pkl.")],
    split: Split = "letters",
    fold: FoldOption = None,
    points: Points = "signing",
    hand_reach: HandReach = None,
    data: Data = DEFAULT.data,
    features: FeaturesFolder = DEFAULT.features,
) -> None:
    """Write a fold's clips as an annotation pickle for MMAction2's PoseDataset.

    Example: python -m baselines export spreadthesign-fingerspelling letters-0.pkl --split letters
    --fold 0
    """
    from baselines.skeletons import annotations

    done = annotations.export(
        Workspace(data=data, features=features),
        corpus,
        out,
        split=split,
        fold=fold,
        points=points,
        hand_reach=hand_reach,
    )
    counts = ", ".join(f"{count} {role}" for role, count in done.clips.items())
    typer.echo(f"{out}: {counts} clips; num_classes={done.classes}")
    if done.unpredictable:
        typer.echo(
            f"{done.unpredictable} clips have a label that no training clip has: a model of "
            f"{done.classes} classes cannot predict it, and they count as wrong"
        )


@app.command(name="import")
def import_(
    config: Annotated[
        Path,
        typer.Argument(help="MMAction2 configuration. It is executed: use only files you trust."),
    ],
    checkpoint: Annotated[Path, typer.Argument(help="Its weights (.pth).")],
    name: Annotated[str, typer.Argument(help="Name of the model in commands and tables.")],
    split: Split = "letters",
    fold: FoldOption = None,
    seed: Annotated[int, typer.Option(help="Seed in the run's path.")] = 0,
    points: Points = "signing",
    hand_reach: HandReach = None,
    corpus: Annotated[str, typer.Option(help="Name of the corpus, a folder of --data.")] = CORPUS,
    data: Data = DEFAULT.data,
    features: FeaturesFolder = DEFAULT.features,
    runs: Runs = DEFAULT.runs / LOCAL,
) -> None:
    """Make a run of a checkpoint that was trained on an exported fold, for evaluation.

    Give the same points and hand reach as for the export, and import every fold of the split. Then
    evaluate it with signbench evaluate NAME --split SPLIT.

    Example: python -m baselines import my_stgcn.py epoch_16.pth my-stgcn --split letters --fold 0
    """
    from baselines.skeletons import imported

    folder = imported.import_run(
        config,
        checkpoint,
        RunId(name, "", corpus, split, fold, seed),
        Workspace(data=data, features=features, runs=runs),
        points=points,
        hand_reach=hand_reach,
    )
    typer.echo(folder)


@app.command()
def models() -> None:
    """List the skeleton models with their sources, and those that cannot be trained here.

    Example: python -m baselines models
    """
    from baselines.skeletons import table

    for name, row in table.models().items():
        typer.echo(f"{name:10} {row['title']}: {row['source']}")
    for name, row in table.missing().items():
        typer.echo(f"{name:10} {row['title']}: {row['reason']}")


def main() -> None:
    """Run the command line; an error of ours ends with one line and exit status 2."""
    try:
        with names_explained():
            app()
    except SignCLIPError as error:
        typer.echo(f"baselines: {error}", err=True)
        sys.exit(2)
