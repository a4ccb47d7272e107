"""The command ``signclip extract``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

if TYPE_CHECKING:
    from signclip.extraction.extract import Engine


app = typer.Typer()


@app.command()
def extract(
    videos: Annotated[list[Path], typer.Argument(help="Videos, or folders of them.")],
    out: Annotated[
        Path,
        typer.Argument(
            help="Folder for the `.pose` files and their report. Poses of the same names that "
            "another command wrote there are replaced."
        ),
    ],
    jobs: Annotated[int | None, typer.Option(help="Processes. Default: one per core.")] = None,
    engine: Annotated[str, typer.Option(help="local or ray.")] = "local",
    address: Annotated[
        str | None,
        typer.Option(help="Address of a Ray cluster. Default: start Ray on this machine."),
    ] = None,
    max_pixels: Annotated[
        int | None,
        typer.Option(min=1, help="Refuse videos with larger frames. Default: 2 to the 25."),
    ] = None,
    max_frames: Annotated[
        int | None, typer.Option(min=1, help="Refuse longer videos. Default: 100,000.")
    ] = None,
) -> None:
    """Extract `.pose` files from videos with MediaPipe Holistic.

    A killed command resumes; finished videos are not extracted again. `OUT/extraction.csv` lists
    for each video what was detected, or why there is no pose; if one is missing, the exit status
    is 1.

    Example: `signclip extract my-videos poses/my-videos`

    Example: `signclip extract a.mp4 b.mov poses --engine ray --address auto`
    """
    from signclip.core import workers
    from signclip.extraction import extract as extraction
    from signclip.extraction.video import Limits

    limits = {"pixels": max_pixels, "frames": max_frames}
    done = extraction.run(
        videos,
        out,
        jobs=workers.cores() if jobs is None else jobs,
        engine=cast("Engine", engine),  # checked by extraction.run
        address=address,
        limits=Limits(**{name: limit for name, limit in limits.items() if limit is not None}),
    )
    failed = [one.row for one in done if one.row["status"] == "failed"]
    before = sum(one.reused for one in done)
    typer.echo(
        f"{out}: {len(done) - len(failed)} of {len(done)} videos have poses, {before} of them from "
        f"an earlier command; see {out / extraction.REPORT}"
    )
    for row in failed:
        typer.echo(f"failed: {row['video']}: {row['reason']}", err=True)
    if failed:
        raise typer.Exit(1)
