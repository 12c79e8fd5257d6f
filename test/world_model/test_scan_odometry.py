"""Odometry by scans: what it says of its own errors is so, at any rate, and along a bare corridor, too."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from ami_ros.bench.logs import YARD_LASER, aligned_error, driven_log, with_drift
from ami_ros.core.geometry import Array, combined, compose, pose_gap, relative, wrap
from ami_ros.core.scan import Scan
from ami_ros.memory.index import Latents
from ami_ros.simulation.yards import draw_yard
from ami_ros.world_model.scan_odometry import ScanOdometry, ScanOdometryConfig, Turns, VisualCompass, WheelGains
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


# How far a robot has turned by pictures, and what its wheels learn from them.


SCAN = Scan(np.ones(3, np.float32), -0.5, 0.5)
SIGMA = 0.004  # [rad] of a turn between two pictures


class Drive:
    """A robot whose pictures are its true headings, to SIGMA, and whose wheels turn too little."""

    def __init__(self, seed: int = 0, share: float = 0.95) -> None:
        self.rng, self.share = np.random.default_rng(seed), share
        self.true, self.wheels = np.zeros(3), np.zeros(3)
        self.gains, self.asked = WheelGains(), list[tuple[float, float]]()
        self.compass = VisualCompass(self.between, self.gains)
        self.compass.begin(self.wheels, self.code, SCAN)
        self.heading, self.variance = 0.0, 0.0

    @property
    def code(self) -> Latents:
        return np.array([self.true[2]], np.float32)

    def between(self, here: Latents, there: Latents, motion: Array, expected: Turn, scan: Scan) -> Turn | None:
        turned = float(there[0] - here[0])
        self.asked.append((turned, float(np.hypot(*motion[:2]))))
        if abs(turned - expected.angle) > 3 * expected.deviation:
            return None
        return Turn(turned + SIGMA * float(self.rng.normal()), SIGMA)

    def go(self, ahead: float, turn: float, shows: bool = True, share: float | None = None) -> None:
        step = np.array([ahead, 0.0, turn])
        said = step * [1.0, 1.0, self.share if share is None else share]
        before, self.true = self.wheels, np.array([*compose(self.true, step)[:2], self.true[2] + turn])
        self.wheels = compose(before, said)
        motion = self.gains.corrected(relative(before, self.wheels))
        code = self.code if shows else None
        turned = self.compass.step(motion, 0.01**2 + (0.05 * turn) ** 2, self.wheels, code, SCAN)
        self.heading, self.variance = self.heading + turned.angle, self.variance + turned.deviation**2

    def spin(self, turn: float) -> None:
        """Only its wheels turn."""
        self.wheels = self.wheels + [0.0, 0.0, turn]
        turned = self.compass.step(self.gains.corrected(np.array([0.0, 0.0, turn])), 0.01, self.wheels, self.code, SCAN)
        self.heading, self.variance = self.heading + turned.angle, self.variance + turned.deviation**2

    @property
    def off(self) -> float:
        return abs(float(wrap(self.heading - self.true[2])))


def test_three_turns_around_leave_it_as_sure_as_its_pictures_are() -> None:
    drive = Drive()
    for _ in range(70):
        drive.go(0.0, 0.27)
    assert drive.off < 3 * drive.variance**0.5 < 0.15
    assert drive.gains.gains[1] == pytest.approx(1 / 0.95, abs=0.005)


def test_the_doubt_is_as_large_as_the_errors_are() -> None:
    drives = [Drive(seed) for seed in range(30)]
    for drive in drives:
        for k in range(40):
            drive.go(0.08, 0.2 if k % 8 < 2 else 0.0)
    errors = np.array([drive.off / drive.variance**0.5 for drive in drives])
    assert 0.4 < np.sqrt(np.mean(errors**2)) < 1.6


def test_a_picture_is_compared_with_one_keyframe_until_that_is_far_behind() -> None:
    drive = Drive()
    for _ in range(30):
        drive.go(0.08, 0.0)
    way = np.array([way for _, way in drive.asked])
    assert way.max() < 0.35 + 0.1 and (np.diff(way) < 0).sum() in (5, 6, 7)
    drive = Drive()
    for _ in range(30):
        drive.go(0.0, 0.1)
    turned = np.array([turned for turned, _ in drive.asked])
    assert 0.4 <= turned.max() < 0.4 + 0.11


def test_wheels_that_slip_for_once_turn_no_heading() -> None:
    drive = Drive(share=1.0)
    for k in range(20):
        drive.go(0.0, 0.25, share=0.8 if k == 10 else 1.0)
    assert drive.off < 0.03


def test_a_robot_that_is_stuck_does_not_turn_with_its_wheels() -> None:
    drive = Drive(share=1.0)
    for _ in range(20):
        drive.go(0.0, 0.25)
    for _ in range(8):
        drive.spin(0.25)
    assert drive.off < 0.05


def test_between_pictures_wheels_tell_by_what_they_have_learned() -> None:
    taught, untaught = Drive(), Drive()
    for _ in range(60):
        taught.go(0.0, 0.25)
    begun = taught.heading - taught.true[2]
    for drive in (taught, untaught):
        for _ in range(40):
            drive.go(0.0, 0.25, shows=False)
    assert abs(taught.heading - taught.true[2] - begun) < 0.06 < 0.3 < untaught.off


def test_where_nothing_compares_pictures_wheels_tell_alone() -> None:
    gains = WheelGains()
    compass = VisualCompass(None, gains)
    code = np.zeros(1, np.float32)
    compass.begin(np.zeros(3), code, SCAN)
    turned = compass.step(np.array([0.1, 0.0, 0.2]), 0.01, np.array([0.1, 0.0, 0.2]), code, SCAN)
    assert turned == pytest.approx((0.2, 0.1)) and gains.gains == pytest.approx([1.0, 1.0, 0.0])


# What is wrong with a robot's odometry all the time is learned from scans, and helps where they see nothing.


NOTHING = Scan(np.full(181, np.inf, np.float32), -np.pi / 2, np.pi / 180, max_range=30.0)


def wheels(truth: Array, distance: float, turn: float, bend: float = 0.0) -> Array:
    """What odometry says whose distances and turns are too long by these factors, and that turns for each metre."""
    poses = [np.zeros(3)]
    for a, b in zip(truth[:-1], truth[1:], strict=True):
        poses.append(
            compose(poses[-1], relative(a, b) * [distance, distance, turn] + [0, 0, bend * math.dist(a[:2], b[:2])])
        )
    return np.array(poses)


def followed_by_wheels(walls: Array, truth: Array, odometry: Array) -> ScanOdometry:
    rng, scans = np.random.default_rng(5103), ScanOdometry(ScanOdometryConfig())
    for pose, said in zip(truth, odometry, strict=True):
        scans.move(said, scan_at(walls, pose, rng))
    return scans


@pytest.mark.parametrize(("distance", "turn"), [(1.05, 0.95), (0.96, 1.06)])
@pytest.mark.parametrize("step", [0.1, 0.6])
def test_gains_are_learned_at_any_rate(distance: float, turn: float, step: float) -> None:
    corners = [(1.0, 1.0), (15.0, 1.0), (15.0, 11.0), (1.0, 11.0), (1.0, 1.0)]
    truth = driven(np.array(corners * 2), step=step)
    gains = followed_by_wheels(RING, truth, wheels(truth, distance, turn)).gains.gains
    assert gains[0] == pytest.approx(1 / distance, abs=0.02)
    assert abs(gains[1] - 1 / turn) < 0.6 * abs(1 - 1 / turn)  # so few radians tell less


def test_a_corridor_teaches_nothing_about_distances() -> None:
    truth = driven(np.array([(0.0, 0.0), (20.0, 0.0)]), step=0.1)
    gains = followed_by_wheels(CORRIDOR, truth, wheels(truth, 1.05, 1.0)).gains.gains
    assert gains[0] == pytest.approx(1.0, abs=0.01)


def test_what_was_learned_holds_where_nothing_is_seen() -> None:
    truth = around(1.25)
    said = wheels(truth, 1.05, 0.95)
    scans = followed_by_wheels(RING, truth, said)
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
    scans = followed_by_wheels(RING, truth, said)
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
    scans = followed_by_wheels(RING, around(0.5), wheels(around(0.5), 1.05, 0.95))
    learned = scans.gains.gains
    scans.restart()
    assert (scans.gains.gains == learned).all()
    gains = WheelGains()
    for _ in range(1000):
        gains.learn(np.array([0.1, 0.0, 0.0]), np.array([0.3, 0.0, 0.0]), True, True)
    assert gains.gains[0] == 1 + 0.15
