"""King - man + woman, with the clips of a corpus.

Decision: this is an illustration and not a measurement. Each label is represented by all its clips,
including those that the run was trained on, whose labels are further apart than those of new clips.
Of several folds the first fold's run is used.

Cost: embedding the corpus once (:mod:`benchmarks.evaluation.embeddings`).
"""

from __future__ import annotations

import pandas as pd

from benchmarks.evaluation.context import EvaluationContext
from benchmarks.metrics import embedding_space
from signclip.text import label


def nearest(context: EvaluationContext, king: str, man: str, woman: str) -> pd.DataFrame:
    """Labels by their cosine with ``king - man + woman``: see :func:`embedding_space.analogy`.

    Raises:
        ConfigError: the encoder has no embeddings, or a label has no clip.
        SignCLIPError: the run or the store is damaged.
    """
    ids = list(context.store.index["id"])
    wanted = map(label, (king, man, woman))
    return embedding_space.analogy(context.embed(ids), context.labels(ids), *wanted)
