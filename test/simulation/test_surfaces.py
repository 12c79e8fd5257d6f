from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ami_ros.simulation.floor_plan import FloorPlan, Obstacle, at_height, in_the_way

PANE = Obstacle("pane", "box", (2.0, 0.0), 0.0, (0.01, 2.0), 1.5, surface="glass")
WALL = Obstacle("wall", "box", (5.0, 0.0), 0.0, (0.1, 10.0), 2.5)


def test_glass_is_seen_straight_ahead_and_looked_through_aslant() -> None:
    plan = FloorPlan([PANE, WALL])
    assert plan.cast([0.0, 0.0], [0.0, 0.7])[0] == pytest.approx(1.99)
    straight, aslant = plan.returned([0.0, 0.0], [0.0, 0.7])
    assert straight == pytest.approx(1.99) and aslant == pytest.approx(4.9 / np.cos(0.7))


def test_black_is_seen_from_near_alone_and_hides_what_is_behind_it() -> None:
    plan = FloorPlan([replace(PANE, surface="black"), replace(WALL, center=(9.0, 0.0))])
    assert plan.returned([0.0, 0.0], [0.0])[0] == pytest.approx(1.99)
    assert np.isinf(plan.returned([-2.0, 0.0], [0.0])[0])


def test_a_laser_sees_the_legs_of_a_table_and_a_robot_drives_under_its_top() -> None:
    top = Obstacle("top", "box", (2.0, 0.0), 0.0, (0.5, 0.5), 0.75, base=0.72)
    leg = Obstacle("leg", "box", (1.6, 0.4), 0.0, (0.02, 0.02), 0.72)
    assert at_height([top, leg], 0.2) == [leg] == in_the_way([top, leg])
    assert at_height([top, leg], 0.73) == [top]
