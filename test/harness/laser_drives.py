"""A kinematic robot with a laser, driven through the safety gate past things that stand, move, or are not seen."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from ami_ros.bench.gate_drives import Drive
from ami_ros.bench.gate_trials import STEP, Robot
from ami_ros.core.commands import Command
from ami_ros.core.geometry import Array
from ami_ros.core.scan import Scan
from ami_ros.safety.config import SafetyConfig
from ami_ros.safety.gate import SafetyGate
from ami_ros.simulation.floor_plan import FloorPlan, Obstacle

RANGE = 8.0  # [m] of the laser
TRAITS = Drive(0).traits | {"lag": 0.06, "braking": 1.0, "slip": 1.0}
Covers = Callable[[Array, Array, float], Array]  # ranges (n,) [m], their directions in base_link (n,), time -> ranges


def box(x: float, y: float, half_x: float, half_y: float) -> Obstacle:
    return Obstacle("box", "box", (x, y), 0.0, (half_x, half_y), 1.0)


def post(x: float, y: float, radius: float) -> Obstacle:
    return Obstacle("post", "cylinder", (x, y), 0.0, (radius, radius), 1.0)


ROOM = [box(2.0, 0.0, 0.05, 4.0), box(-2.5, 0.0, 0.05, 4.0), box(0.0, 2.2, 4.0, 0.05), box(0.0, -1.8, 4.0, 0.05)]


@dataclass
class Course:
    """What the robot is asked for, and what happens to its laser.

    Attributes:
        things: what stands where at a time.
        covers: what the laser's cover makes of its readings.
        repeats: which of the scans so far (their list, the newest last) the driver sends.
        command: what is asked for, by time and pose.
    """

    things: Callable[[float], list[Obstacle]]
    covers: Covers = lambda ranges, angles, now: ranges
    repeats: Callable[[list[Scan], float], Scan] = lambda scans, now: scans[-1]
    command: Callable[[float, Array], Command] = lambda now, pose: (0.5, 0.0, 0.0)
    duration: float = 8.0
    beams: int = 360
    period: float = 0.1
    noise: float = 0.003
    start: Array = field(default_factory=lambda: np.zeros(3))
    config: SafetyConfig = field(default_factory=SafetyConfig)


@dataclass(frozen=True)
class Driven:
    """How it went."""

    touched: float  # [m/s] of the robot when it touched something; 0: it did not
    poses: Array  # (k, 3) at each step of STEP
    reasons: list[str]  # of each output


def drive(course: Course) -> Driven:
    """Drives until its time is up or something is touched."""
    rng, robot = np.random.default_rng(0), Robot(Drive(0, traits=TRAITS), course.start.copy())
    gate = SafetyGate(course.config)
    sent: Command = (0.0, 0.0, 0.0)
    increment = 2 * math.pi / course.beams
    scans: list[Scan] = []
    poses, reasons = [], []
    plan = FloorPlan(course.things(0.0))
    for tick in range(round(course.duration / STEP)):
        now = tick * STEP
        if tick % 5 == 0:
            plan = FloorPlan(course.things(now))
        if tick % 4 == 0:
            gate.odometry(robot.pose, tuple(robot.velocity), now)
        if tick % round(course.period / STEP) == 0:
            angles = -math.pi + increment * np.arange(course.beams, dtype=np.float64)
            ranges = plan.cast(robot.pose[:2], robot.pose[2] + angles)
            ranges = ranges + rng.normal(0.0, course.noise, len(ranges)) if course.noise else ranges
            ranges = course.covers(np.where(ranges < RANGE, ranges, np.inf), angles, now)
            scans.append(Scan(ranges.astype(np.float32), -math.pi, increment, max_range=RANGE))
            gate.scan(course.repeats(scans, now), now, now)
        if tick % 5 == 0:
            linear, angular, lateral = course.command(now, robot.pose)
            gate.command(linear, angular, now, lateral)
            output = gate.output(now)
            sent = output.command
            reasons.append(output.reason)
        robot.step(sent)
        poses.append(robot.pose)
        speed = float(np.hypot(robot.velocity[0], robot.velocity[2]))
        if plan.clearance(robot.pose[None, :2])[0] < course.config.robot_radius and speed > 0.02:
            return Driven(speed, np.array(poses), reasons)
    return Driven(0.0, np.array(poses), reasons)
