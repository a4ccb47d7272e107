"""Made-up boards: encoders of known skill on clips of several sign languages."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
import pytest

from benchmarks.leaderboard import board, columns, compact
from benchmarks.leaderboard.board import Board
from benchmarks.points.player import COLUMNS, EMBEDDED
from benchmarks.results import Result, Score

LANGUAGES = ("ase", "bfi", "gsg", "fsl", "ise", "cse", "csq", "tsm")
LABELS = ("a", "b", "c", "d", "e")
CLIPS = [f"{language}-{label}" for language in LANGUAGES for label in LABELS]


@pytest.fixture
def known() -> pd.DataFrame:
    """The clips as ``player.csv`` has them, without points."""
    rows = [
        {"corpus": EMBEDDED, "id": clip, "label": clip[-1], "sign_language": clip[:-2]}
        for clip in CLIPS
    ]
    return pd.DataFrame(rows).reindex(columns=COLUMNS, fill_value="")


@pytest.fixture
def about() -> dict[str, dict[str, tuple[str, str]]]:
    """Corpus -> clip -> signer and language."""
    return {EMBEDDED: {clip: ("", clip[:-2]) for clip in CLIPS}}


@pytest.fixture
def measured(result) -> Callable[..., Result]:
    """A result from the hits of clips: clip -> was its text ranked first?"""

    def make(encoder: str, hits: Mapping[str, bool], **changes) -> Result:
        value = float(np.mean(list(hits.values())))
        half = 1.96 * np.sqrt(max(value * (1 - value), 0.01) / len(hits))
        score = Score(value=value, low=max(0, value - half), high=min(1, value + half), chance=0.2)
        values = dict(
            encoder=encoder,
            title=f"the encoder {encoder}",
            corpus=EMBEDDED,
            labels=len(LABELS),
            scores={"V2T_R@1": score},
            ranks={clip: [1 if hit else 3] for clip, hit in sorted(hits.items())},
            n_total=len(hits),
            n_evaluated=len(hits),
            n_dropped={},
        )
        return result(**{**values, **changes})

    return make


@pytest.fixture
def drawn(measured) -> Callable[..., Result]:
    """A result of an encoder that gets each clip with a given probability."""

    def make(encoder: str, skill: float, seed: int = 0, **changes) -> Result:
        rng = np.random.default_rng([seed, *encoder.encode()])
        return measured(encoder, {clip: rng.random() < skill for clip in CLIPS}, **changes)

    return make


@pytest.fixture
def board_of(about, tmp_path) -> Callable[..., Board]:
    """The board of some results."""

    def make(*found: Result) -> Board:
        return board.board_of(columns.table_of(map(compact.compact, found), tmp_path), about)

    return make
