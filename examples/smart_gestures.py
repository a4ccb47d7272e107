"""Pretrained recognisers of finger alphabets from the package smart-gestures (GPL-3.0).

    pip install --no-deps smart-gestures==0.3.3
    signbench run examples.smart_gestures:Flemish
    signbench run examples.smart_gestures:American
    signbench run examples.smart_gestures:FlemishFeatures

The package pins other versions of torch and pandas, which must not be installed here: --no-deps.
Its networks (three linear layers) read one frame, 21 points of a hand relative to the wrist in
units of the distance from wrist to middle finger. A clip's scores are the mean over the frames in
which the right hand, or else the mirrored left hand, was detected.
"""

import numpy as np
import torch

try:
    from smart_gestures.alphabet.asl_model.model import ASLModel
    from smart_gestures.alphabet.vgt_model.model import VGTModel
except ImportError as error:
    raise ImportError(f"{error}; pip install --no-deps smart-gestures==0.3.3") from None

MIDDLE_FINGER = 9  # its knuckle


def about(name, title, trained_on):
    """The metadata of one model of the package."""
    return {
        "name": name,
        "revision": "0.3.3",
        "title": title,
        "authors": ["Simon Stijnen", "Lynn Delaere", "Olivier Westerman"],
        "licence": "GPL-3.0-or-later",
        "link": "https://github.com/vives-project-xp/SmartGlasses",
        "training_corpora": trained_on,
        "parameters": 89_882 if "flemish" in name else 92_196,
        "run_by": "third party",
        "input": {"kind": "pose"},
    }


def hands(pose):
    """A pose_format.Pose -> float32 (frames, 63) of the frames in which the hand is detected."""
    mirror = -1
    for side in ("RIGHT", "LEFT"):
        mirror = -mirror
        start = pose.header.get_point_index(f"{side}_HAND_LANDMARKS", "WRIST")
        points = np.ma.getdata(pose.body.data)[:, 0, start : start + 21].astype(np.float32)
        seen = np.asarray(pose.body.confidence)[:, 0, start] > 0
        if seen.any():
            break
    hand = points[seen]
    # depth is in widths of the picture in a .pose file
    hand = hand * (mirror, 1, pose.header.dimensions.width)
    hand = hand - hand[:, :1]
    scale = np.linalg.norm(hand[:, MIDDLE_FINGER], axis=1)[:, None, None]
    return (hand / np.where(scale > 1e-6, scale, 1)).reshape(-1, 63).astype(np.float32)


class Flemish:
    """The Flemish alphabet, A to Z."""

    metadata = about(
        "smart-gestures-flemish",
        "smart-gestures, Flemish alphabet",
        [{"name": "smart-gestures-flemish-alphabet"}],
    )
    model = VGTModel

    def __init__(self):
        self._recogniser = self.model()
        self._classes = {name.casefold(): i for i, name in enumerate(self._recogniser.classes)}

    def fit(self, clips, texts):
        """Nothing: it is trained."""

    @torch.no_grad()
    def score(self, clips, labels):
        """float32 (labels, clips): mean log-probability; a label that is no class scores -100."""
        rows = [self._classes.get(label.casefold()) for label in labels]
        scores = np.full((len(labels), len(clips)), -100, np.float32)
        for column, clip in enumerate(clips):
            frames = torch.from_numpy(hands(clip))
            if len(frames):
                logits = self._recogniser.model(frames)
                mean = torch.log_softmax(logits, dim=1).mean(dim=0).clamp(min=-99).numpy()
                scores[:, column] = [-100 if row is None else mean[row] for row in rows]
        return scores


class American(Flemish):
    """The American alphabet and digits."""

    metadata = about(
        "smart-gestures-american",
        "smart-gestures, American alphabet",
        [{"name": "smart-gestures-american-alphabet"}],
    )
    model = ASLModel


class FlemishFeatures:
    """The last hidden layer of the Flemish network as an embedding."""

    metadata = about(
        "smart-gestures-flemish-features",
        "smart-gestures, features of the Flemish alphabet",
        [{"name": "smart-gestures-flemish-alphabet"}],
    )

    def __init__(self):
        self._hidden = VGTModel().model[:-1].eval()

    @torch.no_grad()
    def embed_pose(self, poses):
        """pose_format.Pose -> float32 (n, 256)."""
        rows = []
        for pose in poses:
            frames = torch.from_numpy(hands(pose))
            rows.append(self._hidden(frames).mean(dim=0) if len(frames) else torch.zeros(256))
        return torch.stack(rows).numpy()
