"""The simulator's kinematics as a dynamics: it predicts where the robot will be."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import cast

import numpy as np
import pytest

from ami_ros.bench.rivals import TrueDynamics, TrueLoop, true_latent
from ami_ros.bench.trials import GoalKind
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, compose, relative
from ami_ros.simulation.loopback import Loopback
from ami_ros.simulation.noise import SensorNoise
from ami_ros.simulation.robot import Robot
from ami_ros.simulation.simulator import Simulator
from ami_ros.world_model.fit import simulated_robot
from ami_ros.world_model.torch_model import LoadedModel
from harness.exact_model import IMAGE_SIZE, ExactModel
from harness.loops import EXACT, unhurried

CONFIG = unhurried()
SPEC = ExactModel().spec


@pytest.mark.parametrize("commands", [[(0.3, 0.0)] * 6, [(0.2, 1.0)] * 6, [(0.4, 0.0), (0.0, -1.4), (-0.15, 0.3)] * 2])
def test_it_predicts_where_the_robot_will_be(commands: list[tuple[float, float]]) -> None:
    robot = Loopback("empty")
    robot.reset(np.array([2.0, 2.0, 0.4]))
    robot.step((0.1, 0.2), 1.0)
    truth = robot.ground_truth()
    latent, still = true_latent(truth.pose, truth.velocity)[None], np.zeros((1, 2), np.float32)
    chunks = np.array(commands, np.float32).reshape(1, -1, SPEC.chunk, 2)
    latents, motions = TrueDynamics(SPEC).rollout(latent, chunks, still)
    assert latents.dtype == motions.dtype == np.float32
    pose = truth.pose
    for step, command in enumerate(commands):
        robot.step(command, SPEC.period)
        if (step + 1) % SPEC.chunk == 0:
            k = step // SPEC.chunk
            pose = compose(pose, motions[0, k])
            there = robot.ground_truth().pose
            assert np.abs(relative(there, pose)).max() < 0.03
            np.testing.assert_allclose(latents[0, k, :2], there[:2], atol=0.03)


def test_its_energy_is_the_true_relative_pose() -> None:
    a, b = np.array([1.0, 2.0, 0.7]), np.array([0.5, 2.5, -2.0])
    x, y, c, s = TrueDynamics(SPEC).relative_pose(true_latent(a), true_latent(b)).tolist()
    np.testing.assert_allclose([x, y, np.arctan2(s, c)], relative(a, b), atol=1e-5)


def test_the_same_planner_on_the_truth_reaches_another_room() -> None:
    robot = Loopback("two_rooms", image_size=IMAGE_SIZE)
    start, goal = np.array([0.6, 0.6, 2.0]), np.array([3.3, 2.3, -1.0])
    robot.place(start)
    loop = TrueLoop(EXACT, cast(Simulator, robot), CONFIG, 0)
    trial = loop.drive("far", start, goal, 4.0)
    assert trial.success and trial.collisions == 0 and trial.replans >= 1


def test_on_the_truth_a_car_reaches_poses_beside_it_and_in_another_room() -> None:
    car = LoadedModel(ExactModel(replace(SPEC, turning_radius=0.3)), "exact", "0" * 64)
    robot = Loopback("two_rooms", image_size=IMAGE_SIZE, robot="ami_bot_ackermann")
    start = np.array([0.8, 0.8, 2.0])
    robot.place(start)
    loop = TrueLoop(car, cast(Simulator, robot), CONFIG, 0)
    goals: dict[GoalKind, Array] = {"near": np.array([1.2, 1.4, -1.0]), "far": np.array([3.3, 2.2, -1.0])}
    for kind, goal in goals.items():
        trial = loop.drive(kind, robot.ground_truth().pose, goal, 4.0)
        assert trial.success and trial.collisions == 0


@pytest.mark.parametrize("make", [Loopback, partial(Simulator, pictures=False)])
def test_it_predicts_a_robot_that_drives_sideways(make: Callable[..., Robot]) -> None:
    spec = replace(SPEC, max_lateral=0.4)
    robot = make("empty", robot="ami_bot_omnidirectional")
    robot.reset(np.array([2.0, 2.0, 0.4]))
    robot.step((0.1, 0.2, -0.2), 1.0)
    truth, sides = robot.ground_truth(), (0.0, 0.0, 0.3)
    latent = true_latent(truth.pose, truth.velocity)[None]
    commands = np.array([sides] * 3 + [(0.2, 0.8, -0.3)] * 3, np.float32).reshape(1, -1, spec.chunk, 3)
    _, motions = TrueDynamics(spec).rollout(latent, commands, np.zeros((1, 3), np.float32))
    pose = truth.pose
    for chunk, motion in zip(commands[0].tolist(), motions[0], strict=True):
        for command in chunk:
            robot.step(tuple(command), spec.period)
        pose = compose(pose, motion)
        assert np.abs(relative(robot.ground_truth().pose, pose)).max() < 0.03


@pytest.mark.parametrize("make", [Loopback, partial(Simulator, pictures=False)])
def test_it_predicts_a_car(make: Callable[..., Robot]) -> None:
    spec = replace(SPEC, turning_radius=0.3)
    robot = make("empty", robot="ami_bot_ackermann")
    robot.reset(np.array([2.0, 2.0, 0.4]))
    robot.step((0.2, 0.4), 1.0)
    truth = robot.ground_truth()
    latent = true_latent(truth.pose, truth.velocity)[None]
    commands = np.array([(0.3, 0.5)] * 3 + [(0.3, 2.0)] * 3, np.float32).reshape(1, -1, spec.chunk, 2)
    poses, _ = TrueDynamics(spec).rollout(latent, commands, np.zeros((1, 2), np.float32))
    for chunk, pose in zip(commands[0].tolist(), poses[0], strict=True):
        for command in chunk:
            robot.step(tuple(command), spec.period)
        x, y, yaw = relative(robot.ground_truth().pose, np.array([*pose[:2], np.arctan2(pose[3], pose[2])]))
        assert np.hypot(x, y) < 0.03 and abs(yaw) < 0.12  # the wheels of the true one take their time to turn


def test_on_the_truth_a_goal_beside_the_robot_is_reached_sooner_by_driving_sideways() -> None:
    """With physics and the safety gate; the heading of an omnidirectional robot is that of the goal all the time."""
    goal = np.array([2.0, 2.5, 0.0])
    times, turned = {"differential": 0.0, "omnidirectional": 0.0}, {"differential": math.inf, "omnidirectional": 0.0}
    for seed in range(2):  # of when messages arrive: one drive takes 5 to 8 s by that alone
        for spec in (SPEC, replace(SPEC, max_lateral=0.4)):
            robot = Simulator("empty", simulated_robot(spec), noise=SensorNoise(scale=0.0), pictures=False)
            robot.place(np.array([2.0, 1.5, 0.0]))
            loop = TrueLoop(LoadedModel(ExactModel(spec), "exact", "0" * 64), robot, CONFIG, seed)
            trial = loop.drive("near", robot.ground_truth().pose, goal, 1.0)
            assert trial.success and trial.collisions == 0
            times[spec.drive] += trial.time_s
            most = max(abs(float(pose[2])) for _, pose, _ in loop.trace)
            turned[spec.drive] = (min if spec.drive == "differential" else max)(turned[spec.drive], most)
    assert times["omnidirectional"] < 0.9 * times["differential"]
    assert turned["omnidirectional"] < 0.3 < turned["differential"]


def test_a_simulated_robot_of_another_drive_than_the_models_is_refused() -> None:
    with pytest.raises(AmiError, match="its commands have 2 numbers, and a robot that is omnidirectional takes 3"):
        TrueLoop(EXACT, Simulator("empty", "ami_bot_omnidirectional", pictures=False), CONFIG, 0)
