"""Rigid motions: what is undone, chained and broadcast."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from ami_ros.core.geometry import (
    Array,
    Disc,
    advance,
    combined,
    compose,
    disc_around,
    from_cos_sin,
    fused,
    inverse,
    inverted,
    register,
    relative,
    rotation,
    transform_points,
    wrap,
)
from ami_ros.core.robots.description import load_robot

metres = st.floats(-100.0, 100.0)
angles = st.floats(-20.0, 20.0)
poses = st.tuples(metres, metres, angles).map(np.array)


def assert_same_pose(a: Array, b: Array) -> None:
    np.testing.assert_allclose(a[..., :2], b[..., :2], atol=1e-9)
    np.testing.assert_allclose(wrap(a[..., 2] - b[..., 2]), 0.0, atol=1e-9)


@given(st.floats(-1e6, 1e6))
def test_wrapped_angles_point_the_same_way_within_half_a_turn(angle: float) -> None:
    wrapped = wrap(angle)
    assert -np.pi <= wrapped <= np.pi
    np.testing.assert_allclose([np.cos(wrapped), np.sin(wrapped)], [np.cos(angle), np.sin(angle)], atol=1e-8)


def test_what_heads_give_becomes_poses_whatever_stands_behind_it() -> None:
    poses = np.array([[1.0, -2.0, 3.0], [0.0, 0.5, -1.2]])
    values = np.column_stack([poses[:, :2], np.cos(poses[:, 2]), np.sin(poses[:, 2]), [7.0, 8.0]])
    np.testing.assert_allclose(from_cos_sin(values), poses)
    np.testing.assert_allclose(from_cos_sin(values[0]), poses[0])


def test_half_a_turn_is_wrapped_to_minus_pi() -> None:
    np.testing.assert_array_equal(wrap([np.pi, -np.pi, 0.0]), [-np.pi, -np.pi, 0.0])


@given(poses, poses)
def test_relative_undoes_compose(a: Array, b: Array) -> None:
    assert_same_pose(relative(a, compose(a, b)), b)
    assert_same_pose(compose(a, relative(a, b)), b)


@given(poses)
def test_a_pose_and_its_inverse_cancel(a: Array) -> None:
    assert_same_pose(compose(a, inverse(a)), np.zeros(3))
    assert_same_pose(compose(inverse(a), a), np.zeros(3))


@given(poses, poses, poses)
def test_composition_is_associative(a: Array, b: Array, c: Array) -> None:
    assert_same_pose(compose(compose(a, b), c), compose(a, compose(b, c)))


@given(poses, poses)
def test_points_move_as_the_poses_that_stand_there(a: Array, b: Array) -> None:
    np.testing.assert_allclose(transform_points(a, b[None, :2])[0], compose(a, b)[:2], atol=1e-9)


def test_a_robot_that_looks_left_sees_what_is_north_of_it_ahead() -> None:
    robot = np.array([1.0, 2.0, np.pi / 2])
    np.testing.assert_allclose(relative(robot, [1.0, 5.0, np.pi]), [3.0, 0.0, np.pi / 2], atol=1e-12)
    np.testing.assert_allclose(transform_points(robot, [[3.0, 0.0], [0.0, 1.0]]), [[1.0, 5.0], [0.0, 2.0]], atol=1e-12)


def test_poses_broadcast() -> None:
    many = np.random.default_rng(0).normal(size=(4, 5, 3))
    one = np.array([1.0, 2.0, 3.0])
    assert compose(one, many).shape == relative(many, one).shape == (4, 5, 3)
    np.testing.assert_allclose(compose(one, many)[2, 3], compose(one, many[2, 3]))
    assert transform_points(many[0], np.zeros((5, 7, 2))).shape == (5, 7, 2)


@given(poses, poses)
def test_one_pose_is_composed_as_many_are(a: Array, b: Array) -> None:
    for function in (compose, relative):
        assert_same_pose(function(a, b), function(a[None], b[None])[0])


def test_a_way_is_driven_half_turned() -> None:
    np.testing.assert_allclose(advance(np.zeros(3), 1.0, np.pi / 2), [np.sqrt(0.5), np.sqrt(0.5), np.pi / 2])
    np.testing.assert_allclose(advance(np.zeros(3), 0.0, np.pi / 2, 1.0), [-np.sqrt(0.5), np.sqrt(0.5), np.pi / 2])


@given(st.tuples(angles, angles, angles))
def test_rotation_turns_about_fixed_axes(turn: tuple[float, float, float]) -> None:
    np.testing.assert_allclose(rotation(*turn), Rotation.from_euler("xyz", turn).as_matrix(), atol=1e-9)


BOX = [(0.07, 0.15), (0.07, -0.15), (-0.2, -0.15), (-0.2, 0.15)]  # base_link lies near its front


def test_the_disc_of_a_box_is_around_its_middle() -> None:
    disc = disc_around(BOX)
    assert disc.middle == pytest.approx(-0.065) and disc.radius == pytest.approx(np.hypot(0.135, 0.15))


def test_it_holds_every_outline_and_none_smaller_does() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        corners = rng.uniform([-0.4, -0.3], [0.2, 0.3], (rng.integers(3, 8), 2))
        disc = disc_around([(float(x), float(y)) for x, y in corners])
        assert np.hypot(corners[:, 0] - disc.middle, corners[:, 1]).max() <= disc.radius + 1e-9
        others = np.hypot(corners[:, 0, None] - np.linspace(-0.6, 0.6, 1201), corners[:, 1, None]).max(axis=0)
        assert disc.radius <= others.min() + 1e-9


def test_how_far_it_reaches_depends_on_where_to() -> None:
    disc = Disc(0.2, -0.06)
    assert disc.reach(0.0) == pytest.approx(0.14) and disc.reach(np.pi) == pytest.approx(0.26)
    assert disc.reach(np.pi / 2) == pytest.approx(np.sqrt(0.04 - 0.0036))
    assert Disc(0.18).reach(1.0) == pytest.approx(0.18)


def test_its_middle_turns_with_the_robot() -> None:
    poses = np.array([[1.0, 2.0, 0.0], [1.0, 2.0, np.pi / 2]])
    np.testing.assert_allclose(Disc(0.2, -0.1).centre(poses), [[0.9, 2.0], [1.0, 1.9]], atol=1e-12)


@pytest.mark.parametrize("name", ["turtlebot3_waffle_pi", "turtlebot3_burger", "ackermann", "ami_bot"])
def test_described_robots_are_no_wider_than_around_their_wheels(name: str) -> None:
    shape = load_robot(name).shape
    assert shape.disc.radius <= shape.radius + 1e-9
    assert (shape.disc.radius < 0.9 * shape.radius) == bool(shape.polygon)


def test_covariances_of_steps_add_up_as_samples_do() -> None:
    rng = np.random.default_rng(0)
    first, second = np.array([1.0, 0.5, 0.7]), np.array([2.0, -0.3, -0.4])
    spread = np.array([[4e-4, 1e-4, 0.0], [1e-4, 9e-4, 1e-4], [0.0, 1e-4, 4e-4]])
    a, b = (
        first + rng.multivariate_normal(np.zeros(3), spread, 40_000),
        second + rng.multivariate_normal(np.zeros(3), spread, 40_000),
    )
    pose, covariance = combined((first, spread), (second, spread))
    assert np.allclose(covariance, np.cov(compose(a, b).T), atol=6e-5) and np.allclose(pose, compose(first, second))
    back, covariance = inverted((first, spread))
    assert np.allclose(covariance, np.cov(inverse(a).T), atol=6e-5) and np.allclose(back, inverse(first))


def test_a_step_that_is_measured_twice_lies_where_the_surer_measurement_has_it() -> None:
    sure, vague = np.diag([0.01, 0.01, 0.01]) ** 2, np.diag([0.1, 0.1, 0.1]) ** 2
    pose, covariance = fused((np.array([1.0, 0.0, 3.1]), vague), (np.array([1.2, 0.1, -3.1]), sure))
    assert np.hypot(pose[0] - 1.2, pose[1] - 0.1) < 0.003 and abs(wrap(pose[2] + 3.1)) < 0.002
    assert (np.diag(covariance) < np.diag(sure)).all()
    both, less = fused((np.zeros(3), sure), (np.zeros(3), sure))
    assert both == pytest.approx(np.zeros(3)) and np.allclose(less, sure / 2)


def drive(rng: np.random.Generator, n: int = 200) -> Array:
    return np.column_stack([rng.uniform(0, 8, n), rng.uniform(0, 6, n), rng.uniform(-np.pi, np.pi, n)])


def test_frame_of_the_memory_is_found_although_the_robot_was_lost_for_a_third_of_the_time() -> None:
    rng = np.random.default_rng(1)
    frame = np.array([2.0, -1.0, 2.5])
    true = drive(rng)
    believed = compose(inverse(frame), true)
    believed[:, :2] += rng.normal(0, 0.05, (200, 2))
    believed[:66] = drive(rng, 66)
    found = register(believed, true)
    assert found == pytest.approx(frame, abs=0.05)


def test_without_a_belief_there_is_no_frame() -> None:
    assert register(np.zeros((0, 3)), np.zeros((0, 3))) is None
