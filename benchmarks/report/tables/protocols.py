"""The protocols beside retrieval: few-shot, probe, identification and others, on every split.

Decisions
* One row a split and protocol, the rows of ``suites.yaml``'s ``everywhere`` beside each other, and
  the last of them minus the first, paired by clip.
* A result that is missing is an error for the pipeline's splits: which protocols an encoder is
  asked by is decided by the split alone (:func:`benchmarks.evaluation.protocols.asked_on`).
* On Spreadthesign the paper asks for sign languages and concepts. Where those results are there
  (profile ``paper``), they are rows of their own. The authors committed no number of them (facts
  1.7), so nothing stands beside them and nothing is judged.

Cost: a second a protocol, for the differences.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from benchmarks import results, suites
from benchmarks.evaluation.galleries import OFFICIAL
from benchmarks.metrics.compare import compare
from benchmarks.report.tables.fingerclip import (
    INTERVALS,
    NOTHING,
    SIGNERS_UNRECORDED,
    as_latex,
    as_markdown,
    cell,
    dropped,
    score_columns,
    write_files,
)
from benchmarks.report.tables.pretraining import CORPUS_OF_THE_PAPER, REVISION_OF_THE_PAPER
from benchmarks.results import Result
from benchmarks.tasks.names import OF_LANGUAGES, RECOGNITION, SHOTS
from signclip.core import files

TABLE, TITLE = "protocols", "Protocols beside retrieval"
METRICS = (
    *("V2T_R@1", "V2T_R@5", "V2T_R@10", "V2T_R@20"),
    *("V2T_MRR", "V2T_DCG", "V2T_MedianR", "V2T_MeanR"),
)
SPLITS = (suites.LETTERS, suites.IN_DOMAIN, suites.UNSEEN)
OF_THE_PAPER = ("identification", "identification_oracle", "conceptualisation")
THERE = f"{CORPUS_OF_THE_PAPER}, {OFFICIAL}"  # in the place of a split
TITLES = {
    **{f"few_shot_{k}": f"{k}-shot nearest neighbours" for k in SHOTS},
    "prototypes": "class means",
    "linear_probe": "linear probe",
    "identification": "sign language",
    "identification_oracle": "sign language, label given",
    "conceptualisation": "label, every prompt tagged <ase>",
    "analogies": "analogies of poses",
}


def expected(split: str) -> tuple[str, ...]:
    """The protocols that the pipeline asks on a split."""
    return (*RECOGNITION, *OF_LANGUAGES) if split == suites.IN_DOMAIN else RECOGNITION


def table(ours: dict[tuple[str, str], dict[str, Result]]) -> pd.DataFrame:
    """One row a (split, protocol, encoder).

    Args:
        ours: (split, protocol) -> encoder -> result.
    """
    out = []
    for (split, protocol), found in ours.items():
        names = list(found)
        for name, result in found.items():
            row = {
                "split": split,
                "protocol": protocol,
                "id": name,
                "seeds": " ".join(map(str, result.seeds)),
                "n_evaluated": str(result.n_evaluated),
                "n_total": str(result.n_total),
                "texts": str(result.labels),
            }
            row |= score_columns(result, METRICS)
            if name != names[0]:
                difference = compare(result, found[names[0]], METRICS[0])
                row |= {
                    "minus": names[0],
                    "minus_V2T_R@1": f"{difference.difference:+.4f}",
                    "minus_V2T_R@1_low": f"{difference.low:+.4f}",
                    "minus_V2T_R@1_high": f"{difference.high:+.4f}",
                }
            out.append(row | {"signature": result.signature})
    return pd.DataFrame(out).fillna("")


def printed(frame: pd.DataFrame, metric: str) -> pd.DataFrame:
    """One row a split and protocol, one column an encoder."""
    names = list(dict.fromkeys(frame["id"]))
    out = []
    for (split, protocol), part in frame.groupby(["split", "protocol"], sort=False):
        rows = {row["id"]: row for row in part.to_dict("records")}
        some = next(iter(rows.values()))
        line = {"split": split, "protocol": TITLES[protocol], "texts": some["texts"]}
        line["clips"] = f"{some['n_evaluated']} of {some['n_total']}"
        line |= {name: cell(rows.get(name, {}), metric) for name in names}
        if metric == METRICS[0]:
            last = rows.get(names[-1], {})
            if last.get("minus"):
                value, low, high = (
                    float(last[f"minus_{metric}{end}"]) for end in ("", "_low", "_high")
                )
                shown = f"{value:+.3f} [{low:+.3f}, {high:+.3f}]"
                line[f"{names[-1]} - {names[0]}"] = f"**{shown}**" if low * high > 0 else shown
        line["chance"] = cell({"ours_" + metric: some[f"chance_{metric}"]}, metric)
        out.append(line)
    return pd.DataFrame(out).fillna(NOTHING)


def notes(ours: dict[tuple[str, str], dict[str, Result]]) -> list[str]:
    """What a reader must know to read the table rightly."""
    first = {split: next(iter(found.values())) for (split, _), found in reversed(ours.items())}
    some = first[suites.LETTERS]
    of_the_paper = []
    if THERE in first:
        of_the_paper = [
            f"*{THERE}*: the paper's corpus, profile `{first[THERE].revision}`. The authors "
            f"committed no number of these protocols. {dropped(first[THERE])}"
        ]
    return [
        f"*ours*: {some.corpus}, profile `{some.revision}`, seeds "
        f"{', '.join(map(str, some.seeds))}. Another corpus than the paper's: no reproduction of "
        "its numbers, of which none is committed by the authors.",
        *of_the_paper,
        "*n-shot*: embeddings standardised, as many neighbours as the root of the number of shots; "
        "a class with fewer gives all it has, and letters have at most 16. With one shot as many "
        "classes as neighbours have one vote each, and the first of them in the alphabet is the "
        "answer: the paper's setting, which measures little. *class means*: cosine with the mean "
        "of all training clips of a class. *linear probe*: logistic "
        "regression on the embeddings as they are, at most 100 iterations. They learn from the "
        "clips that the encoder was trained on, and on in_domain many labels have a clip or two.",
        "*sign language*: among the languages of training, by prompts without a text; *label "
        "given*: among the prompts of the clip's label. In this corpus a language is a signer, so "
        "this is as much recognition of signers.",
        "*analogies*: a signer's other letter, minus another signer's, plus that other signer's "
        "same letter; is the clip the nearest of all others? All such questions of a test clip are "
        "averaged.",
        f"Bold: the interval of the paired difference excludes 0. {INTERVALS}",
        *(
            f"Signers, split {split}: {result.signers or SIGNERS_UNRECORDED}."
            for split, result in reversed(first.items())
        ),
        *(
            f"Signature, {split}, {protocol}: `{next(iter(found.values())).signature}`."
            for (split, protocol), found in ours.items()
        ),
    ]


def read_theirs(board: Path) -> dict[tuple[str, str], dict[str, Result]]:
    """The results on the paper's corpus that there are, in the form of :func:`table`'s.

    Raises:
        ConfigError: one is invalid.
    """
    found: dict[tuple[str, str], dict[str, Result]] = {}
    for protocol in OF_THE_PAPER:
        for name in suites.expand(["everywhere"]):
            path = results.path_of(
                *(board, name, REVISION_OF_THE_PAPER, protocol, CORPUS_OF_THE_PAPER, OFFICIAL)
            )
            if path.is_file():
                found.setdefault((THERE, protocol), {})[name] = results.read(path)
    return found


def write(*, revision: str, corpus: str, results_folder: Path) -> pd.DataFrame:
    """Write ``tables/protocols.{csv,md,tex}`` and ``costs/protocols.csv``.

    Raises:
        ConfigError: a result that the pipeline makes is missing, or one is invalid.
    """
    board = results_folder / "leaderboard"
    ours = {
        (split, protocol): {
            name: results.read(results.path_of(board, name, revision, protocol, corpus, split))
            for name in suites.expand(["everywhere"])
        }
        for split in SPLITS
        for protocol in expected(split)
    }
    ours |= read_theirs(board)
    frame = table(ours)
    parts = {
        f"{metric.replace('_', ' ').replace('MedianR', 'median rank')}": printed(frame, metric)
        for metric in ("V2T_R@1", "V2T_R@10")
    }
    shown = [result for found in ours.values() for result in found.values()]
    with files.writing(results_folder / "tables" / TABLE):
        plain = {head: part.replace(r"\*\*", "", regex=True) for head, part in parts.items()}
        write_files(
            results_folder,
            TABLE,
            frame,
            as_markdown(parts, TITLE, notes(ours)),
            as_latex(plain, TITLE, TABLE),
            shown,
        )
    return frame
