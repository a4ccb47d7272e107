"""What is known about an encoder: the validated metadata behind a row of the leaderboard.

Decisions
* Metadata is data: a class attribute or a YAML file of the encoder's author, a row of
  ``encoders.yaml`` for the encoders of this repository. Unknown and missing fields are refused.
* Beside the results of an encoder lies ``encoder.json``, its sealed metadata
  (``results/leaderboard/<group>/<encoder>/<revision>/encoder.json``). Its name and revision must
  agree with its path.
* "Not known" and "nothing" differ: training corpora are None or an empty list. What an encoder
  learned before it is evaluated (``training_corpora``) is kept apart from what it learns from the
  training clips of each split (``trained_here``).
* Contamination is a function of metadata and corpus (:func:`exposure`): a corpus that an encoder
  was trained on, or one that shares a source with it, is named, never dropped.

Cost: milliseconds; nothing heavy is imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from baselines.floors import FLOORS
from baselines.skeletons import table as skeletons
from benchmarks import suites
from benchmarks.results import SIDECAR, path_of, unsealed
from signclip.core import files
from signclip.core.config import read_yaml
from signclip.core.errors import ConfigError
from signclip.experiments.table import experiment_row

TABLE = Path(__file__).with_name("encoders.yaml")
EXPERIMENTS = Path(__file__).with_name("experiments.yaml")
NAME = r"^[A-Za-z0-9_-][A-Za-z0-9._-]*$"  # of a folder below results/leaderboard
PRETRAINING = "pretraining-"  # prefix of the groups of models trained on a local corpus

Part = Literal["train", "all", "not known"]
RunBy = Literal["author", "us", "third party"]
Kind = Literal["pose and text", "pose", "recogniser"]
Exposure = Literal["not known", "none", "trained here", "training clips", "test clips", "source"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class TrainingCorpus(_Strict):
    """A corpus that an encoder was trained on before it is evaluated here."""

    name: str = Field(min_length=1)  # as below data/, if the corpus is known here
    derives_from: tuple[str, ...] = ()  # corpora that its clips were taken from
    # train: the published training part; all: test clips, too
    part: Part = "not known"


class Input(_Strict):
    """What an encoder is given for a clip.

    ``pose``: a ``pose_format.Pose``; ``variant``: float32 (frames, dims), the features that
    ``variant`` names (:data:`signclip.poses.VARIANTS`); ``keypoints``: float32 (frames, points, 3),
    the points that ``keypoints`` lists; ``video``: the path of a video.
    """

    kind: Literal["pose", "variant", "keypoints", "video"]
    variant: str | None = None
    # "COMPONENT" for all its points, or "COMPONENT:POINT", as in .pose files
    keypoints: tuple[str, ...] | None = None

    @model_validator(mode="after")
    def _one_description(self) -> Input:
        for kind in ("variant", "keypoints"):
            if (self.kind == kind) != bool(getattr(self, kind)):
                state = "needs" if self.kind == kind else "does not take"
                raise ValueError(f"input of kind {self.kind!r} {state} the field {kind!r}")
        return self


class EncoderMetadata(_Strict):
    """One encoder. Every field without a default must be given; None means not known."""

    schema_version: Literal[1] = 1
    name: str = Field(pattern=NAME)
    revision: str = Field(pattern=NAME)
    title: str = ""  # in tables; empty: the name
    authors: tuple[str, ...] = Field(min_length=1)
    licence: str | None  # an SPDX identifier where there is one
    link: str | None = Field(pattern=r"^https?://\S+$")
    training_corpora: tuple[TrainingCorpus, ...] | None  # (): trained on nothing before
    trained_here: bool = False  # trained or fitted on the training clips of each split
    parameters: int | None = Field(ge=0)
    run_by: RunBy  # who made the results
    input: Input
    kind: Kind | None = None  # None: filled in from the encoder's methods when it is run
    notes: str = ""

    def write(self, leaderboard: Path, group: str) -> Path:
        """Write it beside the encoder's results, whole or not at all; returns its path."""
        path = sidecar(leaderboard, group, self.name, self.revision)
        with files.writing(path):
            files.write_text(path, files.sealed_json(self.model_dump(mode="json")))
        return path


def sidecar(leaderboard: Path, group: str, encoder: str, revision: str) -> Path:
    """The path of an encoder's metadata below ``results/leaderboard``."""
    return path_of(leaderboard, group, encoder, revision, "", "", "").with_name(SIDECAR)


def parse(values: Any, source: str) -> EncoderMetadata:
    """Validate metadata.

    Args:
        values: a mapping, or metadata already.
        source: of the values, for messages.

    Raises:
        ConfigError: a field is unknown, missing or wrong; each is named.
    """
    if isinstance(values, EncoderMetadata):
        return values
    if not isinstance(values, Mapping):
        raise ConfigError(f"{source}: metadata is a mapping of fields, not {type(values).__name__}")
    try:
        return EncoderMetadata(**values)
    except ValidationError as error:
        what = "; ".join(
            f"{'.'.join(map(str, one['loc'])) or 'metadata'}: {one['msg']}"
            for one in error.errors()
        )
        raise ConfigError(f"{source}: metadata is not valid: {what}") from None
    except TypeError as error:  # a key that is no text
        raise ConfigError(f"{source}: metadata is not valid: {error}") from None


def read_sidecar(path: Path) -> EncoderMetadata:
    """Read the metadata beside results.

    Raises:
        ConfigError: it is missing, damaged, edited by hand, or does not belong at this path.
    """
    try:
        values, whole = unsealed(files.read_regular(path, at_most=files.MAX_JSON))
    except OSError as error:
        raise ConfigError(f"{path}: no metadata here ({error.strerror})") from None
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{path}: not valid JSON metadata ({error})") from None
    if not whole:
        raise ConfigError(f"{path}: edited after it was written (its hash does not fit)")
    found = parse(values, str(path))
    if path.absolute().parts[-3:-1] != (found.name, found.revision):
        raise ConfigError(f"{path}: its content belongs in .../{found.name}/{found.revision}")
    return found


def find(leaderboard: Path, group: str, encoder: str, revision: str) -> EncoderMetadata | None:
    """An encoder's metadata: beside its results, else of ``encoders.yaml``; None: there is none.

    Raises:
        ConfigError: the file beside its results is damaged.
    """
    path = sidecar(leaderboard, group, encoder, revision)
    return read_sidecar(path) if path.is_file() else known(encoder, revision, group)


def known(encoder: str, revision: str, group: str = "") -> EncoderMetadata | None:
    """The metadata of an encoder of this repository; None: it is none.

    A model that was transferred (its revision is ``<profile>.<run>``) was trained before; others
    were trained on the split that they are evaluated on. In a group ``pretraining-<corpus>`` all
    were trained on that corpus.
    """
    row = _rows().get(encoder)
    if row is None:
        return None
    before = row.pop("before_transfer", None)
    if "." in revision and before is not None:
        row |= {"training_corpora": before, "trained_here": False}
        if group.startswith(PRETRAINING):
            row["training_corpora"] = [{"name": group.removeprefix(PRETRAINING), "part": "train"}]
    return parse({**row, "name": encoder, "revision": revision}, f"{TABLE.name}, {encoder}")


def released(name: str, revision: str, variant: str) -> EncoderMetadata:
    """The metadata of one of the SignCLIP authors' released checkpoints, evaluated here."""
    row = read_yaml(TABLE)["released"]
    read = {"kind": "variant", "variant": variant}
    values = {**row, "name": name, "revision": revision, "input": read}
    return parse(values, f"{TABLE.name}, released")


def _rows() -> dict[str, dict[str, Any]]:
    """Encoder -> its fields; a copy, so that callers may change it."""
    return {name: dict(row) for name, row in _table().items()}


@cache
def _table() -> dict[str, dict[str, Any]]:
    table = read_yaml(TABLE)
    described = _described()
    found: dict[str, dict[str, Any]] = {}
    for family in table["families"]:
        fields = {**table["defaults"], **family}
        for name in suites.expand(fields.pop("encoders")):
            found[name] = {**fields, **described.get(name, {}), **table["encoders"].get(name, {})}
    return found


def _described() -> dict[str, dict[str, Any]]:
    """Encoder -> title and input, where another table of the repository says them."""
    rows = read_yaml(EXPERIMENTS)
    found: dict[str, dict[str, Any]] = {name: {"title": one.title} for name, one in FLOORS.items()}
    found |= {name: {"title": one["title"]} for name, one in skeletons.models().items()}
    for name in rows:
        row = experiment_row(rows, name)
        if "variant" in row:
            read = {"kind": "variant", "variant": row["variant"]}
            found[name] = {"title": row["title"], "input": read}
    return found


@cache
def sources_of(corpus: str) -> frozenset[str]:
    """A corpus of this repository and the corpora that its clips were taken from.

    Cached: a board asks for each of its cells, and reading the table takes milliseconds.
    """
    return frozenset({corpus, *read_yaml(TABLE)["corpora"].get(corpus, ())})


def exposure(metadata: EncoderMetadata | None, corpus: str) -> Exposure:
    """What an encoder has seen of a corpus before it was evaluated on it.

    Returns:
        ``not known``; ``none``; ``trained here``: the training clips of the split, as part of the
        evaluation, and nothing else of it; ``training clips``: the corpus's training part before;
        ``test clips``: all of it, or it is not known which part; ``source``: another corpus that
        shares a source with it.
    """
    if metadata is None or metadata.training_corpora is None:
        return "not known"
    found: set[str] = set()
    for one in metadata.training_corpora:
        if one.name == corpus:
            found.add("training clips" if one.part == "train" else "test clips")
        elif sources_of(corpus) & {one.name, *one.derives_from}:
            found.add("source")
    if "test clips" in found:
        return "test clips"
    if "source" in found:
        return "source"
    if "training clips" in found:
        return "training clips"
    return "trained here" if metadata.trained_here else "none"
