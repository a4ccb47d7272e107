"""A copy of the working tree with the smoke profile, which soak tests may interrupt and damage.

Decisions
* The copy holds what git tracks or would track, as `make smoke` has it, and a finished pipeline.
* A training's state is saved every second update, which changes no result; by default the few
  updates of the smoke profile would never be saved.
* Two results are compared file by file: bytes, or for JSON all values but those that depend on the
  machine's speed (:data:`OF_ONE_COMPUTATION`) and the digests of such values.

Cost: the pipeline with the smoke profile, two minutes of processor time.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import yaml

from signclip.core import files

SOURCE = Path(__file__).parents[2]
CORPUS = "spreadthesign-fingerspelling"
# Values of JSON files that differ between two equal computations: times, and how often it began.
OF_ONE_COMPUTATION = {
    *(
        "seconds",
        "wall_seconds",
        "clips_per_second",
        "training_seconds",
        "evaluation_clips_per_second",
    ),
    *("starts", "content_sha256", "sha256", "cost", "made_from", "sources"),
}
# Files that hold nothing but such values.
TIMED = (
    *("tensorboard/", "curves.png", "extraction.csv", "results/costs/", "results/report/"),
    "results/figures/cost_quality",
)


class Failed(Exception):
    """A case did not end as it must; the text says how."""


class Ended(NamedTuple):
    """A command that has ended: its exit status, and all that it printed."""

    status: int
    text: str

    @property
    def last(self) -> str:
        """The line that says what was wrong: the last one that a command of ours printed."""
        lines = [line.strip() for line in self.text.replace("\r", "\n").splitlines()]
        return next((line for line in reversed(lines) if line), "")


class Checkout(NamedTuple):
    """A copy of the repository with a finished pipeline."""

    root: Path

    def run(self, *command: str | Path, **options: Any) -> Ended:
        """Run a command in the copy. ``options``: ``env`` (changes of it), ``cwd``, ``prefix``."""
        process = self.start(*command, **options)
        return ended(process)

    def start(
        self,
        *command: str | Path,
        env: Mapping[str, str | None] | None = None,
        cwd: Path | None = None,
        prefix: Iterable[str] = (),
    ) -> subprocess.Popen:
        """Start a command in a process group of its own; None removes a variable."""
        variables = environment(self.root) | (env or {})
        return subprocess.Popen(
            [*prefix, *map(str, command)],
            cwd=cwd or self.root,
            env={name: value for name, value in variables.items() if value is not None},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def signclip(self, *words: str | Path, **options: Any) -> Ended:
        """Run ``signclip`` with some arguments."""
        return self.run(sys.executable, "-m", "signclip", *words, **options)

    def signbench(self, *words: str | Path, **options: Any) -> Ended:
        """Run ``signbench`` with some arguments."""
        return self.run(sys.executable, "-m", "benchmarks", *words, **options)

    def repro(self, *words: str, **options: Any) -> Ended:
        """Run ``dvc repro`` with some arguments."""
        return self.run(*REPRO, *words, **options)

    def verify(self, *folders: str | Path) -> None:
        """Check every artefact with ``signclip verify``.

        Raises:
            Failed: something is damaged.
        """
        result = self.signclip("verify", *folders)
        if result.status:
            raise Failed(f"signclip verify: {result.last}")

    def stages(self) -> dict[str, list[str]]:
        """Stage -> its outputs, relative, in the order of the pipeline."""
        lock = yaml.safe_load((self.root / "dvc.lock").read_text("utf-8"))
        plan = yaml.safe_load((self.root / "dvc.yaml").read_text("utf-8"))["stages"]
        found = lock["stages"]
        return {
            name: [out["path"] for out in found[name]["outs"]] for name in plan if name in found
        }

    def forget(self, stage: str) -> None:
        """Delete a stage's outputs, and what DVC and caches know of them."""
        for out in self.stages()[stage]:
            shutil.rmtree(self.root / out)
        path = self.root / "dvc.lock"
        lock = yaml.safe_load(path.read_text("utf-8"))
        del lock["stages"][stage]
        path.write_text(yaml.safe_dump(lock, sort_keys=False), "utf-8")
        # What DVC or an evaluation would take from their caches. Points need the embeddings: a clip
        # that is embedded in another batch differs by rounding, which t-SNE magnifies.
        cached = (".dvc/cache/runs", *(["embeddings"] if stage == "evaluate" else []))
        for folder in cached:
            shutil.rmtree(self.root / folder, ignore_errors=True)


DVC = (sys.executable, "-m", "dvc")
REPRO = (*DVC, "repro")


def ended(process: subprocess.Popen) -> Ended:
    """Wait for a command."""
    text = process.communicate()[0].decode("utf-8", "backslashreplace")
    return Ended(process.returncode, text)


def environment(root: Path) -> dict[str, str | None]:
    """Of commands in the copy: its own code, one thread a process."""
    one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return {**os.environ, **one_thread, "PYTHONPATH": str(root), "NO_COLOR": "1", "COLUMNS": "200"}


def prepare(work: Path) -> Checkout:
    """Make the copy and run its pipeline; a copy that is there and finished is used again.

    Raises:
        Failed: the pipeline does not end.
    """
    made = Checkout(work / "checkout")
    if not made.root.exists():
        with files.atomic_folder(made.root) as partial:
            _copy(partial)
    result = made.repro()
    if result.status:
        raise Failed(f"the uninterrupted pipeline: {result.text[-2000:]}")
    return made


def _copy(to: Path) -> None:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=SOURCE, capture_output=True, check=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        if not name.startswith("results/") and name != "dvc.lock" and (SOURCE / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(SOURCE / name, to / name)
    (to / "results/leaderboard").mkdir(parents=True)
    subprocess.run(["git", "init", "--quiet"], cwd=to, check=True)
    params = yaml.safe_load((to / "params.yaml").read_text("utf-8"))
    params |= {"profile": "smoke", "corpora": {}}
    for name, recipe in params["profiles"]["smoke"].items():
        if name not in ("plan", "finetune"):
            recipe["save_every"] = 2
    (to / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), "utf-8")


def content(root: Path, folders: Iterable[str]) -> dict[str, str]:
    """File -> digest of what is deterministic in it, for all files below folders of ``root``."""
    found = {}
    for folder in folders:
        for path in sorted((root / folder).rglob("*")):
            name = path.relative_to(root).as_posix()
            if not path.is_file() or any(part in name for part in TIMED):
                continue
            if path.suffix == ".json":
                value = _without_times(files.read_json(path))
                found[name] = files.sha256_bytes(files.canonical_json(value).encode())
            elif path.name == "curves.csv":
                curves = pd.read_csv(path, dtype=str).drop(
                    columns=OF_ONE_COMPUTATION, errors="ignore"
                )
                found[name] = files.sha256_bytes(curves.to_csv().encode())
            else:
                found[name] = files.sha256_file(path)
    return found


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {key: one for key, one in value.items() if key not in OF_ONE_COMPUTATION}
        return {key: _without_times(one) for key, one in kept.items()}
    return [_without_times(one) for one in value] if isinstance(value, list) else value


def same(expected: Mapping[str, str], found: Mapping[str, str]) -> None:
    """Compare two contents.

    Raises:
        Failed: naming the first files that differ or are there only once.
    """
    if differ := sorted(
        n for n in expected.keys() | found.keys() if expected.get(n) != found.get(n)
    ):
        raise Failed(f"{len(differ)} files differ: {', '.join(differ[:4])}")
