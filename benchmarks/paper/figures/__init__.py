"""Published statistics of Spreadthesign's English part: what the paper's figures 5 to 7 show.

Source: the authors' repository github.com/J22Melody/fairseq, ``examples/MMPT``, the files
``data_stat_sp_*`` (``lan_dis``, ``pose_len``, ``concept_dis``); pose lengths and clips per concept
are counted by value. Pose lengths are those of valid poses of at most 256 frames, so that there are
fewer of them than examples.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

LANGUAGES = "languages"  # sign_language, examples
POSE_LENGTHS = "pose_lengths"  # frames, clips
PER_CONCEPT = "examples_per_concept"  # examples_per_concept, concepts


def statistics(name: str) -> pd.DataFrame:
    """One of the published distributions: a value, and how often it occurs."""
    import pandas as pd

    return pd.read_csv(Path(__file__).parent / f"{name}.csv")
