"""Are results what they say? ``signbench validate``, for a maintainer and for a pull request.

Decisions
* Nothing of a submitter's code is run, and no file that could hold code is accepted: JSON and
  ``.npz`` without objects alone.
* Checked: the schema, the seal and the path of each file; metadata; corpus and split against those
  that are built here; the counts; every V2T score from the submitted ranks; and on a sample of
  tasks all ranks and scores from the submitted embeddings.
* What cannot be checked here (a corpus that is not built, an encoder without embeddings) is said,
  and is no failure.
* Values must agree to rounding. Intervals of results over several folds depend on the order of the
  clips, which a file does not hold, so they must agree to a seventh of their width. Ranks may
  differ for one clip in a hundred, by rounding on another processor.

Cost: a second a result for the intervals, and that of the sampled tasks without embedding.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks import encoder_metadata, results, tasks
from benchmarks.encoder_metadata import EncoderMetadata
from benchmarks.evaluation.context import EvaluationContext, SplitClips, context_of, read_split
from benchmarks.evaluation.precomputed import PrecomputedEncoder
from benchmarks.metrics import TiedRanks, intervals, scoring
from benchmarks.results import Result
from benchmarks.runner import measured, rank_tasks
from signclip.core import files
from signclip.core.errors import ConfigError, SignCLIPError
from signclip.core.workspace import Workspace
from signclip.corpora import manifest, splits

CLOSE = 1e-6
INTERVAL = 1 / 7  # of its width
ODD_RANKS = 0.01  # share of clips whose ranks may differ by rounding
ROUNDED = 0.02  # difference of a score that such clips can make
SAMPLE = 4  # tasks whose ranks are computed again from embeddings
SUFFIXES = (".json", ".npz", ".md")


class Finding(NamedTuple):
    """Something about a file; ``problem``: it is wrong, otherwise it could not be checked."""

    file: str
    what: str
    problem: bool = True


def validate(folder: Path, workspace: Workspace, *, sample: int = SAMPLE) -> Iterator[Finding]:
    """Check all results below a folder.

    Args:
        folder: with result files, such as ``results/leaderboard/submitted/my-encoder``.
        workspace: has the built corpora.
        sample: tasks of each encoder and revision that are computed again from embeddings.

    Raises:
        ConfigError: there are no results.
    """
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    json_files = [path for path in found if path.suffix == ".json"]
    if not json_files:
        raise ConfigError(f"{folder}: no results (*.json) here")
    for path in found:
        if path.suffix not in SUFFIXES and not path.name.endswith(".lock"):
            yield Finding(str(path), f"no file of results; only {', '.join(SUFFIXES)} are accepted")
    for revision in sorted({path.parent for path in json_files}):
        yield from _Revision(revision, workspace, sample).findings()


class _Revision:
    """The results of one encoder and revision."""

    def __init__(self, folder: Path, workspace: Workspace, sample: int):
        self._folder, self._workspace, self._sample = folder, workspace, sample
        self._parts: dict[tuple[str, str], SplitClips | str] = {}

    def findings(self) -> Iterator[Finding]:
        """All that is wrong or could not be checked."""
        read: list[tuple[Path, Result]] = []
        for path in sorted(self._folder.glob("*.json")):
            if path.name == results.SIDECAR:
                continue
            try:
                read.append((path, results.read(path)))
            except ConfigError as error:
                yield Finding(str(path), _without(path, error))
        yield from self._metadata(read)
        intact = []
        for path, result in read:
            found = list(_counts(result)) or [*_scores(result), *self._data(result)]
            yield from (Finding(str(path), *one) for one in found)
            if not any(one[1] for one in found):
                intact.append((path, result))
        yield from self._from_embeddings(intact)

    @cached_property
    def _about(self) -> EncoderMetadata:
        return encoder_metadata.read_sidecar(self._folder / results.SIDECAR)

    def _metadata(self, read: list[tuple[Path, Result]]) -> Iterator[Finding]:
        path = self._folder / results.SIDECAR
        groups = {result.group for _, result in read}
        if not path.is_file() and results.SUBMITTED not in groups:
            return
        try:
            about = self._about
        except ConfigError as error:
            yield Finding(str(path), _without(path, error))
            return
        fingerprints = {result.encoder_fingerprint for _, result in read}
        if len(fingerprints) > 1:
            yield Finding(
                str(self._folder),
                f"results of different code ({', '.join(sorted(fingerprints))}) under one "
                "revision; run all tasks again under a new one",
            )
        if about.training_corpora is None:
            yield Finding(
                str(path), "training corpora are not known: no contamination check", False
            )

    def _part(self, result: Result) -> SplitClips | str:
        """The clips of a result's split; or why they are not to be had."""
        key = (result.corpus, result.split)
        if key not in self._parts:
            folder = self._workspace.corpus(result.corpus)
            if not (folder / manifest.MANIFEST_FILE).is_file():
                self._parts[key] = f"corpus {result.corpus} is not built here"
            else:
                try:
                    self._parts[key] = read_split(self._workspace, *key)
                except SignCLIPError as error:
                    self._parts[key] = str(error)
        return self._parts[key]

    def _data(self, result: Result) -> Iterator[tuple[str, bool]]:
        """Corpus, split and clips against those that are built here."""
        part = self._part(result)
        if isinstance(part, str):
            yield f"data not checked: {part}", False
            return
        for name, theirs, ours in (
            ("corpus", result.corpus_fingerprint, part.fingerprint),
            ("split", result.split_fingerprint, splits.fingerprint(part.rows)),
        ):
            if theirs != ours:
                yield (
                    f"{name} fingerprint {theirs}, but {ours} here: measured on other clips or "
                    "roles (another version of the corpus, or a --limit)",
                    True,
                )
                return
        test = set(part.rows["id"][part.rows["role"] == "test"])
        strange = sorted(set(result.ranks) - test)
        if strange:
            yield f"{len(strange)} clips with ranks are no test clips ({strange[0]}, ...)", True

    def _from_embeddings(self, read: list[tuple[Path, Result]]) -> Iterator[Finding]:
        """Ranks and scores of a sample of tasks, computed again from the submitted embeddings."""
        here = [(path, one) for path, one in read if self._vectors(one).is_file()]
        if read and not here:
            yield Finding(
                str(self._folder), "no embeddings: scores were recomputed from ranks only", False
            )
        # fixed by the content, so that two validations draw alike and nobody can choose the sample
        random.Random(files.fingerprint([one.ranks for _, one in here])).shuffle(here)
        for path, result in here[: self._sample]:
            try:
                found = list(self._again(result))
            except SignCLIPError as error:
                found = [(f"cannot be computed again from its embeddings: {error}", True)]
            yield from (Finding(str(path), *one) for one in found)

    def _vectors(self, result: Result) -> Path:
        return self._folder / f"{result.corpus}.npz"

    def _again(self, result: Result) -> Iterator[tuple[str, bool]]:
        part = self._part(result)
        if isinstance(part, str):
            return
        if result.schema_version < results.TIES_SINCE:
            yield "measured with an earlier rule for ties: ranks were not computed again", False
            return
        encoder = PrecomputedEncoder(self._vectors(result), self._about)
        context: EvaluationContext = context_of(
            [encoder], result.encoder, part, self._workspace, profile=""
        )
        task = tasks.find(result.task)
        if (why := task.skip(context)) is not None:
            yield f"the task makes no sense for its embeddings: {why}", True
            return
        ranks, _ = rank_tasks(context, [task])
        again = measured(context, task, ranks[task.name])
        odd = [clip for clip, ranks in again["ranks"].items() if ranks != result.ranks.get(clip)]
        if len(odd) > ODD_RANKS * max(len(result.ranks), 1):
            yield (
                f"its embeddings give other ranks for {len(odd)} of {len(result.ranks)} clips "
                f"({sorted(odd)[0]}, ...)",
                True,
            )
            return
        allowed = ROUNDED if odd else CLOSE
        for name, score in again["scores"].items():
            theirs = result.scores.get(name)
            if theirs is None or abs(theirs.value - score.value) > allowed * max(1, score.value):
                given = "missing" if theirs is None else f"{theirs.value:.4f}"
                yield f"{name} is {given}, but its embeddings give {score.value:.4f}", True
                return


def _without(path: Path, error: ConfigError) -> str:
    return str(error).removeprefix(f"{path}: ")


def _counts(result: Result) -> Iterator[tuple[str, bool]]:
    """The numbers of clips, and ranks within bounds."""
    if result.task not in tasks.all_tasks():
        yield f"unknown task {result.task!r}", True
        return
    if not result.ranks:
        yield "has no ranks, so its scores cannot be checked", True
        return
    if len(result.ranks) != result.n_evaluated:
        yield f"{result.n_evaluated} clips evaluated, but ranks of {len(result.ranks)}", True
    dropped = sum(result.n_dropped.values())
    if result.n_evaluated + dropped != result.n_total:
        yield (
            f"{result.n_evaluated} evaluated and {dropped} dropped clips are not {result.n_total}",
            True,
        )
    for clip, of_clip in result.ranks.items():
        if not of_clip:  # the schema has checked each rank
            yield f"{clip} has no ranks", True
            return


def _scores(result: Result) -> Iterator[tuple[str, bool]]:
    """Every V2T score against the ranks."""
    ranks = [TiedRanks.from_stored(result.ranks[clip]) for clip in sorted(result.ranks)]
    again = scoring.score_candidates(ranks, [np.full(len(one), result.labels) for one in ranks])
    if result.schema_version < results.TIES_SINCE:
        del again["V2T_MedianR"]  # was the median of mean ranks over seeds
    for name, score in again.items():
        theirs = result.scores.get(name)
        if theirs is None:
            yield f"{name} is missing", True
            return
        if abs(theirs.value - score.value) > CLOSE * max(1, abs(score.value)):
            yield f"{name} is {theirs.value:.6f}, but its ranks give {score.value:.6f}", True
            return
        slack = INTERVAL * (score.high - score.low) + (1 if "Median" in name else 0) + CLOSE
        if abs(theirs.low - score.low) > slack or abs(theirs.high - score.high) > slack:
            yield (
                f"the interval of {name} is [{theirs.low:.4f}, {theirs.high:.4f}], but its ranks "
                f"give [{score.low:.4f}, {score.high:.4f}]",
                True,
            )
            return
    for name, score in result.scores.items():
        if not score.low - CLOSE <= score.value <= score.high + CLOSE:
            yield f"{name} {score.value:.4f} lies outside its interval", True
            return
    if tasks.find(result.task).kind in ("retrieval", "recognition"):
        expected = intervals.chance_v2t(result.labels, scoring.KS)["R@1"]
        if abs(result.scores["V2T_R@1"].chance - expected) > CLOSE:
            yield f"chance is not 1/{result.labels}, the size of the gallery", True
