"""Iconicity: which letters look alike in all sign languages, by the spread of their embeddings.

Decisions
* Measured as in the paper (facts 1.7; :func:`benchmarks.tasks.embedding_space.iconicity`): one model embeds
  every clip, those that it was trained on included, and a letter's spread is the standard deviation
  of its embeddings over languages, summed over dimensions.
* The paper keeps concepts with a clip in each of 37 languages. Here letters have 13 to 16, and a
  standard deviation of fewer clips is smaller by chance: letters below :data:`LEAST` clips are
  left out, and a spread is told as a share of that of as many clips drawn over all letters.
* Beside each embedding space stands the spread of the hand's mean shape, which no model has made.

Cost: embedding the corpus where no file has it, some seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from baselines.floors.nearest_neighbour import VARIANT, hand_shape
from benchmarks.evaluation.context import Opened
from benchmarks.report.tables.fingerclip import as_latex, as_markdown
from benchmarks.tasks import embedding_space
from signclip.core import files
from signclip.core.errors import ConfigError
from signclip.corpora import manifest
from signclip.features.store import FeatureStore
from signclip.text import label

TABLE, TITLE = "iconicity", "Iconicity: spread of a letter over sign languages"
LEAST = 10  # clips, one a sign language
SHAPE = "hand shape"
DRAWS, SEED = 200, 0


def shares(embeddings: np.ndarray, labels: Sequence[str]) -> pd.DataFrame:
    """Spread of each label, and its share of the spread of as many clips of any label.

    Args:
        embeddings: (n, d), one clip a sign language and label.
        labels: (n,)

    Returns:
        One row a label with :data:`LEAST` clips or more, least share first: concept, clips, spread,
        share.

    Raises:
        ConfigError: no label has so many clips, or there are other numbers of clips and labels.
    """
    if len(embeddings) != len(labels):
        raise ConfigError(f"{len(embeddings)} clips have embeddings, {len(labels)} have labels")
    found = embedding_space.iconicity(embeddings, labels)
    found = found[found["clips"] >= LEAST]
    rng = np.random.default_rng(SEED)
    by_chance = {}
    for count in sorted(set(found["clips"])):
        drawn = (rng.choice(len(embeddings), count, replace=False) for _ in range(DRAWS))
        by_chance[count] = np.mean([embeddings[one].std(axis=0).sum() for one in drawn])
    found = found.assign(share=found["spread"] / found["clips"].map(by_chance))
    return found.sort_values(["share", "concept"], ignore_index=True)


def table(spaces: Mapping[str, np.ndarray], labels: Sequence[str]) -> pd.DataFrame:
    """One row a (space, letter), see :func:`shares`."""
    parts = [shares(values, labels).assign(space=name) for name, values in spaces.items()]
    frame = pd.concat(parts, ignore_index=True)
    return frame[["space", "concept", "clips", "spread", "share"]]


def printed(frame: pd.DataFrame) -> pd.DataFrame:
    """One row a letter, in the last model's order; one column a space."""
    wide = frame.pivot(index="concept", columns="space", values="share")
    names = list(dict.fromkeys(frame["space"]))
    by = [name for name in names if name != SHAPE][-1]
    wide = wide[names].sort_values(by)
    out = wide.map(lambda share: f"{share:.3f}").rename_axis("letter").reset_index()
    clips = frame.drop_duplicates("concept").set_index("concept")["clips"]
    out.insert(1, "languages", out["letter"].map(clips).astype(str))
    return out.assign(letter=out["letter"].str.upper())


def notes(frame: pd.DataFrame, some: Opened) -> list[str]:
    """What a reader must know to read the table rightly."""
    wide = frame.pivot(index="concept", columns="space", values="share")
    agreed = [
        f"{name} {spearmanr(wide[SHAPE], wide[name]).statistic:+.2f}"
        for name in dict.fromkeys(frame["space"])
        if name != SHAPE
    ]
    return [
        f"{some.corpus}, runs of split {some.split}, profile `{some.profile}`, seed "
        f"{some.seeds[0]}; letters "
        f"with clips of {LEAST} sign languages or more. Another corpus than the paper's, and "
        "letters are no concepts of a lexicon: what is measured is how alike the alphabets are.",
        "The spread of a letter's clips over sign languages, as a share of that of as many clips "
        "drawn from all letters: 1 is no agreement, less is more alike. A model pulls clips of one "
        "letter together that it was trained on, so its shares are not those of new clips.",
        f"*{SHAPE}*: mean shape of the dominant hand, no model. Rank correlation of the models' "
        f"shares with its: {', '.join(agreed)}.",
    ]


def write(asked: Sequence[Opened], *, features: Path, results_folder: Path) -> pd.DataFrame:
    """Write ``tables/iconicity.{csv,md,tex}``.

    Args:
        asked: encoders on one corpus and split; the last decides the order of the letters.
        features: folder of the corpora's features.

    Raises:
        SignCLIPError: a run or the features are missing or damaged.
    """
    some = asked[0]
    clips = manifest.read(some.data / some.corpus)
    shapes = FeatureStore.of(clips, features / some.corpus / VARIANT)
    stores = [shapes, *(found.store for found in asked)]
    clips = clips[[all(clip in store for store in stores) for clip in clips["id"]]]
    ids = list(clips["id"])
    spaces = {}
    for found in asked:
        folder, _, model = found.each[0].open_fold(0)
        spaces[found.encoder] = found.cache.embed(folder, model, ids).values
    spaces[SHAPE] = np.stack([hand_shape(shapes[clip]) for clip in ids])
    frame = table(spaces, [label(text) for text in clips["text"]])
    parts = {"Share of the spread by chance": printed(frame)}
    out = results_folder / "tables"
    with files.writing(out / TABLE):
        text = frame.to_csv(index=False, lineterminator="\n", float_format="%.4f")
        files.write_text(out / f"{TABLE}.csv", text)
        remarks = notes(frame, some)
        files.write_text(out / f"{TABLE}.md", as_markdown(parts, TITLE, remarks))
        files.write_text(out / f"{TABLE}.tex", as_latex(parts, TITLE, TABLE))
    return frame
