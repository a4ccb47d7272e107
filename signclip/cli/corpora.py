"""The commands ``signclip corpora ...``.

Decision: as everywhere on the command line, each is a call of the library (see
:mod:`signclip.cli`). They stand outside the package ``signclip.corpora``, so that ``--help`` does
not import it (a second, for pandas and pose-format).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

app = typer.Typer(no_args_is_help=False, invoke_without_command=True)

Copy = Annotated[
    Path | None,
    typer.Option("--path", help="Where your copy of the corpus is. Default: as in params.yaml."),
]
Data = Annotated[Path, typer.Option(help="Folder of corpora, one folder each.")]
Jobs = Annotated[int, typer.Option(help="Processes that read clips.")]


@app.callback()
def list_corpora(context: typer.Context, data: Data = Path("data")) -> None:
    """List the corpora: is it there, where, how many clips, languages and signers.

    Counts in brackets are published ones (?: not known), the others those of the built manifest.

    Example: `signclip corpora`
    """
    if context.invoked_subcommand:
        return
    from signclip import corpora
    from signclip.corpora import enabled, manifest

    table = Table(box=None, pad_edge=False)
    for title in ("corpus", "there"):
        table.add_column(title, no_wrap=True)  # the name is what the other commands take
    for title in ("clips", "languages", "signers"):
        table.add_column(title, no_wrap=True, justify="right")
    table.add_column("path", overflow="fold")
    for name, module in corpora.CORPORA.items():
        found = corpora.find(name)
        if (data / name / manifest.MANIFEST_FILE).is_file():
            counts = [f"{number:,}" if number else "?" for number in manifest.counts(data / name)]
        else:
            expected = module.ABOUT.expected
            numbers = (expected.clips, expected.languages, expected.signers)
            counts = ["(?)" if number is None else f"({number:,})" for number in numbers]
        where = found or enabled.path_of(name) or ""  # also a path that leads nowhere
        table.add_row(name, "yes" if found else "no", *counts, str(where))
    Console().print(table)


@app.command()
def show(name: str) -> None:
    """What a corpus is and how to get it.

    Example: `signclip corpora show spreadthesign-fingerspelling`
    """
    from signclip import corpora

    module = corpora.corpus(name)
    found = corpora.find(name)
    about = module.ABOUT
    expected = about.expected
    lines = [
        module.TITLE,
        f"licence: {module.LICENCE}",
        f"  source: {about.licence_source}",
        f"homepage: {about.homepage}",
        f"cite: {about.citation}",
        f"tags: {', '.join(about.sign_languages) or 'yours'}",
        f"expected: {expected.text('clips')} clips, {expected.text('languages')} sign languages, "
        f"{expected.text('signers')} signers, {expected.text('labels')} labels",
        f"  source: {about.expected_source}",
        f"layout: {about.layout}",
        f"splits: {about.splits}",
        *(f"known defect: {defect}" for defect in about.defects),
        f"found: {found}" if found else "not found",
        module.INSTRUCTIONS,
    ]
    typer.echo("\n".join(lines))


@app.command()
def enable(
    name: str,
    path: Annotated[Path, typer.Argument(help="Where your copy of the corpus is.")],
) -> None:
    """Write where your copy of a corpus is into params.yaml, so that no command needs --path.

    Example: `signclip corpora enable asl-signs ../asl-signs`
    """
    from signclip import corpora
    from signclip.corpora import enabled

    found = corpora.root(name, path)
    enabled.enable(name, path)
    typer.echo(f"{enabled.PARAMS}: {name} is {found}")


@app.command()
def build(
    name: str,
    out: Annotated[Path | None, typer.Option(help="Default: data/NAME.")] = None,
    path: Copy = None,
    clean_glosses: Annotated[
        bool, typer.Option("--clean-glosses", help="Glosses as the paper compares them.")
    ] = False,
    jobs: Jobs = 1,
) -> None:
    """Read a corpus: write its manifest, its dropped clips with reasons, and its splits.

    Example: `signclip corpora build folder --path my-clips --out data/my-clips`
    """
    from signclip import corpora
    from signclip.corpora import manifest, splits

    out = out or Path("data", name)
    clips, dropped = corpora.build(name, path, clean_glosses=clean_glosses, workers=jobs)
    table = corpora.split_table(name, clips)
    corpora.write(out, clips, dropped, table)
    typer.echo(
        f"{out}: {len(clips)} clips, {clips['sign_language'].nunique()} sign languages, "
        f"{len(dropped)} dropped"
    )
    for line in manifest.reasons(dropped):
        typer.echo(f"  dropped {line}")
    for split, rows in table.groupby("split", sort=False):
        typer.echo(f"  split {split}: {splits.shared_signers(rows, clips).text()}")


@app.command()
def fetch(
    name: str,
    to: Annotated[Path, typer.Option(help="Folder for the corpus's files.")],
    only: Annotated[
        str | None, typer.Option(help="One of its downloads. Default: all of them.")
    ] = None,
) -> None:
    """Download what can be had without a form; run it again to go on after a break.

    Example: `signclip corpora fetch wlasl --to ../wlasl`
    """
    from signclip import corpora
    from signclip.corpora.fetch import fetch as get

    about = corpora.corpus(name).ABOUT
    if about.downloads:
        typer.echo(f"licence: {about.licence} ({about.licence_source})", err=True)
    for path in get(name, to, only=only):
        typer.echo(path)
    typer.echo(about.instructions)


@app.command()
def card(
    name: str,
    path: Copy = None,
    corpus: Annotated[
        str | None, typer.Option(help="The folder below --data, if not the corpus's name.")
    ] = None,
    data: Data = Path("data"),
    out: Annotated[Path, typer.Option(help="Folder for the card.")] = Path("results/corpora"),
) -> None:
    """Write the card of a built corpus: counts, lengths, detection, licence, defects, a picture.

    Example: `signclip corpora card spreadthesign-fingerspelling`
    """
    from signclip import corpora
    from signclip.corpora.card import write

    root = corpora.root(name, path)
    for written in write(data / (corpus or name), root, corpora.corpus(name).ABOUT, out).values():
        typer.echo(written)
