"""The sections of a model card that need more than the model: data, results, limits, licence.

Decisions
* Results are those of exactly this run: a result file records the fingerprints of its runs, and a
  file of another run, or one that was edited, is left out. Every score has its interval and chance.
* What is not recorded is called so; nothing is filled in.

Cost: reading the result files, a tenth of a second for some hundred.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from signclip.core import files
from signclip.corpora.catalogue import catalogue
from signclip.experiments.config import RunConfig
from signclip.model.config import ModelConfig

# shown of a result, where it has them; else all of its metrics
METRICS = ("V2T_R@1", "V2T_R@10", "V2T_MedianR", "T2V_R@1")
_log = logging.getLogger(__name__)


def sections(
    sizes: ModelConfig,
    config: RunConfig | None,
    metrics: Mapping[str, Any],
    results: Path | None,
) -> str:
    """The sections in Markdown.

    Args:
        sizes: of the model.
        config: of the run that trained it; None for an imported model.
        metrics: of that run.
        results: a folder of result files; None or missing: none are looked for.
    """
    parts = [
        "## Data",
        _data(config, metrics),
        "## Results",
        _results(metrics.get("fingerprint"), results),
        "## Limits",
        _limits(sizes, config),
        "## Licence",
        _licence(config),
    ]
    return "\n" + "\n\n".join(parts) + "\n"


def _data(config: RunConfig | None, metrics: Mapping[str, Any]) -> str:
    if config is None:
        return "Not recorded with an imported model; see the source of its weights."
    about = catalogue().get(config.corpus)
    clips = metrics.get("clips")
    counts = (
        ", ".join(f"{count:,} clips for {role}" for role, count in clips.items())
        if isinstance(clips, dict)
        else "number of clips not recorded"
    )
    fingerprint = metrics.get("corpus_fingerprint", "not recorded")
    lines = [
        f"{about.title if about else f'The local corpus `{config.corpus}`'}: {counts} "
        f"(split {config.split}, corpus fingerprint `{fingerprint}`)."
    ]
    if about:
        lines.append(f"Source: {about.homepage}. Cite: {about.citation}.")
        lines += [f"Known defect: {defect}" for defect in about.defects]
    if config.init_run:
        lines.append(f"Trained from the weights of `{config.init_run}`, whose data count as well.")
    elif config.init:
        lines.append(f"Trained from the weights of `{config.init}`.")
    return "\n".join(f"- {line}" for line in lines)


def _results(fingerprint: Any, results: Path | None) -> str:
    found = _of_run(fingerprint, results) if fingerprint and results else ()
    rows = [
        f"| {values['task']} | {values['corpus']}, {values['split']} | {_scores(values['scores'])} "
        f"| {values['n_evaluated']:,} | {len(values['runs'])} |"
        for values in found
    ]
    if not rows:
        return "No result of this run was found."
    head = "| task | corpus, split | scores [95 % interval], chance | clips | runs |"
    note = "*runs*: folds and seeds whose clips are counted together; this model is one of them."
    return "\n".join([head, "|---|---|---|---|---|", *rows, "", note])


def _scores(scores: Mapping[str, Mapping[str, float]]) -> str:
    """The scores of one result in one line."""
    shown = [name for name in METRICS if name in scores] or list(scores)
    return "; ".join(
        "{} {value:.3g} [{low:.3g}, {high:.3g}], {chance:.3g}".format(name, **scores[name])
        for name in shown
    )


def _of_run(fingerprint: str, results: Path) -> Iterator[dict[str, Any]]:
    """The results that a run with this fingerprint has a part in, by path."""
    for path in sorted(results.rglob("*.json")):
        try:
            text = files.read_regular(path, at_most=files.MAX_JSON)
            if f'"{fingerprint}"'.encode() not in text:
                continue
            values = files.parse_json(text)
            if fingerprint not in values["runs"].values():
                continue
            if not files.is_sealed(values):
                raise ValueError("edited after it was written")
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            _log.warning("%s: left out of the model card (%s)", path, error)
            continue
        yield values


def _limits(sizes: ModelConfig, config: RunConfig | None) -> str:
    lines = [
        f"A clip is cut to its first {sizes.max_frames} frames; it is expected to hold one sign.",
        "Input is MediaPipe Holistic poses; where the detector misses a hand, so does the model.",
        "Scores are comparable between texts with the same form of prompt, not between models.",
        "Sign languages, signers and cameras beyond the data above were not tested, unless a row "
        "of the results says so. It is no translation system.",
    ]
    if config is not None and config.profile != "paper":
        lines.append(f"Profile {config.profile}: smaller than the published model.")
    return "\n".join(f"- {line}" for line in lines)


def _licence(config: RunConfig | None) -> str:
    if config is None:
        return "That of the imported weights, if they have one; see above."
    about = catalogue().get(config.corpus)
    data = f"{about.licence} ({about.licence_source})" if about else "that of the local corpus"
    return (
        f"No licence is granted with this folder by itself: who publishes it chooses one that the "
        f"licence of its data allows. Licence of the data: {data}. The code is under the MIT "
        "licence."
    )
