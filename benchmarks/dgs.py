"""FingerCLIP on videos that nothing here was made for: the manual alphabet of DGS.

Decides:
- The videos (54: one signer, front and side) are extracted by :mod:`signclip.extraction.extract` and embedded
  by trained runs as they are. Nothing is tuned on them, and they are measured as they come. A run
  cuts a clip to its first ``max_frames`` frames, its default; its average over all windows stands
  beside that. Both were chosen before the first look.
- The gallery is the 26 letters with the run's own prompt; a video of something else is dropped and
  counted. Front and side are apart.
- The mean over the folds' models is bootstrapped over videos (each video's mean over the models).
  26 videos of one signer: it says how much the letters vary, nothing of other signers.

Costs: extraction, 55 ms of a core a frame (17 minutes of one core, once); then seconds.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import metrics
from benchmarks.metrics import intervals
from signclip import checkpoint, inference
from signclip.core import files
from signclip.core.errors import ConfigError, RunError
from signclip.extraction.extract import REPORT
from signclip.text import label, prompt

VIEWS = ("front", "side")
LETTERS = tuple(string.ascii_lowercase)
KS = (1, 5, 10)
POLICIES = {"truncate": "first frames", "windows": "all, in windows"}
MEAN = "mean"
TITLE = "FingerCLIP on the DGS alphabet, filmed elsewhere"


def read_report(path: Path) -> pd.DataFrame:
    """The extraction's report with each video's view and letter: the stem up to its first ``_``.

    Raises:
        ConfigError: there is no report, or a video stands in no folder named after a view.
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
    """Pose -> why it is not measured."""
    reasons = {}
    for row in report.to_dict("records"):
        if row["letter"] not in LETTERS:
            reasons[row["pose"]] = f"{row['letter'].upper()} is none of the 26 letters"
        elif row["status"] != "extracted":
            reasons[row["pose"]] = row["reason"]
    return reasons


def measure(report: pd.DataFrame, poses: Path, runs: Sequence[Path]) -> pd.DataFrame:
    """V2T retrieval of the 26 letters: a row for each view, policy and run, then their means.

    Raises:
        RunError: there is no run, or they are not folds of one experiment.
    """
    if not runs:
        raise RunError("no run to measure; train the experiment first")
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
            own = [LETTERS.index(letter) for letter in clips["letter"]]
            over = int((clips["frames"].astype(int) > config.towers.max_frames).sum())
            for policy in POLICIES:
                scores = texts @ model.embed_pose(paths, long=policy).T
                rank = metrics.v2t_ranks(scores, own)
                ranks.setdefault((view, policy), []).append(rank)
                row = {"view": view, "long": policy, "model": run.name, "n_evaluated": len(rank)}
                rows.append(row | {"n_over_limit": over} | _scores(rank[None]))
    for (view, policy), of_runs in ranks.items():
        row = {"view": view, "long": policy, "model": MEAN, "n_evaluated": len(of_runs[0])}
        over = next(r["n_over_limit"] for r in rows if (r["view"], r["long"]) == (view, policy))
        rows.append(row | {"n_over_limit": over} | _scores(np.stack(of_runs)))
    table = pd.DataFrame(rows).sort_values(["view", "long"], kind="stable", ignore_index=True)
    chance = intervals.chance_v2t(len(LETTERS), KS)
    for name, value in chance.items():
        if not name.startswith("P@"):
            table[f"chance_V2T_{name}"] = value
    return table


def _scores(ranks: np.ndarray) -> dict[str, float]:
    """R@k and MedianR of ranks (models, videos), with intervals over videos."""
    scores = {}
    for k in KS:
        hits = (ranks <= k).mean(axis=0)  # of each video: the share of models that find it
        low, high = intervals.bootstrap_interval(hits)
        scores |= {f"V2T_R@{k}": hits.mean(), f"V2T_R@{k}_low": low, f"V2T_R@{k}_high": high}
    return scores | {"V2T_MedianR": np.median(ranks)}


def markdown(table: pd.DataFrame, remarks: Sequence[str]) -> str:
    """The printed table and its notes."""
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
    """What a reader must know to read the table rightly."""
    config = checkpoint.read_config(runs[0])
    told = _counts(pd.Series(dropped(report), dtype=str))
    there = report[report["status"] == "extracted"]
    seen = there.groupby("view")[["body", "right_hand"]].mean()
    rates = "; ".join(
        f"{view}: body {row['body']:.2f}, right hand {row['right_hand']:.2f}"
        for view, row in seen.iterrows()
    )
    over = table.groupby("view")["n_over_limit"].first()
    long = ", ".join(f"{count} ({view})" for view, count in over.items())
    frames, fps = there["frames"].astype(int), there["fps"]
    return [
        "A camera, a signer and a pose pipeline that training never saw; the language and its "
        "letters are not new: German Sign Language is one of the training corpus's. No "
        "reproduction of a paper cell.",
        f"Models: {config.experiment}, profile `{config.profile}`, seed {config.seed}, trained on "
        f"`{config.corpus}`, one a fold of split {config.split}; used as they are. Nothing was "
        "chosen on these videos.",
        f"{len(report)} videos; dropped {told or 'none'}.",
        f"[low, high]: 95 % bootstrap interval over the videos; in the rows *{MEAN}* over each "
        "video's mean over the models. One signer: other signers would widen it.",
        f"The videos have {frames.min()} to {frames.max()} frames at "
        f"{' or '.join(f'{rate:g}' for rate in sorted(fps.unique()))} a second; the training clips "
        f"about 26 at 25. Videos over the models' limit of {config.towers.max_frames} frames: "
        f"{long}. *first frames* cuts them there (the default), *all, in windows* averages over "
        "windows of that length.",
        f"Share of frames in which MediaPipe saw, mean over videos: {rates}.",
    ]


def _counts(reasons: pd.Series) -> str:
    return "; ".join(f"{count}: {reason}" for reason, count in reasons.value_counts().items())


def write(poses: Path, runs: Sequence[Path], out: Path) -> pd.DataFrame:
    """Measure the extracted videos below ``poses`` and write ``out/dgs.{csv,md}``.

    Raises:
        SignCLIPError: the report, a pose or a run is missing or does not fit.
    """
    report = read_report(poses / REPORT)
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
