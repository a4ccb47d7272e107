"""Removing a signer's appearance, as in the paper's anonymised experiments.

Decisions
* ``pose_anonymization.remove_appearance`` does the work: it normalises, then subtracts the
  difference between the clip's first frame and the mean signer of Spreadthesign from all points
  except the hands and the body's wrists, little fingers, index fingers and thumbs. This module only
  converts to and from its types.
* The appearance of a point that is missing in the first frame is not known. The library masks it in
  all frames, and here it is missing. (The authors' code uses the value under the mask, so that the
  model sees the signer's own point.) The 600 clips of the embedded corpus have no such point
  outside the hands.

Cost: 2 to 3 ms for 203 points, whatever the clip's length, nearly all of it in the library.
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
from signclip.poses.landmarks import BODY, Landmarks, PointName


def _header(names: tuple[PointName, ...]) -> PoseHeader:
    components = [
        PoseHeaderComponent(component, [point for _, point in group], [], [], "XYZC")
        for component, group in groupby(names, key=lambda name: name[0])
    ]
    return PoseHeader(0.2, PoseHeaderDimensions(1, 1, 1), components)


def remove_appearance(landmarks: Landmarks, *, sample: str = "pose") -> Landmarks:
    """Give a clip the mean signer's body and face. The units change, so normalise again.

    Raises:
        PoseError: the shoulders are not detected in the first frame, or a point does not belong to
            MediaPipe Holistic.
    """
    mean = {(part.name, point) for part in load_pose_header().components for point in part.points}
    unknown = [name for name in landmarks.names if name not in mean]
    if unknown:
        raise PoseError(sample, f"the mean signer has no point {' '.join(unknown[0])}")
    shoulders = [landmarks.names.index((BODY, f"{side}_SHOULDER")) for side in ("LEFT", "RIGHT")]
    if not landmarks.valid[0, shoulders].all():
        raise PoseError(
            sample,
            "a shoulder is not detected in the first frame, from which the appearance is taken",
        )
    confidence = landmarks.valid[:, None].astype(float)
    body = NumPyPoseBody(landmarks.fps, landmarks.xyz[:, None].copy(), confidence)
    data = _remove_appearance(Pose(_header(landmarks.names), body)).body.data[:, 0]
    valid = ~np.ma.getmaskarray(data).any(axis=-1)
    return replace(landmarks, xyz=data.filled(0), valid=valid)
