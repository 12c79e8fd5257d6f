"""A robot with a camera and no laser makes its scans of pictures, in buildings that nothing was learned from."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from ami_ros.bench.buildings import Buildings
from ami_ros.core.errors import AmiError
from ami_ros.core.installation import share
from ami_ros.core.robots.derived import camera_mount
from ami_ros.core.robots.description import load_robot
from ami_ros.core.scan import ranges_at
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.simulator import Simulator
from ami_ros.world_model.fit import rectifier_for
from ami_ros.world_model.latent_model import load_inference
from ami_ros.world_model.picture_scan import load_picture_scan

HERE = "building:home:100207"
PLACES, FIELD = 40, math.radians(100.0)
Record = Callable[[str, Any], None]


def test_it_knows_how_far_off_things_are(record_property: Record) -> None:
    """What a laser sees at one height differs from the nearest thing at any, so the figure is a little too high."""
    simulator = Simulator(HERE, load_robot("ami_bot"), seed=1)
    pictures = load_picture_scan(share("models", "ranges"), FIELD)
    pictures.mount = camera_mount(simulator.description)
    rectifier = rectifier_for(simulator.description, load_inference(share("models", "general")).model.spec.inputs)
    space, rng, errors = FreeSpace(simulator.world, radius=0.18), np.random.default_rng(2), list[np.ndarray]()
    try:
        for _ in range(PLACES):
            simulator.place(space.sample_pose(rng))
            seen = simulator.observe()
            assert seen.image is not None
            scan = pictures.scan(seen.image if rectifier is None else rectifier(seen.image), 51, FIELD, 4.0)
            truth = ranges_at(seen.scan, scan.angles)
            both = np.isfinite(scan.ranges) & (truth < 4.0)
            errors.append(np.log(scan.ranges[both] / truth[both]))
    finally:
        simulator.close()
    off = np.abs(np.concatenate(errors))
    assert len(off) > PLACES * 51 / 3
    record_property("figure", f"models/ranges: {np.median(off):.2f} off (median), {HERE}, {len(off)} beams")
    assert np.median(off) < 0.2


def test_it_explores() -> None:
    """How well it finds goals is a figure: scenarios/camera.yaml."""
    torch.set_num_threads(1)
    kind = Buildings(goals=0, foreign=0, explore=0.4, robot="ami_bot_camera", model="general")
    explored, *_ = kind.drive("two_rooms", 7302, lambda text: None)
    assert explored["places"] > 8


def test_arms_that_need_a_laser_are_refused() -> None:
    kind = Buildings(robot="ami_bot_camera", baselines=(), model="general")
    with pytest.raises(AmiError, match="robot ami_bot_camera has no laser, so its only method is general"):
        next(kind.drive("two_rooms", 0, lambda text: None))
