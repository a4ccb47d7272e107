"""Helpers of the tasks about sign languages: language prompts without a text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchmarks.evaluation import galleries
from signclip.core.errors import ConfigError
from signclip.text import split_prompt

if TYPE_CHECKING:
    from benchmarks.evaluation.context import FoldContext


def tag_template(fold: FoldContext) -> str:
    """The template of a language prompt without a text.

    Raises:
        ConfigError: the encoder's prompts have no separate language tag.
    """
    parts = split_prompt(fold.embedding_fold.prompts.full)
    if len(parts) < 2 or not galleries.is_tagged(parts[0]):
        raise ConfigError(f"{fold.context.encoder}: its prompts name no sign language")
    return parts[0]


def spoken(fold: FoldContext, languages: Sequence[str]) -> dict[str, str]:
    """A spoken language of each sign language: that of its first training clip."""
    known = fold.context.clips.loc[sorted(fold.fold.train)]
    first = known.groupby("sign_language")["spoken_language"].first()
    return {language: first[language] for language in languages}
