"""The conformance test of an encoder: ``signbench check``, a minute before a run of hours.

Decisions
* A check is a property that every number of the leaderboard relies on; a failed one says what to
  change. Checks go on after a failure, so that all are seen at once; where nothing can be computed
  the others are left out.
* The clips are real, few and of mixed length: the shortest, the longest, and clips of several
  labels and languages.
* Batch composition may change an embedding by rounding alone: 1e-3 of the clips' spread.
* Memory is the growth of the process over repeated calls, not its size.

Cost: about ten passes over :data:`CLIPS` clips.
"""

from __future__ import annotations

import copy
import resource
import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from benchmarks.evaluation import inputs
from benchmarks.evaluation.dotted import EncoderClass, load_class, somebodys_code
from benchmarks.evaluation.recognisers import Recogniser
from benchmarks.submission.entry import Entry
from signclip.core.errors import SignCLIPError
from signclip.core.workspace import Workspace
from signclip.corpora import manifest
from signclip.text import label

CLIPS = 12
TOLERANCE = 1e-3  # of the spread of embeddings or scores
GROWTH = 64 << 20  # bytes a pass over the clips
PASSES = 4
TEXTS = ("house", "water", "a")


class Check(NamedTuple):
    """One property; ``advice`` says what to change, empty: it holds."""

    name: str
    advice: str
    detail: str = ""  # what was seen

    @property
    def passed(self) -> bool:
        """Whether the property holds."""
        return not self.advice


class _Failed(Exception):
    """A property does not hold; the message says what to change."""


class Sample(NamedTuple):
    """Clips to check with."""

    ids: list[str]
    items: list[Any]
    labels: list[str]
    total: int  # clips of the corpus


def sample(entry: Entry, workspace: Workspace, corpus: str) -> Sample:
    """The shortest, the longest and other clips of a built corpus.

    Raises:
        SignCLIPError: the corpus is not built, or the input is not to be had of it.
    """
    assert entry.encoder is not None
    clips = manifest.read(workspace.corpus(corpus))
    store = inputs.open_clips(entry.encoder.input, clips, workspace, corpus)
    there = clips[[clip in store for clip in clips["id"]]].sort_values(["frames", "id"])
    # several clips of each of a few labels, so that a recogniser has something to learn
    common = there["text"].map(label).value_counts().index[: CLIPS // 3]
    of_common = there[there["text"].map(label).isin(common)]
    middle = of_common.iloc[np.linspace(0, len(of_common) - 1, CLIPS - 2).astype(int)]
    chosen = pd.concat([there.head(1), middle, there.tail(1)]).drop_duplicates("id")
    recogniser = isinstance(entry.encoder, Recogniser)
    items = [store[clip] if recogniser else store.values(clip) for clip in chosen["id"]]
    return Sample(list(chosen["id"]), items, list(chosen["text"].map(label)), len(clips))


def check(entry: Entry, workspace: Workspace, corpus: str) -> Iterator[Check]:
    """Check an entry; each result as soon as it is known.

    Raises:
        SignCLIPError: the clips cannot be read.
    """
    yield Check("metadata", "", f"{entry.metadata.name}, revision {entry.metadata.revision}")
    given = sample(entry, workspace, corpus)
    if isinstance(entry.encoder, EncoderClass):
        yield from _embedder(entry, given)
    elif isinstance(entry.encoder, Recogniser):
        yield from _recogniser(entry, given)
    else:
        yield Check("encoder", "", "of this repository, or a file: its checks are those of a run")


def _embedder(entry: Entry, given: Sample) -> Iterator[Check]:
    assert isinstance(entry.encoder, EncoderClass)
    encoder = entry.encoder.model.instance
    embed = _Method(encoder, "embed_pose")
    first: list[np.ndarray] = []

    def shapes() -> str:
        before = copy.deepcopy(given.items)
        found = embed.raw(given.items)
        array = _array(found, len(given.items), "embed_pose(poses)", "poses")
        first.append(array)
        if not all(_same(a, b) for a, b in zip(before, given.items, strict=True)):
            raise _Failed("embed_pose changes its argument: copy a pose before you change it")
        return f"{array.dtype} {array.shape}"

    embedded = yield from _basics(shapes, first, given.ids)
    if embedded is None:
        return
    yield _property("deterministic", lambda: _repeats(embed, entry, given, embedded))
    yield _property("batch-invariant", lambda: _alone(embed, given, embedded))
    yield _property("order kept", lambda: _reversed(embed, given, embedded))
    if callable(getattr(encoder, "embed_text", None)):
        yield _property("texts", lambda: _texts(_Method(encoder, "embed_text"), embedded.shape[1]))
    yield _property("memory", lambda: _memory(lambda: embed.raw(given.items)))
    yield _property("speed", lambda: _speed(lambda: embed.raw(given.items), given))


def _basics(
    shapes: Callable[[], str], first: list[np.ndarray], ids: Sequence[str]
) -> Generator[Check, None, np.ndarray | None]:
    """The checks without which no other makes sense; the numbers, or None if one failed.

    Args:
        shapes: calls the encoder and puts what it returned, one row a clip, into ``first``.
    """
    yield _property("shapes", shapes)
    if not first:
        return None
    numbers = np.asarray(first[0], np.float64)
    yield _property("dtype", lambda: _dtype(first[0]))
    finite = _property("finite", lambda: _finite(numbers, ids))
    yield finite
    if not finite.passed:
        return None
    yield _property("not constant", lambda: _varies(numbers))
    return numbers


def _recogniser(entry: Entry, given: Sample) -> Iterator[Check]:
    kind = load_class(entry.given)
    names = sorted(set(given.labels))
    asked = [*names, "a label of no training clip"]

    def fitted(labels: Sequence[str]) -> _Method:
        recogniser = kind()
        with somebodys_code(f"{kind.__name__}: fit"):
            recogniser.fit(list(given.items), list(labels))
        return _Method(recogniser, "score", asked)

    first: list[np.ndarray] = []

    def shapes() -> str:
        found = np.asarray(fitted(given.labels).raw(given.items))
        if found.shape != (len(asked), len(given.items)) or found.dtype.kind not in "fiu":
            raise _Failed(
                f"score(clips, labels) returned {found.dtype} of shape {found.shape} for "
                f"{len(given.items)} clips and {len(asked)} labels: return numbers of shape "
                "(labels, clips), also for labels that fit never saw"
            )
        first.append(found.T[:, :-1])  # a label that fit never saw may score anything
        return f"{found.dtype} {found.shape}"

    scores = yield from _basics(shapes, first, given.ids)
    if scores is None:
        return
    method = fitted(given.labels)
    yield _property("deterministic", lambda: _refits(fitted, given, scores))
    yield _property("batch-invariant", lambda: _alone(method, given, scores))
    yield _property("order kept", lambda: _reversed(method, given, scores))
    yield _property("trained here", lambda: _learns(fitted, entry, given, scores))
    yield _property("memory", lambda: _memory(lambda: method.raw(given.items)))
    yield _property("speed", lambda: _speed(lambda: method.raw(given.items), given))


class _Method:
    """A method of somebody's code: clips (and labels, the last one unknown) -> one row a clip."""

    def __init__(self, encoder: Any, name: str, labels: Sequence[str] | None = None):
        self.encoder, self.name, self._labels = encoder, name, labels

    def raw(self, items: Sequence[Any]) -> Any:
        """What the method returns."""
        more = () if self._labels is None else (list(self._labels),)
        with somebodys_code(self.name):
            return getattr(self.encoder, self.name)(list(items), *more)

    def rows(self, items: Sequence[Any]) -> np.ndarray:
        """Its numbers, one row an item."""
        found = np.asarray(self.raw(items), np.float64)
        return found if self._labels is None else found.T[:, :-1]


def _property(name: str, holds: Callable[[], str]) -> Check:
    try:
        return Check(name, "", holds())
    except (_Failed, SignCLIPError) as error:
        return Check(name, str(error))
    except ValueError as error:  # shapes that differ between two calls
        return Check(name, f"two calls returned arrays that do not fit together ({error})")


def _array(given: Any, count: int, what: str, items: str) -> np.ndarray:
    array = np.asarray(given)
    if array.ndim != 2 or len(array) != count or array.dtype.kind not in "fiub" or not array.size:
        raise _Failed(
            f"{what} returned {array.dtype} of shape {array.shape} for {count} {items}: return one "
            f"row of numbers for each, an array of shape ({count}, d)"
        )
    return array


def _dtype(array: np.ndarray) -> str:
    if array.dtype.kind != "f" or array.dtype.itemsize < 4:
        raise _Failed(
            f"the numbers are {array.dtype}: return float32 (`.astype(np.float32)`); fewer bits or "
            "integers make ties"
        )
    return str(array.dtype)


def _finite(rows: np.ndarray, ids: Sequence[str]) -> str:
    odd = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if len(odd):
        raise _Failed(
            f"clip {ids[odd[0]]} (and {len(odd) - 1} more of {len(ids)}) gives NaN or infinity: "
            "look for a division by 0 or a mean over no frames where a hand was not detected"
        )
    return f"{len(rows)} clips"


def _varies(rows: np.ndarray) -> str:
    if (np.abs(rows - rows[0]).max(axis=1) <= 1e-9 * max(np.abs(rows[0]).max(), 1e-30)).all():
        raise _Failed(
            "all clips give the same numbers: does the method read its argument, or is the network "
            "not loaded?"
        )
    equal = len(rows) - len(np.unique(rows, axis=0))
    return f"{equal} of {len(rows)} clips equal another" if equal else ""


def _near(a: np.ndarray, b: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Row by row: is the difference only rounding?"""
    if a.shape != b.shape:
        raise _Failed(f"the shape changes between calls: {a.shape} and {b.shape}")
    spread = np.linalg.norm(rows - rows.mean(axis=0), axis=1)
    scale = max(float(spread.mean()), 1e-6 * float(np.abs(rows).max()), 1e-12)
    return np.linalg.norm(a - b, axis=1) <= TOLERANCE * scale


def _repeats(method: _Method, entry: Entry, given: Sample, rows: np.ndarray) -> str:
    again = method.rows(given.items)
    if not _near(again, rows, rows).all():
        raise _Failed(
            "the same clips give other numbers when they are embedded again: switch off dropout "
            "(`model.eval()`) and random augmentation, or fix their seed"
        )
    other = _Method(load_class(entry.given)(), method.name).rows(given.items)
    if not _near(other, rows, rows).all():
        raise _Failed(
            "a second instance gives other numbers: weights are drawn at random; load them, or fix "
            "the seed in __init__"
        )
    return "bit by bit" if np.array_equal(again, rows) else "but for rounding"


def _alone(method: _Method, given: Sample, rows: np.ndarray) -> str:
    alone = np.concatenate([method.rows([item]) for item in given.items])
    near = _near(alone, rows, rows)
    if not near.all():
        clip = given.ids[int(np.flatnonzero(~near)[0])]
        raise _Failed(
            f"clip {clip} gives other numbers alone than among others: mask the padding of shorter "
            "clips, use no batch statistics (`model.eval()`), and normalise no clip by others"
        )
    return f"{len(near)} clips alone and together"


def _reversed(method: _Method, given: Sample, rows: np.ndarray) -> str:
    back = method.rows(given.items[::-1])[::-1]
    if not _near(back, rows, rows).all():
        raise _Failed(
            "the order of the clips is not kept: if you sort by length, put the rows back into the "
            "order of the argument"
        )
    return ""


def _texts(method: _Method, dims: int) -> str:
    found = _array(method.raw(TEXTS), len(TEXTS), "embed_text(texts)", "texts")
    if found.shape[1] != dims:
        raise _Failed(
            f"a text has {found.shape[1]} numbers, a clip {dims}: both must lie in one space"
        )
    _dtype(found)
    rows = np.asarray(found, np.float64)
    _finite(rows, TEXTS)
    if len(np.unique(rows, axis=0)) < 2:
        raise _Failed("all texts give the same numbers: does embed_text read its argument?")
    alone = np.concatenate([method.rows([text]) for text in TEXTS])
    if not _near(alone, rows, rows).all():
        raise _Failed("a text gives other numbers alone than among others: mask the padding")
    if not _near(method.rows(TEXTS[::-1])[::-1], rows, rows).all():
        raise _Failed("embed_text does not keep the order of the texts")
    return f"{found.dtype} {found.shape}"


def _refits(fitted: Callable[..., _Method], given: Sample, rows: np.ndarray) -> str:
    if not _near(fitted(given.labels).rows(given.items), rows, rows).all():
        raise _Failed(
            "fitted again to the same clips it gives other scores: fix the seed in fit or __init__"
        )
    return ""


def _learns(fitted: Callable[..., _Method], entry: Entry, given: Sample, rows: np.ndarray) -> str:
    learns = not _near(fitted(given.labels[::-1]).rows(given.items), rows, rows).all()
    if learns and not entry.metadata.trained_here:
        raise _Failed(
            "fit changes the scores, but the metadata has no `trained_here: true`: say so, since "
            "it decides what counts as zero-shot"
        )
    return "fit learns" if learns else "fit changes nothing"


def _memory(call: Callable[[], Any]) -> str:
    call()
    before = _resident()
    for _ in range(PASSES):
        call()
    growth = (_resident() - before) / PASSES
    if growth > GROWTH:
        raise _Failed(
            f"memory grows by {growth / 2**20:.0f} MiB a pass: embed under torch.no_grad(), and "
            "keep no results in attributes or lists"
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if _is_mac() else 1024)
    return f"peak {peak / 2**20:.0f} MiB, growth {max(growth, 0) / 2**20:.1f} MiB a pass"


def _is_mac() -> bool:
    return sys.platform == "darwin"


def _resident() -> int:
    """Bytes of this process in memory; 0 where it cannot be told."""
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * resource.getpagesize() if statm.is_file() else 0


def _speed(call: Callable[[], Any], given: Sample) -> str:
    start = time.perf_counter()
    call()
    each = (time.perf_counter() - start) / len(given.items)
    return (
        f"{1 / max(each, 1e-9):.0f} clips/s; all {given.total} clips in {each * given.total:.0f} s"
    )


def _same(a: Any, b: Any) -> bool:
    """Whether a clip is what it was."""
    if isinstance(a, np.ndarray):
        return np.array_equal(a, b)
    if isinstance(a, tuple):
        return all(map(_same, a, b))
    if hasattr(a, "body"):  # a pose
        return np.array_equal(np.ma.getdata(a.body.data), np.ma.getdata(b.body.data))
    return a == b
