"""The mean shape of the right hand, from the keypoints of the file.

signbench run examples.hand_shape:HandShape
"""

import numpy as np


class HandShape:
    """Embeds a clip as the mean of its hand shapes, relative to the wrist and of unit size."""

    metadata = {
        "name": "hand-shape",
        "revision": "1",
        "title": "mean shape of the right hand",
        "authors": ["The SignCLIP benchmark suite authors"],
        "licence": "MIT",
        "link": None,
        "training_corpora": [],
        "parameters": 0,
        "run_by": "us",
        "input": {"kind": "keypoints", "keypoints": ["RIGHT_HAND_LANDMARKS"]},
    }

    def embed_pose(self, poses):
        """Arrays (frames, 21, 3), x and y in pixels -> float32 (n, 42)."""
        return np.stack([self._embed(points[:, :, :2]) for points in poses]).astype(np.float32)

    def _embed(self, points):
        seen = points[np.abs(points).sum(axis=(1, 2)) > 0]
        if not len(seen):
            return np.zeros(42)
        shape = seen - seen[:, :1]
        size = np.linalg.norm(shape, axis=2).max(axis=1)[:, None, None]
        return (shape / np.maximum(size, 1e-6)).mean(axis=0).ravel()
