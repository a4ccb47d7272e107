"""The command ``signclip pack``."""

from __future__ import annotations

from typing import Annotated

import typer

from signclip.cli.options import DEFAULT, CorpusPath, Data, Features, Jobs, Params

app = typer.Typer()


@app.command()
def pack(
    corpus: Annotated[str, typer.Argument(help="A built corpus, or its loader.")],
    variant: Annotated[
        list[str], typer.Option(help="Feature variant of signclip.poses.VARIANTS; repeatable.")
    ],
    path: CorpusPath = None,
    name: Annotated[
        str | None,
        typer.Option(help="Name of the built corpus below --data. Default: CORPUS."),
    ] = None,
    data: Data = DEFAULT.data,
    features: Features = DEFAULT.features,
    dtype: Annotated[str, typer.Option(help="float32, or float16 for large corpora.")] = "float32",
    jobs: Jobs = 1,
    params: Params = DEFAULT.params,
) -> None:
    """Preprocess a built corpus into packed feature stores, one per variant.

    Example: `signclip pack spreadthesign-fingerspelling --variant dominant_hand --variant signing`

    Example: `signclip pack folder --path my-clips --name my-clips --variant dominant_hand`
    """
    from signclip import corpora
    from signclip.core.workspace import Workspace
    from signclip.corpora import manifest
    from signclip.features import store

    workspace = Workspace(data, features, params=params)
    name = name or corpus
    root = corpora.root(corpus, path, params=params)
    clips = manifest.read(workspace.corpus(name))
    folders = {one: workspace.store(name, one) for one in variant}
    store.write_variants(clips, root, folders, dtype=dtype, workers=jobs)
    for out in folders.values():
        meta = store.FeatureStore(out).meta
        typer.echo(
            f"{out}: {meta['clips']} clips, {meta['frames']} frames of {meta['dims']} numbers"
        )
