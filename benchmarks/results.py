"""Result files: the validated schema of one measurement, and the tidy frame of all of them.

Decisions
* A result is one JSON file,
  ``results/leaderboard/<group>/<encoder>/<revision>/<task>.<corpus>.<split>.json``. A group is
  written by one stage of the pipeline (``repro``), by ``make full`` (``full``), by the transfer or
  pretraining stage of a corpus (``transfer-<corpus>``, ``pretraining-<corpus>``), by submissions
  (``submitted``) or by hand (``local``).
* The schema refuses unknown and missing fields, and a file's content must agree with its path.
* A score carries its 95 % interval and its chance level; a result the numbers of clips that were
  and were not evaluated, the rank of every clip (so that two results can be compared clip by clip
  without their models), a signature that identifies how it was measured, and a hash of its content.
* Files of older schema versions still load: version 1 had no groups (its group is empty), version 2
  no fingerprints of encoder classes; in versions 1 to 3 ties went to the lower index, so a rank is
  one number.

Cost: 0.3 ms to read a result of 300 clips.
"""

from __future__ import annotations

import math
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import version
from itertools import chain
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, WrapValidator, model_validator
from pydantic_core import from_json

from signclip.core import files
from signclip.core.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd
    from pydantic import ValidationInfo, ValidatorFunctionWrapHandler

REPRO, FULL, SUBMITTED, LOCAL = "repro", "full", "submitted", "local"  # groups
DEFAULT_REVISION = "cpu"  # a profile
GROUPS = (REPRO, LOCAL, FULL, SUBMITTED)  # in which two encoders are looked for
SIDECAR = "encoder.json"  # metadata beside an encoder's results (benchmarks.encoder_metadata)
COLUMNS = (
    *("group", "encoder", "title", "revision", "task", "corpus", "split", "seeds"),
    *("metric", "value", "low", "high", "chance", "texts", "n_evaluated", "n_total"),
    *("signature", "result"),
)
_WRITTEN = (":(top,exclude)results", ":(top,exclude)dvc.lock")  # by the pipeline
# Keys of params.yaml that say what is run and where it lies; a result records what matters of them.
_CHOICES = ("profile", "seed", "jobs", "corpora", "pretrained")
# as canonical JSON has it; in no string, because their line breaks are escaped
_SEAL_LINE = re.compile(rf'\n "{files.SEAL}": "([0-9a-f]{{64}})",(?=\n)'.encode())
PACKAGES = ("torch", "transformers", "mmengine", "numpy", "pose-format", "spoken-to-signed")


MEAN_RANKS = ("MeanR", "MedianR")  # metrics that are ranks; all others lie between 0 and 1
Count = Annotated[int, Field(ge=0)]
Rank = Annotated[int, Field(ge=1)]
# one number, or where scores are equal [lowest, highest] or [lowest, highest, right ones among the
# tied] (benchmarks.metrics.ties)
StoredRank = Rank | Annotated[list[Rank], Field(min_length=2, max_length=3)]
TIES_SINCE = 4  # version of the schema


def _possible_ranks(
    value: Any, validate: ValidatorFunctionWrapHandler, info: ValidationInfo
) -> dict[str, list[StoredRank]]:
    """Ranks that pydantic accepts, and that are possible beside the fields before them.

    Most of a result are ranks. Looking at all of them at once takes a third of the time.
    """
    labels = info.data.get("labels", math.inf)  # not there: refused, which is said already
    if (
        type(value) is dict
        and set(map(type, value)) <= {str}
        and set(map(type, value.values())) <= {list}
    ):
        ranks = list(chain.from_iterable(value.values()))
        if (
            set(map(type, ranks)) <= {int}
            and min(ranks, default=1) >= 1
            and max(ranks, default=1) <= labels
        ):
            return value
    found = validate(value)
    version = info.data.get("schema_version", TIES_SINCE)
    for clip, of_clip in found.items():
        for rank in of_clip:
            _check_rank(clip, rank, labels, version)
    return found


def _check_rank(clip: str, rank: int | list[int], labels: float, version: int) -> None:
    if isinstance(rank, int):
        if rank > labels:
            raise ValueError(f"{clip}: rank {rank} among {labels}")
    elif version < TIES_SINCE:
        raise ValueError(f"{clip}: schema version {version} with rank {rank}")
    elif not rank[0] < rank[1] <= labels or rank[2:] == [1]:
        raise ValueError(f"{clip}: a rank of {rank} among {labels}")


Ranks = Annotated[dict[str, list[StoredRank]], WrapValidator(_possible_ranks)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Score(_Strict):
    """One metric with its 95 % bootstrap interval and the value expected of random scores."""

    value: float
    low: float
    high: float
    chance: float


class Cost(_Strict):
    """The cost of a result; kept out of tables, which must be byte-identical."""

    parameters: int = Field(ge=0)
    training_seconds: float = Field(ge=0)
    evaluation_clips_per_second: float = Field(ge=0)


class Result(_Strict):
    """One encoder on one task, corpus and split, over all folds and seeds."""

    schema_version: int = Field(default=4, ge=1, le=4)
    group: str = Field(pattern=r"^([A-Za-z0-9_-][A-Za-z0-9._-]*)?$")
    encoder: str
    title: str
    revision: str
    task: str
    corpus: str
    split: str
    scores: dict[str, Score]
    labels: int = Field(gt=0)  # texts in the gallery
    n_total: int = Field(ge=1)
    n_evaluated: int = Field(ge=1)
    n_dropped: dict[str, Count]  # reason -> test clips of the split that were not evaluated
    corpus_dropped: dict[str, Count]  # reason -> clips refused when the corpus was read
    corpus_fingerprint: str
    split_fingerprint: str
    signers: str = ""  # which signers are on both sides of the split; empty: not recorded
    folds: list[Count]
    seeds: list[Count]
    # <seed>/<fold's run> -> fingerprint of everything that decides the run's weights; empty: not
    # recorded, or an encoder without runs
    runs: dict[str, str] = {}
    # code, metadata and files of an encoder class, or its file of embeddings; empty: see the runs
    encoder_fingerprint: str = ""
    # V2T ranks of each test clip, one per seed; two encoders are compared clip by clip with them
    ranks: Ranks = {}
    cost: Cost
    suite: str = Field(default_factory=lambda: suite())  # version of this benchmark
    git_commit: str
    packages: dict[str, str]
    hardware: str

    @model_validator(mode="after")
    def _group_since_version_2(self) -> Result:
        if (self.schema_version == 1) != (self.group == ""):
            raise ValueError(f"schema version {self.schema_version} with group {self.group!r}")
        return self

    @model_validator(mode="after")
    def _is_possible(self) -> Result:
        for name, score in self.scores.items():
            least, most = (1, math.inf) if name.endswith(MEAN_RANKS) else (0, 1)
            for value in (score.value, score.low, score.high, score.chance):
                if not least <= value <= most:
                    raise ValueError(f"{name} of {value}; it lies between {least} and {most}")
            if score.low > score.high:
                raise ValueError(f"{name}: an interval from {score.low} to {score.high}")
        if self.n_evaluated + sum(self.n_dropped.values()) != self.n_total:
            raise ValueError(
                f"{self.n_evaluated} clips evaluated and {sum(self.n_dropped.values())} dropped "
                f"are not {self.n_total}"
            )
        return self

    @property
    def signature(self) -> str:
        """How the number was measured, in one line; equal signatures mean comparable numbers."""
        return "|".join(
            (
                f"task:{self.task}",
                f"corpus:{self.corpus}",
                f"data:{self.corpus_fingerprint}",
                f"split:{self.split}",
                f"roles:{self.split_fingerprint}",
                f"folds:{len(self.folds)}",
                f"seeds:{','.join(map(str, self.seeds))}",
                f"revision:{self.revision}",
                f"suite:{self.suite}",
            )
        )

    def path(self, leaderboard: Path) -> Path:
        """The result's path below ``results/leaderboard``."""
        return path_of(
            *(leaderboard, self.group, self.encoder, self.revision),
            *(self.task, self.corpus, self.split),
        )

    def write(self, leaderboard: Path) -> Path:
        """Write the result, whole or not at all; returns its path."""
        path = self.path(leaderboard)
        values = self.model_dump(mode="json") | {"signature": self.signature}
        with files.writing(path):
            files.write_text(path, files.sealed_json(values))
        return path


def path_of(
    leaderboard: Path, group: str, encoder: str, revision: str, task: str, corpus: str, split: str
) -> Path:
    """The path of a result below ``results/leaderboard``."""
    return Path(leaderboard, group, encoder, revision, f"{task}.{corpus}.{split}.json")


def locate(
    leaderboard: Path, group: str, encoder: str, where: tuple[str, str, str], revision: str | None
) -> Path:
    """The path of an encoder's result in a group; the file need not exist.

    Args:
        encoder: with ``@<revision>`` behind it if it has several.
        where: task, corpus and split.
        revision: default ``cpu``, or the only one that has such a result.
    """
    name, _, named = encoder.partition("@")
    task, corpus, split = where
    wanted = named or revision
    default = path_of(leaderboard, group, name, wanted or DEFAULT_REVISION, task, corpus, split)
    if wanted or default.is_file():
        return default
    found = sorted((leaderboard / group / name).glob(f"*/{default.name}"))
    return found[0] if len(found) == 1 else default


def read(path: Path | str) -> Result:
    """Read and validate a result.

    Raises:
        ConfigError: the file is missing, is not JSON, was edited after it was written, has a wrong
            field, or does not belong at this path.
    """
    path = Path(path)
    try:
        values, whole = unsealed(files.read_regular(path, at_most=files.MAX_JSON))
        signature = values.pop("signature")
        if values["schema_version"] == 1:
            values |= {"group": "", "suite": signature.rpartition("suite:")[2]}
        result = Result(**values)
    except OSError as error:
        raise ConfigError(f"{path}: no result here ({error.strerror})") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path}: not a valid result ({error})") from None
    if not whole or signature != result.signature:
        raise ConfigError(f"{path}: edited after it was written (hash or signature do not fit)")
    expected = result.path(Path())
    if path.absolute().parts[-len(expected.parts) :] != expected.parts:
        raise ConfigError(f"{path}: its content belongs at .../{expected}")
    return result


def unsealed(text: bytes) -> tuple[dict[str, Any], bool]:
    """The values of a sealed text without the seal, and whether it is that of these values.

    The seal of a text that is as it was written is the hash of the text without the seal's line.
    That is checked first, because serialising the values takes three times as long as all else.

    Raises:
        ValueError: it is not an object of JSON.
    """
    if line := _SEAL_LINE.search(text):
        content = text[: line.start()] + text[line.end() :]
        if files.sha256_bytes(content) == line[1].decode():
            return _object(from_json(content)), True  # keeps one copy of the clips' names
    values = _object(files.parse_json(text))
    whole = files.is_sealed(values)
    values.pop(files.SEAL, None)
    return values, whole


def _object(values: Any) -> dict[str, Any]:
    if not isinstance(values, dict):
        raise ValueError(f"a {type(values).__name__}, not an object")
    return values


def load(leaderboard: Path) -> pd.DataFrame:
    """The tidy frame of all results: one row per result and metric, ordered by path.

    Args:
        leaderboard: ``results/leaderboard``; a folder that does not exist has no results.

    Returns:
        :data:`COLUMNS`; ``seeds`` as text (``0 1 2``), ``texts`` the size of the gallery,
        ``result`` the :class:`Result`.

    Raises:
        ConfigError: a file is invalid; see :func:`read`.
    """
    return frame(read_all(leaderboard))


def read_all(leaderboard: Path) -> Iterator[Result]:
    """All results, ordered by path; arguments and errors are those of :func:`load`."""
    return map(read, paths(leaderboard))


def _refuse(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):  # a folder that is not there has no results
        raise ConfigError(f"{error.filename}: cannot be read ({error.strerror})")


def paths(leaderboard: Path) -> list[Path]:
    """The files of all results, in order.

    Raises:
        ConfigError: a folder cannot be read.
    """
    found = (
        Path(folder, name)
        for folder, _, names in os.walk(leaderboard, onerror=_refuse)  # faster than rglob
        for name in names
        if name.endswith(".json") and name != SIDECAR
    )
    return sorted(found, key=attrgetter("parts"))  # the order of paths, whose comparison is slow


def frame(found: Iterable[Result]) -> pd.DataFrame:
    """The tidy frame of the given results; see :func:`load`."""
    import pandas as pd  # 0.3 s, which the readers of single results need not wait for

    rows = [
        (
            *(result.group, result.encoder, result.title, result.revision),
            *(result.task, result.corpus, result.split, " ".join(map(str, result.seeds))),
            *(metric, score.value, score.low, score.high, score.chance),
            *(result.labels, result.n_evaluated, result.n_total, result.signature, result),
        )
        for result in found
        for metric, score in result.scores.items()
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def git_commit() -> str:
    """The commit that is checked out, with ``-dirty`` if tracked files differ; or ``unknown``.

    Files that the pipeline writes are ignored: otherwise every stage but the first would be dirty.
    So are the user's choices in ``params.yaml``, such as the profile and the local corpora.
    """
    commit = _git("rev-parse", "--short=12", "HEAD")
    but = (*_WRITTEN, ":(top,exclude)params.yaml")
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ":/", *but)
    if commit is None or changed is None:
        return "unknown"
    return commit.strip() + "-dirty" * (bool(changed) or _params_changed())


def _params_changed() -> bool:
    """Whether ``params.yaml`` differs from the commit in more than the user's choices."""
    committed, root = _git("show", "HEAD:params.yaml"), _git("rev-parse", "--show-toplevel")
    if committed is None or root is None:
        return False  # a project without one
    path = Path(root.strip(), "params.yaml")
    if not path.is_file():
        return True
    before, now = (yaml.safe_load(text) or {} for text in (committed, path.read_text("utf-8")))
    return any(before.get(key) != now.get(key) for key in {*before, *now} - set(_CHOICES))


def _git(*command: str) -> str | None:
    """Standard output of a git command; None if it fails."""
    try:
        return subprocess.run(["git", *command], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None


@cache
def _version(package: str) -> str:
    """The installed version of a package; cached, because reading it takes milliseconds."""
    return version(package)


def suite() -> str:
    """The version of this benchmark."""
    return _version("signclip")


def packages() -> dict[str, str]:
    """Versions of the packages that affect numbers."""
    return {name: _version(name) for name in PACKAGES}


def of_processor(field: str) -> str | None:
    """A field of the first processor in ``/proc/cpuinfo``; None if it is not there."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.is_file() else ()
    return next((x.split(":")[1].strip() for x in lines if x.startswith(field)), None)


def processor() -> str:
    """The processor's name."""
    return of_processor("model name") or platform.processor() or platform.machine()


def hardware() -> str:
    """Processor, number of cores, and the GPU if one was used, in one line."""
    line = f"{processor()}, {os.cpu_count()} cores"
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        line += f"; {torch.cuda.get_device_name()}"
    return line
