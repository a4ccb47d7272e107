"""FingerCLIP on videos of another recording: the manual alphabet of DGS.

Decisions
* The videos (54: one signer, front and side view) are extracted by
  :mod:`signclip.extraction.extract` and embedded by trained runs. Nothing is tuned on them. A run
  cuts a clip to its first ``max_frames`` frames, its default; its average over all windows stands
  beside that. Both were chosen before the first evaluation.
* The gallery is the 26 letters in the run's own prompt; a video of another sign is dropped and
  counted. Front and side view are reported separately.
* The mean over the models of all folds is bootstrapped over videos (each video's mean over the
  models). With 26 videos of one signer the interval covers the variation over letters, not over
  signers.

Cost: extraction, 55 ms of a core per frame (17 minutes of one core, once); then seconds.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import metrics
from benchmarks.metrics import TiedRanks, intervals, ties
from signclip import checkpoint, inference
from signclip.core import files, workers
from signclip.core.errors import ConfigError, RunError
from signclip.core.workspace import Workspace
from signclip.experiments.run_folder import METRICS
from signclip.extraction import extract
from signclip.text import label, prompt

VIEWS = ("front", "side")
LETTERS = tuple(string.ascii_lowercase)
KS = (1, 5, 10)
POLICIES = {"truncate": "first frames", "windows": "all, in windows"}
MEAN = "mean"
TITLE = "FingerCLIP on the DGS alphabet of another recording"
POSES = Path("poses/dgs-fingerspelling")


def read_report(path: Path) -> pd.DataFrame:
    """The report of the extraction with each video's view and letter (its stem up to a ``_``).

    Raises:
        ConfigError: there is no report, or a video is in no folder named after a view.
    """
    if not path.is_file():
        raise ConfigError(f"{path}: no such report; extract the videos first")
    report = pd.read_csv(path)
    report["view"] = [Path(pose).parts[0] for pose in report["pose"]]
    report["letter"] = [label(Path(pose).stem.split("_")[0]) for pose in report["pose"]]
    for row in report.to_dict("records"):
        if row["view"] not in VIEWS:
            raise ConfigError(f"{row['video']}: its folder is none of {', '.join(VIEWS)}")
    return report.sort_values(["view", "letter"], ignore_index=True)


def dropped(report: pd.DataFrame) -> dict[str, str]:
    """Pose -> why it is not evaluated."""
    reasons = {}
    for row in report.to_dict("records"):
        if row["letter"] not in LETTERS:
            reasons[row["pose"]] = f"{row['letter'].upper()} is not one of the 26 letters"
        elif row["status"] != "extracted":
            reasons[row["pose"]] = row["reason"]
    return reasons


def measure(report: pd.DataFrame, poses: Path, runs: Sequence[Path]) -> pd.DataFrame:
    """V2T retrieval of the 26 letters: a row per view, policy and run, then their means.

    Raises:
        RunError: there is no run, or the runs are not folds of one experiment.
    """
    if not runs:
        raise RunError("no run to evaluate; train the experiment first")
    configs = [checkpoint.read_config(run) for run in runs]
    if len({(config.experiment, config.profile, config.seed) for config in configs}) > 1:
        raise RunError(f"{runs[0].parent}: runs of several experiments, profiles or seeds")
    kept = report[~report["pose"].isin(dropped(report))]
    rows, ranks = [], {}
    for run, config in zip(runs, configs, strict=True):
        model = inference.load(run)
        texts = model.embed_text([prompt(config.prompt, text=letter) for letter in LETTERS])
        for view, clips in kept.groupby("view", sort=True):
            paths = [poses / name for name in clips["pose"]]
            targets = [LETTERS.index(letter) for letter in clips["letter"]]
            over = int((clips["frames"].astype(int) > config.towers.max_frames).sum())
            for policy in POLICIES:
                scores = texts @ model.embed_pose(paths, long=policy).T
                rank = metrics.v2t_ranks(scores, targets)
                ranks.setdefault((view, policy), []).append(rank)
                row = {"view": view, "long": policy, "model": run.name, "n_evaluated": len(rank)}
                rows.append(row | {"n_over_limit": over} | _scores([rank]))
    for (view, policy), of_runs in ranks.items():
        row = {"view": view, "long": policy, "model": MEAN, "n_evaluated": len(of_runs[0])}
        over = next(r["n_over_limit"] for r in rows if (r["view"], r["long"]) == (view, policy))
        rows.append(row | {"n_over_limit": over} | _scores(of_runs))
    table = pd.DataFrame(rows).sort_values(["view", "long"], kind="stable", ignore_index=True)
    chance = intervals.chance_v2t(len(LETTERS), KS)
    for name, value in chance.items():
        if not name.startswith("P@"):
            table[f"chance_V2T_{name}"] = value
    return table


def _scores(ranks: Sequence[TiedRanks]) -> dict[str, float]:
    """R@k and MedianR of each model's ranks (videos,), with intervals over videos."""
    scores = {}
    for k in KS:
        # of each video: the share of models with a hit
        hits = np.mean([of_model.recall(k) for of_model in ranks], axis=0)
        low, high = intervals.bootstrap_interval(hits)
        scores |= {f"V2T_R@{k}": hits.mean(), f"V2T_R@{k}_low": low, f"V2T_R@{k}_high": high}
    return scores | {"V2T_MedianR": ties.median(TiedRanks.join(ranks))}


def markdown(table: pd.DataFrame, remarks: Sequence[str]) -> str:
    """The table and its notes in Markdown."""
    printed = {
        "view": table["view"],
        "frames read": table["long"].map(POLICIES),
        "model": table["model"],
        "videos": table["n_evaluated"],
    }
    for k in KS:
        columns = [f"V2T_R@{k}{end}" for end in ("", "_low", "_high")]
        printed[f"V2T R@{k}"] = [
            f"{value:.2f} [{low:.2f}, {high:.2f}]"
            for value, low, high in table[columns].itertuples(index=False)
        ]
        printed[f"chance R@{k}"] = [f"{value:.2f}" for value in table[f"chance_V2T_R@{k}"]]
    printed["MedR"] = [f"{value:.1f}" for value in table["V2T_MedianR"]]
    body = pd.DataFrame(printed).to_markdown(index=False, disable_numparse=True)
    return "\n".join([f"# {TITLE}\n", body, "", "## Notes\n", *(f"- {r}" for r in remarks), ""])


def notes(report: pd.DataFrame, table: pd.DataFrame, runs: Sequence[Path]) -> list[str]:
    """What is needed to read the table correctly."""
    config = checkpoint.read_config(runs[0])
    why = _counts(pd.Series(dropped(report), dtype=str))
    extracted = report[report["status"] == "extracted"]
    detected = extracted.groupby("view")[["body", "right_hand"]].mean()
    rates = "; ".join(
        f"{view}: body {row['body']:.2f}, right hand {row['right_hand']:.2f}"
        for view, row in detected.iterrows()
    )
    over = table.groupby("view")["n_over_limit"].first()
    long = ", ".join(f"{count} ({view})" for view, count in over.items())
    frames, fps = extracted["frames"].astype(int), extracted["fps"]
    return [
        "The camera, the signer and the pose pipeline are not in the training data; the language "
        "and its letters are: German Sign Language is part of the training corpus. This reproduces "
        "no cell of the paper.",
        f"Models: {config.experiment}, profile `{config.profile}`, seed {config.seed}, trained on "
        f"`{config.corpus}`, one per fold of split {config.split}. Nothing was tuned on these "
        "videos.",
        f"{len(report)} videos; dropped {why or 'none'}.",
        f"[low, high]: 95 % bootstrap interval over the videos; in the rows *{MEAN}* over each "
        "video's mean over the models. With more signers it would be wider.",
        f"The videos have {frames.min()} to {frames.max()} frames at "
        f"{' or '.join(f'{rate:g}' for rate in sorted(fps.unique()))} frames a second, the "
        "training clips about 26 at 25. Videos over the models' limit of "
        f"{config.towers.max_frames} frames: {long}. *first frames* cuts them there (the default), "
        "*all, in windows* averages over windows of that length.",
        f"Share of frames with a detection by MediaPipe, mean over videos: {rates}.",
    ]


def _counts(reasons: pd.Series) -> str:
    return "; ".join(f"{count}: {reason}" for reason, count in reasons.value_counts().items())


def runs_of(workspace: Workspace, experiment: str, split: str, seed: int) -> list[Path]:
    """The runs of an experiment on all folds of a split."""
    first = workspace.find_run(Path(experiment, str(seed), f"{split}-0"))
    return sorted(path.parent for path in first.parent.glob(f"{split}-*/{METRICS}"))


def extract_and_write(
    videos: Path, workspace: Workspace, *, experiment: str, split: str, seed: int
) -> Path:
    """Extract the videos, evaluate the runs and write ``results/videos/dgs.{csv,md}``.

    Args:
        videos: folder with ``front/`` and ``side/``; file names begin with the letter and a ``_``.
        experiment, split, seed: of the runs.

    Returns:
        The path of the table in Markdown.

    Raises:
        SignCLIPError: a video folder, a pose or a run is missing or does not fit.
    """
    out = workspace.results / "videos"
    runs = runs_of(workspace, experiment, split, seed)
    extract.run([videos], POSES, jobs=workers.cores())
    write(POSES, runs, out)
    return out / "dgs.md"


def write(poses: Path, runs: Sequence[Path], out: Path) -> pd.DataFrame:
    """Evaluate the extracted videos below ``poses`` and write ``out/dgs.{csv,md}``.

    Raises:
        SignCLIPError: the report, a pose or a run is missing or does not fit.
    """
    report = read_report(poses / extract.REPORT)
    table = measure(report, poses, runs)
    why = report.assign(reason=report["pose"].map(dropped(report))).dropna(subset="reason")
    table["n_total"] = table["view"].map(report["view"].value_counts())
    table["n_dropped"] = table["n_total"] - table["n_evaluated"]
    table["dropped_because"] = [
        _counts(why["reason"][why["view"] == view]) for view in table["view"]
    ]
    with files.writing(out / "dgs"):
        text = table.to_csv(index=False, lineterminator="\n", float_format="%.4f")
        files.write_text(out / "dgs.csv", text)
        files.write_text(out / "dgs.md", markdown(table, notes(report, table, runs)))
    return table
