"""The engine: killed and resumed to the bit, honest about what is not finite, repeatable."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from signclip import checkpoint
from signclip.core.errors import RunError, StoreError
from signclip.core.workers import Stopped
from signclip.corpora import splits
from signclip.experiments.config import Compute, RunConfig
from signclip.features import store
from signclip.training import contrastive, curves, engine, train

ROOT = Path(__file__).parents[3]
NAME = "spreadthesign-fingerspelling"
GOLDEN = ROOT / "tests/golden/training_losses.csv"


@pytest.fixture(scope="module")
def killed(train_in_fork, training_folder) -> Callable[..., int]:
    """``killed(runs, config, where, count)``: train in a process; its exit status (-9: killed)."""

    def train_in_process(runs: Path, config: RunConfig, *where: str | int) -> int:
        status = train_in_fork(training_folder, runs, config.model_dump(mode="json"), *where)
        assert status in (0, -9)
        return status

    return train_in_process


@pytest.fixture(scope="module")
def resumed(killed, workspace, long_config, tmp_path_factory) -> tuple[Path, list[float]]:
    """The folder of a run that was killed after nine updates and resumed, and its progress then."""
    runs, shares = tmp_path_factory.mktemp("resumed"), []
    killed(runs, long_config, "after-update", 9)
    return train.train(long_config, workspace.replace(runs=runs), progress=shares.append), shares


def assert_same_run(config, one: Path, other: Path) -> None:
    """Losses and weights of two folders of runs are the same, byte for byte."""
    for name in (curves.LOSSES, checkpoint.WEIGHTS):
        ours, theirs = ((runs / config.run_id.path / name).read_bytes() for runs in (one, other))
        assert ours == theirs, name


@pytest.fixture(scope="module")
def long_config(smoke_config):
    """Three epochs with everything that a resumed training could get wrong."""
    return smoke_config(
        "E3.2",
        epochs=3,
        save_every=4,
        validate_every=2,
        augment=("affine2d", "temporal", "noise"),
        select="lowest_validation_loss",
        compute=Compute(padding="none", group_ratio=0.85),
    )


@pytest.fixture(scope="module")
def uninterrupted(killed, long_config, tmp_path_factory) -> Path:
    runs = tmp_path_factory.mktemp("uninterrupted")
    assert killed(runs, long_config) == 0
    return runs / long_config.run_id.path


@pytest.mark.slow
def test_killed_again_and_again_the_losses_and_weights_are_those_of_an_uninterrupted_run(
    killed, long_config, uninterrupted, tmp_path
):
    losses = pd.read_csv(uninterrupted / curves.LOSSES, dtype=str)
    an_epoch = len(losses) // 3
    work = tmp_path / long_config.run_id.path
    work = work.with_name(f".{work.name}.work")
    done = []
    for where, count in (
        ("before-update", 2),  # nothing was saved yet
        ("half-written", 2),
        ("after-update", 7),
        ("before-rename", 2),
        ("end-of-epoch", 1),
        ("before-update", an_epoch - 1),
        ("finished", 1),
    ):
        assert killed(tmp_path, long_config, where, count) == -9, where
        state = work / engine.STATE
        done.append(len(torch.load(state)["losses"]) if state.is_file() else 0)
        assert not (tmp_path / long_config.run_id.path).exists()
    assert done == sorted(done), done
    assert done[0] == 0
    assert done[-1] > an_epoch
    assert killed(tmp_path, long_config) == 0
    resumed = tmp_path / long_config.run_id.path
    assert pd.read_csv(resumed / curves.LOSSES, dtype=str).equals(losses)
    for name in (checkpoint.WEIGHTS, checkpoint.CONFIG):
        assert (resumed / name).read_bytes() == (uninterrupted / name).read_bytes()
    ours, theirs = (pd.read_csv(run / curves.CURVES) for run in (resumed, uninterrupted))
    unequal = [column for column in ours if not ours[column].equals(theirs[column])]
    assert unequal in ([], ["clips_per_second"])
    assert not work.exists()


@pytest.mark.slow
def test_a_training_that_is_asked_to_stop_saves_the_state_of_that_update(
    killed, workspace, long_config, uninterrupted, tmp_path
):
    an_epoch = len(pd.read_csv(uninterrupted / curves.LOSSES)) // 3
    work = tmp_path / long_config.run_id.path
    work = work.with_name(f".{work.name}.work")

    def stop_after(updates: int) -> Callable[[float], None]:
        reports = iter(range(1, 10**6))

        def progress(share: float) -> None:
            if next(reports) == updates:
                raise Stopped

        return progress

    for reports, done in ((6, 6), (an_epoch - 5, an_epoch)):  # a resumed one reports 6 at once
        with pytest.raises(Stopped):
            train.train(long_config, workspace.replace(runs=tmp_path), progress=stop_after(reports))
        assert len(torch.load(work / engine.STATE)["losses"]) == done
    assert killed(tmp_path, long_config) == 0
    assert_same_run(long_config, tmp_path, uninterrupted.parents[2])


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"loss": "sigmoid", "temperature": True, "normalise": True},  # a bias beside the model
        {"loss": "gallery", "gallery_texts": 12, "label_prompt": "{label}", "reshuffle": True},
        {"prompt": "<en> <{sign_language}> {label}", "split_prompt": True},
    ],
    ids=["sigmoid", "gallery", "split_prompt"],
)
def test_other_losses_are_resumed_as_exactly(killed, smoke_config, tmp_path, changes):
    config = smoke_config("E3.2", epochs=2, save_every=4, **changes)
    assert killed(tmp_path / "once", config) == 0
    assert killed(tmp_path / "twice", config, "after-update", 7) == -9
    assert killed(tmp_path / "twice", config) == 0
    assert_same_run(config, tmp_path / "once", tmp_path / "twice")


@pytest.mark.slow
def test_a_state_of_another_configuration_is_not_gone_on_with(
    killed, long_config, uninterrupted, tmp_path
):
    other = long_config.model_copy(update={"learning_rate": 0.5})
    killed(tmp_path, other, "after-update", 9)
    work = tmp_path / long_config.run_id.path
    work = work.with_name(f".{work.name}.work")
    mine = (work / engine.STATE).read_bytes()
    assert killed(tmp_path, long_config, "after-update", 3) == -9
    assert (engine.aside_folder(work) / engine.STATE).read_bytes() == mine
    assert killed(tmp_path, long_config) == 0
    assert not engine.aside_folder(work).exists()
    ours, theirs = (
        (runs / checkpoint.WEIGHTS).read_bytes()
        for runs in (tmp_path / long_config.run_id.path, uninterrupted)
    )
    assert ours == theirs


def test_a_damaged_state_is_begun_anew(tmp_path, caplog):
    (tmp_path / engine.STATE).write_bytes(b"PK" + bytes(500))
    assert engine.read_state(tmp_path, "any") is None
    assert "is damaged" in caplog.text


def test_a_flipped_bit_in_a_state_is_found(tmp_path, caplog):
    state = {"format": engine.FORMAT, "fingerprint": "any", "parts": torch.arange(5000.0)}
    torch.save(state, tmp_path / engine.STATE)
    assert engine.read_state(tmp_path, "any") is not None
    data = bytearray((tmp_path / engine.STATE).read_bytes())
    data[data.index(torch.arange(2000.0, 2010.0).numpy().tobytes())] ^= 4
    (tmp_path / engine.STATE).write_bytes(data)
    assert engine.read_state(tmp_path, "any") is None
    assert "the checksum of" in caplog.text


def test_a_state_is_no_pickle_of_code(tmp_path, caplog):
    torch.save({"format": engine.FORMAT, "fingerprint": Path("/")}, tmp_path / engine.STATE)
    assert engine.read_state(tmp_path, "any") is None
    assert "is damaged" in caplog.text


def test_a_state_that_cannot_be_read_now_is_not_given_up(tmp_path, monkeypatch):
    torch.save({}, tmp_path / engine.STATE)

    def busy(*args, **kwargs):
        raise OSError("stale file handle")

    monkeypatch.setattr(engine.torch, "load", busy)
    with pytest.raises(OSError, match="stale"):
        engine.read_state(tmp_path, "any")


def test_comments_titles_and_how_often_it_is_saved_do_not_make_another_training(
    workspace, smoke_config
):
    packed = store.FeatureStore(workspace.store(NAME, "dominant_hand"))
    rows = splits.read(workspace.corpus(NAME), "letters")

    def fingerprint(**changes):
        return train.run_fingerprint(smoke_config(**changes), packed, rows)

    same = dict(title="other", save_every=7, compute=Compute(loaders=3))
    assert fingerprint(**same) == fingerprint()
    assert fingerprint(compute=Compute(padding="none")) != fingerprint()
    assert fingerprint(clip_norm=1.0) != fingerprint()


@pytest.mark.slow
def test_what_a_run_took_is_written_down_with_its_starts(resumed):
    run, _ = resumed
    metrics = checkpoint.read_metrics(run)
    one = {"processes": 1, "device": "cuda" if torch.cuda.is_available() else "cpu"}
    assert metrics["starts"] == [{"after_update": 0, **one}, {"after_update": 8, **one}]
    assert metrics["seconds"] > 0


def test_a_clip_that_a_process_reading_ahead_cannot_use_is_named_in_one_line(
    workspace, smoke_config, tmp_path
):
    features = tmp_path / "features"
    shutil.copytree(workspace.features, features)
    values = np.memmap(features / NAME / "dominant_hand/features.bin", np.float32, "r+")
    values[:] = np.nan
    values.flush()
    config = smoke_config("E3.2", compute=Compute(loaders=1))
    with pytest.raises(StoreError, match=r"^[a-z-]+: [^\n]*pack it again$"):
        train.train(config, workspace.replace(features=features, runs=tmp_path))


@pytest.mark.slow
def test_processes_that_read_ahead_change_nothing(killed, smoke_config, tmp_path):
    """Killed or not: what was read ahead is read again."""
    values = dict(epochs=2, save_every=4, augment=("affine2d", "temporal"), reshuffle=True)
    config = smoke_config("E3.2", **values, compute=Compute(loaders=2, padding="none", chunk=7))
    plain = config.model_copy(update={"compute": config.compute.model_copy(update={"loaders": 0})})
    assert killed(tmp_path / "plain", plain) == 0
    assert killed(tmp_path / "ahead", config, "after-update", 7) == -9
    assert killed(tmp_path / "ahead", config) == 0
    assert_same_run(config, tmp_path / "plain", tmp_path / "ahead")


@pytest.mark.parametrize("what", ["loss", "norm of the gradient"])
def test_what_is_not_finite_stops_the_training_and_keeps_the_last_state(
    what, workspace, smoke_config, tmp_path, monkeypatch
):
    original, calls = contrastive.losses.contrastive, [0]

    def poisoned(pose, text):
        calls[0] += 1
        loss = original(pose, text)
        if calls[0] < 6:
            return loss
        # sqrt(0) has a finite value and an infinite slope
        return loss * torch.nan if what == "loss" else loss + (pose * 0).sum().sqrt()

    monkeypatch.setattr(contrastive.losses, "contrastive", poisoned)
    config = smoke_config("E3.2", save_every=4)
    expected = f"update 6: the {what} is .* on the batch of [a-z]{{3}}-[a-z], "
    with pytest.raises(RunError, match=expected):
        train.train(config, workspace.replace(runs=tmp_path))
    out = tmp_path / config.run_id.path
    state = torch.load(out.with_name(f".{out.name}.work") / engine.STATE, weights_only=True)
    assert len(state["losses"]) == 4
    assert all(torch.isfinite(weight).all() for weight in state["parts"]["model"].values())
    monkeypatch.undo()
    assert np.isfinite(
        pd.read_csv(train.train(config, workspace.replace(runs=tmp_path)) / "losses.csv")
    ).all(axis=None)


def test_the_first_losses_on_the_embedded_corpus_are_the_golden_ones(
    workspace, smoke_config, tmp_path
):
    """The golden file is the ``losses.csv`` of this very run; equal bits on one machine."""
    config = smoke_config("E3.2", epochs=2, augment=("affine2d", "temporal", "noise"))
    first, second = (
        pd.read_csv(train.train(config, workspace.replace(runs=tmp_path / name)) / curves.LOSSES)[
            :20
        ]
        for name in ("first", "second")
    )
    assert first.equals(second)
    golden = pd.read_csv(GOLDEN)
    assert len(golden) == 20
    np.testing.assert_allclose(first["loss"], golden["loss"], rtol=1e-4)


@pytest.mark.slow
def test_learning_curves_are_there_as_table_events_and_picture(uninterrupted, long_config):
    rows = pd.read_csv(uninterrupted / curves.CURVES)
    assert rows["epoch"].tolist() == [2, 3]
    assert {"loss", "validation_loss", "validation_V2T_R@1", "learning_rate"} <= set(rows)
    assert (rows["clips_per_second"] > 0).all()
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(uninterrupted / curves.EVENTS))
    events.Reload()
    losses = pd.read_csv(uninterrupted / curves.LOSSES)
    seen = events.Scalars("loss")
    assert [event.step for event in seen] == losses["update"].tolist()
    np.testing.assert_allclose([event.value for event in seen], losses["loss"], rtol=1e-6)
    assert len(events.Scalars("validation_V2T_R@1")) == len(rows)
    assert (uninterrupted / curves.PICTURE).read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_progress_adds_up_to_the_epochs_also_where_a_run_is_resumed(
    resumed, workspace, long_config
):
    run, shares = resumed
    assert sum(shares) == pytest.approx(long_config.epochs)
    assert shares[0] > 0.1  # what the killed one had saved
    again: list[float] = []
    runs = run.parents[len(long_config.run_id.path.parts) - 1]
    train.train(long_config, workspace.replace(runs=runs), progress=again.append)
    assert again == [long_config.epochs]  # finished
