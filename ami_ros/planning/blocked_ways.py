"""Blocked ways: recognising a wall across a route from a distance, remembering it, noticing when it is open."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ami_ros.geometry import Array, relative
from ami_ros.moving.footprints import Footprints
from ami_ros.moving.things import MovingThings
from ami_ros.planning.scan_geometry import crossed, free_range, surfaces
from ami_ros.scan import Scan

SIGHT = 3.0  # [m] up to which a wall across the way is believed
ASIDE = 0.22  # [m] to either side of the way that the wall must cover, too: a door frame does not
DEPTH = 0.35  # [m] before and behind the place where the wall is looked for, across the way
NEAR = 1.3  # [m], what was seen from nearer needs no second look ...
DOUBTED = 20.0  # [s] ... for this long
SEEN = 0.7  # [s] for which the wall must be seen
REMEMBERED = 120.0  # [s] for which the way is not taken; after that memory only makes it dearer
END = 0.3  # [m] of the route's end that may lie in a wall: places err by a little
BEYOND = 0.8  # [m] behind the blocked place that must be seen for it to count as open


@dataclass(frozen=True)
class BlockedWay:
    """One way that is blocked."""

    leg: tuple[int, int]  # ids of the two places that it leads between
    middle: Array  # (2,) in the map frame
    stamp: float  # when it was last seen so [s]
    near: bool  # seen from so near that there is no doubt
    by_scan: bool = True  # false: the robot got stuck there, at something that the scanner may not see
    half: float = 0.0  # [m] of its length on either side of `middle`


def wall_across(path: Array, scan: Scan | None, sight: float) -> int | None:
    """The first leg of a path (n, 2) [m] in base_link that is visibly crossed by something solid; None: none.

    The path was driven once, so a wall that crosses it is new. A place and a heading that are a little wrong move the
    path into the frame of a door; therefore the wall must cover its sides, too. Only up to `sight` [m].
    """
    if scan is None or len(path) < 2:
        return None
    walls = surfaces(scan, sight + 0.3)
    lengths = np.hypot(*np.diff(path, axis=0).T)
    left = np.append(np.cumsum(lengths[::-1])[::-1], 0.0)  # from each point to the end
    hit = crossed(path[:-1], path[1:], walls) & (left[:-1] > END)
    for leg in np.flatnonzero(hit):
        middle, along = (path[leg] + path[leg + 1]) / 2, _direction(path, int(leg))
        if np.hypot(*middle) > sight:
            continue
        side = np.array([-along[1], along[0]])
        centres = middle + np.array([[-ASIDE], [0.0], [ASIDE]]) * side
        reach = along * (DEPTH + lengths[leg] / 2)
        if crossed(centres - reach, centres + reach, walls).all():
            return int(leg)
    return None


def _direction(path: Array, leg: int) -> Array:
    """Unit vector (2,) along a path around one of its legs; a leg between close places has no reliable direction."""
    middle = (path[leg] + path[leg + 1]) / 2
    near = np.flatnonzero(np.hypot(*(path - middle).T) < 0.5)
    first, last = min(near.min(initial=leg), leg), max(near.max(initial=leg + 1), leg + 1)
    along = path[last] - path[first]
    return np.asarray(along / max(float(np.hypot(*along)), 1e-9))


class BlockedWays:
    """The blocked ways, for this goal and the next ones.

    Attributes:
        footprints: where what moves was lately, in the map frame. A way that was blocked there, and is seen through
            now, was blocked by it.
    """

    def __init__(self) -> None:
        self._ways: list[BlockedWay] = []
        self.footprints = Footprints()

    def __iter__(self) -> Iterator[BlockedWay]:
        return iter(self._ways)

    def __len__(self) -> int:
        return len(self._ways)

    def add(self, way: BlockedWay) -> None:
        """Notes that a way is blocked, or still is."""
        self._ways = [w for w in self._ways if w.leg != way.leg]
        self._ways.append(way)

    def legs(self, stamp: float) -> tuple[tuple[int, int], ...]:
        """The ways that are not to be taken now; those that were seen blocked long ago may be open again."""
        fresh = [w for w in self._ways if 0.0 <= stamp - w.stamp <= REMEMBERED]
        self._ways = fresh
        return tuple(w.leg for w in fresh)

    def note(self, things: MovingThings | None, stamp: float, pose: Array, odometry: Array) -> None:
        """What moves (in odom) at `stamp` [s], with the robot at `pose` (3,) in the map frame."""
        self.footprints.add(things, stamp, pose, odometry)

    def look(self, pose: Array, scan: Scan | None) -> list[BlockedWay]:
        """Forgets and returns the ways that are seen to be open from `pose` (3,) in the map frame."""
        opened = [w for w in self._ways if scan is not None and self._open(w, pose, scan)]
        self._ways = [w for w in self._ways if w not in opened]
        return opened

    def _open(self, way: BlockedWay, pose: Array, scan: Scan) -> bool:
        seen = relative(pose, np.array([*way.middle, 0.0]))
        distance, bearing = float(np.hypot(seen[0], seen[1])), float(np.arctan2(seen[1], seen[0]))
        if not 0.3 < distance < SIGHT:
            return False
        free, reach = free_range(scan, bearing, 0.12), way.half + DEPTH
        if way.by_scan and free > distance + BEYOND:
            return True
        return free > distance + reach and bool(self.footprints.within(way.middle[None], reach)[0])

    def reconsider(self, pose: Array, stamp: float) -> None:
        """With no way left, the one to look at again: the nearest that is in doubt, else the newest.

        Args:
            pose: (3,) in the map frame.
            stamp: now [s]; what was seen from near is in doubt after `doubted`.
        """
        if not self._ways:
            return
        doubtful = [w for w in self._ways if not w.near or stamp - w.stamp > DOUBTED]
        self._ways.remove(min(doubtful or self._ways[-1:], key=lambda w: float(np.hypot(*(w.middle - pose[:2])))))
