"""The folder of a pull request: results, metadata and embeddings of one encoder and revision.

Decisions
* It is the folder that ``signbench run`` wrote, ``results/leaderboard/submitted/<encoder>/
  <revision>``; submitting checks it and adds the embeddings, so that others can compute the ranks
  again. There is nothing to copy.
* An incomplete folder is refused: a missing task would be missing on the board.
* Embeddings of more than :data:`MOST_CLIPS` clips are left out (git is no place for them).

Cost: that of validating.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from benchmarks import encoder_metadata, results
from benchmarks.evaluation import precomputed
from benchmarks.evaluation.context import read_split
from benchmarks.evaluation.dotted import EncoderClass
from benchmarks.evaluation.precomputed import PrecomputedEncoder, Vectors
from benchmarks.submission import running
from benchmarks.submission.entry import Entry
from signclip.core.errors import ConfigError
from signclip.core.workspace import Workspace
from signclip.corpora import splits

MOST_CLIPS = 20_000


class Submission(NamedTuple):
    """A folder that is ready."""

    folder: Path
    results: int
    bytes: int
    left_out: tuple[str, ...]  # corpora whose embeddings are too many


def submit(entry: Entry, workspace: Workspace) -> Submission:
    """Check that a run is complete and add its embeddings.

    Raises:
        ConfigError: nothing was run, tasks are missing, or the results are of other code.
        SignCLIPError: see :func:`benchmarks.submission.running.run`.
    """
    about = entry.metadata
    place = encoder_metadata.sidecar(
        workspace.leaderboard, results.SUBMITTED, about.name, about.revision
    )
    folder = place.parent
    found = [path for path in sorted(folder.glob("*.json")) if path.name != results.SIDECAR]
    if not found:
        raise ConfigError(f"{folder}: no results; `signbench run {entry.given}` makes them")
    corpora = sorted({results.read(path).corpus for path in found})
    # a run of nothing new: tasks that are missing would be measured, so it says what they are
    missing = running.missing(entry, workspace, corpora)
    if missing:
        listed = ", ".join(" ".join(one) for one in missing[:4]) + ", ..." * (len(missing) > 4)
        raise ConfigError(
            f"{folder}: {len(missing)} results are missing ({listed}); "
            f"`signbench run {entry.given}` makes them"
        )
    left_out = [corpus for corpus in corpora if not _add_vectors(entry, workspace, corpus, folder)]
    size = sum(path.stat().st_size for path in folder.iterdir())
    return Submission(folder, len(found), size, tuple(left_out))


def _add_vectors(entry: Entry, workspace: Workspace, corpus: str, folder: Path) -> bool:
    """Write an encoder's embeddings of a corpus; False: they are too many."""
    encoder = entry.encoder
    if isinstance(encoder, PrecomputedEncoder):
        vectors = encoder.vectors
    elif isinstance(encoder, EncoderClass):
        names = splits.names(workspace.corpus(corpus))
        parts = [read_split(workspace, corpus, name) for name in names]
        contexts = [entry.context(workspace, one, group=results.SUBMITTED) for one in parts]
        clips = sorted(set().union(*(one.split_clips for one in contexts)))
        if len(clips) > MOST_CLIPS:
            return False
        embedded = contexts[0].cache.embed(entry.content(), encoder.model, clips).values
        kept = running.vectors_path(workspace, corpus, entry)
        texts = running.read_texts(kept, encoder.fingerprint)
        by_clip = dict(zip(clips, embedded, strict=True))
        vectors = Vectors(by_clip, texts, encoder.template)
    else:
        return True
    if len(vectors.clips) > MOST_CLIPS:
        return False
    precomputed.write(folder / f"{corpus}.npz", vectors)
    return True
