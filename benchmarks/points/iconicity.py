"""Iconicity: which letters look alike in all sign languages, by the spread of their embeddings.

Decisions
* Measured as in the paper (:func:`benchmarks.metrics.embedding_space.iconicity`): one model embeds
  every clip, including those that it was trained on. The spread of a letter is the standard
  deviation of its embeddings over languages, summed over dimensions.
* The paper keeps concepts with a clip in each of 37 languages. Here letters have 13 to 16, and the
  standard deviation of fewer clips is smaller by chance: letters with fewer than :data:`LEAST`
  clips are left out, and a spread is reported as a share of that of as many clips drawn from all
  letters.
* Beside each embedding space stands the spread of the hand's mean shape, which involves no model.

Cost: embedding the corpus where it is not cached, some seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from baselines.floors.nearest_neighbour import VARIANT
from benchmarks import suites
from benchmarks.evaluation.galleries import RETRIEVAL
from benchmarks.points import Made, Points, runs_of
from benchmarks.source import Need, Source
from signclip.core.errors import ConfigError
from signclip.text import label

NEED = Need(suites.IN_DOMAIN, RETRIEVAL, ("E6.1", "everywhere"))  # the paper measured E6.1
LEAST = 10  # clips, one per sign language
SHAPE = "hand shape"
DRAWS, SEED = 200, 0


def shares(embeddings: np.ndarray, labels: Sequence[str]) -> pd.DataFrame:
    """The spread of each label, and its share of the spread of as many clips of any label.

    Args:
        embeddings: (n, d), one clip per sign language and label.
        labels: (n,)

    Returns:
        One row per label with :data:`LEAST` clips or more, smallest share first: concept, clips,
        spread, share.

    Raises:
        ConfigError: no label has so many clips, or the numbers of clips and labels differ.
    """
    from benchmarks.metrics.embedding_space import iconicity

    if len(embeddings) != len(labels):
        raise ConfigError(f"{len(embeddings)} clips have embeddings, {len(labels)} have labels")
    found = iconicity(embeddings, labels)
    found = found[found["clips"] >= LEAST]
    rng = np.random.default_rng(SEED)
    by_chance = {}
    for count in sorted(set(found["clips"])):
        drawn = (rng.choice(len(embeddings), count, replace=False) for _ in range(DRAWS))
        by_chance[count] = np.mean([embeddings[one].std(axis=0).sum() for one in drawn])
    found = found.assign(share=found["spread"] / found["clips"].map(by_chance))
    return found.sort_values(["share", "concept"], ignore_index=True)


def frame(embedding_spaces: Mapping[str, np.ndarray], labels: Sequence[str]) -> pd.DataFrame:
    """One row per embedding space and letter; see :func:`shares`."""
    parts = [shares(values, labels).assign(space=name) for name, values in embedding_spaces.items()]
    table = pd.concat(parts, ignore_index=True)
    return table[["space", "concept", "clips", "spread", "share"]]


def read(source: Source, encoders: Sequence[str]) -> tuple[dict[str, np.ndarray], list[str]]:
    """Embeddings of all clips that every model and the hand shape can have, and their labels.

    Raises:
        SignCLIPError: a run or the features are missing or damaged.
    """
    from baselines.floors.nearest_neighbour import hand_shape
    from benchmarks.evaluation.context import open_context
    from signclip.corpora import manifest
    from signclip.features.store import FeatureStore

    where = dict(profile=source.profile, corpus=source.corpus, split=NEED.split)
    contexts = [
        open_context(name, source.workspace, seeds=[source.seed], **where) for name in encoders
    ]
    clips = manifest.read(source.workspace.corpus(source.corpus))
    shapes = FeatureStore.of(clips, source.workspace.store(source.corpus, VARIANT))
    stores = [shapes, *(context.store for context in contexts)]
    clips = clips[[all(clip in store for store in stores) for clip in clips["id"]]]
    ids = list(clips["id"])
    embedding_spaces = {context.encoder: context.embed(ids) for context in contexts}
    embedding_spaces[SHAPE] = np.stack([hand_shape(shapes[clip]) for clip in ids])
    return embedding_spaces, [label(text) for text in clips["text"]]


def make(source: Source) -> Made:
    """See the module; without features or without runs there is nothing."""
    columns = ["space", "concept", "clips", "spread", "share"]
    found = source.select(NEED)
    if not found or not source.workspace.store(source.corpus, VARIANT).is_dir():
        return Made(pd.DataFrame(columns=columns))
    embedding_spaces, labels = read(source, list(found))
    return Made(frame(embedding_spaces, labels), runs_of(source, found))


POINTS = Points("iconicity", "spread of a letter's embeddings over sign languages", make)
