"""Exact ranking beside straightforward ways in Python, and at the size of the largest corpora.

    python -m benchmarks.speed.ranking [--full]

Decisions:
- Ratios: video-to-text ranks of 5,000 clips among 5,000 texts, in CPU seconds. All ways get the
  same scores, return the same ranks and take turns. The straightforward ways sort all texts for
  every clip and look up the target: Python's sort with lists of texts, in which equal neighbours
  are merged, is what the authors' metric does; numpy's argsort with such lists, and argsort alone,
  are the obvious improvements. Two rows are added for comparison: the product that gives the
  scores, and both directions straight from embeddings, product included.
- Scale: ASL Citizen's test set (32,941 clips, 2,731 glosses) and, with ``--full``, Spreadthesign
  (453,000 poses, 18,423 concepts), both directions from random embeddings of 768 numbers. Each runs
  in a process of its own; memory is the peak that the system counted. Embeddings are memory-mapped
  temporary files; pages read from them count as memory, although the system may take them back.

Cost: about two minutes and 0.7 GB; ``--full`` adds two minutes and 1.5 GB of disk.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks import metrics
from benchmarks.metrics import streaming

CLIPS_OF_RATIO, DIMS, SEED = 5_000, 768, 0
ASL_CITIZEN, SPREADTHESIGN = (32_941, 2_731), (453_000, 18_423)  # clips, texts
OURS = "metrics.v2t_ranks"


def python_sort(scores: np.ndarray, texts: list[str]) -> list[int]:
    """Rank by Python's sort of (score, text) pairs, as the authors' metric does."""
    ranks = []
    for clip, text in enumerate(texts):
        pairs = zip(scores[:, clip].tolist(), texts, strict=True)
        ranked = [name for _, name in sorted(pairs, key=lambda pair: pair[0], reverse=True)]
        ranks.append(_merged(ranked).index(text) + 1)
    return ranks


def argsort_and_lists(scores: np.ndarray, texts: list[str]) -> list[int]:
    """Rank by numpy's sort; texts are looked up and merged in Python."""
    ranks = []
    for clip, text in enumerate(texts):
        ranked = [texts[row] for row in np.argsort(-scores[:, clip], kind="stable")]
        ranks.append(_merged(ranked).index(text) + 1)
    return ranks


def argsort_alone(scores: np.ndarray, texts: list[str]) -> list[int]:
    """Rank by numpy's sort alone, which needs texts that all differ."""
    return [
        int(np.flatnonzero(np.argsort(-scores[:, clip], kind="stable") == clip)[0]) + 1
        for clip in range(len(texts))
    ]


def ours(scores: np.ndarray, texts: list[str]) -> list[int]:
    """Rank by comparing each score with the target's."""
    return metrics.v2t_ranks(scores, np.arange(len(texts))).low.tolist()


WAYS: dict[str, Callable[[np.ndarray, list[str]], list[int]]] = {
    "Python's sort and lists": python_sort,
    "argsort and lists": argsort_and_lists,
    "argsort alone": argsort_alone,
    OURS: ours,
}


def _merged(ranked: list[str]) -> list[str]:
    """Runs of equal texts merged into their last."""
    return [text for text, after in zip(ranked, [*ranked[1:], None], strict=True) if text != after]


def ratios(clips: int, rounds: int) -> list[dict[str, Any]]:
    """A row for each way of ranking, and two for what starts from embeddings."""
    rng = np.random.default_rng(SEED)
    poses, names = (rng.standard_normal((clips, DIMS), dtype=np.float32) for _ in range(2))
    targets, texts = np.arange(clips), [f"text {row}" for row in range(clips)]
    scores = streaming.score_matrix(poses, names, targets)
    work = {name: lambda way=way: way(scores, texts) for name, way in WAYS.items()}
    work["product alone"] = lambda: names @ poses.T
    work["streaming.ranks"] = lambda: streaming.ranks(poses, names, targets).v2t.low.tolist()
    ranks = ours(scores, texts)
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in work}
    for _ in range(rounds):
        for name, call in work.items():
            wall, cpu = time.perf_counter(), time.process_time()
            result = call()
            times[name].append((time.perf_counter() - wall, time.process_time() - cpu))
            if isinstance(result, list) and result != ranks:
                raise RuntimeError(f"{name}: its ranks differ from those of {OURS}")
    rows = []
    medians = {name: np.median(pairs, axis=0) for name, pairs in times.items()}
    for name, (wall, cpu) in medians.items():
        row = {"way": name, "clips": clips, "texts": clips, "dims": DIMS, "seconds": wall}
        ratio = cpu / medians[OURS][1] if name in WAYS else None
        rows.append(row | {"cpu_seconds": cpu, "ratio": ratio})
    return rows


def scale(clips: int, texts: int, rounds: int) -> dict[str, Any]:
    """Rank in both directions in this process, which does nothing else: its memory is measured."""
    rng = np.random.default_rng(SEED)
    targets = rng.integers(0, texts, clips)
    times = []
    with tempfile.TemporaryDirectory() as folder:
        maps = [
            _random_rows(Path(folder) / name, rows, rng)
            for name, rows in (("clips", clips), ("texts", texts))
        ]
        for _ in range(rounds):
            wall, cpu = time.perf_counter(), time.process_time()
            found = streaming.ranks(*maps, targets, metrics.PRECISION_AT)
            times.append((time.perf_counter() - wall, time.process_time() - cpu))
    wall, cpu = np.median(times, axis=0)
    return {
        "way": "streaming.ranks",
        "clips": clips,
        "texts": texts,
        "dims": DIMS,
        "seconds": wall,
        "cpu_seconds": cpu,
        "memory_GB": _memory("VmHWM") / 1e9,
        "mapped_GB": sum(array.nbytes for array in maps) / 1e9,
        # about half the texts: the embeddings are random
        "v2t_MeanR": float(found.v2t.mean().mean()),
        "t2v_MeanR": float(found.t2v.first_rank.mean().mean()),
    }


def _random_rows(path: Path, rows: int, rng: np.random.Generator) -> np.ndarray:
    """A memory map of float32 (rows, DIMS), written in parts to save memory."""
    with path.open("wb") as file:
        for start in range(0, rows, 4096):
            shape = (min(4096, rows - start), DIMS)
            file.write(rng.standard_normal(shape, dtype=np.float32).tobytes())
    return np.memmap(path, np.float32, mode="r", shape=(rows, DIMS))


def _memory(kind: str) -> int:
    """Bytes of this process from the kernel; unlike getrusage's, without those of its parent."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{kind}:"))


def _in_process(clips: int, texts: int, rounds: int) -> dict[str, Any]:
    words = [sys.executable, "-m", "benchmarks.speed.ranking"]
    words += ["--scale", str(clips), str(texts), "--rounds", str(rounds)]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main(
    full: Annotated[bool, typer.Option("--full", help="Measure 453,000 clips as well.")] = False,
    clips: Annotated[int, typer.Option(help="Clips and texts of the ratios.")] = CLIPS_OF_RATIO,
    rounds: Annotated[int, typer.Option(help="Rounds; medians are reported.")] = 5,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the tables. Default: results/speed.")
    ] = None,
    sizes: Annotated[
        tuple[int, int] | None, typer.Option("--scale", hidden=True, help="Clips and texts.")
    ] = None,
) -> None:
    """Measure ranking; write results/speed/ranking.csv, and with --full ranking-full.csv.

    Example: python -m benchmarks.speed.ranking --full
    """
    if sizes:
        typer.echo(json.dumps(scale(*sizes, rounds)))
        return
    # imported here: the processes that measure their memory import neither torch nor pandas
    from benchmarks.speed import report

    tables = {"ranking": [*ratios(clips, rounds), _in_process(*ASL_CITIZEN, rounds)]}
    if full:
        tables["ranking-full"] = [_in_process(*SPREADTHESIGN, 1)]
    _print([row for rows in tables.values() for row in rows])
    for name, rows in tables.items():
        typer.echo(report.write(name, rows, device="cpu", out=out or report.RESULTS))


def _print(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("way", "clips", "texts", "s", "CPU s", "ratio", "memory, GB", box=None)
    for row in rows:
        ratio, memory = row.get("ratio"), row.get("memory_GB")
        table.add_row(
            row["way"],
            f"{row['clips']:,}",
            f"{row['texts']:,}",
            f"{row['seconds']:.3g}",
            f"{row['cpu_seconds']:.3g}",
            f"{ratio:.0f}" if ratio else "",
            f"{memory:.2f}" if memory else "",
        )
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
