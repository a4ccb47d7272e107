"""A recogniser that learns from the training clips of each split: the nearest middle frame.

signbench run examples.nearest_frame:NearestFrame
"""

import numpy as np


class NearestFrame:
    """Scores a label by the distance of the middle frame to its nearest training clip."""

    metadata = {
        "name": "nearest-frame",
        "revision": "1",
        "title": "nearest middle frame of the dominant hand",
        "authors": ["The SignCLIP benchmark suite authors"],
        "licence": "MIT",
        "link": None,
        "training_corpora": [],
        "trained_here": True,
        "parameters": 0,
        "run_by": "us",
        "input": {"kind": "variant", "variant": "dominant_hand"},
    }

    def fit(self, clips, texts):
        """Keep the middle frame of each clip."""
        self.frames = np.stack([self._middle(clip) for clip in clips])
        self.labels = np.array([text.casefold() for text in texts])

    def score(self, clips, labels):
        """float32 (labels, clips): minus the distance; a label without a clip scores -1e6."""
        tested = np.stack([self._middle(clip) for clip in clips])
        distance = np.linalg.norm(self.frames[:, None] - tested[None], axis=2)
        rows = []
        for label in labels:
            of_label = distance[self.labels == label.casefold()]
            rows.append(-of_label.min(axis=0) if len(of_label) else np.full(len(clips), -1e6))
        return np.array(rows, np.float32)

    def _middle(self, clip):
        frames = clip.values[clip.valid.any(axis=1)]
        if not len(frames):
            return np.zeros(clip.values.shape[1], np.float32)
        middle = frames[len(frames) // 2].reshape(-1, 3)
        return (middle - middle[0]).ravel()
