"""catch22: 22 characteristics of each coordinate's time series (Lubba et al., 2019).

pip install pycatch22==1.0.2
signbench run examples.catch22:Catch22
"""

import numpy as np

try:
    import pycatch22
except ImportError as error:
    raise ImportError(f"{error}; pip install pycatch22==1.0.2") from None

POINTS = (0, 4, 8, 12, 16, 20)  # the wrist and the finger tips


class Catch22:
    """Embeds a clip by catch22 of the tracks of finger tips, with mean and spread (24 a track)."""

    metadata = {
        "name": "catch22",
        "revision": "1",
        "title": "catch22 of finger tips",
        "authors": ["Carl H. Lubba", "Sarab S. Sethi", "Philip Knaute", "Simon R. Schultz",
                    "Ben D. Fulcher", "Nick S. Jones"],
        "licence": "GPL-3.0-or-later",
        "link": "https://github.com/DynamicsAndNeuralSystems/pycatch22",
        "training_corpora": [],
        "parameters": 0,
        "run_by": "us",
        "input": {"kind": "variant", "variant": "dominant_hand"},
        "notes": "A general time-series embedding: it knows nothing of hands.",
    }  # fmt: skip

    def embed_pose(self, poses):
        """Arrays (frames, 63) -> float32 (n, 432)."""
        return np.stack([self._embed(pose.reshape(-1, 21, 3)) for pose in poses])

    def _embed(self, hand):
        seen = hand[np.abs(hand).sum(axis=(1, 2)) > 0]
        if len(seen) < 3:  # no series
            return np.zeros(len(POINTS) * 3 * 24, np.float32)
        tracks = (seen - seen[:, :1])[:, POINTS].reshape(len(seen), -1).T
        tracks[:3] = seen[:, 0].T  # the wrist itself
        values = [pycatch22.catch22_all(track.tolist(), catch24=True)["values"] for track in tracks]
        # some characteristics are not defined for a constant series; large ones are compressed
        numbers = np.nan_to_num(np.array(values), nan=0.0, posinf=0.0, neginf=0.0).ravel()
        return (np.sign(numbers) * np.log1p(np.abs(numbers))).astype(np.float32)
