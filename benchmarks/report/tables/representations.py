"""Sign-language representations: what each form of input holds, dimensions and parameters.

Decisions
* The paper's encoders of a video of 10 s; what of them this suite has is counted on its code:
  keypoints and numbers a frame of MediaPipe Holistic, and the sizes of the paper's models. Video
  encoders (S3D, I3D, SignVQNet) are not part of it, so these cells are not compared.
* Measured costs are not here: they differ from run to run (``results/costs``).

Cost: milliseconds.
"""

from __future__ import annotations

import pandas as pd

from benchmarks import paper
from benchmarks.report import published, verdicts
from benchmarks.report.page import Page, Table
from benchmarks.source import NoResults, Source

NAME = "representations"
HOLISTIC, AXES = 543, 3  # keypoints of a frame without the refined iris, and x, y, z
FORMS = ("video", "s3d", "i3d", "signvqnet")
NO_VIDEO = "this suite embeds poses, not videos"


def counted(source: Source) -> dict[tuple[str, str], float]:
    """(row, column) -> our count; empty without the points."""
    try:
        sizes = source.points("model_sizes").set_index("experiment")
    except NoResults:
        return {}
    return {
        (name, column): float(sizes.loc[name, column])
        for name in paper.rows(NAME)["experiment"]
        if name in sizes.index
        for column in ("dims", "parameters")
    }


def holistic_points(source: Source) -> str:
    """Keypoints and axes of the full-body input, as the paper writes them; empty without points."""
    dims = counted(source).get(("E3", "dims"))
    return f"{dims / AXES:.0f}x{AXES}" if dims else ""


def build(source: Source) -> Page:
    """See the module."""
    refused = {f"{form} {column}": NO_VIDEO for form in FORMS for column in ("temporal", "spatial")}
    refused["holistic temporal"] = "the length of an example"
    cells = published.compare(NAME, source, {}, counted=counted(source), refused=refused)
    spatial = holistic_points(source)
    for line in cells.rows:
        if (line["row"], line["column"]) == ("holistic", "spatial") and spatial:
            same = spatial == line["published"]
            line |= {"ours": spatial, "verdict": verdicts.REPRODUCED if same else verdicts.DIFFERS}
    frame = cells.frame()
    parts = {
        "Encoders of a video of 10 s": published.printed_text(frame, ["temporal", "spatial"]),
        "Models of the paper": published.printed_text(frame, ["dims", "parameters"]),
        "Input variants of this suite": variants(source),
    }
    points = ("model_sizes",) if spatial else ()
    return Page(frame, parts, {}, cells=cells.sources, points=points)


def variants(source: Source) -> pd.DataFrame:
    """The input variant of each experiment: keypoints and numbers a frame."""
    try:
        sizes = source.points("model_sizes")
    except NoResults:
        return pd.DataFrame({"variant": []})
    by_variant = sizes.groupby("variant", sort=False)
    return pd.DataFrame(
        {
            "variant": [name for name, _ in by_variant],
            "keypoints": [str(part["points"].iloc[0]) for _, part in by_variant],
            "numbers a frame": [str(part["dims"].iloc[0]) for _, part in by_variant],
            "experiments": [", ".join(part["experiment"]) for _, part in by_variant],
        }
    )


TABLE = Table(NAME, "Sign-language representations", (), build)
