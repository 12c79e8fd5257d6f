"""The measure of ghosts: who left is gone from every layer within a second, and a ghost would be noticed."""

from __future__ import annotations

import numpy as np
import pytest

from ami_ros.behaviour.occupancy import Grid
from ami_ros.bench import people as ghosts
from ami_ros.core.robots.description import load_robot
from ami_ros.safety.moving_things import Footprints
from ami_ros.simulation.people.bodies import draw_body
from ami_ros.simulation.robot import simulated


def case(comes: bool, drives: bool) -> ghosts.Case:
    drawn = ghosts.Case.draw(np.random.default_rng(3))
    adult = draw_body("somebody", "adult", np.random.default_rng(3))
    return ghosts.Case(drawn.walls, 1.6, adult, 1.4, 2.0, 0.9, comes, drives, 1)


@pytest.mark.parametrize("comes, drives", [(True, False), (False, True)])
def test_who_left_is_gone_from_every_layer_within_a_second(comes: bool, drives: bool) -> None:
    times = ghosts.watch(case(comes, drives), simulated(load_robot("turtlebot4")), 1)
    assert set(times) == set(ghosts.LAYERS) and max(times.values()) <= 1.0, times


def test_a_ghost_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Grid, "clear", lambda *_: None)
    monkeypatch.setattr(Footprints, "within", lambda self, points, margin=0.0: np.zeros(len(points), bool))
    times = ghosts.watch(case(False, False), simulated(load_robot("turtlebot4")), 1)
    assert times["occupancy"] > 1.0 and np.isinf(times["blocked_by_touch"])
