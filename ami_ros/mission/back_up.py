"""What to do when stuck: a short fixed manoeuvre that uses only the scan and the path that was just driven."""

from __future__ import annotations

from collections import deque

import numpy as np

from ami_ros.commands import Command
from ami_ros.geometry import Array, relative, wrap
from ami_ros.planning.kinematics import Drive
from ami_ros.planning.scan_geometry import covers, free_range, sees
from ami_ros.scan import Scan

STEP, TURN = 0.03, 0.15  # [m], [rad] between poses that are kept
LENGTH = 120  # poses kept: some 3 m
JUMP = 0.5  # [m] from one moment to the next, from which odometry restarted


class Trail:
    """Poses (3,) in odom, the newest last."""

    def __init__(self) -> None:
        self.poses: deque[Array] = deque(maxlen=LENGTH)

    def add(self, odometry: Array) -> None:
        """The robot is at `odometry` (3,)."""
        if self.poses:
            step = odometry - self.poses[-1]
            distance = float(np.hypot(step[0], step[1]))
            if distance > JUMP:
                self.poses.clear()
            elif distance < STEP and abs(float(wrap(step[2]))) < TURN:
                return
        self.poses.append(np.array(odometry, dtype=np.float64))

    def back(self, odometry: Array, reach: float) -> Array | None:
        """Where to go next on the way back: a point (2,) in base_link `reach` [m] off; None at the trail's beginning.

        What lies nearer than half of `reach` is taken as passed, and dropped.
        """
        while self.poses:
            seen = relative(odometry, self.poses[-1])
            if np.hypot(seen[0], seen[1]) > reach / 2:
                break
            self.poses.pop()
        for pose in reversed(self.poses):
            seen = relative(odometry, pose)
            if np.hypot(seen[0], seen[1]) >= reach:
                return np.asarray(seen[:2])
        return np.asarray(relative(odometry, self.poses[0])[:2]) if self.poses else None


BACK_SPEED = 0.12  # [m/s] of backing up
BACK_DISTANCE = 0.35  # [m] of backing up
TURN_SPEED = 0.9  # [rad/s] of turning to where there is room
CLEARANCE = 0.35  # [m] that must be free in the direction of backing up, where the scanner sees it
LONGEST = 8.0  # at most, for one recovery


class BackAndTurn:
    """Backs up along the trail, then turns to where there is most room, if the robot turns on the spot.

    Where the trail is too short it backs up straight, but only into what the scanner sees to be free.

    Args:
        stamp: now [s].
        odometry: (3,) now.
        trail: of the robot; what is driven back is taken off it.
        drive: of the robot: a car does not turn on the spot, an omnidirectional robot need not turn to go back.
    """

    def __init__(self, stamp: float, odometry: Array, trail: Trail, drive: Drive = "differential") -> None:
        self.began, self.trail = stamp, trail
        self.turns_on_the_spot, self.sideways = drive != "ackermann", drive == "omnidirectional"
        self.backing = True
        self.heading: float | None = None
        self._last, self._driven = np.asarray(odometry, dtype=np.float64), 0.0

    def command(self, stamp: float, odometry: Array, scan: Scan | None) -> Command | None:
        """The command for now; None once the manoeuvre is over."""
        if stamp - self.began > LONGEST:
            return None
        self._driven += float(np.hypot(*(odometry - self._last)[:2]))
        self._last = np.asarray(odometry, dtype=np.float64)
        self.backing &= self._driven < BACK_DISTANCE and stamp - self.began < 0.6 * LONGEST
        if self.backing:
            back = self._back(odometry, scan)
            self.backing = back is not None
            if back is not None:
                return back
        if not self.turns_on_the_spot:
            return None
        if self.heading is None:
            self.heading = float(odometry[2]) + self._most_room(scan)
        error = float(wrap(self.heading - odometry[2]))
        return None if abs(error) < 0.2 else (0.0, float(np.copysign(TURN_SPEED, error)))

    def _back(self, odometry: Array, scan: Scan | None) -> Command | None:
        """Towards the trail, backwards or forwards, whichever needs less turning, or straight to it if the robot can;
        forwards, if it turns on the spot and does not see what is behind it. None if that is not free."""
        point = self.trail.back(odometry, 0.15)
        if point is None:
            free = scan is not None and free_range(scan, np.pi, 0.2) > CLEARANCE
            return (-BACK_SPEED, 0.0) if free else None
        bearing = float(np.arctan2(point[1], point[0]))
        ahead = abs(bearing) < np.pi / 2 or (self.turns_on_the_spot and not self.sideways and not sees(scan, np.pi))
        error = bearing if ahead else float(wrap(bearing - np.pi))
        if abs(error) > 0.6 and self.turns_on_the_spot and not self.sideways:
            return 0.0, float(np.copysign(TURN_SPEED, error))
        if scan is not None and covers(scan, bearing) and free_range(scan, bearing, 0.2) < CLEARANCE:
            return None
        if self.sideways:
            return BACK_SPEED * float(np.cos(bearing)), 0.0, BACK_SPEED * float(np.sin(bearing))
        speed = BACK_SPEED if ahead else -BACK_SPEED
        # The arc through the point (pure pursuit, Coulter 1992), which holds for either sign of the speed.
        return speed, speed * 2 * float(point[1]) / float(point @ point)

    @staticmethod
    def _most_room(scan: Scan | None) -> float:
        """Direction [rad] in base_link with the longest free range; turning is preferred to going on the same way."""
        if scan is None:
            return np.pi / 2
        directions = np.linspace(-np.pi, np.pi, 24, endpoint=False)
        room = [min(free_range(scan, float(d), 0.22), 2.0) + 0.3 * min(abs(d), 1.5) for d in directions]
        return float(directions[int(np.argmax(room))])
