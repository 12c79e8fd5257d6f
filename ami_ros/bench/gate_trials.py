"""Robots that do their worst within what the safety gate takes for granted, driven by commands that mean harm."""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from rich.console import Console

from ami_ros.bench.gate_drives import CELL, Drive, Fault, Forbidden, Judge, Outcome
from ami_ros.bench.report import wilson_interval
from ami_ros.core.commands import Command
from ami_ros.core.geometry import Array, compose, relative, transform_points, wrap
from ami_ros.core.scan import Scan, scan_points
from ami_ros.safety.gate import NOTHING, SafetyGate
from ami_ros.safety.keep_out import KeepOut
from ami_ros.safety.liveness import LivenessConfig
from ami_ros.safety.obstruction import Track
from ami_ros.simulation.floor_plan import FloorPlan, Obstacle

STEP = 0.01  # [s] of the robot and of time
TRACKER = 0.05, 0.15  # [m], [m/s], deviations of what it says
RANGE = 8.0  # [m] of the laser
ROOM = 2.0  # [m], half the side of the room
MOVER = 0.15  # [m], radius of what moves
STANDS = 0.02  # [m/s]; a contact of a robot slower than this is not its doing


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
        count = 3 if drive.cloud else 0
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
        off, faster = (np.clip(rng.normal(0, 0.7, 2), -1.4, 1.4) * sigma for sigma in TRACKER)
        there = Track(self._mover + off, self._velocity + faster, MOVER, *TRACKER)
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
        if fault in ("frozen", "ring", "trembling", "noisy_ring") and self._said:
            self._ring = self._ring or self._said[-max(1, int(self._drive.traits["ring_size"])) :]
            scan, there = self._ring[self._turn % (1 if fault == "frozen" else len(self._ring))]
            noticed = 1.5 * LivenessConfig().moved
            near = noticed if fault in ("frozen", "ring") else math.inf  # others are noticed as motion tells
            return self._changed(scan, fault), bool((np.abs(relative(there, pose)) <= near).all())
        scan = scan_of(plan, pose, self._drive, fault, self._rng)
        if fault in ("sector_inf", "sector_nan", "sector_hangs", "moving_cover", "alternating"):
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
        width = max(traits["cover_width"], math.radians(90.0) if fault == "sector_hangs" else 0.0)
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


# Robots that do their worst within what the safety gate takes for granted, driven by commands that mean harm.
#
# What docs/safety.md promises is held against these drives: in the tests by hypothesis, and for longer by
# `./ami bench gate`.

Message = Callable[[SafetyGate, float, float], Any]  # taken by the gate at a time on its clock, and on steady time
PERIOD = 0.05  # [s] between the gate's outputs


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
            self._gate = SafetyGate(config, drive.zones, {"depth": 0.6})  # [s] of silence
        if self._areas is not None:
            self._areas.tell(self._gate.keep_out)
        forbidden = None if self._areas is None else self._areas.forbidden
        limits = np.array([config.max_linear, config.max_angular, config.max_lateral]) + 1e-9  # a little for rounding
        linear, angular = config.max_linear_acceleration, config.max_angular_acceleration
        rates = np.array([linear, angular, linear])
        self._judge = Judge(limits, rates, config.robot_radius, drive.zone, forbidden)
        self._clock = NodeClock(drive, np.random.default_rng([drive.seed, 2]))
        self._coming: list[tuple[float, int, Message]] = []  # when, which, what arrives
        self._next_scan = self._next_output = self._next_cloud = 0.0
        self._steady = 1000.0  # [s] of steady time when the drive begins
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
                item[2](self._gate, now, self._steady + true)
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
            if fast > STANDS and self._drive.clock in ("true", "stands"):
                return self._judge.outcome(fast, self._distance)
        return self._judge.outcome(None, self._distance)

    def _command(self, true: float, now: float) -> None:
        wish, drive = self._adversary.command(true, self._world.plan, self._robot.pose), self._drive
        steady = self._steady + true
        if wish is not None:
            self._gate.command(wish[0], wish[1], now, wish[2], steady)
        self._sent = self._gate.output(now, steady).command
        lost = self._areas is not None and self._areas.lost(true)
        stands = drive.clock == "stands" and true > drive.traits["fault_at"] + drive.config.clock_timeout + 2 * PERIOD
        blind = true - self._usable > drive.config.scan_timeout and drive.clock == "true"
        self._judge.sent(self._sent, true, self._robot.pose, blind or stands, lost)

    def _sense(self, tick: int, true: float, stamp: float) -> None:
        drive, robot, traits, rng = self._drive, self._robot, self._drive.traits, self._rng
        fault = drive.fault if true >= traits["fault_at"] else "none"
        if true >= self._next_scan:
            self._next_scan += 1.0 / traits["scan_rate"]
            if fault != "dead" and rng.random() >= traits["dropped"]:
                scan, shows = self._laser.scan(self._world.plan, robot.pose, fault)
                late = traits["latency"] + rng.uniform(0, traits["jitter"])
                arrives = true + late + (1.0 if fault == "late" else 0.0)
                self._arrive(arrives, lambda gate, now, steady: gate.scan(scan, now, stamp, steady))
                if shows or fault == "late":
                    points = transform_points(robot.pose, scan_points(scan, RANGE))
                    self._arrive(arrives, self._shown(points, true, stamp))
                if shows:
                    self._usable = true
                if drive.tracked:
                    track = self._world.track(robot.pose, rng)
                    self._arrive(arrives, lambda gate, now, steady: gate.tracks([track], now, stamp))
        if drive.cloud and true >= self._next_cloud:
            self._next_cloud += 0.1
            cloud = cloud_of(self._world, robot.pose, drive.cloud, rng)
            late = true + traits["latency"]
            self._arrive(late, lambda gate, now, steady: gate.observe("depth", cloud, now, stamp, steady))
        if tick % 4 == 0:
            noise = np.clip(self._wheels.normal(0, 1, 3), -2, 2) * traits["odometry_noise"]
            pose = self._measured.pose.copy()
            if self._areas is not None:
                pose = self._areas.odometry(pose, true)
                self._arrive(true + traits["odometry_delay"], self._areas.placing(true, stamp))
            velocity = tuple(robot.velocity + noise)
            late = true + traits["odometry_delay"]
            self._arrive(late, lambda gate, now, steady: gate.odometry(pose, velocity, stamp, now))

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
        takes = {"old": 5.0, "not localised": 0.0, "leap": 0.0, "": math.inf}[self._lost]
        return true > self._at + takes + 4 * PERIOD


def drive(drive: Drive) -> Outcome:
    """What came of a drive."""
    return Trial(drive).run()


def drive_for(seconds: float, seed: int, console: Console) -> tuple[dict[str, Any], bool]:
    """Drives drawn ones for so long, and says what came of them: figures, and whether the gate broke its word."""
    began, rng = time.monotonic(), np.random.default_rng(seed)
    drives: list[Drive] = []
    outcomes: list[Outcome] = []
    with console.status("driving") as status:
        while time.monotonic() - began < seconds or not drives:
            drives.append(Drive.draw(rng))
            outcomes.append(drive(drives[-1]))
            status.update(f"{len(drives)} drives")
    both = list(zip(drives, outcomes, strict=True))
    contacts = [(each, o) for each, o in both if o.contact_speed is not None]
    counted = {  # figure -> column
        "commands_over_limits": "over_limits", "commands_not_finite": "not_finite", "drives_moved_blind": "moved_blind",
        "commands_against_zones": "zone_breaches", "drives_into_keep_out": "entered", "drives_moved_lost": "moved_lost",
        "commands_sped_up": "sped_up",
    }  # fmt: skip
    figures = {
        "gate_drives": len(drives),
        "gate_driven_m": round(sum(o.distance for o in outcomes), 1),
        "gate_contacts": len(contacts),
        "gate_contact_speed_max_m_s": max((o.contact_speed or 0.0 for o in outcomes), default=0.0),
        **{f"gate_{name}": sum(getattr(o, column) for o in outcomes) for name, column in counted.items()},
    }
    for name, value in figures.items():
        console.print(f"{name:28} {value}", soft_wrap=True)
    drawn = Counter(kind for each in drives for kind in each.kinds)
    console.print("drawn: " + ", ".join(f"{count} {kind}" for kind, count in sorted(drawn.items())), soft_wrap=True)
    most = 100 * wilson_interval(len(contacts), len(drives))[1]
    console.print(f"contacts: at most {most:.2f} % of drives (Wilson, 95 %)")
    for failed, outcome in contacts[:3]:
        console.print(f"touched at {outcome.contact_speed:.2f} m/s: {failed}", soft_wrap=True)
    for failed, outcome in both:
        if outcome.broke_its_word:
            console.print(f"{outcome}: {failed}", soft_wrap=True)
    return figures, any(value for name, value in figures.items() if name not in ("gate_drives", "gate_driven_m"))
