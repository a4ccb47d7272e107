"""What a measurement is: one validated JSON file.

Decision: unknown or missing fields are refused, so a file that loads means what the schema says;
tables and pages are pure functions of these files. A score carries its 95 % interval and its chance
level, a result the counts of what was and was not evaluated, the rank of every clip (so that two
results can be compared without the machines that made them), a signature from which it can be
traced, and the hash of its content.
Path: ``results/leaderboard/<encoder>/<revision>/<task>.<corpus>.<split>.json``.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from signclip.core import files
from signclip.core.errors import ConfigError

_WRITTEN = (":(top,exclude)results", ":(top,exclude)dvc.lock")  # by the pipeline
PACKAGES = ("torch", "transformers", "mmengine", "numpy", "pose-format", "spoken-to-signed")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Score(_Strict):
    """One metric with its 95 % bootstrap interval and what random scores would get."""

    value: float
    low: float
    high: float
    chance: float


class Cost(_Strict):
    """What a result cost; never part of a table that must be byte-identical."""

    parameters: int
    training_seconds: float
    evaluation_clips_per_second: float


class Result(_Strict):
    """One encoder on one task, corpus and split."""

    schema_version: int = 1
    encoder: str
    title: str
    revision: str
    task: str
    corpus: str
    split: str
    scores: dict[str, Score]
    labels: int = Field(gt=0)  # texts in the gallery
    n_total: int
    n_evaluated: int
    n_dropped: dict[str, int]  # reason -> test clips of the split that were not evaluated
    corpus_dropped: dict[str, int]  # reason -> clips refused when the corpus was read
    corpus_fingerprint: str
    split_fingerprint: str
    signers: str = ""  # who stands on two sides of the split, in words; empty: not recorded
    folds: list[int]
    seeds: list[int]
    # <seed>/<fold's run> -> fingerprint of what decided the run's weights; empty: not recorded, or
    # an encoder without runs
    runs: dict[str, str] = {}
    # V2T rank of each test clip, one a seed; what two encoders are compared by, clip by clip
    ranks: dict[str, list[int]] = {}
    cost: Cost
    git_commit: str
    packages: dict[str, str]
    hardware: str

    @property
    def signature(self) -> str:
        """How the number was made, in one line; equal signatures mean comparable numbers."""
        return "|".join(
            (
                f"task:{self.task}",
                f"corpus:{self.corpus}",
                f"data:{self.corpus_fingerprint}",
                f"split:{self.split}",
                f"roles:{self.split_fingerprint}",
                f"folds:{len(self.folds)}",
                f"seeds:{','.join(map(str, self.seeds))}",
                f"revision:{self.revision}",
                f"suite:{version('signclip')}",
            )
        )

    def path(self, leaderboard: Path) -> Path:
        """Where the result belongs below ``results/leaderboard``."""
        return path_of(leaderboard, self.encoder, self.revision, self.task, self.corpus, self.split)

    def write(self, leaderboard: Path) -> Path:
        """Write the result, whole or not at all; returns its path."""
        path = self.path(leaderboard)
        values = self.model_dump(mode="json") | {"signature": self.signature}
        with files.writing(path):
            files.write_text(path, files.canonical_json(files.sealed(values)))
        return path


def path_of(
    leaderboard: Path, encoder: str, revision: str, task: str, corpus: str, split: str
) -> Path:
    """Where a result belongs below ``results/leaderboard``."""
    return leaderboard / encoder / revision / f"{task}.{corpus}.{split}.json"


def read(path: Path | str) -> Result:
    """Read and validate a result.

    Raises:
        ConfigError: missing, not JSON, edited after it was written, or a field is wrong.
    """
    try:
        values = json.loads(Path(path).read_text(encoding="utf-8"))
        whole = files.is_sealed(values)
        del values[files.SEAL]
        signature = values.pop("signature")
        result = Result(**values)
    except OSError as error:
        raise ConfigError(f"{path}: no result here ({error.strerror})") from None
    except (json.JSONDecodeError, KeyError, TypeError, ValidationError) as error:
        raise ConfigError(f"{path}: not a valid result ({error})") from None
    if not whole or signature != result.signature:
        raise ConfigError(f"{path}: edited after it was written (hash or signature do not fit)")
    return result


def git_commit() -> str:
    """The commit checked out, with ``-dirty`` where tracked files differ; or ``unknown``.

    What the pipeline writes does not count: its second stage would always find the first's.
    """
    commit = _git("rev-parse", "--short=12", "HEAD")
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ":/", *_WRITTEN)
    if commit is None or changed is None:
        return "unknown"
    return commit.strip() + "-dirty" * bool(changed)


def _git(*command: str) -> str | None:
    """What git prints; None where it fails."""
    try:
        return subprocess.run(["git", *command], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None


def packages() -> dict[str, str]:
    """Versions of the packages that decide numbers."""
    return {name: version(name) for name in PACKAGES}


def of_processor(field: str) -> str | None:
    """What Linux says of the first processor; None where it says nothing."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.is_file() else ()
    return next((x.split(":")[1].strip() for x in lines if x.startswith(field)), None)


def processor() -> str:
    """The processor's name, as the system has it."""
    return of_processor("model name") or platform.processor() or platform.machine()


def hardware() -> str:
    """Processor and cores, and the GPU that was used, in a line."""
    line = f"{processor()}, {os.cpu_count()} cores"
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        line += f"; {torch.cuda.get_device_name()}"
    return line
