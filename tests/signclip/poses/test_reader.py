"""The reader: every format that corpora publish becomes the same checked pose."""

from io import BytesIO

import numpy as np
import pandas as pd
import pytest

from signclip import poses
from signclip.core.errors import PoseError
from signclip.poses import reader
from signclip.poses.landmarks import BODY, FACE, HANDS, LEFT_HAND, RIGHT_HAND

KAGGLE = {"pose": 33, "face": 468, "left_hand": 21, "right_hand": 21}
EVERY_VARIANT = [name for name in poses.VARIANTS if name != "holistic"]


def kaggle_table(frames=4, seed=0, order=("face", "left_hand", "pose", "right_hand")):
    """A sequence as Kaggle publishes it: 543 rows a frame, frame numbers from 20 on."""
    rng = np.random.default_rng(seed)
    rows = []
    for frame in range(20, 20 + frames):
        for kind in order:
            for index in range(KAGGLE[kind]):
                x, y, z = rng.uniform(0.1, 0.9, 3)
                if kind == "pose" and index in (11, 12):  # shoulders
                    x, y, z = (0.7, 0.5, 0.0) if index == 11 else (0.3, 0.5, 0.0)
                rows.append((frame, f"{frame}-{kind}-{index}", kind, index, x, y, z))
    columns = ["frame", "row_id", "type", "landmark_index", "x", "y", "z"]
    return pd.DataFrame(rows, columns=columns)


def parquet(table):
    buffer = BytesIO()
    table.to_parquet(buffer, index=False)
    return buffer.getvalue()


def kaggle(table):
    return reader.parse(parquet(table), "100/1.parquet", sample="1")


def sem_lex_array(frames=4, seed=0):
    """553 points in Sem-Lex's order: 478 face, 33 body, 21 left hand, 21 right hand."""
    array = np.random.default_rng(seed).uniform(0.1, 0.9, (frames, 553, 3)).astype(np.float32)
    array[:, 478 + 11], array[:, 478 + 12] = (0.7, 0.5, 0), (0.3, 0.5, 0)
    return array


def npy(array, **kwargs):
    buffer = BytesIO()
    np.save(buffer, array, **kwargs)
    return buffer.getvalue()


def sem_lex(array):
    return reader.parse(npy(array), "train/a.npy", sample="a")


# Kaggle asl-signs


def test_kaggles_points_are_found_by_type_and_index_not_by_the_order_of_rows():
    table = kaggle_table()
    landmarks = poses.to_landmarks(kaggle(table))
    shuffled = poses.to_landmarks(kaggle(table.sample(frac=1, random_state=3)))
    assert np.array_equal(landmarks.xyz, shuffled.xyz)
    assert landmarks.xyz.shape == (4, 543, 3)
    index = {name: i for i, name in enumerate(landmarks.names)}
    for kind, number, name in (
        ("pose", 12, (BODY, "RIGHT_SHOULDER")),
        ("face", 466, (FACE, "466")),
        ("left_hand", 0, HANDS[LEFT_HAND][0]),
        ("right_hand", 20, HANDS[RIGHT_HAND][20]),
    ):
        rows = table[(table["type"] == kind) & (table["landmark_index"] == number)]
        expected = rows[["x", "y", "z"]].to_numpy()
        assert np.allclose(landmarks.xyz[:, index[name]], expected, atol=1e-7)
    assert landmarks.fps == 30


def test_kaggles_nan_is_a_missing_point_and_nothing_else_changes():
    table = kaggle_table()
    hand = table["type"] == "left_hand"
    table.loc[hand & (table["frame"] == 21), ["x", "y", "z"]] = np.nan
    whole, gappy = (poses.features(kaggle(t), "both_hands") for t in (kaggle_table(), table))
    left = np.arange(42) < 21
    assert not gappy.valid[1, left].any()
    assert gappy.valid[[0, 2, 3]].all()
    assert np.array_equal(gappy.values.reshape(4, 42, 3)[1, left], np.zeros((21, 3)))
    assert np.array_equal(gappy.values[[0, 2, 3]], whole.values[[0, 2, 3]])


def test_one_frame_without_a_shoulder_costs_that_point_not_the_clip():
    table = kaggle_table()
    shoulder = (table["type"] == "pose") & (table["landmark_index"] == 11) & (table["frame"] == 20)
    table.loc[shoulder, ["x", "y", "z"]] = np.nan
    found = poses.features(kaggle(table), "reduced_face")
    assert np.isfinite(found.values).all()
    assert (found.values[1:] != 0).any()


def test_a_landmark_that_has_no_row_is_missing():
    table = kaggle_table()
    landmarks = poses.to_landmarks(kaggle(table[table["type"] != "face"]))
    face = np.array([component == FACE for component, _ in landmarks.names])
    assert not landmarks.valid[:, face].any()
    assert landmarks.valid[:, ~face].all()


@pytest.mark.parametrize("variant", EVERY_VARIANT)
def test_every_variant_works_on_every_format(variant, make_pose, pose_bytes):
    for pose in (kaggle(kaggle_table()), sem_lex(sem_lex_array())):
        found = poses.features(pose, variant)
        assert len(found.values) == 4
        assert np.isfinite(found.values).all()
        assert found.valid.any()


def test_the_real_copy_of_kaggles_layout_reads(shared):
    files = sorted(shared("data/asl-signs-layout").rglob("*.parquet"))
    assert len(files) == 72
    for path in files[::8]:
        pose = reader.read_pose(path)
        table = pd.read_parquet(path)
        assert pose.body.data.shape == (table["frame"].nunique(), 1, 543, 3)
        seen = table[["x", "y", "z"]].notna().all(axis=1).sum()
        assert (pose.body.confidence > 0).sum() == seen


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="z"), "column z is missing; it has frame, row_id, type"),
        (lambda t: t.assign(type="foot"), "a type is none of pose, face"),
        (lambda t: t.assign(type=None), "a type is none of pose, face"),
        (lambda t: t.assign(landmark_index=600), "landmark_index"),
        (lambda t: t.assign(landmark_index=-1), "landmark_index"),
        (lambda t: t.assign(landmark_index="a"), "another type"),
        (lambda t: t.assign(landmark_index=np.nan), "landmark_index is missing"),
        (lambda t: t.assign(frame=None), "a frame or landmark_index is missing"),
        (lambda t: t.assign(type=[{"a": 1}] * len(t)), "another type"),
        (lambda t: t.assign(x="a"), "another type"),
        (lambda t: pd.concat([t, t[:1]]), "occurs twice"),
        (lambda t: t[:0], "no frames"),
        (lambda t: t.assign(x=np.inf), "column x has no number"),
        (lambda t: t.assign(x=np.nan, y=np.nan, z=np.inf), "no point is detected"),
        (lambda t: t.assign(z=np.nan), "column z has no number"),
    ],
)
def test_a_broken_sequence_is_one_error_naming_the_clip(change, message):
    with pytest.raises(PoseError, match=f"^1: .*{message}"):
        kaggle(change(kaggle_table()))


# Sem-Lex


def test_sem_lex_points_are_reordered_and_scaled():
    array = sem_lex_array()
    landmarks = poses.to_landmarks(sem_lex(array))
    scaled = array * np.array([640, 480, 1])
    for component, source in (
        (BODY, slice(478, 511)),
        (FACE, slice(0, 478)),
        (LEFT_HAND, slice(511, 532)),
        (RIGHT_HAND, slice(532, 553)),
    ):
        here = np.array([name[0] == component for name in landmarks.names])
        assert np.allclose(landmarks.xyz[:, here], scaled[:, source], atol=1e-3)
    assert [name[0] for name in landmarks.names[:34]] == [BODY] * 33 + [FACE]
    assert landmarks.fps == 30


@pytest.mark.parametrize("missing", [0.0, np.nan])
def test_sem_lex_points_that_are_zero_or_nan_are_missing(missing):
    array = sem_lex_array()
    array[2, 511:532] = missing
    found = poses.features(sem_lex(array), "both_hands")
    assert not found.valid[2, :21].any()
    assert found.valid[2, 21:].all()
    assert not found.values[2, : 21 * 3].any()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "whole .npy"),
        (b"not numpy", "whole .npy"),
        (npy(sem_lex_array())[:-9], "whole .npy"),
        (npy(np.array([{"a": 1}], dtype=object), allow_pickle=True), "whole .npy"),
        (npy(np.zeros((4, 543, 3))), r"\(4, 543, 3\)"),
        (npy(np.zeros((4, 553))), r"\(4, 553\)"),
        (npy(np.zeros((4, 553, 3), dtype=int)), "int64"),
        (npy(np.zeros((0, 553, 3))), "no frames"),
        (npy(np.zeros((4, 553, 3))), "no point is detected"),
    ],
)
def test_a_broken_array_is_one_error_naming_the_clip_and_runs_no_code(data, message):
    with pytest.raises(PoseError, match=f"^a: .*{message}"):
        reader.parse(data, "a.npy", sample="a")


# All formats


def test_a_pose_file_is_read_by_its_suffix_in_any_case(make_pose, pose_bytes, tmp_path):
    pose = make_pose(seed=3)
    (tmp_path / "a.POSE").write_bytes(pose_bytes(pose))
    found = poses.read_pose(tmp_path / "a.POSE")
    assert np.array_equal(found.body.data.filled(0), pose.body.data.filled(0))


def test_every_format_is_read_from_a_file(tmp_path):
    kaggle_table().to_parquet(tmp_path / "a.parquet", index=False)
    (tmp_path / "a.npy").write_bytes(npy(sem_lex_array()))
    for name, points in (("a.parquet", 543), ("a.npy", 553)):
        assert poses.read_pose(tmp_path / name).body.data.shape == (4, 1, points, 3)


def test_a_video_is_refused_with_the_command_that_makes_its_pose():
    with pytest.raises(PoseError, match=r"signclip extract my-clips/a"):
        reader.parse(b"", "my-clips/a/b.MP4", sample="b")


def test_an_unknown_format_is_refused_and_the_known_ones_are_named():
    with pytest.raises(PoseError, match=r"\.pose, \.parquet, \.npy"):
        reader.parse(b"", "a.csv", sample="a")


def test_a_missing_file_is_refused_by_its_path(tmp_path):
    with pytest.raises(PoseError, match=r"gone\.npy: cannot be read"):
        reader.read_pose(tmp_path / "gone.npy")
