"""Frames, streams and heat maps: their properties, and equality with MMAction2's transforms."""

import numpy as np
import pytest
import torch
from mmaction.datasets.transforms import GeneratePoseTarget, ToMotion

from baselines.skeletons import adapter, graph
from baselines.skeletons.adapter import Keypoints

SKELETON = graph.skeleton("signing")


def random_clip(
    *, frames: int = 6, points: int = 57, seed: int = 0, missing: float = 0.2
) -> Keypoints:
    rng = np.random.default_rng(seed)
    detected = rng.random((frames, points)) >= missing
    xy = rng.uniform(-1, 1, (frames, points, 2)).astype(np.float32)
    return Keypoints(np.where(detected[..., None], xy, np.float32(0)), detected)


def test_frames_without_a_hand_are_dropped_and_a_clip_without_any_hand_is_kept(make_clip):
    clip = make_clip(0, frames=9)
    whole = adapter.keypoints(clip, SKELETON)
    assert len(whole.detected) == 8  # the first has none
    points = clip.values.reshape(9, -1, 3)[1:, list(SKELETON.columns), :2]
    assert np.array_equal(whole.xy[whole.detected], points[whole.detected])
    none = clip._replace(valid=clip.valid.copy())
    none.valid[:, [SKELETON.columns[i] for i in SKELETON.hands]] = False
    assert len(adapter.keypoints(none, SKELETON).detected) == 9


def test_normalised_hands_keep_their_shape_and_share_one_size_and_position(make_clip):
    before, after = (adapter.keypoints(make_clip(3), SKELETON, reach) for reach in (None, 0.7))
    left, right = SKELETON.each_hand
    rest = [i for i in range(len(SKELETON.names)) if i not in SKELETON.hands]
    assert np.array_equal(before.xy[:, rest], after.xy[:, rest])
    assert np.array_equal(before.detected, after.detected)
    assert not after.xy[:, left].any()  # was not detected
    was, now = before.xy[:, right] - before.xy[:, right[:1]], after.xy[:, right]
    assert np.allclose(np.linalg.norm(now, axis=-1).max(axis=1), 0.7, atol=1e-5)
    scale = 0.7 / np.linalg.norm(was, axis=-1).max(axis=1)
    assert np.allclose(now, was * scale[:, None, None], atol=1e-5)


def test_hands_alone_hides_all_other_points():
    clip = random_clip(points=57)
    alone = adapter.hands_alone(clip, SKELETON)
    rest = [i for i in range(len(SKELETON.names)) if i not in SKELETON.hands]
    assert not alone.detected[:, rest].any()
    assert not alone.xy[:, rest].any()
    assert np.array_equal(alone.detected[:, SKELETON.hands], clip.detected[:, SKELETON.hands])
    assert np.array_equal(alone.xy[:, SKELETON.hands], clip.xy[:, SKELETON.hands])


@pytest.mark.parametrize("count", [1, 3, 8, 9, 50])
def test_frames_are_ascending_one_of_each_part_and_repeatable(count):
    for at in (
        adapter.uniform_frames(count, 8),
        adapter.random_frames(count, 8, np.random.default_rng(3)),
    ):
        assert len(at) == 8
        parts = np.arange(9) * count / 8
        assert (at >= np.floor(parts[:-1])).all()
        assert (at <= np.ceil(parts[1:])).all()
        assert at.max() < count
    draws = [adapter.random_frames(50, 8, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert np.array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0], draws[2])


def test_views_select_different_frames_without_numpys_global_generator():
    np.random.seed(7)
    before = np.random.get_state()[1].copy()
    views = [adapter.uniform_frames(40, 4, view, 5) for view in range(5)]
    assert np.array_equal(np.random.get_state()[1], before)
    assert len({tuple(view) for view in views}) == 5


def test_a_bone_is_joint_minus_parent_where_both_are_detected():
    clip = random_clip()
    points = adapter.joints([clip])
    bones = adapter.stream("bone", points, SKELETON)
    for point, parent in enumerate(SKELETON.parents):
        both = clip.detected[:, point] & clip.detected[:, parent]
        vector = points[0, :, point, :2] - points[0, :, parent, :2]
        assert np.array_equal(bones[0, both, point, :2], vector[both])
        assert not bones[0, ~both, point, :2].any()
        score = (points[0, :, point, 2] + points[0, :, parent, 2]) / 2
        assert np.array_equal(bones[0, :, point, 2], score)
    assert not bones[0, :, SKELETON.centre, :2].any()


def test_motion_equals_mmaction2s_where_both_frames_have_the_point():
    points = adapter.joints([random_clip()])
    ours = adapter.stream("joint_motion", points, SKELETON)
    theirs = ToMotion(dataset="coco")({"keypoint": points})["motion"]
    assert np.array_equal(ours[..., 2], theirs[..., 2])
    both = theirs[..., 2] == 1
    assert both.any()
    assert (~both).any()
    assert np.array_equal(ours[both], theirs[both])
    assert not ours[~both][:, :2].any()


@pytest.mark.parametrize("name", adapter.STREAMS)
def test_streams_are_equal_for_tensors_and_arrays_and_leave_their_input(name):
    points = adapter.joints([random_clip(), random_clip(seed=1)])
    before = points.copy()
    ours = adapter.stream(name, torch.from_numpy(points), SKELETON).numpy()
    assert np.array_equal(ours, adapter.stream(name, points, SKELETON))
    assert np.array_equal(points, before)


def test_a_bone_that_appears_has_no_motion():
    clip = random_clip(frames=3, missing=0.0)
    hand = SKELETON.each_hand[0]
    clip.detected[0, hand], clip.xy[0, hand] = False, 0
    moved = adapter.stream("bone_motion", adapter.joints([clip]), SKELETON)[0]
    assert not moved[0, hand, :2].any()
    assert moved[1, hand, :2].all()


def test_heat_maps_equal_mmaction2s():
    clip = random_clip(points=22, missing=0.3)
    size, sigma = 28, 0.6
    pixels = adapter.to_pixels(clip, size)
    theirs = GeneratePoseTarget(sigma=sigma).transform(
        {
            "keypoint": pixels[None],
            "keypoint_score": clip.detected[None].astype(np.float32),
            "img_shape": (size, size),
        }
    )["imgs"]
    ours = adapter.heat_maps(clip, size, sigma)
    assert ours.shape == (22, 6, size, size)
    assert np.allclose(ours.swapaxes(0, 1), theirs, atol=1e-6)
    assert theirs.max() > 0.5


def test_limb_maps_equal_mmaction2s():
    skeleton = graph.skeleton("hands")
    clip = random_clip(points=22, missing=0.2)
    clip.xy[1, 3] = clip.xy[1, skeleton.parents[3]] + 1e-3  # shorter than a pixel
    size, sigma = 28, 0.6
    pixels = adapter.to_pixels(clip, size)
    transform = GeneratePoseTarget(
        sigma=sigma, with_kp=False, with_limb=True, skeletons=tuple(skeleton.inward)
    )
    theirs = transform.transform(
        {
            "keypoint": pixels[None],
            "keypoint_score": clip.detected[None].astype(np.float32),
            "img_shape": (size, size),
        }
    )["imgs"]
    ours = adapter.limb_maps(clip, skeleton, size, sigma)
    assert ours.shape == (21, 6, size, size)
    assert np.allclose(ours.swapaxes(0, 1), theirs, atol=1e-5)
    assert (theirs > 0.5).sum() > 6 * 21  # longer than a point each


def test_maps_show_all_detected_points_whatever_their_position_and_scale():
    clip = random_clip(points=22)
    pixels = adapter.to_pixels(clip, 28)[clip.detected]
    assert pixels.min() >= 0
    assert pixels.max() <= 28
    moved = clip._replace(xy=(clip.xy * 3 + 5) * clip.detected[..., None])
    assert np.allclose(adapter.to_pixels(moved, 28)[clip.detected], pixels, atol=1e-3)


def test_clips_with_one_point_or_none_have_finite_maps():
    none = Keypoints(np.zeros((2, 22, 2), np.float32), np.zeros((2, 22), bool))
    assert not adapter.heat_maps(none, 12, 0.6).any()
    assert not adapter.limb_maps(none, graph.skeleton("hands"), 12, 0.6).any()
    one = none._replace(detected=none.detected.copy())
    one.detected[0, 0] = True
    shown = adapter.heat_maps(one, 12, 0.6)
    assert np.isfinite(shown).all()
    assert shown[0, 0, 6, 6] == pytest.approx(1.0)
    assert np.isfinite(adapter.joints([none])).all()


def test_random_affine_applies_one_linear_map_to_detected_points():
    clip = random_clip()
    changed = adapter.random_affine(clip, np.random.default_rng(0), 0.2)
    assert np.array_equal(changed.detected, clip.detected)
    before, after = clip.xy[clip.detected], changed.xy[clip.detected]
    fitted, *_ = np.linalg.lstsq(before, after, rcond=None)
    assert np.allclose(before @ fitted, after, atol=1e-5)
    assert not np.allclose(fitted, np.eye(2), atol=0.02)
    assert not changed.xy[~clip.detected].any()
