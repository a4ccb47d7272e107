"""What clips are grouped by where they are not independent: signers, else sign languages.

Decision: signers where they are recorded for every clip, else sign languages, else nothing. Too few
groups are no groups; how many are enough is the caller's: an interval needs two, an exact test six.

Cost: milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

KINDS = ("signers", "sign languages")  # coarsest last; in the order of `About`
CLIPS = "clips"

About = Mapping[str, tuple[str, str]]  # clip -> signer, sign language; empty: not recorded


class Groups(NamedTuple):
    """The groups of some clips.

    Attributes:
        kind: of :data:`KINDS`, or ``clips``: each clip is by itself.
        of_clip: clip -> its group; empty: each clip is by itself.
        why: why nothing else is resampled; empty for signers.
    """

    kind: str
    of_clip: dict[str, str]
    why: str = ""

    @property
    def count(self) -> int:
        """Number of groups."""
        return len(set(self.of_clip.values()))


def choose_groups(clips: Sequence[str], about: About, *, least: int = 2) -> Groups:
    """The first of :data:`KINDS` that is recorded for all clips and of which there are enough.

    Args:
        clips: their ids.
        least: number of groups that are enough.
    """
    reasons = []
    for number, kind in enumerate(KINDS):
        of_clip = {clip: about.get(clip, ("", ""))[number] for clip in clips}
        found = set(of_clip.values())
        if "" in found:
            reasons.append(f"{kind} are not recorded")
        elif len(found) < least:
            count = f"{len(found)} {kind}" if len(found) > 1 else f"1 {kind[:-1]}"
            reasons.append(f"{count}: too few to resample")
        else:
            return Groups(kind, of_clip, "; ".join(reasons))
    return Groups(CLIPS, {}, "; ".join(reasons))
