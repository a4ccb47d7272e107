"""The command ``signclip serve``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from signclip.cli.options import Device, Tokenizer

app = typer.Typer()


@app.command()
def serve(
    model: Annotated[
        Path, typer.Argument(help="A run, an imported model, or a released checkpoint.")
    ],
    index: Annotated[
        Path | None, typer.Option(help="Made by `signclip index`; without it nothing is searched.")
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to serve on; 0.0.0.0: to everyone who reaches it.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0: any that is free.")] = 8000,
    max_body: Annotated[
        float, typer.Option(min=0.001, max=2000, help="Largest body of a request, in MB.")
    ] = 32,
    max_frames: Annotated[int, typer.Option(min=1, help="Frames of a clip.")] = 5_000,
    max_batch: Annotated[int, typer.Option(min=1, help="Texts or clips of a request.")] = 64,
    max_text: Annotated[int, typer.Option(min=1, help="Characters of a text.")] = 1_000,
    max_requests: Annotated[int, typer.Option(min=1, help="Requests served at a time.")] = 64,
    timeout: Annotated[
        float, typer.Option(min=0.01, help="Seconds of a request, with the sending of its body.")
    ] = 30,
    videos: Annotated[
        bool, typer.Option(help="Take videos, too, and extract their poses (55 ms a frame).")
    ] = True,
    batch_size: Annotated[int, typer.Option(min=1, help="Most items of a forward pass.")] = 32,
    wait: Annotated[
        float, typer.Option(min=0, max=1000, help="Milliseconds that a batch waits for requests.")
    ] = 4,
    words: Annotated[
        int, typer.Option(min=0, help="Most texts of the index that a clip is compared with.")
    ] = 20_000,
    tokenizer: Tokenizer = None,
    device: Device = "cpu",
) -> None:
    """Serve a model, and an index of signs, over HTTP, with a page to search it.

    Routes: POST /v1/embed/text, /v1/embed/pose and /v1/search, GET /healthz, described at
    /openapi.json; the page is at /. Ctrl-C ends it after the requests that have begun.

    Example: `signclip serve runs/X/0/in_domain --index index/`

    Example: `signclip serve models/E7.2 --port 9000 --max-body 8`
    """
    from signclip import search
    from signclip.serving import server

    server.check_installed()
    with server.bind(host, port) as bound:
        opened = None if index is None else search.Index.open(index)

        from signclip import inference
        from signclip.serving.app import create_app
        from signclip.serving.engine import Engine
        from signclip.serving.limits import Limits

        typer.echo(f"loading {model}")
        loaded = inference.load(model, tokenizer=tokenizer)
        if opened is not None:
            opened.check_model(loaded)
        limits = Limits(
            body=round(max_body * 1e6),
            frames=max_frames,
            batch=max_batch,
            text=max_text,
            seconds=timeout,
            requests=max_requests,
        )
        engine = Engine(
            loaded.to(device),
            opened,
            limits=limits,
            words=words,
            videos=videos,
            batch=batch_size,
            wait=wait / 1000,
        )
        if engine.words is not None:
            left = f" ({engine.words.left_out:,} left out)" if engine.words.left_out else ""
            typer.echo(
                f"{index}: {len(opened or ()):,} signs, {len(engine.words.words):,} words{left}"
            )
        server.run(create_app(engine, server.names(bound)), bound, seconds=timeout, say=typer.echo)
