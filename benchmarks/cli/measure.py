"""Commands that train, evaluate and compare encoders."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from tqdm import tqdm

from benchmarks.cli.options import (
    EMBEDDED,
    LOCAL,
    SEEDS,
    SPLITS,
    Corpus,
    Group,
    Jobs,
    Profile,
    Publish,
    Revision,
    Runs,
    Seeds,
    Splits,
    Without,
    check_kept,
    folder_name,
    unique,
)
from signclip.core.errors import ConfigError
from signclip.core.workspace import Workspace

if TYPE_CHECKING:
    from benchmarks.metrics.groups import About
    from benchmarks.results import Result

app = typer.Typer()


@app.command()
def pack(
    corpus: Annotated[str, typer.Argument(help="A built corpus, e.g. of params.yaml.")],
    profile: Profile = "cpu",
    jobs: Annotated[int, typer.Option(help="Processes; the stores do not depend on it.")] = 1,
    dtype: Annotated[
        str | None, typer.Option(help="Default: float32; float16 for a pretraining corpus.")
    ] = None,
) -> None:
    """Pack every feature variant that the rows of the suite need of a corpus.

    Example: signbench pack spreadthesign-fingerspelling
    """
    from benchmarks import local_corpora

    for store in local_corpora.pack(
        folder_name(corpus), Workspace(), profile=profile, jobs=jobs, dtype=dtype
    ):
        typer.echo(store)


@app.command()
def train(
    rows: Annotated[
        list[str] | None, typer.Argument(help="Experiments, skeleton models, or suites.")
    ] = None,
    split: Annotated[
        list[str] | None, typer.Option(help="A split of the corpus; repeatable.")
    ] = None,
    stage: Annotated[
        str | None,
        typer.Option(help="Instead of rows: train what the profile's plan lists for this stage."),
    ] = None,
    seed: Annotated[list[int], typer.Option(help="Repeatable: each row with each seed.")] = SEEDS,
    without: Without = None,
    profile: Profile = "cpu",
    corpus: Corpus = EMBEDDED,
    jobs: Jobs = 2,
    runs: Annotated[Path, typer.Option(help="Folder to write the runs to.")] = Path("runs/local"),
) -> None:
    """Train several rows on all folds of splits, side by side; finished runs are kept.

    Example: signbench train beyond --split in_domain --seed 0 --seed 1

    Example: signbench train --stage fingerclip --runs runs/fingerclip
    """
    from benchmarks import suites
    from benchmarks.params import check as check_params

    workspace = Workspace(runs=runs)
    if stage is not None:
        if rows or split:
            raise typer.BadParameter("--stage names rows and splits: give it alone")
        check_params(workspace)
        wanted = suites.plan_of(profile, workspace.params).stage(stage)
    elif rows and split:
        names = tuple(suites.expand(rows, without=without or ()))
        wanted = dict.fromkeys(split, names)
    else:
        raise typer.BadParameter("give rows and --split, or --stage")
    paths = suites.train(wanted, unique(seed), workspace, profile=profile, corpus=corpus, jobs=jobs)
    typer.echo(f"{len(paths)} runs below {runs}")


@app.command()
def evaluate(
    rows: Annotated[
        list[str] | None,
        typer.Argument(help="Experiments or models with runs, floors, suites, or module:Class."),
    ] = None,
    plan: Annotated[
        bool,
        typer.Option("--plan", help="Evaluate what the profile's plan lists, with all protocols."),
    ] = False,
    split: Splits = SPLITS,
    without: Without = None,
    profile: Profile = "cpu",
    corpus: Corpus = EMBEDDED,
    seed: Seeds = SEEDS,
    group: Group = LOCAL,
    revision: Revision = None,
    publish: Publish = False,
    jobs: Jobs = 2,
    runs: Runs = Path("runs"),
) -> None:
    """Evaluate encoders by retrieval on splits.

    A clip is ranked among the labels, and among (sign language, label) prompts where the encoder's
    prompts name the language.

    Example: signbench evaluate E3.2 --split letters
    """
    from benchmarks import suites
    from benchmarks.params import check as check_params
    from benchmarks.runner.rows import Settings, evaluate_plan, evaluate_rows

    workspace = Workspace(runs=runs)
    settings = Settings(
        profile,
        corpus,
        tuple(unique(seed)),
        group=folder_name(group),
        revision=None if revision is None else folder_name(revision),
    )
    if plan:
        if rows:
            raise typer.BadParameter("--plan names the rows: give it alone")
        check_kept(workspace.leaderboard / group, publish or group == LOCAL)
        check_params(workspace)
        evaluate_plan(suites.plan_of(profile, workspace.params), workspace, settings, jobs=jobs)
        typer.echo(f"results below {workspace.leaderboard / group}")
    elif rows:
        names = suites.expand(rows, without=without or ())
        _check_kept(names, workspace.leaderboard / group, publish)
        show = _print_scores if len(names) == 1 else _print_lines
        evaluate_rows(names, unique(split), workspace, settings, show=show)
    else:
        raise typer.BadParameter("give rows, or --plan")


def _check_kept(names: Iterable[str], group: Path, publish: bool) -> None:
    """Refuse to replace results of encoders in a group; those of the group `local` are."""
    from benchmarks.evaluation.factory import encoder_name

    for name in names:
        check_kept(group / encoder_name(name), publish or group.name == LOCAL)


def _print_scores(encoder: str, split: str, measured: dict[str, Result]) -> None:
    """All scores of one encoder, above the progress bar."""
    for task, result in measured.items():
        tqdm.write(f"{encoder}, {split}, {task}: {result.labels} texts")
        for name, score in result.scores.items():
            tqdm.write(
                f"  {name:12} {score.value:7.4f}  [{score.low:.4f}, {score.high:.4f}]  "
                f"chance {score.chance:.4f}"
            )
        tqdm.write(f"  {result.n_evaluated} of {result.n_total} clips; {result.signature}")


def _print_lines(encoder: str, split: str, measured: dict[str, Result]) -> None:
    """One line a task, above the progress bar."""
    for task, result in measured.items():
        score = result.scores["V2T_R@1"]
        tqdm.write(
            f"{encoder}, {split}, {task:22} V2T_R@1 {score.value:.4f} "
            f"[{score.low:.4f}, {score.high:.4f}]  chance {score.chance:.4f}"
        )


@app.command()
def protocols(
    rows: Annotated[list[str], typer.Argument(help="Experiments with runs, or suites.")],
    split: Splits = SPLITS,
    profile: Profile = "cpu",
    corpus: Corpus = EMBEDDED,
    seed: Seeds = SEEDS,
    group: Group = LOCAL,
    revision: Revision = None,
    run: Annotated[
        str | None,
        typer.Option(
            help="Evaluate this run of each row, e.g. in_domain, which was trained on another "
            "corpus or split (zero-shot)."
        ),
    ] = None,
    publish: Publish = False,
    runs: Runs = Path("runs"),
) -> None:
    """Evaluate encoders by the paper's other protocols: few-shot, linear probe, identification, ...

    Each task decides on which splits it makes sense: few-shot, prototypes and probe on all;
    identification, conceptualisation and analogies where the test languages have training clips.

    Example: signbench protocols X E7.2 --split in_domain

    Example: signbench protocols E8 --corpus asl-citizen --split official --run in_domain
    """
    from benchmarks import suites
    from benchmarks.runner.rows import PROTOCOLS, Settings, evaluate_rows

    settings = Settings(
        profile,
        corpus,
        tuple(unique(seed)),
        group=folder_name(group),
        revision=None if revision is None else folder_name(revision),
        run=run,
    )
    names, workspace = suites.expand(rows), Workspace(runs=runs)
    _check_kept(names, workspace.leaderboard / group, publish)
    show = _print_lines
    evaluate_rows(names, unique(split), workspace, settings, names=PROTOCOLS, show=show)


@app.command()
def compare(
    a: Annotated[str, typer.Argument(help="An encoder with a result, or ENCODER@REVISION.")],
    b: Annotated[str, typer.Argument(help="Another encoder.")],
    split: Annotated[str, typer.Option(help="A split of the corpus.")] = "letters",
    task: Annotated[str, typer.Option(help="A task, e.g. tagged_retrieval.")] = "retrieval",
    metric: Annotated[str, typer.Option(help="V2T_R@k.")] = "V2T_R@1",
    revision: Annotated[
        str | None,
        typer.Option(help="Of both results. Default: cpu, else the encoder's only revision."),
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(
            help="Group of both results. Default: the first of repro, local, full, submitted that "
            "has both, else the first that has each."
        ),
    ] = None,
    corpus: Corpus = EMBEDDED,
    clips: Annotated[int, typer.Option(min=0, help="Clips to list on each side.")] = 5,
) -> None:
    """Compare two evaluated encoders clip by clip: difference, and clips that changed sides.

    The difference has two intervals: over clips, and over signers or, where these are not recorded,
    sign languages, which are drawn whole. The wider one decides whether it can be told from 0.

    Example: signbench compare X E7.2 --split letters

    Example: signbench compare my-encoder@1 nearest-neighbour --task few_shot_5
    """
    from benchmarks import results
    from benchmarks.leaderboard.clips import about_corpus
    from benchmarks.metrics.compare import flips

    workspace = Workspace()
    board, where = workspace.leaderboard, (task, corpus, split)
    for name in (*a.split("@"), *b.split("@"), *filter(None, (revision, group))):
        folder_name(name)
    groups = [group] if group else [*results.GROUPS]
    of_groups = [
        [results.locate(board, one, name, where, revision) for name in (a, b)] for one in groups
    ]
    both = next((found for found in of_groups if all(x.is_file() for x in found)), None)
    if both is None:  # each from the first group that has it
        both = [
            next(filter(Path.is_file, of_side), None) for of_side in zip(*of_groups, strict=True)
        ]
    for name, path in zip((a, b), both, strict=True):
        if path is None:
            raise ConfigError(
                f"{name}: no result of {task} on {split} of {corpus} in {', '.join(groups)}; "
                f"`signbench evaluate {name} --corpus {corpus} --split {split}` or `signbench run "
                f"{name}` makes it"
            )
    found = [results.read(path) for path in both if path]
    typer.echo(f"{task} on {corpus}, {split}")
    _print_difference(*found, metric, (a, b), about_corpus(workspace, corpus))
    changed = flips(*found, metric)
    for name, side in ((a, changed.gained), (b, changed.lost)):
        typer.echo(f"{len(side)} clips are found by {name} only")
        for clip in side[:clips]:
            ranks = (" ".join(map(_rank, one.ranks[clip])) for one in found)
            typer.echo("  {:24} rank {} and {}".format(clip, *ranks))


def _print_difference(
    a: Result, b: Result, metric: str, names: tuple[str, str], about: About
) -> None:
    """The paired difference with its intervals over clips and groups, and what it shows."""
    from benchmarks.metrics.compare import both_intervals
    from benchmarks.metrics.groups import choose_groups
    from benchmarks.report import verdicts

    groups = choose_groups(sorted(a.ranks), about)
    both = both_intervals(a, b, metric, groups=groups.of_clip)
    typer.echo(
        f"{metric} of {' - '.join(names)}: {both.wider.difference:+.4f}, paired bootstrap, 95 %"
    )
    titles = (f"{len(a.ranks)} clips", f"{groups.count} {groups.kind}")
    for title, one in zip(titles, both, strict=True):
        if one is None:
            typer.echo(f"  not over groups: {groups.why}")
            continue
        wider = ", the wider one" if one is both.wider and both.over_groups is not None else ""
        typer.echo(f"  over {title:19} [{one.low:+.4f}, {one.high:+.4f}]{wider}")
    shown = {
        verdicts.HOLDS: f"{names[0]} is better",
        verdicts.DOES_NOT: f"{names[1]} is better",
        verdicts.OPEN: "which one is better cannot be told",
    }
    typer.echo(f"  {shown[verdicts.claim(verdicts.Measured(*both.wider))]}")


def _rank(stored: int | list[int]) -> str:
    """A rank as it is printed: ``3``, or ``3-7`` where texts tie."""
    return str(stored) if isinstance(stored, int) else f"{stored[0]}-{stored[1]}"
