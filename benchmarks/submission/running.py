"""All tasks on all corpora that are present, interrupted and resumed: ``signbench run``.

Decisions
* Each task's result is written when it is measured. A task is measured again only if its result is
  missing, damaged or of other data; so a killed run goes on where it was, and an exception in one
  task keeps the others.
* Results are bound to the code that made them: a revision that was measured with other code,
  metadata or files is refused, because its tasks would be a mixture.
* Clips are embedded first, with a progress bar, and cached while they are; then come the tasks.
* A recogniser is fitted for each fold, so its tasks are measured together.
* With a limit, results are a trial: group ``local``, revision ``<revision>.first-<limit>``, another
  split fingerprint. They never stand beside complete results.
* One run of an encoder and revision at a time. If it ends without any result, its metadata are
  removed, too: a folder of submissions holds encoders with results alone.

Cost: that of the encoder; then about 1 s a task and split of the embedded corpus.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks import encoder_metadata, results, tasks
from benchmarks.evaluation.context import EvaluationContext, SplitClips, read_split
from benchmarks.evaluation.dotted import EncoderClass
from benchmarks.evaluation.precomputed import Vectors
from benchmarks.evaluation.precomputed import write as write_vectors
from benchmarks.runner import NothingToDo, run_tasks
from benchmarks.submission.entry import Entry
from signclip.core import files
from signclip.core.errors import BusyError, ConfigError, SignCLIPError
from signclip.core.progress import bar
from signclip.core.workspace import Workspace
from signclip.corpora import manifest, splits

_log = logging.getLogger(__name__)

Place = tuple[str, str, str]  # corpus, split, task
Show = Callable[[results.Result], None]


@dataclass(frozen=True)
class Options:
    """What is run.

    Attributes:
        tasks: names; None: all.
        corpora: names; None: all that are built.
        limit: test clips of each fold; None: all.
        overwrite: delete results of the same revision that were made with other code.
    """

    tasks: tuple[str, ...] | None = None
    corpora: tuple[str, ...] | None = None
    limit: int | None = None
    overwrite: bool = False


@dataclass
class Outcome:
    """What a run did."""

    folder: Path
    measured: list[Place] = field(default_factory=list)
    kept: list[Place] = field(default_factory=list)
    skipped: dict[Place, str] = field(default_factory=dict)  # the task makes no sense there
    failed: dict[Place, str] = field(default_factory=dict)


class _Step(NamedTuple):
    context: EvaluationContext
    names: tuple[str, ...]  # of tasks that are measured together


def present(workspace: Workspace, wanted: Sequence[str] | None = None) -> list[str]:
    """The corpora that are built, by name.

    Raises:
        ConfigError: there is none, or a wanted one is missing.
    """
    found = sorted(path.parent.name for path in workspace.data.glob(f"*/{manifest.MANIFEST_FILE}"))
    missing = [name for name in wanted or () if name not in found]
    if missing or not found:
        what = f"{workspace.data}: no corpus {', '.join(missing)}" if missing else "no corpus here"
        raise ConfigError(
            f"{what}; `signclip corpora build spreadthesign-fingerspelling` builds the one that is "
            "installed"
        )
    return [name for name in found if wanted is None or name in wanted]


def run(
    entry: Entry, workspace: Workspace, options: Options, *, show: Show = lambda _: None
) -> Outcome:
    """Run an entry and write its results and metadata.

    Args:
        show: receives each result when it is written.

    Raises:
        BusyError: the same encoder and revision is being run.
        ConfigError: no corpus is there, a task or corpus does not exist, the revision was measured
            with other code, or all embeddings are equal.
        SignCLIPError: the encoder cannot be opened.
    """
    group = results.SUBMITTED
    if options.limit is not None:
        group = results.LOCAL
        entry = entry.renamed(f"{entry.metadata.revision}.first-{options.limit}")
    corpora = present(workspace, options.corpora)
    for name in options.tasks or ():
        tasks.find(name)
    about = entry.metadata
    place = encoder_metadata.sidecar(workspace.leaderboard, group, about.name, about.revision)
    outcome = Outcome(place.parent)
    inside = workspace.replace(predictions=workspace.predictions / group)
    try:
        with files.writing(place.parent), _removed_if_without_results(place.parent):
            _check_revision(entry, place.parent, overwrite=options.overwrite)
            about.write(workspace.leaderboard, group)
            for corpus in corpora:
                _run_corpus(corpus, entry, inside, options, outcome, show)
    except BusyError:
        raise BusyError(
            f"{about.name}, revision {about.revision}: another process is measuring it; wait "
            "for it or stop it first"
        ) from None
    finally:
        _remove_if_empty(place.parent.parent)  # the lock of the revision lay in it
    return outcome


@contextmanager
def _removed_if_without_results(folder: Path) -> Iterator[None]:
    """Remove what lies in a revision's folder afterwards if none of it is a result."""
    try:
        yield
    finally:
        there = list(folder.glob("*"))
        beside = [one for one in there if one.name == results.SIDECAR or one.suffix == ".npz"]
        if len(beside) == len(there):
            for path in beside:
                path.unlink()
            _remove_if_empty(folder)


def _remove_if_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()


def _check_revision(entry: Entry, folder: Path, *, overwrite: bool) -> None:
    """Refuse a revision that was measured with another encoder, or delete its results."""
    fingerprint = entry.encoder.fingerprint if entry.encoder else ""
    for path in sorted(folder.glob("*.json")):
        if path.name == results.SIDECAR:
            continue
        try:
            result = results.read(path)
        except ConfigError as error:
            _log.warning("%s; it is measured again", error)
            files.remove(path)
            continue
        if result.encoder_fingerprint != fingerprint:
            if not overwrite:
                raise ConfigError(
                    f"{path}: revision {entry.metadata.revision} of {entry.metadata.name} was "
                    "measured with other code, metadata or files; give a new `revision`, or "
                    "--overwrite to measure all of it again"
                )
            files.remove(path)


def _run_corpus(
    corpus: str, entry: Entry, workspace: Workspace, options: Options, outcome: Outcome, show: Show
) -> None:
    names = splits.names(workspace.corpus(corpus))
    parts = [read_split(workspace, corpus, split, limit=options.limit) for split in names]
    steps = []
    for part in parts:
        steps += _steps(part, entry, workspace, options, outcome)
    if not steps:
        return
    _embed(entry, corpus, [step.context for step in steps])
    title = f"{entry.metadata.name}, {corpus}"
    with bar(total=sum(len(one.names) for one in steps), desc=title, unit="task") as shown:
        for context, of_step in steps:
            shown.set_postfix_str(f"{context.split}, {', '.join(of_step)}", refresh=False)
            _measure(context, of_step, entry, outcome, show)
            shown.update(len(of_step))


def _steps(
    part: SplitClips, entry: Entry, workspace: Workspace, options: Options, outcome: Outcome
) -> list[_Step]:
    """What is to be measured on a split; the other tasks go into the outcome."""
    group = outcome.folder.parent.parent.name
    chosen = {name: tasks.find(name) for name in options.tasks or tasks.all_tasks()}
    places = {name: (part.corpus, part.split, name) for name in chosen}
    try:
        context = entry.context(workspace, part, group=group, limit=options.limit)
    except SignCLIPError as error:
        outcome.skipped |= dict.fromkeys(places.values(), str(error))
        return []
    encoder = context.first_encoder
    if isinstance(encoder, EncoderClass):
        encoder.content = entry.content()
    wanted: list[str] = []
    for name, task in chosen.items():
        if (why := task.skip(context)) is not None:
            outcome.skipped[places[name]] = why
        elif _is_measured(context, name, outcome.folder):
            outcome.kept.append(places[name])
        else:
            wanted.append(name)
    if encoder.embeds:
        return [_Step(context, (name,)) for name in wanted]
    return [_Step(context, tuple(wanted))] if wanted else []


def missing(entry: Entry, workspace: Workspace, corpora: Sequence[str]) -> list[Place]:
    """What a run on these corpora would measure.

    Raises:
        ConfigError: the results are of other code, metadata or files.
    """
    about = entry.metadata
    place = encoder_metadata.sidecar(
        workspace.leaderboard, results.SUBMITTED, about.name, about.revision
    )
    _check_revision(entry, place.parent, overwrite=False)
    outcome = Outcome(place.parent)
    found = []
    for corpus in corpora:
        for split in splits.names(workspace.corpus(corpus)):
            part = read_split(workspace, corpus, split)
            for context, names in _steps(part, entry, workspace, Options(), outcome):
                # a task that may drop all test clips has no result then
                needed = [name for name in names if not tasks.find(name).dropped]
                found += [(corpus, context.split, name) for name in needed]
    return found


def _is_measured(context: EvaluationContext, name: str, folder: Path) -> bool:
    """Whether a task has a result of the same data, code and version of this suite."""
    path = folder / f"{name}.{context.corpus}.{context.split}.json"
    fingerprint = context.first_encoder.fingerprint
    if not path.is_file() or not fingerprint:
        return False
    result = results.read(path)
    now = (
        fingerprint,
        context.store.meta["corpus_fingerprint"],
        splits.fingerprint(context.rows),
        results.suite(),
    )
    there = (
        result.encoder_fingerprint,
        result.corpus_fingerprint,
        result.split_fingerprint,
        result.suite,
    )
    return now == there


def _embed(entry: Entry, corpus: str, contexts: Sequence[EvaluationContext]) -> None:
    """Embed the clips of all splits at once, with a progress bar, and refuse equal embeddings."""
    encoder, context = entry.encoder, contexts[0]
    if not isinstance(encoder, EncoderClass):
        return
    clips = sorted(set().union(*(one.split_clips for one in contexts)))
    content = entry.content(f"{entry.metadata.name}, {corpus}: embedding")
    found = context.cache.embed(content, encoder.model, clips).values
    if len(found) > 1 and (found == found[0]).all():
        raise ConfigError(
            f"{entry.given}: all {len(found)} clips of {corpus} have the same embedding; does "
            f"embed_pose read its argument? `signbench check {entry.given}` says more"
        )


def _measure(
    context: EvaluationContext, names: tuple[str, ...], entry: Entry, outcome: Outcome, show: Show
) -> None:
    places = {name: (context.corpus, context.split, name) for name in names}
    try:
        found = run_tasks(context, names, keep_others=True)
    except NothingToDo:
        found = {}
    except SignCLIPError as error:
        outcome.failed |= dict.fromkeys(places.values(), str(error))
        return
    finally:
        _keep_texts(context, entry)
    for name, result in found.items():
        outcome.measured.append(places[name])
        show(result)
    for name in names:
        if name not in found:
            outcome.skipped[places[name]] = tasks.find(name).dropped


def vectors_path(workspace: Workspace, corpus: str, entry: Entry) -> Path:
    """Where the texts that an entry has embedded are kept until they are submitted."""
    name = f"{entry.metadata.revision}.texts.npz"
    return workspace.embeddings / corpus / "submitted" / entry.metadata.name / name


def _keep_texts(context: EvaluationContext, entry: Entry) -> None:
    """Add the texts that were embedded for a task to those of earlier ones."""
    encoder = context.first_encoder
    if not isinstance(encoder, EncoderClass) or not encoder.model.texts:
        return
    path = vectors_path(context.workspace, context.corpus, entry)
    known = encoder.model.texts
    # under the digest, so that texts of other code are never mixed in
    marks = {encoder.fingerprint: np.zeros(len(next(iter(known.values()))), np.float32)}
    write_vectors(path, Vectors(marks, {**read_texts(path, encoder.fingerprint), **known}, ""))


def read_texts(path: Path, fingerprint: str) -> dict[str, np.ndarray]:
    """Text -> embedding, as kept for an encoder with this fingerprint; else nothing."""
    from benchmarks.evaluation.precomputed import read

    if not path.is_file():
        return {}
    kept = read(path)
    return kept.texts if fingerprint in kept.clips else {}
