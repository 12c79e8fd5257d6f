"""The safety gate: whatever is asked for, nothing harmful goes to the wheels."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ami_ros.core.geometry import inverse, transform_points
from ami_ros.core.scan import Mount, Scan, scan_points
from ami_ros.safety.config import SafetyConfig
from ami_ros.safety.gate import SafetyGate
from ami_ros.safety.output import SafetyOutput
from ami_ros.simulation.loopback import Loopback
from ami_ros.simulation.noise import SensorNoise
from ami_ros.simulation.world import World
from ami_ros.simulation.world_file import load_world
from harness.scans import NOTHING, robot_at, room_with_box, scan_of_points

CONFIG = SafetyConfig()
TICK = 0.1


def wall_ahead(distance: float) -> Scan:
    """A wall across the way, `distance` [m] ahead of the robot's middle."""
    return scan_of_points(np.column_stack([np.full(101, distance), np.linspace(-1.0, 1.0, 101)]))


def settled(
    linear: float, angular: float, scan: Scan | None = NOTHING, config: SafetyConfig = CONFIG, ticks: int = 30
) -> SafetyOutput:
    """What the gate sends once a command has been asked for for a while."""
    gate = SafetyGate(config)
    for k in range(ticks):
        gate.command(linear, angular, k * TICK)
        if scan is not None:
            gate.scan(scan, k * TICK)
        output = gate.output(k * TICK)
    return output


MOUNTS = (
    Mount(x=0.2),
    Mount(x=-0.15, y=0.1),
    Mount(yaw=2.0),
    Mount(upside_down=True),
    Mount(x=0.2, y=-0.1, yaw=-0.7, upside_down=True),
)


def measured(scan: Scan, mount: Mount) -> Scan:
    """What a scanner that is mounted so measures, in its own frame, of what `scan` sees."""
    seen = transform_points(inverse(np.array([mount.x, mount.y, mount.yaw])), scan_points(scan, 8.0))
    return scan_of_points(seen * ([1.0, -1.0] if mount.upside_down else [1.0, 1.0]))


@pytest.mark.parametrize("mount", MOUNTS)
@pytest.mark.parametrize("speed", [0.4, -0.4])
def test_it_stops_before_the_wall_wherever_the_scanner_sits(mount: Mount, speed: float) -> None:
    """Straight at a wall 1 m from the robot's middle, ahead or behind."""
    gate, gone = SafetyGate(CONFIG), 0.0
    for k in range(100):
        scan = wall_ahead(math.copysign(1.0 - gone, speed))
        gate.scan(mount.in_base(measured(scan, mount)), k * TICK)
        gate.command(speed, 0.0, k * TICK)
        gone += abs(gate.output(k * TICK).linear) * TICK
    assert 1.0 - gone == pytest.approx(CONFIG.robot_radius + CONFIG.margin, abs=0.03)


def test_it_would_stop_elsewhere_without_knowing_where_the_scanner_sits() -> None:
    mount, wall = Mount(x=0.2), wall_ahead(0.45)
    blind, right = settled(0.4, 0.0, measured(wall, mount)), settled(0.4, 0.0, mount.in_base(measured(wall, mount)))
    assert right.linear == pytest.approx(settled(0.4, 0.0, wall).linear, abs=0.02) and blind.linear < right.linear - 0.1


def test_harmless_commands_pass_as_they_came() -> None:
    for command in ((0.3, 0.5), (-0.2, -1.0), (0.0, 1.5), (0.0, 0.0)):
        assert settled(*command) == SafetyOutput(*command, "")


def test_without_a_command_the_robot_stands() -> None:
    assert SafetyGate(CONFIG).output(0.0) == SafetyOutput(0.0, 0.0, "")


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_command_that_is_not_finite_is_a_stop(bad: float) -> None:
    for command in ((bad, 0.2), (0.3, bad), (bad, bad)):
        assert settled(*command) == SafetyOutput(0.0, 0.0, "command is not finite")
    gate = SafetyGate(CONFIG)
    gate.scan(NOTHING, 0.0)
    gate.command(bad, 0.0, 0.0)
    gate.output(0.0)
    gate.command(0.0, 0.4, 0.1)
    assert gate.output(0.1).angular > 0  # the next good one is heard


@given(st.lists(st.tuples(st.floats(), st.floats()), min_size=1, max_size=20))
@settings(max_examples=100, deadline=None)
def test_whatever_comes_in_what_goes_out_is_finite_and_within_the_limits(commands: list[tuple[float, float]]) -> None:
    gate = SafetyGate(CONFIG)
    for k, command in enumerate(commands):
        gate.scan(NOTHING, k * TICK)
        gate.command(*command, k * TICK)
        output = gate.output(k * TICK)
        assert math.isfinite(output.linear) and math.isfinite(output.angular)
        assert abs(output.linear) <= CONFIG.max_linear and abs(output.angular) <= CONFIG.max_angular


# The scan


@pytest.mark.parametrize("command", [(0.3, 0.0), (0.0, 0.5), (-0.1, 0.1)])
def test_without_a_fresh_scan_the_robot_stands(command: tuple[float, float]) -> None:
    assert settled(*command, scan=None) == SafetyOutput(0.0, 0.0, "no scan")
    gate = SafetyGate(CONFIG)
    gate.scan(NOTHING, 0.0)
    gate.command(*command, 1.0)
    assert gate.output(1.0) == SafetyOutput(0.0, 0.0, "no scan")


def test_a_robot_without_scanner_can_be_allowed_to_drive() -> None:
    assert settled(0.3, 0.1, None, replace(CONFIG, require_scan=False)) == SafetyOutput(0.3, 0.1, "")


def test_forgetting_everything_means_zero_until_new_commands_come() -> None:
    gate = SafetyGate(CONFIG)
    gate.scan(NOTHING, 0.0)
    gate.command(0.4, 0.0, 0.0)
    gate.output(0.0)
    gate.stop()
    assert gate.output(0.05).linear == 0.0
    gate.command(0.4, 0.0, 0.1)
    assert gate.output(0.1).reason == "no scan"


def test_the_nearer_an_obstacle_the_slower_and_before_it_not_at_all() -> None:
    contact = CONFIG.robot_radius + CONFIG.margin
    speeds = [settled(0.5, 0.0, wall_ahead(contact + gap)).linear for gap in (0.01, 0.08, 0.15, 0.25, 0.8)]
    assert speeds[0] < 0.04 and speeds == sorted(speeds) and speeds[1] < speeds[3] and speeds[-1] == 0.5
    assert settled(0.5, 0.0, wall_ahead(contact + 0.08)).reason == "obstacle ahead"


def test_turning_and_driving_away_are_always_allowed() -> None:
    close = wall_ahead(CONFIG.robot_radius + 0.01)
    assert settled(0.4, 0.0, close).linear == 0.0
    for turn in (1.0, -1.0):
        assert settled(0.0, turn, close) == SafetyOutput(0.0, turn, "")
    assert settled(-0.3, 0.0, close) == SafetyOutput(-0.3, 0.0, "")
    turning = settled(0.4, 1.0, close)
    assert turning.linear < 0.05 and turning.angular == 1.0


def test_a_robot_that_does_not_see_behind_it_turns_on_the_spot_although_its_odometry_is_noisy() -> None:
    """A millimetre a second backwards was a way into what had not been seen: it turned by jerks."""
    gate, rng = SafetyGate(CONFIG), np.random.default_rng(0)
    for k in range(30):
        ranges = rng.normal(3.0, 0.01, 181).astype(np.float32)  # over the half circle ahead
        gate.odometry(np.array([*rng.normal(0, 2e-4, 2), TICK * k]), (rng.normal(0, 0.004), 1.0), k * TICK)
        gate.scan(Scan(ranges, -math.pi / 2, math.radians(1.0)), k * TICK)
        gate.command(0.0, 1.0, k * TICK)
        turned = gate.output(k * TICK)
        assert k < 5 or turned.command[1] == 1.0, f"{turned.reason} after {k} ticks"


def test_a_robot_whose_laser_is_before_its_middle_and_looks_ahead_only_can_set_out_but_not_back_up() -> None:
    """It never sees what is beside its widest part, which comes along there as soon as it moves."""
    ahead = Mount(x=0.1).in_base(Scan(np.full(181, 3.0, np.float32), -math.pi / 2, math.radians(1.0)))
    assert settled(0.4, 0.0, ahead) == SafetyOutput(0.4, 0.0, "")
    assert settled(0.3, 0.5, ahead) == SafetyOutput(0.3, 0.5, "")
    for backward in (-0.3, -0.01):
        assert settled(backward, 0.0, ahead) == SafetyOutput(0.0, 0.0, "unseen ahead")


def test_guesses_that_show_nothing_where_something_stood_do_not_stop_it_for_good() -> None:
    """A robot without a laser stood for the rest of its drive: from a wall near by its guesses went to nothing at all
    at once, and the gate took each of them for a covered laser."""
    wall = Scan(np.full(51, 2.0, np.float32), -math.radians(50.0), math.radians(2.0), max_range=4.0)
    nothing = replace(wall, ranges=np.full(51, np.inf, np.float32))
    for config, usable in ((CONFIG, False), (replace(CONFIG, measured=False), True)):
        gate = SafetyGate(config)
        for k in range(20):
            gate.command(0.2, 0.0, k * TICK)
            gate.scan(replace(wall if k < 10 else nothing), k * TICK)
            output = gate.output(k * TICK)
        assert (output.linear > 0.0) is usable


def test_what_stands_beside_the_way_does_not_matter() -> None:
    beside = scan_of_points(np.array([[0.6, 0.3], [0.6, -0.3], [1.2, 0.3]]))
    assert settled(0.4, 0.0, beside) == SafetyOutput(0.4, 0.0, "")


def test_the_arc_decides_not_the_direction() -> None:
    """An obstacle to the left is in the way of a left turn only."""
    left = scan_of_points(np.array([[0.22, 0.22]]))
    assert settled(0.4, 1.6, left).linear < 0.3
    assert settled(0.4, -1.6, left).linear == 0.4


# The promise, on a robot with inertia, lag, an old scan, and a gate that runs ten times a second

COMMANDS = st.tuples(st.floats(-1.0, 1.0), st.floats(-2.5, 2.5), st.integers(1, 12))


def pushed_about(robot: Loopback, commands: list[tuple[float, float, int]]) -> Loopback:
    """Commands (linear, angular, ticks) through the gate; it scans every other tick."""
    gate, tick = SafetyGate(CONFIG), 0
    for linear, angular, ticks in commands:
        for _ in range(ticks):
            if tick % 2 == 0:
                gate.scan(robot.observe().scan, robot.time)
            gate.command(linear, angular, robot.time)
            output = gate.output(robot.time)
            robot.step((output.linear, output.angular), TICK)
            tick += 1
    return robot


WORLDS = {"room with a box": room_with_box(2.0, 2.0), "two rooms": load_world("two_rooms")}


@pytest.mark.parametrize("name", WORLDS)
@given(st.lists(COMMANDS, min_size=3, max_size=10), st.integers(0, 1000), st.floats(0.0, 1.0))
@example([(0.5, 0.0, 60)], 0, 0.0)
@example([(-0.5, 0.0, 60)], 1, 1.0)
@example([(0.5, 1.8, 60)], 2, 0.0)
@example([(1.0, -2.5, 12), (1.0, 2.5, 12)] * 3, 3, 1.0)
@example([(-1.0, 0.0, 7), (1.0, 2.0, 9), (0.5, -2.0, 7)], 0, 0.0)  # its arc while gathering speed is a tighter one
@settings(max_examples=15, deadline=None)
def test_the_robot_never_touches_anything(
    name: str, commands: list[tuple[float, float, int]], seed: int, noise: float
) -> None:
    robot = Loopback(WORLDS[name], seed=seed, noise=SensorNoise(scale=noise))
    assert pushed_about(robot, commands).ground_truth().contacts == 0


def test_the_robot_still_gets_somewhere(world: World | str = "two_rooms") -> None:
    """Through a door of one metre, and up to a wall to within a hand's breadth."""
    robot = robot_at(1.0, 1.6, 0.0, world)
    pushed_about(robot, [(0.5, 0.0, 80)])
    gap = 4.0 - 0.05 - robot.ground_truth().pose[0] - CONFIG.robot_radius
    assert 0.0 < gap < 0.12


# The robot's outline


def test_a_long_robot_does_not_turn_into_what_stands_beside_it() -> None:
    config = SafetyConfig(footprint=(0.4, 0.15, -0.4, 0.15, -0.4, -0.15, 0.4, -0.15))
    post = scan_of_points(np.array([[0.25, 0.22], [0.26, 0.22]]))
    assert settled(0.0, 0.8, post, config).angular < 0.6 and settled(0.0, 0.8, post).angular == 0.8
    assert settled(0.0, -0.8, post, config).angular == -0.8
    assert settled(0.3, 0.0, post, config) == SafetyOutput(0.3, 0.0, "")
