"""Latent space: clips and prompts of a few letters over all sign languages, in two dimensions.

Decisions
* Two models side by side on ``in_domain``, where pairs of language and letter are held out and
  texts name their language: E7.2, the row that the paper released, and X, the best row. Both embed
  all clips of :data:`LETTERS`, those that they were trained on as well; the column ``role`` tells
  these from the held-out ones (test and validation) and their texts, which were not seen either.
* t-SNE of directions, with a fixed seed and start. The embeddings of clips and of texts lie in two
  separate cones (a known property of contrastive models), and t-SNE would show that gap only: each
  side is centred on its own mean. Nearness in the picture is therefore not quite the score that
  decides the ranks, and sizes and distances of groups mean little.
* What is claimed about the picture is measured in the full space, with the same centring: the
  nearest other clip of each clip, by cosine (``nearest``), and the prompt of these letters that
  scores highest (``ranked_first``).

Cost: embedding the corpus where it is not cached, then a few seconds.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmarks import suites
from benchmarks.evaluation.galleries import RETRIEVAL
from benchmarks.points import Made, Points, runs_of
from benchmarks.source import Need, Source
from signclip.core.errors import RunError
from signclip.text import label

NEED = Need(suites.IN_DOMAIN, RETRIEVAL, ("E7.2", "X"))
LETTERS = "aclotv"
CLIP, PROMPT = "clip", "prompt"
TRAINING, HELD_OUT = "training", "held out"
PERPLEXITY, SEED = 30, 0
COLUMNS = ["model", "kind", "id", "sign_language", "label", "role", "nearest", "ranked_first"]


def directions(embeddings: np.ndarray) -> np.ndarray:
    """Embeddings (n, d) minus their mean, of length 1."""
    centred = embeddings - embeddings.mean(axis=0)
    return centred / np.linalg.norm(centred, axis=1, keepdims=True)


def project(clips: np.ndarray, prompts: np.ndarray) -> np.ndarray:
    """Positions of clips (n, d) and then prompts (m, d), (n + m, 2), both axes from -1 to 1."""
    from sklearn.manifold import TSNE

    vectors = np.concatenate([directions(clips), directions(prompts)]).astype(np.float64)
    perplexity = min(PERPLEXITY, (len(vectors) - 1) / 3)
    reduction = TSNE(perplexity=perplexity, init="pca", random_state=SEED, method="exact")
    positions = reduction.fit_transform(vectors).astype(np.float64)
    low, high = positions.min(axis=0), positions.max(axis=0)
    return 2 * (positions - low) / (high - low) - 1


def nearest(clips: np.ndarray) -> np.ndarray:
    """Position of the nearest other clip of each, by cosine of centred embeddings: (n,)."""
    cosines = directions(clips) @ directions(clips).T
    np.fill_diagonal(cosines, -np.inf)
    return cosines.argmax(axis=1)


def frame(clips: pd.DataFrame, embeddings: np.ndarray, prompts: np.ndarray) -> pd.DataFrame:
    """Rows of one model: a clip and its own prompt each, clips first.

    Args:
        clips: columns id, sign_language, label, role.
        embeddings: of the clips, (n, d).
        prompts: of their texts, (n, d).

    Returns:
        the columns of :data:`COLUMNS` but the model, and x and y from -1 to 1.
    """
    ids = clips["id"].to_numpy()
    first = (embeddings @ prompts.T).argmax(axis=1)
    about = clips[["id", "sign_language", "label", "role"]]
    of_clips = about.assign(kind=CLIP, nearest=ids[nearest(embeddings)], ranked_first=ids[first])
    of_prompts = about.assign(kind=PROMPT, nearest="", ranked_first="")
    table = pd.concat([of_clips, of_prompts], ignore_index=True)[COLUMNS[1:]]
    table["x"], table["y"] = project(embeddings, prompts).T
    return table


def read(source: Source, encoder: str) -> pd.DataFrame:
    """The rows of one model; see :func:`frame`.

    Raises:
        SignCLIPError: a run or the features are missing or damaged.
    """
    from benchmarks.evaluation.context import open_context

    where = dict(profile=source.profile, corpus=source.corpus, split=NEED.split)
    context = open_context(encoder, source.workspace, seeds=[source.seed], **where)
    fold = context.folds[0]
    clips = context.clips.assign(label=context.clips["text"].map(label))
    clips = clips[
        clips["label"].isin(list(LETTERS)) & clips["id"].isin(context.store.index["id"])
    ].copy()
    trained = set(fold.train)
    clips["role"] = [TRAINING if clip in trained else HELD_OUT for clip in clips["id"]]
    of_fold = context.open_fold(fold, context.first_encoder)
    gallery = context.prompt_gallery
    texts = [gallery.names[gallery.targets[clip]] for clip in clips["id"]]
    prompts = of_fold.embedding_fold.embed_text(texts)
    return frame(clips, context.embed(list(clips["id"])), prompts).assign(model=encoder)


def make(source: Source) -> Made:
    """See the module; a model without a result or run is left out, without features all are."""
    parts, inputs = [], []
    features = source.workspace.features / source.corpus
    for name, result in source.select(NEED).items() if features.is_dir() else ():
        try:
            source.runs(result)
        except RunError:
            continue
        parts.append(read(source, name))
        inputs += runs_of(source, {name: result})
    if not parts:
        return Made(pd.DataFrame(columns=[*COLUMNS, "x", "y"]))
    return Made(pd.concat(parts, ignore_index=True)[[*COLUMNS, "x", "y"]], inputs)


POINTS = Points("latent_space", "clips and prompts of some letters in two dimensions", make)
