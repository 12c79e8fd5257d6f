"""Tracks: Kalman filters of constant velocity side by side, and how sure each is that its thing moves."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray

from ami_ros.geometry import Array
from ami_ros.moving.config import TrackerConfig
from ami_ros.moving.things import process_noise

TRAIL, TRAIL_STEP = 8, 0.25  # how many positions of a track's past are kept, and how far apart [s]


@dataclass
class Tracks:
    """Columns of n tracks, in odom.

    Attributes:
        id: (n,) of each.
        state: (n, 4) x, y, vx, vy [m, m/s].
        covariance: (n, 4, 4).
        moving: (n,) log-odds that it moves, or did a moment ago.
        seen: (n,) when last [s].
        through: (n,) for how long scans have looked through it [s].
        spacing: (n,) of beams at its distance [m].
        width: (n,) of its widest segment, smoothed [m].
        extent: (n,) of all its segments together, smoothed [m].
        surface: (n, 2) a point of it that the newest scan met [m].
        trail: (n, TRAIL, 2) such points of before, the newest first; NaN before its time.
        noted: (n,) when the trail was last written [s].
        origin: (n, 2) where it was met first [m].
        came: (n,) how far it has been from there at most [m].
    """

    id: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    state: Array = field(default_factory=lambda: np.zeros((0, 4)))
    covariance: Array = field(default_factory=lambda: np.zeros((0, 4, 4)))
    moving: Array = field(default_factory=lambda: np.zeros(0))
    seen: Array = field(default_factory=lambda: np.zeros(0))
    through: Array = field(default_factory=lambda: np.zeros(0))
    spacing: Array = field(default_factory=lambda: np.zeros(0))
    width: Array = field(default_factory=lambda: np.zeros(0))
    extent: Array = field(default_factory=lambda: np.zeros(0))
    surface: Array = field(default_factory=lambda: np.zeros((0, 2)))
    trail: Array = field(default_factory=lambda: np.zeros((0, TRAIL, 2)))
    noted: Array = field(default_factory=lambda: np.zeros(0))
    origin: Array = field(default_factory=lambda: np.zeros((0, 2)))
    came: Array = field(default_factory=lambda: np.zeros(0))

    def __len__(self) -> int:
        return len(self.id)

    @property
    def from_trail(self) -> Array:
        """(n, TRAIL) how far each has come from each point of its trail [m]; 0 before its time."""
        return np.nan_to_num(np.hypot(*(self.trail - self.surface[:, None]).transpose(2, 0, 1)), nan=0.0)

    def keep(self, which: NDArray[np.bool_]) -> None:
        """Drops all others."""
        if not which.all():
            for column in fields(self):
                setattr(self, column.name, getattr(self, column.name)[which])

    def begin(self, ids: NDArray[np.int64], centres: Array, widths: Array, stamp: float, config: TrackerConfig) -> None:
        """New ones at `centres` (k, 2), whose velocity is not known."""
        k = len(ids)
        doubt = np.array([4 * config.deviation**2] * 2 + [config.start_speed**2] * 2)
        new = Tracks(
            ids, np.concatenate([centres, np.zeros((k, 2))], 1), np.tile(np.diag(doubt), (k, 1, 1)), np.zeros(k),
            np.full(k, stamp), np.zeros(k), np.zeros(k), widths, widths.copy(), centres.copy(),
            np.full((k, TRAIL, 2), np.nan), np.full(k, stamp), centres.copy(), np.zeros(k),
        )  # fmt: skip
        for column in fields(self):
            setattr(self, column.name, np.concatenate([getattr(self, column.name), getattr(new, column.name)]))

    def predict(self, seconds: float, config: TrackerConfig) -> None:
        """Moves them on by `seconds` [s]."""
        forward = np.eye(4)
        forward[0, 2] = forward[1, 3] = seconds
        self.state = self.state @ forward.T
        self.covariance = forward @ self.covariance @ forward.T + process_noise(seconds, config.acceleration)

    def update(self, which: NDArray[np.intp], measured: Array, deviation: Array) -> None:
        """Positions (k, 2) of tracks `which` (k,) were measured, each axis with `deviation` (k,) [m]."""
        state, covariance = self.state[which], self.covariance[which]
        innovation = covariance[:, :2, :2] + np.eye(2) * np.square(deviation)[:, None, None]
        gain = covariance[:, :, :2] @ np.linalg.inv(innovation)  # (k, 4, 2)
        self.state[which] = state + np.einsum("kij,kj->ki", gain, measured - state[:, :2])
        updated = covariance - gain @ covariance[:, :2, :]
        self.covariance[which] = (updated + updated.transpose(0, 2, 1)) / 2
        self.came = np.maximum(self.came, np.hypot(*(self.state[:, :2] - self.origin).T))

    def note(self, stamp: float) -> None:
        """Writes what was met of them now into their trails, every TRAIL_STEP."""
        due = (stamp - self.noted > 0.99 * TRAIL_STEP) & (self.seen == stamp)
        self.trail[due, 1:] = self.trail[due, :-1]
        self.trail[due, 0] = self.surface[due]
        self.noted[due] = stamp
