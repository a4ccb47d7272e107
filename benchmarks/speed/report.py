"""The table of a speed measurement, with the machine, versions and date in each row.

Decision: a measurement writes one CSV per kind of machine (``results/speed/<name>.csv``), which the
next run of the same command replaces. Ratios are the result; seconds are given for checking.
"""

from __future__ import annotations

import datetime
import subprocess
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from benchmarks.results import of_processor, processor
from signclip.core import files, workers

RESULTS = Path("results/speed")


def has_bfloat16() -> bool:
    """Whether the processor multiplies in bfloat16; emulated, it is much slower than float32."""
    flags = of_processor("flags") or of_processor("Features") or ""
    return any(flag in ("avx512_bf16", "amx_bf16", "bf16") for flag in flags.split())


def device_name(device: str) -> str:
    """The GPU's name, or the processor's and its number of cores."""
    if device != "cpu":
        return torch.cuda.get_device_name()
    return f"{processor()}, {workers.cores()} cores"


def commit() -> str:
    """The current commit, with ``-dirty`` where the working tree differs; empty outside git."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.strip()


def write(name: str, rows: Sequence[dict[str, Any]], *, device: str, out: Path = RESULTS) -> Path:
    """Write the rows, each with the machine, to ``out/<name>.csv``; returns that path."""
    stated = {
        "device": device_name(device),
        "torch": version("torch"),
        "commit": commit(),
        "date": datetime.date.today().isoformat(),
    }
    path = out / f"{name}.csv"
    with files.atomic_file(path) as partial:
        pd.DataFrame([row | stated for row in rows]).to_csv(
            partial, index=False, float_format="%.6g"
        )
    return path
