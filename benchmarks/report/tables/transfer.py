"""A corpus of your own copy: zero-shot, few-shot, probe, scratch and fine-tuned, on one page.

Decisions
* One line an encoder and way of learning, on the corpus's official split: floors and skeleton
  models; rows that were trained on another corpus (the embedded one, unless ``params.yaml`` says
  otherwise) and have not met this one (*zero-shot*); the same rows from scratch; and gone on with
  from there (*fine-tuned*), each with what few-shot, class means and the linear probe make of its
  embeddings.
* A result that is missing is an empty cell: which of them a corpus has is decided by who ran what.

Cost: reading the results.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from baselines.floors import FLOORS
from baselines.skeletons import table as skeletons
from benchmarks import results, suites
from benchmarks.report.tables.fingerclip import (
    INTERVALS,
    SIGNERS_UNRECORDED,
    as_latex,
    as_markdown,
    cell,
    dropped,
    score_columns,
    write_files,
)
from benchmarks.report.tables.protocols import TITLES
from benchmarks.results import Result
from benchmarks.tasks.names import OFTEN, RECOGNITION
from signclip.core.errors import ConfigError

SPLIT = "official"
METRICS = ("V2T_R@1", "V2T_R@5", "V2T_MedianR")
FLOOR, ZERO_SHOT, SCRATCH, FINE_TUNED = "floor", "zero-shot", "from scratch", "fine-tuned"
IN_VOCABULARY = "zero-shot, in vocabulary"
LABELS, PROMPTS = ("retrieval",), ("tagged_retrieval", "retrieval")


class Line(NamedTuple):
    """An encoder by a way of learning; what it is asked itself is the first task that is there."""

    encoder: str
    way: str
    revision: str
    asked: tuple[str, ...]


def lines(profile: str, run: str) -> list[Line]:
    """The table's lines, in order.

    Args:
        run: the name of the runs that were trained on another corpus.
    """
    rows, tuned = suites.expand(["everywhere"]), suites.expand(["finetuned"])
    zero_shot = suites.expand(["everywhere", "tested"])
    return [
        *(Line(name, FLOOR, profile, LABELS) for name in FLOORS),
        *(Line(name, SCRATCH, profile, LABELS) for name in skeletons.models()),
        *(Line(name, ZERO_SHOT, f"{profile}.{run}", ("zero_shot",)) for name in zero_shot),
        *(
            Line(name, IN_VOCABULARY, f"{profile}.{run}", ("zero_shot_in_vocabulary",))
            for name in zero_shot
        ),
        *(Line(name, SCRATCH, profile, PROMPTS) for name in rows),
        *(Line(name, FINE_TUNED, profile, PROMPTS) for name in tuned),
    ]


Found = Mapping[Line, Mapping[str, Result]]  # line -> task -> result; "" is what it is asked itself


def read(board: Path, corpus: str, profile: str, run: str = suites.IN_DOMAIN) -> Found:
    """The results that there are.

    Raises:
        ConfigError: there is none, or one is invalid.
    """
    found: dict[Line, dict[str, Result]] = {}
    for line in lines(profile, run):

        def path(task: str, line: Line = line) -> Path:
            return results.path_of(board, line.encoder, line.revision, task, corpus, SPLIT)

        own = [task for task in line.asked if path(task).is_file()][:1]
        there = {"": own[0]} if own else {}
        if line.way != IN_VOCABULARY:  # who learns from this corpus is asked of all its clips
            there |= {task: task for task in RECOGNITION if path(task).is_file()}
        if there:
            found[line] = {key: results.read(path(task)) for key, task in there.items()}
    if not found:
        raise ConfigError(
            f"no results on {corpus}, split {SPLIT}; measure something there first: "
            f"python -m benchmarks evaluate baselines --corpus {corpus} --split {SPLIT}"
        )
    return found


def table(found: Found) -> pd.DataFrame:
    """One row a (line, task)."""
    out = []
    for line, results_of in found.items():
        for task, result in results_of.items():
            row = {
                "id": line.encoder,
                "row": result.title,
                "learning": line.way,
                "task": task or result.task,
                "n_evaluated": str(result.n_evaluated),
                "n_total": str(result.n_total),
                "texts": str(result.labels),
            }
            row |= score_columns(result, METRICS)
            out.append(row | {"signature": result.signature})
    return pd.DataFrame(out).fillna("")


def printed(frame: pd.DataFrame, metric: str) -> pd.DataFrame:
    """One line an encoder and way of learning, one column a way of asking."""
    out = []
    for (name, way), part in frame.groupby(["id", "learning"], sort=False):
        rows = {row["task"]: row for row in part.to_dict("records")}
        own = next((row for task, row in rows.items() if task not in RECOGNITION), {})
        line = {"id": name, "learning": way, "asked itself": cell(own, metric)}
        line |= {TITLES[task]: cell(rows.get(task, {}), metric) for task in RECOGNITION}
        out.append(line)
    return pd.DataFrame(out)


def notes(found: Found, run: str = suites.IN_DOMAIN) -> list[str]:
    """What a reader must know to read the table rightly."""
    trained_on = f"the embedded corpus (split {run}, fingerspelt letters)"
    if run != suites.IN_DOMAIN:
        trained_on = f"another corpus (its split {run})"
    shown = [result for of_line in found.values() for result in of_line.values()]
    some = shown[0]
    return [
        f"{some.corpus}, split {some.split}: {some.n_evaluated} of {some.n_total} test clips among "
        f"{some.labels} texts; chance {some.scores[METRICS[0]].chance:.3f}.",
        dropped(some),
        f"Signers: {some.signers or SIGNERS_UNRECORDED}.",
        f"*{ZERO_SHOT}*: trained on {trained_on}, asked among this corpus's prompts without having "
        "met one of its clips. "
        f"*{FINE_TUNED}*: gone on with from there on this corpus's training clips.",
        *_in_vocabulary(found),
        "*asked itself*: among the prompts of the test clips, or among their labels (floors and "
        "skeleton models). The columns behind it learn from the embeddings of the training clips.",
        INTERVALS,
        *_signatures(found),
    ]


def _signatures(found: Found) -> list[str]:
    """Each signature once, with the lines whose numbers bear it."""
    bearers: dict[str, list[str]] = {}
    for line, of_line in found.items():
        for result in of_line.values():
            bearers.setdefault(result.signature, []).append(f"{line.encoder} {line.way}")
    return [f"Signature, {', '.join(of)}: `{signature}`." for signature, of in bearers.items()]


def _in_vocabulary(found: Found) -> list[str]:
    """What the lines of clips with labels often met are of: the paper's zero-shot columns."""
    asked = {
        f"{result.n_evaluated} of {result.n_total}"
        for line, of_line in found.items()
        for result in of_line.values()
        if line.way == IN_VOCABULARY
    }
    return [
        f"*{IN_VOCABULARY}*: of the {counts} clips whose label its own training had more than "
        f"{OFTEN} times (the paper's zero-shot recognition), among their prompts."
        for counts in sorted(asked)
    ]


def write(
    *, revision: str, corpus: str, results_folder: Path, run: str = suites.IN_DOMAIN
) -> pd.DataFrame:
    """Write ``tables/<corpus>.{csv,md,tex}`` and ``costs/<corpus>.csv``.

    Args:
        run: the name of the runs that were trained on another corpus.

    Raises:
        ConfigError: there is no result on the corpus, or one is invalid.
    """
    found = read(results_folder / "leaderboard", corpus, revision, run)
    frame = table(found)
    parts = {metric.replace("_", " "): printed(frame, metric) for metric in ("V2T_R@1", "V2T_R@5")}
    title = f"{corpus}: recognition"
    write_files(
        results_folder,
        corpus,
        frame,
        as_markdown(parts, title, notes(found, run)),
        as_latex(parts, title, corpus),
        [result for of_line in found.values() for result in of_line.values()],
    )
    return frame
