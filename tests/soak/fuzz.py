"""Damaged inputs for every reader: each is read, or refused with one typed error.

    python -m tests.soak.fuzz --inputs 50000     # mutations of whole files, by seed
    python -m tests.soak.fuzz pose --coverage    # guided by coverage (pip install atheris)

Decisions
* A reader takes bytes. What it raises other than :class:`SignCLIPError` is a bug, and the input is
  written to ``fuzz-<reader>.bin``.
* Mutations start from a whole file of each format: bits are flipped, spans cut, doubled and moved,
  and numbers replaced by those at the borders of their types.
* Every input must be done within :data:`SECONDS` and :data:`MEMORY`.

Cost: 50,000 inputs of each of the eight readers take a quarter of an hour on one core.
"""

from __future__ import annotations

import argparse
import json
import pickle
import random
import resource
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

import signclip
from benchmarks import results
from signclip import checkpoint, poses
from signclip.core import files
from signclip.core.errors import SignCLIPError
from signclip.corpora.loaders import folder
from signclip.model.config import ModelConfig
from signclip.model.towers import SignCLIP
from signclip.poses import reader
from tests.conftest import _bytes, _pose

SECONDS, MEMORY = 5.0, 4 << 30  # of one input; bytes of address space
BORDERS = [struct.pack("<I", value) for value in (0, 1, 0x7F, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)]
BORDERS += [struct.pack("<f", value) for value in (float("nan"), float("inf"), 1e38, -0.0)]


class Target(NamedTuple):
    """A reader, and the whole file that mutations start from."""

    read: Callable[[bytes], object]
    whole: bytes


def targets(work: Path) -> dict[str, Target]:
    """The readers by name; files are written below ``work``."""
    return {
        "pose": Target(lambda data: poses.parse_pose(data), _bytes(_pose(frames=2))),
        "kaggle": Target(lambda data: reader.parse(data, "a.parquet", sample="a"), _kaggle()),
        "openhands": Target(lambda data: reader.parse(data, "a.pkl", sample="a"), _openhands()),
        "sem-lex": Target(lambda data: reader.parse(data, "a.npy", sample="a"), _sem_lex()),
        "manifest": Target(*_manifest(work / "clips")),
        "result": Target(*_result(work / "leaderboard")),
        "run": Target(*_run(work / "run")),
        "released": Target(*_released(work / "released.pt")),
    }


def _kaggle() -> bytes:
    kinds = {"face": 468, "left_hand": 21, "pose": 33, "right_hand": 21}
    rows = [(frame, kind, i) for frame in (1, 2) for kind, n in kinds.items() for i in range(n)]
    table = pd.DataFrame(rows, columns=["frame", "type", "landmark_index"])
    values = np.random.default_rng(0).uniform(0.1, 0.9, (len(table), 3))
    table[["x", "y", "z"]] = values
    buffer = BytesIO()
    table.to_parquet(buffer, index=False)
    return buffer.getvalue()


def _openhands() -> bytes:
    keypoints = np.random.default_rng(0).uniform(0.1, 0.9, (2, 75, 3))
    clip = {"keypoints": keypoints, "confidences": np.ones((2, 75))}
    return pickle.dumps(clip, protocol=4)


def _sem_lex() -> bytes:
    buffer = BytesIO()
    np.save(buffer, np.random.default_rng(0).uniform(0.1, 0.9, (2, 553, 3)).astype(np.float32))
    return buffer.getvalue()


def _manifest(root: Path) -> tuple[Callable[[bytes], object], bytes]:
    root.mkdir()
    rows = "".join(f"c{i},c{i}.pose,water,ase,en,s1,train\n" for i in range(20))

    def read(data: bytes) -> object:
        (root / folder.TABLE).write_bytes(data)
        return folder.rows(root)

    return read, f"{','.join(folder.GIVEN)}\n{rows}".encode()


def _result(board: Path) -> tuple[Callable[[bytes], object], bytes]:
    source = next(Path("results/leaderboard/repro").glob("*/*/retrieval.*.json"))
    path = results.read(source).path(board)
    path.parent.mkdir(parents=True)

    def read(data: bytes) -> object:
        # sealed anew, since most mutations would end at the seal
        with suppress(ValueError, TypeError, AttributeError, RecursionError):
            data = files.canonical_json(files.sealed(json.loads(data))).encode()
        path.write_bytes(data)
        return results.read(path)

    return read, source.read_bytes()


SIZES = dict(hidden_size=8, attention_heads=2, intermediate_size=8, pose_layers=1, text_layers=1)


def _run(place: Path) -> tuple[Callable[[bytes], object], bytes]:
    """Configuration and weights of a model folder, one after the other."""
    model = SignCLIP(ModelConfig(frame_dims=63, vocab_size=30, **SIZES))
    checkpoint.export(place, checkpoint.Run(None, model, None, {}, "right_hand", "{text}"))
    names = (checkpoint.CONFIG, checkpoint.WEIGHTS)
    whole = [(place / name).read_bytes() for name in names]

    def read(data: bytes) -> object:
        cut = data.find(b"\0\0\0\0\0\0{")  # a safetensors file begins with the length of its header
        cut = max(cut - 2, 0)
        for name, part in zip(names, (data[:cut], data[cut:]), strict=True):
            (place / name).write_bytes(part)
        return signclip.load(place)

    return read, b"".join(whole)


def _released(path: Path) -> tuple[Callable[[bytes], object], bytes]:
    table = dict(pose_vocab_size=110, pose_cls_id=101, pose_sep_id=102)
    model = SignCLIP(ModelConfig(frame_dims=63, vocab_size=30, **SIZES, **table))
    buffer = BytesIO()
    torch.save({"model": {f"mmmodel.{k}": v for k, v in model.state_dict().items()}}, buffer)

    def read(data: bytes) -> object:
        path.write_bytes(data)
        return checkpoint.from_reference(path, attention_heads=2)

    return read, buffer.getvalue()


def mutated(whole: bytes, rng: random.Random) -> bytes:
    """One to four changes of a file."""
    data = bytearray(whole)
    for _ in range(rng.randint(1, 4)):
        at, length = rng.randrange(len(data) + 1), rng.choice((1, 2, 8, 64, 1000))
        kind = rng.randrange(6)
        if kind == 0 and data:
            data[min(at, len(data) - 1)] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del data[at : at + length]
        elif kind == 2:
            data[at:at] = data[at : at + length]
        elif kind == 3:
            data[at : at + 4] = rng.choice(BORDERS)
        elif kind == 4:
            del data[at:]
        else:
            data[at:at] = rng.randbytes(min(length, 64))
    return bytes(data)


def attempt(name: str, target: Target, data: bytes) -> bool:
    """Whether an input is read; False: refused as it must be.

    Raises:
        Exception: anything else, or it took too long.
    """
    start = time.perf_counter()
    try:
        target.read(data)
        whole = True
    except SignCLIPError:
        whole = False
    if time.perf_counter() - start > SECONDS:
        raise TimeoutError(f"{name}: {time.perf_counter() - start:.1f} s")
    return whole


def inputs(target: Target, count: int, seed: int) -> Iterator[bytes]:
    """The whole file, then mutations of it."""
    yield target.whole
    rng = random.Random(seed)
    for _ in range(count - 1):
        yield mutated(target.whole, rng)


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("readers", nargs="*", help="default: all")
    parser.add_argument("--inputs", type=int, default=50_000, help="of each reader")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--coverage", action="store_true", help="guided by coverage, one reader")
    given = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as work:
        known = targets(Path(work))
        for name in given.readers or known:
            target = known[name]
            if given.coverage:
                _guided(name, target, given.inputs)
            read = 0
            for data in inputs(target, given.inputs, given.seed):
                try:
                    read += attempt(name, target, data)
                except BaseException:
                    Path(f"fuzz-{name}.bin").write_bytes(data)
                    print(f"{name}: see fuzz-{name}.bin", file=sys.stderr)
                    raise
            refused = given.inputs - read
            print(f"{name:10} {given.inputs:7,} inputs: {read:,} read, {refused:,} refused")


def _guided(name: str, target: Target, count: int) -> None:
    """Let atheris choose the inputs; it ends the process."""
    import atheris

    def one(data: bytes) -> None:
        attempt(name, target, data)

    corpus = Path(tempfile.mkdtemp())
    (corpus / "whole").write_bytes(target.whole)
    atheris.instrument_all()
    atheris.Setup([sys.argv[0], f"-runs={count}", "-max_len=200000", str(corpus)], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
