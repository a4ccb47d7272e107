"""The commands ``signclip corpora ...``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from signclip.cli.options import DEFAULT, CorpusPath, Data, Jobs, Params, Use

app = typer.Typer(no_args_is_help=False, invoke_without_command=True)

Name = Annotated[
    str, typer.Argument(help="A local corpus (a name in params.yaml), or a loader of the list.")
]


@app.callback()
def list_corpora(
    context: typer.Context, data: Data = DEFAULT.data, params: Params = DEFAULT.params
) -> None:
    """Register, build, fetch and describe corpora; without a command: list them.

    The list has the local corpora of params.yaml and the layouts that can be loaded: whether the
    files are here, the number of clips, languages and signers, the folder and its use. Counts in
    brackets are published ones (?: not known), the others those of the built corpus.

    Example: `signclip corpora`
    """
    if context.invoked_subcommand:
        return
    from rich.console import Console
    from rich.table import Table

    from signclip import corpora
    from signclip.corpora import local, manifest

    registered = local.entries(params)
    table = Table(box=None, pad_edge=False)
    for title in ("corpus", "here"):
        table.add_column(title, no_wrap=True)  # the name is an argument of the other commands
    for title in ("clips", "languages", "signers"):
        table.add_column(title, no_wrap=True, justify="right")
    table.add_column("path", overflow="fold")
    for name in dict.fromkeys([*registered, *corpora.LOADERS]):
        found = corpora.find(name, params=params)
        if (data / name / manifest.MANIFEST_FILE).is_file():
            counts = [f"{number:,}" if number else "?" for number in manifest.counts(data / name)]
        else:
            expected = corpora.loader(name, params=params).about.expected
            numbers = (expected.clips, expected.languages, expected.signers)
            counts = ["(?)" if number is None else f"({number:,})" for number in numbers]
        path = found or (registered[name].path if name in registered else "")
        use = f" ({', '.join(registered[name].use)})" if name in registered else ""
        table.add_row(name, "yes" if found else "no", *counts, f"{path}{use}")
    Console().print(table)


@app.command()
def show(name: Name, params: Params = DEFAULT.params) -> None:
    """Describe a corpus: layout, licence, citation, known defects, and how to get it.

    Example: `signclip corpora show spreadthesign-fingerspelling`
    """
    from signclip import corpora

    about = corpora.loader(name, params=params).about
    found = corpora.find(name, params=params)
    expected = about.expected
    lines = [
        about.title,
        *([f"loader: {about.name}"] if about.name != name else []),
        f"licence: {about.licence}",
        f"  source: {about.licence_source}",
        f"homepage: {about.homepage}",
        f"cite: {about.citation}",
        f"tags: {', '.join(about.sign_languages) or 'any'}",
        f"expected: {expected.text('clips')} clips, {expected.text('languages')} sign languages, "
        f"{expected.text('signers')} signers, {expected.text('labels')} labels",
        f"  source: {about.expected_source}",
        f"layout: {about.layout}",
        f"splits: {about.splits}",
        *(f"known defect: {defect}" for defect in about.defects),
        f"found: {found}" if found else f"not found. {about.instructions()}",
    ]
    typer.echo("\n".join(lines))


@app.command()
def enable(
    name: Annotated[str, typer.Argument(help="The corpus's name: a loader, or one of your own.")],
    path: Annotated[Path, typer.Argument(help="Folder of the corpus.")],
    loader: Annotated[
        str | None,
        typer.Option(help="Layout of the folder. Default: NAME if it is one, or folder."),
    ] = None,
    use: Annotated[
        list[Use] | None,
        typer.Option(
            help="What `make repro` does with it; repeatable. Default: transfer; for the loader "
            "spreadthesign pretraining."
        ),
    ] = None,
    params: Params = DEFAULT.params,
) -> None:
    """Register the folder of a corpus in params.yaml, so that commands and the pipeline find it.

    Example: `signclip corpora enable asl-signs ../asl-signs`

    Example: `signclip corpora enable my-clips ../clips --loader folder --use transfer`
    """
    from signclip import corpora

    corpus = corpora.enable(
        name, path, loader=loader, use=[one.value for one in use] if use else None, params=params
    )
    used = f"for {' and '.join(corpus.use)}"
    typer.echo(f"{params}: {name} is {path} (loader {corpus.loader}), {used}")
    if params == DEFAULT.params:
        advice = f"build it with `signclip corpora build {name}`, or run the pipeline: `make repro`"
    else:
        advice = f"build it with `signclip corpora build {name} --params {params}`"
    typer.echo(advice)


@app.command()
def build(
    name: Name,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the built corpus. Default: data/NAME.")
    ] = None,
    path: CorpusPath = None,
    clean_glosses: Annotated[
        bool, typer.Option("--clean-glosses", help="Clean glosses as for the paper's ASL tests.")
    ] = False,
    jobs: Jobs = 1,
    params: Params = DEFAULT.params,
) -> None:
    """Build a corpus: write its manifest, its dropped clips with reasons, and its splits.

    Example: `signclip corpora build asl-signs`

    Example: `signclip corpora build folder --path my-clips --out data/my-clips`
    """
    from signclip import corpora
    from signclip.corpora import manifest, splits

    out = out or DEFAULT.corpus(name)
    clips, dropped = corpora.build(
        name, path, clean_glosses=clean_glosses, workers=jobs, params=params
    )
    table = corpora.split_table(name, clips, params=params)
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
    name: Annotated[str, typer.Argument(help="A loader of `signclip corpora`.")],
    to: Annotated[Path, typer.Option(help="Folder for the files.")],
    only: Annotated[
        str | None, typer.Option(help="One of its downloads. Default: all of them.")
    ] = None,
) -> None:
    """Download the files that need no form; the same command resumes after an interruption.

    With the environment variable SIGNCLIP_MIRROR, files come from <mirror>/<corpus>/<file> instead.

    Example: `signclip corpora fetch lsa64 --to ../lsa64`
    """
    from signclip import corpora
    from signclip.corpora.fetch import fetch as download

    about = corpora.loader(name).about
    if about.downloads:
        typer.echo(f"licence: {about.licence} ({about.licence_source})", err=True)
    for path in download(about.name, to, only=only):
        typer.echo(path)
    typer.echo(about.instructions(fetched=to))


@app.command()
def card(
    name: Name,
    path: CorpusPath = None,
    corpus: Annotated[
        str | None, typer.Option(help="Name of the built corpus below --data. Default: NAME.")
    ] = None,
    data: Data = DEFAULT.data,
    out: Annotated[Path, typer.Option(help="Folder for the card.")] = DEFAULT.results / "corpora",
    publish: Annotated[
        bool, typer.Option("--publish", help="Replace a card that is there and differs.")
    ] = False,
    params: Params = DEFAULT.params,
) -> None:
    """Write the card of a built corpus: counts, lengths, detection, licence, defects, a figure.

    A card that is there and differs is kept; the new one is written below results/local.

    Example: `signclip corpora card spreadthesign-fingerspelling`
    """
    from signclip import corpora
    from signclip.core import publish as publishing
    from signclip.corpora.card import write

    root = corpora.root(name, path, params=params)
    about = corpora.loader(name, params=params).about

    def make(results: Path) -> Iterable[Path]:
        return write(data / (corpus or name), root, about, results / out.name).values()

    written = publishing.write(out.parent, make, publish=publish)
    if written.kept:
        typer.echo(written.note(), err=True)
    for one in written.paths:
        typer.echo(one)
