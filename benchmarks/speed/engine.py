"""Speed of a whole training, from feature store to weights: clips per second, hours per row.

    python -m benchmarks.speed.engine                          # E7.2 in profile paper: a GPU
    python -m benchmarks.speed.engine --profile smoke --batches 5     # a quick trial on a CPU
    python -m benchmarks.speed.engine --loaders 2 4 8          # processes that read ahead

Decisions:
- It calls the function behind ``signclip train``: clips come from a packed store on disk, are
  augmented, collated and moved to the device, and every update is checked and logged.
  (:mod:`benchmarks.speed.training` measures updates alone, on a batch that is on the device.)
- The store is made up, with the lengths of Spreadthesign's clips, in half precision, and is in the
  page cache. Weights are random; the vocabulary is that of few texts.
- The first epoch warms up (and compiles). What counts is the time between the last updates of the
  first and of the last epoch. It includes a validation, but no saving of a state, which happens
  every ``save_every`` updates.

Cost: in profile ``paper`` 2 GB of disk, and 100 updates for each number of loaders.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import torch
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.speed import command, made_up, report
from signclip import corpora, poses
from signclip.core.progress import bar
from signclip.core.workspace import RunId, Workspace
from signclip.corpora import manifest, splits
from signclip.experiments import run_folder
from signclip.experiments.config import Compute, RunConfig
from signclip.experiments.table import resolve
from signclip.features import store
from signclip.poses.landmarks import Features
from signclip.training import train

CORPUS = "made-up"
VALIDATION_EVERY = 50  # clips: one of them is for validation
TEXT = "sign number {}"  # about nine tokens with its language tags


def make_corpus(workspace: Workspace, variant: str, frames: np.ndarray, seed: int) -> None:
    """Write a built corpus and its store in the workspace: random clips of these lengths."""
    clips = made_up.manifest_rows(frames)
    clips["text"] = [TEXT.format(i) for i in range(len(clips))]
    clips["split"] = np.where(np.arange(len(clips)) % VALIDATION_EVERY, "train", "validation")
    dropped = pd.DataFrame(columns=list(manifest.DROPPED_COLUMNS))
    corpora.write(workspace.corpus(CORPUS), clips, dropped, splits.build(clips))
    points = len(poses.point_names(variant))
    values = np.random.default_rng(seed).random((2 * int(frames.max()), 3 * points), np.float32)
    valid = np.ones((len(values), points), dtype=bool)

    def features():
        for clip, count in enumerate(frames):
            first = clip % (len(values) - count)
            yield Features(values[first : first + count], valid[first : first + count])

    target = workspace.store(CORPUS, variant)
    store.write_features(clips, features(), variant, target, dtype="float16")


@dataclass(frozen=True)
class Settings:
    """What is trained: a row of the table of experiments in a profile, with a few changes."""

    workspace: Workspace  # tables, and where corpus, store and runs go
    row: str = "E7.2"
    profile: str = "paper"
    epochs: int = 2
    compute: dict[str, str] = field(default_factory=dict)  # replaces the profile's

    def config(self, loaders: int) -> RunConfig:
        """The run's configuration, from random weights."""
        run = RunId(self.row, self.profile, CORPUS, "official", None, 0)
        given = {"epochs": self.epochs, "compute": {"loaders": loaders, **self.compute}}
        found = resolve(run, self.workspace, given=given)
        return found.model_copy(update={"init": None})


def measure(settings: Settings, loaders: int) -> dict[str, Any]:
    """Train once; returns a row of the table."""
    config, epochs = settings.config(loaders), settings.epochs
    times = [0.0]  # seconds, at the end of each update

    with bar(total=epochs, desc=f"{loaders} loaders", unit="epoch") as shown:

        def progress(done: float) -> None:
            times.append(time.perf_counter())
            shown.update(done)

        workspace = settings.workspace
        workspace = workspace.replace(runs=workspace.runs / str(loaders))
        run = train.train(config, workspace, progress=progress)
    updates = round((len(times) - 1) / epochs)
    seconds = (times[-1] - times[updates]) / (epochs - 1)
    trained = run_folder.read_metrics(run)["clips"]["train"]
    clips_per_second = trained / seconds
    return {
        "row": settings.row,
        "profile": settings.profile,
        "batch": config.batch_size,
        "loaders": loaders,
        **config.compute.model_dump(include={"padding", "precision", "attention", "compile"}),
        "updates": updates,
        "seconds_an_epoch": seconds,
        "clips_per_second": clips_per_second,
        "row_hours": made_up.CLIPS * made_up.EPOCHS / clips_per_second / 3600,
    }


def _compute(settings: list[str]) -> dict[str, str]:
    """``NAME=VALUE`` words as a dictionary.

    Raises:
        typer.BadParameter: a word has another form, or the name is no field of Compute.
    """
    found = {}
    for text in settings:
        name, _, value = text.partition("=")
        if name not in Compute.model_fields or not value:
            known = ", ".join(Compute.model_fields)
            raise typer.BadParameter(f"{text!r} is not NAME=VALUE of {known}")
        found[name] = value
    return found


def main(
    row: Annotated[str, typer.Option(help="A row of the table of experiments.")] = "E7.2",
    profile: Annotated[str, typer.Option(help="A profile of the parameters.")] = "paper",
    params: Annotated[Path, typer.Option(help="Profiles, and the table of experiments.")] = Path(
        "params.yaml"
    ),
    batches: Annotated[int, typer.Option(help="Batches of an epoch.")] = 50,
    epochs: Annotated[int, typer.Option(min=2, help="Epochs; the first one warms up.")] = 2,
    loaders: Annotated[
        list[int] | None,
        typer.Option(help="Processes that read ahead: a training each. Default: 4."),
    ] = None,
    compute: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Replaces the profile's, as in attention=sdpa."),
    ] = None,
    lengths: Annotated[
        Path | None,
        typer.Option(help="CSV of frames and clips. Default: Spreadthesign's quantiles."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the table.")] = report.RESULTS,
) -> None:
    """Measure whole trainings; write results/speed/engine-<device>.csv after each.

    Example: python -m benchmarks.speed.engine --loaders 2 4 8
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    numbers = loaders or [4]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        workspace = Workspace(
            data=root / "data", features=root / "features", runs=root / "runs", params=params
        )
        settings = Settings(workspace, row, profile, epochs, _compute(compute or []))
        first = settings.config(numbers[0])
        clips = batches * first.batch_size * VALIDATION_EVERY // (VALIDATION_EVERY - 1)
        frames = made_up.draw_lengths(lengths, clips, np.random.default_rng(0))
        make_corpus(workspace, first.variant, frames, seed=1)
        for number in numbers:
            rows.append(measure(settings, number))
            written = report.write(f"engine-{device}", rows, device=device, out=out)
    _print(rows)
    typer.echo(written)


def _print(rows: list[dict[str, Any]]) -> None:
    columns = ("row", "loaders", "attention", "compile", "clips_per_second", "row_hours")
    table = Table(*columns, box=None)
    for row in rows:
        values = (row[name] for name in columns)
        table.add_row(*(f"{x:.1f}" if isinstance(x, float) else str(x) for x in values))
    Console().print(table)


app = command.application(main)

if __name__ == "__main__":
    app()
