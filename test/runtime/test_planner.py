"""The part `planner`, and the moments that it decides on."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np
import pytest

from ami_ros.behaviour.config import NavigatorConfig
from ami_ros.bench.closed_loop import ClosedLoop, LoopConfig
from ami_ros.core.commands import STILL
from ami_ros.core.geometry import compose
from ami_ros.core.robots.derived import measures
from ami_ros.core.robots.description import load_robot
from ami_ros.core.scan import Scan
from ami_ros.planning.planner import PlannerConfig
from ami_ros.planning.solvers import SolverConfig
from ami_ros.planning.types import Code, Decision, Goal
from ami_ros.runtime.graph import AgentConfig
from ami_ros.runtime.memory import MemoryFeed
from ami_ros.runtime.perception import LatentFrame
from ami_ros.runtime.planner import Percepts
from ami_ros.runtime.safety import SafetyPart
from ami_ros.runtime.simulated_bus import Span, Timing
from ami_ros.safety.moving_things import MovingThings
from ami_ros.simulation.loopback import Loopback
from ami_ros.simulation.simulator import Simulator
from ami_ros.world_model.torch_model import LoadedModel
from harness.exact_model import IMAGE_SIZE, ExactModel
from harness.walked_room import legs, room, scan_at

EXACT = LoadedModel(ExactModel(), "exact", "0" * 64)
PLANNER = PlannerConfig(deadline=60.0, solver=SolverConfig(samples=48, iterations=2))
CONFIG = LoopConfig(agent=AgentConfig(navigator=NavigatorConfig(use_memory=False, planner=PLANNER)))
START, GOAL = np.array([1.0, 1.2, 0.3]), np.array([1.9, 1.6, 0.9])


def loop(config: LoopConfig = CONFIG, rate: float = 10.0) -> tuple[ClosedLoop, Loopback]:
    described = load_robot("ami_bot")
    sensors = tuple(replace(s, rate=rate if s is not described.odometry else 50.0) for s in described.sensors)
    robot = Loopback("empty", image_size=IMAGE_SIZE, robot=replace(described, sensors=sensors))
    robot.reset(START)
    return ClosedLoop(EXACT, cast(Simulator, robot), None, config, 0), robot


def drive_until_done(driven: ClosedLoop, patience: float = 60.0) -> Decision:
    until = driven.simulator.time + patience
    while driven.simulator.time < until:
        thought = driven.tick()
        decision = driven.given_up() if thought is None else thought.decision
        if decision is not None and decision.done:
            return decision
    raise AssertionError("the goal did not end")


@pytest.mark.parametrize("rate", [5.0, 25.0])
def test_a_goal_is_reached_and_surprise_is_known_at_any_rate_of_the_sensors(rate: float) -> None:
    driven, _ = loop(rate=rate)
    trial = driven.drive("near", START, GOAL, 1.0)
    assert trial.success, trial
    surprises = [t.percept.surprise.stamp for *_, t in driven.trace if t.percept.surprise is not None]
    known = np.unique(surprises)
    assert np.diff(known).max() < 0.5 and len(known) > 3 * (trial.time_s - 2.0)


def test_thinking_costs_simulated_time_and_only_the_newest_frame_waits() -> None:
    ages = {}
    for cost in (0.04, 0.3):
        driven, _ = loop(replace(CONFIG, timing=replace(Timing(), planner=Span(cost, cost))))
        driven.drive("near", START, GOAL, 1.0)
        stamps = np.array([t.percept.stamp for *_, t in driven.trace])
        ages[cost] = float(np.median(np.diff(stamps)))
    assert ages[0.04] == pytest.approx(0.1) and ages[0.3] == pytest.approx(0.3, abs=0.02)


def test_a_pose_in_odom_is_given_up_when_odometry_begins_anew() -> None:
    driven, robot = loop()
    driven.start(Goal(pose=compose(robot.odometry()[0], np.array([1.2, 0.0, 0.0]))))
    driven.wait(1.5)
    robot._odometry.restart()
    decision = drive_until_done(driven)
    assert not decision.succeeded and decision.code is Code.TF_ERROR and "odometry restarted" in decision.message


def test_a_picture_is_still_reached_when_odometry_begins_anew_on_the_way() -> None:
    driven, robot = loop()
    driven.set_goal(GOAL, 60.0)
    driven.wait(2.0)
    robot._odometry.restart()
    assert drive_until_done(driven).succeeded
    driven.cancel()
    driven.wait(1.0)
    assert np.hypot(*(robot.ground_truth().pose - GOAL)[:2]) < 0.3


def test_a_robot_whose_camera_stops_stands_and_gives_up_with_a_code() -> None:
    driven, robot = loop()
    driven.set_goal(GOAL, 60.0)
    driven.wait(1.0)
    driven._sense = lambda now: None  # type: ignore[method-assign]
    driven.wait(1.0)
    pose = robot.ground_truth().pose
    driven.wait(1.0)
    np.testing.assert_allclose(robot.ground_truth().pose, pose, atol=1e-3)
    assert driven.given_up() is None
    driven.wait(10.0)
    given_up = driven.given_up()
    assert given_up is not None and given_up.code is Code.STALE_OBSERVATION


def test_an_emergency_stop_ends_the_goal_and_its_release_sets_nothing_off() -> None:
    """The goal went on under a button that was pressed, ended as stuck, and closed open ways in memory."""
    driven, robot = loop()
    gate = cast(SafetyPart, driven.bus.seats["safety"].part).gate
    driven.set_goal(GOAL, 60.0)
    driven.wait(1.5)
    gate.emergency_stop()
    driven.wait(0.5)
    ended = driven.given_up()
    assert ended is not None and ended.code is Code.EMERGENCY_STOP and "release" in ended.message
    driven.cancel()
    driven.set_goal(GOAL, 60.0)
    driven.wait(0.5)
    again = driven.given_up()
    assert again is not None and again.code is Code.EMERGENCY_STOP
    driven.cancel()
    pose = robot.ground_truth().pose
    gate.release()
    driven.wait(2.0)
    np.testing.assert_allclose(robot.ground_truth().pose, pose, atol=1e-3)
    driven.set_goal(GOAL, 60.0)
    assert drive_until_done(driven).succeeded


def test_without_a_goal_the_robot_stands_and_its_memory_still_looks() -> None:
    driven, robot = loop()
    driven.wait(2.0)
    assert driven.memory.location() is not None and len(driven.memory) == 1
    np.testing.assert_allclose(robot.ground_truth().pose, START, atol=1e-6)


def test_a_memory_that_is_slow_to_answer_does_not_end_a_goal_that_only_it_can_place() -> None:
    """On a busy machine the first goal ended with "memory did not answer within 2.0 s"."""
    agent = AgentConfig(navigator=NavigatorConfig(planner=PLANNER))
    slow = replace(Timing.none(), find_route=Span(1.5 * agent.route_timeout, 1.5 * agent.route_timeout))
    driven, robot = loop(replace(CONFIG, agent=agent, timing=slow))
    driven.wait(1.0)
    driven.start(Goal(pose=np.array([0.4, 0.0, 0.0]), in_map=True))
    decision = drive_until_done(driven)
    assert decision.succeeded, decision
    assert np.hypot(*(robot.ground_truth().pose - START)[:2]) > 0.2


def test_a_goal_in_place_of_another_does_not_brake_the_robot() -> None:
    driven, robot = loop()
    ahead = [Goal(pose=compose(robot.odometry()[0], np.array([x, 0.0, 0.0]))) for x in (1.6, 1.8)]
    driven.start(ahead[0])
    while (cruising := robot.ground_truth().velocity[0]) < 0.3:
        driven.tick()
        assert robot.time < 5.0
    driven.start(ahead[1])
    speeds = []
    for _ in range(12):
        driven.tick()
        speeds.append(robot.ground_truth().velocity[0])
    assert min(speeds) > 0.8 * cruising


# What the planner gets to look at


def front(yaw: float, wall: float = 1.0) -> Scan:
    """60 degrees to the front of a robot that is turned by `yaw`: a wall 1 m ahead of where it looked first."""
    angles = np.radians(np.arange(-30.0, 31.0, 2.0))
    ranges = np.where(np.cos(yaw + angles) > 0.95, wall, np.inf).astype(np.float32)
    return Scan(ranges, float(angles[0]), np.radians(2.0), max_range=8.0)


def turned_away(percepts: Percepts) -> float:
    """A robot that saw a wall, and has turned round since; the stamp of that moment."""
    for k in range(11):
        stamp, yaw = 0.1 * k, np.pi * k / 10
        percepts.take_odometry(stamp, np.array([0.0, 0.0, yaw]), STILL, stamp)
        percepts.take_scan(stamp, front(yaw))
    return stamp


def frame(stamp: float) -> LatentFrame:
    return LatentFrame(stamp, np.zeros(4, np.float32))


def test_what_a_front_laser_sees_no_more_stands_on() -> None:
    percepts = Percepts()
    percept = percepts.at(frame(turned_away(percepts)))
    assert percept.scan is not None and len(percept.scan.ranges) == 31
    assert percept.standing is percept.around and percept.around is not None
    behind = np.abs(np.angle(np.exp(1j * (percept.around.angles - np.pi)))).argmin()
    assert np.isclose(percept.around.ranges[behind], 1.0, atol=0.02)


def test_where_odometry_began_anew_nothing_stands_that_was_seen_before() -> None:
    percepts = Percepts()
    stamp = turned_away(percepts)
    percepts.take_odometry(stamp + 0.1, np.array([5.0, 5.0, 0.0]), STILL, stamp + 0.1)
    percepts.take_scan(stamp + 0.1, front(np.pi))
    around = percepts.at(frame(stamp + 0.1)).around
    assert around is not None and not np.isfinite(around.ranges).any()


def test_without_odometry_of_its_time_a_scan_is_all_that_is_known() -> None:
    percepts = Percepts()
    percepts.take_odometry(1.0, np.zeros(3), STILL, 1.0)
    percepts.take_scan(0.6, front(0.0))
    percept = percepts.at(frame(1.0))
    assert percept.around is None and percept.standing is percept.scan


def test_errors_of_scans_that_are_guessed_from_pictures_are_nobody_who_moves() -> None:
    """A robot without a laser explored a tenth of a home: it waited for people who were errors of its scans."""

    def seen(robot: str) -> int:
        percepts, count = Percepts(measures(load_robot(robot))), 0
        for k in range(40):
            stamp, guessed = 0.1 * k, front(0.0, 1.0)
            guessed.ranges[4 + k : 9 + k] = 0.7  # a dent that goes along the wall
            percepts.take_odometry(stamp, np.zeros(3), STILL, stamp)
            things = percepts.take_scan(stamp, guessed)
            count += 0 if things is None else len(things.things)
        return count

    assert seen("ami_bot") > 10 and seen("ami_bot_camera") == 0


# What moves reaches the planner, and does not reach the map


PERIOD = 0.1  # [s]


def watched(percepts: Percepts, moments: int, begin: int = 0) -> float:
    """Scans of a room in which somebody walks; the stamp of the last."""
    for k in range(begin, begin + moments):
        now, here = k * PERIOD, np.array([1.5, -1.5 + 0.1 * k])
        percepts.take_odometry(now, np.zeros(3), STILL, now)
        percepts.take_scan(now, scan_at([*room(), *legs(here, np.pi / 2, 0.1 * k)], np.zeros(3), seed=k))
    return now


def at(percepts: Percepts, stamp: float) -> MovingThings | None:
    return percepts.at(LatentFrame(stamp, np.zeros(4, np.float32))).things


def test_who_walks_is_in_the_percept_of_that_moment_and_not_in_one_long_after() -> None:
    percepts = Percepts()
    now = watched(percepts, 20)
    things = at(percepts, now)
    assert things is not None and len(things.things) == 1 and things.things[0].velocity[1] > 0.6
    percepts.take_odometry(now + 1.0, np.zeros(3), STILL, now + 1.0)
    assert at(percepts, now + 1.0) is None


def test_where_odometry_began_anew_tracks_from_before_are_forgotten() -> None:
    percepts = Percepts()
    now = watched(percepts, 20)
    percepts.take_odometry(now + 0.1, np.array([7.0, 7.0, 1.0]), STILL, now + 0.1)
    assert at(percepts, now + 0.1) is None


def test_memory_gets_scans_without_who_walks() -> None:
    """Beams on them tell nothing: neither that something stands there, nor that it is free."""
    percepts, feed = Percepts(), MemoryFeed(2, 0.2)
    now = watched(percepts, 20)
    scan = scan_at([*room(), *legs(np.array([1.5, 0.4]), np.pi / 2, 1.9)], np.zeros(3))
    for k, things in ((1, None), (2, percepts.things)):
        stamp = now + 0.25 * (k - 1)
        feed.take_odometry(stamp, np.zeros(3), STILL, stamp)
        feed.take_scan(stamp, scan)
        if things is not None:
            feed.things = things
        moment = feed.take_latent(LatentFrame(stamp, np.zeros(4, np.float32)))
        assert moment is not None and moment.scan is not None
        assert bool(np.isnan(moment.scan.ranges).any()) is (things is not None)
