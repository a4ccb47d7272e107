"""The graph: connected, towards the nose, the same left and right, its lips where lips are."""

import numpy as np
import pytest
from mmaction.models.utils import Graph

from baselines.skeletons import graph
from signclip import poses
from signclip.core.errors import ConfigError
from signclip.poses import mirror
from signclip.poses.landmarks import BODY, FACE, HANDS, LEFT_HAND, RIGHT_HAND

SKELETONS = [graph.skeleton(name) for name in graph.POINTS]


@pytest.mark.parametrize("skeleton", SKELETONS, ids=list(graph.POINTS))
def test_every_point_hangs_on_the_centre(skeleton):
    for place in range(len(skeleton.names)):
        way = [place]
        while skeleton.parents[way[-1]] != way[-1]:
            way.append(skeleton.parents[way[-1]])
            assert len(way) <= len(skeleton.names), "a circle"
        assert way[-1] == skeleton.centre


@pytest.mark.parametrize("skeleton", SKELETONS, ids=list(graph.POINTS))
def test_the_edges_are_the_bones_and_their_tree_is_mmaction2s_graph(skeleton):
    assert set(skeleton.inward) == {
        (i, parent) for i, parent in enumerate(skeleton.parents) if i != parent
    }
    assert len(skeleton.inward) == len(skeleton.names) - 1
    made = Graph(layout=skeleton.layout(), mode="stgcn_spatial", max_hop=1)
    assert np.isfinite(made.hop_dis).sum() == len(skeleton.names) + 2 * len(skeleton.inward)


@pytest.mark.parametrize("skeleton", SKELETONS, ids=list(graph.POINTS))
def test_left_and_right_are_mirror_images(skeleton):
    """By the permutation that the features themselves are mirrored with."""
    names = poses.point_names(graph.VARIANT)
    place = {column: i for i, column in enumerate(skeleton.columns)}
    swap = [place[mirror.permutation(names)[column]] for column in skeleton.columns]
    edges = set(skeleton.inward)
    # of the hands alone one is the root that the other's wrist hangs on
    wrists = {i for i, (_, point) in enumerate(skeleton.names) if point == "WRIST"}
    assert {(swap[i], swap[parent]) for i, parent in edges if not {i, parent} <= wrists} <= edges


def test_it_has_the_upper_body_both_hands_and_lips():
    names = graph.skeleton("signing").names
    assert set(HANDS[LEFT_HAND] + HANDS[RIGHT_HAND]) <= set(names)
    assert sum(part == BODY for part, _ in names) == 7
    assert sum(part == FACE for part, _ in names) == 8
    wrist = names.index(HANDS[LEFT_HAND][0])
    assert names[graph.skeleton("signing").parents[wrist]] == (BODY, "LEFT_WRIST")


def test_the_lips_lie_where_the_mouth_is(embedded):
    """On a real clip the corners are MediaPipe's own corners of the mouth, and lips below noses."""
    pose = poses.read_pose(embedded.root / embedded.manifest["path"].iloc[0])
    clip = poses.features(pose, graph.VARIANT)
    points = clip.values.reshape(len(clip.values), -1, 3)
    names = poses.point_names(graph.VARIANT)

    def place(*name: str) -> np.ndarray:
        i = names.index(name)
        return points[clip.valid[:, i], i, :2].mean(axis=0)

    for corner, side in (("291", "LEFT"), ("61", "RIGHT")):
        assert np.linalg.norm(place(FACE, corner) - place(BODY, f"MOUTH_{side}")) < 0.05
    assert place(FACE, "17")[1] > place(FACE, "0")[1] > place(BODY, "NOSE")[1]  # y points down


def test_fewer_points_hang_on_the_nearest_chosen_one():
    wrist, tip = HANDS[RIGHT_HAND][0], HANDS[RIGHT_HAND][8]
    few = graph.of([(BODY, "NOSE"), wrist, tip])
    assert few.parents == (0, 0, 1)
    assert few.inward == [(1, 0), (2, 1)]


def test_unknown_points_are_refused_by_name():
    with pytest.raises(ConfigError, match="LEFT_KNEE"):
        graph.of([(BODY, "NOSE"), (BODY, "LEFT_KNEE")])
    with pytest.raises(ConfigError, match="unknown selection of points 'feet'"):
        graph.skeleton("feet")
