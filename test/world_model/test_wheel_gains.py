"""What is wrong with a robot's odometry all the time is learned from scans, and helps where they see nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ami_ros.core.geometry import Array, combined, compose, pose_gap, relative
from ami_ros.core.scan import Scan
from ami_ros.world_model.scan_odometry import MOST, ScanOdometry, ScanOdometryConfig, WheelGains
from harness.carmen import CORRIDOR, RING, around, driven, scan_at

NOTHING = Scan(np.full(181, np.inf, np.float32), -np.pi / 2, np.pi / 180, max_range=30.0)


def wheels(truth: Array, distance: float, turn: float, bend: float = 0.0) -> Array:
    """What odometry says whose distances and turns are too long by these factors, and that turns for each metre."""
    poses = [np.zeros(3)]
    for a, b in zip(truth[:-1], truth[1:], strict=True):
        poses.append(
            compose(poses[-1], relative(a, b) * [distance, distance, turn] + [0, 0, bend * math.dist(a[:2], b[:2])])
        )
    return np.array(poses)


def followed(walls: Array, truth: Array, odometry: Array) -> ScanOdometry:
    rng, scans = np.random.default_rng(5103), ScanOdometry(ScanOdometryConfig())
    for pose, said in zip(truth, odometry, strict=True):
        scans.move(said, scan_at(walls, pose, rng))
    return scans


@pytest.mark.parametrize(("distance", "turn"), [(1.05, 0.95), (0.96, 1.06)])
@pytest.mark.parametrize("step", [0.1, 0.6])
def test_gains_are_learned_at_any_rate(distance: float, turn: float, step: float) -> None:
    corners = [(1.0, 1.0), (15.0, 1.0), (15.0, 11.0), (1.0, 11.0), (1.0, 1.0)]
    truth = driven(np.array(corners * 2), step=step)
    gains = followed(RING, truth, wheels(truth, distance, turn)).gains.gains
    assert gains[0] == pytest.approx(1 / distance, abs=0.02)
    assert abs(gains[1] - 1 / turn) < 0.6 * abs(1 - 1 / turn)  # so few radians tell less


def test_a_corridor_teaches_nothing_about_distances() -> None:
    truth = driven(np.array([(0.0, 0.0), (20.0, 0.0)]), step=0.1)
    gains = followed(CORRIDOR, truth, wheels(truth, 1.05, 1.0)).gains.gains
    assert gains[0] == pytest.approx(1.0, abs=0.01)


def test_what_was_learned_holds_where_nothing_is_seen() -> None:
    truth = around(1.25)
    said = wheels(truth, 1.05, 0.95)
    scans = followed(RING, truth, said)
    before, start = scans.pose, said[-1]
    onward = wheels(driven(np.array([(0.0, 0.0), (6.0, 0.0), (6.0, 5.0)]), step=0.2), 1.05, 0.95)
    for pose in compose(start, onward):
        scans.move(pose, NOTHING)
    off, _ = pose_gap(
        relative(before, scans.pose), driven(np.array([(0.0, 0.0), (6.0, 0.0), (6.0, 5.0)]), step=0.2)[-1]
    )
    by_wheels, _ = pose_gap(onward[-1], driven(np.array([(0.0, 0.0), (6.0, 0.0), (6.0, 5.0)]), step=0.2)[-1])
    assert off < 0.6 * by_wheels


def test_a_bend_is_learned_and_a_way_through_an_empty_hall_is_straight() -> None:
    """Seen in a hall of 62 by 39 m: wheels turned by 1.3 degrees a metre, and the map was 41 m off."""
    truth, bend = around(1.25), 0.022
    said = wheels(truth, 1.0, 1.0, bend)
    scans = followed(RING, truth, said)
    assert scans.gains.gains[2] == pytest.approx(-bend, abs=0.005)
    before, onward = scans.pose, driven(np.array([(0.0, 0.0), (30.0, 0.0)]), step=0.1)
    for pose in compose(said[-1], wheels(onward, 1.0, 1.0, bend)):
        scans.move(pose, NOTHING)
    distance, turn = pose_gap(relative(before, scans.pose), onward[-1])
    assert distance < 2.5 and turn < 0.15


@pytest.mark.parametrize("bend", [-0.03, 0.02])
def test_doubt_grows_with_the_way_while_nothing_is_seen_and_holds_what_the_wheels_do(bend: float) -> None:
    onward = driven(np.array([(0.0, 0.0), (24.0, 0.0)]), step=0.1)
    scans, whole = ScanOdometry(ScanOdometryConfig()), (np.zeros(3), np.zeros((3, 3)))
    headings = []
    for pose in wheels(onward, 1.03, 1.0, bend):
        step = scans.move(pose, NOTHING)
        whole = combined(whole, (step.motion, step.covariance))
        headings.append(math.sqrt(whole[1][2, 2]))
    off, sigma = relative(onward[-1], compose(onward[0], whole[0])), np.sqrt(np.diag(whole[1]))
    assert (np.abs(off) < 3.0 * sigma).all()
    assert headings[-1] > 1.7 * headings[len(headings) // 2]  # that of a random walk grows by 1.4


def test_what_is_put_straight_after_a_way_that_nobody_saw_is_not_taken_for_one_step() -> None:
    gains, step = WheelGains(), np.array([0.1, 0.0, 0.0])
    gains.learn(step, step, False, False)
    gains.learn(step, step + [0.05, 0.0, 0.1], True, True)
    assert gains.gains == pytest.approx([1.0, 1.0, 0.0])
    gains.learn(step, step + [0.0, 0.0, 0.001], True, True)
    assert gains.gains[2] > 0.0


def test_they_survive_that_the_robot_was_carried_and_never_run_away() -> None:
    scans = followed(RING, around(0.5), wheels(around(0.5), 1.05, 0.95))
    learned = scans.gains.gains
    scans.restart()
    assert (scans.gains.gains == learned).all()
    gains = WheelGains()
    for _ in range(1000):
        gains.learn(np.array([0.1, 0.0, 0.0]), np.array([0.3, 0.0, 0.0]), True, True)
    assert gains.gains[0] == 1 + MOST
