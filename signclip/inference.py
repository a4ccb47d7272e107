"""Using a trained model: embed poses, embed texts, score them.

Decisions
* Batch composition changes embeddings only by rounding: masks are honoured, so an item of a list
  has the embedding that it has alone (up to float32 rounding).
* A clip longer than the model's ``max_frames`` is cut to its first frames, as in training, or
  dropped, or embedded in segments; such clips are counted in ``SignCLIPModel.long_clips`` and
  logged.
* ``embed_pose`` needs no tokenizer, and ``embed_text`` no pose tower.
* Texts are embedded as they are; only an unknown sign-language tag is refused, because to the model
  it would be meaningless word pieces.

Cost: the features of at most ``_CHUNK`` clips are in memory at a time (0.2 GB at 609 numbers a
frame and 256 frames).
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

import numpy as np
import torch
from pose_format import Pose

from signclip import checkpoint, poses
from signclip.core.errors import ConfigError, PoseError, SampleError
from signclip.core.progress import bar
from signclip.core.workspace import Workspace, locate_run
from signclip.model import long_clips
from signclip.model.inputs import as_features, as_list, check_batch_size, read_clip
from signclip.model.towers import SignCLIP
from signclip.text import (
    Tokenizer,
    check_prompt_tag,
    check_text,
    embed_split_prompts,
    label,
    same_tokens,
)
from signclip.text import prompt as fill

PoseLike: TypeAlias = Pose | Path | str | np.ndarray | torch.Tensor
# What is done with a clip of more than max_frames frames; see SignCLIPModel.embed_pose.
LongPolicy = Literal["truncate", "drop", "windows"]
_CHUNK = 256  # clips
_RESULTS = Workspace().leaderboard
_log = logging.getLogger(__name__)


class Embedded(NamedTuple):
    """The embeddings of a list of clips, and which clips have none.

    Attributes:
        embeddings: float32 (kept, d).
        kept: int64 (kept,), ascending: the position in the list of each row's clip.
        long: positions of clips over ``max_frames``; the policy ``drop`` does not keep them.
        errors: position -> the reason why the clip cannot be used.
    """

    embeddings: np.ndarray
    kept: np.ndarray
    long: list[int]
    errors: dict[int, SampleError]


class SignCLIPModel:
    """A model with its preprocessing and tokenizer.

    Attributes:
        model: the two towers; calling this object calls it.
        variant: of its input features; None: not known, then only features can be embedded.
        prompt: template of its training texts.
        config: of the run that trained it; None for an imported model.
        long_clips: the number of clips over ``max_frames`` so far, by policy.
        distinct_texts: refuse texts that the vocabulary does not distinguish. False: they get the
            same embedding, so that their scores tie, which is what an evaluation has to measure.
    """

    distinct_texts = True

    def __init__(self, run: checkpoint.Run):
        self.model: SignCLIP = run.model.eval()
        self.config, self.metrics = run.config, run.metrics
        self.variant, self.prompt = run.variant, run.prompt
        self.long_clips: Counter[str] = Counter()
        self.tokenizer = run.tokenizer
        if self.tokenizer is not None:
            checkpoint.check_tokenizer(self.tokenizer, self.model.config.vocab_size)
        if self.variant is not None:
            self._check_variant(self.variant)

    def __call__(self, *args, **kwargs):
        """The towers themselves; see :meth:`signclip.model.towers.SignCLIP.forward`."""
        return self.model(*args, **kwargs)

    def _check_variant(self, variant: str) -> None:
        if variant not in poses.VARIANTS:
            raise ConfigError(f"unknown variant {variant!r}; there are {', '.join(poses.VARIANTS)}")
        dims, taken = poses.VARIANTS[variant].dims, self.model.config.frame_dims
        if dims is not None and dims != taken:
            raise ConfigError(f"variant {variant!r} has {dims} numbers a frame, the model {taken}")

    def to(self, device: str | torch.device) -> SignCLIPModel:
        """Move the towers to a device, e.g. ``"cuda"``; embeddings are still numpy arrays.

        Raises:
            ConfigError: this machine does not have the device.
        """
        try:
            self.model.to(device)
        except (
            AssertionError,
            RuntimeError,
        ) as error:  # torch built without it, or an unknown name
            reason = str(error).splitlines()[0]
            raise ConfigError(f"device {str(device)!r} cannot be used ({reason})") from None
        return self

    @property
    def dims(self) -> int:
        """Dimensions of an embedding."""
        return self.model.config.hidden_size

    @property
    def device(self) -> torch.device:
        """The device of the towers."""
        return next(self.model.parameters()).device

    def features(self, pose: PoseLike, *, sample: str = "pose") -> np.ndarray:
        """The model's input features of a pose: float32 (frames, dims).

        Raises:
            PoseError: the pose cannot be used; or given features are not real numbers, have a shape
                that the model does not take, or fail :func:`signclip.poses.check_values`.
            ConfigError: the variant of the model is not known.
        """
        if isinstance(pose, str | Path):
            sample, pose = str(pose), read_clip(pose)
        if isinstance(pose, Pose):
            if self.variant is None:
                raise ConfigError(
                    "not known which variant the model's "
                    f"{self.model.config.frame_dims} numbers a frame are: load it with "
                    "variant=..., or give features"
                )
            values = poses.features(pose, self.variant, sample=sample).values
        else:
            values = as_features(pose, sample=sample)
        dims = self.model.config.frame_dims
        # also for poses: some variants have as many points as the file
        if values.ndim != 2 or values.shape[1] != dims or not len(values):
            raise PoseError(
                sample,
                f"features of shape {values.shape}; (frames, {dims}) is expected, not empty",
            )
        poses.check_values(values, sample=sample)
        return values

    def embed_pose(
        self,
        items: Iterable[PoseLike],
        *,
        ids: Sequence[str] | None = None,
        long: LongPolicy = "truncate",
        batch_size: int = 64,
    ) -> np.ndarray:
        """Embed poses: float32 (n, d).

        Args:
            items: each is a ``pose_format.Pose``, the path of a pose file (see
                :mod:`signclip.poses.reader`) or of a video, or features of the model's variant
                (frames, dims; an array or a tensor).
            ids: names in error messages for items that are not paths; default: their positions.
            long: what is done with a clip over ``max_frames``. ``truncate``: it is cut to its first
                frames, as in training; ``windows``: it is embedded as the mean of consecutive
                segments of ``max_frames``, weighted by their frames; ``drop``: it gets no row
                (:meth:`embed_clips` returns which clips have one).
            batch_size: clips (segments) computed at a time; no embedding depends on it.

        Raises:
            PoseError, VideoError: an item cannot be used; its path, id or position is named.
            ConfigError: an argument is out of range.
            TypeError: a single pose or a mapping instead of a list.
        """
        return self.embed_clips(items, ids=ids, long=long, batch_size=batch_size).embeddings

    def embed_clips(
        self,
        items: Iterable[PoseLike],
        *,
        ids: Sequence[str] | None = None,
        long: LongPolicy = "truncate",
        batch_size: int = 64,
        keep_going: bool = False,
        progress: bool = False,
    ) -> Embedded:
        """:meth:`embed_pose`, which also reports long and unusable clips.

        Args:
            keep_going: collect unusable items in ``errors`` instead of stopping at the first.
            progress: show a progress bar.

        Raises:
            PoseError, VideoError: an item cannot be used, and ``keep_going`` is not set.
        """
        items = as_list(items, "poses")
        if long not in get_args(LongPolicy):
            raise ConfigError(f"long={long!r}; there are {', '.join(get_args(LongPolicy))}")
        check_batch_size(batch_size)
        names = [f"item {i}" for i in range(len(items))] if ids is None else list(map(str, ids))
        if len(names) != len(items):
            raise ConfigError(f"{len(names)} ids for {len(items)} items")
        limit = self.model.config.max_frames
        rows, kept, over, errors = [np.empty((0, self.dims), dtype=np.float32)], [], [], {}
        hidden = not (progress and items)
        with bar(total=len(items), desc="poses", unit="clip", disable=hidden) as shown:
            for start in range(0, len(items), _CHUNK):
                clips: list[long_clips.Clip] = []
                for position in range(start, min(start + _CHUNK, len(items))):
                    try:
                        values = self.features(items[position], sample=names[position])
                    except SampleError as error:
                        if not keep_going:
                            raise
                        errors[position] = error
                        shown.update()
                        continue
                    if len(values) > limit:
                        over.append(position)
                        if long == "drop":
                            shown.update()
                            continue
                    clips.append(long_clips.split_clip(values, limit, whole=long == "windows"))
                    kept.append(position)
                embeddings = long_clips.embed(
                    self.model, clips, batch_size=batch_size, done=shown.update
                )
                rows.append(embeddings)
        if over:
            self.long_clips[long] += len(over)
            _log.warning(
                "%d of %d clips have more than %d frames: %s", len(over), len(items), limit, long
            )
        return Embedded(np.concatenate(rows), np.array(kept, dtype=np.int64), over, errors)

    @torch.inference_mode()
    def embed_text(
        self, texts: Iterable[str], *, check_tags: bool = True, batch_size: int = 256
    ) -> np.ndarray:
        """Embed prompts as they are: float32 (n, d).

        A released model comes without a vocabulary: ``bert-base-cased`` (or ``-uncased``, by the
        size of the text tower) is then read from the hub's cache or the hub.

        Args:
            check_tags: refuse prompts like ``<en> <lis> house``, whose tag is not in the registry.
            batch_size: texts computed at a time; no embedding depends on it.

        Raises:
            ConfigError: there is no vocabulary; two texts are the same to the model, since its
                vocabulary lacks their characters (see ``distinct_texts``); a text cannot be written
                as UTF-8; or ``batch_size`` is out of range.
            LanguageTagError: see ``check_tags``; similar tags are named.
            TypeError: a single text or a mapping instead of a list.
        """
        texts = as_list(texts, "texts")
        check_batch_size(batch_size)
        check = check_prompt_tag if check_tags else check_text
        for text in texts:
            check(text)
        embed = partial(self._embed_text, batch_size=batch_size)
        if self.config is not None and self.config.split_prompt:
            return embed_split_prompts(texts, embed) if texts else embed(texts)
        return embed(texts)

    def _embed_text(self, texts: Sequence[str], *, batch_size: int) -> np.ndarray:
        tokenizer = self.vocabulary()
        out = np.empty((len(texts), self.dims), dtype=np.float32)
        unknown: dict[bytes, str] = {}  # tokens with an unknown word piece -> the first such text
        for start in range(0, len(texts), batch_size):
            chosen = texts[start : start + batch_size]
            tokens = tokenizer.encode(chosen, max_tokens=self.model.config.max_tokens)
            for row in np.flatnonzero((tokens[0] == tokenizer.unknown_id).any(axis=1)):
                pieces = tokens[0][row][tokens[1][row]].tobytes()
                earlier = unknown.setdefault(pieces, chosen[row])
                if self.distinct_texts and label(earlier) != label(chosen[row]):
                    raise ConfigError(same_tokens(earlier, chosen[row]))
            ids, mask = (torch.from_numpy(array).to(self.device) for array in tokens)
            embeddings = self.model.text_embeddings(ids, mask)
            out[start : start + len(chosen)] = embeddings.cpu().numpy()
        return out

    def vocabulary(self) -> Tokenizer:
        """The model's tokenizer; for a released model see :meth:`embed_text`.

        Raises:
            ConfigError: there is none.
        """
        if self.tokenizer is None:
            self.tokenizer = checkpoint.find_tokenizer(self.model.config.vocab_size)
        return self.tokenizer

    def similarity(
        self,
        items: Iterable[PoseLike],
        texts: Iterable[str],
        *,
        long: LongPolicy = "truncate",
        batch_size: int = 64,
    ) -> np.ndarray:
        """Scores as in training: float32 (poses, texts).

        Scores are dot products, or cosines times the learned scale. With ``split_prompt``, a prompt
        with a language tag is the mean of two texts, so compare such prompts with each other, and
        prompts without a tag with each other.

        Args:
            batch_size: clips, and texts, computed at a time; no score depends on it.
        """
        clips = self.embed_pose(items, long=long, batch_size=batch_size)
        scores = clips @ self.embed_text(texts, batch_size=batch_size).T
        return scores * np.float32(torch.as_tensor(self.model.scale()).item())

    def save_pretrained(self, folder: Path | str, *, results: Path | str | None = _RESULTS) -> Path:
        """Write weights, configuration, tokenizer and a model card into a new folder.

        :func:`load` opens it; see :mod:`signclip.checkpoint` for the files.

        Args:
            results: a folder of result files; the card shows those of this run.

        Raises:
            ConfigError: the folder is not empty, or cannot be written.
            BusyError: another process is writing it.
        """
        folder = Path(folder)
        with checkpoint.new_folder(folder):
            self._export(folder, None if results is None else Path(results))
        return folder

    def _export(self, folder: Path, results: Path | None) -> None:
        from signclip import model_card  # imports pandas, which embedding does not need

        sections = model_card.sections(self.model.config, self.config, self.metrics, results)
        checkpoint.export(folder, self._run(), sections)

    def _run(self) -> checkpoint.Run:
        return checkpoint.Run(
            self.config, self.model, self.tokenizer, self.metrics, self.variant, self.prompt
        )


def load(
    path: Path | str,
    *,
    tokenizer: Tokenizer | Path | str | None = None,
    variant: str | None = None,
    prompt: str | None = None,
    **reference: Any,
) -> SignCLIPModel:
    """Load a model: ``signclip.load("runs/E3.2/0/letters-0")``, ``signclip.load("released.pt")``.

    Args:
        path: a run folder (the stage's folder may be left out:
            ``runs/<experiment>/<seed>/<split>[-<fold>]``), a folder that
            :meth:`SignCLIPModel.save_pretrained` or ``signclip import-checkpoint`` wrote, or a file
            released by the authors.
        tokenizer: the vocabulary of a model that comes without one: a folder with
            ``tokenizer.json`` or ``vocab.txt``, or a hub name (``bert-base-cased``).
        variant, prompt: of a model that was not trained here. The default for a released file is
            the variant with its number of dims a frame
            (:data:`signclip.model.released.VARIANTS`), and the prompt of its recipe
            (:func:`signclip.model.released.recipe`).
        reference: for a released file, the keyword arguments of
            :func:`signclip.checkpoint.from_reference`: ``max_frames``, ``normalise``, ...

    Raises:
        RunError: there is no finished run, or it is damaged.
        CheckpointError: the file is not a SignCLIP checkpoint, or would run code.
        ConfigError: the arguments do not fit the model, its prompt cannot be filled, or several
            stages have the run.
        LanguageTagError: the prompt has a sign-language tag that is not in the registry.
    """
    path = locate_run(Path(path))
    if path.is_file() or (path.suffix == ".pt" and not path.is_dir()):
        run = checkpoint.open_released(path, **reference)
    else:
        if reference:
            raise ConfigError(f"{path}: a folder; {', '.join(reference)} belong to released files")
        run = checkpoint.load(path)
    if run.config is not None and not (tokenizer is variant is prompt is None):
        raise ConfigError(f"{path}: a run; its tokenizer, variant and prompt are fixed")
    if tokenizer is not None and not isinstance(tokenizer, Tokenizer):
        tokenizer = Tokenizer.from_pretrained(tokenizer)
    run = run._replace(
        tokenizer=tokenizer or run.tokenizer,
        variant=run.variant if variant is None else variant,
        prompt=run.prompt if prompt is None else prompt,
    )
    if run.config is None:  # training has filled a run's prompt for every clip
        fill(run.prompt, text="house", sign_language="ase", spoken_language="en")
    return SignCLIPModel(run)


def import_checkpoint(path: Path | str, out: Path | str, **options: Any) -> SignCLIPModel:
    """:func:`load` a released file and :meth:`~SignCLIPModel.save_pretrained` it.

    Raises:
        CheckpointError, ConfigError, LanguageTagError: as the two do; or ``path`` is a folder.
        BusyError: another process is writing ``out``.
    """
    if Path(path).is_dir():
        raise ConfigError(f"{path}: a folder; signclip.load opens model folders as they are")
    out = Path(out)
    with checkpoint.new_folder(out):  # first, so that no work is lost if the folder cannot be used
        model = load(path, **options)
        parameters = sum(parameter.numel() for parameter in model.model.parameters())
        model.metrics = {**model.metrics, "parameters": parameters}
        model._export(out, None)
    return model
