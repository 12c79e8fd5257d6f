"""The whole core in one process: from picture goals to driven metres, without ROS."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from ami_ros.behaviour.config import NavigatorConfig
from ami_ros.bench.closed_loop import ClosedLoop, LoopConfig
from ami_ros.core.robots.description import load_robot
from ami_ros.memory.particle_filter import FilterConfig
from ami_ros.memory.place_memory import MemoryConfig, PlaceMemory
from ami_ros.planning.planner import PlannerConfig
from ami_ros.planning.types import Code
from ami_ros.runtime.graph import AgentConfig
from ami_ros.safety.config import SafetyConfig
from ami_ros.simulation.loopback import Loopback
from ami_ros.simulation.simulator import Simulator
from ami_ros.world_model.torch_model import LoadedModel
from harness.exact_model import IMAGE_SIZE, ExactModel, latent_of

EXACT = LoadedModel(ExactModel(), "exact", "0" * 64)
UNHURRIED = PlannerConfig(deadline=60.0)
MEMORY = MemoryConfig(filter=FilterConfig(particles=300))
# Round the west room of `two_rooms`, through its door, round the east room and back.
TOUR = [(0.5, 0.5), (1.5, 0.5), (1.5, 1.6), (3.4, 1.6), (3.4, 0.6), (2.6, 0.6), (2.6, 2.4), (3.4, 2.4), (3.4, 1.6)]
TOUR += [(0.6, 1.6), (0.6, 2.5), (1.5, 2.5), (1.5, 1.6), (0.5, 0.5)]


@pytest.fixture
def memory_file(tmp_path: Path) -> Path:
    """A memory of both rooms, driven through in both directions."""
    memory = PlaceMemory(EXACT.model, EXACT.encoder_id, tmp_path / "memory.db", MEMORY)
    corners, stamp = np.array([*TOUR, *TOUR[-2::-1]]), 0.0
    for a, b in zip(corners[:-1], corners[1:], strict=True):
        heading = np.arctan2(*(b - a)[::-1])
        for k in range(max(1, round(float(np.hypot(*(b - a))) / 0.12))):
            pose = np.array([*(a + (b - a) * min(1.0, 0.12 * k / np.hypot(*(b - a)))), heading])
            memory.observe(stamp, latent_of(pose), pose)
            stamp += 0.2
    memory.close()
    return tmp_path / "memory.db"


def loop(memory_file: Path | None, navigator: NavigatorConfig, seed: int = 0) -> tuple[ClosedLoop, Loopback]:
    robot = Loopback("two_rooms", image_size=IMAGE_SIZE, seed=seed)
    robot.reset(np.array([0.8, 1.0, 0.3]))
    config = LoopConfig(agent=AgentConfig(navigator=navigator, memory=MEMORY))
    return ClosedLoop(EXACT, cast(Simulator, robot), memory_file, config, seed), robot


def test_picture_goals_near_and_far_are_reached_with_memory(memory_file: Path) -> None:
    digest = hashlib.sha256(memory_file.read_bytes()).hexdigest()
    driver, robot = loop(memory_file, NavigatorConfig(planner=UNHURRIED))
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
    driver, robot = loop(memory_file, NavigatorConfig(planner=UNHURRIED))
    robot.set_door("middle", False)
    goal = driver.goals.sample(1, robot.ground_truth().pose)
    trial = driver.drive(goal.kind, robot.ground_truth().pose, goal.pose, goal.path_length)
    assert trial.status == "aborted" and not trial.success and trial.collisions == 0
    assert trial.error_code == Code.FAILED_TO_MAKE_PROGRESS and "is blocked" in trial.error_msg
    assert trial.still


def test_one_seed_gives_one_course() -> None:
    first, second = (next(loop(None, NavigatorConfig(use_memory=False, planner=UNHURRIED))[0].run(1)) for _ in range(2))
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
