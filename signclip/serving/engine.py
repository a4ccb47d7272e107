"""The model and the index behind the routes.

Decisions
* One thread computes embeddings, in batches (:mod:`.batching`), with all threads of torch; two
  others read clips and search, so that a large clip delays nobody's answer.
* Answers hold finite numbers only; an embedding that is not is an error that names its item.
* Whoever asks learns ids, texts and skeletons of an index, not the paths of its clips.

Cost: the memory of the model and of the words; the index is memory-mapped.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from signclip.core import files
from signclip.core.errors import ConfigError, SampleError
from signclip.poses import reader
from signclip.search import index as signs
from signclip.search import skeletons
from signclip.search.queries import prompts
from signclip.search.sources import with_pose
from signclip.serving import uploads
from signclip.serving.batching import Batcher
from signclip.serving.limits import Limits, Refused
from signclip.serving.videos import Videos
from signclip.serving.words import Words

if TYPE_CHECKING:
    from signclip.inference import SignCLIPModel

Value = TypeVar("Value")
_READERS = 2  # threads


class Engine:
    """What the routes call.

    Args:
        words: most words of the index that a clip is compared with.
        videos: take videos, and extract their poses.
        batch: items of a forward pass.
        wait: seconds that the first request of a batch waits for others.

    Attributes:
        fingerprint: of the model.
        texts, clips: the two batchers.
    """

    def __init__(
        self,
        model: SignCLIPModel,
        index: signs.Index | None = None,
        *,
        limits: Limits | None = None,
        words: int = 20_000,
        videos: bool = True,
        batch: int = 32,
        wait: float = 0.004,
    ):
        self.model, self.index, self.limits = model, index, limits or Limits()
        self.fingerprint = signs.fingerprint(model)
        self.words = None if index is None else Words(index, model, words)
        self._videos = Videos() if videos else None
        self._readers = ThreadPoolExecutor(_READERS, "reader")
        self._computing = ThreadPoolExecutor(1, "model")
        timing: dict[str, Any] = dict(most=batch, wait=wait)
        self.texts: Batcher[str] = Batcher(model.embed_text, self._computing, **timing)
        self.clips: Batcher[np.ndarray] = Batcher(self._embed, self._computing, **timing)

    def _embed(self, features: list[np.ndarray]) -> np.ndarray:
        return self.model.embed_pose(features)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The batchers at work; afterwards the threads are ended."""
        tasks = [asyncio.create_task(batcher.run()) for batcher in (self.texts, self.clips)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for pool in (self._readers, self._computing):
                pool.shutdown(wait=False, cancel_futures=True)

    async def _in_reader(self, function: Callable[..., Value], *arguments: Any) -> Value:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, function, *arguments)

    def prompts(
        self, texts: Sequence[str], sign_language: str, spoken_language: str, as_they_are: bool
    ) -> list[str]:
        """The prompts of texts.

        Raises:
            Refused: there are too many, one is blank or too long, or the model needs a language.
            LanguageTagError, ConfigError: a prompt cannot be made.
        """
        if len(texts) > self.limits.batch:
            raise Refused(413, f"{len(texts)} texts; at most {self.limits.batch} are taken")
        for position, text in enumerate(texts):
            if len(text) > self.limits.text:
                reason = f"text {position}: {len(text):,} characters; at most {self.limits.text:,}"
                raise Refused(413, reason)
            if not text.strip():
                raise Refused(422, f"text {position}: blank")
        # complete prompts need no template, and so no sign language
        if as_they_are or all(text.lstrip().startswith("<") for text in texts):
            return list(texts)
        given = dict(sign_language=sign_language, spoken_language=spoken_language)
        try:
            return prompts(self.model, texts, **given)
        except ConfigError:
            if sign_language:
                raise
            needed = f"the model's prompts name a sign language ({self.model.prompt})"
            raise Refused(422, f"{needed}: give one as sign_language") from None

    async def embed_texts(self, filled: Sequence[str]) -> np.ndarray:
        """Embeddings of complete prompts: float32 (n, d).

        Raises:
            ConfigError, LanguageTagError: as :meth:`signclip.inference.SignCLIPModel.embed_text`.
            Refused: an embedding is not finite.
        """
        return _finite(await self.texts(filled), filled)

    async def embed_clips(
        self, given: Sequence[uploads.Upload]
    ) -> tuple[list[uploads.Clip], np.ndarray]:
        """The clips and their embeddings, float32 (n, d).

        Raises:
            PoseError: a clip cannot be used.
            VideoError: a video has no pose.
            Refused: a clip is over the limits, or a video where none are taken, or an embedding is
                not finite.
        """
        parsed = [
            await self._in_reader(uploads.parse, await self._pose(one), self.model, self.limits)
            for one in given
        ]
        rows = await self.clips([clip.features for clip in parsed])
        return parsed, _finite(rows, [clip.name for clip in parsed])

    async def _pose(self, given: uploads.Upload) -> uploads.Upload:
        """A video's pose; any other clip as it is."""
        if not reader.is_video(f"clip{given.suffix}"):
            return given
        if self._videos is None:
            raise Refused(415, f"{given.name}: a video; this server takes poses only")
        data = await self._videos.pose(given.name, given.data, self.limits.frames)
        return uploads.Upload(given.name, data, ".pose")

    def require_index(self) -> signs.Index:
        """The index.

        Raises:
            Refused: there is none.
        """
        if self.index is None:
            raise Refused(404, "this server has no index; start it with --index INDEX")
        return self.index

    async def search(
        self, vector: np.ndarray, k: int, sign_language: str, *, cosine: bool
    ) -> list[signs.Hit]:
        """The best signs for an embedding (d,); see :meth:`signclip.search.Index.search`."""
        index = self.require_index()

        def find() -> list[signs.Hit]:
            return index.search(vector[None], k, sign_language or None, cosine=cosine)[0]

        return await self._in_reader(find)

    async def skeleton(self, row: int) -> tuple[signs.Hit, dict[str, Any]]:
        """A sign of the index and what is drawn of it: fps, frames, cut.

        Raises:
            Refused: there is no such row, or its clip cannot be read.
        """
        index = self.require_index()
        if not 0 <= row < len(index):
            raise Refused(404, f"no sign {row}; the index has {len(index):,}, from 0 on")
        hit = index.hit(row)
        return hit, await self._in_reader(self._skeleton, hit)

    def _skeleton(self, hit: signs.Hit) -> dict[str, Any]:
        path = with_pose(Path(hit.path))
        try:
            if reader.is_video(path):
                raise Refused(404, f"{hit.id}: a video without a pose beside it cannot be drawn")
            if files.check_regular(path) > self.limits.body:
                raise Refused(404, f"{hit.id}: its file is too large to be drawn")
            found = skeletons.skeleton(path)
        except SampleError as problem:
            raise Refused(404, f"{hit.id}: {problem.reason}") from None
        except OSError as problem:
            raise Refused(404, f"{hit.id}: cannot be read ({problem.strerror})") from None
        cut = len(found.xy) > self.limits.skeleton
        frames = skeletons.whole_numbers(found.xy[: self.limits.skeleton])
        return {"fps": found.fps, "frames": frames, "cut": cut}


def _finite(rows: np.ndarray, names: Sequence[str]) -> np.ndarray:
    bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if len(bad):
        raise Refused(422, f"{names[bad[0]]}: the model's embedding of it is not finite")
    return rows
