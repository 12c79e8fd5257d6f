"""Things that move, told by a tracker: the robot yields, drives at nobody, and pins nobody against a wall."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ami_ros.bench.gate_drives import Drive
from ami_ros.bench.gate_trials import STEP, Robot
from ami_ros.core.commands import Command
from ami_ros.core.geometry import Array, relative, transform_points
from ami_ros.safety.config import SafetyConfig
from ami_ros.safety.gate import SafetyGate
from ami_ros.safety.obstruction import Track
from harness.gate import BODY, person
from harness.laser_drives import TRAITS
from harness.scans import NOTHING

CONFIG = SafetyConfig()
Walk = Callable[[float], tuple[float, float]]


def output(things: list[Track], command: Command = (0.5, 0.0, 0.0), config: SafetyConfig = CONFIG) -> Any:
    """What the gate sends in the end to a robot that stands, while a tracker says the same all the time."""
    gate = SafetyGate(config)
    for k in range(20):
        now = 0.05 * k
        gate.odometry(np.zeros(3), (0.0, 0.0), now)
        gate.scan(NOTHING, now)
        assert gate.tracks(things, now, now) == ""
        gate.command(command[0], command[1], now, command[2])
        sent = gate.output(now)
    return sent


def met(walk: Walk, command: Command = (0.5, 0.0, 0.0), told: bool = True, start: float = 0.0) -> tuple[float, Array]:
    """A robot is asked for a command for eight seconds while somebody walks whom no laser sees.

    Returns:
        Its speed towards them [m/s] when they touch, -inf if they never do; and its poses (k, 3).
    """
    robot, gate = Robot(Drive(0, traits=TRAITS), np.array([start, 0.0, 0.0])), SafetyGate(CONFIG)
    sent: Command = (0.0, 0.0, 0.0)
    poses = []
    for tick in range(800):
        now = tick * STEP
        there, then = np.array(walk(now)), np.array(walk(now - STEP))
        if tick % 5 == 0:
            gate.odometry(robot.pose, tuple(robot.velocity), now)
            gate.scan(NOTHING, now)
            local = transform_points(relative(robot.pose, np.zeros(3)), np.array([there, then]))
            if told:
                gate.tracks([Track(local[0], (local[0] - local[1]) / STEP, BODY, 0.03, 0.1)], now, now)
            gate.command(command[0], command[1], now, command[2])
            sent = gate.output(now).command
        robot.step(sent)
        poses.append(robot.pose)
        away = there - robot.pose[:2]
        if np.hypot(*away) < BODY + CONFIG.robot_radius:
            heading = np.array([math.cos(robot.pose[2]), math.sin(robot.pose[2])])
            return float(robot.velocity[0] * heading @ away / np.hypot(*away)), np.array(poses)
    return -math.inf, np.array(poses)


@pytest.mark.parametrize("speed", [0.5, 1.0, 1.5])
def test_it_does_not_drive_at_somebody_who_comes_towards_it(speed: float) -> None:
    fast, _ = met(lambda now: (4.0 - speed * now, 0.05))
    assert fast < 0.02
    blind, _ = met(lambda now: (4.0 - speed * now, 0.05), told=False)
    assert blind > 0.4, "without tracks it would"


@pytest.mark.parametrize("speed", [0.6, 1.2])
@pytest.mark.parametrize("when", [1.5, 2.0, 2.5, 3.0])
def test_it_yields_to_somebody_who_crosses_and_goes_on(speed: float, when: float) -> None:
    """They pass 1 m ahead of where it starts, when it would be there. Who walks into it while it stands, may."""
    fast, poses = met(lambda now: (1.0, speed * (now - when)))
    assert fast < 0.02 and (poses[-1, 0] > 1.5 or fast > -math.inf)


def test_it_comes_no_nearer_to_a_person_than_track_margin_and_so_pins_nobody_against_a_wall() -> None:
    _, poses = met(lambda now: (1.5, 0.0))
    gap = 1.5 - BODY - CONFIG.robot_radius - poses[-1, 0]
    assert CONFIG.track_margin <= gap < CONFIG.track_margin + 0.4


def test_it_may_always_stop_turn_and_go_where_it_comes_no_nearer() -> None:
    coming = person(0.7, 0.0, -1.0)
    assert output([coming]).command == (0.0, 0.0, 0.0) and output([coming]).guarantee == 6
    assert output([coming], (0.0, 1.5, 0.0)).command == (0.0, 1.5, 0.0)
    assert output([coming], (-0.4, 0.0, 0.0)).command == (-0.4, 0.0, 0.0)
    touching = person(0.3, 0.0)
    assert output([touching], (-0.4, 0.0, 0.0)).command == (-0.4, 0.0, 0.0)
    assert output([touching], (0.0, -1.0, 0.0)).command == (0.0, -1.0, 0.0)


def test_who_walks_past_it_is_not_backed_into_although_they_come_from_ahead() -> None:
    back = (-0.3, 0.0, 0.0)
    assert output([person(0.8, 0.0, -1.5)], back).linear == -0.3
    assert output([person(0.8, 0.58, -1.5)], back).linear > -0.2


def test_only_there_where_things_move_it_slows_down() -> None:
    assert output([person(0.9, 1.8), person(-1.5, 0.0), person(3.0, 0.0, 1.0)]).command == (0.5, 0.0, 0.0)
    assert output([]).command == (0.5, 0.0, 0.0)
    assert 0.0 < output([person(0.95, 0.0)]).linear < 0.5
    assert output([person(1.6, 0.0)]).linear > output([person(1.6, 0.0, -0.7)]).linear


def test_the_less_is_known_of_it_the_farther_it_keeps_away_up_to_a_limit() -> None:
    sure, doubtful = output([person(1.2, 0.0)]), output([person(1.2, 0.0, position_sigma=0.1, velocity_sigma=0.2)])
    assert doubtful.linear < sure.linear
    vague = person(6.0, 0.0, position_sigma=1e6, velocity_sigma=1e6)
    assert output([vague]).command == (0.5, 0.0, 0.0)


NAN = math.nan
WRONG = [
    person(NAN, 0.0),
    person(0.5, 0.0, math.inf),
    person(0.5, 0.0, 20.0),
    person(0.5, 0.0, position_sigma=NAN),
    person(0.5, 0.0, velocity_sigma=-1.0),
    Track(np.array([0.5, 0.0]), np.zeros(2), 0.0),
    Track(np.array([0.5, 0.0]), np.zeros(2), NAN),
    Track(np.array([0.5, 0.0]), np.zeros(2), 9.0),
    Track(np.zeros(3), np.zeros(2), 0.3),
]


@pytest.mark.fault("moving things with NaN, of another time, or thousands of them")
@pytest.mark.parametrize("bad", WRONG)
def test_a_track_that_cannot_be_is_refused_in_one_line_and_the_others_count(bad: Track) -> None:
    gate = SafetyGate(CONFIG)
    assert "1 of 2 have numbers that cannot be" in gate.tracks([bad, person(0.5, 0.0)], 1.0, 1.0)
    gate.scan(NOTHING, 1.0)
    gate.command(0.5, 0.0, 1.0)
    assert gate.output(1.0).reason == "moving thing ahead"


@pytest.mark.fault("moving things with NaN, of another time, or thousands of them")
@pytest.mark.parametrize("stamp", [NAN, math.inf, 1.5, 0.0])
def test_tracks_of_another_time_are_refused_and_those_from_before_count(stamp: float) -> None:
    gate = SafetyGate(CONFIG)
    assert gate.tracks([person(0.5, 0.0)], 1.0, 1.0) == ""
    assert "stamp" in gate.tracks([], 1.0, stamp)
    assert "newer" in gate.tracks([], 1.0, 0.95)
    gate.scan(NOTHING, 1.0)
    gate.command(0.5, 0.0, 1.0)
    assert gate.output(1.0).reason == "moving thing ahead"


@pytest.mark.fault("moving things with NaN, of another time, or thousands of them")
def test_of_thousands_the_nearest_count_and_one_line_says_so() -> None:
    far = [person(50.0 + k, 3.0) for k in range(5000)]
    gate = SafetyGate(CONFIG)
    assert gate.tracks([*far, person(0.5, 0.0)], 1.0, 1.0) == ("moving things: 5001 at once; the nearest 64 count")
    gate.scan(NOTHING, 1.0)
    gate.command(0.5, 0.0, 1.0)
    assert gate.output(1.0).reason == "moving thing ahead"


def touched_among(seed: int, people: int = 4) -> list[float]:
    """The robot's speeds [m/s] towards those whom it touches, as each touch begins, in eight seconds of commands that
    mean harm among people who walk straight on, near it and at it, as if it were not there."""
    rng = np.random.default_rng(seed)
    turns, speeds, aside = (
        rng.uniform(-np.pi, np.pi, people),
        rng.uniform(0.2, 1.5, people),
        rng.uniform(-0.6, 0.6, people),
    )
    ways = np.stack([np.cos(turns), np.sin(turns)], -1)
    sides = np.stack([-ways[:, 1], ways[:, 0]], -1)
    starts = -ways * (speeds * rng.uniform(1.0, 7.0, people))[:, None] + sides * aside[:, None]
    robot, gate = Robot(Drive(seed, traits=TRAITS), np.zeros(3)), SafetyGate(CONFIG)
    wanted: Command = (0.0, 0.0, 0.0)
    sent: Command = wanted
    touching = np.zeros(people, bool)
    found: list[float] = []
    for tick in range(800):
        now = tick * STEP
        there = starts + now * speeds[:, None] * ways
        if tick % 60 == 0:
            wanted = (float(rng.choice([-0.5, -0.3, 0.3, 0.5])), float(rng.choice([-1.0, 0.0, 0.0, 1.0])), 0.0)
        if tick % 5 == 0:
            gate.odometry(robot.pose, tuple(robot.velocity), now)
            gate.scan(NOTHING, now)
            seen = [Track(a, b, BODY, 0.03, 0.1) for a, b in zip(there, speeds[:, None] * ways, strict=True)]
            gate.tracks(seen, now, now, odom=True)
            gate.command(wanted[0], wanted[1], now)
            sent = gate.output(now).command
        robot.step(sent)
        away = there - robot.pose[:2]
        gaps = np.hypot(*away.T) - BODY - CONFIG.robot_radius
        heading = np.array([math.cos(robot.pose[2]), math.sin(robot.pose[2])])
        found += [float(robot.velocity[0] * heading @ line / np.hypot(*line)) for line in away[(gaps < 0) & ~touching]]
        touching = gaps < 0
    return found


@given(st.integers(0, 2**31 - 1))
@settings(max_examples=4, deadline=None)
def test_among_several_who_walk_at_it_it_drives_at_nobody(seed: int) -> None:
    assert max(touched_among(seed), default=0.0) < 0.02


COMMANDS = st.tuples(st.floats(-0.5, 0.5), st.floats(-1.8, 1.8), st.just(0.0))
PEOPLE = st.lists(st.tuples(*[st.floats(-2.0, 2.0)] * 2, *[st.floats(-1.5, 1.5)] * 2), max_size=6)


@given(COMMANDS, PEOPLE)
@settings(max_examples=25, deadline=None)
def test_tracks_only_make_it_stricter(command: Command, people: list[tuple[float, float, float, float]]) -> None:
    with_them, without = output([person(*each) for each in people], command), output([], command)
    assert abs(with_them.linear) <= abs(without.linear) + 1e-9
    assert abs(with_them.angular) <= abs(without.angular) + 1e-9
