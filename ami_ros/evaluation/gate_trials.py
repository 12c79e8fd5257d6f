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
from ami_ros.evaluation.gate_robot import RANGE, STEP, Adversary, Laser, Odometer, Robot, World
from ami_ros.geometry import Array, transform_points
from ami_ros.safety.config import SafetyConfig
from ami_ros.safety.gate import NOTHING, SafetyGate
from ami_ros.scan import Scan, scan_points

PERIOD = 0.05  # [s] between the gate's outputs
MOVES = 0.02  # [m/s]; a contact of a robot slower than this is not its doing


def drive(drive: Drive) -> Outcome:
    """Drives until its time is up or something was touched."""
    rng, config, traits = np.random.default_rng(drive.seed), drive.config, drive.traits
    world, laser, adversary = World(drive, rng), Laser(drive, rng), Adversary(rng)
    robot = Robot(drive, np.array([0.0, 0.0, rng.uniform(-np.pi, np.pi)]))
    wheels = np.random.default_rng([drive.seed, 1])
    measured, gate = Odometer(robot.pose, traits["odometry_gain"]), SafetyGate(config, drive.zones)
    forbidden = Forbidden(measured.pose, rng) if drive.keep_out else None
    judge = Judge(_limits(config), config.robot_radius, drive.zone, forbidden)
    if forbidden is not None:
        gate.keep_out.mask("squares", "odom", forbidden.cells, CELL, forbidden.origin)
    if world.plan.clearance(robot.pose[None, :2])[0] < config.robot_radius + 0.05:
        return judge.outcome(None, 0.0)
    coming: list[tuple[float, int, Callable[[SafetyGate, float], Any]]] = []  # when, which, what arrives
    sent, distance, next_scan, next_output, usable = NOTHING, 0.0, 0.0, 0.0, -math.inf
    for tick in range(round(drive.duration / STEP)):
        now, plan, before = tick * STEP, world.plan, robot.pose
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
        robot.step(sent)
        measured.follow(before, robot.pose)
        judge.moved(measured.pose)
        world.step(robot.pose)
        distance += float(np.hypot(*(robot.pose - before)[:2]))
        fast = world.contact_speed(robot, config.robot_radius)
        if fast > MOVES:
            return judge.outcome(fast, distance)
    return judge.outcome(None, distance)


def _limits(config: SafetyConfig) -> Array:
    """The greatest command (3,), and a little for rounding."""
    return np.array([config.max_linear, config.max_angular, config.max_lateral]) + 1e-9


def _scan(scan: Scan, stamp: float) -> Callable[[SafetyGate, float], Any]:
    return lambda gate, now: gate.scan(scan, now, stamp)


def _odometry(pose: Array, velocity: Command, stamp: float) -> Callable[[SafetyGate, float], Any]:
    return lambda gate, now: gate.odometry(pose, velocity, stamp, now)
