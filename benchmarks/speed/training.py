"""Time of a training step: packed sequences beside the padding of the authors' code.

    python -m benchmarks.speed.training                  # the paper's towers on a CPU
    python -m benchmarks.speed.training --device cuda    # on a GPU, the published batch of 448
    python -m benchmarks.speed.training --ways reference unpadded --rounds 3 --steps 1

Decisions:
- All ways have the same weights, the same batches (lengths drawn from Spreadthesign's, texts of
  about nine tokens) and the same loss. Dropout and the optimiser's step are included.
- Each way runs in a process of its own, so that its peak memory is its own. The ways take turns,
  and ratios are ratios of medians. On a CPU, both wall and CPU seconds are reported; CPU seconds do
  not include what other programs used.
- The table is written after every round, so an interrupted measurement leaves one. A way that fails
  (out of memory, for example) is reported and left out. Ways in bfloat16 are left out on a
  processor without bfloat16, unless they are named.
- The batch is on the device already. :mod:`benchmarks.speed.engine` measures a whole training, in
  which clips are read and augmented.

Cost: on two cores about 15 minutes and 16 GB.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
import typer
from rich.console import Console
from rich.table import Table
from torch import Tensor

from benchmarks.speed import command, made_up, report
from signclip.core.progress import bar
from signclip.experiments.config import Compute
from signclip.model.config import ModelConfig
from signclip.model.padding import pad_frames
from signclip.model.towers import SignCLIP
from signclip.training.contrastive import ContrastiveModel
from signclip.training.optim import FairseqAdam

# E7.2, except that the word table of the pose tower has its two used rows: 194 million parameters
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
# On a GPU, float32 with the reference's padding would not fit in memory at the published batch.
DEFAULTS = {
    "cpu": dict(batch=32, warmup=1, steps=2, ways=["reference", "unpadded", "unpadded-bfloat16"]),
    "cuda": dict(
        batch=448,
        warmup=5,  # compiling included
        steps=20,
        ways=["reference-bfloat16", "unpadded-grouped-bfloat16", "flash", "flash-compiled"],
    ),
}
# dense bfloat16 operations a second, from the makers' data sheets
PEAK = {"H200": 989e12, "H100": 989e12, "A100": 312e12}


@dataclass(frozen=True)
class Settings:
    """What is measured. None stands for the device's default, see :data:`DEFAULTS`."""

    device: str = "cpu"
    batch: int | None = None  # clips
    layers: int = 12  # of each tower
    threads: int = 2  # of the CPU
    warmup: int | None = None  # steps that are not counted
    steps: int | None = None  # counted, per process
    rounds: int = 3  # processes per way
    lengths: Path | None = None  # CSV of frames and clips
    ways: list[str] | None = None  # the first is the base of the ratios
    seed: int = 0

    def resolved(self) -> Settings:
        """These settings with the device's defaults in place of None."""
        chosen = {key: x for key, x in DEFAULTS[self.device].items() if getattr(self, key) is None}
        if "ways" in chosen and self.device == "cpu" and not report.has_bfloat16():
            chosen["ways"] = [way for way in chosen["ways"] if WAYS[way].precision == "float32"]
        return replace(self, **chosen)


def make_batch(
    sizes: ModelConfig, frames: np.ndarray, rng: np.random.Generator, padding: str
) -> dict[str, Any]:
    """Random features and texts of about nine tokens, with the given padding."""
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
    """Floating-point operations that an update needs for the real tokens, without padding."""
    d, inner = sizes.hidden_size, sizes.intermediate_size
    per_layer = 4 * d * d + 2 * d * inner  # weights that each token is multiplied with
    total = 0.0
    for layers, counts, extra in (
        (sizes.pose_layers, [n + 2 for n in batch["frame_counts"]], sizes.frame_dims * d + d * d),
        (sizes.text_layers, batch["token_counts"], 0),
    ):
        tokens, squares = sum(counts), sum(n * n for n in counts)
        total += 6 * tokens * (layers * per_layer + extra) + 12 * layers * d * squares
    return total


def run_way(way: str, given: Settings) -> dict[str, Any]:
    """Train some steps in this process: seconds, memory, and the loss without dropout."""
    torch.set_num_threads(given.threads)
    device = torch.device(given.device)
    compute = WAYS[way]
    torch.manual_seed(0)
    with device:
        sizes = {"pose_layers": given.layers, "text_layers": given.layers}
        model = SignCLIP(PAPER.model_copy(update=sizes))
    wrapped = ContrastiveModel(model, compute)
    optimiser = FairseqAdam(model.parameters(), lr=5e-5, betas=(0.9, 0.98), fused=True)
    rng = np.random.default_rng(given.seed)
    frames = made_up.draw_lengths(given.lengths, given.batch, rng)
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
    """The result of :func:`run_way` in a new process; None where it fails, with a message."""
    words = [sys.executable, "-m", "benchmarks.speed.training", "--way", way]
    words += [*sys.argv[1:], "--seed", str(round_)]
    # threads that spin while they wait would count as work
    quiet = os.environ | {"OMP_WAIT_POLICY": "PASSIVE"}
    done = subprocess.run(words, env=quiet, capture_output=True, text=True)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
        print(f"{way} is left out: {last[0]}", file=sys.stderr)
        return None
    return json.loads(done.stdout.splitlines()[-1])


def measure(given: Settings) -> Iterator[list[dict[str, Any]]]:
    """Measure all ways in turns; after each round, yield the table so far (:func:`summary`).

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


def summary(found: dict[str, list[dict[str, Any]]], given: Settings) -> list[dict[str, Any]]:
    """One row per way: medians over its turns, and ratios to the first way that ran."""
    rows = []
    for way, turns in found.items():
        seconds = {
            kind: float(np.median([x for turn in turns for x in turn[kind]]))
            for kind in ("wall", "cpu")
        }
        clips_per_second = given.batch / seconds["wall"]
        rows.append(
            {
                "way": way,
                "batch": given.batch,
                "layers": given.layers,
                "steps": sum(len(turn["wall"]) for turn in turns),
                "mean_frames": float(np.mean([turn["mean_frames"] for turn in turns])),
                "seconds": seconds["wall"],
                "cpu_seconds": seconds["cpu"],
                "clips_per_second": clips_per_second,
                "memory_GB": max(turn["memory"] for turn in turns) / 1e9,
                "loss": turns[0]["loss"],
                "row_hours": made_up.CLIPS * made_up.EPOCHS / clips_per_second / 3600,
                "utilisation": _utilisation(turns, seconds["wall"], given.device),
            }
        )
    first = rows[0]
    for row in rows:
        row["ratio_wall"] = first["seconds"] / row["seconds"]
        row["ratio_cpu"] = first["cpu_seconds"] / row["cpu_seconds"]
        row["memory_share"] = row["memory_GB"] / first["memory_GB"]
    return rows


def _utilisation(turns: list[dict[str, Any]], seconds: float, device: str) -> float | None:
    """Operations on real tokens as a share of the device's peak; None where it is unknown."""
    if device != "cuda":
        return None
    name = torch.cuda.get_device_name()
    peak = next((value for key, value in PEAK.items() if key in name), None)
    return (
        None
        if peak is None
        else float(np.median([t["operations"] for t in turns])) / seconds / peak
    )


Device = Annotated[Literal["cpu", "cuda"], typer.Option(help="Where the steps run.")]
Batch = Annotated[int | None, typer.Option(help="Clips. Default: 32, on a GPU 448.")]
Layers = Annotated[int, typer.Option(help="Layers of each tower.")]
Threads = Annotated[int, typer.Option(help="CPU threads.")]
Warmup = Annotated[int | None, typer.Option(help="Steps before the counted ones.")]
Steps = Annotated[int | None, typer.Option(help="Counted steps of each process.")]
Rounds = Annotated[int, typer.Option(help="Processes of each way.")]
Lengths = Annotated[
    Path | None,
    typer.Option(help="CSV of frames and clips. Default: Spreadthesign's quantiles."),
]
Ways = Annotated[
    list[str] | None,
    typer.Option(
        help="What is compared; ratios are to the first. One or more of: " + ", ".join(WAYS)
    ),
]
Out = Annotated[Path, typer.Option(help="Folder of the table.")]
Way = Annotated[str | None, typer.Option(hidden=True, help="Run this way in this process.")]
Seed = Annotated[int, typer.Option(hidden=True, help="Of the batch.")]


def main(
    device: Device = "cpu",
    batch: Batch = None,
    layers: Layers = 12,
    threads: Threads = 2,
    warmup: Warmup = None,
    steps: Steps = None,
    rounds: Rounds = 3,
    lengths: Lengths = None,
    ways: Ways = None,
    out: Out = report.RESULTS,
    way: Way = None,
    seed: Seed = 0,
) -> None:
    """Measure a training step in several ways; write results/speed/training-<device>.csv.

    Example: python -m benchmarks.speed.training --ways reference unpadded --rounds 3 --steps 1
    """
    if unknown := [name for name in (*(ways or ()), way or "reference") if name not in WAYS]:
        raise typer.BadParameter(f"unknown way {unknown[0]!r}; there are {', '.join(WAYS)}")
    given = Settings(
        device=device,
        batch=batch,
        layers=layers,
        threads=threads,
        warmup=warmup,
        steps=steps,
        rounds=rounds,
        lengths=lengths,
        ways=ways or None,
        seed=seed,
    ).resolved()
    if way:
        typer.echo(json.dumps(run_way(way, given)))
        return
    for rows in measure(given):
        written = report.write(f"training-{device}", rows, device=device, out=out)
    _print(rows)
    typer.echo(written)


def _print(rows: list[dict[str, Any]]) -> None:
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


app = command.application(main)

if __name__ == "__main__":
    app()
