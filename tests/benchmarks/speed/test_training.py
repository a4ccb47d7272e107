"""The measurement of a training step: all ways have one loss, and failures are reported."""

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from benchmarks.speed import training
from signclip.model.config import ModelConfig

SMALL = ModelConfig(
    frame_dims=9,
    vocab_size=50,
    hidden_size=16,
    attention_heads=2,
    intermediate_size=32,
    max_frames=256,
)


def given(**changes) -> training.Settings:
    values = dict(batch=6, layers=1, threads=1, warmup=1, steps=2, rounds=2, ways=["reference"])
    return training.Settings(**(values | changes))


def test_all_ways_have_one_loss(monkeypatch):
    monkeypatch.setattr(training, "PAPER", SMALL)
    found = {
        way: training.run_way(way, given())
        for way, compute in training.WAYS.items()
        if not compute.compile  # takes a minute
    }
    for way, seen in found.items():
        assert len(seen["wall"]) == len(seen["cpu"]) == 2
        within = 1e-2 if training.WAYS[way].precision == "bfloat16" else 1e-5
        assert seen["loss"] == pytest.approx(found["reference"]["loss"], rel=within), way
        assert seen["operations"] == found["reference"]["operations"]


def seen(seconds: float) -> dict:
    return {
        "wall": [seconds] * 2,
        "cpu": [2 * seconds] * 2,
        "loss": 1.0,
        "memory": 1e9 * seconds,
        "operations": 1e12,
        "mean_frames": 98.0,
    }


def test_ratios_are_to_the_first_way_and_what_fails_is_left_out(monkeypatch):
    turns = {"reference": seen(6.0), "unpadded": seen(2.0), "flash": None}
    monkeypatch.setattr(training, "in_its_own_process", lambda way, round_: turns[way])
    tables = list(training.measure(given(ways=list(turns))))
    assert len(tables) == 2  # one a round: a measurement that is stopped has the last
    by_way = pd.DataFrame(tables[-1]).set_index("way")
    assert list(by_way.index) == ["reference", "unpadded"]
    assert by_way["steps"].tolist() == [4, 4]
    assert by_way.loc["unpadded", ["ratio_wall", "ratio_cpu"]].tolist() == [3, 3]
    assert by_way.loc["unpadded", "memory_share"] == pytest.approx(1 / 3)
    assert by_way.loc["unpadded", "clips_per_second"] == 3


def test_where_the_first_way_fails_the_next_is_compared_with(monkeypatch):
    turns = {"reference": None, "unpadded": seen(2.0), "flash": seen(1.0)}
    monkeypatch.setattr(training, "in_its_own_process", lambda way, round_: turns[way])
    *_, rows = training.measure(given(ways=list(turns)))
    assert [(row["way"], row["ratio_wall"]) for row in rows] == [("unpadded", 1), ("flash", 2)]
    with pytest.raises(SystemExit, match="every way failed"):
        list(training.measure(given()))


@pytest.mark.slow
def test_a_process_that_fails_says_why(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["training", "--layers", "1", "--batch", "0"])
    assert training.in_its_own_process("unpadded", 0) is None
    assert "unpadded is left out: " in capsys.readouterr().err


def test_an_unknown_way_is_refused():
    done = CliRunner().invoke(training.app, ["--ways", "reference", "fastest"])
    assert done.exit_code == 2
    assert "unknown way 'fastest'; there are reference, " in " ".join(done.output.split())


def test_a_device_has_its_defaults(monkeypatch):
    monkeypatch.setattr(training.report, "has_bfloat16", lambda: False)
    found = training.Settings(warmup=0, steps=1).resolved()
    assert (found.batch, found.warmup, found.steps) == (32, 0, 1)
    assert found.ways == ["reference", "unpadded"]  # not those in bfloat16
    assert training.Settings("cuda").resolved().batch == 448
    monkeypatch.setattr(training.report, "has_bfloat16", lambda: True)
    assert training.Settings().resolved().ways == training.DEFAULTS["cpu"]["ways"]


def test_operations_are_those_of_real_tokens():
    frames = np.array([10, 30])
    batch = {"frame_counts": frames.tolist(), "token_counts": [9, 11]}
    sizes = SMALL.model_copy(update={"pose_layers": 1, "text_layers": 1})
    weights = 4 * 16 * 16 + 2 * 16 * 32
    expected = 6 * 44 * (weights + 9 * 16 + 16 * 16) + 12 * 16 * (12**2 + 32**2)
    expected += 6 * 20 * weights + 12 * 16 * (9**2 + 11**2)
    assert training.operations(sizes, batch) == expected
