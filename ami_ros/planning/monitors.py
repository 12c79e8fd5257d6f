"""What watches a drive: does the robot make progress, is the model in doubt, is somebody in the way?"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from ami_ros.core.commands import Command, of_width
from ami_ros.core.geometry import Array, relative, wrap
from ami_ros.planning.protocols import Dynamics
from ami_ros.planning.scan_geometry import dense
from ami_ros.safety.moving_things import MovingThings
from ami_ros.world_model.layers import Floats


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


@dataclass(frozen=True)
class MonitorConfig:
    """What counts as motion, as doubt, and as somebody in the way."""

    still: float = 4.0  # [s] within which the base must move
    still_distance: float = 0.08  # [m] less is standing, unless it turns
    still_angle: float = 0.35  # [rad] less is not turning
    stall: float = 0.15  # [m] by which the way left must shrink to count as progress
    doubt: float = 2.5  # times the usual disagreement of the model's predictors, from which it is unsure ...
    doubt_seconds: float = 0.55  # [s] ... without a break
    usual: float = 60.0  # [s] that make up what is usual
    warm_up: float = 10.0  # [s] before anything is unusual
    beside: float = 0.2  # [m] beyond the robot's and its own radius within which somebody is in the way ...
    ahead: float = 1.3  # [m] ... up to this far from the robot: as near as a wall across the way is beyond doubt
    patience: float = 8.0  # [s] of waiting for one who stands, after which it counts as what else stands in the way


@dataclass(frozen=True)
class ProgressConfig:
    """When to call it stuck."""

    stall_seconds: float = 12.0  # [s] without progress until it is stuck; smaller recovers sooner, and needlessly


class ProgressChecker:
    """Watches motion (pushing against something) and the route left (circling)."""

    def __init__(self, config: ProgressConfig, rules: MonitorConfig = MonitorConfig()) -> None:
        self.config, self._rules = config, rules
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
        stall, rules = self.config.stall_seconds, self._rules
        self._trail.append((stamp, odometry))
        while self._trail and stamp - self._trail[0][0] > rules.still:
            self._trail.popleft()
        if self._best_stamp is None or left < self._best - rules.stall:
            self._best, self._best_stamp = left, stamp
        if stamp - self._best_stamp > stall:
            return f"no progress towards the goal for {stall:.0f} s"
        if stamp - self._trail[0][0] > 0.9 * rules.still:
            poses = np.stack([pose for _, pose in self._trail])
            moved = np.hypot(*(poses[:, :2] - odometry[:2]).T).max()
            turned = np.abs(wrap(poses[:, 2] - odometry[2])).max()
            if moved < rules.still_distance and turned < rules.still_angle:
                return f"did not move for {rules.still:.0f} s"
        return ""


class Doubt:
    """Watches how much the model's ensemble disagrees about each next step, compared with what is usual.

    Args:
        model: without an ensemble there is never any doubt.
        rules: see there.
    """

    def __init__(self, model: Dynamics, rules: MonitorConfig = MonitorConfig()) -> None:
        self._rules = rules
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
        known, rules = self._usual, self._rules
        while known and not 0 <= stamp - known[0][0] <= rules.usual:
            known.popleft()
        ready = bool(known) and stamp - known[0][0] >= rules.warm_up
        usual = float(np.median([value for _, value in known])) if ready else np.inf
        known.append((stamp, disagreement))
        return self._high.held(disagreement > rules.doubt * usual, stamp) >= rules.doubt_seconds


def in_the_way(
    things: MovingThings | None, odometry: Array, path: Array, radius: float, rules: MonitorConfig = MonitorConfig()
) -> bool:
    """Whether somebody is in the way of a robot of `radius` [m] along `path` (n, 2) [m] in base_link, near ahead."""
    if things is None or not things.things or not len(path):
        return False
    places = np.column_stack([things.positions, np.zeros(len(things.things))])
    middles = relative(np.broadcast_to(odometry, places.shape), places)[:, :2]
    line = dense(np.concatenate([np.zeros((1, 2)), path]))
    line = line[np.hypot(*line.T) < rules.ahead]
    gaps = np.hypot(*(middles[:, None] - line[None]).transpose(2, 0, 1)).min(axis=1) - things.radii
    return bool((gaps < radius + rules.beside).any())


class Yielding:
    """Whether `somebody` is in the way, and the robot `waits` for that, as long as it may."""

    def __init__(self, rules: MonitorConfig = MonitorConfig()) -> None:
        self._rules, self._waited = rules, Stopwatch()
        self.somebody = self.waits = False

    def update(self, stamp: float, somebody: bool) -> bool:
        """True while `somebody` is in the way, as long as it may: it waits, or goes round, and is not stuck."""
        self.somebody = somebody
        self.waits = self._waited.held(somebody, stamp) <= self._rules.patience and somebody
        return self.waits
