"""The skeleton graph is a tree centred on the nose, symmetric, with the lips in the right place."""

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
def test_every_point_is_connected_to_the_centre(skeleton):
    for point in range(len(skeleton.names)):
        path = [point]
        while skeleton.parents[path[-1]] != path[-1]:
            path.append(skeleton.parents[path[-1]])
            assert len(path) <= len(skeleton.names), "a circle"
        assert path[-1] == skeleton.centre


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
    """Checked with the permutation that mirrors the features."""
    names = poses.point_names(graph.VARIANT)
    index = {column: i for i, column in enumerate(skeleton.columns)}
    swap = [index[mirror.permutation(names)[column]] for column in skeleton.columns]
    edges = set(skeleton.inward)
    # without the body one wrist is the root and the parent of the other
    wrists = {i for i, (_, point) in enumerate(skeleton.names) if point == "WRIST"}
    assert {(swap[i], swap[parent]) for i, parent in edges if not {i, parent} <= wrists} <= edges


def test_signing_has_the_upper_body_both_hands_and_lips():
    names = graph.skeleton("signing").names
    assert set(HANDS[LEFT_HAND] + HANDS[RIGHT_HAND]) <= set(names)
    assert sum(part == BODY for part, _ in names) == 7
    assert sum(part == FACE for part, _ in names) == 8
    wrist = names.index(HANDS[LEFT_HAND][0])
    assert names[graph.skeleton("signing").parents[wrist]] == (BODY, "LEFT_WRIST")


@pytest.mark.slow
def test_the_lips_lie_where_the_mouth_is(embedded):
    """On a real clip: corners at MediaPipe's corners of the mouth, lips below the nose."""
    pose = poses.read_pose(embedded.root / embedded.manifest["path"].iloc[0])
    clip = poses.features(pose, graph.VARIANT)
    points = clip.values.reshape(len(clip.values), -1, 3)
    names = poses.point_names(graph.VARIANT)

    def mean(*name: str) -> np.ndarray:
        i = names.index(name)
        return points[clip.valid[:, i], i, :2].mean(axis=0)

    for corner, side in (("291", "LEFT"), ("61", "RIGHT")):
        assert np.linalg.norm(mean(FACE, corner) - mean(BODY, f"MOUTH_{side}")) < 0.05
    assert mean(FACE, "17")[1] > mean(FACE, "0")[1] > mean(BODY, "NOSE")[1]  # y points down


def test_the_parent_in_a_selection_is_the_nearest_selected_ancestor():
    wrist, tip = HANDS[RIGHT_HAND][0], HANDS[RIGHT_HAND][8]
    few = graph.build([(BODY, "NOSE"), wrist, tip])
    assert few.parents == (0, 0, 1)
    assert few.inward == [(1, 0), (2, 1)]


def test_unknown_points_are_refused_by_name():
    with pytest.raises(ConfigError, match="LEFT_KNEE"):
        graph.build([(BODY, "NOSE"), (BODY, "LEFT_KNEE")])
    with pytest.raises(ConfigError, match="unknown selection of points 'feet'"):
        graph.skeleton("feet")
