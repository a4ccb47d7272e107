"""Which rows are trained and measured where: ``suites.yaml``, and several trainings by one command.

Decision: a stage of the pipeline names suites and not rows, and all its runs are trained by one
command, side by side: ``in_domain`` has one fold, so that a command for each row would leave all
cores but one idle. Finished runs are not trained again, so a row more costs its own training alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from baselines import BASELINES
from signclip import config, splits
from signclip.errors import ConfigError

SUITES = Path(__file__).with_name("suites.yaml")
BASELINE_SUITE, ONE_SPLIT_SUITE = "baselines", "in_domain_only"
LETTERS, IN_DOMAIN, UNSEEN = "letters", "in_domain", "unseen_language"
_MEASURED = {  # split -> suites
    LETTERS: ("fingerclip", "everywhere", BASELINE_SUITE),
    IN_DOMAIN: ("pretraining", "tested", "beyond", BASELINE_SUITE),
    UNSEEN: ("everywhere", BASELINE_SUITE),
}


@cache
def read(path: Path = SUITES) -> dict[str, tuple[str, ...]]:
    """Suite -> rows; the baselines and the rows that the pipeline measures on one split, too."""
    table = config.read_yaml(path)["suites"]
    one_split = [*table["pretraining"], *table["tested"], *table["beyond"]]
    return {name: tuple(rows) for name, rows in table.items()} | {
        BASELINE_SUITE: tuple(BASELINES),
        ONE_SPLIT_SUITE: tuple(row for row in one_split if row not in table["everywhere"]),
    }


def expand(names: Sequence[str]) -> list[str]:
    """Rows and suites' names to rows, each once, in order."""
    return list(dict.fromkeys(row for name in names for row in read().get(name, (name,))))


def measured(split: str) -> list[str]:
    """The encoders that the pipeline measures on a split."""
    return expand(_MEASURED.get(split, ()))


def train(
    rows: Sequence[str],
    chosen: Sequence[str],
    seeds: Sequence[int],
    *,
    experiments: Path,
    params: Path,
    profile: str,
    corpus: str,
    data: Path,
    features: Path,
    runs: Path,
    jobs: int,
) -> list[Path]:
    """Train rows on all folds of splits with several seeds; returns the runs' folders.

    Args:
        rows: experiments, or names of suites.
        chosen: the splits.

    Raises:
        ConfigError: a row or a split does not exist, or there is nothing to train.
        SignCLIPError: a run failed.
    """
    from signclip.train import train_all

    configs = [
        config.resolve(
            experiments,
            params,
            row,
            profile=profile,
            corpus=corpus,
            split=split,
            fold=fold,
            seed=seed,
        )
        for split in chosen
        for fold in splits.fold_numbers(splits.read(data / corpus, split))
        for row in expand(rows)
        for seed in seeds
    ]
    if not configs:
        raise ConfigError("nothing to train: give rows or suites, splits and seeds")
    return train_all(
        configs, corpus=data / corpus, features=features / corpus, runs=runs, jobs=jobs
    )
