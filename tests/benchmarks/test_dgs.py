"""The table of the DGS alphabet: what is counted, dropped and averaged."""

import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from benchmarks import dgs
from signclip.core.errors import ConfigError, RunError
from signclip.core.workspace import Workspace

RUNS = ("letters-0", "letters-1")


@pytest.fixture
def poses(tmp_path):
    """A report of 26 letters and SCH from two sides; ``q`` of the side view has no pose."""
    rows = [
        {
            "video": f"videos/{view}/{name}_vid_{view}.webm",
            "pose": f"{view}/{name}_vid_{view}.pose",
            "status": "extracted",
            "reason": "",
            "frames": "150",
            "fps": "50.0",
            "body": "1.0",
            "right_hand": "0.9",
        }
        for view in dgs.VIEWS
        for name in (*dgs.LETTERS, "sch")
    ]
    frame = pd.DataFrame(rows)
    failed = frame["pose"] == "side/q_vid_side.pose"
    frame.loc[failed, ["status", "reason", "frames", "fps"]] = ("failed", "cut short", "", "")
    frame.loc[failed, ["body", "right_hand"]] = ""
    frame.to_csv(tmp_path / "extraction.csv", index=False)
    return tmp_path


@pytest.fixture
def runs(monkeypatch, tmp_path):
    """Two models that read a file's name only: the first predicts its letter, the second always A;
    with windows the second predicts the letter, too."""

    def load(run):
        def embed_text(prompts):
            assert prompts[0] == "the letter A"
            return np.eye(26, dtype=np.float32)

        def embed_pose(paths, long):
            found = [dgs.LETTERS.index(path.name[0]) for path in paths]
            blind = run.name == RUNS[1] and long == "truncate"
            return np.eye(26, dtype=np.float32)[[0] * len(found) if blind else found]

        return SimpleNamespace(embed_text=embed_text, embed_pose=embed_pose)

    def read_config(run):
        return SimpleNamespace(
            experiment=run.parent.name,
            profile="cpu",
            seed=0,
            corpus="made-up",
            split="letters",
            prompt="the letter {TEXT}",
            towers=SimpleNamespace(max_frames=128),
        )

    monkeypatch.setattr(dgs.inference, "load", load)
    monkeypatch.setattr(dgs.checkpoint, "read_config", read_config)
    return [tmp_path / "E3.2" / name for name in RUNS]


def test_views_policies_and_models_have_rows_and_the_mean_is_over_models(poses, runs, tmp_path):
    table = dgs.write(poses, runs, tmp_path / "tables")
    assert len(table) == 2 * 2 * 3
    by = table.set_index(["view", "long", "model"])
    assert by.loc[("front", "truncate", "letters-0"), "V2T_R@1"] == 1
    assert by.loc[("front", "truncate", "letters-1"), "V2T_R@1"] == 1 / 26
    mean = by.loc[("front", "truncate", "mean")]
    assert mean["V2T_R@1"] == pytest.approx((1 + 1 / 26) / 2)
    assert 0.5 <= mean["V2T_R@1_low"] <= mean["V2T_R@1"] <= mean["V2T_R@1_high"] < 0.7
    assert by.loc[("front", "windows", "mean"), "V2T_R@1"] == 1
    assert (table["chance_V2T_R@1"] == 1 / 26).all()
    assert by.loc[("front", "truncate", "mean"), "n_over_limit"] == 26


def test_dropped_videos_are_counted_with_their_reason(poses, runs, tmp_path):
    table = dgs.write(poses, runs, tmp_path / "tables").set_index(["view", "long", "model"])
    counts = ["n_total", "n_evaluated", "n_dropped", "dropped_because"]
    front, side = (table.loc[(view, "truncate", "mean"), counts].tolist() for view in dgs.VIEWS)
    assert front == [27, 26, 1, "1: SCH is not one of the 26 letters"]
    assert side[:3] == [27, 25, 2]
    assert set(side[3].split("; ")) == {"1: SCH is not one of the 26 letters", "1: cut short"}
    assert "dropped 2: SCH is not one of the 26 letters; 1: cut short" in (
        tmp_path / "tables" / "dgs.md"
    ).read_text(encoding="utf-8")


def test_the_table_is_the_same_each_time(poses, runs, tmp_path):
    for name in ("1", "2"):
        dgs.write(poses, runs, tmp_path / name)
    for file in ("dgs.csv", "dgs.md"):
        assert (tmp_path / "1" / file).read_bytes() == (tmp_path / "2" / file).read_bytes()


def test_missing_inputs_are_named(poses, runs, tmp_path):
    with pytest.raises(ConfigError, match="no such report"):
        dgs.write(tmp_path / "gone", runs, tmp_path / "tables")
    with pytest.raises(RunError, match="no run to evaluate"):
        dgs.write(poses, [], tmp_path / "tables")
    with pytest.raises(RunError, match="several experiments"):
        dgs.write(poses, [*runs, tmp_path / "E3.1" / "letters-0"], tmp_path / "tables")
    report = (poses / "extraction.csv").read_text()
    (poses / "extraction.csv").write_text(report.replace("front/a_vid", "back/a_vid"))
    with pytest.raises(ConfigError, match="is none of front, side"):
        dgs.write(poses, runs, tmp_path / "tables")


def test_runs_of_all_folds_are_found_in_the_folder_of_a_stage(tmp_path):
    workspace = Workspace(runs=tmp_path)
    for fold in (0, 1):
        folder = tmp_path / f"fingerclip/E3.2/0/letters-{fold}"
        folder.mkdir(parents=True)
        (folder / "metrics.json").write_text("{}")
    (tmp_path / "fingerclip/E3.2/0/letters-2").mkdir()  # not finished
    found = dgs.runs_of(workspace, "E3.2", "letters", 0)
    assert [path.name for path in found] == list(RUNS)
    assert dgs.runs_of(workspace, "E3.1", "letters", 0) == []


def test_the_published_numbers_are_those_of_the_documentation():
    root = Path(__file__).parents[2]
    rows = pd.read_csv(root / "results/videos/dgs.csv").set_index(["view", "long", "model"])
    text = " ".join((root / "docs/using-a-model.md").read_text(encoding="utf-8").split())
    shown = re.search(r"reach V2T R@1 (.*?) on the frontal view and (.*?) on the side view", text)
    for view, number in zip(dgs.VIEWS, shown.groups(), strict=True):
        row = rows.loc[(view, "truncate", "mean")]
        value, low, high = (row[f"V2T_R@1{end}"] for end in ("", "_low", "_high"))
        assert number == f"{value:.2f} [{low:.2f}, {high:.2f}]"
