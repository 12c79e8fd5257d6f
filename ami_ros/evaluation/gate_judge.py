"""Whether the safety gate kept its word on a drive: judged by the truth, with nothing of the gate's own."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np

from ami_ros.commands import Command
from ami_ros.geometry import Array

STOP_POINTS, SLOWED = 3, 0.4  # of zones: readings, and share of the limits in the outer one
OUTER = 1.5  # times the radius of the inner zone
ERROR = 0.06  # [m] by which readings may be elsewhere than where odometry moved them
CELL = 0.05  # [m] of keep-out masks
SIDE = 80  # cells of a keep-out mask each way


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
        around = CELL * (np.arange(SIDE) + 0.5 - SIDE / 2)
        y, x = np.meshgrid(around, around, indexing="ij")
        self.cells = (np.abs(np.stack([x, y], -1)[:, :, None] - squares).max(-1) < 0.15).any(-1)
        self.origin = np.array([start[0] - SIDE / 2 * CELL, start[1] - SIDE / 2 * CELL, 0.0])
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
        inner, outer = ((away < size * self._zone - ERROR).sum() >= STOP_POINTS for size in (1.0, OUTER))
        allowed = self._limits * (0.0 if inner else SLOWED if outer else 1.0)
        self._breaches += bool((values > allowed + 1e-9).any())

    def moved(self, odometry: Array) -> None:
        """The robot moved; so odometry has it (3,)."""
        if self._forbidden is not None:
            self._entered |= self._forbidden.entered(odometry, self._radius)

    def outcome(self, contact_speed: float | None, distance: float) -> Outcome:
        """What came of it all, of a contact, and of a way [m]."""
        counted = self._over, self._not_finite, distance, self._blind, self._breaches, self._entered
        return Outcome(contact_speed, *counted, self._lost, self._sped_up)
