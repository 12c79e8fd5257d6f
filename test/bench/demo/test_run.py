"""Simulated time runs as fast as real nodes keep up."""

from __future__ import annotations

from ami_ros.bench.demo.client import Telemetry
from ami_ros.bench.demo.run import PaceConfig, Pacer

CONFIG = PaceConfig(look=0.0)


def drive(paced: Pacer, age: float, state: str = "CONTROLLING") -> None:
    telemetry = Telemetry()
    telemetry.state, telemetry.observation_age = state, age
    for _ in range(CONFIG.enough):
        paced.tick(telemetry)


def test_young_images_make_it_faster_and_old_ones_slower() -> None:
    paces: list[float] = []
    paced = Pacer(paces.append, CONFIG)
    drive(paced, 0.06)
    assert paces == [CONFIG.faster]
    drive(paced, 0.3)
    assert paces[-1] < CONFIG.faster
    drive(paced, 0.13)
    assert len(paces) == 2  # as it should be


def test_there_is_a_fastest_pace_and_a_standing_robot_tells_nothing() -> None:
    paces: list[float] = []
    paced = Pacer(paces.append, CONFIG)
    drive(paced, 0.01, "IDLE")
    assert not paces
    for _ in range(30):
        drive(paced, 0.01)
    assert paces[-1] == paced.factor == CONFIG.most
