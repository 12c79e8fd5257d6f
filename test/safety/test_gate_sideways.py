"""The safety gate of a robot that also drives sideways."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ami_ros.core.commands import Command
from ami_ros.core.scan import Scan
from ami_ros.safety.config import SafetyConfig
from ami_ros.safety.gate import SafetyGate
from ami_ros.safety.output import SafetyOutput
from ami_ros.simulation.loopback import Loopback
from ami_ros.simulation.noise import SensorNoise
from ami_ros.simulation.world_file import load_world
from harness.scans import NOTHING, robot_at, room_with_box, scan_of_points

CONFIG = SafetyConfig(max_lateral=0.4)
TICK = 0.1


def wall_beside(distance: float) -> Scan:
    """A wall along the way, `distance` [m] to the left of the robot's middle."""
    return scan_of_points(np.column_stack([np.linspace(-1.5, 1.5, 151), np.full(151, distance)]))


def settled(command: Command, scan: Scan = NOTHING, config: SafetyConfig = CONFIG) -> SafetyOutput:
    """What the gate sends once a command has been asked for for a while."""
    gate = SafetyGate(config)
    for k in range(30):
        gate.command(command[0], command[1], k * TICK, command[2])
        gate.scan(scan, k * TICK)
        output = gate.output(k * TICK)
    return output


def test_where_there_is_room_sideways_commands_pass_as_they_came() -> None:
    for command in ((0.0, 0.0, 0.3), (0.0, 0.5, -0.4), (0.3, -1.0, 0.2), (-0.2, 0.0, -0.2)):
        assert settled(command).command == command and settled(command).reason == ""


def test_sideways_speed_is_limited_and_a_robot_that_has_none_gets_none() -> None:
    assert settled((0.0, 0.0, 9.0)) == SafetyOutput(0.0, 0.0, "limit", CONFIG.max_lateral)
    assert settled((0.2, 0.0, 0.3), config=SafetyConfig()) == SafetyOutput(0.2, 0.0, "limit", 0.0)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_sideways_part_that_is_not_finite_is_a_stop(bad: float) -> None:
    assert settled((0.2, 0.0, bad)) == SafetyOutput(0.0, 0.0, "command is not finite")


def test_a_wall_beside_stops_the_way_to_it_alone() -> None:
    close = wall_beside(CONFIG.robot_radius + CONFIG.margin + 0.01)
    slowed = settled((0.0, 0.0, 0.3), close)
    assert slowed.reason == "obstacle ahead" and slowed.lateral < 0.05
    for command in ((0.0, 0.0, -0.3), (0.4, 0.0, 0.0), (0.0, 1.0, 0.0)):
        assert settled(command, close).command == command


def test_before_a_wall_it_slows_down_as_much_to_the_side_as_ahead() -> None:
    """A disc does not care: a wall to the left stops a drive to the left as a wall ahead does one ahead."""
    for distance in (0.3, 0.4, 0.5):
        wall = wall_beside(distance)
        turned = Scan(wall.ranges, wall.angle_min - np.pi / 2, wall.angle_increment)
        left, ahead = settled((0.0, 0.0, 0.4), wall), settled((0.4, 0.0, 0.0), turned)
        assert left.lateral == pytest.approx(ahead.linear, abs=0.01) and 0.0 < left.lateral <= 0.4


def test_aslant_both_parts_are_slowed_alike() -> None:
    slowed = settled((0.3, 0.0, 0.3), wall_beside(0.3))
    assert slowed.reason == "obstacle ahead" and 0.0 < slowed.linear < 0.3
    assert slowed.linear == pytest.approx(slowed.lateral)


COMMANDS = st.tuples(st.floats(-1.0, 1.0), st.floats(-2.5, 2.5), st.floats(-1.0, 1.0), st.integers(1, 12))
WORLDS = {"room with a box": room_with_box(2.0, 2.0), "two rooms": load_world("two_rooms")}


def pushed_about(robot: Loopback, commands: list[tuple[float, float, float, int]]) -> Loopback:
    """Commands (linear, angular, lateral, ticks) through the gate; it scans every other tick."""
    gate, tick = SafetyGate(CONFIG), 0
    for linear, angular, lateral, ticks in commands:
        for _ in range(ticks):
            if tick % 2 == 0:
                gate.scan(robot.observe().scan, robot.time)
            gate.command(linear, angular, robot.time, lateral)
            robot.step(gate.output(robot.time).command, TICK)
            tick += 1
    return robot


@pytest.mark.parametrize("name", WORLDS)
@given(st.lists(COMMANDS, min_size=3, max_size=10), st.integers(0, 1000), st.floats(0.0, 1.0))
@example([(0.0, 0.0, 0.4, 60)], 0, 0.0)
@example([(0.0, 0.0, -0.4, 60)], 1, 1.0)
@example([(0.5, 0.0, 0.0, 9), (0.0, 0.0, 0.4, 9)] * 5, 2, 0.0)
@example([(0.3, 1.5, 0.4, 60)], 3, 1.0)
@example([(-1.0, 0.0, 0.0, 10), (0.1875, 2.0, 1.0, 7), (0.0, 0.0, 0.0, 1)], 221, 0.0)  # from back to aside, turning
@example(
    [(0.0, -0.625, 0.0, 6), (0.0, 2.0, 1.0, 9), (0.0, 0.0, 0.0, 1), (1.0, 0.0, -1.0, 6), (0.0, 0.0, 0.0, 8)]
    + [(0.0, 2.0, 1.0, 5), (1.0, 0.0, -1.0, 5), (0.0, 0.0, 0.0, 3)],
    191,
    0.0,
)  # from left to right, while the wheels still go left
@settings(max_examples=15, deadline=None)
def test_the_robot_never_touches_anything(
    name: str, commands: list[tuple[float, float, float, int]], seed: int, noise: float
) -> None:
    robot = Loopback(WORLDS[name], seed=seed, noise=SensorNoise(scale=noise), robot="ami_bot_omnidirectional")
    assert pushed_about(robot, commands).ground_truth().contacts == 0


def test_the_robot_still_gets_to_a_wall_sideways() -> None:
    robot = robot_at(2.0, 1.5, 0.0, robot="ami_bot_omnidirectional")
    pushed_about(robot, [(0.0, 0.0, 0.4, 90)])
    gap = 4.0 - 0.05 - robot.ground_truth().pose[1] - CONFIG.robot_radius
    assert 0.0 < gap < 0.12


def test_a_drive_to_the_side_that_it_does_not_have_stops_it_before_a_wall() -> None:
    """What is left of the command is nothing, while the way to standing is nearly not free any more."""
    for distance in np.arange(0.3, 0.6, 0.005):
        gate = SafetyGate(SafetyConfig())
        ahead = Scan(wall_beside(distance).ranges, -np.pi / 2, np.pi / 180)
        for k in range(8):
            gate.scan(NOTHING if k < 7 else ahead, k * TICK)
            gate.command(0.5 if k < 7 else 0.0, 0.0, k * TICK, 0.0 if k < 7 else 0.3)
            output = gate.output(k * TICK)
        assert output.command == (0.0, 0.0, 0.0) and output.reason in ("limit", "obstacle ahead")
