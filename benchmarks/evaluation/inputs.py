"""What an encoder is given for a clip: packed features, or the clip's file in another form.

Decisions
* An encoder's metadata says its input (:class:`benchmarks.encoder_metadata.Input`). A variant that
  is packed is read from its feature store; everything else is read from the clip's file when the
  clip is needed, so an encoder from outside needs no packing.
* Both have the same reading side (:class:`Clips`): ids, fingerprints, and a clip's item by id.
* Keypoints are in the units of the file (pixels for MediaPipe); a missing point is (0, 0, 0).
* The video of a clip lies beside its pose file, with the same stem.

Cost: 1 ms to read a ``.pose`` file, 1 ms to compute a variant of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd

from benchmarks.encoder_metadata import Input
from signclip import corpora
from signclip.core import files
from signclip.core.errors import ConfigError, PoseError
from signclip.core.workspace import Workspace
from signclip.features import store
from signclip.features.store import FeatureStore, corpus_fingerprint
from signclip.poses import features, read_pose, to_landmarks
from signclip.poses.landmarks import PointName, index_of
from signclip.poses.reader import VIDEO_SUFFIXES
from signclip.poses.variants import find_variant


class Clips(Protocol):
    """The clips of a corpus as an encoder reads them."""

    meta: dict[str, Any]  # corpus_fingerprint, variant (a name of the input), sha256
    index: pd.DataFrame  # column id

    def __contains__(self, clip: str) -> bool: ...
    def __getitem__(self, clip: str) -> Any: ...
    def values(self, clip: str) -> Any: ...


class ClipFiles:
    """The clips of a corpus, read from their files when they are accessed.

    Args:
        clips: the manifest.
        root: the corpus's folder, to which the manifest's paths are relative.

    Raises:
        ConfigError: the variant is not known; no clip has a video.
    """

    def __init__(self, clips: pd.DataFrame, root: Path, read: Input):
        self._root, self._read = root, read
        if read.kind == "variant":
            find_variant(str(read.variant))
        paths = {clip: root / path for clip, path in zip(clips["id"], clips["path"], strict=True)}
        if read.kind == "video":
            videos = {clip: _video(path) for clip, path in paths.items()}
            paths = {clip: path for clip, path in videos.items() if path is not None}
            if not paths:
                raise ConfigError(f"{root}: no clip has a video beside its pose file")
        self._paths = paths
        self.index = pd.DataFrame({"id": list(paths)})
        self.meta = {
            "corpus_fingerprint": corpus_fingerprint(clips),
            "variant": read.variant or read.kind,
            "sha256": files.fingerprint([read.model_dump(mode="json"), list(clips["sha256"])]),
        }

    def __len__(self) -> int:
        return len(self._paths)

    def __contains__(self, clip: str) -> bool:
        return clip in self._paths

    def values(self, clip: str) -> Any:
        """A clip as :class:`benchmarks.encoder_metadata.Input` describes it.

        Raises:
            PoseError: its file is damaged or lacks a point.
        """
        item = self[clip]
        return item.values if self._read.kind == "variant" else item

    def __getitem__(self, clip: str) -> Any:
        """As :meth:`values`; for a variant :class:`signclip.poses.Features`."""
        path = self._paths[clip]
        if self._read.kind == "video":
            return path
        pose = read_pose(path, sample=clip)
        if self._read.kind == "pose":
            return pose
        if self._read.kind == "variant":
            return features(pose, str(self._read.variant), sample=clip)
        landmarks = to_landmarks(pose)
        chosen = _columns(landmarks.names, self._read.keypoints or (), clip)
        return landmarks.xyz[:, chosen].astype(np.float32)


def open_clips(read: Input, clips: pd.DataFrame, workspace: Workspace, corpus: str) -> Clips:
    """The clips of a built corpus as an encoder's input.

    Raises:
        StoreError: the feature store was packed from another manifest, or is damaged.
        ConfigError: the corpus's files are not there, or the input is not to be had of it.
    """
    if read.kind == "variant":
        folder = workspace.store(corpus, str(read.variant))
        if (folder / store.META).is_file():
            return FeatureStore.of(clips, folder)
    return ClipFiles(clips, corpora.root(corpus, params=workspace.params), read)


def _video(path: Path) -> Path | None:
    return next((found for x in VIDEO_SUFFIXES if (found := path.with_suffix(x)).is_file()), None)


def _columns(names: tuple[PointName, ...], wanted: Sequence[str], clip: str) -> list[int]:
    """Positions of keypoints: of a component's points, or of one ``COMPONENT:POINT``."""
    index = index_of(names)
    found: list[int] = []
    for one in wanted:
        component, _, point = one.partition(":")
        here = [i for (name, _), i in index.items() if name == component]
        if point:
            here = [index[component, point]] if (component, point) in index else []
        if not here:
            components = ", ".join(dict.fromkeys(name for name, _ in names))
            raise PoseError(clip, f"has no keypoints {one!r}; its components are {components}")
        found += here
    return found
