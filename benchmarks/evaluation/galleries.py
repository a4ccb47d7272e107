"""Retrieval galleries: the candidate texts of a split, the same for every clip.

Decisions
* The label gallery holds the labels of the split's training, validation and test clips, without
  languages.
* The prompt gallery holds their unique prompts with a language tag, one for each (sign language,
  label) of the corpus; the target of a clip is its own prompt.
* On ``official``, the split of the paper's corpora, both are built from the test clips alone, as in
  the paper.
* Which encoder is evaluated in which gallery is decided by the tasks (:mod:`benchmarks.tasks`).

Cost: milliseconds; a second for 500,000 clips.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import pandas as pd

from signclip.text import label, prompt

_log = logging.getLogger(__name__)

RETRIEVAL, TAGGED_RETRIEVAL = "retrieval", "tagged_retrieval"  # the tasks of the two galleries
LANGUAGE_FREE, OFFICIAL = "letters", "official"  # splits with one gallery
LISTED = 10  # labels that a warning names
PAIR = "<{sign_language}> {label}"  # prompt of recognisers, which read no text
LABEL = "{label}"  # prompt of encoders that know no languages


class Entry(NamedTuple):
    """A candidate text: a label, and in a prompt gallery its languages."""

    label: str
    text: str  # the label as the corpus writes it
    sign_language: str = ""
    spoken_language: str = ""


class Gallery(NamedTuple):
    """Candidate texts in a fixed order, which also decides ties.

    Attributes:
        names: the labels, or the filled prompts.
        entries: label and languages of each name.
        targets: clip id -> row of the clip's own text, for clips whose text is in the gallery.
        tagged: whether the names are prompts with a language tag.
    """

    names: tuple[str, ...]
    entries: tuple[Entry, ...]
    targets: dict[str, int]
    tagged: bool = False


def is_tagged(template: str) -> bool:
    """Whether a prompt template names the sign language."""
    return "{sign_language}" in template


def candidates(split: str, clips: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """The clips whose texts form the galleries of a split, by id.

    Args:
        clips: the manifest of the corpus.
        rows: the rows of the split.
    """
    chosen = rows["role"] == "test" if split == OFFICIAL else rows["role"] != "excluded"
    return clips[clips["id"].isin(rows["id"][chosen])].sort_values("id")


def labels(clips: pd.DataFrame) -> Gallery:
    """The gallery of the labels of the given clips."""
    names = clips["text"].map(label)
    ordered = sorted(set(names))
    entries = tuple(Entry(name, name) for name in ordered)
    return Gallery(tuple(ordered), entries, _targets(ordered, clips["id"], names))


def prompts(clips: pd.DataFrame, template: str) -> Gallery:
    """The gallery of the unique prompts of the given clips."""
    entries = [
        Entry(label(row.text), row.text, row.sign_language, row.spoken_language)
        for row in clips.itertuples()
    ]
    names = [filled(template, entry) for entry in entries]
    # reversed: of equal prompts the first clip's entry is kept
    first = dict(sorted(zip(reversed(names), reversed(entries), strict=True)))
    targets = _targets(list(first), clips["id"], names)
    return Gallery(tuple(first), tuple(first.values()), targets, tagged=True)


def filled(template: str, entry: Entry) -> str:
    """An entry's prompt."""
    return prompt(
        template,
        text=entry.text,
        sign_language=entry.sign_language,
        spoken_language=entry.spoken_language,
    )


def warn_of_unknown(
    encoder: str, fold: int, gallery: Gallery, known: Iterable[str], clips: Iterable[str]
) -> None:
    """Log the labels that a closed-vocabulary encoder cannot predict and the test clips they cost.

    Args:
        known: texts of the training clips.
        clips: ids of the test clips.
    """
    known = {label(text) for text in known}
    rows = {row for row, entry in enumerate(gallery.entries) if label(entry.label) not in known}
    lost = [gallery.targets[clip] for clip in clips if gallery.targets[clip] in rows]
    if not lost:
        return
    _log.warning(
        "%s, fold %d: no training clip has %s; these labels score below all others, and %d test "
        "clips have one of them",
        encoder,
        fold,
        _listed(sorted({label(gallery.entries[row].label) for row in lost})),
        len(lost),
    )


def _listed(names: list[str]) -> str:
    more = len(names) - LISTED
    return ", ".join(names[:LISTED]) + (f" and {more} more" if more > 0 else "")


def _targets(ordered: Sequence[str], ids: Iterable[str], names: Iterable[str]) -> dict[str, int]:
    row_of = {name: row for row, name in enumerate(ordered)}
    return {clip: row_of[name] for clip, name in zip(ids, names, strict=True)}
