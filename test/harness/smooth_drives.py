"""A small data set of the loopback robot, whose pictures encode its pose."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ami_ros.simulation.loopback import Loopback
from ami_ros.world_model.learning.bag_writer import BagWriter
from ami_ros.world_model.learning.dataset import Dataset
from ami_ros.world_model.learning.dataset_writer import encode_frame
from ami_ros.world_model.learning.extract import extract

PERIOD, ROWS, RUNS = 0.2, 200, 6


def record(bag: BagWriter, seed: int) -> None:
    """Drives smoothly at random for ROWS periods, and turns away from walls."""
    robot, rng = Loopback("empty", image_size=32, seed=seed), np.random.default_rng(seed)
    command = np.zeros(2)
    for i in range(ROWS):
        command = 0.8 * command + rng.normal(0.0, [0.15, 0.6])
        seen, stamp = robot.observe(), PERIOD * i
        assert seen.image is not None
        linear, angular = np.clip(command + [0.25, 0.0], [-0.2, -1.5], [0.5, 1.5])
        ahead = seen.scan.ranges[np.abs(seen.scan.angles) < 0.5]
        if ahead.min() < 0.5:
            linear, angular = 0.0, 1.2
        bag.image("image/compressed", stamp, encode_frame(seen.image))
        bag.scan("scan", stamp, seen.scan.ranges, seen.scan.angle_min, seen.scan.angle_increment)
        bag.odometry("odom", stamp, seen.odometry, seen.velocity)
        bag.command("cmd_vel", stamp, linear, angular)
        robot.step((linear, angular), PERIOD)


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """RUNS episodes of ROWS rows; read only."""
    folder: Path = tmp_path_factory.mktemp("recorded")
    bags = [folder / f"run_{seed}" for seed in range(RUNS)]
    for seed, path in enumerate(bags):
        with BagWriter(path) as bag:
            record(bag, seed)
    return extract(bags, folder / "data")
