"""An encoder with a text side that learns nothing: hand shapes and letters in one space.

    signbench run examples.letters:Letters

It is wrong about most letters; it shows the two methods and the template of the texts.
"""

import numpy as np

# Which fingers a letter of the American alphabet stretches: thumb, index, middle, ring, little.
STRETCHED = {
    "a": "10000", "b": "01111", "d": "01000", "f": "00111", "i": "00001", "k": "01100",
    "l": "11000", "r": "01100", "s": "00000", "u": "01100", "v": "01100", "w": "01110",
    "y": "10001",
}  # fmt: skip


class Letters:
    """Embeds a clip by how far its fingers are stretched, and a letter by which ones should be."""

    metadata = {
        "name": "stretched-fingers",
        "revision": "1",
        "title": "stretched fingers",
        "authors": ["The SignCLIP benchmark suite authors"],
        "licence": "MIT",
        "link": None,
        "training_corpora": [],
        "parameters": 0,
        "run_by": "us",
        "input": {"kind": "variant", "variant": "dominant_hand"},
    }
    prompt = "{label}"

    def embed_pose(self, poses):
        """Arrays (frames, 63) -> float32 (n, 6)."""
        return np.stack([self._embed(pose.reshape(-1, 21, 3)) for pose in poses])

    def _embed(self, hand):
        seen = hand[np.abs(hand).sum(axis=(1, 2)) > 0]
        if not len(seen):
            return np.zeros(6, np.float32)
        reach = np.linalg.norm(seen - seen[:, :1], axis=2)  # of each point from the wrist
        stretched = (reach[:, 4::4] / np.maximum(reach[:, 2::4], 1e-6)).mean(axis=0)  # tip, joint
        centred = stretched - 1.5
        return np.append(centred, 0.1).astype(np.float32)

    def embed_text(self, texts):
        """Texts -> float32 (m, 6); a letter that is not in the table lies in the middle."""
        rows = []
        for text in texts:
            fingers = STRETCHED.get(text.casefold())
            row = [2 * int(x) - 1 for x in fingers] if fingers else [0] * 5
            # a little of the text itself, so that no two texts are equal
            rows.append([*row, (sum(map(ord, text)) % 97) / 97])
        return np.array(rows, np.float32)
