"""``python -m benchmarks``: evaluate, tabulate, draw.

Decision: each command is one DVC stage or one step of the maintainers' work, with the same
arguments; what it writes is a pure function of the files it reads.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from signclip.errors import SignCLIPError

app = typer.Typer(no_args_is_help=True, add_completion=False)

CORPUS = "spreadthesign-fingerspelling"
Corpus = Annotated[str, typer.Option(help="The corpus's folder below data/.")]
Profile = Annotated[str, typer.Option(help="cpu, paper or smoke.")]
Seed = Annotated[int, typer.Option(help="Seed of the runs.")]
EXPERIMENTS, PARAMS = Path("benchmarks/experiments.yaml"), Path("params.yaml")
DATA, FEATURES, RUNS, RESULTS = Path("data"), Path("features"), Path("runs"), Path("results")
PREDICTIONS = Path("predictions")


@app.callback()
def _root() -> None:
    """Evaluation, tables and figures of the benchmark suite. Run from the repository's folder."""


@app.command()
def evaluate(
    encoder: Annotated[str, typer.Argument(help="An experiment with runs, or a baseline.")],
    split: Annotated[str, typer.Option(help="A split of the corpus.")] = "letters",
    profile: Profile = "cpu",
    corpus: Corpus = CORPUS,
    seed: Seed = 0,
) -> None:
    """Evaluate an experiment's runs, or a baseline, on a split.

    Example: python -m benchmarks evaluate E3.2 --split letters
    """
    from benchmarks.evaluate import evaluate as measure

    result = measure(
        encoder,
        revision=profile,
        corpus=corpus,
        split=split,
        seed=seed,
        data=DATA,
        features=FEATURES,
        runs=RUNS,
        predictions=PREDICTIONS / encoder / split,
        leaderboard=RESULTS / "leaderboard",
    )
    for name, score in result.scores.items():
        typer.echo(
            f"{name:12} {score.value:7.4f}  [{score.low:.4f}, {score.high:.4f}]  "
            f"chance {score.chance:.4f}"
        )
    typer.echo(f"{result.n_evaluated} of {result.n_total} clips; {result.signature}")


@app.command()
def paper(
    table: Annotated[str, typer.Argument(help="A table of the paper.")] = "fingerclip",
    profile: Profile = "cpu",
    corpus: Corpus = CORPUS,
    split: Annotated[str, typer.Option(help="A split of the corpus.")] = "letters",
) -> None:
    """Write a table of the paper, published numbers beside ours, from result files.

    Example: python -m benchmarks paper fingerclip
    """
    from benchmarks import tables

    tables.write(table, revision=profile, corpus=corpus, split=split, results_folder=RESULTS)
    typer.echo((RESULTS / "tables" / f"{table}.md").read_text(encoding="utf-8"))


@app.command()
def figures(
    encoder: Annotated[str, typer.Argument(help="Whose predictions are drawn.")] = "E3.2",
    split: Annotated[str, typer.Option(help="A split of the corpus.")] = "letters",
) -> None:
    """Draw FingerCLIP's letter space and confusions from predictions.

    Example: python -m benchmarks figures E3.2
    """
    from benchmarks.figures import write_fingerclip

    write_fingerclip(PREDICTIONS / encoder / split, RESULTS / "figures")
    typer.echo(f"{RESULTS / 'figures'}: fingerclip_letters, fingerclip_confusion")


@app.command()
def tune(
    recipe: Annotated[str, typer.Argument(help="A grid of params.yaml, e.g. fingerclip.")],
    profile: Profile = "cpu",
    corpus: Corpus = CORPUS,
    jobs: Annotated[int, typer.Option(help="Runs trained side by side.")] = 2,
) -> None:
    """Try a recipe's grid on validation clips and write results/tuning/<recipe>.csv.

    Example: python -m benchmarks tune fingerclip
    """
    from benchmarks.tune import tune as search

    table = search(
        recipe,
        experiments=EXPERIMENTS,
        params=PARAMS,
        profile=profile,
        corpus=corpus,
        data=DATA,
        features=FEATURES,
        runs=RUNS / "tuning" / recipe,
        out=RESULTS / "tuning" / f"{recipe}.csv",
        jobs=jobs,
    )
    typer.echo(table.to_string(index=False))


@app.command()
def dgs(
    videos: Annotated[
        Path, typer.Option(help="Folder with front/ and side/; file names begin with the letter.")
    ] = Path("../shared/data/dgs-fingerspelling-videos"),
    experiment: Annotated[str, typer.Option(help="Whose runs are used.")] = "E3.2",
    split: Annotated[str, typer.Option(help="The split that they were trained on.")] = "letters",
    seed: Seed = 0,
) -> None:
    """Extract videos of the DGS alphabet and see which letters FingerCLIP finds in them.

    Example: python -m benchmarks dgs --videos ../shared/data/dgs-fingerspelling-videos
    """
    from benchmarks.dgs import write
    from signclip import extract, workers

    poses = Path("poses/dgs-fingerspelling")
    extract.run([videos], poses, jobs=workers.cores())
    runs = sorted((RUNS / experiment / str(seed)).glob(f"{split}-*"))
    write(poses, runs, RESULTS / "tables")
    typer.echo((RESULTS / "tables" / "dgs.md").read_text(encoding="utf-8"))


@app.command()
def photograph(
    out: Annotated[Path, typer.Argument(help="Folder of the clip.")] = DATA / "photograph",
) -> None:
    """Make a short clip of a person from a photograph that scikit-image carries.

    Example: python -m benchmarks photograph data/photograph
    """
    from benchmarks.photograph import write

    typer.echo(write(out))


def main() -> None:
    """Entry point."""
    try:
        app()
    except SignCLIPError as error:
        typer.echo(f"benchmarks: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
