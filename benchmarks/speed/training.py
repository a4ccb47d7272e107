"""A training step with little padding beside the reference's, which pads every clip to 256 frames.

    python -m benchmarks.speed.training                  # the paper's towers on a CPU
    python -m benchmarks.speed.training --device cuda --batch 448 \\
        --ways reference unpadded-grouped-bfloat16

All ways have the same weights, the same batches (lengths drawn from Spreadthesign's own, texts of
about nine tokens) and the same loss; dropout and the optimiser's step are in. Each way runs in a
process of its own, so that its peak memory is its own; they take turns, and a ratio is that of
medians. Seconds on a CPU are given as they passed and as the processor spent them: the second kind
does not count what other programs took.

Cost: on two cores about 15 minutes and 16 GB.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from benchmarks.speed import report
from signclip.config import Compute
from signclip.contrastive import ContrastiveModel
from signclip.model import ModelConfig, SignCLIP
from signclip.optim import FairseqAdam
from signclip.progress import bar

PAPER = ModelConfig(frame_dims=609, vocab_size=28996)  # E7.2: 217,681,152 parameters with its table
WAYS = {
    "reference": Compute(padding="limit"),
    "reference-bfloat16": Compute(padding="limit", precision="bfloat16"),
    "batch": Compute(padding="batch"),
    "batch-compiled": Compute(padding="batch", compile=True),
    "batch-bfloat16-compiled": Compute(padding="batch", precision="bfloat16", compile=True),
    "unpadded": Compute(padding="none"),
    "unpadded-bfloat16": Compute(padding="none", precision="bfloat16"),
    "unpadded-grouped": Compute(padding="none", group_ratio=0.85),
    "unpadded-grouped-bfloat16": Compute(padding="none", group_ratio=0.85, precision="bfloat16"),
}
CLIPS, EPOCHS = 453_261, 25  # of one row of the pretraining table (facts 1.4, 1.5)
# dense bfloat16 operations a second, from the makers' data sheets
PEAK = {"H200": 989e12, "H100": 989e12, "A100": 312e12}


def lengths(path: Path | None, batch: int, rng: np.random.Generator) -> np.ndarray:
    """Frames of a batch's clips: from a table of ``frames, clips``, or its known quantiles."""
    if path is not None:
        table = pd.read_csv(path)
        share = table["clips"] / table["clips"].sum()
        return rng.choice(table["frames"].to_numpy(), size=batch, p=share)
    # facts 1.5: p5, median, p95, p99 and the limit
    at, frames = [0, 0.05, 0.5, 0.95, 0.99, 1], [14, 52, 89, 172, 226, 256]
    return np.interp(rng.random(batch), at, frames).round().astype(int)


def make_batch(
    sizes: ModelConfig, frames: np.ndarray, rng: np.random.Generator, padding: str
) -> dict[str, Any]:
    """Random features and texts of about nine tokens, padded the way that is asked for."""
    tokens = rng.integers(7, 12, len(frames)) + 2  # with [CLS] and [SEP]
    width = sizes.max_frames if padding == "limit" else frames.max()
    token_width = sizes.max_tokens - 1 if padding == "limit" else tokens.max()
    values = np.zeros((len(frames), width, sizes.frame_dims), dtype=np.float32)
    ids = np.zeros((len(frames), token_width), dtype=np.int64)
    for row, (t, n) in enumerate(zip(frames, tokens, strict=True)):
        values[row, :t] = rng.standard_normal((t, sizes.frame_dims), dtype=np.float32)
        ids[row, :n] = rng.integers(5, sizes.vocab_size, n)
    return {
        "frames": torch.from_numpy(values),
        "frame_mask": torch.from_numpy(np.arange(width)[None] < frames[:, None]),
        "token_ids": torch.from_numpy(ids),
        "token_mask": torch.from_numpy(np.arange(token_width)[None] < tokens[:, None]),
        "frame_counts": frames.tolist(),
        "token_counts": tokens.tolist(),
        "clips": [str(row) for row in range(len(frames))],
    }


def operations(sizes: ModelConfig, batch: dict[str, Any]) -> float:
    """Floating-point operations of an update that the real tokens need, without padding."""
    d, inner = sizes.hidden_size, sizes.intermediate_size
    a_layer = 4 * d * d + 2 * d * inner  # weights that each token meets
    total = 0.0
    for layers, counts, extra in (
        (sizes.pose_layers, [n + 2 for n in batch["frame_counts"]], sizes.frame_dims * d + d * d),
        (sizes.text_layers, batch["token_counts"], 0),
    ):
        tokens, squares = sum(counts), sum(n * n for n in counts)
        total += 6 * tokens * (layers * a_layer + extra) + 12 * layers * d * squares
    return total


def run_way(way: str, given: argparse.Namespace) -> dict[str, Any]:
    """Steps of one way in this process: seconds, memory, and the loss without dropout."""
    torch.set_num_threads(given.threads)
    device = torch.device(given.device)
    compute = WAYS[way]
    torch.manual_seed(0)
    model = SignCLIP(replace(PAPER, pose_layers=given.layers, text_layers=given.layers)).to(device)
    wrapped = ContrastiveModel(model, compute)
    optimiser = FairseqAdam(model.parameters(), lr=5e-5, betas=(0.9, 0.98), fused=True)
    rng = np.random.default_rng(given.seed)
    frames = lengths(given.lengths, given.batch, rng)
    batch = make_batch(model.config, frames, rng, compute.padding)
    flops = operations(model.config, batch)
    moved = {key: x.to(device) if isinstance(x, Tensor) else x for key, x in batch.items()}
    wrapped.eval()
    with torch.no_grad():
        loss = wrapped(**moved)["loss"].item()
    wrapped.train()
    wall, cpu = [], []
    for _ in range(given.warmup + given.steps):
        start, spent = time.perf_counter(), time.process_time()
        wrapped(**moved)["loss"].backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 2.0)
        optimiser.step()
        optimiser.zero_grad()
        if device.type == "cuda":
            torch.cuda.synchronize()
        wall.append(time.perf_counter() - start)
        cpu.append(time.process_time() - spent)
    memory = (
        torch.cuda.max_memory_allocated()
        if device.type == "cuda"
        else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    )
    return {
        "wall": wall[given.warmup :],
        "cpu": cpu[given.warmup :],
        "loss": loss,
        "memory": memory,
        "operations": flops,
        "mean_frames": float(frames.mean()),
    }


def measure(given: argparse.Namespace) -> list[dict[str, Any]]:
    """One row a way: medians over all rounds, ratios to the first way."""
    found: dict[str, list[dict[str, Any]]] = {way: [] for way in given.ways}
    turns = [(round_, way) for round_ in range(given.rounds) for way in given.ways]
    for round_, way in bar(turns, desc="processes", unit="way"):
        command = [sys.executable, "-m", "benchmarks.speed.training", "--way", way]
        command += [*sys.argv[1:], "--seed", str(round_)]
        # threads that spin while they wait would count as work
        quiet = os.environ | {"OMP_WAIT_POLICY": "PASSIVE"}
        done = subprocess.run(command, env=quiet, stdout=subprocess.PIPE, text=True, check=True)
        found[way].append(json.loads(done.stdout.splitlines()[-1]))
    rows = []
    for way, turns_of_way in found.items():
        seconds = {
            kind: float(np.median([x for turn in turns_of_way for x in turn[kind]]))
            for kind in ("wall", "cpu")
        }
        clips_a_second = given.batch / seconds["wall"]
        rows.append(
            {
                "way": way,
                "batch": given.batch,
                "layers": given.layers,
                "steps": sum(len(turn["wall"]) for turn in turns_of_way),
                "mean_frames": float(np.mean([turn["mean_frames"] for turn in turns_of_way])),
                "seconds": seconds["wall"],
                "cpu_seconds": seconds["cpu"],
                "clips_per_second": clips_a_second,
                "memory_GB": max(turn["memory"] for turn in turns_of_way) / 1e9,
                "loss": turns_of_way[0]["loss"],
                "row_hours": CLIPS * EPOCHS / clips_a_second / 3600,
                "utilisation": _utilisation(turns_of_way, seconds["wall"], given.device),
            }
        )
    first = rows[0]
    for row in rows:
        row["ratio_wall"] = first["seconds"] / row["seconds"]
        row["ratio_cpu"] = first["cpu_seconds"] / row["cpu_seconds"]
        row["memory_share"] = row["memory_GB"] / first["memory_GB"]
    return rows


def _utilisation(turns: list[dict[str, Any]], seconds: float, device: str) -> float | None:
    """Share of the device's peak that the real tokens' operations make; None where unknown."""
    if device != "cuda":
        return None
    name = torch.cuda.get_device_name()
    peak = next((value for key, value in PEAK.items() if key in name), None)
    return (
        None
        if peak is None
        else float(np.median([t["operations"] for t in turns])) / seconds / peak
    )


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--batch", type=int, default=32, help="clips")
    parser.add_argument("--layers", type=int, default=12, help="of each tower")
    parser.add_argument("--threads", type=int, default=2, help="of the CPU")
    parser.add_argument("--warmup", type=int, default=1, help="steps that are not counted")
    parser.add_argument("--steps", type=int, default=2, help="steps a process")
    parser.add_argument("--rounds", type=int, default=3, help="processes a way")
    parser.add_argument(
        "--lengths",
        type=Path,
        help="CSV of frames and clips; default: by Spreadthesign's quantiles",
    )
    parser.add_argument(
        "--ways",
        nargs="+",
        choices=WAYS,
        default=["reference", "unpadded", "unpadded-bfloat16"],
        help="the first one is what the others are compared with",
    )
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Measure, print, write results/speed/training-<device>.csv."""
    given = arguments()
    if given.way:
        print(json.dumps(run_way(given.way, given)))
        return
    rows = measure(given)
    columns = {
        "way": ("way", "{}"),
        "seconds": ("s", "{:.2f}"),
        "cpu_seconds": ("CPU s", "{:.1f}"),
        "ratio_wall": ("ratio", "{:.2f}"),
        "ratio_cpu": ("CPU ratio", "{:.2f}"),
        "memory_GB": ("GB", "{:.1f}"),
        "memory_share": ("share", "{:.0%}"),
        "clips_per_second": ("clips/s", "{:.1f}"),
        "row_hours": ("h a row", "{:.1f}"),
        "loss": ("loss", "{:.4f}"),
    }
    table = Table(*(title for title, _ in columns.values()), box=None)
    table.columns[0].no_wrap = True
    for row in rows:
        table.add_row(*(form.format(row[name]) for name, (_, form) in columns.items()))
    Console().print(table)
    print(report.write(f"training-{given.device}", rows, device=given.device))


if __name__ == "__main__":
    main()
