"""From what a command is given to an encoder with metadata: the entry of a leaderboard.

Decisions
* An entry is a dotted path ``package.module:Class``, a file of embeddings (``.npz``, ``.parquet``),
  a released checkpoint (``.pt``), or what ``signbench evaluate`` takes: an experiment or a skeleton
  model with runs (an imported MMAction2 checkpoint among them), or a floor.
* Metadata is that of a file (``--metadata``), else of the class, else of ``encoders.yaml``. Nothing
  is run without.
* A class, a file and a checkpoint are opened once for all corpora and splits; runs differ by split.

Cost: that of importing and making an instance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import encoder_metadata
from benchmarks.encoder_metadata import EncoderMetadata, Kind
from benchmarks.evaluation import dotted, precomputed
from benchmarks.evaluation.context import (
    EvaluationContext,
    SplitClips,
    context_of,
    open_context,
    read_split,
)
from benchmarks.evaluation.embeddings import Content
from benchmarks.evaluation.encoders import Encoder
from benchmarks.evaluation.factory import encoder_name
from signclip.core import files
from signclip.core.config import read_yaml
from signclip.core.errors import ConfigError
from signclip.core.workspace import Workspace


@dataclass(frozen=True)
class Entry:
    """An encoder with its metadata.

    Attributes:
        given: as it was given to the command.
        encoder: one instance for all splits; None: runs, opened split by split.
        profile: of runs.
    """

    given: str
    metadata: EncoderMetadata
    encoder: Encoder | None
    profile: str

    def renamed(self, revision: str) -> Entry:
        """The same entry under another revision."""
        return replace(self, metadata=self.metadata.model_copy(update={"revision": revision}))

    def content(self, title: str = "") -> Content | None:
        """Where embeddings of a class are cached; None: they are not, or by the run.

        Args:
            title: of the progress bar.
        """
        if not isinstance(self.encoder, dotted.EncoderClass):
            return None
        place = ("submitted", self.metadata.name, self.metadata.revision)
        return Content(place, self.encoder.fingerprint, title=title)

    def context(
        self, workspace: Workspace, part: SplitClips, *, group: str, limit: int | None = None
    ) -> EvaluationContext:
        """The entry on a split.

        Raises:
            SignCLIPError: see :func:`benchmarks.evaluation.context.context_of`.
        """
        if self.encoder is not None:
            encoders = [self.encoder]
            found = context_of(encoders, self.metadata.name, part, workspace, profile=self.profile)
        else:
            where = dict(profile=self.profile, corpus=part.corpus, split=part.split, seeds=[0])
            found = open_context(self.given, workspace, limit=limit, **where)
            found = replace(found, encoder=self.metadata.name)
        return found.named(group=group, revision=self.metadata.revision)

    def with_kind(self, encoder: Encoder) -> Entry:
        """The entry with the kind of its encoder in its metadata."""
        kind: Kind = "recogniser"
        if encoder.embeds:
            kind = "pose and text" if encoder.reads_text else "pose"
        return replace(self, metadata=self.metadata.model_copy(update={"kind": kind}))


def find(
    given: str,
    workspace: Workspace,
    *,
    metadata: Path | None = None,
    profile: str = "cpu",
    tokenizer: str | None = None,
) -> Entry:
    """The entry of what a command is given.

    Args:
        metadata: YAML file; None: see the module.
        profile: of runs.
        tokenizer: the vocabulary of a released checkpoint, which comes without one: a folder or a
            name of Hugging Face's hub.

    Raises:
        ConfigError: there is no such encoder, or its metadata is missing or not valid.
    """
    if tokenizer is not None and not given.endswith(".pt"):
        raise ConfigError(f"{given}: --tokenizer is for a released checkpoint (.pt)")
    about = None
    if metadata is not None:
        about = encoder_metadata.parse(read_yaml(metadata), str(metadata))
    if ":" in given:
        return _of_class(given, about, profile)
    if precomputed.is_embeddings(given):
        if about is None:
            raise ConfigError(
                f"{given}: embeddings need --metadata FILE, a YAML file with the fields of "
                "`metadata` in what `signbench new my_encoder` writes"
            )
        encoder: Encoder = precomputed.PrecomputedEncoder(Path(given), about)
        return Entry(given, about, encoder, profile).with_kind(encoder)
    if given.endswith(".pt"):
        return _of_checkpoint(Path(given), about, profile, tokenizer)
    about = about or encoder_metadata.known(encoder_name(given), profile)
    if about is None:
        raise ConfigError(
            f"{given!r} has no metadata: give package.module:Class, a file of embeddings, an "
            "encoder of this repository, or --metadata FILE"
        )
    return Entry(given, about, None, profile)


def _of_class(given: str, about: EncoderMetadata | None, profile: str) -> Entry:
    about = about or dotted.metadata_of(dotted.load_class(given), given)
    if about is None:
        raise ConfigError(
            f"{given}: needs a class attribute `metadata`; `signbench new my_encoder` writes an "
            "example"
        )
    encoder = dotted.open_class(given, metadata=about)
    return Entry(given, about, encoder, profile).with_kind(encoder)


def _of_checkpoint(
    path: Path, about: EncoderMetadata | None, profile: str, tokenizer: str | None
) -> Entry:
    from benchmarks.evaluation.signclip_models import TransferredModel

    if not path.is_file():
        raise ConfigError(f"{path}: no such file")
    encoder = TransferredModel(path, seeded=False, tokenizer=tokenizer)
    digest = files.sha256_file(path)[:12]
    if about is None:
        about = encoder_metadata.released(encoder_name(str(path)), digest, encoder.variant)
    vocabulary = encoder.vocabulary
    encoder.fingerprint = files.fingerprint([digest, vocabulary]) if vocabulary else digest
    return Entry(str(path), about, encoder, profile).with_kind(encoder)


def splits_of(
    workspace: Workspace, corpus: str, names: Sequence[str], limit: int | None
) -> list[SplitClips]:
    """The splits of a corpus, with their clips."""
    return [read_split(workspace, corpus, name, limit=limit) for name in names]
