"""Commands for ``params.yaml`` and the local corpora that it names."""

from __future__ import annotations

from typing import Annotated

import typer

from benchmarks.cli.options import Jobs, Profile, Publish, Seed, check_kept, folder_name
from signclip.core.workspace import Workspace

app = typer.Typer()


@app.command()
def pretrain(
    corpus: Annotated[str, typer.Argument(help="A corpus of params.yaml.")],
    profile: Profile = "cpu",
    seed: Seed = 0,
    jobs: Jobs = 2,
    publish: Publish = False,
) -> None:
    """Train the paper's rows on a local corpus and evaluate them.

    With the use `pretraining` the rows of the pretraining table and X, with `fingerspelling` those
    of FingerCLIP, with `open` E3.2 and X; a corpus with none of them is left alone. The stage
    `pretraining` of dvc.yaml.

    Example: signbench pretrain spreadthesign --profile paper --jobs 1
    """
    _local_corpus(("pretraining", "fingerspelling", "open"), corpus, profile, seed, jobs, publish)


@app.command()
def transfer(
    corpus: Annotated[str, typer.Argument(help="A corpus of params.yaml.")],
    profile: Profile = "cpu",
    seed: Seed = 0,
    jobs: Jobs = 2,
    publish: Publish = False,
) -> None:
    """Measure a local corpus zero-shot, few-shot, from scratch and fine-tuned; write its pages.

    A corpus without the use `transfer` is left alone. The stage `transfer` of dvc.yaml.

    Example: signbench transfer asl-citizen
    """
    _local_corpus(("transfer",), corpus, profile, seed, jobs, publish)


@app.command("open-corpora")
def open_corpora(
    register_only: Annotated[
        bool, typer.Option("--register-only", help="Download nothing: for a plan.")
    ] = False,
) -> None:
    """Fetch the corpora of `make repro CORPORA=open` and register them in params.yaml.

    They are LSA64 and six fingerspelling corpora, as poses of OpenHands, 0.4 GB. Without a
    connection nothing is changed. SIGNCLIP_MIRROR names a mirror, see `signclip corpora fetch`.

    Example: signbench open-corpora
    """
    from benchmarks.open_corpora import prepare

    workspace = Workspace()
    for line in prepare(workspace, download=not register_only):
        typer.echo(line)


@app.command("check-params")
def check_params() -> None:
    """Check params.yaml, the rows that it trains and its local corpora, before anything is run.

    Example: signbench check-params
    """
    from benchmarks import params

    workspace = Workspace()
    typer.echo(f"{workspace.params}: profile {params.check(workspace)}, nothing is missing")


def _local_corpus(
    named: tuple[str, ...], corpus: str, profile: str, seed: int, jobs: int, publish: bool
) -> None:
    from benchmarks import local_corpora

    workspace = Workspace()
    uses = local_corpora.uses_of(folder_name(corpus), workspace)
    use = named[0]  # the stage's name
    if not set(named) & set(uses):
        local_corpora.folders_of(use, corpus, workspace, profile)
        if use == "transfer":  # an output of the stage, as the folders above
            (workspace.results / "transfer" / corpus).mkdir(parents=True, exist_ok=True)
        without = " or ".join(named)
        typer.echo(f"{corpus}: its uses in {workspace.params} are {list(uses)}, without {without}")
        return
    check_kept(workspace.leaderboard / f"{use}-{corpus}", publish)
    job = local_corpora.Job(profile, seed, jobs)
    {"pretraining": local_corpora.pretrain, "transfer": local_corpora.transfer}[use](
        corpus, workspace, job
    )
