"""A pretrained recogniser of the American alphabet from the package signspell (MIT), an LSTM.

    pip install --no-deps signspell==2.0.1 h5py==3.16.0
    signbench run examples.signspell:Signspell

The package needs TensorFlow and another MediaPipe; its network is three LSTM and three dense
layers, which take some lines of numpy, so its weights are read from the package's .h5 and neither
is needed. It reads 30 frames of the right hand in fractions of the picture, so it depends on where
in the picture the hand is: here it is at chance.
"""

from importlib.metadata import PackageNotFoundError, files

import numpy as np

try:
    import h5py

    [WEIGHTS] = [one.locate() for one in files("signspell") if one.name == "alphabet_model.h5"]
except (ImportError, PackageNotFoundError) as error:
    command = "pip install --no-deps signspell==2.0.1 h5py==3.16.0"
    raise ImportError(f"{error}; {command}") from None

FRAMES = 30
LETTERS = "abcdefghijklmnopqrstuvwxyz"


class Signspell:
    """The American alphabet, A to Z."""

    metadata = {
        "name": "signspell",
        "revision": "2.0.1",
        "title": "signspell, American alphabet",
        "authors": ["Sundar"],
        "licence": "MIT",
        "link": "https://github.com/TheMadrasTechie/signspell",
        "training_corpora": [{"name": "signspell-alphabet"}],
        "parameters": 191_130,
        "run_by": "third party",
        "input": {"kind": "pose"},
    }

    def __init__(self):
        with h5py.File(WEIGHTS) as file:
            found = {}
            file["model_weights"].visititems(lambda name, item: found.update({name: item}))
            self._weights = {
                tuple(np.array(name.split("/"))[[0, -1]]): np.asarray(item, np.float32)
                for name, item in found.items()
                if isinstance(item, h5py.Dataset)
            }

    def fit(self, clips, texts):
        """Nothing: it is trained."""

    def score(self, clips, labels):
        """float32 (labels, clips): log-probability; a label that is no class scores -100."""
        found = self._log_probabilities(np.stack([self._frames(clip) for clip in clips]))
        rows = [LETTERS.find(label.casefold()) if len(label) == 1 else -1 for label in labels]
        lowest = np.full(len(clips), -100)
        return np.array([found[:, row] if row >= 0 else lowest for row in rows], np.float32)

    def _frames(self, pose):
        """float32 (30, 63): right hand, evenly sampled; 0 where it is not detected."""
        start = pose.header.get_point_index("RIGHT_HAND_LANDMARKS", "WRIST")
        points = np.ma.getdata(pose.body.data)[:, 0, start : start + 21].astype(np.float32)
        seen = np.asarray(pose.body.confidence)[:, 0, start] > 0
        size = pose.header.dimensions
        points = points / (size.width, size.height, 1) * seen[:, None, None]
        chosen = np.linspace(0, len(points) - 1, FRAMES).round().astype(int)
        return points[chosen].reshape(FRAMES, 63).astype(np.float32)

    def _log_probabilities(self, x):
        """(clips, 30, 63) -> (clips, 26)."""
        for layer in ("lstm", "lstm_1", "lstm_2"):
            x = self._lstm(x, layer)
        x = x[:, -1]
        for layer in ("dense", "dense_1"):
            x = np.maximum(self._dense(x, layer), 0)
        logits = self._dense(x, "dense_2")
        logits = logits - logits.max(axis=1, keepdims=True)
        return np.maximum(logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)), -99)

    def _dense(self, x, layer):
        # einsum: a clip's numbers do not depend on how many there are
        return (
            np.einsum("nd,dk->nk", x, self._weights[layer, "kernel"]) + self._weights[layer, "bias"]
        )

    def _lstm(self, x, layer):
        """Keras's LSTM: gates in the order input, forget, cell, output."""
        kernel, recurrent = self._weights[layer, "kernel"], self._weights[layer, "recurrent_kernel"]
        units = len(recurrent)
        state = cell = np.zeros((len(x), units), np.float32)
        states = []
        for t in range(x.shape[1]):
            gates = x[:, t] @ kernel + state @ recurrent + self._weights[layer, "bias"]
            take, forget, new, give = (gates[:, i * units : (i + 1) * units] for i in range(4))
            cell = _sigmoid(forget) * cell + _sigmoid(take) * np.tanh(new)
            state = _sigmoid(give) * np.tanh(cell)
            states.append(state)
        return np.stack(states, axis=1)


def _sigmoid(x):
    return 1 / (1 + np.exp(-np.clip(x, -60, 60)))
