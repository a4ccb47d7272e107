"""Latent space: iconicity ranking, conceptualisation, analogies, and scores of released models.

Decisions
* *Iconicity*: how alike a letter looks in all sign languages, by the spread of its embeddings
  (points ``iconicity``), measured as in the paper; a share of 1 means no agreement.
* *Conceptualisation*: retrieval among labels where every prompt has the tag of one language, so
  that a clip of another language has to be found through the concept. *Analogies*: king - man +
  woman.
* The authors' demo prints scores of two clips; they need the released checkpoints.

Cost: a second.
"""

from __future__ import annotations

import pandas as pd

from benchmarks import suites, tasks
from benchmarks.points.iconicity import LEAST, SHAPE
from benchmarks.report import published, verdicts
from benchmarks.report.cells import short
from benchmarks.report.page import Page, Table
from benchmarks.source import NoResults, Source, needed

NAME = "embedding_space"
ROWS = ("E6.1", "everywhere")
TASKS = ("conceptualisation", "analogies")
NEEDS = needed([suites.IN_DOMAIN], TASKS, *ROWS)
METRICS = ("V2T_R@1", "V2T_R@5", "V2T_R@10", "V2T_MedianR")


def ranking(table: pd.DataFrame) -> pd.DataFrame:
    """One row a letter, in the order of the last model; one column an embedding space."""
    wide = table.pivot(index="concept", columns="space", values="share")
    names = list(dict.fromkeys(table["space"]))
    last = [name for name in names if name != SHAPE][-1]
    wide = wide[names].sort_values(last)
    out = wide.map(lambda share: f"{share:.3f}").rename_axis("letter").reset_index()
    clips = table.drop_duplicates("concept").set_index("concept")["clips"]
    out.insert(1, "languages", out["letter"].map(clips).astype(str))
    return out.assign(letter=out["letter"].str.upper())


def correlations(table: pd.DataFrame) -> dict[str, float]:
    """Model -> rank correlation of its shares with those of the hand shape."""
    from scipy.stats import spearmanr

    wide = table.pivot(index="concept", columns="space", values="share")
    models = [name for name in dict.fromkeys(table["space"]) if name != SHAPE]
    return {name: spearmanr(wide[SHAPE], wide[name]).statistic for name in models}


def iconicity(source: Source) -> pd.DataFrame:
    """The points; without any, an empty frame."""
    try:
        return source.points("iconicity")
    except NoResults:
        return pd.DataFrame()


def build(source: Source) -> Page:
    """See the module."""
    cells = published.compare(NAME, source, {})
    frame = cells.frame()
    demo = frame["row"].str.startswith("demo-")
    parts = {
        "Published": published.printed_text(
            frame[~demo], ["concepts", "clips", "V2T_R@1", "V2T_R@10"]
        )
    }
    for need in NEEDS:
        heads = {name: short(name) for name in METRICS}
        found = source.select(need)
        part = published.add_task(cells, found, need.split, heads, f" {need.task}")
        if part is not None:
            parts[f"Ours, {tasks.title_of(need.task)}, {need.split}"] = part
    spread = iconicity(source)
    for row in spread.to_dict("records"):
        about = {"row": f"iconicity {row['space']}", "column": str(row["concept"])}
        about |= {"title": f"iconicity, {row['space']}", "verdict": verdicts.OURS}
        cells.rows.append(
            about | {"share": f"{row['share']:.4f}", "spread": f"{row['spread']:.4f}"}
        )
    if len(spread):
        parts["Ours, iconicity: share of the spread by chance"] = ranking(spread)
    parts["Scores of the released models (authors' demo)"] = demo_scores(frame[demo])
    notes = dict(
        source=source,
        split=suites.IN_DOMAIN,
        least=LEAST,
        shape=SHAPE,
        correlations=correlations(spread) if len(spread) else {},
    )
    points = ("iconicity",) if len(spread) else ()
    return Page(cells.frame(), parts, notes, cells.shown(), cells=cells.sources, points=points)


def demo_scores(frame: pd.DataFrame) -> pd.DataFrame:
    """One line a text."""
    shown = frame[["title", "column", "published", "verdict"]]
    return shown.rename(columns={"title": "row", "column": "text", "published": "paper"})


TABLE = Table(NAME, "Latent space", NEEDS, build)
