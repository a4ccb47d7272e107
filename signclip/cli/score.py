"""The command ``signclip score``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from signclip.cli.options import (
    Device,
    Json,
    Prompt,
    SignLanguage,
    SpokenLanguage,
    Tokenizer,
)

if TYPE_CHECKING:
    from signclip.inference import SignCLIPModel

app = typer.Typer()

DEFAULT_MODEL = Path("runs/X/0/in_domain")


@app.command()
def score(
    clip: Annotated[
        Path,
        typer.Argument(
            help="A video, a pose file (.pose, .parquet of Kaggle asl-signs, .npy of Sem-Lex), or "
            "a folder of them."
        ),
    ],
    text: Annotated[
        list[str] | None,
        typer.Argument(help="Texts; one that begins with a tag is taken as a whole prompt."),
    ] = None,
    texts: Annotated[Path | None, typer.Option(help="A file of texts, one per line.")] = None,
    more: Annotated[
        list[Path] | None, typer.Option("--clip", help="A further clip or folder; repeatable.")
    ] = None,
    model: Annotated[
        Path,
        typer.Option(
            envvar="SIGNCLIP_MODEL", help="A run, an imported model, or a released checkpoint."
        ),
    ] = DEFAULT_MODEL,
    sign_language: SignLanguage = "",
    spoken_language: SpokenLanguage = "en",
    prompt: Prompt = None,
    window: Annotated[
        float | None,
        typer.Option(
            help="Find the texts inside a long clip: seconds of the windows that slide over it."
        ),
    ] = None,
    step: Annotated[float, typer.Option(help="Seconds between the starts of two windows.")] = 0.2,
    k: Annotated[int, typer.Option(min=1, help="Windows shown for each text.")] = 5,
    as_json: Json = False,
    tokenizer: Tokenizer = None,
    device: Device = "cpu",
) -> None:
    """Score clips against texts, the best text first; or find texts inside long clips.

    The pose of a video is read from the .pose file beside it, or else extracted. A clip that
    cannot be used is named, and the exit status is then 1.

    Example: `signclip score clip.mp4 house sun --sign-language ase`

    Example: `signclip score sentence.mp4 house --sign-language ase --window 1 --step 0.2`
    """
    from signclip import inference, search
    from signclip.cli import embedding
    from signclip.core.errors import ConfigError
    from signclip.core.workspace import locate_run
    from signclip.search.sources import clip_files

    given = embedding.prompts(text or [], texts)
    if not given:
        raise ConfigError("no text to score: give some behind the clip, or --texts FILE")
    clips = [file for path in (clip, *(more or ())) for file in clip_files(path)]
    if model == DEFAULT_MODEL and not locate_run(model).exists():
        raise ConfigError(f"give a model with --model; {model}, the default, is not there")
    loaded = inference.load(model, tokenizer=tokenizer).to(device)
    filled = search.prompts(
        loaded,
        given,
        sign_language=sign_language,
        spoken_language=spoken_language,
        template=prompt,
    )
    queries = list(zip(given, filled, strict=True))
    if window is None:
        found, errors = _scores(loaded, clips, queries)
    else:
        found, errors = _windows(loaded, clips, queries, seconds=window, step=step, k=k)
    if len(errors) == len(clips) == 1:
        raise errors[0]
    if as_json:
        import json

        dropped = [{"clip": error.sample, "reason": error.reason} for error in errors]
        values = {"model": str(model), "clips": found, "dropped": dropped}
        typer.echo(json.dumps(values, indent=1, ensure_ascii=False))
    else:
        _print(found, filled[0], with_windows=window is not None)
    for error in errors:
        typer.echo(f"dropped: {error}", err=True)
    if errors:
        raise typer.Exit(1)


def _scores(
    model: SignCLIPModel, clips: list[Path], queries: list[tuple[str, str]]
) -> tuple[list[dict[str, Any]], list[Any]]:
    """For each clip the texts with their scores, best first; and errors."""
    import numpy as np

    from signclip import search
    from signclip.core import files

    prompts = [prompt for _, prompt in queries]
    scores = search.score(model, clips, prompts, progress=len(clips) > 1)
    found = []
    for path, row in zip(scores.clips, scores.values, strict=True):
        # stable: equal scores in the order of the texts
        order = np.argsort(-row, kind="stable").tolist()
        rows = [
            {"text": queries[i][0], "prompt": queries[i][1], "score": float(row[i])} for i in order
        ]
        found.append({"clip": files.as_text(path), "scores": rows})
    return found, list(scores.errors.values())


def _windows(
    model: SignCLIPModel,
    clips: list[Path],
    queries: list[tuple[str, str]],
    *,
    seconds: float,
    step: float,
    k: int,
) -> tuple[list[dict[str, Any]], list[Any]]:
    """For each clip and text the best windows; and errors."""
    from signclip import search
    from signclip.core import files
    from signclip.core.errors import SampleError

    found, errors = [], []
    for path in clips:
        try:
            spotted = search.spot(
                model, path, [prompt for _, prompt in queries], seconds=seconds, step=step, k=k
            )
        except SampleError as error:
            errors.append(error)
            continue
        rows = [
            {"text": text, "prompt": prompt} | window._asdict()
            for (text, prompt), windows in zip(queries, spotted.found, strict=True)
            for window in windows
        ]
        counts = {"windows_scored": spotted.windows_scored, "fps": spotted.fps}
        counts["without_signer"] = spotted.without_signer
        found.append({"clip": files.as_text(path), **counts, "scores": rows})
    return found, errors


def _print(found: list[dict[str, Any]], prompt: str, *, with_windows: bool) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    for one in found:
        if len(found) > 1:
            console.print(Text(one["clip"], style="bold"), soft_wrap=True)
        table = Table(box=None, pad_edge=False)
        table.add_column("score", justify="right", no_wrap=True)
        for title in ("from s", "to s") if with_windows else ():
            table.add_column(title, justify="right", no_wrap=True)
        table.add_column("text", overflow="fold")
        for row in one["scores"]:
            times = [f"{row[name]:.2f}" for name in ("start", "end")] if with_windows else []
            table.add_row(f"{row['score']:.4g}", *times, Text(row["text"]))
        console.print(table)
        if with_windows:
            line = f"{one['windows_scored']} windows scored at {one['fps']:g} frames a second"
            if one["without_signer"]:
                line += f", {one['without_signer']} without a signer left out"
            console.print(line)
    console.print(Text(f"texts are scored as prompts, the first as: {prompt}"))
