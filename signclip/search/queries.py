"""Texts and clips as queries: the prompts that a model was trained with, and scores of texts.

Decision: a user types a word, the model reads a prompt. A text becomes the model's prompt of the
given languages; without a sign language it becomes the prompt without one that the model was
trained with, if there is such a prompt. A text that begins with a tag (``<en> <ase> house``) is a
complete prompt. Cost: that of embedding.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from signclip.core.errors import ConfigError, SampleError
from signclip.search.index import scale
from signclip.search.sources import with_pose
from signclip.text import prompt as fill
from signclip.text import split_prompt

if TYPE_CHECKING:
    from signclip.inference import SignCLIPModel


class Scores(NamedTuple):
    """Scores of clips against texts.

    Attributes:
        clips: those that could be used.
        values: float32 (clips, texts), as the model was trained.
        errors: path -> the reason why a clip could not be used.
    """

    clips: list[Path]
    values: np.ndarray
    errors: dict[Path, SampleError]


def prompts(
    model: SignCLIPModel,
    texts: Sequence[str],
    *,
    sign_language: str = "",
    spoken_language: str = "en",
    template: str | None = None,
) -> list[str]:
    """The prompts of texts.

    Args:
        template: default: the model's own.

    Raises:
        ConfigError: the template needs a sign language and none is given, or it cannot be filled.
        LanguageTagError: a tag is not in the registry.
    """
    template = template or _template(model, sign_language)
    return [
        text
        if text.lstrip().startswith("<")
        else fill(template, text=text, sign_language=sign_language, spoken_language=spoken_language)
        for text in texts
    ]


def _template(model: SignCLIPModel, sign_language: str) -> str:
    if sign_language or not _names_a_sign_language(model.prompt):
        return model.prompt
    config = model.config
    if config is not None and config.label_prompt:
        return config.label_prompt
    if config is not None and config.split_prompt:
        return split_prompt(model.prompt)[-1]
    raise ConfigError(
        f"the model's prompts name a sign language ({model.prompt}): give one with --sign-language"
    )


def _names_a_sign_language(template: str) -> bool:
    return any(field == "sign_language" for _, field, _, _ in Formatter().parse(template))


def score(
    model: SignCLIPModel, clips: Sequence[Path], texts: Sequence[str], *, progress: bool = False
) -> Scores:
    """Score clips against complete prompts (:func:`prompts`).

    Args:
        clips: pose files and videos; a video's pose is read from the ``.pose`` beside it, or
            extracted.
        progress: show a progress bar.
    """
    paths = [with_pose(path) for path in clips]
    found = model.embed_clips(paths, keep_going=True, progress=progress)
    values = found.embeddings @ model.embed_text(texts).T * np.float32(scale(model))
    errors = {clips[position]: error for position, error in found.errors.items()}
    return Scores([clips[row] for row in found.kept], values, errors)
