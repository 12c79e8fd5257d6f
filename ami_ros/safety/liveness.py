"""Whether scans are of now: a laser on a robot that moves sees things come and go as odometry says.

A driver that hangs sends old scans with new stamps: one, several in turn, or with a little noise on them. Two questions
find that out. Does a scan repeat an earlier one to the last bit? And does it look like an earlier one where the way
driven since should have changed it? Where several lasers are merged into one scan, one of them may hang alone. So each
part of the view is asked as well whether it repeats an earlier one to the last bit.

Scans that a network guesses from pictures err by more than a short way changes them. Of them only the first is asked.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from dataclasses import replace

import numpy as np

from ami_ros.commands import Command
from ami_ros.geometry import Array, compose, relative, wrap
from ami_ros.safety.scan_change import APART, MOST_BEAMS, STALE, Changes, OldSectors, Reference, way
from ami_ros.scan import Scan

MOVED = 0.02  # [m] and [rad] from which a laser that sees something cannot measure the same to the last bit
KEPT_EXACT = 256  # scans that are known to the last bit
STILL = np.array([0.02, 0.02, 0.03])  # [m/s, m/s, rad/s] up to which odometry is taken for drift of a robot that stands
KEPT = 16  # scans, APART from each other, to compare with: 0.4 m of way, or a turn of 0.8 rad
LASTS = 0.4  # [s] of doubt, after which a laser has to prove itself once the robot has turned ...
TURNED = 0.005  # ... by so much [rad]: one of several scans in turn may fit where the robot looks by chance
PROVING = 6  # scans running that change as a turn says, after which a laser that was doubted is believed ...
PROOF = 0.15  # [m] of way over which they do: a turn of 0.3 rad, more than several scans in turn pretend


class Liveness:
    """Remembers scans that were believed, and compares the next ones with them.

    Args:
        measured: whether a sensor measures the scans, so that they change as the way says.
    """

    def __init__(self, measured: bool = True) -> None:
        self._measured = measured
        self._exact: OrderedDict[bytes, tuple[Array, float]] = OrderedDict()  # ranges -> first pose (3,), and doubt [m]
        self._kept: deque[Reference] = deque(maxlen=KEPT)
        self._accusing: list[Reference] = []  # those of them that the newest scan looks like, though it should not
        self._pose: Array = np.zeros(3)  # of the robot, without drift while standing
        self._last: tuple[Array, float] | None = None  # pose and stamp of the last scan
        self._believed = -math.inf  # stamp of the last scan that was [s]
        self._doubted: Array | None = None  # (3,) pose of the scanner when doubt began to last; None: there is none
        self._turned = False  # whether the robot has turned since then
        self._proof: tuple[Reference, int] | None = None  # a scan since then, and how many running agree with it
        self._sectors = OldSectors()
        self.old = np.zeros(0, dtype=bool)  # (n,) beams of the newest scan that are not of now, though others may be

    def doubt(self, scan: Scan, pose: Array, velocity: Command, stamp: float, unsure: float = 0.0) -> str:
        """A scan came.

        Args:
            scan: in base_link.
            pose: (3,) of base_link in a frame that odometry moves it in.
            velocity: three numbers, as odometry measures it.
            stamp: when the scan was measured [s].
            unsure: by how much `pose` may be wrong, beyond the usual [m].

        Returns:
            Why it is not of now; "" if it may be.
        """
        self._follow(pose, stamp)
        seen = self._reference(scan, velocity, unsure)
        changes = Changes.since(self._kept, seen)
        self.old = self._sectors.look(seen, changes)[np.arange(len(scan.ranges)) // _every(scan)]
        if not np.isfinite(seen.ranges).any():
            return ""
        problem = self._is_old(scan, pose, seen, changes)
        if self._doubted is not None:
            self._turned |= abs(float(wrap(seen.pose[2] - self._doubted[2]))) > TURNED
        if self._doubted is not None and self._is_proven(seen):
            self._exact.clear()  # what was seen before lies elsewhere: the wheels have slipped
            self._kept.clear()
        elif self._turned:
            return problem or "scans were not of now; a turn on the spot shows whether they are again"
        elif problem:
            if self._measured and self._doubted is None and stamp - self._believed > LASTS:
                self._doubted, self._proof = seen.pose, None
            return problem
        self._doubted, self._turned, self._believed = None, False, stamp
        if not self._kept or way(relative(self._kept[-1].pose, seen.pose)) >= APART:
            self._kept.append(seen)
        return ""

    def _is_old(self, scan: Scan, pose: Array, seen: Reference, changes: Changes) -> str:
        """Why a scan is one from before the robot moved; "" if it may not be."""
        first, unsure = self._exact.setdefault(scan.ranges.tobytes(), (pose, seen.unsure))
        if len(self._exact) > KEPT_EXACT:
            self._exact.popitem(last=False)
        if (np.abs(relative(first, pose)) > MOVED + unsure + seen.unsure).any():
            return "the scan repeats one from before the robot moved, to the last bit; does its driver hang?"
        self._accusing = changes.none_since(self._accusing) if self._measured else []
        if self._accusing:
            return "the scan looks like one from before the robot moved; does its driver hang, or do the wheels slip?"
        return ""

    def _is_proven(self, seen: Reference) -> bool:
        """Whether scans since the doubt change as the motion since then says."""
        if self._proof is None:
            self._proof = seen, 0
            return False
        start, agreeing = self._proof
        share = Changes.since([start], seen).shares()  # (1,), or (0,) where both are too near
        if not np.isfinite(share).any():
            return False
        if (np.abs(share - 1.0) > STALE).any():
            self._proof = seen, 0
            return False
        self._proof = start, agreeing + 1
        return agreeing + 1 >= PROVING and way(relative(start.pose, seen.pose)) >= PROOF

    def came_late(self, scan: Scan, pose: Array) -> None:
        """A scan came after one that repeats it: it was measured at this pose (3,)."""
        self._exact[scan.ranges.tobytes()] = pose, 0.0

    def _follow(self, pose: Array, stamp: float) -> None:
        if self._last is not None:
            before, since = self._last
            step = relative(before, pose)
            if (np.abs(step) > STILL * (stamp - since)).any():
                self._pose = compose(self._pose, step)
        self._last = pose, stamp

    def _reference(self, scan: Scan, velocity: Command, unsure: float) -> Reference:
        every = _every(scan)
        ranges = scan.ranges[::every].astype(np.float64)
        ranges[~((ranges > 0) & (ranges < scan.max_range))] = np.nan
        linear, angular, lateral = velocity
        scanner = compose(self._pose, np.array([*scan.origin, 0.0]))
        now = Reference(scanner, np.array([linear, lateral, angular]), scan.angles[::every], ranges, unsure)
        if self._kept and self._kept[-1].looks_as(now):
            return replace(now, angles=self._kept[-1].angles)
        return now


def _every(scan: Scan) -> int:
    """Of how many beams one is compared."""
    return math.ceil(len(scan.ranges) / MOST_BEAMS)
