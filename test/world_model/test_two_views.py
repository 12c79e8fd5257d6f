"""Pictures measured by their points: what a real camera's motion is, and what does not count."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from ami_ros.core.camera import CameraMount
from ami_ros.core.geometry import Array, relative, wrap
from ami_ros.world_model.spec import PAIR
from ami_ros.world_model.two_views import (
    POINTS,
    Correspondences,
    Motion,
    Sighting,
    Turn,
    describe,
    expected_error,
    matched,
    motion,
    points_of,
    shrunk,
    turn,
    weight_of_evidence,
)

MOUNT = CameraMount(z=0.3, pitch=0.2)


def known(a: Array, b: Array, *depths: Array, doubt: float = 0.04) -> Correspondences:
    """Points whose depths are known to be these, or one of them."""
    depth = np.stack(depths, -1)
    return Correspondences(np.column_stack([a, np.ones(len(a))]), b, depth, np.full(depth.shape, doubt), 0.005)


def moved(count: int, pose: Array, tilt: float, wrong: int, seed: int) -> tuple[Array, Array, Array]:
    """Points of a room in two pictures and how deep they are in the first; the `wrong` first ones do not match."""
    rng = np.random.default_rng(seed)
    ahead = rng.uniform(1.5, 4.0, count)
    room = np.column_stack([ahead, rng.uniform(-0.6, 0.6, count) * ahead, rng.uniform(-0.3, 1.2, count)])

    def seen(points: Array, pitch: float) -> Array:
        return np.stack(CameraMount(pitch=pitch).seen(*points.T), -1)  # deep, right, down

    first = seen(room, MOUNT.pitch)
    turn = Rotation.from_euler("z", -pose[2]).as_matrix()
    second = seen((room - [pose[0], pose[1], 0.0]) @ turn.T, MOUNT.pitch + tilt)
    a, b = (s[:, 1:] / s[:, :1] for s in (first, second))
    b[:wrong] = rng.uniform(-0.5, 0.5, (wrong, 2))
    return a, b, first[:, 0]


@pytest.mark.parametrize("pose", [(0.3, -0.1, 0.15), (-0.2, 0.4, -0.3), (0.02, 0.0, 0.25)])
def test_a_motion_is_measured_though_a_third_of_the_points_are_wrong(pose: tuple[float, float, float]) -> None:
    a, b, depth = moved(60, np.array(pose), 0.0, wrong=20, seed=1)
    found = motion(known(a, b, depth), MOUNT)
    assert found is not None and 38 <= found.inliers <= 48
    assert np.allclose(found.pose, pose, atol=0.03)
    assert expected_error(found) < 0.15


def test_a_camera_that_tilts_by_itself_is_no_drive(pose: tuple[float, float, float] = (0.2, 0.1, 0.1)) -> None:
    a, b, depth = moved(60, np.array(pose), 0.06, wrong=0, seed=2)
    found = motion(known(a, b, depth), MOUNT)
    assert found is not None and np.hypot(*(found.pose - pose)[:2]) < 0.06


def test_distances_that_are_wrong_by_a_quarter_make_the_way_wrong_by_a_quarter() -> None:
    a, b, depth = moved(80, np.array([0.4, 0.0, 0.1]), 0.0, wrong=0, seed=3)
    found = motion(known(a, b, 1.25 * depth), CameraMount())
    assert found is not None
    assert found.pose[0] == pytest.approx(0.5, abs=0.06) and found.pose[2] == pytest.approx(0.1, abs=0.02)


def test_of_two_guesses_how_deep_a_point_is_the_right_one_counts() -> None:
    pose = np.array([0.4, -0.1, 0.1])
    a, b, depth = moved(60, pose, 0.0, wrong=0, seed=6)
    wrong = np.where(np.arange(60) % 2, 1.7, 1.0) * depth
    one, both = motion(known(a, b, wrong), MOUNT), motion(known(a, b, wrong, 1.7 * depth, depth), MOUNT)
    assert one is not None and both is not None
    assert np.allclose(both.pose, pose, atol=0.02) and both.inliers > one.inliers


def test_a_way_is_as_doubtful_as_the_depths_are() -> None:
    a, b, depth = moved(40, np.array([0.3, 0.2, 0.1]), 0.0, wrong=0, seed=7)
    sure, doubtful = (motion(known(a, b, depth, doubt=doubt), MOUNT) for doubt in (0.04, 0.4))
    assert sure is not None and doubtful is not None
    assert doubtful.deviation > 2 * sure.deviation


@pytest.mark.parametrize("aside", [-0.5, 0.5])
def test_before_a_wall_a_narrow_camera_tells_a_step_aside_from_a_turn(aside: float) -> None:
    """Both shift the picture; it took the one for the other, though the wall's depth was known."""
    rng = np.random.default_rng(8)
    wall = np.column_stack([np.full(30, 2.5), rng.uniform(-1.2, 1.2, 30), rng.uniform(-0.4, 0.9, 30)])
    pose = np.array([0.1, aside, -aside])
    turn = Rotation.from_euler("z", -pose[2]).as_matrix()
    first, second = (
        np.stack(CameraMount(pitch=MOUNT.pitch).seen(*room.T), -1)
        for room in (wall, (wall - [*pose[:2], 0.0]) @ turn.T)
    )
    a, b = (seen[:, 1:] / seen[:, :1] for seen in (first, second))
    b += rng.normal(0.0, 0.002, b.shape)
    found = motion(known(a, b, first[:, 0]), MOUNT)
    assert found is not None and np.allclose(found.pose, pose, atol=0.08)


def test_points_that_are_nobodys_say_nothing() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.uniform(-0.5, 0.5, (2, 30, 2))
    found = motion(known(a, b, np.full(30, 2.0)), MOUNT)
    assert found is None or weight_of_evidence(found.inliers) < 1.0
    assert motion(known(a[: POINTS.least - 1], a[: POINTS.least - 1], np.ones(POINTS.least - 1)), MOUNT) is None
    still = motion(known(a, a, np.full(30, 2.0)), MOUNT)  # one place: no direction, and no crash
    assert still is None or np.abs(still.pose).max() < 0.05


def test_points_that_agree_with_no_motion_of_the_robot_are_none() -> None:
    a, _, depth = moved(40, np.array([0.2, 0.1, 0.1]), 0.0, wrong=0, seed=4)
    # On its head: it has an epipolar geometry, and no robot drives so. It divided by the 0 points that were left.
    assert motion(known(a, -a, depth), MOUNT) is None


def test_few_points_are_doubted_more() -> None:
    few, many = (Motion(np.zeros(3), inliers, 0.1) for inliers in (8, 80))
    assert expected_error(few) > 1.5 * expected_error(many)
    assert [weight_of_evidence(n) for n in (0, 8)] == [0.0, 0.0] < [weight_of_evidence(20)] * 2
    assert weight_of_evidence(500) == weight_of_evidence(100)


def scene(shift: int) -> np.ndarray:
    rng = np.random.default_rng(5)
    picture = cv2.GaussianBlur(rng.integers(0, 256, (240, 240)).astype(np.uint8), (0, 0), 3)
    picture = cv2.normalize(picture, None, 0, 255, cv2.NORM_MINMAX)
    return np.repeat(picture[None, 20:212, 20 + shift : 212 + shift], 3, 0)


def test_points_are_found_again_where_they_went() -> None:
    every = slice(0, 192)
    here, there = (points_of(describe(scene(shift), every, every)) for shift in (0, 12))
    a, b = matched(here, there)
    assert len(a) > 30
    gone = (here.at[a] - there.at[b]) * 96
    assert np.abs(np.median(gone, 0) - [12, 0]).max() < 0.5


def test_a_picture_without_any_point_is_described_by_nothing() -> None:
    every = slice(0, 192)
    code = describe(np.full((3, 192, 192), 90, np.uint8), every, every)
    assert code.shape == (PAIR.points_length,) and not code.any()
    empty = points_of(code)
    assert len(empty.at) == 0
    assert [len(rows) for rows in matched(empty, points_of(describe(scene(0), every, every)))] == [0, 0]


def test_numbers_that_are_no_points_do_no_harm() -> None:
    rng = np.random.default_rng(0)
    code = (1e30 * rng.normal(size=PAIR.points_length)).astype(np.float32)
    found = points_of(code)
    assert np.isfinite(found.descriptors).all() and np.abs(found.at).max() <= 1
    a, b = matched(found, points_of(-code))
    motion(known(found.at[a], found.at[b], np.full(len(a), 2.0)), MOUNT)


def test_points_lie_inside_of_what_a_narrow_camera_sees() -> None:
    rows, columns = slice(48, 144), slice(20, 172)
    picture = np.zeros((3, 192, 192), np.uint8)
    picture[:, rows, columns] = scene(0)[:, rows, columns]
    at = (points_of(describe(picture, rows, columns)).at + 1) / 2 * 192
    assert len(at) > 10 and at[:, 1].min() > 48 and at[:, 1].max() < 144
    assert np.array_equal(shrunk(picture[None], 96)[0, :, :24], np.zeros((3, 24, 96)))


def test_a_camera_that_sees_a_part_of_the_picture_takes_weaker_points() -> None:
    """A narrow camera's picture of a room has a third of the points that a wide one has, too few to measure it by."""
    every, pale = slice(0, 192), 120 + scene(0) // 20
    whole, narrow = (points_of(describe(pale, every, every, sees)).at for sees in (1.0, 0.2))
    assert len(whole) < POINTS.least < 20 < len(narrow)


# How far a robot turned, by points that two pictures show, where wheels tell how far it drove.


PIXEL = 0.01  # [rad]


def sighted(motion: Array, count: int, rng: np.random.Generator, doubt: float = 0.3, moving: int = 0) -> Sighting:
    """Points around a camera that moves by `motion` (3,), the first of which move by themselves. How far off they are
    is guessed with a doubt."""
    bearing, away = rng.uniform(-0.6, 0.6, count), rng.uniform(0.8, 4.0, count)
    points = np.column_stack([away * np.cos(bearing), away * np.sin(bearing), np.zeros(count)])
    points[:moving] += [0.0, 0.3, 0.0]
    seen = np.array([relative(motion, point) for point in points])
    before, after = (bearings + PIXEL * rng.normal(size=count) for bearings in (bearing, np.arctan2(*seen.T[1::-1])))
    return Sighting(before, after, away * np.exp(doubt * rng.normal(size=count)), np.full(count, doubt))


def found(points: Sighting, motion: Array, said: float, doubt: float = 0.05) -> Turn | None:
    return turn(points, motion[:2], Turn(said, doubt), PIXEL)


def turned_by(turned: Turn | None) -> Turn:
    assert turned is not None
    return turned


@pytest.mark.parametrize("motion", [(0.0, 0.0, 0.3), (0.15, 0.0, 0.0), (0.1, 0.03, -0.25), (-0.1, 0.0, 0.1)])
def test_a_turn_is_known_far_better_than_wheels_told_it(motion: tuple[float, float, float]) -> None:
    rng, moved = np.random.default_rng(1), np.array(motion)
    turns = [turned_by(found(sighted(moved, 40, rng), moved, moved[2] + 0.05 * rng.normal())) for _ in range(60)]
    off = np.array([wrap(turned.angle - moved[2]) for turned in turns])
    said = np.array([turned.deviation for turned in turns])
    assert np.sqrt(np.mean(off**2)) < 0.006 and abs(off.mean()) < 0.002
    assert (np.abs(off) < 3 * said).all() and said.max() < 0.02


def test_few_points_say_that_they_know_less() -> None:
    rng, moved = np.random.default_rng(2), np.array([0.1, 0.0, 0.2])
    few, many = (turned_by(found(sighted(moved, count, rng), moved, 0.2)).deviation for count in (5, 80))
    assert few > 1.2 * many


def test_somebody_who_walks_through_the_picture_is_outvoted() -> None:
    rng, moved = np.random.default_rng(3), np.array([0.05, 0.0, 0.3])
    for _ in range(20):
        turned = turned_by(found(sighted(moved, 40, rng, moving=16), moved, 0.27))
        assert abs(turned.angle - 0.3) < 0.015


def test_way_that_is_driven_is_not_taken_for_a_turn() -> None:
    """Who drives ahead past a wall on one side sees all of it move to that side."""
    rng, moved = np.random.default_rng(4), np.array([0.15, 0.0, 0.0])
    points = sighted(moved, 60, rng, doubt=0.05)
    left = points.before > 0.1
    turned = turned_by(found(Sighting(*(values[left] for values in points)), moved, 0.0))
    assert abs(turned.angle) < 3 * turned.deviation < 0.05
    blind = turned_by(turn(Sighting(*(values[left] for values in points)), np.zeros(2), Turn(0.0, 0.05), PIXEL))
    assert abs(blind.angle) > 2 * abs(turned.angle)


def test_points_that_do_not_agree_tell_nothing() -> None:
    rng, moved = np.random.default_rng(5), np.array([0.0, 0.0, 0.3])
    points = sighted(moved, 40, rng)
    assert found(points._replace(after=rng.uniform(-0.6, 0.6, 40)), moved, 0.3) is None
    assert found(Sighting(*(values[: 5 - 1] for values in points)), moved, 0.3) is None
    assert found(Sighting(*(values[:0] for values in points)), moved, 0.3) is None


def test_a_turn_that_wheels_hold_for_impossible_is_not_believed() -> None:
    rng, moved = np.random.default_rng(6), np.array([0.0, 0.0, 0.3])
    assert found(sighted(moved, 40, rng), moved, 0.0, doubt=0.01) is None
