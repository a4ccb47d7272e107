"""The rows beyond the paper against E7.2, the floor and the row each changes, on every split.

Decisions
* Differences are paired by clip (:mod:`benchmarks.metrics.compare`), so that a clip that is hard for both
  sides does not widen the interval.
* A row that the pipeline measures (``suites.yaml``) and whose result is missing is an error; any
  other missing result is a dash. Which rows the pipeline's time is enough for is not a finding.
* Whether X beats every other row stands in a block of its own, X minus each row that is measured
  on the same split, the paper's rows among them.
* Measurements over several seeds (``make full``) lie under a revision of their own and are shown
  below the pipeline's. They are left out, with a note, if clips or split have changed since, or if
  for a seed that both have the runs are others than the pipeline's.

Cost: half a second a difference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from benchmarks import results, suites
from benchmarks.evaluation.galleries import RETRIEVAL, TAGGED_RETRIEVAL
from benchmarks.metrics.compare import compare
from benchmarks.report.tables.fingerclip import (
    INTERVALS,
    NOTHING,
    SIGNERS_UNRECORDED,
    as_latex,
    as_markdown,
    cell,
    number,
    write_files,
)
from benchmarks.results import Result
from signclip.core import files
from signclip.core.config import read_yaml
from signclip.core.workspace import RunId, Workspace
from signclip.experiments.table import resolve

TABLE, TITLE = "beyond", "Beyond the paper"
BASE, FLOOR, BEST = "E7.2", "nearest-neighbour", "X"
EXPERIMENTS = Path(__file__).parents[2] / "experiments.yaml"
PARAMS = Path(__file__).parents[3] / "params.yaml"
METRIC, DEEPER = "V2T_R@1", "V2T_R@10"
MORE = ("V2T_R@5", DEEPER, "V2T_MedianR")
FULL = "-full"  # what a revision over several seeds ends with
CHANCE = "chance"


class Place(NamedTuple):
    """Where rows are compared: a split and a gallery."""

    split: str
    task: str

    @property
    def title(self) -> str:
        """As a column's head."""
        asked = {RETRIEVAL: "labels", TAGGED_RETRIEVAL: "tagged"}[self.task]
        return f"{self.split}, {asked}"


PLACES = (
    Place(suites.LETTERS, RETRIEVAL),
    Place(suites.IN_DOMAIN, RETRIEVAL),
    Place(suites.IN_DOMAIN, TAGGED_RETRIEVAL),
    Place(suites.UNSEEN, RETRIEVAL),
    Place(suites.UNSEEN, TAGGED_RETRIEVAL),
)
Ours = Mapping[Place, Mapping[str, Result]]  # place -> encoder -> result


def rows() -> list[str]:
    """The table's encoders."""
    return suites.expand([BASE, "beyond", suites.SKELETON_SUITE, suites.BASELINE_SUITE])


def opponents() -> list[str]:
    """The paper's rows, which X is compared with where they are measured."""
    there = rows()
    return [
        row for row in suites.expand(["fingerclip", "pretraining", "tested"]) if row not in there
    ]


def base_of(name: str) -> str:
    """The row that a row beyond changes."""
    return read_yaml(EXPERIMENTS)[name]["base"]


def read(
    board: Path, revision: str, corpus: str, *, expected: bool, names: Sequence[str] | None = None
) -> dict[Place, dict]:
    """The results of a revision, place by place.

    Args:
        names: encoders; default the table's.
        expected: whether what the pipeline measures must be there.

    Raises:
        ConfigError: such a result is missing, or one is invalid.
    """
    found: dict[Place, dict[str, Result]] = {}
    for place in PLACES:
        needed = set(suites.measured(place.split)) if expected else set()
        found[place] = {}
        for name in names or rows():
            path = results.path_of(board, name, revision, place.task, corpus, place.split)
            if name in needed or path.is_file():
                found[place][name] = results.read(path)
    return found


def of_same_clips(ours: Ours, others: Ours) -> tuple[dict[Place, dict], list[str]]:
    """The other revision's results that are of our clips and runs, and which are not, in words."""
    kept: dict[Place, dict[str, Result]] = {}
    left = []
    for place, found in others.items():
        known = {(r.corpus_fingerprint, r.split_fingerprint) for r in ours[place].values()}
        kept[place] = {}
        for name, result in found.items():
            same = (result.corpus_fingerprint, result.split_fingerprint) in known
            if same and _of_same_runs(result, ours[place].get(name)):
                kept[place][name] = result
            else:
                left.append(f"{name} on {place.title}")
    return kept, left


def _of_same_runs(other: Result, ours: Result | None) -> bool:
    """Are runs that both should share the same? Runs nobody recorded are not those recorded."""
    if ours is None:
        return True
    if bool(other.runs) != bool(ours.runs):
        return False
    return all(other.runs[run] == ours.runs[run] for run in other.runs.keys() & ours.runs.keys())


def table(ours: Ours) -> pd.DataFrame:
    """One row a (place, encoder), chance behind each place."""
    out = []
    bases = {name: base_of(name) for name in suites.expand(["beyond"])}
    for place, found in ours.items():
        for name, result in found.items():
            row = {
                "revision": result.revision,
                "seeds": " ".join(map(str, result.seeds)),
                "split": place.split,
                "gallery": place.title.split(", ")[1],
                "id": name,
                "row": result.title,
                "n_evaluated": str(result.n_evaluated),
                "n_total": str(result.n_total),
                "texts": str(result.labels),
            }
            for metric in (METRIC, *MORE):
                score = result.scores[metric]
                row[f"ours_{metric}"] = number(score.value, metric)
                row[f"ours_{metric}_low"] = number(score.low, metric)
                row[f"ours_{metric}_high"] = number(score.high, metric)
            for against in (BASE, FLOOR):
                if against in found and against != name:
                    row |= difference(result, found[against], f"minus_{against}")
            row["base"] = bases.get(name, "")
            if row["base"] in found:
                row |= difference(result, found[row["base"]], "minus_base")
            if BEST in found and name != BEST:
                row |= difference(found[BEST], result, f"{BEST}_minus")
            out.append(row | {"signature": result.signature})
        if found:
            some = next(iter(found.values()))
            row = {key: out[-1][key] for key in ("revision", "split", "gallery", "texts")}
            row |= {"id": CHANCE, "row": "random scores"}
            row |= {f"ours_{m}": number(some.scores[m].chance, m) for m in (METRIC, *MORE)}
            out.append(row)
    return pd.DataFrame(out).fillna("")


def difference(a: Result, b: Result, column: str) -> dict[str, str]:
    """The paired difference of two results as cells of the CSV."""
    found = compare(a, b, METRIC)
    return {
        f"{column}_{METRIC}": f"{found.difference:+.4f}",
        f"{column}_{METRIC}_low": f"{found.low:+.4f}",
        f"{column}_{METRIC}_high": f"{found.high:+.4f}",
    }


def blocks(frame: pd.DataFrame, said: str) -> dict[str, pd.DataFrame]:
    """Heading -> printed part: values, differences to E7.2, floor and base, X minus each row."""
    kinds = {
        f"V2T R@1, {said}": ("ours", METRIC),
        f"V2T R@1, difference to {BASE}, {said}": (f"minus_{BASE}", METRIC),
        f"V2T R@1, difference to 1-nearest-neighbour, {said}": (f"minus_{FLOOR}", METRIC),
        f"V2T R@1, difference to the base, where that is not {BASE}, {said}": (
            "minus_base",
            METRIC,
        ),
        f"V2T R@1, {BEST} minus each row, {said}": (f"{BEST}_minus", METRIC),
        f"V2T R@10, {said}": ("ours", DEEPER),
    }
    parts = {heading: _printed(frame, *kind) for heading, kind in kinds.items()}
    return {heading: part for heading, part in parts.items() if len(part)}


def said_seeds(found: Ours) -> str:
    """The seeds that results are of, as a heading says it."""
    counted = sorted({tuple(r.seeds) for of in found.values() for r in of.values()}, key=len)
    named = " or ".join(", ".join(map(str, seeds)) for seeds in counted)
    return f"seed {named}" if counted == counted[:1] and len(counted[0]) == 1 else f"seeds {named}"


def _printed(frame: pd.DataFrame, whose: str, metric: str) -> pd.DataFrame:
    """One row an encoder, one column a place."""
    cells = {
        (row["id"], row["split"], row["gallery"]): _cell(row, whose, metric)
        for row in frame.to_dict("records")
    }
    titles = dict(frame[["id", "row"]].itertuples(index=False))
    bases = {row["id"]: row["base"] for row in frame.to_dict("records")}
    wanted = {
        "ours": [*rows(), CHANCE],
        f"minus_{BASE}": [name for name in rows() if name != BASE],
        f"minus_{FLOOR}": [name for name in rows() if name != FLOOR],
        "minus_base": [name for name in rows() if bases.get(name, "") not in ("", BASE)],
        f"{BEST}_minus": [name for name in [*opponents(), *rows()] if name != BEST],
    }
    shown = [name for name in wanted[whose] if name in titles]
    out = {"id": shown, "row": [titles[name] for name in shown]}
    if whose == "minus_base":
        out["base"] = [bases[name] for name in shown]
    for place in PLACES:
        split, gallery = place.title.split(", ")
        out[place.title] = [cells.get((name, split, gallery), NOTHING) for name in shown]
    return pd.DataFrame(out)


def _cell(row: Mapping[str, str], whose: str, metric: str) -> str:
    if whose == "ours":
        return cell(row, metric)
    value = row.get(f"{whose}_{metric}", "")
    if not value:
        return NOTHING
    low, high = row[f"{whose}_{metric}_low"], row[f"{whose}_{metric}_high"]
    shown = f"{float(value):+.3f} [{float(low):+.3f}, {float(high):+.3f}]"
    return f"**{shown}**" if float(low) > 0 or float(high) < 0 else shown


def settings_of_best(profile: str) -> str:
    """What X is trained with where E7.2 is not, with E7.2's in brackets."""
    each = []
    for name in (BEST, BASE):
        resolved = resolve(
            RunId(name, profile, "", suites.IN_DOMAIN, None, 0),
            Workspace(params=PARAMS, experiments=EXPERIMENTS),
        ).model_dump(mode="json", exclude={"experiment", "title"})
        each.append(resolved | {f"towers.{k}": v for k, v in resolved.pop("towers").items()})
    best, base = each
    return ", ".join(
        f"{key} {_value(best[key])} ({_value(base[key])})" for key in best if best[key] != base[key]
    )


def _value(value: object) -> str:
    shown = " + ".join(map(str, value)) if isinstance(value, list) else str(value)
    return f"`{shown}`"


def _floor_on_unseen(ours: Ours) -> str:
    """How far below chance the tagged floor is where it knows no language."""
    floor = ours.get(Place(suites.UNSEEN, TAGGED_RETRIEVAL), {}).get(FLOOR)
    if floor is None:
        return ""
    at, middle = floor.scores[DEEPER], floor.scores["V2T_MedianR"]
    return (
        f" (R@10 {at.value:.3f}, by chance {at.chance:.3f}; median rank {middle.value:.0f} of "
        f"{floor.labels})"
    )


def notes(ours: Ours, full: Ours, left: Sequence[str]) -> list[str]:
    """What a reader must know to read the table rightly.

    Args:
        full: what is measured over several seeds.
        left: of that, what is not shown.
    """
    some = {place: next(iter(found.values())) for place, found in ours.items() if found}
    more = {place: next(iter(found.values())) for place, found in full.items() if found}
    first = next(iter(some.values()))
    counts = "; ".join(
        f"{place.title}: {result.n_evaluated} of {result.n_total} clips over {len(result.folds)} "
        f"fold{'s'[: len(result.folds) > 1]}, {result.labels} texts"
        for place, result in some.items()
    )
    stale = (
        [
            "Measured over several seeds, but on other clips, another split or other runs than the "
            f"pipeline's, and left out: {', '.join(left)}."
        ]
        if left
        else []
    )
    return [
        f"*ours*: {first.corpus}, profile `{first.revision}`. {counts}.",
        "Each row but X and X13 is one change against its named base, most against E7.2. X13 is "
        "E7.2 with all the numbers of X's recipe, which were chosen for X. X is what paid on "
        "validation clips, together, with a recipe of its own; where it differs from E7.2's: "
        f"{settings_of_best(first.revision)}.",
        "Differences are of V2T R@1, paired by clip, with 95 % paired bootstrap intervals; bold: "
        "the interval excludes 0. Several rows are compared on the same clips, and the intervals "
        "are not corrected for that.",
        "*labels*: a clip is asked among the split's labels, without languages. Where prompts have "
        "a language, a label is the mean of its prompts over the sign languages of training (of "
        "X9, X11 and X: the text without a language that they are trained by). *tagged*: among all "
        "(sign language, label) prompts that the corpus has.",
        "1-nearest-neighbour in *tagged*: the distances to the nearest clip of the label and of "
        "the language, added. Its R@1 is 0 by construction: the pair of the nearest training clip "
        "wins, and each (sign language, label) occurs once, so that no test clip's pair is one of "
        f"training. To beat it there says little; on {suites.IN_DOMAIN} compare R@10. On "
        f"{suites.UNSEEN} it knows none of the languages that are asked for, and its R@10 is below "
        f"chance, too{_floor_on_unseen(ours)}: judge that split by *labels* only.",
        f"{NOTHING}: not measured. `make repro` has time for {', '.join(rows_everywhere())} on all "
        "splits, for the other rows on in_domain; `make full` for these on all splits.",
        *stale,
        INTERVALS,
        *(
            f"Signers, split {split}: {signers or SIGNERS_UNRECORDED}."
            for split, signers in {p.split: result.signers for p, result in some.items()}.items()
        ),
        *(
            f"Signature, {place.title}: `{result.signature}`."
            for place, result in [*some.items(), *more.items()]
        ),
    ]


def rows_everywhere() -> list[str]:
    """The rows that the pipeline measures on all splits."""
    return suites.expand(["everywhere"])


def write(*, revision: str, corpus: str, results_folder: Path) -> pd.DataFrame:
    """Write ``tables/beyond.{csv,md,tex}`` and ``costs/beyond.csv``.

    Raises:
        ConfigError: a result that the pipeline makes is missing, or one is invalid.
    """
    board = results_folder / "leaderboard"
    names = [*rows(), *opponents()]
    ours = read(board, revision, corpus, expected=True, names=names)
    several = read(board, revision + FULL, corpus, expected=False, names=names)
    full, left = of_same_clips(ours, several)
    frame = table(ours)
    parts = blocks(frame, said_seeds(ours))
    if any(full.values()):
        more = table(full)
        parts |= blocks(more, said_seeds(full))
        frame = pd.concat([frame, more], ignore_index=True).fillna("")
    shown = [result for found in (*ours.values(), *full.values()) for result in found.values()]
    with files.writing(results_folder / "tables" / TABLE):
        write_files(
            results_folder,
            TABLE,
            frame,
            as_markdown(parts, TITLE, notes(ours, full, left)),
            as_latex(
                {heading: part.replace(r"\*\*", "", regex=True) for heading, part in parts.items()},
                TITLE,
                TABLE,
            ),
            shown,
        )
    return frame
