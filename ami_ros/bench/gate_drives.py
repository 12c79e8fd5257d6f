"""What drives against the safety gate may be like, and whether it kept its word: all within what docs/safety.md takes
for granted."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np

from ami_ros.core.commands import Command
from ami_ros.core.geometry import Array
from ami_ros.safety.config import SafetyConfig
from ami_ros.safety.zones import Zone

CELL, CELLS = 0.05, 80  # [m] of keep-out masks, and how many each way


@dataclass(frozen=True)
class ZoneRule:
    """The zones of a drive: one that stops the robot, and one around it that slows it down."""

    points: int = 3  # readings in a zone, from which it counts
    outer: float = 1.5  # times the radius of the inner one
    slowed: float = 0.4  # share of the limits in the outer one
    error: float = 0.06  # [m] by which readings may be elsewhere than where odometry moved them


@dataclass(frozen=True)
class Outcome:
    """What came of a drive."""

    contact_speed: float | None  # [m/s] of the robot at its first contact while it moved; None: there was none
    over_limits: int  # commands
    not_finite: int
    distance: float  # [m] driven
    moved_blind: bool  # it was told to drive although no scan had been usable for too long
    zone_breaches: int = 0  # commands that were faster than readings in its zones allow
    entered: bool = False  # it came into an area that it must not enter
    moved_lost: bool = False  # it was told to drive although it was not known where such areas are
    sped_up: int = 0  # commands that are faster than the time since those before allows

    @property
    def broke_its_word(self) -> bool:
        """Whether the gate did anything that it must not, contacts apart."""
        counts = self.over_limits, self.not_finite, self.moved_blind, self.zone_breaches, self.entered
        return any((*counts, self.moved_lost, self.sped_up))


class Forbidden:
    """Squares in the frame of odometry that the robot must not enter, around where it starts (3,)."""

    def __init__(self, start: Array, rng: np.random.Generator) -> None:
        bearings, away = rng.uniform(-math.pi, math.pi, 3), rng.uniform(0.5, 1.5, 3)
        squares = np.column_stack([away * np.cos(bearings), away * np.sin(bearings)])
        around = CELL * (np.arange(CELLS) + 0.5 - CELLS / 2)
        y, x = np.meshgrid(around, around, indexing="ij")
        self.cells = (np.abs(np.stack([x, y], -1)[:, :, None] - squares).max(-1) < 0.15).any(-1)
        self.origin = np.array([start[0] - CELLS / 2 * CELL, start[1] - CELLS / 2 * CELL, 0.0])
        self._middles = np.column_stack([x[self.cells], y[self.cells]]) + start[:2]

    def entered(self, pose: Array, radius: float) -> bool:
        """Whether a disc at `pose` (3,), in that frame, covers the middle of a cell."""
        return bool((np.hypot(*(self._middles - pose[:2]).T) < radius).any())


class Judge:
    """Counts what must not be.

    Args:
        limits: (3,) of a command.
        rates: (3,) greatest accelerations.
        radius: [m] of the robot.
        zone: [m], radius of the zone that stops it; 0: there is none.
        forbidden: where it must not go.
    """

    def __init__(self, limits: Array, rates: Array, radius: float, zone: float, forbidden: Forbidden | None) -> None:
        self._limits, self._radius, self._zone, self._forbidden = limits, radius, zone, forbidden
        self._rates, self._sent = rates, deque([(-1.0, np.zeros(3))], maxlen=40)
        self._sped_up, self._lost = 0, False
        self._seen, self._seen_at = np.zeros((0, 2)), -math.inf
        self._over = self._not_finite = self._breaches = 0
        self._blind = self._entered = False

    def shown(self, points: Array, measured: float) -> None:
        """A usable scan, `measured` at a time [s], arrived: it shows points (n, 2) [m] in the world."""
        if measured > self._seen_at:
            self._seen, self._seen_at = points, measured

    def sent(self, command: Command, now: float, pose: Array, blind: bool, lost: bool) -> None:
        """A command was sent to a robot at `pose` (3,), which may be blind, or lost, for too long."""
        values = np.abs(command)
        self._not_finite += not np.isfinite(values).all()
        self._over += bool((values > self._limits).any())
        self._blind |= blind and bool(values[[0, 2]].any())  # a round robot may turn, to see whether scans change
        self._lost |= lost and bool(values[0] or values[2])
        gained = [(values - np.where(then * command >= 0, np.abs(then), 0.0), now - when) for when, then in self._sent]
        self._sped_up += any((gain > self._rates * passed + 1e-9).any() for gain, passed in gained)
        self._sent.append((now, np.array(command)))
        away = np.hypot(*(self._seen - pose[:2]).T)
        rule = ZoneRule()
        inner, outer = ((away < size * self._zone - rule.error).sum() >= rule.points for size in (1.0, rule.outer))
        allowed = self._limits * (0.0 if inner else rule.slowed if outer else 1.0)
        self._breaches += bool((values > allowed + 1e-9).any())

    def moved(self, odometry: Array) -> None:
        """The robot moved; so odometry has it (3,)."""
        if self._forbidden is not None:
            self._entered |= self._forbidden.entered(odometry, self._radius)

    def outcome(self, contact_speed: float | None, distance: float) -> Outcome:
        """What came of it all, of a contact, and of a way [m]."""
        counted = self._over, self._not_finite, distance, self._blind, self._breaches, self._entered
        return Outcome(contact_speed, *counted, self._lost, self._sped_up)


DriveKind = Literal["differential", "ackermann", "omnidirectional"]
Fault = Literal[
    "none", "dead", "nan", "zero", "inf", "below", "late", "frozen",
    "sector_inf", "sector_nan", "sector_hangs", "moving_cover", "alternating",  # a part of the view is covered
    "ring", "trembling", "noisy_ring",  # the driver sends old scans, as when it is frozen
]  # fmt: skip
Clock = Literal["true", "stands", "ticks", "bursts"]
Lost = Literal["", "old", "not localised", "leap"]  # how it becomes unknown where areas are

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
    "cover_width": (0.02, 6.2),  # [rad] of what is covered
    "cover_speed": (-2.0, 2.0),  # [rad/s] of a cover that moves
    "ring_size": (1.0, 6.0),  # scans that a hanging driver repeats, rounded down
    "leap": (0.8, 500.0),  # [m] of odometry
}


FASTEST = (0.5, 0.5, 1.0)  # [m/s]

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
    tracked: bool = False  # a tracker tells of it, and `obstacle_speed` is 0
    zone: float = 0.0  # [m], radius of a zone that stops it; one that slows it down is half as large again. 0: none
    keep_out: bool = False  # there are areas that it must not enter
    lost: Lost = ""  # what happens at `fault_at` to what is known of their place
    cloud: int = 0  # points of a second sensor, which also sees low things; 0: there are neither
    fastest: float = 0.5  # [m/s] that the gate lets through
    clock: Clock = "true"  # of the gate; a robot whose clock is wrong is judged by its commands alone
    traits: dict[str, float] = field(default_factory=lambda: {name: low for name, (low, _) in RANGES.items()})
    duration: float = 6.0  # [s]

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Drive:
        """Any drive."""
        kinds, faults, clocks, losses = map(get_args, (DriveKind, Fault, Clock, Lost))
        traits = {name: float(rng.uniform(*limits)) for name, limits in RANGES.items()}
        closing = float(rng.choice([0.0, 0.0, 0.0, 0.3, 0.5, 1.0]))
        tracked = closing == 1.0 or bool(closing and rng.random() < 0.5)
        return cls(
            seed=int(rng.integers(2**31)),
            kind=kinds[rng.integers(len(kinds))],
            fault=faults[rng.integers(len(faults))] if rng.random() < 0.5 else "none",
            beams=int(rng.integers(72, 720)),
            closing=closing,
            tracked=tracked,
            traits=traits | ATTENTIVE if closing else traits,
            zone=float(rng.choice([0.0, 0.0, 0.0, 0.3, 0.5])),
            keep_out=bool(keep_out := rng.random() < 0.25),
            lost=losses[rng.integers(len(losses))] if keep_out else "",
            cloud=int(rng.choice([0, 0, 0, 500, 2_500, 10_000])),
            clock=clocks[rng.integers(len(clocks))] if rng.random() < 0.15 else "true",
            fastest=float(rng.choice(FASTEST)),
        )

    @property
    def kinds(self) -> list[str]:
        """What happens on it, in words."""
        words = {
            f"laser {self.fault}": self.fault != "none",
            f"clock {self.clock}": self.clock != "true",
            "second sensor": bool(self.cloud),
            "zones": bool(self.zone),
            "keep-out": self.keep_out,
            f"place {self.lost}": bool(self.lost),
            "something comes closer": bool(self.closing) and not self.tracked,
            "somebody walks up, tracked": self.tracked,
            "1 m/s": self.fastest > 0.5,
        }
        return [word for word, applies in words.items() if applies]

    @property
    def config(self) -> SafetyConfig:
        """What the gate is told of the robot."""
        aside = 0.4 if self.kind == "omnidirectional" else 0.0
        return SafetyConfig(
            max_linear=self.fastest, max_lateral=aside, obstacle_speed=0.0 if self.tracked else self.closing
        )

    @property
    def zones(self) -> dict[str, Zone]:
        """What it is told of zones."""
        if not self.zone:
            return {}
        rule = ZoneRule()
        return {
            "stop": Zone("circle", "stop", radius=self.zone, min_points=rule.points),
            "slow": Zone(
                "circle", "slowdown", radius=rule.outer * self.zone, min_points=rule.points, slowdown_ratio=rule.slowed
            ),
        }
