"""A whole training, from the store to the weights: how many clips a second, how long one row?

    python -m benchmarks.speed.engine                          # E7.2 as profile paper has it: a GPU
    python -m benchmarks.speed.engine --profile smoke --batches 5     # does it run? a CPU
    python -m benchmarks.speed.engine --loaders 2 4 8          # processes that read ahead

:mod:`benchmarks.speed.training` measures updates alone, on a batch that lies on the device. Here
clips come from a packed store on disk, are augmented, put together and moved, and every update is
checked and logged, as in ``signclip train``: it is that very function. The store is made up, with
the lengths of Spreadthesign's clips and half precision, and lies in the page cache; weights start
at random, with the vocabulary of few texts. The first epoch warms up (and compiles); the time
between the last updates of the first and of the last epoch counts, a validation in it, but no
writing of a state, which comes every ``save_every`` updates.

Cost: with profile ``paper`` 2 GB of disk, and of time 100 updates with each number of loaders.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from rich.console import Console
from rich.table import Table

from benchmarks.speed import report, store_scale
from benchmarks.speed.training import CLIPS, EPOCHS, lengths
from signclip import corpora, poses
from signclip.core.progress import bar
from signclip.corpora import manifest, splits
from signclip.core.workspace import RunId, Workspace
from signclip.experiments import run_folder
from signclip.experiments.config import Compute, RunConfig
from signclip.experiments.table import resolve
from signclip.features import store
from signclip.poses.landmarks import Features
from signclip.training import train

CORPUS = "made-up"
VALIDATED = 50  # one clip of so many
TEXT = "sign number {}"  # with its languages' tags some nine tokens


def make_corpus(folder: Path, variant: str, frames: np.ndarray, seed: int) -> None:
    """A built corpus and its store below ``folder``: random numbers of that many frames a clip."""
    clips = store_scale.made_up(frames)
    clips["text"] = [TEXT.format(i) for i in range(len(clips))]
    clips["split"] = np.where(np.arange(len(clips)) % VALIDATED, "train", "validation")
    dropped = pd.DataFrame(columns=list(manifest.DROPPED_COLUMNS))
    corpora.write(folder / "data" / CORPUS, clips, dropped, splits.build(clips))
    points = len(poses.point_names(variant))
    values = np.random.default_rng(seed).random((2 * int(frames.max()), 3 * points), np.float32)
    valid = np.ones((len(values), points), dtype=bool)

    def features():
        for clip, count in enumerate(frames):
            first = clip % (len(values) - count)
            yield Features(values[first : first + count], valid[first : first + count])

    target = folder / "features" / CORPUS / variant
    store.write_features(clips, features(), variant, target, dtype="float16")


def settings(given: argparse.Namespace, loaders: int) -> RunConfig:
    """The row as the profile has it, from random weights."""
    found = resolve(
        RunId(given.row, given.profile, CORPUS, "official", None, 0),
        Workspace(params=given.params, experiments=given.experiments),
        given={"epochs": given.epochs, "compute": {"loaders": loaders, **dict(given.compute)}},
    )
    return found.model_copy(update={"init": None})


def measure(given: argparse.Namespace, folder: Path, loaders: int) -> dict[str, Any]:
    """Train once; the row of the table."""
    chosen = settings(given, loaders)
    at = [0.0]  # seconds, at each update's end

    with bar(total=given.epochs, desc=f"{loaders} loaders", unit="epoch") as shown:

        def progress(epochs: float) -> None:
            at.append(time.perf_counter())
            shown.update(epochs)

        run = train.train(
            chosen,
            Workspace(folder / "data", folder / "features", folder / f"runs-{loaders}"),
            progress=progress,
        )
    updates = round((len(at) - 1) / given.epochs)
    seconds = (at[-1] - at[updates]) / (given.epochs - 1)
    trained = run_folder.read_metrics(run)["clips"]["train"]
    a_second = trained / seconds
    return {
        "row": given.row,
        "profile": given.profile,
        "batch": chosen.batch_size,
        "loaders": loaders,
        **chosen.compute.model_dump(include={"padding", "precision", "attention", "compile"}),
        "updates": updates,
        "seconds_an_epoch": seconds,
        "clips_per_second": a_second,
        "row_hours": CLIPS * EPOCHS / a_second / 3600,
    }


def _setting(text: str) -> tuple[str, Any]:
    name, _, value = text.partition("=")
    if name not in Compute.model_fields or not value:
        known = ", ".join(Compute.model_fields)
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE of {known}")
    return name, value


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--row", default="E7.2", help="of the experiments")
    parser.add_argument("--profile", default="paper")
    parser.add_argument("--experiments", type=Path, default=Path("benchmarks/experiments.yaml"))
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--batches", type=int, default=50, help="an epoch")
    parser.add_argument("--epochs", type=int, default=2, help="the first warms up")
    parser.add_argument("--loaders", type=int, nargs="+", default=[4], help="one training each")
    parser.add_argument(
        "--compute",
        type=_setting,
        nargs="+",
        default=[],
        metavar="NAME=VALUE",
        help="in the place of the profile's: compile=true attention=sdpa",
    )
    parser.add_argument(
        "--lengths",
        type=Path,
        help="CSV of frames and clips; default: by Spreadthesign's quantiles",
    )
    parser.add_argument("--out", type=Path, default=report.RESULTS, help="folder of the table")
    given = parser.parse_args()
    if given.epochs < 2:
        parser.error("--epochs: the first one warms up, so at least 2")
    return given


def main() -> None:
    """Measure, print, write results/speed/engine-<device>.csv after each training."""
    given = arguments()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    first = settings(given, given.loaders[0])
    rng = np.random.default_rng(0)
    clips = given.batches * first.batch_size * VALIDATED // (VALIDATED - 1)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        frames = lengths(given.lengths, clips, rng)
        make_corpus(Path(folder), first.variant, frames, seed=1)
        for loaders in given.loaders:
            rows.append(measure(given, Path(folder), loaders))
            written = report.write(f"engine-{device}", rows, device=device, out=given.out)
    columns = ("row", "loaders", "attention", "compile", "clips_per_second", "row_hours")
    table = Table(*columns, box=None)
    for row in rows:
        values = (row[name] for name in columns)
        table.add_row(*(f"{x:.1f}" if isinstance(x, float) else str(x) for x in values))
    Console().print(table)
    print(written)


if __name__ == "__main__":
    main()
