"""The commands ``signclip embed`` and ``signclip import-checkpoint``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from signclip.cli.options import (
    AttentionHeads,
    MaxFrames,
    MaxTokens,
    Normalise,
    Tokenizer,
    given,
)

if TYPE_CHECKING:
    from signclip.inference import LongPolicy


app = typer.Typer()


@app.command("import-checkpoint")
def import_checkpoint(
    released: Annotated[Path, typer.Argument(help="A checkpoint released by the authors.")],
    out: Annotated[Path, typer.Argument(help="A new folder, which `signclip.load` opens.")],
    variant: Annotated[
        str | None,
        typer.Option(
            help="Feature variant that it was trained on. Default: the one with its number of "
            "values per frame."
        ),
    ] = None,
    prompt: Annotated[
        str | None, typer.Option(help="Template of its texts. Default: that of its recipe.")
    ] = None,
    tokenizer: Tokenizer = None,
    attention_heads: AttentionHeads = None,
    max_frames: MaxFrames = None,
    max_tokens: MaxTokens = None,
    normalise: Normalise = False,
) -> None:
    """Convert a released checkpoint to safetensors, a configuration and a model card.

    Example: `signclip import-checkpoint released.pt models/E7.2 --tokenizer bert-base-cased`
    """
    from signclip import inference
    from signclip.core import files

    model = inference.import_checkpoint(
        released,
        out,
        variant=variant,
        prompt=prompt,
        tokenizer=tokenizer,
        **given(
            attention_heads=attention_heads,
            max_frames=max_frames,
            max_tokens=max_tokens,
            normalise=normalise,
        ),
    )
    typer.echo(
        f"{files.as_text(out)}: {model.metrics['parameters']:,} parameters, variant "
        f"{model.variant or 'not known'}, {'with' if model.tokenizer else 'without'} vocabulary"
    )


@app.command()
def embed(
    model: Annotated[
        Path, typer.Argument(help="A run, an imported model, or a released checkpoint.")
    ],
    poses: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Pose files (.pose, .parquet of Kaggle asl-signs, .npy of Sem-Lex), or folders of "
            "them."
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Output file, .npz or .parquet.")] = Path(
        "embeddings.npz"
    ),
    text: Annotated[list[str] | None, typer.Option(help="A complete prompt; repeatable.")] = None,
    texts: Annotated[Path | None, typer.Option(help="A file of prompts, one per line.")] = None,
    long: Annotated[
        str,
        typer.Option(help="Clips over the model's limit of frames: truncate, windows or drop."),
    ] = "truncate",
    variant: Annotated[
        str | None, typer.Option(help="Feature variant of a model that was not trained here.")
    ] = None,
    tokenizer: Tokenizer = None,
    attention_heads: AttentionHeads = None,
    max_frames: MaxFrames = None,
    max_tokens: MaxTokens = None,
    normalise: Normalise = False,
    batch_size: Annotated[
        int, typer.Option(min=1, help="Clips per batch; no embedding depends on it.")
    ] = 64,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
) -> None:
    """Embed poses and texts into one file.

    Clips that cannot be used are listed in `OUT.dropped.csv` with the reason; the others are
    still written, and the exit status is 1.

    Example: `signclip embed models/E7.2 clips/ --text "<en> <ase> house" --out house.npz`
    """
    from signclip.cli import embedding
    from signclip.core import files
    from signclip.core.workspace import locate_run
    from signclip.experiments.run_folder import check_model

    paths = embedding.pose_files(poses or [], out)
    prompts = embedding.prompts(text or [], texts)
    embedding.check_out(out)
    check_model(locate_run(model))
    from signclip import inference

    released = given(
        attention_heads=attention_heads,
        max_frames=max_frames,
        max_tokens=max_tokens,
        normalise=normalise,
    )
    loaded = inference.load(model, tokenizer=tokenizer, variant=variant, **released).to(device)
    policy = cast("LongPolicy", long)  # checked by the model
    written = embedding.embed(loaded, paths, prompts, out, long=policy, batch_size=batch_size)
    name = files.as_text(out)
    typer.echo(f"{name}: {written.poses} poses and {written.texts} texts of {written.dims} numbers")
    if written.long:
        typer.echo(f"  {written.long} clips over the limit of {written.limit} frames: {long}")
    if written.dropped:
        typer.echo(f"  {written.dropped} clips dropped: {embedding.dropped_file(Path(name))}")
    if written.failed:
        raise typer.Exit(1)
