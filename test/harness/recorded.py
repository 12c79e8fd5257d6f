"""Bags of the loopback robot, whose pictures encode its pose."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ami_ros.simulation.loopback import Loopback
from ami_ros.world_model.learning.bag_writer import BagWriter
from ami_ros.world_model.learning.dataset_writer import encode_frame

PERIOD, ROWS = 0.2, 250


def record(path: Path, seed: int, truth: bool) -> Path:
    """A robot of the loopback that turns away from walls."""
    robot, rng = Loopback("empty", image_size=32, seed=seed), np.random.default_rng(seed)
    turn = 0.0
    with BagWriter(path) as bag:
        for i in range(ROWS):
            seen, stamp = robot.observe(), PERIOD * i
            turn = 0.9 * turn + rng.normal(0.0, 0.3)
            ahead = seen.scan.ranges[np.abs(seen.scan.angles) < 0.6].min()
            command = (0.4, float(np.clip(turn, -1.2, 1.2))) if ahead > 0.6 else (0.0, 1.2)
            assert seen.image is not None
            bag.image("image/compressed", stamp, encode_frame(seen.image))
            bag.odometry("odom", stamp, seen.odometry, seen.velocity)
            bag.command("cmd_vel", stamp, *command)
            if truth:
                bag.pose("ground_truth", stamp, robot.ground_truth().pose, "world")
            robot.step(command, PERIOD)
    return path
