"""Frames, streams and heat maps: what they say, and that MMAction2 would say the same."""

import numpy as np
import pytest
import torch
from mmaction.datasets.transforms import GeneratePoseTarget, ToMotion

from baselines.skeletons import adapter, graph
from baselines.skeletons.adapter import Track

SKELETON = graph.skeleton("signing")


def made_up(*, frames: int = 6, points: int = 57, seed: int = 0, unseen: float = 0.2) -> Track:
    rng = np.random.default_rng(seed)
    seen = rng.random((frames, points)) >= unseen
    places = rng.uniform(-1, 1, (frames, points, 2)).astype(np.float32)
    return Track(np.where(seen[..., None], places, np.float32(0)), seen)


def test_frames_without_a_hand_are_left_out_and_a_clip_without_any_stays(make_clip):
    clip = make_clip(0, frames=9)
    whole = adapter.track(clip, SKELETON)
    assert len(whole.seen) == 8  # the first shows none
    points = clip.values.reshape(9, -1, 3)[1:, list(SKELETON.columns), :2]
    assert np.array_equal(whole.places[whole.seen], points[whole.seen])
    none = clip._replace(valid=clip.valid.copy())
    none.valid[:, [SKELETON.columns[i] for i in SKELETON.hands]] = False
    assert len(adapter.track(none, SKELETON).seen) == 9


def test_redrawn_hands_have_their_shape_and_one_size_and_place(make_clip):
    before, after = (adapter.track(make_clip(3), SKELETON, reach) for reach in (None, 0.7))
    left, right = SKELETON.of_hands
    rest = [i for i in range(len(SKELETON.names)) if i not in SKELETON.hands]
    assert np.array_equal(before.places[:, rest], after.places[:, rest])
    assert np.array_equal(before.seen, after.seen)
    assert not after.places[:, left].any()  # was not seen
    was, now = before.places[:, right] - before.places[:, right[:1]], after.places[:, right]
    assert np.allclose(np.linalg.norm(now, axis=-1).max(axis=1), 0.7, atol=1e-5)
    scale = 0.7 / np.linalg.norm(was, axis=-1).max(axis=1)
    assert np.allclose(now, was * scale[:, None, None], atol=1e-5)


def test_hands_alone_are_all_that_is_seen():
    clip = made_up(points=57)
    alone = adapter.hands_alone(clip, SKELETON)
    rest = [i for i in range(len(SKELETON.names)) if i not in SKELETON.hands]
    assert not alone.seen[:, rest].any()
    assert not alone.places[:, rest].any()
    assert np.array_equal(alone.seen[:, SKELETON.hands], clip.seen[:, SKELETON.hands])
    assert np.array_equal(alone.places[:, SKELETON.hands], clip.places[:, SKELETON.hands])


@pytest.mark.parametrize("count", [1, 3, 8, 9, 50])
def test_frames_are_ascending_one_of_each_part_and_keyed(count):
    for at in (
        adapter.even_frames(count, 8),
        adapter.drawn_frames(count, 8, np.random.default_rng(3)),
    ):
        assert len(at) == 8
        parts = np.arange(9) * count / 8
        assert (at >= np.floor(parts[:-1])).all()
        assert (at <= np.ceil(parts[1:])).all()
        assert at.max() < count
    drawn = [adapter.drawn_frames(50, 8, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert np.array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])


def test_several_views_see_other_frames_and_leave_numpys_generator_alone():
    np.random.seed(7)
    before = np.random.get_state()[1].copy()
    views = [adapter.even_frames(40, 4, view, 5) for view in range(5)]
    assert np.array_equal(np.random.get_state()[1], before)
    assert len({tuple(view) for view in views}) == 5


def test_a_bone_is_joint_minus_parent_where_both_are_seen():
    clip = made_up()
    points = adapter.joints([clip])
    bones = adapter.stream("bone", points, SKELETON)
    for place, parent in enumerate(SKELETON.parents):
        both = clip.seen[:, place] & clip.seen[:, parent]
        step = points[0, :, place, :2] - points[0, :, parent, :2]
        assert np.array_equal(bones[0, both, place, :2], step[both])
        assert not bones[0, ~both, place, :2].any()
        score = (points[0, :, place, 2] + points[0, :, parent, 2]) / 2
        assert np.array_equal(bones[0, :, place, 2], score)
    assert not bones[0, :, SKELETON.centre, :2].any()


def test_motion_is_mmaction2s_where_both_frames_see_the_point():
    points = adapter.joints([made_up()])
    ours = adapter.stream("joint_motion", points, SKELETON)
    theirs = ToMotion(dataset="coco")({"keypoint": points})["motion"]
    assert np.array_equal(ours[..., 2], theirs[..., 2])
    both = theirs[..., 2] == 1
    assert both.any()
    assert (~both).any()
    assert np.array_equal(ours[both], theirs[both])
    assert not ours[~both][:, :2].any()


@pytest.mark.parametrize("name", adapter.STREAMS)
def test_tensors_and_arrays_have_the_same_streams_and_joints_stay(name):
    points = adapter.joints([made_up(), made_up(seed=1)])
    kept = points.copy()
    ours = adapter.stream(name, torch.from_numpy(points), SKELETON).numpy()
    assert np.array_equal(ours, adapter.stream(name, points, SKELETON))
    assert np.array_equal(points, kept)


def test_a_bone_that_appears_is_no_leap():
    clip = made_up(frames=3, unseen=0.0)
    hand = SKELETON.of_hands[0]
    clip.seen[0, hand], clip.places[0, hand] = False, 0
    moved = adapter.stream("bone_motion", adapter.joints([clip]), SKELETON)[0]
    assert not moved[0, hand, :2].any()
    assert moved[1, hand, :2].all()


def test_heat_maps_are_mmaction2s_number_for_number():
    clip = made_up(points=22, unseen=0.3)
    size, sigma = 28, 0.6
    places = adapter.in_square(clip, size)
    theirs = GeneratePoseTarget(sigma=sigma).transform(
        {
            "keypoint": places[None],
            "keypoint_score": clip.seen[None].astype(np.float32),
            "img_shape": (size, size),
        }
    )["imgs"]
    ours = adapter.heat_maps(clip, size, sigma)
    assert ours.shape == (22, 6, size, size)
    assert np.allclose(ours.swapaxes(0, 1), theirs, atol=1e-6)
    assert theirs.max() > 0.5


def test_limb_maps_are_mmaction2s_number_for_number():
    skeleton = graph.skeleton("hands")
    clip = made_up(points=22, unseen=0.2)
    clip.places[1, 3] = clip.places[1, skeleton.parents[3]] + 1e-3  # a limb of no length
    size, sigma = 28, 0.6
    places = adapter.in_square(clip, size)
    transform = GeneratePoseTarget(
        sigma=sigma, with_kp=False, with_limb=True, skeletons=tuple(skeleton.inward)
    )
    theirs = transform.transform(
        {
            "keypoint": places[None],
            "keypoint_score": clip.seen[None].astype(np.float32),
            "img_shape": (size, size),
        }
    )["imgs"]
    ours = adapter.limb_maps(clip, skeleton, size, sigma)
    assert ours.shape == (21, 6, size, size)
    assert np.allclose(ours.swapaxes(0, 1), theirs, atol=1e-5)
    assert (theirs > 0.5).sum() > 6 * 21  # longer than a point each


def test_maps_show_all_seen_points_wherever_and_however_large_they_are():
    clip = made_up(points=22)
    places = adapter.in_square(clip, 28)[clip.seen]
    assert places.min() >= 0
    assert places.max() <= 28
    moved = clip._replace(places=(clip.places * 3 + 5) * clip.seen[..., None])
    assert np.allclose(adapter.in_square(moved, 28)[clip.seen], places, atol=1e-3)


def test_clips_without_any_point_or_of_one_have_finite_maps():
    none = Track(np.zeros((2, 22, 2), np.float32), np.zeros((2, 22), bool))
    assert not adapter.heat_maps(none, 12, 0.6).any()
    assert not adapter.limb_maps(none, graph.skeleton("hands"), 12, 0.6).any()
    one = none._replace(seen=none.seen.copy())
    one.seen[0, 0] = True
    shown = adapter.heat_maps(one, 12, 0.6)
    assert np.isfinite(shown).all()
    assert shown[0, 0, 6, 6] == pytest.approx(1.0)
    assert np.isfinite(adapter.joints([none])).all()


def test_bending_moves_seen_points_by_one_linear_map():
    clip = made_up()
    bent = adapter.bent(clip, np.random.default_rng(0), 0.2)
    assert np.array_equal(bent.seen, clip.seen)
    before, after = clip.places[clip.seen], bent.places[clip.seen]
    fitted, *_ = np.linalg.lstsq(before, after, rcond=None)
    assert np.allclose(before @ fitted, after, atol=1e-5)
    assert not np.allclose(fitted, np.eye(2), atol=0.02)
    assert not bent.places[~clip.seen].any()
