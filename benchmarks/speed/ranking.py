"""Exact ranking beside the straightforward ways in Python, and at the size of the largest corpora.

    python -m benchmarks.speed.ranking [--full]

* Video-to-text ranks of 5,000 clips among 5,000 texts, all ways on the same scores and with the
  same ranks as a result, in seconds of the processor, taking turns. The straightforward ways sort
  all texts for every clip and look for its own: Python's sort with lists of texts, in which equal
  neighbours are merged, is what the reference's metric does; numpy's argsort with such lists, and
  argsort alone, are what a hurried and a careful hand make of it. Below them stand the product
  that gives the scores, and both directions straight from embeddings, product included.
* ASL Citizen's test set (32,941 clips, 2,731 glosses) and, by ``--full``, the poses and concepts of
  Spreadthesign (453,000 and 18,423), both directions from random embeddings of 768 numbers. Each
  runs in a process of its own, whose memory is the highest that the system counted. Embeddings lie
  in temporary files, just written, and are memory-mapped: what is read of them counts as memory
  too, though the system may take it back.

Cost: about two minutes and 0.7 GB; ``--full`` two minutes and 1.5 GB of disk more.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import metrics
from benchmarks.metrics import streaming

CLIPS_OF_RATIO, DIMS, SEED = 5_000, 768, 0
ASL_CITIZEN, SPREADTHESIGN = (32_941, 2_731), (453_000, 18_423)  # facts 5, 1.5
OURS = "metrics.v2t_ranks"


def python_sort(scores: np.ndarray, texts: list[str]) -> list[int]:
    """Rank by Python's sort of (score, text) pairs, as the reference's metric does."""
    ranks = []
    for clip, text in enumerate(texts):
        pairs = zip(scores[:, clip].tolist(), texts, strict=True)
        ranked = [name for _, name in sorted(pairs, key=lambda pair: pair[0], reverse=True)]
        ranks.append(_merged(ranked).index(text) + 1)
    return ranks


def argsort_and_lists(scores: np.ndarray, texts: list[str]) -> list[int]:
    """The same with numpy's sort: texts are looked up and merged in Python."""
    ranks = []
    for clip, text in enumerate(texts):
        ranked = [texts[row] for row in np.argsort(-scores[:, clip], kind="stable")]
        ranks.append(_merged(ranked).index(text) + 1)
    return ranks


def argsort_alone(scores: np.ndarray, texts: list[str]) -> list[int]:
    """Nothing but the sort, where it is known that all texts differ."""
    return [
        int(np.flatnonzero(np.argsort(-scores[:, clip], kind="stable") == clip)[0]) + 1
        for clip in range(len(texts))
    ]


def ours(scores: np.ndarray, texts: list[str]) -> list[int]:
    """One comparison of each score with the clip's own."""
    return metrics.v2t_ranks(scores, np.arange(len(texts))).tolist()


WAYS: dict[str, Callable[[np.ndarray, list[str]], list[int]]] = {
    "Python's sort and lists": python_sort,
    "argsort and lists": argsort_and_lists,
    "argsort alone": argsort_alone,
    OURS: ours,
}


def _merged(ranked: list[str]) -> list[str]:
    """Runs of equal texts as one; the last of a run stays."""
    return [text for text, after in zip(ranked, [*ranked[1:], None], strict=True) if text != after]


def ratios(clips: int, rounds: int) -> list[dict[str, Any]]:
    """One row a way of ranking, and two for what starts from embeddings."""
    rng = np.random.default_rng(SEED)
    poses, names = (rng.standard_normal((clips, DIMS), dtype=np.float32) for _ in range(2))
    own, texts = np.arange(clips), [f"text {row}" for row in range(clips)]
    scores = streaming.score_matrix(poses, names, own)
    work = {name: lambda way=way: way(scores, texts) for name, way in WAYS.items()}
    work["product alone"] = lambda: names @ poses.T
    work["streaming.ranks"] = lambda: streaming.ranks(poses, names, own).v2t.tolist()
    ranks = ours(scores, texts)
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in work}
    for _ in range(rounds):
        for name, call in work.items():
            wall, cpu = time.perf_counter(), time.process_time()
            answer = call()
            times[name].append((time.perf_counter() - wall, time.process_time() - cpu))
            if isinstance(answer, list) and answer != ranks:
                raise RuntimeError(f"{name}: other ranks than {OURS}")
    rows = []
    medians = {name: np.median(pairs, axis=0) for name, pairs in times.items()}
    for name, (wall, cpu) in medians.items():
        row = {"way": name, "clips": clips, "texts": clips, "dims": DIMS, "seconds": wall}
        ratio = cpu / medians[OURS][1] if name in WAYS else None
        rows.append(row | {"cpu_seconds": cpu, "ratio": ratio})
    return rows


def scale(clips: int, texts: int, rounds: int) -> dict[str, Any]:
    """Both directions in this process, which does nothing else; its memory is then its own."""
    rng = np.random.default_rng(SEED)
    own = rng.integers(0, texts, clips)
    times = []
    with tempfile.TemporaryDirectory() as folder:
        maps = [
            _random_rows(Path(folder) / name, rows, rng)
            for name, rows in (("clips", clips), ("texts", texts))
        ]
        for _ in range(rounds):
            wall, cpu = time.perf_counter(), time.process_time()
            found = streaming.ranks(*maps, own, metrics.PRECISION_AT)
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
        "v2t_MeanR": float(found.v2t.mean()),  # about half the texts: the embeddings are random
        "t2v_MeanR": float(found.t2v.first_rank.mean()),
    }


def _random_rows(path: Path, rows: int, rng: np.random.Generator) -> np.ndarray:
    """A memory map of float32 (rows, DIMS), written in parts, so that writing needs no memory."""
    with path.open("wb") as file:
        for start in range(0, rows, 4096):
            shape = (min(4096, rows - start), DIMS)
            file.write(rng.standard_normal(shape, dtype=np.float32).tobytes())
    return np.memmap(path, np.float32, mode="r", shape=(rows, DIMS))


def _memory(kind: str) -> int:
    """Bytes of this process, as the kernel counts; unlike getrusage's, without its parent's."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{kind}:"))


def _in_process(clips: int, texts: int, rounds: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.speed.ranking"]
    command += ["--scale", str(clips), str(texts), "--rounds", str(rounds)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Measure, print, write results/speed/ranking.csv, by --full ranking-full.csv too."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--full", action="store_true", help="453,000 clips, too")
    parser.add_argument("--clips", type=int, default=CLIPS_OF_RATIO, help="of the ratios")
    parser.add_argument("--rounds", type=int, default=5, help="of which medians are taken")
    parser.add_argument("--out", type=Path, help="folder of the tables; default: results/speed")
    parser.add_argument("--scale", type=int, nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.scale:
        print(json.dumps(scale(*given.scale, given.rounds)))
        return
    # imported here: the processes that measure their memory do without torch and pandas
    from rich.console import Console
    from rich.table import Table

    from benchmarks.speed import report

    tables = {"ranking": [*ratios(given.clips, given.rounds)]}
    tables["ranking"].append(_in_process(*ASL_CITIZEN, given.rounds))
    if given.full:
        tables["ranking-full"] = [_in_process(*SPREADTHESIGN, 1)]
    table = Table("way", "clips", "texts", "s", "CPU s", "ratio", "memory, GB", box=None)
    for row in [row for rows in tables.values() for row in rows]:
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
    for name, rows in tables.items():
        print(report.write(name, rows, device="cpu", out=given.out or report.RESULTS))


if __name__ == "__main__":
    main()
