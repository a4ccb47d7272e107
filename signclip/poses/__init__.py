"""Poses: read a clip's file, check it, and compute a model's input features from it.

Decisions
* What other packages need is imported from here. The modules are :mod:`.reader` (files),
  :mod:`.checks`, :mod:`.landmarks` (names of points, arrays), :mod:`.variants` (features), and the
  steps that variants consist of: :mod:`.normalisation`, :mod:`.hands`, :mod:`.mirror`,
  :mod:`.anonymise`, :mod:`.sign_vq`.
* A missing point is (0, 0, 0), the middle of the shoulders, as in the authors' code; which points
  were detected is kept beside the coordinates.

Cost: about 1 ms to read a ``.pose`` file, and about 1 ms for a variant of it.

Units: normalised coordinates are shoulder widths (of hands without a body: an estimate of them, see
:func:`signclip.poses.hands.normalise_hands_alone`). In MediaPipe's ``.pose`` files ``z`` is about
100 times smaller than ``x`` and ``y``, because pose-format multiplies only these by the picture's
size (the variant ``signing`` corrects it).
"""

from __future__ import annotations

from signclip.poses.checks import check_pose, check_values
from signclip.poses.landmarks import Features, Landmarks, to_landmarks
from signclip.poses.normalisation import centre_and_scale, has_body, hidden_legs, normalise
from signclip.poses.reader import parse_pose, read_pose
from signclip.poses.variants import (
    VARIANTS,
    CheckedPose,
    Variant,
    features,
    point_names,
    preprocess,
    select,
)

__all__ = [
    "VARIANTS",
    "CheckedPose",
    "Features",
    "Landmarks",
    "Variant",
    "centre_and_scale",
    "check_pose",
    "check_values",
    "features",
    "has_body",
    "hidden_legs",
    "normalise",
    "parse_pose",
    "point_names",
    "preprocess",
    "read_pose",
    "select",
    "to_landmarks",
]
