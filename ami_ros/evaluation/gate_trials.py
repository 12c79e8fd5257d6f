"""Robots that do their worst within what the safety gate takes for granted, driven by commands that mean harm.

What docs/safety.md promises is held against these drives: in the tests by hypothesis, and for longer by
`./ami bench gate`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ami_ros.commands import Command
from ami_ros.evaluation.gate_drives import Drive
from ami_ros.evaluation.gate_judge import CELL, Forbidden, Judge, Outcome
from ami_ros.evaluation.gate_robot import RANGE, STEP, Adversary, Laser, Odometer, Robot, World, cloud_of
from ami_ros.geometry import Array, transform_points
from ami_ros.safety.config import SafetyConfig
from ami_ros.safety.gate import NOTHING, SafetyGate
from ami_ros.safety.keep_out import KeepOut
from ami_ros.safety.tracks import Track
from ami_ros.scan import Scan, scan_points

Message = Callable[[SafetyGate, float, float], Any]  # taken by the gate at a time on its clock, and on steady time
PERIOD = 0.05  # [s] between the gate's outputs
STEADY = 1000.0  # [s] of steady time when a drive begins
DEPTH_PERIOD, DEPTH_TIMEOUT = 0.1, 0.6  # [s] of the second sensor
PLACE_TIMEOUT = 5.0  # [s], the gate's own, for where odom is in a map
MOVES = 0.02  # [m/s]; a contact of a robot slower than this is not its doing


class Trial:
    """One drive: the robot and what is around it, what is on its way to the gate, and who judges."""

    def __init__(self, drive: Drive) -> None:
        self._drive, rng = drive, np.random.default_rng(drive.seed)
        self._rng, config, traits = rng, drive.config, drive.traits
        self._world, self._laser, self._adversary = World(drive, rng), Laser(drive, rng), Adversary(rng, drive.fastest)
        self._robot = Robot(drive, np.array([0.0, 0.0, rng.uniform(-np.pi, np.pi)]))
        self._wheels = np.random.default_rng([drive.seed, 1])
        self._measured = Odometer(self._robot.pose, traits["odometry_gain"])
        self._areas = Areas(drive, self._measured.pose, rng) if drive.keep_out else None
        self._gate = SafetyGate(config, drive.zones)
        if drive.cloud:
            self._gate = SafetyGate(config, drive.zones, {"depth": DEPTH_TIMEOUT})
        if self._areas is not None:
            self._areas.tell(self._gate.keep_out)
        forbidden = None if self._areas is None else self._areas.forbidden
        self._judge = Judge(_limits(config), _rates(config), config.robot_radius, drive.zone, forbidden)
        self._clock = NodeClock(drive, np.random.default_rng([drive.seed, 2]))
        self._coming: list[tuple[float, int, Message]] = []  # when, which, what arrives
        self._next_scan = self._next_output = self._next_cloud = 0.0
        self._usable, self._sent, self._distance = -math.inf, NOTHING, 0.0

    def run(self) -> Outcome:
        """Drives until its time is up or something was touched."""
        robot, world, config = self._robot, self._world, self._drive.config
        if world.whole.clearance(robot.pose[None, :2])[0] < config.robot_radius + 0.05:
            return self._judge.outcome(None, 0.0)
        for tick in range(round(self._drive.duration / STEP)):
            true, before = tick * STEP, robot.pose
            now = self._clock.at(true)
            self._sense(tick, true, now)
            for item in sorted((item for item in self._coming if item[0] <= true), key=lambda item: item[:2]):
                item[2](self._gate, now, STEADY + true)
            self._coming = [item for item in self._coming if item[0] > true]
            if true >= self._next_output:
                self._next_output += PERIOD * self._rng.uniform(0.5, 1.6)
                self._command(true, now)
            robot.step(self._sent)
            self._measured.follow(before, robot.pose)
            self._judge.moved(self._measured.pose)
            world.step(robot.pose)
            self._distance += float(np.hypot(*(robot.pose - before)[:2]))
            fast = world.contact_speed(robot, config.robot_radius)
            if fast > MOVES and self._drive.clock in ("true", "stands"):
                return self._judge.outcome(fast, self._distance)
        return self._judge.outcome(None, self._distance)

    def _command(self, true: float, now: float) -> None:
        wish, drive = self._adversary.command(true, self._world.plan, self._robot.pose), self._drive
        steady = STEADY + true
        if wish is not None:
            self._gate.command(wish[0], wish[1], now, wish[2], steady)
        self._sent = self._gate.output(now, steady).command
        lost = self._areas is not None and self._areas.lost(true)
        stands = drive.clock == "stands" and true > drive.traits["fault_at"] + drive.config.clock_timeout + 2 * PERIOD
        blind = true - self._usable > drive.config.scan_timeout and drive.clock == "true"
        self._judge.sent(self._sent, true, self._robot.pose, blind or stands, lost)

    def _sense(self, tick: int, true: float, now: float) -> None:
        drive, robot, traits, rng = self._drive, self._robot, self._drive.traits, self._rng
        fault = drive.fault if true >= traits["fault_at"] else "none"
        if true >= self._next_scan:
            self._next_scan += 1.0 / traits["scan_rate"]
            if fault != "dead" and rng.random() >= traits["dropped"]:
                scan, shows = self._laser.scan(self._world.plan, robot.pose, fault)
                late = traits["latency"] + rng.uniform(0, traits["jitter"])
                arrives = true + late + (1.0 if fault == "late" else 0.0)
                self._arrive(arrives, _scan(scan, now))
                if shows or fault == "late":
                    points = transform_points(robot.pose, scan_points(scan, RANGE))
                    self._arrive(arrives, self._shown(points, true, now))
                if shows:
                    self._usable = true
                if drive.tracked:
                    self._arrive(arrives, _track(self._world.track(robot.pose, rng), now))
        if drive.cloud and true >= self._next_cloud:
            self._next_cloud += DEPTH_PERIOD
            self._arrive(true + traits["latency"], _cloud(cloud_of(self._world, robot.pose, drive.cloud, rng), now))
        if tick % 4 == 0:
            noise = np.clip(self._wheels.normal(0, 1, 3), -2, 2) * traits["odometry_noise"]
            pose = self._measured.pose.copy()
            if self._areas is not None:
                pose = self._areas.odometry(pose, true)
                self._arrive(true + traits["odometry_delay"], self._areas.placing(true, now))
            velocity = tuple(robot.velocity + noise)
            self._arrive(true + traits["odometry_delay"], _odometry(pose, velocity, now))

    def _shown(self, points: Array, true: float, stamp: float) -> Message:
        """Tells the judge of points that the gate has to know, unless they are too old by its clock when they come."""

        def tell(gate: SafetyGate, now: float, steady: float) -> None:
            if now - stamp <= gate.config.scan_timeout:
                self._judge.shown(points, true)

        return tell

    def _arrive(self, when: float, what: Message) -> None:
        self._coming.append((when, len(self._coming), what))


class NodeClock:
    """The clock of the gate's node: right, or one that stands, ticks seldom, or goes in bursts."""

    def __init__(self, drive: Drive, rng: np.random.Generator) -> None:
        self._kind, self._stands, self._rng = drive.clock, drive.traits["fault_at"], rng
        self._now, self._true, self._pace, self._until = 0.0, 0.0, 1.0, 0.0

    def at(self, true: float) -> float:
        """What it says [s] at a time that really is `true` [s]."""
        if self._kind == "stands":
            return min(true, self._stands)
        if self._kind == "ticks":
            return math.floor(true)
        if self._kind == "true":
            return true
        if true >= self._until:
            self._until, self._pace = true + self._rng.uniform(0.02, 0.4), self._rng.choice([0.0, 0.3, 1.0, 1.8, 9.0])
        self._now, self._true = self._now + self._pace * (true - self._true), true
        return self._now


class Areas:
    """Where the robot must not go, in odom or in a map whose place becomes unknown."""

    def __init__(self, drive: Drive, start: Array, rng: np.random.Generator) -> None:
        self._lost, self._at, self._leap = drive.lost, drive.traits["fault_at"], drive.traits["leap"]
        self._frame = "map" if drive.lost else "odom"
        self.forbidden = Forbidden(start, rng)

    def tell(self, areas: KeepOut) -> None:
        """Says where they are."""
        areas.mask("squares", self._frame, self.forbidden.cells, CELL, self.forbidden.origin)

    def placing(self, true: float, now: float) -> Message:
        """What a localiser says of where odom is in the map, which is the same place."""
        if self._frame == "odom" or (self._lost in ("old", "leap") and true >= self._at):
            return lambda gate, *_: None
        if self._lost == "not localised" and true >= self._at:
            return lambda gate, *_: gate.keep_out.lose("map")
        return lambda gate, *_: gate.keep_out.place("map", np.zeros(3), now)

    def odometry(self, pose: Array, true: float) -> Array:
        """What odometry says of a pose (3,)."""
        return pose + [self._leap, 0.0, 0.0] if self._lost == "leap" and true >= self._at else pose

    def lost(self, true: float) -> bool:
        """Whether the robot has to stand because of them."""
        takes = {"old": PLACE_TIMEOUT, "not localised": 0.0, "leap": 0.0, "": math.inf}[self._lost]
        return true > self._at + takes + 4 * PERIOD


def drive(drive: Drive) -> Outcome:
    """What came of a drive."""
    return Trial(drive).run()


def _limits(config: SafetyConfig) -> Array:
    """The greatest command (3,), and a little for rounding."""
    return np.array([config.max_linear, config.max_angular, config.max_lateral]) + 1e-9


def _rates(config: SafetyConfig) -> Array:
    """The greatest accelerations (3,) of a command."""
    linear, angular = config.max_linear_acceleration, config.max_angular_acceleration
    return np.array([linear, angular, linear])


def _scan(scan: Scan, stamp: float) -> Message:
    return lambda gate, now, steady: gate.scan(scan, now, stamp, steady)


def _odometry(pose: Array, velocity: Command, stamp: float) -> Message:
    return lambda gate, now, steady: gate.odometry(pose, velocity, stamp, now)


def _cloud(points: Array, stamp: float) -> Message:
    return lambda gate, now, steady: gate.observe("depth", points, now, stamp, steady)


def _track(track: Track, stamp: float) -> Message:
    return lambda gate, now, steady: gate.tracks([track], now, stamp)
