"""Robots that do their worst within what the safety gate takes for granted, driven by commands that mean harm.

What docs/safety.md promises is held against these drives: in the tests by hypothesis, and for longer by
`./ami bench gate`.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from ami_ros.commands import Command
from ami_ros.evaluation.gate_judge import CELL, OUTER, SLOWED, STOP_POINTS, Forbidden, Judge, Outcome
from ami_ros.geometry import Array, compose, relative, transform_points
from ami_ros.safety.config import SafetyConfig
from ami_ros.safety.gate import NOTHING, SafetyGate
from ami_ros.safety.surroundings import MOVED
from ami_ros.safety.zones import Zone
from ami_ros.scan import Scan, scan_points
from ami_ros.simulation.floor_plan import FloorPlan
from ami_ros.simulation.layout import Obstacle

STEP = 0.01  # [s] of the robot and of time
PERIOD = 0.05  # [s] between the gate's outputs
MOVES = 0.02  # [m/s]; a contact of a robot slower than this is not its doing
ROOM = 2.0  # [m], half the side of the room
RANGE = 8.0  # [m] of the laser
MOVER = 0.15  # [m], radius of what moves

DriveKind = Literal["differential", "ackermann", "omnidirectional"]
Fault = Literal["none", "dead", "nan", "zero", "inf", "below", "late", "frozen"]
FAULTS: tuple[Fault, ...] = ("none", "dead", "nan", "zero", "inf", "below", "late", "frozen")
KINDS: tuple[DriveKind, ...] = ("differential", "ackermann", "omnidirectional")

# What a drive may be like: name -> least and greatest. All of it keeps to the assumptions of docs/safety.md.
RANGES: dict[str, tuple[float, float]] = {
    "dead_time": (0.0, 0.08),  # [s] until a command acts
    "lag": (0.0, 0.06),  # [s], time constant of the wheels
    "braking": (0.8, 2.0),  # [m/s^2], along each axis
    "turning": (4.0, 20.0),  # [rad/s^2]
    "slip": (0.95, 1.05),  # of what is asked for
    "scan_rate": (2.0, 40.0),  # [Hz]
    "latency": (0.0, 0.2),  # [s] of scans
    "jitter": (0.0, 0.05),  # [s] of their latency
    "dropped": (0.0, 0.3),  # share of scans that never come
    "holes": (0.0, 0.1),  # share of beams without a reading
    "noise": (0.0, 0.01),  # [m] of ranges, at most twice of it
    "view": (math.pi, 2 * math.pi),  # [rad] of the laser, in the middle of it straight ahead
    "ahead": (0.0, 0.12),  # [m] of the robot's middle, where the laser sits
    "odometry_gain": (0.97, 1.03),
    "odometry_noise": (0.0, 0.015),  # [m/s] of velocities, at most twice of it
    "odometry_delay": (0.0, 0.04),  # [s]
    "fault_at": (1.0, 4.0),  # [s]
}


# Of things that move only a laser knows that is quick, and looks all round.
ATTENTIVE = {"scan_rate": 15.0, "latency": 0.05, "jitter": 0.02, "dropped": 0.0, "holes": 0.0, "view": 2 * math.pi}


@dataclass(frozen=True)
class Drive:
    """One drive: the robot, its sensors, and what becomes of them."""

    seed: int
    kind: DriveKind = "differential"
    fault: Fault = "none"
    beams: int = 180
    closing: float = 0.0  # [m/s], of one thing that moves to and fro; 0: boxes, and nothing moves
    zone: float = 0.0  # [m], radius of a zone that stops it; one that slows it down is half as large again. 0: none
    keep_out: bool = False  # there are areas that it must not enter
    traits: dict[str, float] = field(default_factory=lambda: {name: low for name, (low, _) in RANGES.items()})
    duration: float = 6.0  # [s]

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Drive:
        """Any drive."""
        traits = {name: float(rng.uniform(*limits)) for name, limits in RANGES.items()}
        closing = float(rng.choice([0.0, 0.0, 0.3, 0.5]))
        return cls(
            seed=int(rng.integers(2**31)),
            kind=KINDS[rng.integers(len(KINDS))],
            fault=FAULTS[rng.integers(len(FAULTS))] if rng.random() < 0.5 else "none",
            beams=int(rng.integers(72, 720)),
            closing=closing,
            traits=traits | ATTENTIVE if closing else traits,
            zone=float(rng.choice([0.0, 0.0, 0.0, 0.3, 0.5])),
            keep_out=bool(rng.random() < 0.25),
        )

    @property
    def config(self) -> SafetyConfig:
        """What the gate is told of the robot."""
        aside = 0.4 if self.kind == "omnidirectional" else 0.0
        return SafetyConfig(max_lateral=aside, obstacle_speed=self.closing)

    @property
    def zones(self) -> dict[str, Zone]:
        """What it is told of zones."""
        if not self.zone:
            return {}
        return {
            "stop": Zone("circle", "stop", radius=self.zone, min_points=STOP_POINTS),
            "slow": Zone("circle", "slowdown", radius=OUTER * self.zone, min_points=STOP_POINTS, slowdown_ratio=SLOWED),
        }


class Robot:
    """Kinematic: dead time, limited change of speed, a lag, and slip."""

    def __init__(self, drive: Drive, pose: Array) -> None:
        traits = drive.traits
        self.pose, self.velocity = pose, np.zeros(3)  # the latter as commands are laid out
        self._kind, self._slip, self._lag = drive.kind, traits["slip"], traits["lag"]
        self._change = STEP * np.array([traits["braking"], traits["turning"], traits["braking"]])
        self._coming = deque([np.zeros(3)] * (1 + round(traits["dead_time"] / STEP)))
        self._wheels = np.zeros(3)

    def step(self, command: Command) -> None:
        """Obeys for STEP."""
        self._coming.append(np.array(command))
        wanted = self._coming.popleft() * self._slip
        if self._kind == "ackermann":
            wanted[1] = np.clip(wanted[1], -abs(wanted[0]) / 0.5, abs(wanted[0]) / 0.5)
        self._wheels = self._wheels + np.clip(wanted - self._wheels, -self._change, self._change)
        self.velocity = self.velocity + (self._wheels - self.velocity) * (STEP / (STEP + self._lag))
        x, turn, y = self.velocity * STEP
        self.pose = compose(self.pose, [x, y, turn])


class World:
    """A room with boxes in it, or with something that moves to and fro towards the robot."""

    def __init__(self, drive: Drive, rng: np.random.Generator) -> None:
        walls = [((ROOM, 0.0), 0.0), ((-ROOM, 0.0), 0.0), ((0.0, ROOM), math.pi / 2), ((0.0, -ROOM), math.pi / 2)]
        things = [Obstacle("wall", "box", center, yaw, (0.05, ROOM), 1.0) for center, yaw in walls]
        for _ in range(0 if drive.closing else rng.integers(1, 5)):
            away, bearing, size = rng.uniform(0.6, 1.8), rng.uniform(-math.pi, math.pi), rng.uniform(0.05, 0.3)
            center = away * math.cos(bearing), away * math.sin(bearing)
            shape: Literal["box", "cylinder"] = "box" if rng.random() < 0.5 else "cylinder"
            things.append(Obstacle("thing", shape, center, bearing, (size, size), 1.0))
        self._things, self._closing = things, drive.closing
        self._mover = rng.uniform(-1.0, 1.0, 2) + 1.0
        self._away = False
        self._still = FloorPlan(things)

    @property
    def plan(self) -> FloorPlan:
        """What stands where, now."""
        if not self._closing:
            return self._still
        x, y = self._mover
        return FloorPlan([*self._things, Obstacle("mover", "cylinder", (float(x), float(y)), 0.0, (MOVER, MOVER), 1.0)])

    def contact_speed(self, robot: Robot, radius: float) -> float:
        """How fast [m/s] the robot drives while it touches something, or at what moves, if that is it; else 0."""
        velocity = transform_points(np.array([0.0, 0.0, robot.pose[2]]), robot.velocity[[0, 2]][None])[0]
        towards = self._mover - robot.pose[:2]
        away = float(np.hypot(*towards))
        if self._closing and away < radius + MOVER:
            return float(velocity @ towards) / max(away, 1e-6)
        return float(np.hypot(*velocity)) if self._still.clearance(robot.pose[None, :2])[0] < radius else 0.0

    def step(self, robot: Array) -> None:
        """It comes at the robot (3,) as fast as it may, and turns when it is there."""
        towards = robot[:2] - self._mover
        away = float(np.hypot(*towards))
        self._away = away < 0.36 or (self._away and away < 1.2)
        move = towards / max(away, 1e-6) * self._closing * STEP * (-1.0 if self._away else 1.0)
        self._mover = np.clip(self._mover + move, -ROOM + 0.2, ROOM - 0.2)


def scan_of(plan: FloorPlan, pose: Array, drive: Drive, fault: Fault, rng: np.random.Generator) -> Scan:
    """What a laser on the robot at `pose` (3,) measures, and its driver makes of it, in base_link."""
    view, noise = drive.traits["view"], drive.traits["noise"]
    increment = view / drive.beams
    angles = -view / 2 + increment * (np.arange(drive.beams) + 0.5)
    ahead = drive.traits["ahead"]
    ranges = plan.cast(compose(pose, [ahead, 0.0, 0.0])[:2], pose[2] + angles) + np.clip(
        rng.normal(0, noise, drive.beams), -2 * noise, 2 * noise
    )
    ranges[rng.random(drive.beams) < drive.traits["holes"]] = np.nan
    covered = {"nan": np.nan, "below": np.nan, "zero": 0.0, "inf": np.inf}
    ranges[:] = covered.get(fault, ranges)
    return Scan(ranges.astype(np.float32), float(angles[0]), increment, (ahead, 0.0), RANGE)


class Laser:
    """A laser and its driver, which says again what it said last while it hangs."""

    def __init__(self, drive: Drive, rng: np.random.Generator) -> None:
        self._drive, self._rng = drive, rng
        self._last: tuple[Scan, Array] | None = None  # and from where it was seen

    def scan(self, plan: FloorPlan, pose: Array, fault: Fault) -> tuple[Scan, bool]:
        """What it says at `pose` (3,), and whether the gate has to take that for what is there."""
        if fault == "frozen" and self._last is not None:
            scan, there = self._last
            return scan, bool((np.abs(relative(there, pose)) <= 1.5 * MOVED).all())
        scan = scan_of(plan, pose, self._drive, fault, self._rng)
        self._last = scan, pose
        return scan, fault == "none"


class Adversary:
    """Commands that mean harm: full speed at random, at the nearest thing, at once back; and now and then nonsense."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng, self._until, self._command, self._homes = rng, 0.0, NOTHING, False

    def command(self, time: float, plan: FloorPlan, pose: Array) -> Command | None:
        """What it sends; None: nothing."""
        rng = self._rng
        if time >= self._until:
            self._until = time + rng.exponential(0.6)
            self._homes = rng.random() < 0.4
            self._command = tuple(rng.choice([-1.0, -0.5, 0.0, 0.5, 1.0]) * most for most in (0.6, 2.0, 0.5))
            if rng.random() < 0.05:
                self._command = tuple(rng.choice([math.nan, math.inf, -math.inf, 1e300], 3))
        if self._homes:
            bearings = np.arange(-np.pi, np.pi, np.pi / 12)
            there = float(bearings[np.argmin(plan.cast(pose[:2], pose[2] + bearings))])
            return math.copysign(0.5, math.cos(there)), 2.0 * math.sin(there), 0.5 * math.sin(there)
        return None if rng.random() < 0.05 else self._command


def drive(drive: Drive) -> Outcome:
    """Drives until its time is up or something was touched."""
    rng, config, traits = np.random.default_rng(drive.seed), drive.config, drive.traits
    world, laser, adversary = World(drive, rng), Laser(drive, rng), Adversary(rng)
    robot, wheels = (
        Robot(drive, np.array([0.0, 0.0, rng.uniform(-np.pi, np.pi)])),
        np.random.default_rng([drive.seed, 1]),
    )
    measured, gate = Odometer(robot.pose, traits["odometry_gain"]), SafetyGate(config, drive.zones)
    forbidden = Forbidden(measured.pose, rng) if drive.keep_out else None
    limits = np.array([config.max_linear, config.max_angular, config.max_lateral]) + 1e-9
    judge = Judge(limits, config.robot_radius, drive.zone, forbidden)
    if forbidden is not None:
        gate.keep_out.mask("squares", "odom", forbidden.cells, CELL, forbidden.origin)
    if world.plan.clearance(robot.pose[None, :2])[0] < config.robot_radius + 0.05:
        return judge.outcome(None, 0.0)
    coming: list[tuple[float, int, Callable[[SafetyGate, float], Any]]] = []  # when, which, what arrives
    sent: Command = NOTHING
    distance, next_scan, next_output, usable = 0.0, 0.0, 0.0, -math.inf
    for tick in range(round(drive.duration / STEP)):
        now, plan = tick * STEP, world.plan
        fault = drive.fault if now >= traits["fault_at"] else "none"
        if now >= next_scan:
            next_scan += 1.0 / traits["scan_rate"]
            if fault != "dead" and rng.random() >= traits["dropped"]:
                scan, shows = laser.scan(plan, robot.pose, fault)
                late = traits["latency"] + rng.uniform(0, traits["jitter"]) + (1.0 if fault == "late" else 0.0)
                coming.append((now + late, len(coming), _scan(scan, now)))
                if shows:
                    usable = now
                    judge.measured(now + late, transform_points(robot.pose, scan_points(scan, RANGE)))
        if tick % 4 == 0:
            arrival = now + traits["odometry_delay"]
            noise = np.clip(wheels.normal(0, 1, 3), -2, 2) * traits["odometry_noise"]
            coming.append((arrival, len(coming), _odometry(measured.pose.copy(), tuple(robot.velocity + noise), now)))
        for item in sorted((item for item in coming if item[0] <= now), key=lambda item: item[:2]):
            item[2](gate, now)
        coming = [item for item in coming if item[0] > now]
        if now >= next_output:
            next_output += PERIOD * rng.uniform(0.5, 1.6)
            wish = adversary.command(now, plan, robot.pose)
            if wish is not None:
                gate.command(wish[0], wish[1], now, wish[2])
            sent = gate.output(now).command
            judge.sent(sent, now, robot.pose, now - usable > config.scan_timeout)
        before = robot.pose
        robot.step(sent)
        measured.follow(before, robot.pose)
        judge.moved(measured.pose)
        world.step(robot.pose)
        distance += float(np.hypot(*(robot.pose - before)[:2]))
        fast = world.contact_speed(robot, config.robot_radius)
        if fast > MOVES:
            return judge.outcome(fast, distance)
    return judge.outcome(None, distance)


class Odometer:
    """Odometry that measures all ways a little too long or too short, from an origin of its own."""

    def __init__(self, pose: Array, gain: float) -> None:
        self.pose, self._gain = np.array([7.0, -3.0, 1.0]), gain

    def follow(self, before: Array, after: Array) -> None:
        """The robot moved."""
        step = compose(np.array([0.0, 0.0, -before[2]]), [*(after - before)[:2], after[2]])
        self.pose = compose(self.pose, [step[0] * self._gain, step[1] * self._gain, step[2]])


def _scan(scan: Scan, stamp: float) -> Callable[[SafetyGate, float], Any]:
    return lambda gate, now: gate.scan(scan, now, stamp)


def _odometry(pose: Array, velocity: Command, stamp: float) -> Callable[[SafetyGate, float], Any]:
    return lambda gate, now: gate.odometry(pose, velocity, stamp, now)
