"""Features from the packed store beside ``.pose`` files read and preprocessed one by one.

    python -m benchmarks.speed.features [--poses house.pose]

* The reference's way: pose-format reads the file, selects 203 points, normalises by the shoulders,
  hides the legs and, for temporal augmentation, interpolates point by point.
* Ours: the clips of a batch from the memory map, augmented from their validity bits, padded.

Both on one thread, files in the page cache, clip for clip side by side, on ``.pose`` files of the
embedded corpus (and yours). A batch holds one clip as often as it has places, so that a time
belongs to a length. Cost: a minute.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from pose_format import Pose
from rich.console import Console
from rich.table import Table

from benchmarks.speed import report
from signclip import corpora, data, files, poses, store
from signclip.points import FACE_CONTOURS

CORPUS, VARIANT = "spreadthesign-fingerspelling", "reduced_face"
COMPONENTS = ("POSE_LANDMARKS", "FACE_LANDMARKS", "LEFT_HAND_LANDMARKS", "RIGHT_HAND_LANDMARKS")
LEGS = tuple(
    f"{side}_{part}"
    for side in ("LEFT", "RIGHT")
    for part in ("KNEE", "ANKLE", "HEEL", "FOOT_INDEX")
)
BATCH, MAX_FRAMES = 32, 256


def reference_way(path: Path, rng: np.random.Generator, temporal: bool) -> np.ndarray:
    """One file to float32 (frames, 609), with pose-format's own functions."""
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
    """CPU seconds of a call: what a busy machine adds does not count."""
    start = time.process_time()
    call()
    return time.process_time() - start


def measure(poses_: list[Path], repeats: int) -> list[dict]:
    """One row a group of clips and kind of augmentation, medians over clips and repeats.

    Args:
        poses_: files beside the embedded corpus's eight clips of its median length; a row each.
    """
    torch.set_num_threads(1)
    clips, _ = corpora.build(CORPUS, progress=False)
    root = corpora.root(CORPUS)
    off = (clips["frames"] - clips["frames"].median()).abs()
    groups = {"embedded": clips.iloc[off.argsort(kind="stable")[:8]]}
    for path in poses_:
        own = {"id": path.stem, "path": str(path.resolve()), "sha256": files.sha256_file(path)}
        body = poses.read_pose(path).body
        own |= {"frames": len(body.data), "fps": body.fps}
        groups[path.name] = pd.DataFrame([{**clips.iloc[0].to_dict(), **own}])
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        chosen = pd.concat(groups.values(), ignore_index=True)
        store.write(chosen, root, VARIANT, Path(folder, "store"), progress=False)
        packed = store.FeatureStore(Path(folder, "store"))
        for name, group in groups.items():
            for steps in ((), ("temporal",)):
                times = _times(group.to_dict("records"), root, packed, steps, repeats)
                reference, ours = np.median(times, axis=0)
                rows.append(
                    {
                        "clips": name,
                        "frames": float(group["frames"].mean()),
                        "augmentation": "+".join(steps) or "none",
                        "reference_ms": reference * 1e3,
                        "ours_ms": ours * 1e3,
                        "ratio": reference / ours,
                    }
                )
    return rows


def _times(clips, root: Path, packed, steps, repeats: int) -> list[tuple[float, float]]:
    rng = np.random.default_rng(0)
    times = []
    for row in clips:
        path, example = root / row["path"], data.Example(row["id"], "", "")
        source = data.ClipDataset(
            [example] * BATCH, packed, augmentations=steps, max_frames=MAX_FRAMES, seed=0
        )
        if not steps:  # the same numbers, by both roads
            difference = np.abs(source[0, 0][1] - reference_way(path, rng, False)).max()
            assert difference < 1e-5, (row["id"], difference)

        def batch(epoch: int, source=source) -> None:
            values = [source[epoch, position][1] for position in range(BATCH)]
            data.pad_frames(values, MAX_FRAMES)

        for epoch in range(-1, repeats):
            one = timed(lambda path=path: reference_way(path, rng, bool(steps)))
            other = timed(lambda epoch=epoch, batch=batch: batch(epoch + 1)) / BATCH
            if epoch >= 0:  # the first round warms caches
                times.append((one, other))
    return times


def main() -> None:
    """Measure, print, write results/speed/features.csv."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--poses", type=Path, nargs="*", default=[], help="more .pose files")
    parser.add_argument("--repeats", type=int, default=7, help="rounds over each clip")
    given = parser.parse_args()
    rows = measure(given.poses, given.repeats)
    table = Table("clips", "frames", "augmentation", "reference, ms", "ours, ms", "ratio")
    for row in rows:
        table.add_row(
            row["clips"],
            f"{row['frames']:.0f}",
            row["augmentation"],
            f"{row['reference_ms']:.2f}",
            f"{row['ours_ms']:.3f}",
            f"{row['ratio']:.0f}",
        )
    Console().print(table)
    print(report.write("features", rows, device="cpu"))


if __name__ == "__main__":
    main()
