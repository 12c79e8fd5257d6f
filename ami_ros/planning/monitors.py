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
        stall, still = self.config.stall_seconds, 4.0  # [s]; within `still` the base must move
        self._trail.append((stamp, odometry))
        while self._trail and stamp - self._trail[0][0] > still:
            self._trail.popleft()
        if self._best_stamp is None or left < self._best - 0.15:  # [m]
            self._best, self._best_stamp = left, stamp
        if stamp - self._best_stamp > stall:
            return f"no progress towards the goal for {stall:.0f} s"
        if stamp - self._trail[0][0] > 0.9 * still:
            poses = np.stack([pose for _, pose in self._trail])
            moved = np.hypot(*(poses[:, :2] - odometry[:2]).T).max()
            turned = np.abs(wrap(poses[:, 2] - odometry[2])).max()
            if moved < 0.08 and turned < 0.35:  # [m], [rad]
                return f"did not move for {still:.0f} s"
        return ""


class Doubt:
    """Watches how much the model's ensemble disagrees about each next step, compared with what is usual.

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
        while known and not 0 <= stamp - known[0][0] <= 60.0:  # [s] that make up what is usual
            known.popleft()
        ready = bool(known) and stamp - known[0][0] >= 10.0  # [s]; before that nothing is unusual
        usual = float(np.median([value for _, value in known])) if ready else np.inf
        known.append((stamp, disagreement))
        return self._high.held(disagreement > 2.5 * usual, stamp) >= 0.55  # [s] without a break


def in_the_way(things: MovingThings | None, odometry: Array, path: Array, radius: float) -> bool:
    """Whether somebody is in the way of a robot of `radius` [m] along `path` (n, 2) [m] in base_link, near ahead."""
    if things is None or not things.things or not len(path):
        return False
    places = np.column_stack([things.positions, np.zeros(len(things.things))])
    middles = relative(np.broadcast_to(odometry, places.shape), places)[:, :2]
    line = dense(np.concatenate([np.zeros((1, 2)), path]))
    line = line[np.hypot(*line.T) < 1.3]  # [m]; as near as a wall across the way is beyond doubt
    gaps = np.hypot(*(middles[:, None] - line[None]).transpose(2, 0, 1)).min(axis=1) - things.radii
    return bool((gaps < radius + 0.2).any())


class Yielding:
    """Whether `somebody` is in the way, and the robot `waits` for that, as long as it may."""

    def __init__(self) -> None:
        self._waited = Stopwatch()
        self.somebody = self.waits = False

    def update(self, stamp: float, somebody: bool) -> bool:
        """True while `somebody` is in the way: it waits, or goes round, and is not stuck. Who stands there for more
        than 8 s counts as what else stands in the way."""
        self.somebody = somebody
        self.waits = self._waited.held(somebody, stamp) <= 8.0 and somebody
        return self.waits
