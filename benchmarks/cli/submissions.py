"""Commands for an encoder from outside: new, check, run, submit, validate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from tqdm import tqdm

from benchmarks.cli.options import EMBEDDED, Corpus, Profile
from signclip.core.workspace import Workspace

if TYPE_CHECKING:
    from benchmarks.results import Result

app = typer.Typer()

Given = Annotated[
    str,
    typer.Argument(
        help="my_package.my_module:MyEncoder, a file of embeddings (.npz, .parquet), a released "
        "checkpoint (.pt), or an encoder of this repository."
    ),
]
Metadata = Annotated[
    Path | None,
    typer.Option(help="YAML file with the metadata. Default: the class attribute `metadata`."),
]
Tokenizer = Annotated[
    str | None,
    typer.Option(
        help="Vocabulary of a released checkpoint: a folder with tokenizer.json or vocab.txt, or a "
        "Hugging Face name such as bert-base-cased. Default: none, so no text is embedded."
    ),
]


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Name of the module, such as my_encoder.")],
    kind: Annotated[
        str, typer.Option(help="pose (embeds clips) or recogniser (scores labels).")
    ] = "pose",
) -> None:
    """Write the commented starting file of a new encoder into the current folder.

    Example: signbench new my_encoder
    """
    from benchmarks.submission import starting_file

    path, given = starting_file.write(name, Path(), kind)
    typer.echo(f"{path}: change it, then\n  signbench check {given}\n  signbench run {given}")


@app.command()
def check(given: Given, metadata: Metadata = None, corpus: Corpus = EMBEDDED) -> None:
    """Check in a minute that an encoder's numbers are what they should be.

    Exit status 1: a check failed; its line says what to change.

    Example: signbench check my_encoder:MyEncoder
    """
    from benchmarks.submission import checks, entry

    workspace = Workspace()
    found = entry.find(given, workspace, metadata=metadata)
    if found.encoder is None:
        typer.echo(f"{given} is an encoder of this repository; there is nothing to check")
        return
    failed = 0
    for one in checks.check(found, workspace, corpus):
        failed += not one.passed
        typer.echo(f"{'ok  ' if one.passed else 'FAIL'} {one.name:16} {one.advice or one.detail}")
    if failed:
        typer.echo(f"{failed} failed", err=True)
        raise typer.Exit(1)
    typer.echo(f"all hold; next: signbench run {given}")


@app.command()
def run(
    given: Given,
    tasks: Annotated[
        list[str] | None, typer.Option("--tasks", help="Only this task; repeatable.")
    ] = None,
    corpora: Annotated[
        list[str] | None, typer.Option("--corpora", help="Only this corpus; repeatable.")
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(min=1, help="A trial with so many test clips a fold, in the group `local`."),
    ] = None,
    metadata: Metadata = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace results of the revision's former code.")
    ] = False,
    tokenizer: Tokenizer = None,
    profile: Profile = "cpu",
) -> None:
    """Run every task on every corpus that is built, and write validated results.

    Results and metadata go to results/leaderboard/submitted. Finished tasks are kept: an
    interrupted run goes on. A file of embeddings has the fields ids (n), embeddings (n, d) and,
    with a text side, texts (m), text_embeddings (m, d) and prompt; as Parquet the columns id,
    embedding and text. Exit status 1: a task failed; the others are kept.

    Example: signbench run my_encoder:MyEncoder

    Example: signbench run my_embeddings.npz --metadata my_encoder.yaml --tasks sign_to_sign

    Example: signbench run baseline_temporal.pt --tokenizer bert-base-cased
    """
    from benchmarks.submission import entry, running

    workspace = Workspace()
    about = dict(metadata=metadata, tokenizer=tokenizer, profile=profile)
    found = entry.find(given, workspace, **about)
    options = running.Options(
        tuple(tasks) if tasks else None, tuple(corpora) if corpora else None, limit, overwrite
    )
    done = running.run(found, workspace, options, show=_Results().show)
    for place, why in done.failed.items():
        typer.echo(f"failed: {', '.join(place)}: {why}", err=True)
    _print_skipped(done.skipped)
    typer.echo(
        f"{len(done.measured)} results measured, {len(done.kept)} kept, {len(done.skipped)} not "
        f"applicable, {len(done.failed)} failed: {done.folder}"
    )
    if done.failed or not (done.measured or done.kept):
        raise typer.Exit(1)


class _Results:
    """Prints one line of at most 80 characters a result, below the name of its corpus."""

    def __init__(self) -> None:
        self._corpus = ""

    def show(self, result: Result) -> None:
        """Print a result above the progress bar."""
        if result.corpus != self._corpus:
            self._corpus = result.corpus
            tqdm.write(f"{result.corpus}: score [95 % interval], chance")
        name = "mAP" if "mAP" in result.scores else "V2T_R@1"
        score = result.scores[name]
        tqdm.write(
            f"{result.split:15} {result.task:25} {name.replace('_', ' '):7} {score.value:.3f} "
            f"[{score.low:.3f}, {score.high:.3f}]  {score.chance:.3f}"
        )


def _print_skipped(skipped: dict[tuple[str, str, str], str]) -> None:
    """One line a reason."""
    reasons: dict[str, list[str]] = {}
    for (_, split, task), why in skipped.items():
        reasons.setdefault(why, []).append(f"{task} on {split}")
    for why, places in reasons.items():
        listed = ", ".join(places[:3]) + (f" and {len(places) - 3} more" if places[3:] else "")
        typer.echo(f"not applicable: {listed}: {why}")


@app.command()
def submit(
    given: Given,
    metadata: Metadata = None,
    tokenizer: Tokenizer = None,
    profile: Profile = "cpu",
) -> None:
    """Check a finished run and complete its folder for a pull request.

    Example: signbench submit my_encoder:MyEncoder
    """
    from benchmarks.submission import entry, folder

    workspace = Workspace()
    about = dict(metadata=metadata, tokenizer=tokenizer, profile=profile)
    found = entry.find(given, workspace, **about)
    done = folder.submit(found, workspace)
    if _print_findings(done.folder, workspace):
        raise typer.Exit(1)
    for corpus in done.left_out:
        typer.echo(f"{corpus}: more than {folder.MOST_CLIPS} clips, embeddings are left out")
    named = found.metadata
    branch = f"submit-{named.name}-{named.revision}"
    typer.echo(
        f"{done.folder}: {done.results} results, {done.bytes / 2**20:.1f} MiB. Open a pull request "
        f"with it:\n  git switch -c {branch}\n  git add {done.folder}\n"
        f"  git commit -m 'Results of {named.name}, revision {named.revision}'\n"
        f"  git push origin {branch}"
    )


@app.command()
def validate(
    folder: Annotated[
        Path, typer.Argument(help="Results, e.g. results/leaderboard/submitted/my-encoder.")
    ],
    sample: Annotated[
        int, typer.Option(min=0, help="Tasks whose ranks are computed again from embeddings.")
    ] = 4,
) -> None:
    """Check that results are what they say: schema, data, scores from ranks, ranks from embeddings.

    No code of the submitter is run. Exit status 1: something is wrong.

    Example: signbench validate results/leaderboard/submitted
    """
    if _print_findings(folder, Workspace(), sample):
        raise typer.Exit(1)
    typer.echo(f"{folder}: valid")


def _print_findings(folder: Path, workspace: Workspace, sample: int = 4) -> int:
    """Print what is wrong and what could not be checked; returns the number of problems."""
    from benchmarks.submission import validation

    problems = 0
    for one in validation.validate(folder, workspace, sample=sample):
        problems += one.problem
        typer.echo(f"{'PROBLEM' if one.problem else 'note'} {one.file}: {one.what}")
    if problems:
        typer.echo(f"{problems} problem{'s' * (problems > 1)}", err=True)
    return problems
