"""A robot, its sensors, what stands and moves around it, and who commands it, as drives against the gate have them."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import replace
from typing import Literal

import numpy as np

from ami_ros.commands import Command
from ami_ros.evaluation.gate_drives import PARTLY, REPEATING, Drive, Fault
from ami_ros.geometry import Array, compose, relative, transform_points, wrap
from ami_ros.safety.gate import NOTHING
from ami_ros.safety.liveness import MOVED
from ami_ros.safety.tracks import Track
from ami_ros.scan import Scan
from ami_ros.simulation.floor_plan import FloorPlan
from ami_ros.simulation.layout import Obstacle

STEP = 0.01  # [s] of the robot and of time
ROOM = 2.0  # [m], half the side of the room
RANGE = 8.0  # [m] of the laser
MOVER = 0.15  # [m], radius of what moves
POSITION_SIGMA, VELOCITY_SIGMA = 0.05, 0.15  # [m], [m/s] of a tracker
HANGS_LEAST = math.radians(90.0)  # [rad] that one of several lasers sees at least
LOW = 3  # things that only the second sensor sees


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
        self._away, self._velocity = False, np.zeros(2)
        count = LOW if drive.cloud else 0
        where = zip(rng.uniform(0.5, 1.6, count).tolist(), rng.uniform(-math.pi, math.pi, count).tolist(), strict=True)
        places = [(far * math.cos(around), far * math.sin(around)) for far, around in where]
        low = [Obstacle("low", "cylinder", place, 0.0, (0.04, 0.04), 0.1) for place in places]
        self._still, self._whole, self._low = FloorPlan(things), FloorPlan([*things, *low]), low

    @property
    def plan(self) -> FloorPlan:
        """What stands where the laser looks, now."""
        return FloorPlan([*self._things, *self._moving]) if self._closing else self._still

    @property
    def whole(self) -> FloorPlan:
        """What stands where, now, low things as well."""
        return FloorPlan([*self._things, *self._low, *self._moving]) if self._closing else self._whole

    def track(self, pose: Array, rng: np.random.Generator) -> Track:
        """What a tracker says of what moves, to a robot at `pose` (3,): within 2 standard deviations."""
        off, faster = (np.clip(rng.normal(0, 0.7, 2), -1.4, 1.4) * sigma for sigma in (POSITION_SIGMA, VELOCITY_SIGMA))
        there = Track(self._mover + off, self._velocity + faster, MOVER, POSITION_SIGMA, VELOCITY_SIGMA)
        return there.seen_from(pose)

    @property
    def _moving(self) -> list[Obstacle]:
        x, y = self._mover
        return [Obstacle("mover", "cylinder", (float(x), float(y)), 0.0, (MOVER, MOVER), 1.0)]

    def contact_speed(self, robot: Robot, radius: float) -> float:
        """How fast [m/s] the robot drives while it touches something, or at what moves, if that is it; else 0."""
        velocity = transform_points(np.array([0.0, 0.0, robot.pose[2]]), robot.velocity[[0, 2]][None])[0]
        towards = self._mover - robot.pose[:2]
        away = float(np.hypot(*towards))
        if self._closing and away < radius + MOVER:
            return float(velocity @ towards) / max(away, 1e-6)
        return float(np.hypot(*velocity)) if self._whole.clearance(robot.pose[None, :2])[0] < radius else 0.0

    def step(self, robot: Array) -> None:
        """It comes at the robot (3,) as fast as it may, and turns when it is there."""
        towards = robot[:2] - self._mover
        away = float(np.hypot(*towards))
        self._away = away < 0.36 or (self._away and away < 1.2)
        move = towards / max(away, 1e-6) * self._closing * STEP * (-1.0 if self._away else 1.0)
        before, self._mover = self._mover, np.clip(self._mover + move, -ROOM + 0.2, ROOM - 0.2)
        self._velocity = (self._mover - before) / STEP


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
    """A laser and its driver: covered in part, or saying again what it said while it hangs."""

    def __init__(self, drive: Drive, rng: np.random.Generator) -> None:
        self._drive, self._rng = drive, rng
        self._said: list[tuple[Scan, Array]] = []  # and from where it was seen
        self._ring: list[tuple[Scan, Array]] = []
        self._turn = 0
        self._middle = float(np.random.default_rng([drive.seed, 3]).uniform(-math.pi, math.pi))

    def scan(self, plan: FloorPlan, pose: Array, fault: Fault) -> tuple[Scan, bool]:
        """What it says at `pose` (3,), and whether the gate has to take that for what is there."""
        self._turn += 1
        if fault in REPEATING and self._said:
            self._ring = self._ring or self._said[-max(1, int(self._drive.traits["ring_size"])) :]
            scan, there = self._ring[self._turn % (1 if fault == "frozen" else len(self._ring))]
            near = 1.5 * MOVED if fault in ("frozen", "ring") else math.inf  # others are noticed as motion tells
            return self._changed(scan, fault), bool((np.abs(relative(there, pose)) <= near).all())
        scan = scan_of(plan, pose, self._drive, fault, self._rng)
        if fault in PARTLY:
            return self._covered(scan, fault), True
        self._said = [*self._said[-9:], (scan, pose)]
        return scan, fault == "none"

    def _changed(self, scan: Scan, fault: Fault) -> Scan:
        ranges = scan.ranges.copy()
        if fault == "trembling":
            ranges[:: max(1, len(ranges) // 3)] += np.float32(0.001 * (self._turn % 5))
        elif fault == "noisy_ring":
            ranges += self._rng.normal(0.0, 0.003, len(ranges)).astype(np.float32)
        return replace(scan, ranges=ranges)

    def _covered(self, scan: Scan, fault: Fault) -> Scan:
        traits, ranges = self._drive.traits, scan.ranges.copy()
        if fault == "moving_cover":
            self._middle += traits["cover_speed"] / traits["scan_rate"]
        width = max(traits["cover_width"], HANGS_LEAST if fault == "sector_hangs" else 0.0)
        hidden = np.abs(wrap(scan.angles - self._middle)) <= width / 2
        if fault == "sector_hangs":
            ranges[hidden] = self._said[-1][0].ranges[hidden] if self._said else np.nan
            return replace(scan, ranges=ranges)
        if fault == "alternating":
            hidden = (np.arange(len(ranges)) // 3 + self._turn) % 2 == 0
        ranges[hidden] = np.nan if fault == "sector_nan" else np.inf
        return replace(scan, ranges=ranges)


def cloud_of(world: World, pose: Array, count: int, rng: np.random.Generator) -> Array:
    """What a second sensor shows: (count, 2) [m] in base_link, all round, of low things as well."""
    bearings = rng.uniform(-math.pi, math.pi, count)
    ranges = world.whole.cast(pose[:2], pose[2] + bearings) + np.clip(rng.normal(0.0, 0.005, count), -0.01, 0.01)
    return ranges[:, None] * np.column_stack([np.cos(bearings), np.sin(bearings)])


class Adversary:
    """Commands that mean harm: full speed at random, at the nearest thing, at once back; and now and then nonsense."""

    def __init__(self, rng: np.random.Generator, fastest: float) -> None:
        self._rng, self._until, self._command, self._homes = rng, 0.0, NOTHING, False
        self._fastest = fastest  # [m/s]

    def command(self, time: float, plan: FloorPlan, pose: Array) -> Command | None:
        """What it sends; None: nothing."""
        rng = self._rng
        if time >= self._until:
            self._until = time + rng.exponential(0.6)
            self._homes = rng.random() < 0.4
            self._command = tuple(
                rng.choice([-1.0, -0.5, 0.0, 0.5, 1.0]) * most for most in (1.2 * self._fastest, 2.0, 0.5)
            )
            if rng.random() < 0.05:
                self._command = tuple(rng.choice([math.nan, math.inf, -math.inf, 1e300], 3))
        if self._homes:
            bearings = np.arange(-np.pi, np.pi, np.pi / 12)
            there = float(bearings[np.argmin(plan.cast(pose[:2], pose[2] + bearings))])
            return math.copysign(self._fastest, math.cos(there)), 2.0 * math.sin(there), 0.5 * math.sin(there)
        return None if rng.random() < 0.05 else self._command


class Odometer:
    """Odometry that measures all ways a little too long or too short, from an origin of its own."""

    def __init__(self, pose: Array, gain: float) -> None:
        self.pose, self._gain = np.array([7.0, -3.0, 1.0]), gain

    def follow(self, before: Array, after: Array) -> None:
        """The robot moved."""
        step = compose(np.array([0.0, 0.0, -before[2]]), [*(after - before)[:2], after[2]])
        self.pose = compose(self.pose, [step[0] * self._gain, step[1] * self._gain, step[2]])
