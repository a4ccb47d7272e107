"""Training examples: the texts that each clip is trained with, and those it is validated against.

Decisions
* A clip is a query for its prompt, and also for a text without a language if it was trained with
  one: the ``label_prompt``, or with ``split_prompt`` the second part of the prompt.
* With ``split_prompt``, a clip is trained with the parts of its prompt, not with the whole.

Cost: filling a template, some microseconds a clip.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from signclip.experiments.config import RunConfig
from signclip.text import label, prompt, split_prompt


@dataclass(frozen=True)
class Example:
    """A training clip: its id in the store, its label, and its texts, one or two."""

    clip: str
    label: str
    texts: tuple[str, ...]
    sign_language: str = ""


def query_templates(config: RunConfig) -> tuple[str, ...]:
    """Templates of the texts that a clip is a query for: its prompt, and one without a language."""
    second = split_prompt(config.prompt)[1:] if config.split_prompt else (config.label_prompt,)
    return config.prompt, *(template for template in second if template is not None)


def training_templates(config: RunConfig) -> tuple[str, ...]:
    """Templates of the texts that a clip is trained with."""
    return split_prompt(config.prompt) if config.split_prompt else query_templates(config)


def fill(templates: Sequence[str], clips: pd.DataFrame) -> list[tuple[str, ...]]:
    """The texts of each clip, one a template.

    Args:
        clips: rows of a manifest.
    """
    rows = zip(clips["text"], clips["sign_language"], clips["spoken_language"], strict=True)
    return [
        tuple(
            prompt(template, text=text, sign_language=sign, spoken_language=spoken)
            for template in templates
        )
        for text, sign, spoken in rows
    ]


def make_examples(config: RunConfig, clips: pd.DataFrame) -> list[Example]:
    """The training examples of manifest rows, in the order of the rows.

    Of two texts, one that is the same for all clips is left out, because it teaches nothing.
    """
    texts = fill(training_templates(config), clips)
    varying = [i for i, column in enumerate(zip(*texts, strict=True)) if len(set(column)) > 1]
    return [
        Example(
            row["id"],
            label(row["text"]),
            tuple(filled[i] for i in varying or [0]),
            row["sign_language"],
        )
        for row, filled in zip(clips.to_dict("records"), texts, strict=True)
    ]
