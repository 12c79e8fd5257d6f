"""What a robot can carry out: by property, for any robot and any command."""

from __future__ import annotations

import math
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ami_ros.core.commands import TRANSLATION
from ami_ros.core.config import from_mapping
from ami_ros.core.errors import AmiError
from ami_ros.planning.kinematics import Drive, Kinematics
from ami_ros.world_model.layers import Floats

speeds = st.floats(1 / 64, 3.0, width=32)
robots = st.builds(
    Kinematics, st.sampled_from(get_args(Drive)), speeds, st.floats(0.0, 1.0, width=32), speeds, speeds, speeds
)
values = st.floats(-10.0, 10.0, width=32)
commands = st.lists(st.tuples(values, values, values), min_size=1, max_size=8)


def asked_of(robot: Kinematics, commands: list[tuple[float, ...]]) -> Floats:
    return np.array(commands, np.float32)[:, : robot.width]


def assert_feasible(robot: Kinematics, commands: Floats) -> None:
    projected = robot.project(commands)
    assert projected.dtype == np.float32
    np.testing.assert_allclose(projected, commands, atol=1e-6, rtol=1e-6)


@given(robots, commands)
def test_whatever_is_asked_the_robot_can_do_what_comes_out(robot: Kinematics, asked: list[tuple[float, ...]]) -> None:
    linear, angular, *sides = robot.project(asked_of(robot, asked)).T
    assert (linear <= robot.max_linear + 1e-6).all() and (linear >= -robot.max_reverse - 1e-6).all()
    assert (np.abs(angular) <= robot.max_angular + 1e-6).all()
    assert all((np.abs(side) <= robot.max_lateral + 1e-6).all() for side in sides)
    assert len(sides) == (robot.drive == "omnidirectional")
    if robot.drive == "ackermann":
        assert (np.abs(angular) * robot.turning_radius <= np.abs(linear) + 1e-5).all()


@given(robots, commands)
def test_what_the_robot_can_do_stays_as_it_is(robot: Kinematics, asked: list[tuple[float, ...]]) -> None:
    assert_feasible(robot, robot.project(asked_of(robot, asked)))


@given(robots, st.floats(0.0, 3.0, width=32), st.floats(0.0, 3.0, width=32), commands)
def test_a_limit_only_ever_lowers_speeds(
    robot: Kinematics, linear: float, angular: float, asked: list[tuple[float, ...]]
) -> None:
    slow = robot.limited(linear, angular).project(asked_of(robot, asked))
    assert (np.abs(slow[:, TRANSLATION]) <= linear + 1e-6).all() and (np.abs(slow[:, 1]) <= angular + 1e-6).all()
    assert_feasible(robot, slow)


@given(robots, st.integers(1, 9))
def test_primitives_are_what_the_robot_can_do_and_hold_standing_still(robot: Kinematics, steps: int) -> None:
    sequences = robot.primitives(steps)
    assert sequences.shape[1:] == (steps, robot.width) and (sequences == 0).all((1, 2)).any()
    assert_feasible(robot, sequences)


@given(robots, st.floats(-5.0, 5.0, width=32).filter(lambda w: abs(w) > 1 / 64))
def test_turning_is_a_command_of_the_robot_and_turns_the_way_it_was_asked(robot: Kinematics, angular: float) -> None:
    command = np.array(robot.turn(angular), np.float32)
    np.testing.assert_allclose(robot.project(command), command, atol=1e-5, rtol=1e-5)
    assert math.copysign(1, float(command[1])) == math.copysign(1, angular) and abs(float(command[1])) > 0
    assert robot.drive == "ackermann" or not command[TRANSLATION].any()


@given(robots.filter(lambda r: r.drive == "ackermann"), commands)
def test_no_path_of_a_car_is_curved_more_than_it_can_steer(robot: Kinematics, asked: list[tuple[float, ...]]) -> None:
    """Driven out: between any two moments it turns by at most the way it drove, over its turning radius."""
    driven = robot.project(asked_of(robot, asked)).astype(np.float64)
    way, turned = np.abs(driven[:, 0]).cumsum(), driven[:, 1].cumsum()
    for i in range(len(way)):
        for j in range(i, len(way)):
            assert abs(turned[j] - turned[i]) <= (way[j] - way[i]) / robot.turning_radius + 1e-4


def test_a_car_that_stands_cannot_turn() -> None:
    car = Kinematics("ackermann")
    assert car.project(np.array([0.0, 1.0], np.float32)).tolist() == [0.0, 0.0]


def test_only_an_omnidirectional_robot_has_the_sides_among_its_primitives() -> None:
    """Aslant as well as straight, and never turning with it."""
    robot = Kinematics("omnidirectional", max_lateral=0.25)
    held = {tuple(round(v, 3) for v in sequence[0].tolist()) for sequence in robot.primitives(3)}
    assert {(0.0, 0.0, 0.25), (0.0, 0.0, -0.25), (0.4, 0.0, 0.25), (0.4, 0.0, -0.25)} <= held
    assert {command[:2] for command in held} == {
        tuple(round(v, 3) for v in sequence[0].tolist()) for sequence in Kinematics().primitives(3)
    }


def test_sides_that_are_not_seen_can_be_forbidden_alone() -> None:
    robot = Kinematics("omnidirectional").limited(1.0, 1.0, lateral=0.0)
    assert robot.project(np.array([0.3, 0.0, 0.3], np.float32)).tolist() == pytest.approx([0.3, 0.0, 0.0])


@pytest.mark.parametrize(
    "bad", [{"max_linear": -0.1}, {"turning_radius": 0.0}, {"max_lateral": -0.1}, {"drive": "hover"}]
)
def test_a_robot_that_cannot_be_is_refused(bad: dict[str, object]) -> None:
    with pytest.raises(AmiError, match="planner"):
        from_mapping(Kinematics, bad, "planner")


def test_only_where_somebody_comes_it_may_leave_backwards_fast() -> None:
    robot = Kinematics(max_reverse=0.15, max_retreat=0.3)
    assert robot.low[0] == np.float32(-0.15)
