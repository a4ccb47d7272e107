"""Every stage killed once, two pipelines at once, full disks, other users, missing surroundings.

    python -m tests.soak.interruptions                # in a temporary folder
    python -m tests.soak.interruptions kill --work W  # cases with a word in their name; W stays

Decisions
* Everything happens in a copy of the working tree with the smoke profile (see
  :mod:`tests.soak.checkout`); the working tree is not touched.
* A stage is killed with SIGKILL, with all processes of its group, when it has written half of the
  files that it writes; a training as soon as a state of it is saved. Then the same command runs
  again, and what it writes is compared with the uninterrupted pipeline.
* Each case prints one line; one that this user or machine cannot provoke says why. The exit status
  is 1 if anything was not as it must be.

Cost: about a quarter of an hour on 2 cores, of which the uninterrupted pipeline takes a fifth.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.soak import surroundings, system
from tests.soak.cases import Case, Skipped
from tests.soak.checkout import REPRO, Checkout, Failed, content, ended, prepare, same

TRAININGS = ("fingerclip", "signclip", "skeletons")
STATE = "state.pt"
PATIENCE = 600.0  # seconds for a stage to come to its middle


def killed(stage: str, expected: dict[str, str]) -> Callable[[Checkout], str]:
    """A stage that is killed in the middle of its work, and run again."""

    def case(copy: Checkout) -> str:
        outs = copy.stages()[stage]
        whole = [name for name in expected if name.startswith(tuple(f"{out}/" for out in outs))]
        copy.forget(stage)
        process = copy.start(*REPRO, "--single-item", stage)
        there = _killed_when(process, lambda: _begun(copy.root, outs, stage, len(whole)))
        again = copy.repro("--single-item", stage)
        if again.status:
            raise Failed(f"the second `dvc repro`: {again.last}")
        copy.verify()
        same({name: expected[name] for name in whole}, content(copy.root, outs))
        resumed = ""
        if stage in TRAININGS:
            updates = _resumed_after(copy.root / outs[0])
            if not updates:
                raise Failed("no training was resumed from its state")
            resumed = f", a training resumed after update {max(updates)}"
        return f"killed with {there}{resumed}; then the same {len(whole)} files"

    return case


def _begun(root: Path, outs: list[str], stage: str, whole: int) -> str:
    """What is there in the middle of a stage's work; empty before it."""
    found = [path for out in outs for path in (root / out).rglob("*")]
    if stage in TRAININGS:
        states = [path for path in found if path.name == STATE]
        return f"{len(states)} saved states" if states else ""
    # hidden: what is not yet renamed
    done = [path for path in found if path.is_file() and not path.name.endswith(".lock")]
    started = found or any((root / out).parent.glob(f".{Path(out).name}.partial") for out in outs)
    enough = len(done) >= whole // 2 if whole > 8 else bool(started)
    return f"{len(done)} of {whole} files" if enough else ""


def _killed_when(process: subprocess.Popen, middle: Callable[[], str]) -> str:
    """Kill the group of a process as soon as something is there; what it is."""
    until = time.monotonic() + PATIENCE
    while not (there := middle()):
        if process.poll() is not None or time.monotonic() > until:
            os.killpg(process.pid, signal.SIGKILL) if process.poll() is None else None
            raise Failed(f"ended before its middle: {ended(process).last}")
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    ended(process)
    return there


def _resumed_after(runs: Path) -> list[int]:
    """Updates after which the trainings of a stage began again."""
    from signclip.experiments.run_folder import read_metrics

    listed = [read_metrics(path.parent).get("starts", []) for path in runs.rglob("metrics.json")]
    return [start["after_update"] for starts in listed for start in starts if start["after_update"]]


def two_pipelines(expected: dict[str, str]) -> Callable[[Checkout], str]:
    """Two `dvc repro` at once."""

    def case(copy: Checkout) -> str:
        outs = copy.stages()["features"]
        copy.forget("features")
        both = [copy.start(*REPRO, "features") for _ in range(2)]
        results = [ended(process) for process in both]
        refused = [result for result in results if result.status]
        if any("Traceback" in result.text for result in results) or len(refused) == 2:
            raise Failed(" | ".join(result.last for result in results))
        again = copy.repro("features")
        if again.status:
            raise Failed(f"afterwards: {again.last}")
        copy.verify()
        same(
            {n: d for n, d in expected.items() if n.startswith(f"{outs[0]}/")},
            content(copy.root, outs),
        )
        how = f"one was refused ({_reason(refused[0].text)})" if refused else "one waited"
        return f"{how}; nothing damaged"

    return case


def _reason(text: str) -> str:
    line = next((line for line in text.splitlines() if line.startswith("ERROR")), "no reason")
    return line.split(" - ")[0].strip()[:160]


def nothing_left_to_do(expected: dict[str, str]) -> Callable[[Checkout], str]:
    """After all kills the pipeline is up to date, and every result is that of the first one."""

    def case(copy: Checkout) -> str:
        result = copy.repro()
        if result.status:
            raise Failed(result.last)
        outs = [out for outs in copy.stages().values() for out in outs]
        same(expected, content(copy.root, outs))
        copy.verify()
        return f"{len(expected)} files are those of the uninterrupted pipeline"

    return case


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("words", nargs="*", help="of the cases' names; default: all cases")
    parser.add_argument("--work", type=Path, help="folder of the copy, which stays there")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        os.chmod(scratch, 0o755)  # another user has to reach the copy
        copy = prepare((given.work or Path(scratch)).resolve())
        stages = copy.stages()
        expected = content(copy.root, [out for outs in stages.values() for out in outs])
        print(f"{len(stages)} stages, {len(expected)} files to compare", flush=True)
        cases = [Case(f"kill {stage}", killed(stage, expected)) for stage in stages]
        cases += [
            Case("two pipelines at once", two_pipelines(expected)),
            Case("all stages after the kills", nothing_left_to_do(expected)),
            *surroundings.cases(),
            *system.cases(),
        ]
        chosen = [c for c in cases if not given.words or any(w in c.name for w in given.words)]
        bad = sum(not run(case, copy) for case in chosen)
    print(f"{len(chosen)} cases, {bad} not ok")
    raise SystemExit(1 if bad else 0)


def run(case: Case, copy: Checkout) -> bool:
    """Run a case and print its line: False if anything is not as it must be."""
    start = time.monotonic()
    try:
        word, text = "ok", case.run(copy)
    except Skipped as reason:
        word, text = "skipped", str(reason)
    except Failed as problem:
        word, text = "NOT OK", str(problem)
    print(f"{word:7} {case.name}: {text} ({time.monotonic() - start:.0f} s)", flush=True)
    return word != "NOT OK"


if __name__ == "__main__":
    main()
