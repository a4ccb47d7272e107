"""What is known about test clips: label, language, signer, points to play, predicted labels.

Decision: read from ``results/points`` alone (``player.csv``, else ``clips.csv``; and
``predictions.csv``), so that the page comes back from files that git tracks. What is missing there
is missing on the page: clips without a known language are resampled one by one, and without
predictions there is no confusion.

Cost: 0.1 s.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from benchmarks.metrics.groups import About
from benchmarks.points.player import COLUMNS, EMBEDDED
from signclip.core.workspace import Workspace
from signclip.corpora import manifest

KEY = ["split", "encoder", "id"]


def read(points: Path) -> pd.DataFrame:
    """All known clips, with the columns of ``player.csv``.

    Args:
        points: ``results/points``.
    """
    for name in ("player", "clips"):
        path = points / f"{name}.csv"
        if path.is_file():
            table = pd.read_csv(path, dtype=str, keep_default_na=False)
            if "corpus" not in table:
                table["corpus"] = EMBEDDED
            return table.reindex(columns=COLUMNS, fill_value="")
    return pd.DataFrame(columns=COLUMNS)


def about(clips: pd.DataFrame) -> dict[str, About]:
    """Corpus -> clip -> (signer, sign language)."""
    found: dict[str, dict[str, tuple[str, str]]] = {}
    fields = clips[["corpus", "id", "signer", "sign_language"]].itertuples(index=False, name=None)
    for corpus, clip, signer, language in fields:
        found.setdefault(corpus, {})[clip] = signer, language
    return dict(found)


def about_corpus(workspace: Workspace, corpus: str) -> About:
    """Clip -> (signer, sign language) of a corpus, from points, else from its manifest if built."""
    known = about(read(workspace.points)).get(corpus, {})
    folder = workspace.corpus(corpus)
    if known or not (folder / manifest.MANIFEST_FILE).is_file():
        return known
    clips = manifest.read(folder, ["id", "signer", "sign_language"]).fillna("")
    return about(clips.assign(corpus=corpus))[corpus]


def predictions(points: Path) -> dict[tuple[str, str], dict[str, str]]:
    """(split, encoder) -> clip -> the label that ranks first, of the pipeline's first seed."""
    path = points / "predictions.csv"
    if not path.is_file():
        return {}
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    table = table[table["prompts"] == "0"].drop_duplicates(KEY)
    return {
        (str(split), str(encoder)): dict(zip(rows["id"], rows["predicted"], strict=True))
        for (split, encoder), rows in table.groupby(["split", "encoder"], sort=True)
    }
