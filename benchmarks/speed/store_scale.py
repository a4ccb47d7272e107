"""The cost of a feature store of half a million clips: build, open and read one.

    python -m benchmarks.speed.store_scale

Writes ``results/speed/store_scale.json``. Bars: the store is built within a minute, opens within
a second, and reading clips at random does not grow in memory.

Decisions:
- The corpus is made up, with the lengths of Spreadthesign's poses and one point per frame. Its
  features are generated beforehand, because computing them (1 to 5 ms per clip) is another cost.
- Memory is the process's own and what it has mapped, as the operating system counts them.

Cost: about a minute and 1 GB of disk.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from benchmarks.speed import bars, made_up
from signclip.corpora import manifest, splits
from signclip.features import store
from signclip.poses import Features

CLIPS, DIMS, READS = 450_000, 3, 100_000
BARS = {"build_seconds": 60.0, "open_seconds": 1.0, "random_access_growth_mib": 80.0}
SEED = 0


def features(frames: np.ndarray) -> Iterator[Features]:
    """Random features with these numbers of frames, clip by clip."""
    values = np.random.default_rng(SEED).random((int(frames.max()), DIMS), dtype=np.float32)
    valid = np.ones((len(values), DIMS // 3), dtype=bool)
    for count in frames:
        yield Features(values[:count], valid[:count])


def memory() -> dict[str, float]:
    """MiB of this process: ``own`` (anonymous) and ``mapped`` (of files), from the kernel."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    kib = {line.split(":")[0]: line.split()[1] for line in lines if line.startswith("Rss")}
    return {"own": int(kib["RssAnon"]) / 1024, "mapped": int(kib["RssFile"]) / 1024}


def measure(table: Path | None, clips: int, folder: Path) -> dict[str, float]:
    """Build, open and read a store below ``folder``; lengths are drawn from ``table``."""
    frames = made_up.draw_lengths(table, clips, np.random.default_rng(SEED))
    rows = made_up.manifest_rows(frames)
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
    reader = store.FeatureStore(folder / "store")
    timed("open_seconds", start)
    start = time.perf_counter()
    whole = manifest.read(corpus)
    timed("read_manifest_seconds", start)
    start = time.perf_counter()
    store.FeatureStore.of(whole, folder / "store")
    timed("open_for_manifest_seconds", start)

    chosen = np.random.default_rng(SEED + 1).integers(0, clips, READS)
    ids = reader.index["id"].to_numpy()[chosen].tolist()
    for clip in ids[:1000]:
        reader[clip]
    before, most = memory(), memory()
    start = time.perf_counter()
    for number, clip in enumerate(ids):
        reader[clip]
        if number % 1000 == 0:
            most = {kind: max(most[kind], now) for kind, now in memory().items()}
    figures["random_access_microseconds"] = round(1e6 * (time.perf_counter() - start) / READS, 1)
    grown = {kind: most[kind] - before[kind] for kind in before}
    figures["random_access_growth_own_mib"] = round(grown["own"], 1)
    figures["random_access_growth_mib"] = round(sum(grown.values()), 1)
    figures["memory_mib"] = round(sum(most.values()), 1)
    return figures


def main(
    lengths: Annotated[
        Path | None,
        typer.Option(help="CSV of frames and clips. Default: Spreadthesign's quantiles."),
    ] = None,
    clips: Annotated[int, typer.Option(help="Number of clips.")] = CLIPS,
    out: Annotated[Path, typer.Option(help="The file that is written.")] = Path(
        "results/speed/store_scale.json"
    ),
) -> None:
    """Build, open and read a large feature store; exit status 1 where a bar is missed.

    Example: python -m benchmarks.speed.store_scale --clips 100000
    """
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(lengths, clips, Path(folder))
    bars.judge(figures, BARS, out)


if __name__ == "__main__":
    typer.run(main)
