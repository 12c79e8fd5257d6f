"""A small data set of the loopback robot, whose pictures encode its pose."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ami_ros.geometry import Array
from ami_ros.learning.bag_writer import BagWriter
from ami_ros.learning.dataset import Dataset
from ami_ros.learning.extract import extract
from ami_ros.learning.frames import encode_frame
from ami_ros.simulation.loopback import Loopback
from ami_ros.simulation.simulator import Observation

PERIOD, ROWS, RUNS = 0.2, 200, 6


def drive(seed: int) -> Iterator[tuple[Array, Observation, tuple[float, float]]]:
    """True pose (3,), what is seen, and the command, for ROWS periods: smooth at random, and away from walls."""
    robot, rng = Loopback("empty", image_size=32, seed=seed), np.random.default_rng(seed)
    command = np.zeros(2)
    for _ in range(ROWS):
        command = 0.8 * command + rng.normal(0.0, [0.15, 0.6])
        seen = robot.observe()
        linear, angular = np.clip(command + [0.25, 0.0], [-0.2, -1.5], [0.5, 1.5])
        ahead = seen.scan.ranges[np.abs(seen.scan.angles) < 0.5]
        if ahead.min() < 0.5:
            linear, angular = 0.0, 1.2
        yield robot.ground_truth().pose, seen, (linear, angular)
        robot.step((linear, angular), PERIOD)


def record(bag: BagWriter, seed: int) -> None:
    """Records a drive."""
    for i, (_, seen, command) in enumerate(drive(seed)):
        assert seen.image is not None
        bag.image("image/compressed", PERIOD * i, encode_frame(seen.image))
        bag.scan("scan", PERIOD * i, seen.scan.ranges, seen.scan.angle_min, seen.scan.angle_increment)
        bag.odometry("odom", PERIOD * i, seen.odometry, seen.velocity)
        bag.command("cmd_vel", PERIOD * i, *command)


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """RUNS episodes of ROWS rows; read only."""
    folder: Path = tmp_path_factory.mktemp("recorded")
    bags = [folder / f"run_{seed}" for seed in range(RUNS)]
    for seed, path in enumerate(bags):
        with BagWriter(path) as bag:
            record(bag, seed)
    return extract(bags, folder / "data")
