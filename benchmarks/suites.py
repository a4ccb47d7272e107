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
from baselines.skeletons import table
from signclip.core.errors import ConfigError
from signclip.corpora import splits
from signclip.experiments import config

SUITES = Path(__file__).with_name("suites.yaml")
BASELINE_SUITE, ONE_SPLIT_SUITE = "baselines", "in_domain_only"
SKELETON_SUITE = "skeletons"
LETTERS, IN_DOMAIN, UNSEEN = "letters", "in_domain", "unseen_language"
_MEASURED = {  # split -> suites
    LETTERS: ("fingerclip", "everywhere", SKELETON_SUITE, BASELINE_SUITE),
    IN_DOMAIN: ("pretraining", "tested", "beyond", BASELINE_SUITE),
    UNSEEN: ("everywhere", BASELINE_SUITE),
}


@cache
def read(path: Path = SUITES) -> dict[str, tuple[str, ...]]:
    """Suite -> rows; floors, skeleton models and what the pipeline measures on one split, too."""
    listed = config.read_yaml(path)["suites"]
    one_split = [*listed["pretraining"], *listed["tested"], *listed["beyond"]]
    return {name: tuple(rows) for name, rows in listed.items()} | {
        BASELINE_SUITE: tuple(BASELINES),
        SKELETON_SUITE: tuple(table.models()),
        ONE_SPLIT_SUITE: tuple(row for row in one_split if row not in listed["everywhere"]),
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
        rows: experiments, skeleton models, or names of suites.
        chosen: the splits.

    Raises:
        ConfigError: a row or a split does not exist, or there is nothing to train.
        SignCLIPError: a run failed.
    """
    from baselines.skeletons import recipe
    from baselines.skeletons.launch import train_all as train_skeletons
    from signclip.training.launch import train_all

    wanted = [
        (
            row,
            dict(profile=profile, corpus=corpus, split=split, fold=fold, seed=seed),
        )
        for split in chosen
        for fold in splits.fold_numbers(splits.read(data / corpus, split))
        for row in expand(rows)
        for seed in seeds
    ]
    if not wanted:
        raise ConfigError("nothing to train: give rows or suites, splits and seeds")
    skeletons = [recipe.resolve(params, row, **of) for row, of in wanted if _is_skeleton(row)]
    configs = [
        config.resolve(experiments, params, row, **of)
        for row, of in wanted
        if not _is_skeleton(row)
    ]
    # the longest first, else the others' processes wait for them in the end
    skeletons.sort(key=lambda recipe: recipe.epochs * len(recipe.streams), reverse=True)
    configs.sort(key=lambda config: config.epochs, reverse=True)
    folders = dict(corpus=data / corpus, features=features / corpus, runs=runs, jobs=jobs)
    paths = train_skeletons(skeletons, **folders) if skeletons else []
    return paths + (train_all(configs, **folders) if configs else [])


def _is_skeleton(row: str) -> bool:
    return row in table.models() or row in table.missing()  # the latter is refused with its reason
