"""Commands beside the pipeline: analogies, tuning, other videos."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.cli.options import EMBEDDED, Corpus, Jobs, Profile, Runs, Seed, folder_name
from signclip.core.workspace import Workspace

app = typer.Typer()


@app.command()
def analogy(
    encoder: Annotated[str, typer.Argument(help="An experiment with runs.")],
    labels: Annotated[tuple[str, str, str], typer.Argument(help="King, man, woman.")],
    split: Annotated[
        str, typer.Option(help="Split of its runs; of several folds the first is taken.")
    ] = "in_domain",
    run: Annotated[
        str | None, typer.Option(help="Another run of the row, trained on another corpus.")
    ] = None,
    profile: Profile = "cpu",
    seed: Seed = 0,
    corpus: Corpus = EMBEDDED,
    runs: Runs = Path("runs"),
    most: Annotated[int, typer.Option(help="Number of labels to print.")] = 10,
) -> None:
    """King - man + woman: the labels of a corpus nearest to a sum of three, by their clips.

    Example: signbench analogy X v u k

    Example: signbench analogy X king man woman --corpus my-clips --split official
    """
    from benchmarks.analogy import nearest
    from benchmarks.evaluation.context import open_context

    context = open_context(
        folder_name(encoder),
        Workspace(runs=runs),
        profile=profile,
        corpus=corpus,
        split=split,
        seeds=[seed],
        run=run,
    )
    typer.echo(nearest(context, *labels).head(most).to_string(index=False))


@app.command()
def tune(
    recipe: Annotated[str, typer.Argument(help="A grid of params.yaml, e.g. fingerclip.")],
    profile: Profile = "cpu",
    corpus: Corpus = EMBEDDED,
    jobs: Jobs = 2,
) -> None:
    """Try a recipe's grid on validation clips and write results/tuning/<recipe>.csv.

    Example: signbench tune fingerclip
    """
    from benchmarks.tune import tune as search

    workspace = Workspace(runs=Path("runs/tuning", folder_name(recipe)))
    found = search(recipe, workspace, profile=profile, corpus=corpus, jobs=jobs)
    typer.echo(found.to_string(index=False))


@app.command()
def nested(
    recipe: Annotated[str, typer.Argument(help="A grid that `signbench tune` has tried.")],
    split: Annotated[str, typer.Option(help="A split with several folds.")] = "letters",
    corpus: Corpus = EMBEDDED,
) -> None:
    """Choose a grid's setting fold by fold and measure what choosing over all folds is worth.

    Example: signbench nested signclip
    """
    from benchmarks.nested import compare

    workspace = Workspace(runs=Path("runs/tuning", folder_name(recipe)))
    found = compare(recipe, workspace, corpus=corpus, split=split)
    scores = [name for name in found if not name.endswith(("_setting", "_settings"))]
    typer.echo(found[scores].round(4).to_string(index=False))


@app.command()
def dgs(
    videos: Annotated[
        Path, typer.Argument(help="Folder with front/ and side/; file names begin with the letter.")
    ],
    experiment: Annotated[str, typer.Option(help="Whose runs are used.")] = "E3.2",
    split: Annotated[str, typer.Option(help="The split that they were trained on.")] = "letters",
    seed: Seed = 0,
) -> None:
    """Extract videos of the DGS alphabet and measure which letters FingerCLIP finds in them.

    Example: signbench dgs dgs-fingerspelling-videos
    """
    from benchmarks.dgs import extract_and_write

    path = extract_and_write(videos, Workspace(), experiment=experiment, split=split, seed=seed)
    typer.echo(path.read_text(encoding="utf-8"))


@app.command()
def photograph(
    out: Annotated[Path, typer.Argument(help="Folder of the clip.")] = Path("data/photograph"),
) -> None:
    """Make a short clip of a person from a photograph that scikit-image carries.

    Example: signbench photograph data/photograph
    """
    from benchmarks.photograph import write

    typer.echo(write(out))
