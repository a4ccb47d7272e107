"""Full and read-only file systems, and another user: what only root can provoke.

Decisions
* A small tmpfs lies where a command writes. Each kind of output is written once; then the file
  system is filled, at first altogether, then but for half of what the output takes; last it is made
  read-only. The command must end in one line with the place and the reason, the earlier output
  must stay as it was, and with room the same command must succeed.
* The other user is `nobody`. Where Python itself may only be read by root, nobody keeps the right
  to read every file (CAP_DAC_READ_SEARCH), and still may not write.

Cost: about five minutes: each of the commands runs five times and imports torch.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

from tests.soak.cases import Case, Skipped, digests, refused, succeeded
from tests.soak.checkout import CORPUS, Checkout, Failed
from tests.soak.surroundings import MODEL, NOBODY, make_clips

SIZE = "64m"  # of the tmpfs
FULL, READ_ONLY = "No space left on device", "Read-only file system"
OTHER = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
READER = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")


class Output(NamedTuple):
    """A kind of output, and the command that writes it.

    Attributes:
        command: of ``signclip`` or ``signbench``; ``{0}`` is the folder to write into.
        again: the command that writes anew, where the same one would keep what is there.
    """

    name: str
    command: str
    again: str = ""


ROW = "nearest-neighbour --split letters --profile smoke --group small --publish"
TRAIN = "signclip train E3.2 --fold 0 --profile smoke --jobs 1 --runs {0}"
EXTRACT = "signclip extract data/photograph"
OUTPUTS = (
    Output("corpus", "signclip corpora build folder --path {1} --out {0}/corpus"),
    Output("feature store", f"signclip pack {CORPUS} --variant dominant_hand --features {{0}}"),
    Output("checkpoint", f"{TRAIN} --seed 0", f"{TRAIN} --seed 1"),
    Output("embeddings", f"signclip embed {MODEL} {{1}} --out {{0}}/e.npz"),
    Output("index", f"signclip index {CORPUS} --model {MODEL} --out {{0}}/index"),
    Output("page of a search", "signclip search {2} a --sign-language ase --show {0}/a.html"),
    Output("poses", f"{EXTRACT} {{0}}/poses", f"{EXTRACT} {{3}} {{0}}/poses"),
)
# written to a place that the command does not let one choose: the tmpfs lies over it
IN_PLACE = {
    Output("result", f"signbench evaluate {ROW}"): "results/leaderboard",
    Output("predictions", f"signbench evaluate {ROW}"): "predictions",
    Output("leaderboard page", "signbench leaderboard"): "results/leaderboard",
    Output("table", "signbench table fingerclip --profile smoke --publish"): "results/tables",
    Output(
        "figure", "signbench figure length_distribution --profile smoke --publish"
    ): "results/figures",
}


def cases() -> list[Case]:
    """The cases of this module."""
    found = [
        Case(f"full and read-only disk: {output.name}", partial(no_room, output, None))
        for output in OUTPUTS
    ]
    found += [
        Case(f"full and read-only disk: {output.name}", partial(no_room, output, place))
        for output, place in IN_PLACE.items()
    ]
    return [*found, Case("another user", another_user)]


def no_room(output: Output, place: str | None, copy: Checkout) -> str:
    """One kind of output on a small file system that is full, then read-only."""
    inputs = copy.root.parent / "inputs"
    index = inputs / "index"
    if not index.exists():
        shutil.rmtree(inputs, ignore_errors=True)
        clips = make_clips(inputs / "clips")
        succeeded(copy.signclip("index", clips, "--model", MODEL, "--out", index))
    video = inputs / "another.mp4"
    shutil.copy(next((copy.root / "data/photograph").glob("*.mp4")), video)
    small = copy.root / (place or "small")
    places = (small, inputs / "clips", index, video)
    program, *words = output.command.format(*places).split(" ")
    command = copy.signclip if program == "signclip" else copy.signbench
    with _mounted(small):
        start = time.time()
        succeeded(command(*words))
        first = _outputs(small)
        made = [path.stat() for path in map(Path, first) if path.stat().st_mtime >= start]
        again = (output.again or output.command).format(*places).split(" ")[1:]
        half = sum(state.st_size for state in made) // 2
        with _filled(small, 0):
            line = refused(command(*again), small.name, FULL)
        _unchanged(first, small)
        with _filled(small, half):
            result = command(*again)  # small files that replace one another may fit
        if result.status:
            refused(result, small.name, FULL)
            _unchanged(first, small)
        first = _outputs(small)
        _mount("-o", "remount,ro", str(small))
        refused(command(*again), small.name, READ_ONLY)
        _mount("-o", "remount,rw", str(small))
        _unchanged(first, small)
        succeeded(command(*again))
    return line.replace(str(copy.root), "")[-150:]


def _outputs(place: Path) -> dict[str, str]:
    """Digests of what a command wrote, without locks and the report of the last extraction."""
    left_out = (".lock", "extraction.csv")
    return {name: one for name, one in digests([place]).items() if not name.endswith(left_out)}


def _unchanged(before: dict[str, str], place: Path) -> None:
    now = _outputs(place)
    if lost := [name for name, digest in before.items() if now.get(name) != digest]:
        raise Failed(f"{lost[0]} was lost or changed")
    if left := [name for name in now if ".partial" in name]:
        raise Failed(f"{left[0]} stays")


def _mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True)


@contextmanager
def _mounted(place: Path) -> Iterator[None]:
    """A small tmpfs over a folder, with the folder's content."""
    if os.geteuid() != 0:
        raise Skipped("only root may mount a file system")
    there = place.exists()
    place.mkdir(parents=True, exist_ok=True)
    with_content = place.parent / f".{place.name}.kept"
    shutil.copytree(place, with_content)
    tried = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(place)],
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        if tried.returncode:
            raise Skipped(f"no tmpfs can be mounted here: {tried.stderr.strip()}")
        try:
            shutil.copytree(with_content, place, dirs_exist_ok=True)
            yield
        finally:
            subprocess.run(["umount", str(place)], check=True)
    finally:
        shutil.rmtree(with_content)
        if not there:
            place.rmdir()


@contextmanager
def _filled(place: Path, free: int) -> Iterator[None]:
    """Fill a file system but for some bytes."""
    ballast = place / "ballast"
    state = os.statvfs(place)
    size = state.f_bavail * state.f_frsize - free
    with open(ballast, "wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(size, 1))
    try:
        yield
    finally:
        ballast.unlink()


def another_user(copy: Checkout) -> str:
    """Another user reads a checkout, and writes into a folder of their own only."""
    if os.geteuid() != 0:
        raise Skipped("only root may become another user")
    prefix = OTHER
    starts = "import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-c', '']))"
    probe = [*prefix, sys.executable, "-c", starts]  # a Python that processes can be started with
    how = "as nobody"
    if subprocess.run(probe, cwd=copy.root, capture_output=True, check=False).returncode:
        prefix, how = (*OTHER, *READER), "as nobody with the right to read every file"
    own = copy.root.parent / "own"
    shutil.rmtree(own, ignore_errors=True)
    clips = make_clips(own / "clips")
    for path in (own, *own.rglob("*")):
        os.chown(path, 65534, 65534)
    before = digests(copy.root / name for name in ("data", "features", "runs", "results"))
    signclip = partial(copy.signclip, prefix=prefix, env=NOBODY)
    signbench = partial(copy.signbench, prefix=prefix, env=NOBODY)
    allowed: list[tuple[Callable, list[str | Path]]] = [
        (signclip, ["verify"]),
        (signclip, ["embed", MODEL, clips, "--out", own / "e.npz"]),
        (signclip, ["index", clips, "--model", MODEL, "--out", own / "index"]),
        (
            signclip,
            ["search", own / "index", "a", "--sign-language", "ase", "--show", own / "a.html"],
        ),
        (signclip, ["pack", CORPUS, "--variant", "dominant_hand", "--features", own / "features"]),
        (signclip, ["train", "E3.2", "--fold", "0", "--profile", "smoke", "--runs", own / "runs"]),
        (signbench, ["why", "fingerclip", "E3.2"]),
    ]
    for command, words in allowed:
        succeeded(command(*words))
    forbidden: list[tuple[Callable, str, str]] = [
        (signclip, f"pack {CORPUS} --variant dominant_hand", "features"),
        (signclip, f"corpora build {CORPUS}", "data"),
        (signclip, "train E3.2 --fold 0 --profile smoke --seed 5", "runs"),
        (signclip, f"embed {MODEL} {clips} --out e.npz", "e.npz"),
        (signclip, f"index {clips} --model {MODEL} --out index", "index"),
        (signclip, "extract data/photograph poses/photograph", "poses"),
        (signbench, "evaluate nearest-neighbour --split letters --profile smoke", "predictions"),
        (signbench, "table fingerclip --profile smoke --publish", "results"),
        (signbench, "paper --profile smoke --publish", "results"),
        (signbench, "leaderboard", "results"),
    ]
    for command, line, place in forbidden:
        try:
            refused(command(*line.split(" ")), place, "Permission denied")
        except Failed as problem:
            raise Failed(f"{line}: {problem}") from None
    if digests(copy.root / name for name in ("data", "features", "runs", "results")) != before:
        raise Failed("the checkout was changed")
    shutil.rmtree(own)
    return f"{how}: {len(allowed)} commands work, {len(forbidden)} are refused with the place"
