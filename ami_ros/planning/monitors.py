"""What watches a drive: whether the robot makes progress, whether the model is in doubt, whether somebody is in the
way."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from ami_ros.core.commands import Command, of_width
from ami_ros.core.geometry import Array, relative, wrap
from ami_ros.core.scan import Scan
from ami_ros.planning.protocols import Dynamics
from ami_ros.safety.moving_things import MovingThings
from ami_ros.safety.tracker import without_moving
from ami_ros.world_model.layers import Floats

# How long a condition has held.


class Stopwatch:
    """Runs while a condition holds without interruption."""

    def __init__(self) -> None:
        self._since: float | None = None

    def held(self, condition: bool, stamp: float) -> float:
        """Seconds for which `condition` has held until `stamp` [s]; 0 where it does not."""
        if not condition:
            self._since = None
            return 0.0
        if self._since is None:
            self._since = stamp
        return stamp - self._since

    def restart(self) -> None:
        """Begins anew."""
        self._since = None


# Whether the robot makes progress.

STILL_SECONDS = 4.0  # [s] within which the base must move
STILL_DISTANCE = 0.08  # [m] less is standing, unless it turns
STILL_ANGLE = 0.35  # [rad] less is not turning
STALL_DISTANCE = 0.15  # [m] by which it must shrink


@dataclass(frozen=True)
class ProgressConfig:
    """When to call it stuck."""

    stall_seconds: float = 12.0  # [s] without progress until it is stuck; smaller recovers sooner, and needlessly


class ProgressChecker:
    """Watches motion (pushing against something) and the route left (circling)."""

    def __init__(self, config: ProgressConfig) -> None:
        self.config = config
        self.reset()

    def reset(self) -> None:
        """Begins anew, as after a recovery."""
        self._trail: deque[tuple[float, Array]] = deque()
        self._best = np.inf
        self._best_stamp: float | None = None

    def stuck(self, stamp: float, odometry: Array, left: float) -> str:
        """The reason why the robot counts as stuck, or nothing.

        Args:
            stamp: now [s].
            odometry: (3,) now.
            left: way left [m].
        """
        config = self.config
        self._trail.append((stamp, odometry))
        while self._trail and stamp - self._trail[0][0] > STILL_SECONDS:
            self._trail.popleft()
        if self._best_stamp is None or left < self._best - STALL_DISTANCE:
            self._best, self._best_stamp = left, stamp
        if stamp - self._best_stamp > config.stall_seconds:
            return f"no progress towards the goal for {config.stall_seconds:.0f} s"
        if stamp - self._trail[0][0] > 0.9 * STILL_SECONDS:
            poses = np.stack([pose for _, pose in self._trail])
            moved = np.hypot(*(poses[:, :2] - odometry[:2]).T).max()
            turned = np.abs(wrap(poses[:, 2] - odometry[2])).max()
            if moved < STILL_DISTANCE and turned < STILL_ANGLE:
                return f"did not move for {STILL_SECONDS:.0f} s"
        return ""


# Doubt: whether the world model is less sure of what comes next than usual.

FACTOR = 2.5  # times the usual disagreement
SECONDS = 0.55  # [s] without a break
WINDOW = 60.0  # [s] that make up what is usual
WARM_UP = 10.0  # [s] before anything is unusual


class Doubt:
    """Watches how much the model's ensemble disagrees about each next step.

    Args:
        model: without an ensemble there is never any doubt.
    """

    def __init__(self, model: Dynamics) -> None:
        self._width = model.spec.command_dim
        self._disagreement = getattr(model, "disagreement", None) if model.spec.ensemble else None
        self._usual: deque[tuple[float, float]] = deque()  # stamp [s], disagreement
        self._high = Stopwatch()

    def about(self, stamp: float, latent: Floats, chunk: Array, previous: Command) -> bool:
        """Whether the model is unsure of what the commands (chunk, width) do from `latent` (latent_dim,)."""
        if self._disagreement is None:
            return False
        before = np.array([of_width(previous, self._width)], np.float32)
        return self.unsure(stamp, float(self._disagreement(latent[None], chunk.astype(np.float32)[None], before)[0]))

    def unsure(self, stamp: float, disagreement: float) -> bool:
        """Whether the model is unsure at `stamp` [s], with its `disagreement` [latent units] about the step chosen."""
        known = self._usual
        while known and not 0 <= stamp - known[0][0] <= WINDOW:
            known.popleft()
        ready = bool(known) and stamp - known[0][0] >= WARM_UP
        usual = float(np.median([value for _, value in known])) if ready else np.inf
        known.append((stamp, disagreement))
        return self._high.held(disagreement > FACTOR * usual, stamp) >= SECONDS


# Who passes is no wall: scans without what moves, and for how long to wait for somebody who is in the way.

BESIDE = 0.2  # [m] beyond the robot's and its own radius within which somebody is in the way ...
AHEAD = 1.3  # [m] ... up to this far from the robot: NEAR of blocked ways
PATIENCE = 8.0  # [s] of waiting for one who stands, after which it counts as what else stands in the way


def without(scan: Scan | None, things: MovingThings | None, odometry: Array) -> Scan | None:
    """The scan without who is there: beams that end at one of `things` (in odom) know nothing, what is behind neither.

    Args:
        scan: in base_link.
        things: what moves; None: nobody says.
        odometry: (3,) of the robot at the scan.
    """
    return scan if scan is None or things is None else without_moving(scan, odometry, things)


def _seen(things: MovingThings, odometry: Array) -> Array:
    """Their middles (n, 2) in base_link."""
    places = np.column_stack([things.positions, np.zeros(len(things.things))])
    return np.asarray(relative(np.broadcast_to(odometry, places.shape), places))[:, :2]


def in_the_way(things: MovingThings | None, odometry: Array, path: Array, radius: float) -> bool:
    """Whether somebody is in the way of a robot of `radius` [m] along `path` (n, 2) [m] in base_link, near ahead."""
    if things is None or not things.things or not len(path):
        return False
    middles = _seen(things, odometry)
    line = dense(np.concatenate([np.zeros((1, 2)), path]))
    line = line[np.hypot(*line.T) < AHEAD]
    gaps = np.hypot(*(middles[:, None] - line[None]).transpose(2, 0, 1)).min(axis=1) - things.radii
    return bool((gaps < radius + BESIDE).any())


def dense(path: Array) -> Array:
    """The same way with a point every 0.1 m."""
    lengths = np.hypot(*np.diff(path, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(lengths)])
    at = np.arange(0.0, along[-1] + 0.05, 0.1)
    return np.column_stack([np.interp(at, along, path[:, axis]) for axis in (0, 1)])


class Yielding:
    """Whether `somebody` is in the way, and the robot `waits` for that, as long as it may."""

    def __init__(self) -> None:
        self._waited = Stopwatch()
        self.somebody = self.waits = False

    def update(self, stamp: float, somebody: bool) -> bool:
        """True while `somebody` is in the way, for PATIENCE at most: it waits, or goes round, and is not stuck."""
        self.somebody = somebody
        self.waits = somebody and self._waited.held(True, stamp) <= PATIENCE
        if not somebody:
            self._waited.restart()
        return self.waits
