"""The arm that knows the future: it says, in odom, where those who are near come to be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ami_ros.bench.people import ExactFuture
from ami_ros.core.geometry import compose, relative, transform_points
from ami_ros.safety.moving_things import MovingThings, PredictionConfig
from ami_ros.simulation.loopback import Loopback
from ami_ros.simulation.noise import SensorNoise
from ami_ros.simulation.world import People
from ami_ros.simulation.world_file import load_world


def test_it_says_where_people_come_to_be_and_how_often_they_came_near() -> None:
    world = replace(load_world("empty"), people=People(3, children=0.0, speed=0.9, seed=2))
    robot = Loopback(world, robot="turtlebot4", seed=3, noise=SensorNoise(scale=0.0))
    robot.step((0.0, 0.0), 3.0)  # until all are on their way
    seconds = np.array([0.5, 1.0, 0.25])
    truth, odometry = robot.ground_truth().pose, robot.odometry()[0]
    told = ExactFuture(robot)(MovingThings(robot.time), robot.time - 0.1, seconds, PredictionConfig())  # type: ignore[arg-type]
    assert told is not None and told.positions.shape == (3, 3, 2)
    robot.step((0.0, 0.0), 0.4)
    there = transform_points(
        compose(odometry, relative(truth, np.zeros(3))), np.array([thing.position for thing in robot.moving_truth()])
    )
    np.testing.assert_allclose(told.positions[:, 0], there, atol=0.06)
    robot.step((0.0, 0.0), 20.0)
    assert robot.encounters == 3  # in a room that small everybody stays near
