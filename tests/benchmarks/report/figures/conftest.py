"""Made-up points, for the figures that draw them."""

from collections.abc import Callable

import pandas as pd
import pytest

from benchmarks.points import curves as curve_points
from benchmarks.points import predictions as prediction_points

LETTERS, LANGUAGES, FOLDS = "abcd", ("ase", "gsg", "fsl"), 2


@pytest.fixture
def predict(source) -> Callable[[str], None]:
    """Writes points of an encoder on letters: fold 0 all correct, fold 1 always the first letter.

    The clips are those of the letters a to d in three sign languages, ``<language>-<letter>``.
    """
    source.workspace.points.mkdir(parents=True, exist_ok=True)
    about = dict(spoken_language="en", signer="", frames=20)
    corpus = [
        dict(id=f"{language}-{letter}", label=letter, text=letter, sign_language=language, **about)
        for language in LANGUAGES
        for letter in LETTERS
    ]
    pd.DataFrame(corpus).to_csv(source.workspace.points / "clips.csv", index=False)
    tables = []

    def write(encoder: str) -> None:
        rows = [
            {
                "split": "letters",
                "encoder": encoder,
                "seed": 0,
                "fold": number % FOLDS,
                "id": f"{language}-{letter}",
                "label": letter,
                "predicted": LETTERS[0] if number % FOLDS else letter,
                "rank": 1 + (number % FOLDS and LETTERS.index(letter)),
                "rank_high": 1 + (number % FOLDS and LETTERS.index(letter)),
                "rank_right": 1,
                "gallery": len(LETTERS),
                "in_gallery": 1,
                "prompts": 0,
            }
            for number, language in enumerate(LANGUAGES)
            for letter in LETTERS
        ]
        tables.append(pd.DataFrame(rows)[prediction_points.COLUMNS])
        pd.concat(tables).to_csv(source.workspace.points / "predictions.csv", index=False)

    return write


@pytest.fixture
def learned(source) -> Callable[..., None]:
    """Writes the points ``curves``: of each encoder and split, two runs of three epochs.

    Training loss falls, validation loss is lowest at the second epoch.
    """

    def write(encoders: dict[str, str]) -> None:
        rows = []
        for encoder, split in encoders.items():
            for fold in range(FOLDS):
                for epoch, (loss, validation) in enumerate([(4, 4), (2, 3), (1, 6)], start=1):
                    about = dict(encoder=encoder, title=f"title of {encoder}", split=split)
                    curve = {"epoch": epoch, "updates": epoch, "loss": loss * (1 + fold)}
                    curve |= {"validation_loss": validation, "validation_V2T_R@1": 0.1 * epoch}
                    rows.append(about | {"run": f"0/{split}-{fold}"} | curve)
        table = pd.DataFrame(rows).reindex(columns=curve_points.COLUMNS)
        source.workspace.points.mkdir(parents=True, exist_ok=True)
        table.to_csv(source.workspace.points / "curves.csv", index=False)

    return write
