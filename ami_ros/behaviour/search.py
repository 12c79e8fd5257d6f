"""Looking for a goal from spot to spot, once around at each; and the next one, where memory names none."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ami_ros.core.geometry import Array, compose, wrap
from ami_ros.core.scan import Scan
from ami_ros.planning.scan_geometry import free_range


@dataclass(frozen=True)
class SearchConfig:
    """Where a goal is looked for, and how long."""

    spots: int = 8  # from which it looks, at most, where nothing limits its time or memory names none
    turn: float = 15.0  # [s] of a turn, after which it is over even if the robot did not come around
    drive: float = 10.0  # [s] for the way to a spot, after which another is chosen
    apart: float = 1.0  # [m] between spots: where nothing tells where to look, nearer ones would keep it in one corner
    looked: float = 0.5  # [m] from a spot, within which nothing more is to be seen
    steps: tuple[float, ...] = (1.1, 1.6, 2.2)  # [m] to the next, the nearest that is new
    half_width: float = 0.25  # [m] of what has to be free on the way ...
    ahead: float = 0.3  # [m] ... and beyond its end


class GoalSearch:
    """Turns on the spot, as odometry measures them, and from where that was done.

    Args:
        config: see there.

    Attributes:
        spots: (3,) each, in odom, from which the robot looked, or which it need not go to any more.
    """

    def __init__(self, config: SearchConfig = SearchConfig()) -> None:
        self.config = config
        self.re_anchor()

    def re_anchor(self) -> None:
        """Odometry restarted: nobody knows where the spots lie."""
        self.spots: list[Array] = []
        self._since: float | None = None  # [s] when the turn began; None: the robot does not turn
        self._turned, self._last = 0.0, 0.0
        self._target: Array | None = None  # (3,) in odom, on the way to the next spot
        self._set_out = 0.0

    def carry(self, correction: Array) -> None:
        """Odometry drifted; see `Drift`."""
        self.spots[:] = [compose(correction, spot) for spot in self.spots]
        if self._target is not None:
            self._target = compose(correction, self._target)

    def begin(self, stamp: float, odometry: Array) -> None:
        """Turns once around here."""
        self._since, self._turned, self._last, self._target = stamp, 0.0, float(odometry[2]), None
        self.spots.append(np.array(odometry))

    def goes_on(self, stamp: float, odometry: Array) -> bool | None:
        """Whether the robot is to turn on now; False: it has just come around, None: it did not turn."""
        if self._since is None:
            return None
        self._turned += float(wrap(odometry[2] - self._last))
        self._last = float(odometry[2])
        if abs(self._turned) > 2 * math.pi or stamp - self._since > self.config.turn:
            self._since = None
        return self._since is not None

    @property
    def may_go_on(self) -> bool:
        """Whether it has not been looked from enough spots yet."""
        return len(self.spots) < self.config.spots

    def has_looked_from(self, pose: Array) -> bool:
        """Whether the robot has looked from near `pose` (3,) in odom."""
        return any(np.hypot(*(spot - pose)[:2]) < self.config.looked for spot in self.spots)

    def next_spot(self, stamp: float, odometry: Array, scan: Scan | None) -> Array | None:
        """Pose (3,) in odom from which to look next, perhaps the robot's; None: there is none, or it has looked from
        enough of them."""
        if self._target is not None and stamp - self._set_out > self.config.drive:
            self.spots.append(self._target)
            self._target = None
        elif self._target is None and not self.has_looked_from(odometry):
            return np.array(odometry)
        if self._target is None and scan is not None and self.may_go_on:
            self._target, self._set_out = self._new(odometry, scan), stamp
        return self._target

    def _new(self, odometry: Array, scan: Scan) -> Array | None:
        """The nearest spot (3,) in odom that can be driven straight to and near which nobody looked; best ahead."""
        bearings, config = np.linspace(-np.pi, np.pi, 24, endpoint=False), self.config
        room = np.array([free_range(scan, float(bearing), config.half_width) for bearing in bearings])
        looked = np.array([spot[:2] for spot in self.spots]).reshape(-1, 2)
        for step in config.steps:
            here = np.column_stack([step * np.cos(bearings), step * np.sin(bearings), bearings])
            there = compose(odometry, here)
            gaps = np.hypot(*(there[:, None, :2] - looked[None]).transpose(2, 0, 1)).min(axis=1, initial=np.inf)
            good = (room > step + config.ahead) & (gaps > config.apart)
            if good.any():
                worth = np.where(good, np.minimum(gaps, 2 * config.apart) - 0.2 * np.abs(bearings), -np.inf)
                return np.asarray(there[int(np.argmax(worth))])
        return None


def is_over(elapsed: float, allowance: float, share: float = 0.88) -> bool:
    """Whether a goal has been looked for long enough: for a `share` of the `allowance` [s]; 0: without limit."""
    return bool(allowance) and elapsed > share * allowance


def reach(elapsed: float, allowance: float, pace: float = 0.3) -> float:
    """How far [m] the robot can drive at its `pace` through a building [m/s] in what is left of the time allowed [s],
    `elapsed` [s] of which are over; an allowance of 0: as far as it likes."""
    return max(pace * (allowance - elapsed), 0.0) if allowance else math.inf
