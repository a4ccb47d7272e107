"""Splits: which clips are trained on, validated on and tested on.

They depend on the manifest and a seed only, never on the content of the clips. A split is a table
``(split, fold, id, role)`` with roles ``train``, ``validation``, ``test`` and ``excluded`` (a clip
of a test language whose label occurs in no training language).

Decisions
* ``letters``: the clips labelled with one of the 26 Latin letters. 5 folds of clips, dealt letter
  by letter so that every fold holds every letter; each clip is tested once; 15 % of the training
  clips of a fold are validation.
* ``in_domain``: one fold. 20 % of the (sign language, label) pairs whose label occurs in another
  language are held out, always leaving the label in some training language; then 15 % of the
  remaining such pairs are validation, under the same rule; all others are training.
* ``unseen_language``: whole sign languages in 5 folds. Languages that share no label with another
  are training only. Validation is whole languages too, two per fold.
* ``official``: the column ``split`` of the manifest, where it has one.

The same clip or file content in two sets of a split is an error, when the split is built and when
it is read. The same signer in two sets is common in published splits; it is reported by
:func:`shared_signers` wherever numbers are shown. Cost: milliseconds; a second for 500,000 clips.
"""

from __future__ import annotations

import string
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from signclip.core import files, parquet
from signclip.core.errors import ConfigError
from signclip.core.workspace import outside_project
from signclip.text import label

LATIN = tuple(string.ascii_lowercase)
ROLES = ("train", "validation", "test", "excluded")
FOLDS = 5
VALIDATION_SHARE, HELD_OUT_SHARE, VALIDATION_LANGUAGES = 0.15, 0.20, 2
SEED = 3407  # that of the authors' splits (their scripts split.py)
SPLITS_FILE = "splits.parquet"


def _rng(name: str, fold: int = 0) -> np.random.Generator:
    return np.random.default_rng([SEED, *name.encode(), fold])


def _table(name: str, fold: int, ids: pd.Series, roles: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"split": name, "fold": fold, "id": ids.to_numpy(), "role": roles})


def letters(manifest: pd.DataFrame) -> pd.DataFrame:
    """The split ``letters`` (see the module docstring)."""
    clips = manifest[manifest["text"].map(label).isin(LATIN)].sort_values("id")
    labels = clips["text"].map(label).to_numpy()
    rng = _rng("letters")
    fold_of = np.empty(len(clips), dtype=int)
    start = 0
    for letter in LATIN:  # each letter is dealt from where the last one ended: folds of equal size
        members = rng.permutation(np.flatnonzero(labels == letter))
        fold_of[members] = (start + np.arange(len(members))) % FOLDS
        start += len(members)
    tables = []
    for fold in range(FOLDS):
        roles = np.where(fold_of == fold, "test", "train").astype(object)
        train = np.flatnonzero(roles == "train")
        count = round(VALIDATION_SHARE * len(train))
        roles[_rng("letters", fold + 1).permutation(train)[:count]] = "validation"
        tables.append(_table("letters", fold, clips["id"], roles))
    return pd.concat(tables, ignore_index=True)


def _hold_out(
    labels: np.ndarray, free: np.ndarray, count: int, rng: np.random.Generator
) -> np.ndarray:
    """Choose up to ``count`` of the ``free`` clips, leaving at least one free clip of each label.

    Args:
        labels: of all clips.
        free: bool, which clips may be chosen.

    Returns:
        bool, which clips are chosen.
    """
    left = {name: int((labels[free] == name).sum()) for name in set(labels[free])}
    chosen = np.zeros(len(labels), dtype=bool)
    for clip in rng.permutation(np.flatnonzero(free)):
        if chosen.sum() >= count:
            break
        if left[labels[clip]] > 1:
            left[labels[clip]] -= 1
            chosen[clip] = True
    return chosen


def in_domain(manifest: pd.DataFrame) -> pd.DataFrame:
    """The split ``in_domain`` (see the module docstring)."""
    clips = manifest.sort_values("id").reset_index(drop=True)
    labels = clips["text"].map(label).to_numpy()
    languages = clips.groupby(labels)["sign_language"].nunique()
    shared = np.array([languages[name] > 1 for name in labels])
    rng = _rng("in_domain")
    test = _hold_out(labels, shared, round(HELD_OUT_SHARE * shared.sum()), rng)
    free = shared & ~test
    validation = _hold_out(labels, free, round(VALIDATION_SHARE * free.sum()), rng)
    roles = np.select([test, validation], ["test", "validation"], "train").astype(object)
    return _table("in_domain", 0, clips["id"], roles)


def unseen_language(manifest: pd.DataFrame) -> pd.DataFrame:
    """The split ``unseen_language`` (see the module docstring)."""
    clips = manifest.sort_values("id").reset_index(drop=True)
    labels, tags = clips["text"].map(label).to_numpy(), clips["sign_language"].to_numpy()
    labels_of = {tag: set(labels[tags == tag]) for tag in sorted(set(tags))}
    sharing = [
        tag
        for tag in labels_of
        if any(labels_of[tag] & labels_of[other] for other in labels_of if other != tag)
    ]
    if len(sharing) < FOLDS:
        raise ConfigError(
            f"unseen_language needs {FOLDS} sign languages that share labels; there are "
            f"{len(sharing)}"
        )
    order = list(_rng("unseen_language").permutation(sharing))
    tables = []
    for fold in range(FOLDS):
        test = set(order[fold::FOLDS])
        # languages of the next fold, so that no language is validation in two consecutive folds
        validation = set(order[(fold + 1) % FOLDS :: FOLDS][:VALIDATION_LANGUAGES])
        roles = np.array(
            ["test" if t in test else "validation" if t in validation else "train" for t in tags],
            dtype=object,
        )
        trained = set(labels[roles == "train"])
        roles[(roles != "train") & ~np.isin(labels, sorted(trained))] = "excluded"
        tables.append(_table("unseen_language", fold, clips["id"], roles))
    return pd.concat(tables, ignore_index=True)


def official(manifest: pd.DataFrame) -> pd.DataFrame:
    """The column ``split`` of the manifest as a split of one fold."""
    return _table("official", 0, manifest["id"], manifest["split"].to_numpy())


SPLITS: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "letters": letters,
    "in_domain": in_domain,
    "unseen_language": unseen_language,
    "official": official,
}


def check_disjoint(table: pd.DataFrame, manifest: pd.DataFrame) -> None:
    """Refuse a split with the same content in two sets.

    Raises:
        ConfigError: naming split, fold and the two clips.
    """
    fold = ["split", "fold"]
    rows = table.drop_duplicates([*fold, "id", "role"])
    rows = rows.merge(manifest[["id", "sha256"]], on="id", how="left", validate="many_to_one")
    unknown = rows["id"][rows["sha256"].isna()]
    if len(unknown):
        raise ConfigError(f"a split lists {unknown.iloc[0]}, which is not in the manifest")
    again = rows[rows.duplicated([*fold, "sha256"])]
    if again.empty:
        return
    leak = again.sort_values(fold, kind="stable").iloc[0]
    same = (rows[[*fold, "sha256"]] == leak[[*fold, "sha256"]]).all(axis=1)
    first = rows[same].iloc[0]
    raise ConfigError(
        f"split {leak['split']}, fold {leak['fold']}: {leak['id']} ({leak['role']}) and "
        f"{first['id']} ({first['role']}) are the same file or clip"
    )


@dataclass(frozen=True)
class SignerOverlap:
    """Whether signers of test clips also sign training or validation clips, over all folds."""

    shared: tuple[str, ...]  # signers of test clips who also sign training or validation clips
    tested: int  # number of signers of test clips
    unknown: int  # number of clips without a recorded signer
    clips: int
    test_clips: int  # of all folds

    def text(self) -> str:
        """One sentence without a full stop, for cards and tables."""
        if self.test_clips == 0:
            return "there is no test clip (was each of them dropped?), so nothing can be measured"
        if self.unknown == self.clips:
            return (
                "signers are not recorded, so it is not known whether training and test share any"
            )
        if self.tested == 0:
            return "the signers of the test clips are not recorded"
        words = (
            f"signers are disjoint: none of the {self.tested} signers of test clips signs training "
            "or validation clips"
        )
        if self.shared:
            names = ", ".join(self.shared[:5]) + (", ..." if len(self.shared) > 5 else "")
            words = (
                f"signers are shared: {len(self.shared)} of the {self.tested} signers of test "
                f"clips also sign training or validation clips ({names})"
            )
        if self.unknown:
            words += f"; the signer of {self.unknown} of {self.clips} clips is not recorded"
        return words


def shared_signers(rows: pd.DataFrame, manifest: pd.DataFrame) -> SignerOverlap:
    """Find the signers that are both in the test set and in another set of a split.

    Args:
        rows: the rows of one split.
        manifest: at least the columns id and signer of its clips.
    """
    # a missing value is an unknown signer, like an empty one
    signers = manifest[["id", "signer"]].fillna({"signer": ""})
    known = rows[rows["role"] != "excluded"].merge(signers, on="id", validate="many_to_one")
    clips = known.drop_duplicates("id")
    unknown = int((clips["signer"] == "").sum())
    known = known[known["signer"] != ""]
    tested: set[str] = set()
    shared: set[str] = set()
    for _, fold in known.groupby("fold"):
        test = set(fold["signer"][fold["role"] == "test"])
        tested |= test
        shared |= test & set(fold["signer"][fold["role"] != "test"])
    test_clips = int((rows["role"] == "test").sum())
    return SignerOverlap(tuple(sorted(shared)), len(tested), unknown, len(clips), test_clips)


def build(manifest: pd.DataFrame) -> pd.DataFrame:
    """All splits that a manifest allows: ``official`` where it has one, else the others.

    Raises:
        ConfigError: a split has the same content in two sets.
    """
    names = ["official"] if (manifest["split"] != "").any() else list(SPLITS)[:-1]
    table = pd.concat([SPLITS[name](manifest) for name in names], ignore_index=True)
    check_disjoint(table, manifest)
    return table


def fold_numbers(rows: pd.DataFrame) -> list[int | None]:
    """The folds of a split as in the names of runs: ``[None]`` where there is only one."""
    numbers = sorted(int(fold) for fold in rows["fold"].unique())
    return [*numbers] if len(numbers) > 1 else [None]


def fingerprint(rows: pd.DataFrame) -> str:
    """Hash of the fold and role of every clip in the given rows of a split."""
    ordered = rows.sort_values(["fold", "id"])
    return files.fingerprint(ordered[["fold", "id", "role"]].to_dict("list"))


def _read_table(folder: Path | str) -> pd.DataFrame:
    path = Path(folder) / SPLITS_FILE
    if not path.is_file():
        name = path.parent.name
        advice = f"`signclip corpora build {name}` makes them{outside_project(path)}"
        raise ConfigError(f"{path}: no splits here; {advice}")
    try:
        return parquet.read(path)
    except Exception as error:  # pyarrow's errors share no base with its missing-file errors
        raise ConfigError(f"{path}: not a Parquet file ({error})") from None


def names(folder: Path | str) -> list[str]:
    """The splits of a built corpus, in the order in which they were built.

    Raises:
        ConfigError: it has no splits, or their table is damaged.
    """
    return list(_read_table(folder)["split"].unique())


def read(folder: Path | str, split: str) -> pd.DataFrame:
    """The rows of one split.

    Raises:
        ConfigError: the corpus has no such split, its table is damaged, or a clip occurs twice in a
            fold of the split.
    """
    table = _read_table(folder)
    if split not in set(table["split"]):
        there = ", ".join(sorted(table["split"].unique()))
        raise ConfigError(f"no split {split!r} in {folder}; there are {there}")
    rows = table[table["split"] == split].reset_index(drop=True)
    twice = rows["id"][rows.duplicated(["fold", "id"])]
    if len(twice):
        raise ConfigError(f"{folder}: split {split} lists {twice.iloc[0]} twice in a fold")
    return rows
