"""A training step with little padding beside the reference's, which pads every clip to 256 frames.

    python -m benchmarks.speed.training                  # the paper's towers on a CPU
    python -m benchmarks.speed.training --device cuda    # on a GPU, the published batch of 448

All ways have the same weights, the same batches (lengths drawn from Spreadthesign's own, texts of
about nine tokens) and the same loss; dropout and the optimiser's step are in. Each way runs in a
process of its own, so that its peak memory is its own; they take turns, and a ratio is that of
medians. Seconds on a CPU are given as they passed and as the processor spent them: the second kind
does not count what other programs took. The table is written after every round, so a measurement
that is stopped has one; a way that fails (out of memory, say) is told and left out. Unless they are
asked for, bfloat16 is left out on a processor that has none.

Here a batch lies on the device already; what a whole training makes of it, clips read and augmented
on the way, is :mod:`benchmarks.speed.engine`'s to measure. Cost: on two cores about 15 minutes and
16 GB.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
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
from signclip.core.progress import bar
from signclip.experiments.config import Compute
from signclip.model.config import ModelConfig
from signclip.model.padding import pad_frames
from signclip.model.towers import SignCLIP
from signclip.training.contrastive import ContrastiveModel
from signclip.training.optim import FairseqAdam

# E7.2 but for the word table of its pose tower, of which two rows are used: 194 million parameters
PAPER = ModelConfig(frame_dims=609, vocab_size=28996)
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
    "flash": Compute(padding="none", precision="bfloat16", attention="flash"),
    "flash-compiled": Compute(
        padding="none", precision="bfloat16", attention="flash", compile=True
    ),
}
# float32 at the published batch would not fit a GPU, padded as it is there
DEFAULTS = {
    "cpu": dict(batch=32, warmup=1, steps=2, ways=["reference", "unpadded", "unpadded-bfloat16"]),
    "cuda": dict(
        batch=448,
        warmup=5,  # compiling included
        steps=20,
        ways=["reference-bfloat16", "unpadded-grouped-bfloat16", "flash", "flash-compiled"],
    ),
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
    token_width = sizes.max_tokens - 1 if padding == "limit" else tokens.max()
    ids = np.zeros((len(frames), token_width), dtype=np.int64)
    clips = []
    for row, (t, n) in enumerate(zip(frames, tokens, strict=True)):
        clips.append(rng.standard_normal((t, sizes.frame_dims), dtype=np.float32))
        ids[row, :n] = rng.integers(5, sizes.vocab_size, n)
    if padding == "none":
        poses = {"frames": torch.from_numpy(np.concatenate(clips))}
    else:
        length = sizes.max_frames if padding == "limit" else None
        values, mask = pad_frames(clips, sizes.max_frames, length=length)
        poses = {"frames": values, "frame_mask": mask}
    return {
        **poses,
        "token_ids": torch.from_numpy(ids),
        "token_mask": torch.from_numpy(np.arange(token_width)[None] < tokens[:, None]),
        "frame_counts": frames.tolist(),
        "token_counts": tokens.tolist(),
        "text_keys": torch.arange(len(frames)),
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
    with device:
        model = SignCLIP(replace(PAPER, pose_layers=given.layers, text_layers=given.layers))
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


def in_its_own_process(way: str, round_: int) -> dict[str, Any] | None:
    """What :func:`run_way` finds in a process of its own; None where it fails, which is told."""
    command = [sys.executable, "-m", "benchmarks.speed.training", "--way", way]
    command += [*sys.argv[1:], "--seed", str(round_)]
    # threads that spin while they wait would count as work
    quiet = os.environ | {"OMP_WAIT_POLICY": "PASSIVE"}
    done = subprocess.run(command, env=quiet, capture_output=True, text=True)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
        print(f"{way} is left out: {last[0]}", file=sys.stderr)
        return None
    return json.loads(done.stdout.splitlines()[-1])


def measure(given: argparse.Namespace) -> Iterator[list[dict[str, Any]]]:
    """After each round a row a way; see :func:`summary`.

    Raises:
        SystemExit: all ways fail.
    """
    found: dict[str, list[dict[str, Any]]] = {way: [] for way in given.ways}
    with bar(total=given.rounds * len(given.ways), desc="processes", unit="way") as shown:
        for round_ in range(given.rounds):
            for way in list(found):
                seen = in_its_own_process(way, round_)
                shown.update()
                if seen is not None:
                    found[way].append(seen)
                    continue
                del found[way]
            if not found:
                raise SystemExit("nothing was measured: every way failed")
            yield summary(found, given)


def summary(
    found: dict[str, list[dict[str, Any]]], given: argparse.Namespace
) -> list[dict[str, Any]]:
    """One row a way: medians over its turns, ratios to the first of those that ran."""
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
    parser.add_argument("--batch", type=int, help="clips; default: 32, on a GPU 448")
    parser.add_argument("--layers", type=int, default=12, help="of each tower")
    parser.add_argument("--threads", type=int, default=2, help="of the CPU")
    parser.add_argument("--warmup", type=int, help="steps that are not counted")
    parser.add_argument("--steps", type=int, help="steps a process")
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
        help="the first one is what the others are compared with",
    )
    parser.add_argument("--out", type=Path, default=report.RESULTS, help="folder of the table")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    given = parser.parse_args()
    asked = given.ways
    for name, value in DEFAULTS[given.device].items():
        if getattr(given, name) is None:
            setattr(given, name, value)
    if asked is None and given.device == "cpu" and not report.has_bfloat16():
        given.ways = [way for way in given.ways if WAYS[way].precision == "float32"]
    return given


def main() -> None:
    """Measure, print, write results/speed/training-<device>.csv."""
    given = arguments()
    if given.way:
        print(json.dumps(run_way(given.way, given)))
        return
    for rows in measure(given):
        name = f"training-{given.device}"
        written = report.write(name, rows, device=given.device, out=given.out)
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
        "utilisation": ("of peak", "{:.0%}"),
        "loss": ("loss", "{:.4f}"),
    }
    if rows[0]["utilisation"] is None:
        del columns["utilisation"]
    table = Table(*(title for title, _ in columns.values()), box=None)
    table.columns[0].no_wrap = True
    for row in rows:
        table.add_row(*(form.format(row[name]) for name, (_, form) in columns.items()))
    Console().print(table)
    print(written)


if __name__ == "__main__":
    main()
