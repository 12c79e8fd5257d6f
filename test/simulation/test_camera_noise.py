from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ami_ros.core.robots.description import load_robot
from ami_ros.simulation.noise import CameraNoise, SensorNoise
from ami_ros.simulation.simulator import Simulator

CAMERA = load_robot("ami_bot").camera
EDGE = np.repeat(np.where(np.arange(96) < 48, 40, 200)[None, :, None], 96, 0).repeat(3, 2).astype(np.uint8)


def camera(**errors: float) -> CameraNoise:
    assert CAMERA is not None
    return CameraNoise(SensorNoise(**errors), CAMERA, seed=1)


def test_without_errors_a_picture_stays_as_it_is() -> None:
    assert camera().taken(EDGE, turning=2.0) is EDGE


def test_a_turn_blurs_across_and_more_the_faster_it_is() -> None:
    steep = [
        np.abs(np.diff(camera(shutter=0.03).taken(EDGE, turning)[:, :, 0].astype(int), axis=1)).max()
        for turning in (0.0, 1.0, 2.0)
    ]
    assert steep[0] == 160 and steep[0] > steep[1] > steep[2]


def test_exposure_is_regulated_within_some_pictures() -> None:
    eye, dark = camera(auto_exposure=0.5), EDGE // 3
    eye.taken(EDGE)
    means = [eye.taken(dark).mean() for _ in range(12)]
    assert means[0] < 70 and means[-1] == pytest.approx(127, abs=8)
    assert eye.taken(dark, photograph=True).mean() == pytest.approx(127, abs=4)


def test_noise_and_compression_differ_from_picture_to_picture_and_white_balance_stays() -> None:
    eye = camera(image=4.0, white_balance=0.05, jpeg=80)
    first, second = (eye.taken(EDGE).astype(float) for _ in range(2))
    assert 1.0 < np.abs(first - second).mean() < 10.0
    assert (first - second).mean(axis=(0, 1)) == pytest.approx(np.zeros(3), abs=0.5)
    assert np.ptp(first.mean(axis=(0, 1))) > 1.0


def test_a_late_camera_shows_what_was_and_motors_with_dead_time_wait() -> None:
    robot = load_robot("ami_bot")
    late = replace(robot, simulated=replace(robot.simulated, camera_latency=0.1, dead_time=0.1))
    simulator = Simulator("two_rooms", late, seed=0)
    simulator.reset(np.array([1.0, 1.0, 0.0]))
    before = simulator.photograph(np.array([1.0, 1.0, 0.0]))
    simulator.step((0.0, 1.8), 0.1)
    assert simulator.ground_truth().pose[2] == pytest.approx(0.0, abs=1e-3)
    simulator.step((0.0, 1.8), 0.1)
    shown = simulator.observe().image
    assert shown is not None and (shown == before).all()
    simulator.step((0.0, 1.8), 0.2)
    shown = simulator.observe().image
    assert shown is not None and (shown != before).any()
    simulator.close()
