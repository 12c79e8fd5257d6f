"""The goal checker: the robot is at its goal when it is near enough, has its heading, and stands for a moment."""

from __future__ import annotations

import math
from collections import deque
from enum import Enum

import numpy as np

from ami_ros.geometry import Array, wrap

SETTLED = 2.0  # [s] for which nothing may change
STILL = (0.05, 0.15)  # [m], [rad] less is no change
SLACK = 2.0  # tolerances of place within which a goal may be reached at all ...
LEAVES = 1.56  # times the tolerance, beyond which a robot that was there approaches again
TIGHT, MOST = 0.7, 3  # of the tolerances, where a goal is looked at again, and how often they get as much smaller
CONFLICT = 0.09  # [m] ... and by how much, at most, sights of a goal may lead past the tolerance


class Arrival(Enum):
    """How far arriving has come."""

    APPROACHING = 0  # not there yet
    TURNING = 1  # at the place, but the heading is wrong: turn on the spot
    STANDING = 2  # there: stand still


class StopRule:
    """Decides from the goal's pose, moment by moment, with hysteresis: small errors of sighting must not restart it.

    What attracts the robot (the goal's latent among others) and where the tracker puts the goal may differ by more than
    the tolerance. Then it comes to rest a little off: where nothing changes any more, it has arrived.

    Args:
        distance: [m] within which the goal's place is reached.
        angle: [rad] the same of its heading.
    """

    def __init__(self, distance: float, angle: float) -> None:
        self._tolerances = self.distance, self.angle = distance, angle
        self.state = Arrival.APPROACHING
        self.returns = 0  # how often the robot was there and had to approach again
        self._since = 0.0
        self._tightened = 0  # times
        self._seen: deque[tuple[float, Array]] = deque()  # the goal's pose in the last SETTLED seconds

    def update(self, stamp: float, pose: Array) -> Arrival:
        """Takes the goal's pose (3,) in base_link at `stamp` [s]."""
        distance, turn = float(np.hypot(pose[0], pose[1])), abs(float(pose[2]))
        settled = self._settles(stamp, pose) and distance < self.distance + CONFLICT
        before, self.state = self.state, self._next(distance / self.distance, turn / self.angle, settled)
        self.returns += self.state is Arrival.APPROACHING and before is not Arrival.APPROACHING
        if self.state is Arrival.STANDING and before is not Arrival.STANDING:
            self._since = stamp
        return self.state

    def _settles(self, stamp: float, pose: Array) -> bool:
        """Whether the goal has lain where it lies now for a while."""
        self._seen.append((stamp, np.asarray(pose)))
        while stamp - self._seen[0][0] > SETTLED + 1e-6:
            self._seen.popleft()
        x, y, yaw = (np.stack([seen for _, seen in self._seen]) - pose).T
        still = np.hypot(x, y).max() < STILL[0] and np.abs(wrap(yaw)).max() < STILL[1]
        return bool(still and stamp - self._seen[0][0] > 0.8 * SETTLED)

    def _next(self, distance: float, turn: float, settled: bool) -> Arrival:
        """Distance and turn are in units of their tolerances."""
        here, standing = self.state is not Arrival.APPROACHING, self.state is Arrival.STANDING
        if distance < (SLACK if settled else LEAVES if here else 1.0) and turn < (1.5 if standing else 1.0):
            return Arrival.STANDING
        # Turning moves the robot a little; once it has turned and is off its place, it approaches again.
        if distance < (SLACK if here else 1.0) and turn > 0.5:
            return Arrival.TURNING
        return Arrival.APPROACHING

    def stood(self, stamp: float) -> float:
        """How long it has been standing there [s]."""
        return stamp - self._since if self.state is Arrival.STANDING else 0.0

    def tighten(self, distance: float = math.inf) -> bool:
        """From now on the goal is reached nearer, as where it was not recognised from within the tolerances: by TIGHT
        once more, and again until one at a `distance` [m] is not near enough; its heading by TIGHT once. False: that is
        too near."""
        for times in range(self._tightened + 1, MOST + 1):
            if TIGHT**times * self._tolerances[0] < distance:
                self._tightened = times
                self.distance, self.angle = TIGHT**times * self._tolerances[0], TIGHT * self._tolerances[1]
                return True
        return False

    def restart(self) -> None:
        """The goal turned out to be elsewhere."""
        self.distance, self.angle = self._tolerances
        self._tightened = 0
        self.approach_again()

    def approach_again(self) -> None:
        """It is looked at again: the robot is not there yet."""
        self.returns = 0
        self.state = Arrival.APPROACHING
        self._seen.clear()
