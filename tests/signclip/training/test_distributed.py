"""Two processes of torchrun on one batch: loss, gradients and weights of one process.

Where new interpreters are not what is tested, the two processes are forks, see
``forked_torchrun.py``.
"""

import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import psutil
import pytest
import torch

from signclip.core.errors import ConfigError
from signclip.corpora import splits
from signclip.experiments.config import Compute, RunConfig
from signclip.features import packing, store
from signclip.training import curves, distributed, sampling, train

ROOT = Path(__file__).parents[3]
NAME = "spreadthesign-fingerspelling"

GATHERED_LOSSES = ROOT / "tests/signclip/training/gathered_losses.py"
TABLES = ["--experiments", ROOT / "benchmarks/experiments.yaml", "--params", ROOT / "params.yaml"]


def torchrun(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess:
    """Two new interpreters, started by the command."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [*command, f"--master_port={port}", *map(str, arguments)],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )


class Done(NamedTuple):
    """What two forks did: 0 if both ended well, and what they printed."""

    status: int
    stdout: str
    stderr: str


@pytest.fixture(scope="session")
def forked_torchrun(start_in_fork) -> Callable[..., Done]:
    """``forked_torchrun(folder, "module:function", *arguments)``: call it in two forks."""

    def run(folder: Path, function: str, *arguments: Any) -> Done:
        process = start_in_fork("forked_torchrun:launch", folder, function, *arguments)
        process.join()
        return Done(process.exitcode, *((folder / x).read_text() for x in ("stdout", "stderr")))

    return run


CHANGES = {
    "plain": {},
    "augmented": {"augment": ("affine2d", "temporal")},
    "gallery": {"loss": "gallery", "gallery_texts": 12, "label_prompt": "{label}"},
    "split_prompt": {
        "loss": "gallery",
        "prompt": "<en> <{sign_language}> {label}",
        "split_prompt": True,
    },
    "sigmoid": {"loss": "sigmoid", "temperature": True, "normalise": True, "pooling": "attention"},
    "chunks": {"compute": Compute(padding="none", group_ratio=0.85, chunk=5)},
}


@pytest.fixture(scope="module")
def configs(smoke_config) -> dict[str, RunConfig]:
    """What two processes train one after another. It takes them seconds to start."""
    # without dropout, whose draws are each process's own
    towers = smoke_config().towers.model_copy(update={"dropout": 0.0})
    compute = Compute(padding="none", group_ratio=0.85)
    return {
        **{
            name: smoke_config(towers=towers, batch_size=25, **{"compute": compute, **changes})
            for name, changes in CHANGES.items()
        },
        "one text": smoke_config(loss="gallery", prompt="one text for all", batch_size=100),
        "dropout": smoke_config(epochs=2, save_every=4),
    }


@pytest.fixture(scope="module")
def by_two(training_folder, configs, tmp_path_factory, forked_torchrun) -> Path:
    """What two processes wrote: gathered losses, and a folder of runs for each configuration."""
    runs = tmp_path_factory.mktemp("by_two")
    values = {name: config.model_dump(mode="json") for name, config in configs.items()}
    done = forked_torchrun(runs, "by_two:train", training_folder, runs, values)
    assert done.status == 0, done.stderr
    return runs


@pytest.mark.slow
def test_losses_of_gathered_parts_and_their_gradients_are_those_of_the_whole(by_two):
    parts = [torch.load(by_two / f"{rank}.pt") for rank in range(2)]
    spec = importlib.util.spec_from_file_location("gathered_losses", GATHERED_LOSSES)
    alone = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(alone)
    for name in alone.LOSSES:
        whole, halves = alone.of_this_process(name), [part[name] for part in parts]
        assert [len(part["rows"][0]) for part in halves] == [3, 4]
        for part in halves:
            assert part["loss"] == pytest.approx(whole["loss"].item(), rel=1e-6), name
            for ours, theirs in zip(part["weights"], whole["weights"], strict=True):
                assert torch.allclose(ours, theirs, atol=1e-6), name
        for side in range(2):
            # what DDP's mean over the two processes will halve
            ours = torch.cat([part["rows"][side] for part in halves]) / 2
            assert torch.allclose(ours, whole["rows"][side], atol=1e-7), name


@pytest.mark.slow
@pytest.mark.parametrize("name", CHANGES)
def test_two_processes_train_as_one(by_two, configs, workspace, tmp_path, name):
    config = configs[name]
    one = train.train(config, workspace.replace(runs=tmp_path))
    two = by_two / name / config.run_id.path
    trace = [pd.read_csv(run / curves.LOSSES)["loss"] for run in (one, two)]
    assert len(trace[0]) > 5
    np.testing.assert_allclose(*trace, rtol=1e-5)
    starts = json.loads((two / "metrics.json").read_text())["starts"]
    assert [start["processes"] for start in starts] == [2]
    weights = [train.checkpoint.load(run).model.state_dict() for run in (one, two)]
    for key, weight in weights[0].items():
        assert torch.allclose(weight, weights[1][key], atol=1e-4), key


@pytest.mark.slow
def test_a_process_may_have_none_of_a_gallerys_texts(by_two, configs):
    run = by_two / "one text" / configs["one text"].run_id.path
    assert (run / "model.safetensors").is_file()


@pytest.mark.slow
def test_two_killed_processes_resume_to_the_bits_of_an_uninterrupted_run(
    by_two, configs, training_folder, tmp_path, forked_torchrun
):
    config = configs["dropout"]
    assert config.towers.dropout > 0  # whose draws are each process's own
    arguments = (training_folder, tmp_path, config.model_dump(mode="json"))

    def train_by_two(*killed: str | int) -> int:
        return forked_torchrun(tmp_path, "killed_training:train", *arguments, *killed).status

    assert train_by_two("after-update", 7) != 0
    run = config.run_id.path
    assert (tmp_path / run.with_name(f".{run.name}.work") / "state.pt").is_file()
    assert train_by_two() == 0
    for name in (curves.LOSSES, train.checkpoint.WEIGHTS):
        once, twice = (runs / run / name for runs in (by_two / "dropout", tmp_path))
        assert once.read_bytes() == twice.read_bytes(), name


@pytest.mark.slow
def test_a_clip_that_one_process_cannot_use_is_named_by_it(
    training_folder, tmp_path, forked_torchrun
):
    """The other only sees the first one gone."""
    for part in ("data", "features"):
        shutil.copytree(training_folder / part / NAME, tmp_path / part / "letters")
    variant = tmp_path / "features/letters/dominant_hand"
    clips = store.FeatureStore(variant).index
    rows = splits.read(tmp_path / "data/letters", "letters")
    training = rows["id"][(rows["fold"] == 0) & (rows["role"] == "train")]
    # a round is in the order of the alphabet, and its second half is the second process's
    spoilt = clips[clips["id"].isin(training) & clips["id"].str.endswith("-z")].iloc[0]
    values = np.memmap(variant / packing.FEATURES, np.float32, "r+")
    values.reshape(-1, 63)[spoilt["offset"]] = np.nan
    values.flush()
    command = ["train", "E3.2", "--corpus", "letters", "--profile", "smoke", "--fold", "0"]
    done = forked_torchrun(tmp_path, "forked_torchrun:command", *command, *map(str, TABLES))
    assert done.status != 0
    told = [line for line in done.stderr.splitlines() if line.startswith("signclip: ")]
    assert told, done.stderr
    assert all(spoilt["id"] in line for line in told)


@pytest.mark.slow
def test_the_command_line_under_torchrun(training_folder, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "letters").symlink_to(training_folder / "data" / NAME)
    (tmp_path / "features").mkdir()
    (tmp_path / "features" / "letters").symlink_to(training_folder / "features" / NAME)
    command = ["-m", "signclip", "train", "E3.2", "--corpus", "letters", "--profile", "smoke"]
    done = torchrun(tmp_path, *command, "--fold", "0", *TABLES)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "runs/E3.2/0/letters-0/model.safetensors").is_file()
    assert done.stdout.count("runs/E3.2/0/letters-0") == 1


@pytest.mark.slow
def test_one_process_prepares_a_folder_for_fine_tuning_for_all(
    workspace, smoke_config, folder_corpus, make_pose, pose_bytes, tmp_path, forked_torchrun
):
    start = train.train(smoke_config("E3.1"), workspace.replace(runs=tmp_path / "start"))
    for number in range(4):
        pose = pose_bytes(make_pose(seed=number))
        folder_corpus.add(f"clip-{number}", pose, text=("water", "tea")[number % 2])
    command = ["train", "--corpus", folder_corpus.write(), "--init", start, "--profile", "smoke"]
    words = map(str, [*command, *TABLES])
    done = forked_torchrun(tmp_path, "forked_torchrun:command", *words)
    assert done.status == 0, done.stderr
    runs = f"runs/finetune/{folder_corpus.root.name}-E3.1-0-letters-0"
    assert (tmp_path / runs / "finetune/0/official/model.safetensors").is_file()


@pytest.mark.slow
def test_what_the_first_process_refuses_is_said_once(tmp_path, forked_torchrun):
    command = ["train", "E3.2", "--corpus", "nowhere", "--profile", "smoke", "--split", "letters"]
    done = forked_torchrun(tmp_path, "forked_torchrun:command", *command, *map(str, TABLES))
    assert done.status != 0
    assert done.stderr.count("signclip: data/nowhere") == 1


@pytest.mark.slow
def test_a_killed_launcher_does_not_leave_its_processes_behind(
    training_folder, smoke_config, tmp_path, start_in_fork
):
    config = smoke_config(epochs=2000, save_every=5)
    arguments = (training_folder, tmp_path, config.model_dump(mode="json"))
    launcher = start_in_fork(
        "forked_torchrun:launch", tmp_path, "killed_training:train", *arguments
    )
    work = tmp_path / config.run_id.path
    state = work.with_name(f".{work.name}.work") / "state.pt"
    wait_for(state.is_file, seconds=120)
    workers = psutil.Process(launcher.pid).children(recursive=True)
    assert len(workers) == 2
    launcher.kill()
    launcher.join()
    wait_for(lambda: not any(worker.is_running() for worker in workers), seconds=30)


def wait_for(condition, *, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_parts_of_a_batch_are_all_of_it():
    batch = list(range(11))
    for processes in (1, 2, 3, 11):
        parts = [distributed.share(batch, rank=r, world_size=processes) for r in range(processes)]
        assert [item for part in parts for item in part] == batch
        assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_a_batch_smaller_than_the_number_of_processes_is_refused(monkeypatch):
    monkeypatch.setattr(distributed, "world_size", lambda: 4)
    with pytest.raises(ConfigError, match="a batch of 2 clips cannot be shared by 4 processes"):
        sampling.ShuffledSampler(10, batch_size=8, reshuffle=False, seed=0)
