"""Features from the packed store beside ``.pose`` files read and preprocessed one by one.

    python -m benchmarks.speed.features [--poses house.pose]

Decisions:
- The reference reads each file with pose-format, selects 203 points, normalises by the shoulders,
  hides the legs and, for temporal augmentation, interpolates point by point.
- The store's way reads a batch from the memory map, augments its clips by their validity bits and
  pads them.
- Both run on one thread with files in the page cache, on the same 32 clips in turn; each draws its
  own tempo. The clips of a batch have similar lengths, so that a time belongs to a length: those of
  the embedded corpus nearest its median, and 32 variants of each given file, in which every
  detected point is moved by about a tenth of a pixel.

Cost: half a minute.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import torch
import typer
from pose_format import Pose
from rich.console import Console
from rich.table import Table

from benchmarks.speed import command, report
from signclip import corpora, poses
from signclip.core import files
from signclip.features import store
from signclip.poses.landmarks import FACE_CONTOURS
from signclip.training import data
from signclip.training.examples import Example

CORPUS, VARIANT = "spreadthesign-fingerspelling", "reduced_face"
COMPONENTS = ("POSE_LANDMARKS", "FACE_LANDMARKS", "LEFT_HAND_LANDMARKS", "RIGHT_HAND_LANDMARKS")
LEGS = tuple(
    f"{side}_{part}"
    for side in ("LEFT", "RIGHT")
    for part in ("KNEE", "ANKLE", "HEEL", "FOOT_INDEX")
)
BATCH, MAX_FRAMES = 32, 256
SHIFT = 0.1  # pixels, standard deviation between a file and its variants


def reference_way(path: Path, rng: np.random.Generator, temporal: bool) -> np.ndarray:
    """Read one file with pose-format's functions: float32 (frames, 609)."""
    pose = Pose.read(path.read_bytes())
    contours = {"FACE_LANDMARKS": [str(point) for point in FACE_CONTOURS]}
    pose = pose.get_components(list(COMPONENTS), contours)
    shoulders = [("POSE_LANDMARKS", f"{side}_SHOULDER") for side in ("RIGHT", "LEFT")]
    pose.normalize(pose.header.normalization_info(*shoulders))
    legs = [pose.header.get_point_index("POSE_LANDMARKS", name) for name in LEGS]
    pose.body.data[:, :, legs], pose.body.confidence[:, :, legs] = 0, 0
    if temporal:
        ratio = rng.normal(1, 0.2)
        if len(pose.body.data) > 1 and len(pose.body.data) * ratio < MAX_FRAMES:
            pose = pose.interpolate(new_fps=round(pose.body.fps * ratio), kind="linear")
    values = np.nan_to_num(np.ma.filled(pose.body.data, 0)).astype(np.float32)
    return values.reshape(len(values), -1)


def timed(call: Callable[[], object]) -> float:
    """CPU seconds of a call, which do not count other programs."""
    start = time.process_time()
    call()
    return time.process_time() - start


def variants(path: Path, folder: Path) -> pd.DataFrame:
    """A batch of files like ``path``, as rows of a manifest; detected points move by ``SHIFT``."""
    rng = np.random.default_rng(0)
    rows = []
    for number in range(BATCH):
        pose = poses.read_pose(path)
        seen = pose.body.confidence[..., None] > 0
        shift = rng.normal(0, SHIFT, pose.body.data.shape) * seen
        pose.body.data = pose.body.data + shift.astype(np.float32)
        file = folder / f"{path.stem}-{number}.pose"
        with open(file, "wb") as stream:
            pose.write(stream)
        row = {"id": file.stem, "path": str(file), "sha256": files.sha256_file(file)}
        rows.append(row | {"frames": len(pose.body.data), "fps": pose.body.fps})
    return pd.DataFrame(rows)


def measure(extra: list[Path], repeats: int) -> list[dict]:
    """Median milliseconds per clip: a row for each batch of clips and kind of augmentation.

    Args:
        extra: files whose :func:`variants` are measured beside the embedded corpus.
    """
    torch.set_num_threads(1)
    clips, _ = corpora.build(CORPUS, progress=False)
    root = corpora.root(CORPUS)
    off = (clips["frames"] - clips["frames"].median()).abs()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        batches = {"embedded": clips.iloc[off.argsort(kind="stable")[:BATCH]]}
        for path in extra:
            made = variants(path, folder)
            unchanged = {key: clips.iloc[0][key] for key in clips.columns.difference(made.columns)}
            batches[f"{BATCH} variants of {path.name}"] = made.assign(**unchanged)
        chosen = pd.concat(batches.values(), ignore_index=True)
        store.write(chosen, root, VARIANT, folder / "store", progress=False)
        packed = store.FeatureStore(folder / "store")
        for name, batch in batches.items():
            for steps in ((), ("temporal",)):
                times = _times(batch.to_dict("records"), root, packed, steps, repeats)
                reference, ours = np.median(times, axis=0) / len(batch)
                rows.append(
                    {
                        "clips": name,
                        "frames": float(batch["frames"].mean()),
                        "augmentation": "+".join(steps) or "none",
                        "reference_ms": reference * 1e3,
                        "ours_ms": ours * 1e3,
                        "ratio": reference / ours,
                    }
                )
    return rows


def _times(clips, root: Path, packed, steps, repeats: int) -> list[tuple[float, float]]:
    """CPU seconds of the whole batch in both ways: a pair for each round."""
    rng = np.random.default_rng(0)
    paths = [root / row["path"] for row in clips]
    source = data.ClipDataset(
        [Example(row["id"], "", ("",)) for row in clips],
        packed,
        augmentations=steps,
        max_frames=MAX_FRAMES,
        seed=0,
    )
    if not steps:  # both ways give the same numbers
        for position, path in enumerate(paths):
            difference = np.abs(source[0, position][1] - reference_way(path, rng, False)).max()
            assert difference < 1e-5, (path, difference)

    def reference() -> None:
        for path in paths:
            reference_way(path, rng, bool(steps))

    def ours(epoch: int) -> None:
        source.__getitems__([(epoch, position) for position in range(len(paths))])

    times = [(timed(reference), timed(partial(ours, epoch))) for epoch in range(repeats + 1)]
    return times[1:]  # the first round warms caches


def main(
    pose_files: Annotated[
        list[Path] | None,
        typer.Option("--poses", help="More .pose files; a batch of variants of each is measured."),
    ] = None,
    repeats: Annotated[int, typer.Option(help="Rounds over each batch.")] = 7,
    out: Annotated[Path, typer.Option(help="Folder of the table.")] = report.RESULTS,
) -> None:
    """Measure features from the store beside .pose files; write results/speed/features.csv.

    Example: python -m benchmarks.speed.features --repeats 11 --poses house.pose
    """
    rows = measure(pose_files or [], repeats)
    table = Table("clips", "frames", "augmentation", "reference, ms", "ours, ms", "ratio")
    for row in rows:
        table.add_row(
            row["clips"],
            f"{row['frames']:.1f}",
            row["augmentation"],
            f"{row['reference_ms']:.2f}",
            f"{row['ours_ms']:.3f}",
            f"{row['ratio']:.0f}",
        )
    Console().print(table)
    typer.echo(report.write("features", rows, device="cpu", out=out))


app = command.application(main)

if __name__ == "__main__":
    app()
