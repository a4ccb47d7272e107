"""The paper's protocols beside retrieval, on an encoder's runs: from embeddings to result files.

Decisions
* A protocol is a row of :data:`PROTOCOLS`: a function from one fold, opened, to the ranks of its
  test clips' answers. Intervals, chance, comparison and files are those of every other result, so
  a protocol is a task's name to whoever reads them.
* Recognition learns from the fold's training clips alone, those that the encoder was trained on:
  embeddings of clips that a model was fitted to are further apart than those of new ones.
* Recognition holds a matrix, of the labels and the clips that they are asked of, the probe one of
  the labels and the clips that it learns from. Where that has more than :data:`MOST_CELLS` numbers
  (ASL Citizen's has a fifth of them) the protocol is left out, and a warning says so.
* Questions of language (identification, conceptualisation) need prompts with a language's tag, and
  languages that were met: they are asked on splits whose test languages train, two or more.
* A run that was trained elsewhere (``run``) is asked zero-shot, too: among the prompts of the test
  clips, all of them and, as in the paper, those whose label its own training had often.
* Embeddings are computed once a run (:mod:`benchmarks.evaluation.embeddings`).

Cost: the linear probes, a second a fold.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from benchmarks import metrics, results, tasks
from benchmarks.evaluation import galleries
from benchmarks.evaluation.context import Opened
from benchmarks.evaluation.encoders import RunEncoder, TransferredRun
from benchmarks.evaluation.scores import Fold
from benchmarks.metrics import Ranks, streaming
from benchmarks.tasks import embedding_space, identification, recognition
from benchmarks.tasks.names import ELSEWHERE, OF_LANGUAGES, RECOGNITION, SHOTS
from signclip.core import files
from signclip.core.errors import ConfigError
from signclip.corpora import manifest
from signclip.experiments.config import RunConfig
from signclip.inference import SignCLIPModel
from signclip.text import apart, label, prompt

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Context:
    """One fold of one seed, opened.

    Attributes:
        embedded: id -> float32 (d,), of every clip of the store.
        seconds: that the fold's test clips took to embed.
        labels: the split's labels, in the gallery's order.
        met: the labels of the corpus that the encoder comes from, one a clip, where it is here.
    """

    found: Opened
    fold: Fold
    trained: RunConfig
    model: SignCLIPModel
    embedded: dict[str, np.ndarray]
    seconds: float
    labels: tuple[str, ...]
    met: tuple[str, ...]

    def clips(self, ids: Sequence[str]) -> np.ndarray:
        """Embeddings (n, d)."""
        return np.stack([self.embedded[clip] for clip in ids])

    def label(self, ids: Sequence[str]) -> list[str]:
        """The clips' labels."""
        return [label(text) for text in self.found.clips.loc[ids, "text"]]

    def languages(self, ids: Sequence[str]) -> list[str]:
        """The clips' sign languages."""
        return list(self.found.clips.loc[ids, "sign_language"])


class Asked(NamedTuple):
    """A fold's answers in one gallery."""

    ranks: Ranks
    own: np.ndarray  # int (clips,), each clip's own text
    ids: list[str]
    names: Sequence[str]  # of the texts


class Ranked(NamedTuple):
    """A fold's answers where each clip has candidates of its own, or several questions."""

    ids: list[str]
    ranks: list[np.ndarray]  # of each clip's questions
    candidates: list[np.ndarray]
    predicted: list[str]  # of each clip; empty: not one answer


NOBODY = Ranked([], [], [], [])


def _recognised(learn: Callable[..., np.ndarray], context: Context) -> Asked:
    train, test = context.fold.train, context.fold.test
    labels = list(context.labels)
    scores = learn(context.clips(train), context.label(train), context.clips(test), labels)
    own = _places(context.label(test), labels)
    return Asked(metrics.ranks(scores, own), own, test, labels)


def _retrieved(
    context: Context, test: list[str], texts: np.ndarray, own: np.ndarray, names: Sequence[str]
) -> Asked:
    """Clips among texts (texts, d), by dot product."""
    return Asked(streaming.ranks(context.clips(test), texts, own), own, test, names)


def _places(wanted: Sequence[str], names: Sequence[str]) -> np.ndarray:
    """Where each stands among the names: int (wanted,)."""
    place = {name: i for i, name in enumerate(names)}
    return np.array([place[name] for name in wanted], np.int64)


def _tags(context: Context) -> str:
    """The template of a language's prompt without a text.

    Raises:
        ConfigError: the encoder's prompts name no sign language.
    """
    parts = apart(context.trained.prompt)
    if len(parts) < 2 or not galleries.is_tagged(parts[0]):
        raise ConfigError(f"{context.found.encoder}: its prompts name no sign language")
    return parts[0]


def _spoken(context: Context, languages: Sequence[str]) -> dict[str, str]:
    """A spoken language of each sign language, the first of its training clips'."""
    known = context.found.clips.loc[sorted(context.fold.train)]
    first = known.groupby("sign_language")["spoken_language"].first()
    return {language: first[language] for language in languages}


def _identified(context: Context) -> Asked:
    """Which sign language? Among those of training."""
    template, test = _tags(context), context.fold.test
    languages = sorted(set(context.languages(context.fold.train)))
    spoken = _spoken(context, languages)
    texts = context.model.embed_text(
        [
            prompt(template, text="", sign_language=one, spoken_language=spoken[one])
            for one in languages
        ]
    )
    own = _places(context.languages(test), languages)
    return _retrieved(context, test, texts, own, languages)


def _conceptualised(context: Context) -> Asked:
    """Which label, where every prompt has the tag of American Sign Language?"""
    _tags(context)
    there = context.found.clips
    spoken = there.groupby(there["text"].map(label))["spoken_language"].first()
    texts = [
        prompt(context.trained.prompt, text=name, sign_language="ase", spoken_language=spoken[name])
        for name in context.labels
    ]
    test = context.fold.test
    own = _places(context.label(test), context.labels)
    return _retrieved(context, test, context.model.embed_text(texts), own, context.labels)


def _identified_by_oracle(context: Context) -> Ranked:
    """Which sign language, where the label is known? Among those that have it."""
    _tags(context)
    test, clips = context.fold.test, context.found.clips
    # on official splits among the prompts of the test clips, as in retrieval there
    others = [] if context.found.split == galleries.OFFICIAL else context.fold.train
    there = clips.loc[sorted({*others, *test})]
    asked = galleries.prompts(there, context.trained.prompt)
    found = identification.oracle(
        context.model.embed_text(asked.names),
        [(entry.sign_language, entry.label) for entry in asked.entries],
        context.clips(test),
        list(zip(context.languages(test), context.label(test), strict=True)),
    )
    return Ranked(
        [test[position] for position in found.asked],
        list(found.rank[:, None]),
        list(found.candidates[:, None]),
        found.predicted,
    )


def _zero_shot(context: Context) -> Asked:
    """Which prompt, among those of the test clips?"""
    return _asked_prompts(context, context.fold.test)


def _zero_shot_in_vocabulary(context: Context) -> Asked:
    """The same of the clips whose label was often met in the encoder's own training."""
    test = np.array(context.fold.test)
    kept = recognition.in_vocabulary(context.label(list(test)), context.met)
    return _asked_prompts(context, test[kept].tolist())


def _asked_prompts(context: Context, test: list[str]) -> Asked:
    gallery = galleries.prompts(context.found.clips.loc[test], context.trained.prompt)
    own = np.array([gallery.own[clip] for clip in test])
    return _retrieved(context, test, context.model.embed_text(gallery.names), own, gallery.names)


def _analogies(context: Context) -> Ranked:
    """Poses: this language's other letter - another language's + its same letter = the clip?"""
    ids = sorted({*context.fold.train, *context.fold.test})
    pairs = list(zip(context.languages(ids), context.label(ids), strict=True))
    place = {clip: position for position, clip in enumerate(ids)}
    asked = embedding_space.parallelograms(pairs, [place[clip] for clip in context.fold.test])
    if not len(asked):
        return NOBODY
    ranks = embedding_space.analogies(context.clips(ids), asked)
    of = [clip for clip in context.fold.test if (asked[:, 3] == place[clip]).any()]
    each = [ranks[asked[:, 3] == place[clip]] for clip in of]
    candidates = [np.full(len(one), len(ids) - 3) for one in each]
    return Ranked(of, each, candidates, [""] * len(of))


Protocol = Callable[[Context], Asked | Ranked]
PROTOCOLS: dict[str, Protocol] = {  # task -> answers of a fold
    **{f"few_shot_{k}": partial(_recognised, partial(recognition.few_shot, k=k)) for k in SHOTS},
    "prototypes": partial(_recognised, recognition.prototypes),
    "linear_probe": partial(_recognised, recognition.linear_probe),
    "identification": _identified,
    "identification_oracle": _identified_by_oracle,
    "conceptualisation": _conceptualised,
    "analogies": _analogies,
    "zero_shot": _zero_shot,
    "zero_shot_in_vocabulary": _zero_shot_in_vocabulary,
}
MOST_CELLS = 500_000_000  # 4 GB of float64, two to three times that at the height of it
NOT_ASKED = {  # why a protocol leaves clips out
    "identification_oracle": "its label is asked in one sign language alone",
    "analogies": "no parallelogram of other clips has it as a corner",
    "zero_shot_in_vocabulary": "its label was seldom met in the encoder's own training",
}


def asked_on(contexts: Sequence[Context]) -> list[str]:
    """The protocols that make sense on all folds; see the module."""
    found = contexts[0].found
    left = set()
    if not galleries.is_tagged(found.each[0].template) or not all(map(_met, contexts)):
        left |= set(OF_LANGUAGES)
    if not isinstance(found.each[0], TransferredRun):
        left |= set(ELSEWHERE)
    elif not all(
        recognition.in_vocabulary(context.label(context.fold.test), context.met).any()
        for context in contexts
    ):
        left.add("zero_shot_in_vocabulary")
    if not all(map(_each_pair_once, contexts)):
        left.add("analogies")
    if any(len(set(context.label(context.fold.train))) < 2 for context in contexts):
        left.add("linear_probe")
    for name, cells in _cells(contexts).items():
        if cells > MOST_CELLS:
            left.add(name)
            _log.warning(
                "%s is left out: %d scores at once, see benchmarks.evaluation.protocols",
                name,
                cells,
            )
    return [name for name in PROTOCOLS if name not in left]


def _cells(contexts: Sequence[Context]) -> dict[str, int]:
    """How many numbers the largest matrix of each recognition protocol has."""
    asked = max(len(one.labels) * len(one.fold.test) for one in contexts)
    learnt = max(len(set(one.label(one.fold.train))) * len(one.fold.train) for one in contexts)
    return dict.fromkeys(RECOGNITION, asked) | {"linear_probe": max(asked, learnt)}


def _each_pair_once(context: Context) -> bool:
    """Has each (sign language, label) one clip, so that a parallelogram has four?"""
    ids = [*context.fold.train, *context.fold.test]
    return len(set(zip(context.languages(ids), context.label(ids), strict=True))) == len(ids)


def _met(context: Context) -> bool:
    """Do the test languages train, beside others?"""
    known = set(context.languages(context.fold.train))
    return len(known) > 1 and set(context.languages(context.fold.test)) <= known


def ask(
    found: Opened, *, predictions: Path, leaderboard: Path, revision: str | None = None
) -> dict[str, results.Result]:
    """Ask an experiment's runs by every protocol that makes sense, and write the results.

    Args:
        found: an experiment with runs; a recogniser has no embeddings.
        predictions: the Parquet file of all answers, one row a question.
        revision: under which the results are written; default the profile, with the run that all
            folds are asked of behind it.

    Returns:
        task -> result.

    Raises:
        ConfigError: the encoder has no embeddings, or no protocol makes sense on the split.
        SignCLIPError: a run or the store is damaged.
    """
    found.must_embed()
    [labelled] = galleries.of(found.split, found.clips, found.rows, "{label}")
    labels = labelled.names
    contexts, shared = [], {}  # a run that all folds are asked of embeds the clips once
    for one in found.each:
        met = _met_labels(found, one)
        contexts.append([_context(found, one, fold, labels, met, shared) for fold in found.folds])
    common = found.described(revision, sum(one.seconds for of in contexts for one in of))
    written, tables = {}, []
    asked = asked_on(contexts[0])
    for fold in found.folds if set(asked) & set(RECOGNITION) else ():
        known = found.clips.loc[fold.train, "text"]
        galleries.warn_of_unknown(found.encoder, fold.number, labelled, known, fold.test)
    for name in asked:
        answers = [[PROTOCOLS[name](context) for context in of_seed] for of_seed in contexts]
        if not any(one.ids for one in answers[0]):
            continue
        measured = _measured(found, answers, NOT_ASKED.get(name, ""))
        if name == "identification":
            measured["scores"]["F1"] = _f1(answers)
        written[name] = results.Result(**common | measured, task=name)
        written[name].write(leaderboard)
        tables += [
            _table(one, task=name, seed=seed, fold=fold.number)
            for seed, of_seed in zip(found.seeds, answers, strict=True)
            for fold, one in zip(found.folds, of_seed, strict=True)
        ]
    for name in set(PROTOCOLS) - set(written):  # what is no longer asked has no answer
        where = (found.corpus, found.split)
        results.path_of(leaderboard, found.encoder, common["revision"], name, *where).unlink(
            missing_ok=True
        )
    if not tables:
        raise ConfigError(f"{found.encoder}, {found.split}: no protocol makes sense here")
    predictions.parent.mkdir(parents=True, exist_ok=True)
    with files.writing(predictions), files.atomic_file(predictions) as partial:
        pd.concat(tables, ignore_index=True).to_parquet(partial, index=False)
    return written


def _table(one: Asked | Ranked, **where: Any) -> pd.DataFrame:
    """One row a question: the clip, its rank among how many, and the answer where there is one."""
    if isinstance(one, Asked):
        predicted = [one.names[row] for row in one.ranks.predicted]
    else:
        predicted = one.predicted
    ranks, candidates = _ranks(one)
    questions = [len(of) for of in ranks]
    return pd.DataFrame(
        {
            **where,
            "id": np.repeat(one.ids, questions),
            "predicted": np.repeat(predicted, questions),
            "rank": np.concatenate([np.empty(0, np.int64), *ranks]),
            "candidates": np.concatenate([np.empty(0, np.int64), *candidates]),
        }
    )


def _f1(answers: list[list[Asked | Ranked]]) -> results.Score:
    """Macro F1 of identification over all folds; languages are numbered by name."""
    names = sorted({name for one in answers[0] for name in one.names})
    number = {name: i for i, name in enumerate(names)}

    def numbers(one: Asked, rows: np.ndarray) -> list[int]:
        return [number[one.names[row]] for row in rows]

    own = np.array([i for one in answers[0] for i in numbers(one, one.own)])
    predicted = [
        [i for one in of_seed for i in numbers(one, one.ranks.predicted)] for of_seed in answers
    ]
    return identification.f1(own, np.array(predicted), len(names))


def _met_labels(found: Opened, one: RunEncoder | TransferredRun) -> tuple[str, ...]:
    """The labels of the corpus that a transferred run comes from, where it is here.

    The paper counts concepts over the whole corpus of pretraining, clips held out included.
    """
    if not isinstance(one, TransferredRun):
        return ()
    trained = one.trained
    if not (found.data / trained.corpus).is_dir():
        return ()
    return tuple(manifest.read(found.data / trained.corpus)["text"].map(label))


def _context(
    found: Opened,
    one: RunEncoder | TransferredRun,
    fold: Fold,
    labels: tuple[str, ...],
    met: tuple[str, ...],
    shared: dict[Path, tuple[dict[str, np.ndarray], dict[str, float]]],
) -> Context:
    folder, trained, model = one.open_fold(fold.number)
    if folder not in shared:
        ids = list(found.store.index["id"])
        values, seconds = found.cache.embed(folder, model, ids)
        shared[folder] = tuple(dict(zip(ids, of, strict=True)) for of in (values, seconds))
    embedded, took = shared[folder]
    return Context(
        found=found,
        fold=fold,
        trained=trained,
        model=model,
        embedded=embedded,
        seconds=float(sum(took[clip] for clip in fold.test)),
        labels=labels,
        met=met,
    )


def _measured(found: Opened, answers: list[list[Asked | Ranked]], reason: str) -> dict[str, Any]:
    """Scores, gallery size, each clip's ranks, and how many clips were asked.

    Args:
        reason: why a clip is not asked, where some are not.
    """
    ranks: dict[str, list[int]] = {}
    counts: dict[str, list[int]] = {}
    for one in (fold for of_seed in answers for fold in of_seed):
        for clip, of_clip, among in zip(one.ids, *_ranks(one), strict=True):
            ranks.setdefault(clip, []).extend(map(int, of_clip))
            counts.setdefault(clip, []).extend(map(int, among))
    if isinstance(answers[0][0], Asked):
        scores = tasks.retrieval(*([one.ranks for one in of_seed] for of_seed in answers))
    else:
        clips = sorted(ranks)
        scores = tasks.ranked(
            [np.array(ranks[clip]) for clip in clips], [np.array(counts[clip]) for clip in clips]
        )
    left = sum(len(fold.test) for fold in found.folds) - len(ranks)
    return {
        "scores": scores,
        "labels": max(max(of) for of in counts.values()),
        "ranks": ranks,
        "n_evaluated": len(ranks),
        "n_dropped": found.n_dropped | ({reason: left} if left else {}),
    }


def _ranks(one: Asked | Ranked) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Of each clip the ranks of its questions, and among how many."""
    if isinstance(one, Ranked):
        return one.ranks, one.candidates
    ranks = one.ranks.v2t[:, None]
    return list(ranks), [np.array([one.ranks.texts])] * len(ranks)
