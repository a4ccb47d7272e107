"""Does a store of half a million clips hurt? Build, open and read one, and print what it takes.

``python -m benchmarks.speed.store_scale`` makes a synthetic corpus with the lengths of
Spreadthesign's poses (``--lengths``: a CSV of frames and clips), one point a frame, and writes
``results/speed/store_scale.json``. Bars: the store is built in a minute, opened in a second, and
reading clips at random does not grow in memory.

Decision: features are made up beforehand, because making them (1 to 5 ms a clip) is another cost.
Memory is the process's own and what it has mapped, as the operating system counts them. Cost: about
a minute and 1 GB of disk.
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer

from benchmarks.results import hardware
from signclip.core import files
from signclip.corpora import manifest, splits
from signclip.features import store
from signclip.poses import Features

CLIPS, DIMS, READS = 450_000, 3, 100_000
BARS = {"build_seconds": 60.0, "open_seconds": 1.0, "random_access_growth_mib": 80.0}
SEED = 0


def lengths(table: Path, clips: int) -> np.ndarray:
    """int (clips,): frames of each clip, drawn from a table of columns frames and clips."""
    known = pd.read_csv(table)
    share = known["clips"] / known["clips"].sum()
    return np.random.default_rng(SEED).choice(known["frames"], size=clips, p=share)


def made_up(frames: np.ndarray) -> pd.DataFrame:
    """A manifest of as many clips, with ids and hashes as long as real ones."""
    count = len(frames)
    digests = [hashlib.sha256(b"%d" % i).hexdigest() for i in range(count)]
    return pd.DataFrame(
        {
            "id": [str(i) for i in range(count)],
            "path": [f"sign-mt-poses/{digest}.pose" for digest in digests],
            "sha256": digests,
            "text": [f"concept {i % 18_423}" for i in range(count)],
            "sign_language": "ase",
            "spoken_language": "en",
            "signer": "",
            "split": np.where(np.arange(count) % 100 == 0, "test", "train"),
            "frames": frames,
            "fps": 25.0,
        }
    )


def features(frames: np.ndarray) -> Iterator[Features]:
    """Numbers of that many frames, clip by clip."""
    values = np.random.default_rng(SEED).random((int(frames.max()), DIMS), dtype=np.float32)
    valid = np.ones((len(values), DIMS // 3), dtype=bool)
    for count in frames:
        yield Features(values[:count], valid[:count])


def memory() -> dict[str, float]:
    """MiB of this process: ``own`` (anonymous) and ``mapped`` (of files), from the kernel."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    kib = {line.split(":")[0]: line.split()[1] for line in lines if line.startswith("Rss")}
    return {"own": int(kib["RssAnon"]) / 1024, "mapped": int(kib["RssFile"]) / 1024}


def measure(table: Path, clips: int, folder: Path) -> dict[str, float]:
    """Build, open and read a store below ``folder``."""
    frames = lengths(table, clips)
    rows = made_up(frames)
    figures: dict[str, float] = {"clips": clips, "frames": int(frames.sum())}

    def timed(name: str, start: float) -> None:
        figures[name] = round(time.perf_counter() - start, 2)

    start = time.perf_counter()
    store.write_features(rows, features(frames), "synthetic", folder / "store")
    timed("build_seconds", start)
    corpus = folder / "corpus"
    corpus.mkdir()
    rows.to_parquet(corpus / manifest.MANIFEST_FILE, index=False)
    start = time.perf_counter()
    splits.check_disjoint(splits.official(rows), rows)
    timed("check_split_seconds", start)
    del rows
    start = time.perf_counter()
    manifest.counts(corpus)
    timed("count_manifest_seconds", start)
    start = time.perf_counter()
    opened = store.FeatureStore(folder / "store")
    timed("open_seconds", start)
    start = time.perf_counter()
    whole = manifest.read(corpus)
    timed("read_manifest_seconds", start)
    start = time.perf_counter()
    store.FeatureStore.of(whole, folder / "store")
    timed("open_for_manifest_seconds", start)

    chosen = np.random.default_rng(SEED + 1).integers(0, clips, READS)
    ids = opened.index["id"].to_numpy()[chosen].tolist()
    for clip in ids[:1000]:
        opened[clip]
    before, most = memory(), memory()
    start = time.perf_counter()
    for number, clip in enumerate(ids):
        opened[clip]
        if number % 1000 == 0:
            most = {kind: max(most[kind], now) for kind, now in memory().items()}
    figures["random_access_microseconds"] = round(1e6 * (time.perf_counter() - start) / READS, 1)
    grown = {kind: most[kind] - before[kind] for kind in before}
    figures["random_access_growth_own_mib"] = round(grown["own"], 1)
    figures["random_access_growth_mib"] = round(sum(grown.values()), 1)
    figures["memory_mib"] = round(sum(most.values()), 1)
    return figures


def main(
    table: Annotated[Path, typer.Option("--lengths", help="CSV: frames, clips.")] = Path(
        "../shared/paper/spreadthesign_pose_lengths.csv"
    ),
    clips: Annotated[int, typer.Option(help="How many.")] = CLIPS,
    out: Annotated[Path, typer.Option(help="Where the figures go.")] = Path(
        "results/speed/store_scale.json"
    ),
) -> None:
    """Measure and write the figures; exit status 1 where a bar is missed."""
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(table, clips, Path(folder))
    missed = [name for name, bar in BARS.items() if figures[name] > bar]
    for name, value in figures.items():
        bar = f"  (bar: {BARS[name]:g})" if name in BARS else ""
        typer.echo(f"{name:32} {value:>12,}{bar}")
    report = {"figures": figures, "bars": BARS, "missed": missed, "hardware": hardware()}
    files.write_text(out, files.canonical_json(files.sealed(report)))
    if missed:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
