"""``python -m benchmarks``: evaluate, tabulate, draw.

Decision: each command is one DVC stage or one step of the maintainers' work, with the same
arguments; what it writes is a pure function of the files it reads.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from signclip.core.errors import SignCLIPError

app = typer.Typer(no_args_is_help=True, add_completion=False)

CORPUS = "spreadthesign-fingerspelling"
Corpus = Annotated[str, typer.Option(help="The corpus's folder below data/.")]
Profile = Annotated[str, typer.Option(help="cpu, paper or smoke.")]
Seed = Annotated[int, typer.Option(help="Seed of the runs.")]
EXPERIMENTS, PARAMS = Path("benchmarks/experiments.yaml"), Path("params.yaml")
DATA, FEATURES, RUNS, RESULTS = Path("data"), Path("features"), Path("runs"), Path("results")
PREDICTIONS, EMBEDDINGS = Path("predictions"), Path("embeddings")
SPLITS, SEEDS = ["letters"], [0]  # the defaults of options that may be repeated
PAPER_TABLES = {  # imported when it is asked for: some take seconds
    "fingerclip": "benchmarks.report.tables.fingerclip",
    "pretraining": "benchmarks.report.tables.pretraining",
    "beyond": "benchmarks.report.tables.beyond",
    "protocols": "benchmarks.report.tables.protocols",
    "elsewhere": "benchmarks.report.tables.transfer",
}
OF_ONE_SPLIT = ("fingerclip", "pretraining")
# What whoever trains or measures runs is told of where things are.
PLACES = dict(experiments=EXPERIMENTS, params=PARAMS, data=DATA, features=FEATURES, runs=RUNS)
Splits = Annotated[list[str], typer.Option("--split", help="A split of the corpus; repeatable.")]
Seeds = Annotated[
    list[int], typer.Option("--seed", help="Seed of the runs; repeatable: one measurement.")
]
Runs = Annotated[Path, typer.Option(help="Folder of the runs.")]
Predictions = Annotated[Path, typer.Option(help="Folder of the predictions.")]
Revision = Annotated[str | None, typer.Option(help="Write under this name. Default: the profile.")]


@app.callback()
def _root() -> None:
    """Evaluation, tables and figures of the benchmark suite. Run from the repository's folder."""


def _folder_name(name: str) -> str:
    """A name that becomes a folder below results/.

    Raises:
        BadParameter: it is none, or leads out of there.
    """
    if not re.fullmatch(r"[A-Za-z0-9._-]+", name) or set(name) == {"."}:
        raise typer.BadParameter(f"{name!r}: letters, digits, dots, - and _ make a name")
    return name


def _encoders(named: list[str], revision: str) -> list[str]:
    """Rows and suites to encoders, all of them and the revision names of folders."""
    from benchmarks import suites

    names = suites.expand(named)
    for name in (*names, revision):
        _folder_name(name)
    return names


def _opened(
    names: list[str], split: list[str], seed: list[int], *, runs: Path, **given: Any
) -> Iterator[tuple[str, str, Any]]:
    """Each encoder on each split, with its name and the split's, opened when its turn comes."""
    from benchmarks.evaluation.context import opened

    for place in dict.fromkeys(split):
        for encoder in names:
            yield (
                encoder,
                place,
                opened(
                    encoder,
                    split=place,
                    seeds=list(dict.fromkeys(seed)),
                    **PLACES | {"runs": runs},
                    embeddings=EMBEDDINGS,
                    **given,
                ),
            )


@app.command()
def train(
    rows: Annotated[list[str], typer.Argument(help="Experiments, skeleton models, or suites.")],
    split: Annotated[list[str], typer.Option(help="A split of the corpus; repeatable.")],
    seed: Annotated[list[int], typer.Option(help="Repeatable: each row with each.")] = SEEDS,
    profile: Profile = "cpu",
    corpus: Corpus = CORPUS,
    jobs: Annotated[int, typer.Option(help="Runs trained side by side.")] = 2,
    runs: Runs = RUNS,
) -> None:
    """Train several experiments on all folds of splits, side by side; finished runs stay.

    Example: python -m benchmarks train beyond --split in_domain --seed 0 --seed 1
    """
    from benchmarks import suites

    paths = suites.train(
        rows,
        list(dict.fromkeys(split)),
        list(dict.fromkeys(seed)),
        profile=profile,
        corpus=corpus,
        jobs=jobs,
        **PLACES | {"runs": runs},
    )
    typer.echo(f"{len(paths)} runs below {runs}")


@app.command()
def evaluate(
    encoders: Annotated[
        list[str],
        typer.Argument(help="Experiments or models with runs, baselines, or suites."),
    ],
    split: Splits = SPLITS,
    profile: Profile = "cpu",
    corpus: Corpus = CORPUS,
    seed: Seeds = SEEDS,
    revision: Revision = None,
    runs: Runs = RUNS,
    predictions: Predictions = PREDICTIONS,
) -> None:
    """Evaluate experiments' runs, or baselines, on splits.

    Among labels, and among (language, label) prompts where the encoder's prompts have languages.

    Example: python -m benchmarks evaluate E3.2 --split letters
    """
    from benchmarks.evaluation.evaluate import evaluate as measure

    names = _encoders(encoders, revision or profile)
    for encoder, place, found in _opened(
        names, split, seed, profile=profile, corpus=corpus, runs=runs
    ):
        measured = measure(
            found,
            # what another revision predicts stays beside what the pipeline does
            predictions=predictions / encoder / (f"{place}.{revision}" if revision else place),
            leaderboard=RESULTS / "leaderboard",
            revision=revision,
        )
        for task, result in measured.items():
            typer.echo(f"{encoder}, {place}, {task}: {result.labels} texts")
            shown = result.scores if len(names) == 1 else ["V2T_R@1"]
            for name in shown:
                score = result.scores[name]
                typer.echo(
                    f"  {name:12} {score.value:7.4f}  [{score.low:.4f}, {score.high:.4f}]  "
                    f"chance {score.chance:.4f}"
                )
            typer.echo(f"  {result.n_evaluated} of {result.n_total} clips; {result.signature}")


@app.command()
def protocols(
    encoders: Annotated[
        list[str], typer.Argument(help="Experiments with runs, or suites of suites.yaml.")
    ],
    split: Splits = SPLITS,
    profile: Profile = "cpu",
    corpus: Corpus = CORPUS,
    seed: Seeds = SEEDS,
    revision: Revision = None,
    run: Annotated[
        str | None,
        typer.Option(
            help="Ask this run of each row, e.g. in_domain, which was trained on another corpus or "
            "split: zero-shot, too."
        ),
    ] = None,
    runs: Runs = RUNS,
    predictions: Predictions = PREDICTIONS,
) -> None:
    """Ask runs by the paper's other protocols: few-shot, prototypes, probe, identification, ...

    Which make sense on a split: few-shot, prototypes and probe on all; identification,
    conceptualisation and analogies where the test languages train and prompts name them.

    Example: python -m benchmarks protocols X E7.2 --split in_domain

    Example: python -m benchmarks protocols E8 --corpus asl-citizen --split official --run official
    """
    from benchmarks.evaluation import protocols

    names = _encoders(encoders, revision or profile)
    for encoder, place, found in _opened(
        names, split, seed, profile=profile, corpus=corpus, runs=runs, run=run
    ):
        name = ".".join(part for part in (place, run, revision) if part)
        measured = protocols.ask(
            found,
            predictions=predictions / encoder / "protocols" / f"{name}.parquet",
            leaderboard=RESULTS / "leaderboard",
            revision=revision,
        )
        for task, result in measured.items():
            score = result.scores["V2T_R@1"]
            typer.echo(
                f"{encoder}, {place}, {task:22} V2T_R@1 {score.value:7.4f}  "
                f"[{score.low:.4f}, {score.high:.4f}]  chance {score.chance:.4f}  "
                f"{result.n_evaluated} of {result.n_total} clips"
            )


@app.command()
def compare(
    a: Annotated[str, typer.Argument(help="An encoder with a result.")],
    b: Annotated[str, typer.Argument(help="Another.")],
    split: Annotated[str, typer.Option(help="A split of the corpus.")] = "letters",
    task: Annotated[str, typer.Option(help="retrieval or tagged_retrieval.")] = "retrieval",
    metric: Annotated[str, typer.Option(help="V2T_R@k.")] = "V2T_R@1",
    revision: Annotated[str, typer.Option(help="Of both results.")] = "cpu",
    corpus: Corpus = CORPUS,
) -> None:
    """Compare two evaluated encoders clip by clip.

    Example: python -m benchmarks compare X E7.2 --split letters
    """
    from benchmarks import results
    from benchmarks.metrics.compare import compare as paired

    board = RESULTS / "leaderboard"
    for name in (a, b, revision):
        _folder_name(name)
    read = [
        results.read(results.path_of(board, name, revision, task, corpus, split)) for name in (a, b)
    ]
    found = paired(*read, metric)
    typer.echo(
        f"{metric} of {a} - {b}: {found.difference:+.4f}  [{found.low:+.4f}, {found.high:+.4f}]  "
        f"({read[0].n_evaluated} clips, paired bootstrap, 95 %)"
    )


@app.command()
def paper(
    table: Annotated[str, typer.Argument(help=f"One of {', '.join(PAPER_TABLES)}.")] = "fingerclip",
    profile: Profile = "cpu",
    corpus: Corpus = CORPUS,
    split: Annotated[
        str | None,
        typer.Option(help="Of fingerclip and pretraining. Default: letters and in_domain."),
    ] = None,
    run: Annotated[
        str | None,
        typer.Option(help="Of elsewhere: the runs asked zero-shot. Default: in_domain."),
    ] = None,
) -> None:
    """Write a table, published numbers beside ours, or the rows beyond the paper, from results.

    Example: python -m benchmarks paper pretraining

    Example: python -m benchmarks paper elsewhere --corpus asl-words
    """
    if table not in PAPER_TABLES:
        raise typer.BadParameter(f"no table {table!r}: {', '.join(PAPER_TABLES)}")
    given = dict(revision=profile, corpus=corpus, results_folder=RESULTS)
    if split is not None:
        if table not in OF_ONE_SPLIT:
            raise typer.BadParameter(f"the table {table} has no choice of split")
        given["split"] = split
    if run is not None:
        if table != "elsewhere":
            raise typer.BadParameter(f"the table {table} has no choice of run")
        given["run"] = run
    written = _folder_name(corpus) if table == "elsewhere" else table
    importlib.import_module(PAPER_TABLES[table]).write(**given)
    typer.echo((RESULTS / "tables" / f"{written}.md").read_text(encoding="utf-8"))


@app.command()
def figures(
    encoder: Annotated[str, typer.Argument(help="Whose predictions are drawn.")] = "E3.2",
    split: Annotated[str, typer.Option(help="A split of the corpus.")] = "letters",
) -> None:
    """Draw FingerCLIP's letter space and confusions from predictions.

    Example: python -m benchmarks figures E3.2
    """
    from benchmarks.report.figures.fingerclip import write_fingerclip

    write_fingerclip(PREDICTIONS / encoder / split, RESULTS / "figures")
    typer.echo(f"{RESULTS / 'figures'}: fingerclip_letters, fingerclip_confusion")


@app.command()
def skeletons(
    split: Annotated[str, typer.Option(help="A split of the corpus.")] = "letters",
    beside: Annotated[
        list[str] | None,
        typer.Option(help="A row of SignCLIP whose curves are drawn, too; repeatable."),
    ] = None,
    seed: Seed = 0,
    profile: Profile = "cpu",
    corpus: Corpus = CORPUS,
) -> None:
    """Draw the skeleton models' confusions and curves and list their costs, from results and runs.

    Example: python -m benchmarks skeletons --split letters --beside E3.2 --beside X
    """
    from benchmarks import suites
    from benchmarks.report.figures.skeletons import write

    write(
        suites.expand([suites.SKELETON_SUITE]),
        beside=suites.expand(beside or ()),
        profile=profile,
        corpus=corpus,
        split=split,
        seed=seed,
        predictions=PREDICTIONS,
        runs=RUNS,
        results_folder=RESULTS,
    )
    typer.echo(f"{RESULTS / 'figures'}: skeletons_confusion, skeletons_curves")


@app.command("breakdown")
def breakdown_(
    profile: Profile = "cpu",
    corpus: Corpus = CORPUS,
    split: Annotated[
        list[str] | None,
        typer.Option(
            help="Repeatable. Every encoder with predictions on it, written to "
            "<corpus>-breakdown. Default: the pipeline's splits and encoders."
        ),
    ] = None,
    predictions: Predictions = PREDICTIONS,
) -> None:
    """Take retrieval apart by text, sign language and signer, from predictions.

    Example: python -m benchmarks breakdown

    Example: python -m benchmarks breakdown --corpus my-clips --split official --predictions
    predictions/elsewhere/cpu/my-clips
    """
    from benchmarks.report.tables.breakdown import name_of, write

    splits = list(dict.fromkeys(split or ()))
    written = name_of(_folder_name(corpus), splits)
    write(
        profile=profile,
        corpus=corpus,
        data=DATA,
        predictions=predictions,
        results_folder=RESULTS,
        splits=splits,
    )
    typer.echo((RESULTS / "tables" / f"{written}.md").read_text(encoding="utf-8"))


@app.command()
def iconicity(profile: Profile = "cpu", seed: Seed = 0, corpus: Corpus = CORPUS) -> None:
    """List how alike each letter is in all sign languages, by the spread of its embeddings.

    Example: python -m benchmarks iconicity
    """
    from benchmarks import suites
    from benchmarks.report.tables.iconicity import TABLE, write

    names = suites.expand(["everywhere"])
    given = dict(profile=profile, corpus=corpus, runs=RUNS)
    asked = [found for *_, found in _opened(names, [suites.IN_DOMAIN], [seed], **given)]
    write(asked, features=FEATURES, results_folder=RESULTS)
    typer.echo((RESULTS / "tables" / f"{TABLE}.md").read_text(encoding="utf-8"))


@app.command()
def analogy(
    encoder: Annotated[str, typer.Argument(help="An experiment with runs.")],
    labels: Annotated[tuple[str, str, str], typer.Argument(help="King, man, woman.")],
    split: Annotated[
        str, typer.Option(help="That its runs were trained by; of several folds, the first's.")
    ] = "in_domain",
    run: Annotated[
        str | None, typer.Option(help="Another run of the row's instead, trained elsewhere.")
    ] = None,
    profile: Profile = "cpu",
    seed: Seed = 0,
    corpus: Corpus = CORPUS,
    runs: Runs = RUNS,
    most: Annotated[int, typer.Option(help="How many answers.")] = 10,
) -> None:
    """King - man + woman: the labels of a corpus nearest to a sum of three, by their clips.

    Example: python -m benchmarks analogy X v u k

    Example: python -m benchmarks analogy X king man woman --corpus my-clips --split official
    """
    from benchmarks.analogy import nearest

    given = dict(profile=profile, corpus=corpus, runs=runs, run=run)
    [(*_, found)] = _opened([encoder], [split], [seed], **given)
    typer.echo(nearest(found, *labels).head(most).to_string(index=False))


@app.command()
def ablation(profile: Profile = "cpu", corpus: Corpus = CORPUS) -> None:
    """Draw what each row is worth, with intervals, from results.

    Example: python -m benchmarks ablation
    """
    from benchmarks.report.figures.ablation import write

    write(revision=profile, corpus=corpus, results_folder=RESULTS)
    typer.echo(f"{RESULTS / 'figures'}: ablation")


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
        profile=profile,
        corpus=corpus,
        **PLACES | {"runs": RUNS / "tuning" / recipe},
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
    from signclip.core import workers
    from signclip.extraction import extract

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
