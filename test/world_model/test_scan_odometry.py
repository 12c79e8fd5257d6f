"""Odometry by scans: what it says of its own errors is so, at any rate, and along a bare corridor, too."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ami_ros.bench.logs import YARD_LASER, aligned_error, driven_log, with_drift
from ami_ros.core.geometry import Array, combined, compose, relative, wrap
from ami_ros.core.scan import Scan
from ami_ros.memory.index import Latents
from ami_ros.simulation.yards import draw_yard
from ami_ros.world_model.scan_odometry import ScanOdometry, ScanOdometryConfig, Turns
from ami_ros.world_model.two_views import Turn
from harness.carmen import CORRIDOR, RING, around, driven, scan_at


def followed(walls: Array, truth: Array, seed: int = 5101) -> tuple[Array, Array]:
    """How far the whole way is off in the end (3,), and the covariance (3, 3) that it is said to have."""
    rng = np.random.default_rng(seed)
    scans, odometry = ScanOdometry(ScanOdometryConfig()), with_drift(truth, 0.03, rng)
    whole = (np.zeros(3), np.zeros((3, 3)))
    for pose, wheels in zip(truth, odometry, strict=True):
        step = scans.move(wheels, scan_at(walls, pose, rng))
        whole = combined(whole, (step.motion, step.covariance))
    return relative(relative(truth[0], truth[-1]), whole[0]), whole[1]


def sigma_of(covariance: Array) -> float:
    return float(np.sqrt(covariance[0, 0] + covariance[1, 1]))


def test_errors_are_as_large_as_they_are_said_to_be() -> None:
    """Said to be ten times as large, another aisle of a warehouse is where the robot may be, too."""
    ways = [followed(RING, around(share), seed) for share in (0.3, 0.5, 0.8) for seed in (5101, 5102)]
    off = np.array([np.hypot(*error[:2]) for error, _ in ways])
    said = np.array([sigma_of(covariance) for _, covariance in ways])
    assert (off < 3 * said).all()
    assert said.max() < 0.8 and (said < 30 * off.mean()).all(), f"off {off}, said {said}"


@pytest.mark.parametrize("times", [2, 6])
def test_more_scans_of_the_same_walls_are_not_more_errors(times: int) -> None:
    truth = around(0.4)
    between = np.concatenate(
        [
            compose(a, relative(a, b) * np.linspace(0, 1, times, endpoint=False)[:, None])
            for a, b in zip(truth[:-1], truth[1:], strict=True)
        ]
    )
    _, seldom = followed(RING, truth)
    _, often = followed(RING, between)
    assert 0.6 < sigma_of(often) / sigma_of(seldom) < 1.7


def test_along_a_bare_corridor_it_is_no_surer_than_wheels() -> None:
    truth = driven(np.array([(0.0, 0.0), (14.0, 0.0)]))
    _, covariance = followed(CORRIDOR, truth)
    wheels = ScanOdometryConfig().distance_noise
    step = np.hypot(*(truth[1] - truth[0])[:2])
    assert np.sqrt(covariance[0, 0]) > 0.8 * wheels * np.sqrt(14.0 * step) > 2 * np.sqrt(covariance[1, 1]) / 14.0


def test_few_returns_in_a_hall_do_not_say_that_the_robot_was_carried() -> None:
    """Seen in a hall of 57 by 27 m: beams missed the edge of one thing, and the robot was lost for 20 minutes."""
    log, wheels = driven_log("building:hall:100003", "ami_bot", 0.25, 11)
    returned = [int(np.isfinite(row.scan.ranges).sum()) for row in log.scans]
    scans = ScanOdometry(ScanOdometryConfig())
    steps = [scans.move(said, row.scan) for said, row in zip(wheels, log.scans, strict=True)]
    assert min(returned) <= 2 and not any(step.strange for step in steps)


@pytest.mark.parametrize("seed", [1, 4, 5])
def test_a_robot_follows_far_walls_over_open_ground(seed: int) -> None:
    """What lay farther off than 12 m did not count, and where the laser tilts (4) the ground was taken for a wall."""
    rng, count = np.random.default_rng(seed), 45
    yard = draw_yard(rng, 200.0, 0.87, YARD_LASER.farthest)
    truth, scans = yard.route[:count], ScanOdometry(ScanOdometryConfig())
    wheels, found, matched = with_drift(truth, 0.05, rng), [], 0
    for k, (pose, said) in enumerate(zip(truth, wheels, strict=True)):
        matched += scans.move(said, YARD_LASER.scan(yard.plan(k), pose, rng, yard.ground(k))).matched
        found.append(scans.pose)
    assert matched > 0.9 * count
    assert aligned_error(np.array(found), truth).max() < 0.15 * aligned_error(wheels, truth).max()


TURNING = 75  # steps of a quarter of a radian each


def turned_around(turns: Turns | None) -> tuple[ScanOdometry, Array, Array]:
    """Three turns around and some metres ahead, told by wheels that turn 5 % too little: the odometry, how far the
    robot is off in the end (3,), and the covariance (3, 3) of that. What its scans show is a third too far off."""
    around, ahead = 0.25 * np.arange(TURNING + 1), np.arange(20) * 0.1
    truth = np.zeros((len(around) + len(ahead), 3))
    truth[:, 2] = np.append(around, np.full(len(ahead), around[-1]))
    c, s = np.cos(around[-1]), np.sin(around[-1])
    truth[len(around) :, :2] = ahead[:, None] * [c, s]
    wheels, rng = np.zeros_like(truth), np.random.default_rng(3)
    for k in range(1, len(truth)):
        wheels[k] = compose(wheels[k - 1], relative(truth[k - 1], truth[k]) * [1.0, 1.0, 0.95])
    odometry = ScanOdometry(ScanOdometryConfig(measured=False), turns)
    whole = (np.zeros(3), np.zeros((3, 3)))
    for k, (pose, said) in enumerate(zip(truth, wheels, strict=True)):
        seen = scan_at(RING, pose, rng)
        step = odometry.move(said, replace(seen, ranges=np.asarray(seen.ranges) * 1.3), np.full(1, k, np.float32))
        whole = combined(whole, (step.motion, step.covariance))
    return odometry, relative(relative(truth[0], truth[-1]), whole[0]), whole[1]


def seen_turn(here: Latents, there: Latents, motion: Array, expected: Turn, scan: Scan) -> Turn | None:
    """Of the robot above, to a two-hundredth of a radian; every fifth picture shows nothing."""
    last, now = int(here[0]), int(there[0])
    if now % 5 == 0:
        return None
    angle = 0.25 * (min(now, TURNING) - min(last, TURNING))
    return Turn(angle + 0.005 * float(np.random.default_rng(now).normal()), 0.005)


def test_where_scans_are_guessed_pictures_tell_how_far_the_robot_turned() -> None:
    """A robot without a laser lost its heading within a room: wheels tell turns badly, and guessed scans worse."""
    _, alone, _ = turned_around(None)
    odometry, error, covariance = turned_around(seen_turn)
    assert abs(wrap(alone[2])) > 0.5 and abs(wrap(error[2])) < 0.1
    assert abs(wrap(error[2])) < 3 * np.sqrt(covariance[2, 2]) < 0.7
    assert odometry.gains.gains[1] == pytest.approx(1 / 0.95, abs=0.015)


def test_where_scans_tell_how_the_robot_moved_no_picture_is_asked() -> None:
    def asked(here: Latents, there: Latents, motion: Array, expected: Turn, scan: Scan) -> Turn | None:
        raise AssertionError("a scan tells")

    truth = driven(np.array([(0.0, 0.0), (3.0, 0.0)]))
    rng, odometry = np.random.default_rng(1), ScanOdometry(ScanOdometryConfig(), asked)
    steps = [odometry.move(pose, scan_at(RING, pose, rng), np.zeros(1, np.float32)) for pose in truth]
    assert all(step.matched for step in steps[1:])


def test_a_picture_that_is_missing_costs_its_turn_only() -> None:
    odometry = ScanOdometry(ScanOdometryConfig(measured=False), seen_turn)
    scan, poses = scan_at(RING, np.zeros(3), np.random.default_rng(1)), np.arange(4)[:, None] * [0.0, 0.0, 0.24]
    codes = [np.ones(1, np.float32), None, np.full(1, 2, np.float32), np.full(1, 3, np.float32)]
    steps = [odometry.move(pose, scan, code) for pose, code in zip(poses, codes, strict=True)]
    doubts = [np.sqrt(step.covariance[2, 2]) for step in steps[1:]]
    assert doubts[0] == pytest.approx(doubts[1], rel=0.3) and doubts[2] < 0.4 * doubts[1]
