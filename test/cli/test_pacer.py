"""Simulated time runs as fast as real nodes keep up."""

from __future__ import annotations

import pytest

from ami_ros.bench.demo import run as demo_run
from ami_ros.bench.demo.client import Telemetry
from ami_ros.bench.demo.run import FASTER, MOST, Pacer


def drive(paced: Pacer, age: float, state: str = "CONTROLLING") -> None:
    telemetry = Telemetry()
    telemetry.state, telemetry.observation_age = state, age
    for _ in range(demo_run.ENOUGH):
        paced.tick(telemetry)


@pytest.fixture
def paces(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    monkeypatch.setattr(demo_run, "LOOK", 0.0)
    return []


def test_young_images_make_it_faster_and_old_ones_slower(paces: list[float]) -> None:
    paced = Pacer(paces.append)
    drive(paced, 0.06)
    assert paces == [FASTER]
    drive(paced, 0.3)
    assert paces[-1] < FASTER
    drive(paced, 0.13)
    assert len(paces) == 2  # as it should be


def test_there_is_a_fastest_pace_and_a_standing_robot_tells_nothing(paces: list[float]) -> None:
    paced = Pacer(paces.append)
    drive(paced, 0.01, "IDLE")
    assert not paces
    for _ in range(30):
        drive(paced, 0.01)
    assert paces[-1] == paced.factor == MOST
