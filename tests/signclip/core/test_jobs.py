"""Runs side by side: what their processes are given, and that a GPU can be used in them."""

import sys
from multiprocessing import forkserver

import pytest
import torch

from signclip.core import jobs

WORK = """
import os

def asked(name, *, progress):
    progress(1.0)
    return os.environ.get(name)

def warn(message, *, progress):
    import warnings

    progress(1.0)
    warnings.warn(message)

def on_gpu(number, *, progress):
    import torch

    progress(1.0)
    return torch.full((2,), number, device="cuda").sum().item()
"""


@pytest.fixture
def work(tmp_path, monkeypatch) -> str:
    (tmp_path / "work_of_jobs.py").write_text(WORK)
    monkeypatch.syspath_prepend(tmp_path)
    yield "work_of_jobs"
    sys.modules.pop("work_of_jobs", None)


@pytest.fixture
def another_server(monkeypatch) -> None:
    """A fork server that starts in this test; an earlier one has the environment of its start.

    It imports nothing beforehand, which would take most of the test's time.
    """
    server = forkserver.ForkServer()
    for name in ("connect_to_new_process", "ensure_running", "set_forkserver_preload"):
        monkeypatch.setattr(forkserver, name, getattr(server, name))
    monkeypatch.setattr(jobs, "PRELOADED", ())
    yield
    server._stop()


def test_processes_ask_the_drivers_library_for_gpus(work, another_server, monkeypatch):
    """Asked of CUDA itself by an import in the fork server, none of them could use one."""
    name = "PYTORCH_NVML_BASED_CUDA_CHECK"
    monkeypatch.delenv(name, raising=False)  # set by an earlier test
    assert jobs.run_all(f"{work}:asked", [name] * 3, jobs=2, total=3, desc="asks") == ["1"] * 3


def test_the_warning_of_mmcv_does_not_break_the_bar_but_others_are_shown(
    work, another_server, monkeypatch, capfd
):
    monkeypatch.delenv("PYTHONWARNINGS", raising=False)
    of_mmcv = "Fail to import ``MultiScaleDeformableAttention`` from ``mmcv.ops``, You should"
    jobs.run_all(f"{work}:warn", [of_mmcv, "another"], jobs=1, total=2, desc="warns")
    shown = capfd.readouterr().err
    assert "another" in shown
    assert "MultiScale" not in shown


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_can_be_used_side_by_side(work):
    found = jobs.run_all(
        f"{work}:on_gpu", [1.0, 2.0], jobs=2, total=2, desc="on GPUs", preload=["mmengine"]
    )
    assert found == [2.0, 4.0]
