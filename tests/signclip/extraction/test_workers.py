"""Work on many items: each ends with a result or with a reason, whatever dies."""

import multiprocessing
import os
import sys
from pathlib import Path

import pytest

from signclip.core import workers


@pytest.fixture
def work(monkeypatch):
    """The module ``work.py`` beside this file, as worker processes find it too."""
    folder = str(Path(__file__).parent)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PYTHONPATH", folder, prepend=os.pathsep)  # Ray's workers
    import work

    yield work
    sys.modules.pop("work")


def test_a_worker_that_dies_costs_one_item_and_each_is_told_once(work):
    items, told = ["a", "die", "b", "die", "c"], []
    outcomes = workers.on_this_machine(
        work.halves, items, jobs=2, preload=[], report=lambda *state: told.append(state)
    )
    results = sorted((item, getattr(result, "value", result)) for item, result in outcomes)
    died = ("die", workers.DIED)
    assert results == [("a", "A"), ("b", "B"), ("c", "C"), died, died]
    assert told[-1] == (3 * 2 + 2 * 1, 5, 5)  # steps of all, also of those that were lost
    assert all(ended <= done <= len(items) for _, done, ended in told)
    assert told == sorted(told)


def test_no_lock_is_shared_that_a_killed_worker_could_keep():
    shared = workers._Shared(multiprocessing.get_context("forkserver"))
    assert vars(shared)
    assert not any(hasattr(value, "get_lock") for value in vars(shared).values())


@pytest.mark.slow
def test_what_breaks_the_work_on_ray_is_told_and_not_called_a_death(work):
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'signclip[ray]'")
    (outcome,) = workers.on_ray(
        work.broken, ["x"], jobs=1, address=None, report=lambda *state: None
    )
    item, reason = outcome
    assert item == "x"
    assert reason == "failed on Ray: ModuleNotFoundError: No module named 'x'"


def test_cores_are_known_where_the_system_tells_no_affinity(monkeypatch):
    assert workers.cores() >= 1
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert workers.cores() == os.cpu_count()
