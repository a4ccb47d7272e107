"""King - man + woman, asked of an encoder's own clips.

Decision: an illustration and no measurement: all clips of the corpus stand for their labels, those
that the run was trained on included, which lie further apart than others; of several folds the
first one's run is asked.

Cost: embedding the corpus once (:mod:`benchmarks.evaluation.embeddings`).
"""

from __future__ import annotations

import pandas as pd

from benchmarks.evaluation.context import Opened
from benchmarks.tasks import embedding_space
from signclip.text import label


def nearest(found: Opened, king: str, man: str, woman: str) -> pd.DataFrame:
    """Labels by how near they are to ``king - man + woman``: see :func:`embedding_space.analogy`.

    Raises:
        ConfigError: the encoder has no embeddings, or a label has no clip.
        SignCLIPError: the run or the store is damaged.
    """
    found.must_embed()
    folder, _, model = found.each[0].open_fold(found.folds[0].number)
    ids = list(found.store.index["id"])
    names = [label(text) for text in found.clips.loc[ids, "text"]]
    embedded = found.cache.embed(folder, model, ids).values
    return embedding_space.analogy(embedded, names, *map(label, (king, man, woman)))
