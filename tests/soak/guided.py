"""Damaged inputs chosen by coverage (atheris): each is read, or refused with one typed error.

    pip install atheris                            # an optional tool, no dependency of the suite
    python -m tests.soak.guided                    # 50,000 inputs of each of four readers
    python -m tests.soak.guided pose --inputs 1000

Decisions
* The readers, and what counts as a fault, are those of :mod:`tests.soak.fuzz`; here libFuzzer keeps
  the inputs that reach new branches of the readers and mutates those further.
* This repository and pose-format are instrumented; torch, Arrow and pandas are not, since only what
  reaches them is decided here.
* Each reader has a process of its own, because libFuzzer ends its process.

Cost: for 50,000 inputs of a reader, half a minute to three quarters of an hour on one core.
"""

from __future__ import annotations

import argparse
import atexit
import importlib.util
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

READERS = ("pose", "manifest", "result", "run", "released")  # the last two: checkpoints
INSTRUMENTED = ["signclip", "benchmarks", "pose_format"]
SEEDS = 50  # mutations of the whole file that libFuzzer starts from
MISSING = "skipped: atheris is not installed, and only this check needs it: pip install atheris"


def guided(name: str, count: int) -> None:
    """Read inputs that libFuzzer chooses; it ends the process, with status 0 if all is well."""
    import atheris

    with atheris.instrument_imports(include=INSTRUMENTED):
        from tests.soak import fuzz
    resource.setrlimit(resource.RLIMIT_AS, (fuzz.MEMORY, fuzz.MEMORY))
    work = Path(tempfile.mkdtemp())
    target = fuzz.targets(work)[name]
    corpus = work / "corpus"
    corpus.mkdir()
    for number, data in enumerate(fuzz.inputs(target, SEEDS, seed=2)):
        (corpus / str(number)).write_bytes(data)
    done = [0, 0]  # refused, read
    start = time.perf_counter()

    def one(data: bytes) -> None:
        try:
            done[fuzz.attempt(name, target, data)] += 1
        except BaseException:
            Path(f"fuzz-{name}.bin").write_bytes(data)
            print(f"{name}: see fuzz-{name}.bin", file=sys.stderr)
            raise

    def report() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)  # libFuzzer's timeout would end the end
        refused, read = done
        seconds, kept = time.perf_counter() - start, len(list(corpus.iterdir()))
        print(
            f"{name:10} {sum(done):7,} inputs: {read:,} read, {refused:,} refused; {kept:,} kept "
            f"for new branches; {seconds:.0f} s"
        )

    atexit.register(report)
    options = [f"-atheris_runs={count}", "-detect_leaks=0", "-verbosity=0", "-timeout=60"]
    options += [f"-max_len={2 * len(target.whole)}", "-rss_limit_mb=4096"]
    atheris.Setup([sys.argv[0], *options, str(corpus)], one)
    atheris.Fuzz()


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("readers", nargs="*", help=f"default: {' '.join(READERS)}")
    parser.add_argument("--inputs", type=int, default=50_000, help="of each reader")
    given = parser.parse_args()
    if importlib.util.find_spec("atheris") is None:
        print(MISSING)
    elif len(given.readers) == 1:
        guided(given.readers[0], given.inputs)
    else:
        for name in given.readers or READERS:
            command = [sys.executable, "-m", "tests.soak.guided", name]
            subprocess.run([*command, "--inputs", str(given.inputs)], check=True)


if __name__ == "__main__":
    main()
