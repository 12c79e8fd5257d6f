"""The whole core in one process: from picture goals to driven metres, and tasks of several legs, without ROS."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from ami_ros.behaviour.area import Area, area_of
from ami_ros.behaviour.exploration import Exploration
from ami_ros.behaviour.mission import Mission, MissionPlan
from ami_ros.behaviour.task import Code as TaskCode
from ami_ros.behaviour.task import Destination, Phase
from ami_ros.behaviour.unexplored import ExplorationConfig
from ami_ros.bench.closed_loop import ClosedLoop, LoopConfig, TaskDrive
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import compose
from ami_ros.core.robots.description import load_robot
from ami_ros.planning.types import Code
from ami_ros.safety.config import SafetyConfig
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.loopback import Loopback
from ami_ros.simulation.simulator import Simulator
from harness.exact_model import IMAGE_SIZE
from harness.loops import EXACT, unhurried

START = np.array([1.0, 1.2, 0.3])


def loop(memory_file: Path | None, use_memory: bool = True) -> tuple[ClosedLoop, Loopback]:
    robot = Loopback("two_rooms", image_size=IMAGE_SIZE)
    robot.reset(np.array([0.8, 1.0, 0.3]))
    return ClosedLoop(EXACT, cast(Simulator, robot), memory_file, unhurried(use_memory), 0), robot


def test_picture_goals_near_and_far_are_reached_with_memory(memory_file: Path) -> None:
    digest = hashlib.sha256(memory_file.read_bytes()).hexdigest()
    driver, robot = loop(memory_file)
    trials = list(driver.run(3))
    assert [t.kind for t in trials] == ["near", "far", "near"]
    for trial in trials:
        assert trial.success, trial
        assert trial.collisions == 0 and trial.error_code == 0 and trial.error_msg == ""
        assert trial.driven_m > 0.5 * trial.path_length_m - 0.3
    assert trials[1].replans >= 1
    np.testing.assert_array_equal(trials[1].start, trials[0].final)
    last = driver.trace[-1][2].decision
    assert len(driver.trace) > 3 and last is not None and last.done
    assert hashlib.sha256(memory_file.read_bytes()).hexdigest() == digest
    assert robot.ground_truth().contacts == 0


def test_a_goal_behind_a_closed_door_is_given_up_and_says_why(memory_file: Path) -> None:
    driver, robot = loop(memory_file)
    robot.set_door("middle", False)
    goal = driver.goals.sample(1, robot.ground_truth().pose)
    trial = driver.drive(goal.kind, robot.ground_truth().pose, goal.pose, goal.path_length)
    assert trial.status == "aborted" and not trial.success and trial.collisions == 0
    assert trial.error_code == Code.FAILED_TO_MAKE_PROGRESS and "is blocked" in trial.error_msg
    assert trial.still


def test_one_seed_gives_one_course() -> None:
    first, second = (next(loop(None, use_memory=False)[0].run(1)) for _ in range(2))
    assert first == second


def test_loop_is_of_the_robot_that_is_simulated() -> None:
    robot = load_robot("turtlebot4")
    config = LoopConfig(safety=SafetyConfig(margin=0.05)).driving(robot)
    planner = config.agent.navigator.planner
    assert config.safety.robot_radius == planner.robot_radius == 0.175 and config.safety.margin == 0.05
    assert (config.safety.max_linear, planner.kinematics.max_linear) == (0.306, 0.26)
    same, default = LoopConfig().driving(load_robot("ami_bot")), LoopConfig()
    assert same.safety == default.safety and same.agent.navigator.follower == default.agent.navigator.follower


@pytest.mark.parametrize("gated", [True, False])
def test_what_the_gate_costs_can_be_seen_by_a_loop_whose_gate_sees_nothing(gated: bool) -> None:
    robot = Loopback("two_rooms", image_size=IMAGE_SIZE)
    robot.reset(np.array([0.8, 1.0, np.pi]))
    driver = ClosedLoop(EXACT, cast(Simulator, robot), None, LoopConfig(gated=gated), 0)
    driver.commanded = lambda: (0.5, 0.0)
    for _ in range(150):
        driver.tick()
    assert (robot.ground_truth().contacts > 0) is not gated


@pytest.fixture
def in_empty_room() -> ClosedLoop:
    """A robot in the empty room, with an empty memory."""
    robot = Loopback("empty", image_size=IMAGE_SIZE)
    robot.reset(START)
    return ClosedLoop(EXACT, cast(Simulator, robot), None, unhurried(), 0)


def test_mission_visits_its_goals_and_the_records_say_where_the_robot_truly_stood(in_empty_room: ClosedLoop) -> None:
    origin = in_empty_room.simulator.observe().odometry
    ahead = compose(origin, np.array([0.6, 0.0, 0.0]))
    back = Destination("pose", pose=(float(origin[0]), float(origin[1]), float(origin[2])))
    goals = (Destination("pose", pose=(float(ahead[0]), float(ahead[1]), float(ahead[2])), wait=0.5), back)
    drive = TaskDrive(in_empty_room, Mission(MissionPlan(goals, leg_allowance=60.0)))
    for _ in drive.run(120.0):
        pass
    assert drive.task.code is TaskCode.NONE, drive.task.message
    assert [leg.succeeded for leg in drive.legs] == [True, True]
    assert drive.legs[1].began - drive.legs[0].ended >= 0.5
    np.testing.assert_allclose(drive.legs[1].final[:2], START[:2], atol=0.25)
    assert drive.distance > 0.8 and len(drive.believed) == len(drive.true) > 0


def test_exploring_comes_to_know_the_room_and_ends_where_it_began(in_empty_room: ClosedLoop) -> None:
    drive = TaskDrive(in_empty_room, Exploration(ExplorationConfig(), allowance=40.0))
    for _ in drive.run(200.0):
        pass
    assert drive.task.code is TaskCode.NONE, drive.task.message
    final = in_empty_room.simulator.ground_truth()
    assert np.hypot(*(final.pose[:2] - START[:2])) < 0.3 and final.contacts == 0
    assert set(drive.truths) == set(in_empty_room.memory.map.index.ids.tolist())
    assert FreeSpace(in_empty_room.simulator.world).share_within(np.array(list(drive.truths.values())), 0.75) > 0.7


def test_exploring_drives_to_its_area_and_stays_in_it(in_empty_room: ClosedLoop) -> None:
    area = Area(area_of("0.6,-0.3,2.6,1.2"))  # the robot begins beside it
    drive = TaskDrive(in_empty_room, Exploration(ExplorationConfig(), area=area))
    for _ in drive.run(200.0):
        if drive.task.phase is Phase.RETURNING or drive.elapsed > 9.0:
            break
    at = np.array(drive.believed)[:, :2]
    inside = area.contains(at)
    assert not inside[0] and inside.any() and inside[inside.argmax() :].all()


def test_a_task_that_does_not_end_is_an_error(in_empty_room: ClosedLoop) -> None:
    goal = Destination("pose", pose=(0.0, 0.0, 0.0), wait=1000.0)
    with pytest.raises(AmiError, match="not over after 1 s"):
        for _ in TaskDrive(in_empty_room, Mission(MissionPlan((goal,)))).run(1.0):
            pass
