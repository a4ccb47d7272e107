"""Using a trained model: embed poses, embed texts, compare them.

Decisions
* Embeddings do not depend on company: masks are honoured, so a list gives what each item alone
  gives (up to float32 rounding).
* A clip longer than the model's ``max_frames`` is cut to its first frames, as in training, or left
  out, or embedded window by window; each time counted in ``SignCLIPModel.long_clips`` and logged.
* ``embed_pose`` needs no tokenizer and ``embed_text`` no pose tower.
* Texts are embedded as they are; only a sign-language tag that nobody trained with is refused,
  because to the model it would be just other word pieces.

Cost: the features of at most ``_CHUNK`` clips are in memory at a time (0.2 GB at 609 numbers a
frame and 256 frames).
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import torch
from pose_format import Pose

from signclip import checkpoint, poses
from signclip.core import files
from signclip.core.errors import ConfigError, PoseError, SampleError
from signclip.core.progress import bar
from signclip.core.workspace import locate_run
from signclip.model import long_clips, released
from signclip.model.towers import SignCLIP
from signclip.poses import reader
from signclip.poses.checks import NUMBER_KINDS
from signclip.text import (
    BERT_VOCABULARIES,
    Tokenizer,
    check_prompt_tag,
    check_text,
    embed_split_prompts,
)
from signclip.text import prompt as fill

PoseLike = Pose | Path | str | np.ndarray | torch.Tensor
# what becomes of a clip over max_frames
LongPolicy = Literal["truncate", "drop", "windows"]
_CHUNK = 256
_log = logging.getLogger(__name__)


class Embedded(NamedTuple):
    """Embeddings of the clips that have one, and what became of the others.

    Attributes:
        embeddings: float32 (kept, d).
        kept: int64 (kept,), the positions in the given list that the rows belong to, ascending.
        long: positions of clips over ``max_frames``; with the policy ``drop`` they are not kept.
        errors: position -> why the clip cannot be used.
    """

    embeddings: np.ndarray
    kept: np.ndarray
    long: list[int]
    errors: dict[int, SampleError]


class SignCLIPModel:
    """A model with its preprocessing and tokenizer.

    Attributes:
        model: the two towers; calling this object calls it.
        variant: of the features that it sees; None: not known, then only features can be embedded.
        prompt: template of the texts that it was trained with.
        config: the run that it comes from; None where it was trained elsewhere.
        long_clips: how many clips over ``max_frames`` were met so far, by policy.
    """

    def __init__(self, run: checkpoint.Run):
        self.model: SignCLIP = run.model.eval()
        self.config, self.metrics = run.config, run.metrics
        self.variant, self.prompt = run.variant, run.prompt
        self.long_clips: Counter[str] = Counter()
        self.tokenizer = run.tokenizer
        if self.tokenizer is not None:
            self._check_vocabulary(self.tokenizer)
        if self.variant is not None:
            self._check_variant(self.variant)

    def __call__(self, *args, **kwargs):
        """The towers themselves; see :meth:`signclip.model.towers.SignCLIP.forward`."""
        return self.model(*args, **kwargs)

    def _check_variant(self, variant: str) -> None:
        if variant not in poses.VARIANTS:
            raise ConfigError(f"unknown variant {variant!r}; there are {', '.join(poses.VARIANTS)}")
        dims, own = poses.VARIANTS[variant].dims, self.model.config.frame_dims
        if dims is not None and dims != own:
            raise ConfigError(f"variant {variant!r} has {dims} numbers a frame, the model {own}")

    def _check_vocabulary(self, tokenizer: Tokenizer) -> None:
        own = self.model.config.vocab_size
        if tokenizer.vocab_size != own:
            name = f" ({BERT_VOCABULARIES[own]})" if own in BERT_VOCABULARIES else ""
            raise ConfigError(
                f"the tokenizer has {tokenizer.vocab_size} word pieces, the model's text tower "
                f"{own}{name}: not its vocabulary"
            )

    def to(self, device: str | torch.device) -> SignCLIPModel:
        """Move the towers to a device, e.g. ``"cuda"``; embeddings still come back as arrays.

        Raises:
            ConfigError: there is no such device here.
        """
        try:
            self.model.to(device)
        except (AssertionError, RuntimeError) as error:  # torch built without it, or no such name
            reason = str(error).splitlines()[0]
            raise ConfigError(f"device {str(device)!r} cannot be used ({reason})") from None
        return self

    @property
    def dims(self) -> int:
        """Numbers an embedding."""
        return self.model.config.hidden_size

    @property
    def device(self) -> torch.device:
        """Where the towers are."""
        return next(self.model.parameters()).device

    def features(self, pose: PoseLike, *, sample: str = "pose") -> np.ndarray:
        """What the pose tower sees of a pose: float32 (frames, dims).

        Raises:
            PoseError: the pose cannot be used; or features are no real numbers, have another shape
                than the model takes, or fail :func:`signclip.poses.check_values`.
            ConfigError: the model's variant is not known.
        """
        if isinstance(pose, str | Path):
            sample, pose = str(pose), _read(pose)
        if isinstance(pose, Pose):
            if self.variant is None:
                raise ConfigError(
                    f"it is not known which variant the model's {self.model.config.frame_dims} "
                    "numbers a frame are: load it with variant=..., or give features"
                )
            values = poses.features(pose, self.variant, sample=sample).values
        else:
            values = _numbers(pose, sample=sample)
        dims = self.model.config.frame_dims
        # of poses too: some variants have as many points as the file
        if values.ndim != 2 or values.shape[1] != dims or not len(values):
            raise PoseError(
                sample,
                f"features of shape {values.shape}; (frames, {dims}) with a frame is expected",
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
            items: any iterable but a mapping; each a ``pose_format.Pose``, the path of a
                pose file (see :mod:`signclip.poses.reader`) or of a video, or features (frames,
                dims; an array or a tensor) of the model's variant.
            ids: what errors call the items that are no paths; default their positions.
            long: what becomes of a clip over ``max_frames``. ``truncate``: its first frames (as in
                training); ``windows``: the mean over consecutive windows of ``max_frames``, each
                weighted by its frames; ``drop``: no row at all (:meth:`embed_clips` tells which
                rows are whose).
            batch_size: clips (windows) computed at a time; no embedding depends on it.

        Raises:
            PoseError, VideoError: an item cannot be used; its path, id or position is named.
            ConfigError: an argument is out of range.
            TypeError: a single pose, or a mapping.
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
        """:meth:`embed_pose`, telling what became of each item.

        Args:
            keep_going: collect unusable items in ``errors`` instead of stopping at the first.
            progress: show a progress bar.

        Raises:
            PoseError, VideoError: an item cannot be used, without ``keep_going``.
        """
        items = _listed(items, "poses")
        if long not in get_args(LongPolicy):
            raise ConfigError(f"long={long!r}; there are {', '.join(get_args(LongPolicy))}")
        _check_batch_size(batch_size)
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

        A released model has no vocabulary with it; ``bert-base-cased`` (or ``-uncased``, by the
        size of the text tower) is then looked for in the hub's cache and on the hub.

        Args:
            check_tags: refuse prompts like ``<en> <lis> house`` whose tag is not in the registry.
            batch_size: texts computed at a time; no embedding depends on it.

        Raises:
            ConfigError: there is no vocabulary, a text cannot be written as UTF-8, or
                ``batch_size`` is out of range.
            LanguageTagError: see ``check_tags``; near tags are named.
            TypeError: a single text, or a mapping.
        """
        texts = _listed(texts, "texts")
        _check_batch_size(batch_size)
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
        for start in range(0, len(texts), batch_size):
            chosen = texts[start : start + batch_size]
            tokens = tokenizer.encode(chosen, max_tokens=self.model.config.max_tokens)
            out[start : start + len(chosen)] = (
                self.model.text_embeddings(
                    *(torch.from_numpy(array).to(self.device) for array in tokens)
                )
                .cpu()
                .numpy()
            )
        return out

    def vocabulary(self) -> Tokenizer:
        """The model's vocabulary; a released model's is looked for, see :meth:`embed_text`.

        Raises:
            ConfigError: there is none.
        """
        if self.tokenizer is None:
            size = self.model.config.vocab_size
            needed = BERT_VOCABULARIES.get(size, "its own")
            hint = (
                f"embed_text needs the model's vocabulary ({needed}, {size} word pieces), which is "
                "not stored with it: load it with tokenizer=... (on the command line --tokenizer), "
                "a folder with tokenizer.json or vocab.txt"
            )
            if size not in BERT_VOCABULARIES:
                raise ConfigError(hint)
            try:
                tokenizer = Tokenizer.from_pretrained(needed)
            except ConfigError as error:
                raise ConfigError(f"{hint}. Tried: {error}") from None
            self._check_vocabulary(tokenizer)
            self.tokenizer = tokenizer
        return self.tokenizer

    def similarity(
        self,
        items: Iterable[PoseLike],
        texts: Iterable[str],
        *,
        long: LongPolicy = "truncate",
        batch_size: int = 64,
    ) -> np.ndarray:
        """Scores as the model was trained: float32 (poses, texts).

        They are dot products, or cosines, times the temperature's scale where one was learned. A
        prompt whose language was trained apart is the mean of two texts, its score that of theirs:
        compare it with others that have a language's tag, and texts without one with each other.

        Args:
            batch_size: clips, and texts, computed at a time; no score depends on it.
        """
        clips = self.embed_pose(items, long=long, batch_size=batch_size)
        scores = clips @ self.embed_text(texts, batch_size=batch_size).T
        return scores * np.float32(torch.as_tensor(self.model.scale()).item())

    def save_pretrained(self, folder: Path | str) -> Path:
        """Write weights, configuration, tokenizer and a model card into a new folder.

        :func:`load` opens it; see :mod:`signclip.checkpoint` for the files.

        Raises:
            ConfigError: the folder is there and not empty, or it cannot be written.
            BusyError: another process is writing it.
        """
        folder = Path(folder)
        with _new_folder(folder):
            self._write(folder)
        return folder

    def _write(self, folder: Path) -> None:
        run = checkpoint.Run(
            self.config, self.model, self.tokenizer, self.metrics, self.variant, self.prompt
        )
        with files.atomic_folder(folder) as partial:
            checkpoint.save(
                partial,
                self.model,
                self.tokenizer,
                self.config,
                self.metrics,
                variant=self.variant,
                prompt=self.prompt,
            )
            card = checkpoint.card(run, folder.name)
            (partial / checkpoint.CARD).write_text(card, encoding="utf-8")


@contextmanager
def _new_folder(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder that is not there yet, or is empty."""
    if files.as_text(folder) != str(folder):
        raise ConfigError(f"{folder}: not UTF-8, so safetensors could not read it; give another")
    with files.writing(folder):
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise ConfigError(f"{folder}: is there already; give a new folder")
        yield


def _listed(given: Iterable[Any], what: str) -> list[Any]:
    if isinstance(given, Mapping):
        raise TypeError(f"a list of {what} is expected, not a mapping; give its values")
    if isinstance(given, str | Path | Pose) or not isinstance(given, Iterable):
        raise TypeError(f"a list of {what} is expected; put a single one into a list")
    return list(given)


def _check_batch_size(batch_size: int) -> None:
    if batch_size < 1:
        raise ConfigError(f"batch_size={batch_size}, must be at least 1")


def _read(path: Path | str) -> Pose:
    """The pose of a clip's file in any known format, or of a video, which takes 50 ms a frame.

    Raises:
        PoseError, VideoError: it cannot be used.
    """
    if not reader.is_video(path):
        return reader.read_pose(path)
    from signclip.extraction import holistic  # MediaPipe's readers, half a second

    return holistic.pose_of(path)


def _numbers(given: Any, *, sample: str) -> np.ndarray:
    """An array, a tensor or nested lists as float32; what does not fit becomes infinite."""
    try:
        if isinstance(given, torch.Tensor):
            if given.is_complex():
                raise TypeError
            given = given.detach().to("cpu", torch.float32).numpy()
        # under a mask anything may lie; a missing point is zero
        values = np.asarray(np.ma.filled(given, 0))
        if values.dtype.kind not in NUMBER_KINDS:
            raise TypeError
        with np.errstate(over="ignore"):
            return values.astype(np.float32, copy=False)
    except (TypeError, ValueError, RuntimeError):  # a sparse tensor, for one
        raise PoseError(sample, "no pose, no path, and no array of numbers") from None


def load(
    path: Path | str,
    *,
    tokenizer: Tokenizer | Path | str | None = None,
    variant: str | None = None,
    prompt: str | None = None,
    **reference: Any,
) -> SignCLIPModel:
    """Open a model: ``signclip.load("runs/E3.2/0/letters-0")``, ``signclip.load("released.pt")``.

    Args:
        path: a run folder, a folder that :meth:`SignCLIPModel.save_pretrained` or
            ``signclip import-checkpoint`` wrote, or one of the authors' files.
        tokenizer: a vocabulary for a model that has none with it: a folder with ``tokenizer.json``
            or ``vocab.txt``, or a hub's name (``bert-base-cased``).
        variant, prompt: of a model that was not trained here. Default of a file: by its number of
            dims a frame, see :data:`signclip.model.released.VARIANTS`, and the prompt of its recipe, see
            :func:`signclip.model.released.recipe`.
        reference: for a file, the keyword arguments of
            :func:`signclip.checkpoint.from_reference`: ``max_frames``, ``normalise``, ...

    Raises:
        RunError: there is no finished run, or it is damaged.
        CheckpointError: the file is not a SignCLIP checkpoint, or would run code.
        ConfigError: the arguments do not fit the model, or its prompt cannot be filled.
        LanguageTagError: the prompt has a sign-language tag that is not in the registry.
    """
    path = locate_run(Path(path))
    if path.is_file() or (path.suffix == ".pt" and not path.is_dir()):
        model = checkpoint.from_reference(path, **reference)
        known = released.VARIANTS.get(model.config.frame_dims)
        usual = released.recipe(model.config.vocab_size, model.config.conv_layers)
        source = {"source": _source(path)}
        run = checkpoint.Run(None, model, None, source, known, usual.prompt)
    else:
        if reference:
            raise ConfigError(f"{path}: a folder; {', '.join(reference)} belong to released files")
        run = checkpoint.load(path)
    if run.config is not None and not (tokenizer is variant is prompt is None):
        raise ConfigError(f"{path}: a run; its tokenizer, variant and prompt are fixed")
    if tokenizer is not None and not isinstance(tokenizer, Tokenizer):
        tokenizer = Tokenizer.from_pretrained(tokenizer)
    given = {"tokenizer": tokenizer, "variant": variant, "prompt": prompt}
    run = run._replace(**{name: value for name, value in given.items() if value is not None})
    if run.config is None:  # a run's prompt was filled for every clip that it was trained on
        fill(run.prompt, text="house", sign_language="ase", spoken_language="en")
    return SignCLIPModel(run)


def _source(path: Path) -> dict[str, str]:
    """What a model card says of where the weights come from."""
    return {"file": path.name, "sha256": files.sha256_file(path)}


def import_checkpoint(path: Path | str, out: Path | str, **options: Any) -> SignCLIPModel:
    """:func:`load` a released file and :meth:`~SignCLIPModel.save_pretrained` it.

    Raises:
        CheckpointError, ConfigError, LanguageTagError: as the two do; or ``path`` is a folder.
        BusyError: another process is writing ``out``.
    """
    if Path(path).is_dir():
        raise ConfigError(f"{path}: a folder; signclip.load opens it as it is, if it is a model's")
    out = Path(out)
    with _new_folder(out):  # before the work: a place that cannot be had should not cost it
        model = load(path, **options)
        model.metrics = {
            "source": _source(Path(path)),
            "parameters": sum(parameter.numel() for parameter in model.model.parameters()),
        }
        model._write(out)
    return model
