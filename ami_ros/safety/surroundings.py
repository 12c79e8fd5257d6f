"""What is known to stand, and to be free, around the robot: the newest scan, and what has gone out of sight since."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ami_ros.geometry import Array, relative, transform_points
from ami_ros.safety.config import SafetyConfig
from ami_ros.safety.footprint import Footprint
from ami_ros.scan import Scan

FINEST = np.radians(3.0)  # of a sector [rad]: 10,000 beams make no more work than 120
WIDEST = np.radians(15.0)  # of what a single beam answers for [rad], however far apart beams are
APART = (0.1, 0.2, 0.3)  # [m], [rad], [s]: a scan nearer than this to the one before it takes that one's place
SURELY = 0.8  # share of the range within which what was seen has to be seen again
NOT_SEEN = -1.0
MOVED = 0.02  # [m] and [rad] from which a laser that sees something cannot measure the same to the last bit


@dataclass(frozen=True)
class Snapshot:
    """A scan as sectors of equal width around the scanner."""

    pose: Array  # (3,) of base_link in the gate's frame
    stamp: float  # when it was measured [s]
    error: float  # of the way at that time [m]
    origin: tuple[float, float]  # of the scanner in base_link [m]
    first: float  # direction of the middle of the first sector [rad]
    free: Array  # (s,) [m] seen to be free; NOT_SEEN where there was no reading
    points: Array  # (n, 2) [m] in base_link, the nearest return in each sector

    @classmethod
    def of(cls, scan: Scan, pose: Array, error: float, stamp: float) -> Snapshot:
        """The nearest reading of each sector; a single sector without one is as narrow as what lasers miss anyway."""
        count = int(2 * np.pi / min(max(abs(scan.angle_increment), FINEST), WIDEST) + 1e-6)
        sector = np.rint((scan.angles - scan.angle_min) / (2 * np.pi / count)).astype(int) % count
        ranges = scan.ranges.astype(np.float64)
        ranges[~(ranges > 0)] = np.nan
        seen = np.flatnonzero(~np.isnan(ranges))
        seen = seen[np.argsort(-ranges[seen], kind="stable")]  # the nearest last, so that it stays
        beam = np.full(count, -1)
        beam[sector[seen]] = seen
        returned = beam[(beam >= 0) & np.isfinite(ranges[beam])]
        ends = ranges[returned, None] * np.column_stack([np.cos(scan.angles[returned]), np.sin(scan.angles[returned])])
        free = np.where(beam >= 0, np.minimum(ranges[beam], scan.max_range), NOT_SEEN)
        beside = np.minimum(np.roll(free, 1), np.roll(free, -1))
        free = np.where(free == NOT_SEEN, beside, free)
        return cls(pose, stamp, error, scan.origin, scan.angle_min, free, ends + scan.origin)

    def look(self, points: Array) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Whether `points` (n, 2) of the gate's frame lie in a sector with a reading, and were free: (n,) each."""
        local = transform_points(relative(self.pose, np.zeros(3)), points) - self.origin
        width = 2 * np.pi / len(self.free)
        sector = np.rint((np.arctan2(local[:, 1], local[:, 0]) - self.first) / width).astype(int) % len(self.free)
        free = self.free[sector]
        return free != NOT_SEEN, np.hypot(local[:, 0], local[:, 1]) <= free


class Surroundings:
    """The newest scan says what stands around the robot; it and those before it say what is free."""

    def __init__(self, config: SafetyConfig, footprint: Footprint) -> None:
        self._memory, self._footprint = config.memory, footprint
        self._seen: deque[Snapshot] = deque()
        self._gone, self._gone_at = np.zeros((0, 2)), np.zeros(0)  # what has gone out of sight, and when it was seen
        self._first: Snapshot | None = None  # of those that are alike to the last bit

    @property
    def newest(self) -> Snapshot | None:
        """What was seen last."""
        return self._seen[-1] if self._seen else None

    def add(self, snapshot: Snapshot) -> str:
        """Takes a scan, unless it is wrong: then it says why, and the ones before it stay."""
        if not (snapshot.free > 0).any():
            return "scan without a reading"
        if self._seen and self._vanished(self._seen[-1], snapshot):
            return "scan without what stood there"
        self._lose_sight(snapshot)
        if len(self._seen) > 1:
            a, b = self._seen[-2], self._seen[-1]
            x, y, turn = np.abs(relative(a.pose, b.pose))
            if all(np.array([max(x, y), turn, b.stamp - a.stamp]) < APART):
                self._seen.pop()
        self._seen.append(snapshot)
        while snapshot.stamp - self._seen[0].stamp > self._memory:
            self._seen.popleft()
        return ""

    @property
    def gone(self) -> Array:
        """Points (n, 2) in the gate's frame that an earlier scan showed and no later one has looked at."""
        return self._gone

    def _lose_sight(self, now: Snapshot) -> None:
        """Keeps what the scan before showed, and this one does not look at."""
        if self._seen:
            before = self._seen[-1]
            self._gone = np.concatenate([self._gone, transform_points(before.pose, before.points)])
            self._gone_at = np.concatenate([self._gone_at, np.full(len(before.points), before.stamp)])
        keep = ~now.look(self._gone)[0] & (now.stamp - self._gone_at <= self._memory)
        self._gone, self._gone_at = self._gone[keep], self._gone_at[keep]

    def repeats(self, snapshot: Snapshot) -> bool:
        """Whether a scan shows what an earlier one did, to the last bit, although the robot has moved since: then it
        is that earlier one, whatever its stamp says."""
        first = self._first
        if first is None or not len(first.points) or not np.array_equal(first.points, snapshot.points):
            self._first = snapshot
            return False
        return bool((np.abs(relative(first.pose, snapshot.pose)) > MOVED).any())

    def came_late(self, snapshot: Snapshot) -> None:
        """A scan that is older than the newest: if that shows the same to the last bit, it is this one that is
        repeated, and no newer."""
        if len(snapshot.points) and np.array_equal(self._seen[-1].points, snapshot.points):
            self._seen[-1] = self._first = snapshot

    def free(self, points: Array) -> NDArray[np.bool_]:
        """Which of `points` (n, 2) of the gate's frame are known to be free (n,): by the newest scan that looks there,
        or because the robot has stood there."""
        free = np.zeros(len(points), dtype=bool)
        left = np.arange(len(points))  # not decided yet
        for snapshot in reversed(self._seen):
            seen, clear = snapshot.look(points[left])
            stood = self._footprint.distance(transform_points(relative(snapshot.pose, np.zeros(3)), points[left])) <= 0
            free[left] = (seen & clear) | (~seen & stood)
            left = left[~seen & ~stood]
            if not len(left):
                break
        return free

    def _vanished(self, before: Snapshot, now: Snapshot) -> bool:
        """Whether a scan shows nothing at all, also where something stood that cannot have gone so fast."""
        if len(now.points) or not len(before.points):
            return False
        local = transform_points(relative(now.pose, before.pose), before.points)
        seen, clear = now.look(transform_points(now.pose, local * (1.0 / SURELY)))
        return bool((seen & clear).any())
