"""Removing a signer's appearance, as the paper's anonymised rows do.

Decisions
* The work is the library's (``pose_anonymization.remove_appearance``): normalise, subtract what
  distinguishes the clip's first frame from the mean signer of Spreadthesign, for all points but the
  hands and the body's wrists, little fingers, index fingers and thumbs. Here are only the ways in
  and out.
* A point that the first frame lacks has no known appearance. The library masks it in all frames,
  and here it is missing. (The reference lets the number under the mask through: there the model
  sees such a point as the signer's own.) The 600 clips of the embedded corpus have no such point
  outside the hands.

Cost: 2 to 3 ms a clip of 203 points, nearly all of it the library's and whatever its length.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby

import numpy as np
from pose_anonymization.appearance import remove_appearance as _remove_appearance
from pose_anonymization.data import load_pose_header
from pose_format import Pose
from pose_format.numpy import NumPyPoseBody
from pose_format.pose_header import PoseHeader, PoseHeaderComponent, PoseHeaderDimensions

from signclip.core.errors import PoseError
from signclip.poses.landmarks import BODY, Landmarks, Name


def _header(names: tuple[Name, ...]) -> PoseHeader:
    components = [
        PoseHeaderComponent(component, [point for _, point in group], [], [], "XYZC")
        for component, group in groupby(names, key=lambda name: name[0])
    ]
    return PoseHeader(0.2, PoseHeaderDimensions(1, 1, 1), components)


def remove_appearance(marks: Landmarks, *, sample: str = "pose") -> Landmarks:
    """The landmarks with the mean signer's body and face; their units change, so normalise again.

    Raises:
        PoseError: the shoulders are not detected in the first frame, or a point is none of
            MediaPipe Holistic's.
    """
    mean = {(part.name, point) for part in load_pose_header().components for point in part.points}
    unknown = [name for name in marks.names if name not in mean]
    if unknown:
        raise PoseError(sample, f"the mean signer has no point {' '.join(unknown[0])}")
    shoulders = [marks.names.index((BODY, f"{side}_SHOULDER")) for side in ("LEFT", "RIGHT")]
    if not marks.valid[0, shoulders].all():
        raise PoseError(
            sample,
            "a shoulder is not detected in the first frame, from which the appearance is taken",
        )
    body = NumPyPoseBody(marks.fps, marks.xyz[:, None].copy(), marks.valid[:, None].astype(float))
    data = _remove_appearance(Pose(_header(marks.names), body)).body.data[:, 0]
    valid = ~np.ma.getmaskarray(data).any(axis=-1)
    return replace(marks, xyz=data.filled(0), valid=valid)
