"""The commands ``signclip index`` and ``signclip search``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from signclip.cli.options import (
    DEFAULT,
    Data,
    Device,
    Jobs,
    Json,
    Params,
    Prompt,
    SpokenLanguage,
    Tokenizer,
)

if TYPE_CHECKING:
    from signclip.search import Hit

app = typer.Typer()


@app.command()
def index(
    sources: Annotated[
        list[str],
        typer.Argument(
            help="Pose files, videos, folders of them, folders with manifest.csv, or names of "
            "built corpora."
        ),
    ],
    model: Annotated[
        Path, typer.Option(help="A run, an imported model, or a released checkpoint.")
    ],
    out: Annotated[Path, typer.Option(help="Folder of the index; an earlier index is replaced.")],
    sign_language: Annotated[
        str, typer.Option(help="Tag of clips whose source does not say their sign language.")
    ] = "",
    batch_size: Annotated[
        int, typer.Option(min=1, help="Clips per batch; no embedding depends on it.")
    ] = 64,
    jobs: Jobs = 1,
    tokenizer: Tokenizer = None,
    device: Device = "cpu",
    data: Data = DEFAULT.data,
    params: Params = DEFAULT.params,
) -> None:
    """Embed clips into an index that `signclip search` searches.

    Clips that cannot be used are listed in `OUT/dropped.csv` with the reason; the others are
    still indexed, and the exit status is 1.

    Example: `signclip index clips/ --model models/E7.2 --out index/`

    Example: `signclip index asl-signs --model runs/X/0/in_domain --out index/ --jobs 4`
    """
    from signclip import inference, search

    workspace = DEFAULT.replace(data=data, params=params)
    found = search.find_clips(sources, sign_language=sign_language, workspace=workspace)
    loaded = inference.load(model, tokenizer=tokenizer).to(device)
    built = search.build(found, loaded, out, model_path=model, workers=jobs, batch_size=batch_size)
    tags = list(built.index.languages.items())
    named = ", ".join(f"{tag} {count:,}" for tag, count in tags[:8]) + ", ..." * (len(tags) > 8)
    typer.echo(f"{out}: {len(built.index):,} signs of {built.index.dims} numbers")
    if named:
        typer.echo(f"  sign languages: {named}")
    if built.cut:
        limit = loaded.model.config.max_frames
        typer.echo(f"  {built.cut:,} clips cut to the model's limit of {limit} frames")
    if built.dropped:
        typer.echo(f"  {built.dropped:,} clips dropped: {out / 'dropped.csv'}")
        raise typer.Exit(1)


@app.command()
def search(
    folder: Annotated[Path, typer.Argument(metavar="INDEX", help="Made by `signclip index`.")],
    text: Annotated[
        str | None,
        typer.Argument(help="A text; one that begins with a tag is taken as a whole prompt."),
    ] = None,
    clip: Annotated[
        Path | None, typer.Option(help="Search by an example instead: a video or pose file.")
    ] = None,
    k: Annotated[int, typer.Option(min=1, help="Number of signs.")] = 10,
    sign_language: Annotated[
        str, typer.Option(help="Tag: only signs with it are found; it is also part of the prompt.")
    ] = "",
    spoken_language: SpokenLanguage = "en",
    prompt: Prompt = None,
    show: Annotated[
        Path | None,
        typer.Option(help="Write the found signs: .html (moving skeletons) or .png (strips)."),
    ] = None,
    as_json: Json = False,
    model: Annotated[
        Path | None, typer.Option(help="Default: where the model was when the index was built.")
    ] = None,
    tokenizer: Tokenizer = None,
    device: Device = "cpu",
) -> None:
    """Find signs by a text or by an example clip.

    Texts are scored as the model was trained, clips by cosine.

    Example: `signclip search index/ house --sign-language ase --show house.html`

    Example: `signclip search index/ --clip clip.pose --k 5`
    """
    from signclip import inference
    from signclip import search as library
    from signclip.core import files
    from signclip.core.errors import ConfigError
    from signclip.search import skeletons
    from signclip.search.sources import with_pose

    if (text is None) == (clip is None):
        raise ConfigError("give either a text or --clip")
    if show is not None:
        skeletons.check_out(show)
    opened = library.Index.open(folder)
    loaded = inference.load(model or Path(opened.meta["model"]["path"]), tokenizer=tokenizer)
    opened.check_model(loaded.to(device))
    if clip is not None:
        query, vectors = files.as_text(clip), loaded.embed_pose([with_pose(clip)])
    else:
        assert text is not None
        (query,) = library.prompts(
            loaded,
            [text],
            sign_language=sign_language,
            spoken_language=spoken_language,
            template=prompt,
        )
        vectors = loaded.embed_text([query])
    (hits,) = opened.search(vectors, k, sign_language or None, cosine=clip is not None)
    if show is not None:
        skeletons.write(show, text or query, hits)
    if as_json:
        import json

        values = {"query": query, "index": str(folder), "signs": len(opened)}
        found = [{"rank": rank, **hit._asdict()} for rank, hit in enumerate(hits, start=1)]
        typer.echo(json.dumps(values | {"hits": found}, indent=1, ensure_ascii=False))
        return
    typer.echo(f"{query}: best of {len(opened):,} signs")
    _print(hits)
    if show is not None:
        typer.echo(show)


def _print(hits: list[Hit]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for title in ("", "score"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("text", overflow="fold", max_width=24)
    table.add_column("language", no_wrap=True)
    table.add_column("s", justify="right", no_wrap=True)
    table.add_column("clip", overflow="fold")
    for rank, hit in enumerate(hits, start=1):
        seconds = f"{hit.frames / hit.fps:.1f}"
        row = (str(rank), f"{hit.score:.4g}", Text(hit.text), hit.sign_language, seconds)
        table.add_row(*row, Text(hit.id))
    Console().print(table)
