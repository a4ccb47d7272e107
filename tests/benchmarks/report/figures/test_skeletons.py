"""Figures of poses: what is drawn is what was detected, at the right joints."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure as Picture
from pose_format.utils.holistic import holistic_components

from benchmarks import points as points_package
from benchmarks.points import skeletons as points_module
from benchmarks.points.skeletons import (
    ALPHABET_LANGUAGES,
    COMPONENT,
    FRAMES,
    LEFT,
    LETTER,
    METHOD_CLIPS,
    METHOD_FRAMES,
    RIGHT,
    STRIP_LANGUAGES,
    held_frame,
    part_of,
    sampled_frames,
    signing_hand,
)
from benchmarks.report.figures import alphabet, letter_strips, method
from benchmarks.report.skeletons import (
    FINGERS,
    PALM,
    View,
    around,
    draw_hands,
    hands_of,
)
from signclip.poses import Landmarks
from signclip.poses.landmarks import BODY, BODY_POINTS, FACE, FACE_MESH_POINTS, HANDS, pairs

NAMES = (
    *pairs(BODY, BODY_POINTS),
    *pairs(FACE, tuple(map(str, range(FACE_MESH_POINTS)))),
    *(name for hand in HANDS.values() for name in hand),
)
OF_HAND = {
    part: np.array([component == COMPONENT[part] for component, _ in NAMES])
    for part in (LEFT, RIGHT)
}


def landmarks(frames: int = 12, *, seed: int = 0, hand: str = RIGHT) -> Landmarks:
    """A clip of a signer who jitters, with one hand detected in all frames, the other in none."""
    rng = np.random.default_rng(seed)
    still = rng.normal(size=(len(NAMES), 3))
    xyz = still + rng.normal(size=(frames, len(NAMES), 3))
    valid = np.ones((frames, len(NAMES)), bool)
    valid[:, OF_HAND[LEFT if hand == RIGHT else RIGHT]] = False
    return Landmarks(np.where(valid[..., None], xyz, 0.0), valid, NAMES, 25.0)


def test_the_signing_hand_is_the_one_that_is_seen():
    for hand in (LEFT, RIGHT):
        assert signing_hand(landmarks(hand=hand)) == hand


@pytest.mark.parametrize("at", [3, 5, 7])
def test_the_held_frame_is_the_one_without_motion_around_it(at):
    clip = landmarks()
    clip.xyz[at - 1 : at + 2, OF_HAND[RIGHT]] = clip.xyz[at, OF_HAND[RIGHT]]
    assert held_frame(clip) == at


def test_a_hand_that_rests_at_the_end_is_not_held():
    clip = landmarks()
    clip.xyz[-4:, OF_HAND[RIGHT]] = clip.xyz[-1, OF_HAND[RIGHT]]
    assert 3 <= held_frame(clip) < 9


def test_frames_without_the_hand_are_never_chosen():
    clip = landmarks(12)
    seen = [1, 4, 5, 8, 10]  # never three in a row
    clip.valid[np.ix_([i for i in range(12) if i not in seen], OF_HAND[RIGHT])] = False
    assert held_frame(clip) in seen
    assert sampled_frames(clip, len(seen)) == seen
    assert sampled_frames(clip, 1) == [5]


@pytest.mark.parametrize("part", [LEFT, RIGHT])
def test_palm_and_fingers_are_joined_as_pose_format_joins_them(part):
    header = {component.name: component for component in holistic_components()}[COMPONENT[part]]
    number = {name: i for i, (_, name) in enumerate(HANDS[COMPONENT[part]])}
    known = {frozenset(number[header.points[i]] for i in limb) for limb in header.limbs}
    fingers = [joint for chain in FINGERS.values() for joint in pairwise(chain)]
    palm = list(zip(PALM, (*PALM[1:], PALM[0]), strict=True))
    drawn = {frozenset(limb) for limb in [*fingers, *palm]}
    # the edge of the palm from the thumb to the index finger is no limb, but bounds the palm
    assert drawn - known == {frozenset({1, 5})}
    assert {frozenset({0, i}) for i in (1, 17)} <= drawn
    assert known - drawn <= {frozenset({0, i}) for i in (5, 9, 13)}


@pytest.fixture
def clips() -> pd.DataFrame:
    """A manifest with the clips that are drawn, and others."""
    wanted = [*((tag, "a") for tag in ALPHABET_LANGUAGES), ("ase", "b"), ("zsl", "a")]
    wanted += [*((tag, LETTER) for tag in STRIP_LANGUAGES), *METHOD_CLIPS, ("ase", "ch")]
    table = pd.DataFrame(dict.fromkeys(wanted), index=["x"]).T.reset_index(names=["tag", "text"])
    table["id"] = table["tag"] + "-" + table["text"]
    table["path"] = table["id"] + ".pose"
    return table.rename(columns={"tag": "sign_language"})


@pytest.fixture
def read():
    """Landmarks of a path; those of ``ise`` are signed with the left hand."""

    def of(path: str) -> Landmarks:
        hand = LEFT if path.startswith("ise") else RIGHT
        return landmarks(seed=sum(path.encode()), hand=hand)

    return of


@pytest.fixture
def drawable(clips, read, source):
    """The points that the figures read, written; returns those of skeletons."""
    frame = points_module.frame(clips, read)
    folder = source.workspace.points
    folder.mkdir(parents=True)
    frame.round(3).to_csv(folder / "skeletons.csv", index=False)
    clips.assign(label=clips["text"], frames=12).to_csv(folder / "clips.csv", index=False)
    return frame


def test_each_selection_has_its_clips_frames_and_points(clips, read):
    frame = points_module.frame(clips, read)
    by_selection = dict(list(frame.groupby("shown")))
    per_clip = {name: rows.groupby("id")["frame"].nunique() for name, rows in by_selection.items()}
    assert set(per_clip["alphabet"]) == {1}
    assert set(per_clip["strips"]) == {FRAMES}
    assert set(per_clip["method"]) == {METHOD_FRAMES}
    assert list(dict.fromkeys(by_selection["method"]["id"])) == [
        f"{x}-{y}" for x, y in METHOD_CLIPS
    ]
    assert set(by_selection["alphabet"]["id"]) >= {f"{tag}-a" for tag in ALPHABET_LANGUAGES}
    assert not frame["id"].isin(["zsl-a", "ase-ch"]).any()
    row = frame[(frame["shown"] == "alphabet") & (frame["id"] == "ise-a")]
    assert list(row["part"].unique()) == [LEFT]
    clip = read("ise-a.pose")
    assert row[["x", "y", "z"]].to_numpy() == pytest.approx(
        part_of(clip, LEFT)[0][held_frame(clip)]
    )


def test_without_clips_there_are_no_points(source, read):
    none = pd.DataFrame(columns=["id", "path", "text", "sign_language"])
    assert points_module.frame(none, read).empty
    points_package.write(points_module.POINTS, source, source.workspace.points)
    assert (source.workspace.points / "skeletons.csv").read_text().startswith("shown,id,frame")


def test_a_hand_is_drawn_where_its_view_puts_it():
    hand = np.random.default_rng(0).normal(size=(21, 3))
    view = around(hand)
    axes = Picture().subplots()
    draw_hands(axes, [(hand, View(view.centre, view.size, (5.0, 3.0)))], width=1)
    (palms, fingers) = axes.collections
    drawn = np.concatenate(fingers.get_segments())
    assert (np.abs(drawn - (5, 3)) <= 0.5 + 1e-9).all()
    assert len(fingers.get_segments()) == 2 * len(FINGERS)
    assert palms.get_paths()[0].vertices[0] == pytest.approx(view.place(hand)[0] + (5, 3))


def test_the_finger_that_is_nearest_to_the_camera_is_drawn_last():
    hand = np.zeros((21, 3))
    hand[list(FINGERS["ring"]), 2] = -1
    hand[list(FINGERS["ring"]), 0] = 7
    axes = Picture().subplots()
    draw_hands(axes, [(hand, View(np.zeros(2), 1.0))], width=1)
    assert (axes.collections[1].get_segments()[-1][:, 0] == 7).all()


def test_a_hand_that_was_not_detected_is_not_drawn(drawable):
    frame = drawable[(drawable["shown"] == "alphabet") & (drawable["id"] == "ase-a")]
    assert len(hands_of(frame)) == 1
    assert hands_of(frame.iloc[:-1]) == []


@pytest.mark.parametrize("module", [alphabet, letter_strips, method])
def test_figures_fit_the_page(drawable, source, module):
    drawing = module.draw(source)
    assert drawing.figure.get_size_inches()[0] == pytest.approx(7)
    assert drawing.caption.endswith(".")
    assert set(drawing.numbers["id"]) <= set(drawable["id"])


def test_the_alphabet_has_a_cell_for_each_clip_and_tells_of_left_hands(drawable, source):
    drawing = alphabet.draw(source)
    numbers = drawing.numbers
    rows = drawable[drawable["shown"] == "alphabet"]
    assert dict(zip(numbers["id"], numbers["frame"], strict=True)) == dict(
        zip(rows["id"], rows["frame"], strict=True)
    )
    assert set(numbers[numbers["hands"] == LEFT]["sign_language"]) == {"ise"}
    assert "Italian Sign Language: signed with the left hand." in drawing.caption
    palms, fingers = drawing.figure.axes[0].collections
    assert len(palms.get_paths()) == len(numbers)
    assert len(fingers.get_segments()) == 2 * len(FINGERS) * len(numbers)


def test_strips_name_their_frames(drawable, source):
    numbers = letter_strips.draw(source).numbers.set_index("sign_language")
    assert list(numbers.index) == list(STRIP_LANGUAGES)
    assert set(numbers["frames"]) == {"1 3 6 8 10"}
    assert set(numbers["of_frames"]) == {12}


def test_the_prompts_of_the_method_are_those_of_its_clips(drawable, source):
    texts = [text.get_text() for text in method.draw(source).figure.axes[0].texts]
    assert [text for text in texts if text.startswith("<en>")] == [
        f"<en> <{tag}> {letter}" for tag, letter in METHOD_CLIPS
    ]
