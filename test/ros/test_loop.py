"""A robot on a thread of its own: paced, obedient, and standing still when nobody commands it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ami_ros.core.errors import AmiError
from ami_ros.ros.simulated_robot import SimulationLoop
from ami_ros.simulation.loopback import Loopback
from ami_ros.simulation.noise import SensorNoise
from ami_ros.simulation.robot import Robot
from harness.waiting import wait_until


def make_robot() -> Loopback:
    robot = Loopback("empty", noise=SensorNoise(scale=0.0))
    robot.reset(np.array([1.0, 2.0, 0.0]))
    return robot


def ignore(robot: Robot, tick: int) -> None:
    """Nothing to publish."""


@pytest.mark.fault("the gate and who stands in for it are gone")
def test_robot_drives_and_stops_when_no_command_comes() -> None:
    loop: SimulationLoop[Any] = SimulationLoop(make_robot, 0.0, ignore)
    loop.command(0.5, 0.0)
    start = loop.call(lambda robot: robot.time)
    wait_until(lambda: loop.call(lambda robot: robot.time) > start + 5.0)
    pose, velocity = loop.call(lambda robot: (robot.ground_truth().pose, robot.ground_truth().velocity))
    loop.close()
    assert 1.05 < pose[0] < 1.8 and abs(velocity[0]) < 1e-3


def test_every_step_is_told() -> None:
    ticks: list[int] = []
    loop: SimulationLoop[Any] = SimulationLoop(make_robot, 0.0, lambda robot, tick: ticks.append(tick))
    wait_until(lambda: len(ticks) > 50)
    loop.close()
    assert ticks == list(range(1, len(ticks) + 1))


def test_real_time_factor_holds_the_simulation_back() -> None:
    loop: SimulationLoop[Any] = SimulationLoop(make_robot, 0.1, ignore)
    wait_until(lambda: loop.call(lambda robot: robot.time) >= 0.04)
    first = loop.call(lambda robot: robot.time)
    second = loop.call(lambda robot: robot.time)
    loop.close()
    assert second - first < 0.2  # two calls in a row, far less than the tens of seconds of an unpaced loop


def test_error_of_a_call_reaches_the_caller_and_the_loop_goes_on() -> None:
    loop: SimulationLoop[Any] = SimulationLoop(make_robot, 0.0, ignore)
    with pytest.raises(AmiError, match="no door"):
        loop.call(lambda robot: robot.set_door("trapdoor", True))
    assert loop.call(lambda robot: robot.time) > 0
    loop.close()


def test_robot_that_cannot_be_made_is_reported_at_once() -> None:
    with pytest.raises(AmiError, match="atlantis"):
        SimulationLoop(lambda: Loopback("atlantis"), 0.0, ignore)


def test_failure_on_the_way_is_kept_for_the_node() -> None:
    def fail(robot: Robot, tick: int) -> None:
        raise RuntimeError("no more")

    loop: SimulationLoop[Any] = SimulationLoop(make_robot, 0.0, fail)
    wait_until(lambda: loop.failure is not None)
    loop.close()
