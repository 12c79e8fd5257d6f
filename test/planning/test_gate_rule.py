"""What a planner foresees of the safety gate."""

from __future__ import annotations

import numpy as np
import pytest

from ami_ros.disc import Disc
from ami_ros.geometry import Array, compose
from ami_ros.moving.things import MovingThing, MovingThings
from ami_ros.planning.gate_rule import GateRule
from ami_ros.planning.kinematics import Kinematics
from ami_ros.safety.config import SafetyConfig
from ami_ros.safety.gate import SafetyGate
from ami_ros.safety.tracks import track_of
from harness.scans import NOTHING

DISC, ROBOT = Disc(0.18), Kinematics()
HERE = np.array([3.0, -1.0, 0.7])  # of the robot in odom
DOUBT = np.diag([0.002, 0.002, 0.01, 0.01])
AHEAD, BACK, STAY = (0.4, 0.0), (-0.4, 0.0), (0.0, 0.0)


def things(*states: tuple[float, float, float, float]) -> MovingThings:
    """Persons at x, y with vx, vy, as the robot sees them, in odom."""
    turn = np.array([[np.cos(HERE[2]), -np.sin(HERE[2])], [np.sin(HERE[2]), np.cos(HERE[2])]])
    return MovingThings(
        9.9,
        tuple(
            MovingThing(k, compose(HERE, np.array([x, y, 0.0]))[:2], turn @ (vx, vy), DOUBT, 0.3)
            for k, (x, y, vx, vy) in enumerate(states)
        ),
    )


def refused(told: MovingThings, *commands: tuple[float, ...]) -> list[bool]:
    rule = GateRule.of(told, 10.0, HERE, DISC, ROBOT)
    assert rule is not None
    return [bool(each) for each in rule.refuses(np.array(commands, np.float32))]


def gate_refuses(told: MovingThings, command: tuple[float, float]) -> bool:
    """What the gate itself says to a robot that stands."""
    gate = SafetyGate(SafetyConfig())
    for now in np.arange(9.0, 10.01, 0.05):
        gate.odometry(HERE, (0.0, 0.0), now)
        gate.scan(NOTHING, now)
    tracks = [track_of(t.position, t.velocity, t.radius, t.covariance) for t in told.things]
    assert gate.tracks(tracks, 10.0, 9.9, odom=True) == ""
    obstruction = gate._obstruction
    full = (command[0], command[1], 0.0)
    return obstruction.what(full, 10.0, obstruction.near(full, 10.0)) == "moving thing ahead"


def test_nobody_near_is_no_rule() -> None:
    assert GateRule.of(MovingThings(9.9), 10.0, HERE, DISC, ROBOT) is None


def test_who_comes_may_be_fled_from_and_not_driven_at() -> None:
    assert refused(things((0.9, 0.0, -1.0, 0.0)), AHEAD, BACK, STAY) == [True, False, False]


def test_nobody_is_backed_into_who_stands_behind() -> None:
    assert refused(things((-0.6, 0.0, 0.0, 0.0)), AHEAD, BACK, STAY) == [False, True, False]


def test_a_robot_that_drives_sideways_is_told_of_both_sides() -> None:
    assert refused(things((0.0, 0.6, 0.0, 0.0)), (0.0, 0.0, 0.3), (0.0, 0.0, -0.3)) == [True, False]


def test_a_tracker_that_spoke_a_while_ago_is_understood() -> None:
    """Half a second later somebody has come half a metre."""
    told = things((2.5, 0.0, -1.0, 0.0))
    assert not refused(told, AHEAD)[0]
    late = GateRule.of(told, 10.4, HERE, DISC, ROBOT)
    assert late is not None
    assert late.refuses(np.array([AHEAD], np.float32))[0]


@pytest.mark.parametrize("seed", range(3))
def test_planner_and_gate_are_of_one_mind(seed: int) -> None:
    """Of a robot that stands, is told to drive straight on or back, among two persons who are drawn."""
    rng = np.random.default_rng([seed, 34])
    agree: list[bool] = []
    both: Array = np.zeros(2, int)
    for _ in range(60):
        states = [(*rng.uniform(-1.2, 1.2, 2), *rng.uniform(-1.0, 1.0, 2)) for _ in range(2)]
        told = things(*states)
        command = AHEAD if rng.random() < 0.5 else BACK
        ours, gates = refused(told, command)[0], gate_refuses(told, command)
        agree.append(ours == gates)
        both[int(gates)] += 1
    assert both.min() >= 10, "the draws are no test"
    assert np.mean(agree) >= 0.95
