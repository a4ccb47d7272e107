"""Predictions of every test clip, of the encoders whose errors are shown.

Decisions
* Encoders are those of the pipeline (group ``repro``) on their splits, among labels where they have
  such a gallery, else among prompts (column ``prompts``). ``gallery`` is the number of texts of all
  folds together, ``in_gallery`` whether a clip's own text is one of them.
* A prediction that is missing is left out; the tables say so.

Cost: a second; 60 bytes a clip and encoder.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from benchmarks import suites
from benchmarks.evaluation.galleries import RETRIEVAL
from benchmarks.evaluation.predictions import (
    CLIPS_FILE,
    GALLERY_FILE,
    RANK_COLUMNS,
    TAGGED,
    bounds,
)
from benchmarks.points import Made, Points
from benchmarks.source import Need, Source
from signclip.core import parquet

NEEDS = (
    Need(
        suites.LETTERS,
        RETRIEVAL,
        ("fingerclip", "everywhere", suites.SKELETON_SUITE, suites.FLOOR_SUITE),
    ),
    Need(suites.IN_DOMAIN, RETRIEVAL, ("everywhere", suites.FLOOR_SUITE)),
    Need(suites.UNSEEN, RETRIEVAL, ("everywhere", suites.FLOOR_SUITE)),
)
OF_CLIP = ["seed", "fold", "id", "label", "predicted", *RANK_COLUMNS]
COLUMNS = ["split", "encoder", *OF_CLIP, "gallery", "in_gallery", "prompts"]


def read(folder: Path) -> pd.DataFrame | None:
    """The predictions in a folder, as the columns tell; None where there are none."""
    for prefix in ("", TAGGED):
        paths = [folder / (prefix + name) for name in (CLIPS_FILE, GALLERY_FILE)]
        if all(path.is_file() for path in paths):
            kept = set(pq.read_schema(paths[0]).names)  # without bounds nothing is tied
            clips = parquet.read(paths[0], [name for name in OF_CLIP if name in kept])
            clips = clips.assign(**bounds(clips))[OF_CLIP]
            texts = parquet.read(paths[1], ["label"])["label"].unique()
            inside = clips["label"].isin(texts).astype(int)
            return clips.assign(gallery=len(texts), in_gallery=inside, prompts=int(bool(prefix)))
    return None


def make(source: Source) -> Made:
    """See the module."""
    tables = [
        table.assign(split=need.split, encoder=name)
        for need in NEEDS
        for name in suites.expand(need.rows)
        if (table := read(source.predictions(name, need.split))) is not None
    ]
    frame = (
        pd.concat(tables, ignore_index=True)[COLUMNS] if tables else pd.DataFrame(columns=COLUMNS)
    )
    found = frame[["split", "encoder"]].drop_duplicates().itertuples(index=False)
    return Made(frame, [f"{source.group}/{encoder}/{split}" for split, encoder in found])


POINTS = Points("predictions", "predicted texts and ranks of test clips", make)
