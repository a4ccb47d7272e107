"""OpenHands' pickles: what they become, and that nothing in them is executed or trusted."""

import os
import pickle
import struct

import numpy as np
import pytest

from signclip import poses
from signclip.core.errors import PoseError
from signclip.poses import openhands, reader
from signclip.poses.landmarks import BODY, HANDS, LEFT_HAND, RIGHT_HAND

MUST_NOT_RUN: list[str] = []


def clip(frames=4, seed=0, unseen=()):
    """A clip as OpenHands writes it; a hand that is not seen is zeros with confidence 0."""
    rng = np.random.default_rng(seed)
    keypoints = rng.uniform(0.1, 0.9, (frames, 75, 3))
    keypoints[:, 11], keypoints[:, 12] = (0.7, 0.5, 0.0), (0.3, 0.5, 0.0)  # shoulders
    confidences = np.ones((frames, 75))
    confidences[:, :33] = rng.uniform(0.2, 1, (frames, 33))
    for side in unseen:
        points = slice(33, 54) if side == "LEFT" else slice(54, 75)
        keypoints[:, points], confidences[:, points] = 0, 0
    return {"keypoints": keypoints, "confidences": confidences}


def read(content, name="001_002_003.pkl", protocol=4):
    data = content if isinstance(content, bytes) else pickle.dumps(content, protocol)
    return reader.parse(data, name, sample=name)


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_the_points_are_body_left_hand_right_hand_in_pixels(protocol):
    given = clip()
    pose = read(given, protocol=protocol)
    assert [(c.name, len(c.points)) for c in pose.header.components] == [
        *((BODY, 33), (LEFT_HAND, 21), (RIGHT_HAND, 21)),
    ]
    expected = given["keypoints"] * [1920, 1080, 1]
    assert np.allclose(pose.body.data.data[:, 0], expected, rtol=1e-6)
    assert np.allclose(pose.body.confidence[:, 0], given["confidences"], rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("001_002_003.pkl", (1920, 1080, 60)),
        ("signer0_sample1_color.pkl", (512, 512, 30)),
        ("Animals/4. Bird/MVI_2987.pkl", (1920, 1080, 25)),
        ("05237.pkl", (640, 480, 30)),
    ],
)
def test_the_picture_is_assumed_by_the_form_of_the_name(name, size):
    pose = read(clip(), name)
    assert (pose.header.dimensions.width, pose.header.dimensions.height, pose.body.fps) == size


def test_what_was_not_seen_is_missing():
    given = clip(unseen=["LEFT"])
    given["keypoints"][1, 60] = np.nan
    given["keypoints"][2, 61] = 0  # a confidence of 1 does not make it a point
    found = poses.features(read(given), "both_hands")
    left, right = np.split(found.valid, 2, axis=1)
    assert not left.any()
    assert np.argwhere(~right).tolist() == [[1, 6], [2, 7]]


def test_hand_variants_take_a_clip_without_a_face_and_arrays_of_other_layout():
    given = clip()
    for variant in ("signing", "dominant_hand", "both_hands"):
        assert np.isfinite(poses.preprocess(read(given), variant)).all()
    fortran = given | {"keypoints": np.asfortranarray(given["keypoints"])}
    big = given | {"keypoints": given["keypoints"].astype(">f8")}
    for other in (fortran, big):
        ours, expected = (poses.preprocess(read(one), "signing") for one in (other, given))
        assert np.array_equal(ours, expected)
    of_hand = np.array([part in HANDS for part, _ in poses.point_names("signing")])
    assert poses.features(read(given), "signing").valid[:, of_hand].all()


def run_code(*arguments):
    MUST_NOT_RUN.append("ran")


class Runs:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def announced(shape):
    """A whole pickle, but for the announced number of frames."""
    data = pickle.dumps(clip(frames=4), 4)
    assert data.count(b"K\x04K\x4bK\x03\x87") == 1  # (4, 75, 3)
    return data.replace(b"K\x04K\x4bK\x03\x87", shape)


WHOLE = pickle.dumps(clip(), 4)
HOSTILE = {
    "runs a command": pickle.dumps({"keypoints": Runs(os.system, "touch ran")}, 4),
    "runs a function": pickle.dumps({"keypoints": Runs(run_code), "confidences": 1}, 4),
    "evaluates": pickle.dumps(Runs(eval, "MUST_NOT_RUN.append('ran')"), 0),
    "array of objects": pickle.dumps(clip() | {"keypoints": np.array([Runs(run_code)])}, 4),
    "array of texts": pickle.dumps(clip() | {"keypoints": np.array(["a"])}, 4),
    "structured": pickle.dumps(clip() | {"keypoints": np.zeros(3, [("a", "f8")])}, 4),
    "huge shape": announced(b"J\xff\xff\xff\x7fK\x4bK\x03\x87"),
    "negative shape": announced(b"J\xff\xff\xff\xffK\x4bK\x03\x87"),
    "endless shape": announced(b"\x8a\xff" + b"\x7f" * 255 + b"K\x4bK\x03\x87"),
    "huge buffer": b"\x80\x04C\x04numpB" + struct.pack("<I", 0xFFFFFFFF) + b"x",
    "huge buffer of 8 bytes": b"\x80\x04\x8e" + struct.pack("<Q", 1 << 62) + b"x",
    "huge memo": b"\x80\x04}r" + struct.pack("<I", 0xFFFFFFFF) + b".",
    "huge frame": b"\x80\x04\x95" + struct.pack("<Q", 1 << 62) + b"}.",
    "huge dtype": WHOLE.replace(b"\x8c\x02f8", b"\x8c\x02V9"),
    "cut": WHOLE[: len(WHOLE) // 2],
    "first byte": WHOLE[:1],
    "empty": b"",
    "bytes follow": WHOLE + b"more",
    "text": b"id,path,text\n" * 100,
    "a list": pickle.dumps([1, 2], 4),
    "a dict in itself": b"\x80\x04}\x94\x8c\x01ah\x00s.",
    "no confidences": pickle.dumps({"keypoints": clip()["keypoints"]}, 4),
    "other points": pickle.dumps(clip() | {"keypoints": np.zeros((4, 27, 3))}, 4),
    "other frames": pickle.dumps(clip() | {"confidences": np.ones((5, 75))}, 4),
    "no frames": pickle.dumps(clip(frames=0), 4),
    "complex": pickle.dumps(clip() | {"keypoints": clip()["keypoints"] * 1j}, 4),
    "nothing seen": pickle.dumps(clip() | {"keypoints": np.zeros((4, 75, 3))}, 4),
    "absurd": pickle.dumps(clip() | {"keypoints": np.full((4, 75, 3), 1e300)}, 4),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", HOSTILE, ids=lambda kind: kind.replace(" ", "-"))
def test_a_hostile_or_damaged_pickle_is_one_typed_error_naming_the_file(
    kind, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "001_002_003.pkl"
    path.write_bytes(HOSTILE[kind])
    with pytest.raises(PoseError) as caught:
        poses.read_pose(path)
    assert caught.value.sample == str(path)
    assert not MUST_NOT_RUN
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_a_pickle_cut_at_any_length_is_refused():
    for cut in np.linspace(0, len(WHOLE) - 1, 200, dtype=int):
        with pytest.raises(PoseError):
            read(WHOLE[:cut])


def test_changed_bytes_are_read_or_refused():
    rng = np.random.default_rng(0)
    outcomes = set()
    head = WHOLE[:300]  # where the operations are
    for _ in range(400):
        data = bytearray(head)
        for at in rng.integers(len(head), size=rng.integers(1, 4)):
            data[at] = rng.integers(256)
        try:
            read(bytes(data) + WHOLE[300:])
            outcomes.add("read")
        except PoseError:
            outcomes.add("refused")
    assert outcomes == {"read", "refused"}


def test_what_a_pickle_calls_keeps_its_attributes():
    """BUILD on a name would set attributes of the module's own objects."""
    build = b"\x80\x04\x8c\x05numpy\x8c\x07ndarray\x93}\x8c\x04kind\x8c\x01xsb."
    with pytest.raises(PoseError, match="it changes what it calls"):
        read(build)
    assert openhands._Callable("array").kind == "array"
