"""What a clip is asked among: the texts of a split, the same for every clip.

Decisions
* ``retrieval``: the labels of the split's training, validation and test clips, without languages.
* ``tagged_retrieval``: their unique prompts with a language's tag, one a (sign language, label)
  that the corpus has; a clip's own prompt is the right one. Only encoders whose prompt names the
  sign language are asked so, and not on ``letters``, whose question is language-free.
* On ``official``, the paper's corpora, the paper has one gallery, the unique prompts of the test
  clips; so has an encoder with tagged prompts here, and every other the labels of the test clips.

Cost: milliseconds; a second for 500,000 clips.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import NamedTuple

import pandas as pd

from signclip.text import label, prompt

_log = logging.getLogger(__name__)

RETRIEVAL, TAGGED_RETRIEVAL = "retrieval", "tagged_retrieval"
LANGUAGE_FREE, OFFICIAL = "letters", "official"  # splits with one gallery
LISTED = 10  # labels that a warning names
PAIR = "<{sign_language}> {label}"  # what tells prompts apart for who reads no text


class Entry(NamedTuple):
    """A text of a gallery: a label, in a tagged one with its languages."""

    label: str
    text: str  # the label as the corpus writes it
    sign_language: str = ""
    spoken_language: str = ""


class Gallery(NamedTuple):
    """Texts in a fixed order, which also decides ties.

    ``names`` are the labels, or the filled prompts; ``own`` is each clip's row by id, for the clips
    whose text is there.
    """

    task: str
    names: tuple[str, ...]
    entries: tuple[Entry, ...]
    own: dict[str, int]


def is_tagged(template: str) -> bool:
    """Does a prompt name the clip's sign language?"""
    return "{sign_language}" in template


def of(split: str, clips: pd.DataFrame, rows: pd.DataFrame, template: str) -> list[Gallery]:
    """The galleries in which an encoder is asked on a split.

    Args:
        clips: the corpus's manifest.
        rows: the rows of the split.
        template: of the encoder's prompts; :data:`PAIR` for one that reads no text.
    """
    asked = rows["role"] == "test" if split == OFFICIAL else rows["role"] != "excluded"
    clips = clips[clips["id"].isin(rows["id"][asked])].sort_values("id")
    if not is_tagged(template) or split == LANGUAGE_FREE:
        return [labels(clips)]
    if split == OFFICIAL:
        return [labels(clips) if template == PAIR else prompts(clips, template)]
    return [labels(clips), prompts(clips, template)]


def labels(clips: pd.DataFrame) -> Gallery:
    """The labels of the given clips."""
    names = clips["text"].map(label)
    ordered = sorted(set(names))
    entries = tuple(Entry(name, name) for name in ordered)
    return _gallery(RETRIEVAL, ordered, entries, clips, names)


def prompts(clips: pd.DataFrame, template: str) -> Gallery:
    """The unique prompts of the given clips."""
    entries = [
        Entry(label(row.text), row.text, row.sign_language, row.spoken_language)
        for row in clips.itertuples()
    ]
    names = [filled(template, entry) for entry in entries]
    # reversed: of equal prompts the first clip's entry stays
    first = dict(sorted(zip(reversed(names), reversed(entries), strict=True)))
    return _gallery(TAGGED_RETRIEVAL, list(first), tuple(first.values()), clips, names)


def warn_of_unknown(
    encoder: str, fold: int, gallery: Gallery, known: Iterable[str], asked: Iterable[str]
) -> None:
    """Say which labels a recogniser cannot answer, where test clips are lost by that, and how many.

    Args:
        known: texts of the training clips.
        asked: ids of the test clips.
    """
    met = {label(text) for text in known}
    rows = {row for row, entry in enumerate(gallery.entries) if label(entry.label) not in met}
    lost = [gallery.own[clip] for clip in asked if gallery.own[clip] in rows]
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


def filled(template: str, entry: Entry) -> str:
    """An entry's prompt."""
    return prompt(
        template,
        text=entry.text,
        sign_language=entry.sign_language,
        spoken_language=entry.spoken_language,
    )


def _gallery(task, ordered, entries, clips, names) -> Gallery:
    row_of = {name: row for row, name in enumerate(ordered)}
    own = {clip: row_of[name] for clip, name in zip(clips["id"], names, strict=True)}
    return Gallery(task, tuple(ordered), entries, own)
