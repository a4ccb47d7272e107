"""Learning curves of the runs behind the shown results, one row a run and validation.

Decision: runs are those that the pipeline's results name; a run that is not here is left out.

Cost: a second.
"""

from __future__ import annotations

import pandas as pd

from benchmarks import suites
from benchmarks.evaluation.galleries import RETRIEVAL
from benchmarks.points import Made, Points
from benchmarks.source import Need, Source
from signclip.core.errors import RunError
from signclip.experiments.run_folder import CURVES

NEEDS = (
    Need(suites.LETTERS, RETRIEVAL, ("fingerclip", "everywhere", suites.SKELETON_SUITE)),
    Need(suites.IN_DOMAIN, RETRIEVAL, ("pretraining", "beyond")),
    Need(suites.UNSEEN, RETRIEVAL, ("everywhere",)),
)
SHOWN = (
    *("epoch", "updates", "loss", "validation_loss", "validation_V2T_R@1"),
    "validation_label_V2T_R@1",
)
COLUMNS = ["encoder", "title", "split", "run", *SHOWN]


def make(source: Source) -> Made:
    """See the module."""
    tables, inputs = [], []
    for need in NEEDS:
        for name, result in source.select(need).items():
            try:
                folders = source.runs(result)
            except RunError:
                continue
            for folder in folders:
                curve = pd.read_csv(folder / CURVES)
                run = f"{source.seed}/{folder.name}"
                about = dict(encoder=name, title=result.title, split=need.split, run=run)
                tables.append(curve.reindex(columns=SHOWN).assign(**about))
                inputs.append(f"{name}/{run}: {result.runs[run]}")
    frame = (
        pd.concat(tables, ignore_index=True)[COLUMNS] if tables else pd.DataFrame(columns=COLUMNS)
    )
    return Made(frame, inputs)


POINTS = Points("curves", "learning curves", make)
