"""The reference's clips and numbers: our own small copy, and all of them where they are at hand.

``tests/golden/variants.npz`` holds, as float32, every second number of ``fs_small`` and every
seventh of ``fs_gappy_hands`` from ``../shared/reference/preprocess/<name>.<clip>.npz``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from pose_format import Pose

from signclip import poses

OWN_COPY = Path(__file__).parents[1] / "golden" / "variants.npz"
LEXICON_CLIPS = {
    "fs_small": "gss/fs-sts15d91ae5814762b8db5918873547e20b.pose",  # 6 frames, no left hand
    "fs_gappy_hands": "mfs/fs-sts9f6aa264d7e77a57ed62bfd2a3e5a154.pose",  # 23 frames
}
KEPT = {"fs_small": 2, "fs_gappy_hands": 7}  # our own copy has every n-th number


@dataclass(frozen=True)
class Reference:
    """One clip, and what the reference makes of it."""

    pose: Pose
    numbers: Callable[[str], np.ndarray]  # every ``step``-th of a variant's numbers, in one row
    step: int

    def check(self, ours: np.ndarray, name: str) -> None:
        """Agreement: equal shapes, and |a - b| <= 1e-5 * max(1, |b|)."""
        assert ours.dtype == np.float32
        theirs, ours = self.numbers(name), ours.ravel()[:: self.step]
        assert ours.shape == theirs.shape
        assert (np.abs(ours - theirs) / np.maximum(1, np.abs(theirs))).max() <= 1e-5


@dataclass(frozen=True)
class WholeReference(Reference):
    """All its numbers, and what it masks."""

    mask: Callable[[str], np.ndarray]  # bool (frames, dims), True = missing


def _own_copy(clip: str, embedded) -> Reference:
    copy = np.load(OWN_COPY)
    pose = poses.read_pose(embedded.root / LEXICON_CLIPS[clip])
    return Reference(pose, lambda name: copy[f"{name}.{clip}"], KEPT[clip])


def _whole(clip: str, embedded, shared) -> WholeReference:
    folder = shared("reference/preprocess")

    def load(name: str) -> np.lib.npyio.NpzFile:
        return np.load(folder / f"{name}.{clip}.npz")

    path = folder / "house.pose" if clip == "house" else embedded.root / LEXICON_CLIPS[clip]
    pose = poses.read_pose(path)
    return WholeReference(
        pose, lambda name: load(name)["feat"].ravel(), 1, lambda name: load(name)["mask"]
    )


@pytest.fixture(scope="session", params=[*(f"{clip}-own-copy" for clip in KEPT), *KEPT, "house"])
def reference(request, embedded, shared) -> Reference:
    """Each clip of the reference's: our own copy, then the whole of it where ../shared is there."""
    clip = request.param.removesuffix("-own-copy")
    return _whole(clip, embedded, shared) if clip == request.param else _own_copy(clip, embedded)


@pytest.fixture(scope="session", params=[*KEPT, "house"])
def whole_reference(request, embedded, shared) -> WholeReference:
    """Each clip of the reference's with its masks; skips without ../shared."""
    return _whole(request.param, embedded, shared)


@pytest.fixture(scope="session", params=LEXICON_CLIPS)
def real_pose(request, embedded) -> Pose:
    """Real clips that need nothing beside the checkout. Not to be changed."""
    return poses.read_pose(embedded.root / LEXICON_CLIPS[request.param])
