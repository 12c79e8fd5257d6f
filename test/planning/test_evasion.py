"""Stepping aside: of who comes at a robot that stands or turns, where there is room; and not for others."""

from __future__ import annotations

import numpy as np
import pytest

from ami_ros.disc import Disc
from ami_ros.geometry import Array
from ami_ros.moving.prediction import Forecast
from ami_ros.planning.evasion import EvasionConfig, evasion, times
from ami_ros.planning.kinematics import Kinematics
from ami_ros.scan import Scan
from harness.scans import scan_of_points

ROBOT, DISC, CONFIG = Kinematics(), Disc(0.18), EvasionConfig()
STANDS = np.zeros((2, 2))
WALLS = np.concatenate([np.column_stack([np.linspace(-3, 3, 300), np.full(300, y)]) for y in (-2.0, 2.0)])
OPEN = scan_of_points(WALLS)


def walker(x: float, y: float, vx: float, vy: float) -> Forecast:
    """One who goes on from (x, y) in base_link."""
    seconds = times(CONFIG.horizon)
    positions = (np.array([x, y]) + seconds[:, None] * [vx, vy])[None]
    return Forecast(
        seconds, positions, np.full((1, len(seconds)), 0.1), np.array([np.arctan2(vy, vx)]),
        np.array([np.hypot(vx, vy)]), np.array([0.3]),
    )  # fmt: skip


def step(forecast: Forecast, planned: Array = STANDS, scan: Scan | None = OPEN, robot: Kinematics = ROBOT):  # type: ignore[no-untyped-def]
    return evasion(planned, forecast, scan, robot, DISC, CONFIG, 0.2)


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_a_robot_that_stands_across_somebodys_way_drives_out_of_it(side: float) -> None:
    command = step(walker(-0.1, 1.5 * side, 0.0, -1.0 * side))
    assert command is not None and command[0] > 0.2


def test_a_robot_that_drives_at_somebody_does_not_go_on_so() -> None:
    command = step(walker(1.6, 0.0, -1.0, 0.0), planned=np.array([[0.4, 0.0]] * 2))
    assert command is not None and (command[0] < 0.4 or abs(command[1]) > 0.1)


@pytest.mark.parametrize("x, y, vx, vy", [(2.0, 1.5, 0.0, -1.0), (1.0, 0.0, 1.0, 0.0), (-2.0, -1.5, 1.0, 0.0)])
def test_who_passes_at_a_distance_changes_nothing(x: float, y: float, vx: float, vy: float) -> None:
    assert step(walker(x, y, vx, vy)) is None


def test_it_does_not_step_into_a_wall_nor_blindly() -> None:
    comes = walker(-0.1, 1.5, 0.0, -1.0)
    near = np.column_stack([np.full(200, 0.3), np.linspace(-1.0, 1.0, 200)])
    command = step(comes, scan=scan_of_points(np.concatenate([WALLS, near])))
    assert command is None or command[0] <= 0.0
    assert step(comes, scan=None) is None


def test_what_is_planned_stays_where_it_is_as_good() -> None:
    assert step(walker(-0.1, 1.5, 0.0, -1.0), planned=np.array([[0.4, 0.0]] * 5)) is None


def test_an_omnidirectional_robot_steps_sideways() -> None:
    command = step(walker(1.6, 0.0, -1.0, 0.0), robot=Kinematics(drive="omnidirectional", max_lateral=0.4))
    assert command is not None and abs(command[2]) > 0.2
