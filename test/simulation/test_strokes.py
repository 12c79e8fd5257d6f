from __future__ import annotations

import numpy as np
import pytest

from ami_ros.core.robots.description import load_robot
from ami_ros.simulation.exploration import Strokes, keeps_clear

CAR = load_robot("ami_bot_ackermann")
CLEAR = CAR.shape.radius + 0.05
NOTHING = np.zeros((0, 2))


@pytest.fixture
def strokes() -> Strokes:
    return Strokes(CAR, 0.2)


def test_what_is_clear_and_no_tighter_than_it_turns_is_driven_as_wished(strokes: Strokes) -> None:
    assert strokes.command(NOTHING, (0.4, -0.7), CLEAR) == (0.4, -0.7)
    assert strokes.command(NOTHING, (-0.2, 0.3), CLEAR) == (-0.2, 0.3)
    assert strokes.command(NOTHING, (0.0, 0.0), CLEAR) == (0.0, 0.0)


def test_a_turn_on_the_spot_becomes_the_tightest_curve(strokes: Strokes) -> None:
    linear, angular = strokes.command(NOTHING, (0.0, -0.7), CLEAR)
    assert linear > 0 and angular < 0 and linear / -angular == pytest.approx(CAR.drive.turning_radius)


def test_before_a_wall_it_goes_back_turning_the_same_way_and_then_ahead_again(strokes: Strokes) -> None:
    wall = np.stack([np.full(41, 0.3), np.linspace(-1.0, 1.0, 41)], axis=1)
    linear, angular = strokes.command(wall, (0.3, 1.0), CLEAR)
    assert linear < 0 < angular
    commands = [strokes.command(NOTHING, (0.3, 0.8), CLEAR) for _ in range(20)]
    assert commands[0][0] < 0 and commands[-1] == (0.3, 0.8)


def test_every_command_is_clear_whatever_stands_around() -> None:
    rng = np.random.default_rng(2)
    for _ in range(300):
        strokes = Strokes(CAR, 0.2)
        points = rng.uniform(-0.6, 0.6, (rng.integers(1, 12), 2))
        command = strokes.command(points, (rng.uniform(-0.3, 0.5), rng.uniform(-1.5, 1.5)), CLEAR)
        assert keeps_clear(points, (*command, 0.0), CLEAR)
        assert abs(command[1]) * CAR.drive.turning_radius <= abs(command[0]) + 1e-9
