"""Rigid motions: what is undone, chained and broadcast."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from ami_ros.core.geometry import (
    Array,
    advance,
    compose,
    from_cos_sin,
    inverse,
    relative,
    rotation,
    transform_points,
    wrap,
)

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
