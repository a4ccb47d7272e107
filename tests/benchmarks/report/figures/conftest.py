"""Made-up predictions and runs, for the figures that draw them."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.evaluation.predictions import CLIPS_FILE, GALLERY_FILE

LETTERS, LANGUAGES, FOLDS = "abcd", ("ase", "gsg", "fsl"), 2


@pytest.fixture
def predict(source):
    """Writes predictions of an encoder on letters: fold 0 all correct, fold 1 always the first."""

    def write(encoder: str) -> None:
        rng = np.random.default_rng(list(encoder.encode()))
        clips = [
            {
                "seed": 0,
                "fold": fold,
                "id": f"{language}-{letter}",
                "sign_language": language,
                "label": letter,
                "predicted": LETTERS[0] if fold else letter,
                "rank": 1,
                "embedding": rng.normal(size=8).astype(np.float32),
            }
            for number, language in enumerate(LANGUAGES)
            for letter in LETTERS
            for fold in [number % FOLDS]
        ]
        gallery = [
            {
                "seed": 0,
                "fold": fold,
                "label": letter,
                "embedding": rng.normal(size=8).astype(np.float32),
            }
            for fold in range(FOLDS)
            for letter in LETTERS
        ]
        folder = source.predictions(encoder, "letters")
        folder.mkdir(parents=True)
        pd.DataFrame(clips).to_parquet(folder / CLIPS_FILE)
        pd.DataFrame(gallery).to_parquet(folder / GALLERY_FILE)

    return write
