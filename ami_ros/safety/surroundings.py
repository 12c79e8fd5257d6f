"""What is known to stand, and to be free, around the robot: the newest scan, and what is not seen any more.

What stood somewhere and is not seen any more: has it gone, or does the laser not see it? A thing that is taken away
shows what is behind it. A thing that moves is seen beside where it was. A beam that comes back with nothing where
something stood shows neither: its laser may be covered there. So what stood there stays, until

- something returns from behind it, or stands before it,
- or it was no larger than a person or a trolley, and as much of it is new beside it: it has moved,
- or the beam that lost it returns from elsewhere later, while nobody has seen it again: that beam is not covered.

Until then the beam's word that nothing is there counts nowhere else either, if the thing was so wide that some beam had
to meet it: a thin one is missed between two beams, and that says nothing of them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from ami_ros.core.geometry import Array, inverse, relative, transform_points
from ami_ros.safety.config import Footprint, SafetyConfig
from ami_ros.safety.observations import BINS, NOT_SEEN, Snapshot, filled, one_a_cell


@dataclass(frozen=True)
class SurroundingsConfig:
    """From when on something is known to have gone, or to stand there still."""

    apart: tuple[float, float, float] = (0.1, 0.2, 0.3)  # [m], [rad], [s]: a scan nearer to the last one replaces it
    surely: float = 0.8  # share of the range within which what was seen has to be seen again
    as_near: float = 0.03  # [m] by which what is seen again may be farther away than it was
    beside: float = 0.1  # [m] from it where it is seen again, so that nobody need doubt the beam that misses it
    behind: float = 0.05  # [m] from which on a return is from behind it
    alike: float = 0.01  # [m] by which a depth camera may miss what is so near that its view passes over some of it
    proof: float = 0.5  # [s] for which nobody has seen it, until its beam's word is taken
    together: float = 0.3  # [m] between returns of one thing, at most ...
    oblique: float = 2.0  # ... or so many times as far as beams are apart there, as on a wall seen at 30 degrees
    movable: float = 1.2  # [m] that a thing is large at most which moves: a person, a trolley
    stride: float = 0.6  # [m] that it comes at most between two scans: 3 m/s at 5 Hz
    strides: float = 1.0  # [s] in which it may be seen beside where it was: a leg hides the other
    most_kept: int = 500  # points; more of them are thinned
    passed_over: float = 2.0  # [m] from base_link, beyond which it is seen again before the robot comes there
    most_passed_over: int = 1000  # points, the nearest
    fine: float = 0.03  # [m] of cells, of which one point that is passed over is kept


@dataclass
class _Kept:
    """Points that an earlier scan showed, and the newest does not."""

    points: Array  # (n, 2) [m] in the gate's frame
    at: Array  # (n,) [s] when they were seen
    since: Array  # (n,) [s] from when on a beam has come back with nothing; inf: none has
    beam: NDArray[np.int64]  # (n,) which one did so first; -1: none
    small: NDArray[np.bool_]  # (n,) of a thing that may move
    inner: NDArray[np.bool_]  # (n,) between two others of one thing: a beam that points there meets it

    @classmethod
    def of(cls, scan: Snapshot, config: SurroundingsConfig) -> _Kept:
        """What a scan shows."""
        points, count = transform_points(scan.pose, scan.points), len(scan.points)
        seen, lost, beam = np.full(count, scan.stamp), np.full(count, np.inf), np.full(count, -1)
        return cls(points, seen, lost, beam, _movable(scan.points, config), inner(scan, config))

    @classmethod
    def nothing(cls) -> _Kept:
        """No points."""
        no = np.zeros(0, dtype=bool)
        return cls(np.zeros((0, 2)), np.zeros(0), np.zeros(0), np.zeros(0, np.int64), no, no)

    def where(self, keep: NDArray[np.bool_] | NDArray[np.intp]) -> _Kept:
        """Those of an index."""
        return _Kept(*(getattr(self, field.name)[keep] for field in fields(self)))

    def beside(self, other: _Kept) -> _Kept:
        """Both."""
        names = [field.name for field in fields(self)]
        return _Kept(*(np.concatenate([getattr(self, name), getattr(other, name)]) for name in names))


class Vanished:
    """Keeps what is not seen any more.

    Args:
        memory: [s] for which what has gone out of the laser's view counts as it was.
        config: from when on it has gone.
    """

    def __init__(self, memory: float, config: SurroundingsConfig | None = None) -> None:
        self._memory, self._config = memory, config or SurroundingsConfig()
        self._kept = _Kept.nothing()
        self._doubtful = np.zeros(BINS, dtype=bool)  # directions of the laser whose nothing is not believed

    @property
    def points(self) -> Array:
        """What may still stand there: (n, 2) [m] in the gate's frame."""
        return self._kept.points

    def look(self, seen: Sequence[Snapshot], now: Snapshot, measured: bool) -> Snapshot:
        """A scan came after others, the newest of them last; `measured`: odometry says how the robot moved since.

        Returns:
            It, without what is not to be believed of it.
        """
        config = self._config
        kept = self._kept.beside(_Kept.of(seen[-1], config))
        away, ranges, beams, in_view = now.readings(kept.points)
        if not measured:  # without odometry nobody knows which beam should see it
            recent = now.stamp - kept.at <= self._memory
            self._kept = kept.where(~now.look(kept.points)[0] & recent)
            self._kept.beam[:], self._doubtful[:] = -1, False
            return now
        # A low thing that is now under the view of a depth camera has not gone: what returns is above it.
        passed = in_view & (away < now.blind) & (ranges > away + config.alike)
        nothing = np.isinf(ranges) & (away < config.surely * now.max_range) & ~passed
        again = nothing & _near(now, kept.points, away, config)
        unread = (np.isnan(ranges) & in_view) | passed
        fresh = nothing & ~again & (kept.beam < 0)
        moved = _moved(seen, now, kept, nothing, config)
        kept.beam = np.where(fresh, beams, kept.beam)
        kept.since = np.where(fresh, now.stamp, kept.since)
        gone = self._believed(kept, now, away, ranges)
        age = now.stamp - kept.at
        gone |= again & (age > np.where(kept.small, config.strides, self._memory))
        keep = (nothing | unread | (~in_view & (age <= self._memory))) & ~gone & ~moved
        self._doubtful[beams[nothing & ~again & keep & kept.inner]] = True
        self._doubtful[kept.beam[moved & (kept.beam >= 0)]] = False  # it spoke true
        self._kept = kept.where(keep)
        if len(self._kept.points) > config.most_kept:
            self._kept = self._kept.where(one_a_cell(self._kept.points, config.beside))
        return self._without(now, keep & nothing, away, kept.points)

    def _believed(self, kept: _Kept, now: Snapshot, away: Array, ranges: Array) -> NDArray[np.bool_]:
        """Which points have gone, by the word of beams that see, (n,)."""
        returning = now.returning()
        self._doubtful &= ~returning
        claimed = kept.beam >= 0
        behind = claimed & np.isfinite(ranges) & (ranges > away + self._config.behind)
        self._doubtful[kept.beam[behind]] = False
        sees = claimed & returning[kept.beam]
        return np.asarray(sees & (now.stamp - kept.since >= self._config.proof))

    def _without(self, now: Snapshot, nothing: NDArray[np.bool_], away: Array, points: Array) -> Snapshot:
        """A scan in which what has vanished is where it was, and doubtful beams that return nothing say nothing."""
        if not self._doubtful.any() and not nothing.any():
            return now  # a tenth of the work of a scan is saved
        free, empty = now.free.copy(), now.empty
        directions = (np.flatnonzero(self._doubtful) + 0.5) * (2 * np.pi / BINS)
        doubtful = np.zeros(len(free), dtype=bool)
        doubtful[now.sector(directions)] = True
        free[doubtful & empty] = NOT_SEEN
        free = filled(free)
        stood = np.full(len(free), np.inf)
        np.minimum.at(stood, now.sector(now.bearings(points[nothing])), away[nothing])
        free = np.where(empty & (stood < np.inf), stood, free)
        return replace(now, free=free)


def _moved(
    seen: Sequence[Snapshot], now: Snapshot, kept: _Kept, nothing: NDArray[np.bool_], config: SurroundingsConfig
) -> NDArray[np.bool_]:
    """Which points (n,) are of a thing that stands beside them now: about as much of it is where it was free within
    the last second as is not seen any more."""
    moved = np.zeros(len(kept.points), dtype=bool)
    lost = np.flatnonzero(nothing & kept.small & (now.stamp - kept.at < config.strides))
    if not len(lost):
        return moved
    new = transform_points(now.pose, now.points[_movable(now.points, config)])
    was_free = np.zeros(len(new), dtype=bool)
    for snapshot in reversed(seen):
        if now.stamp - snapshot.stamp > config.strides:
            break
        was_free |= snapshot.look(new, config.beside)[1]
    apart = np.hypot(*(kept.points[lost][:, None] - kept.points[lost]).transpose(2, 0, 1))
    beside = np.hypot(*(kept.points[lost][:, None] - new[was_free]).transpose(2, 0, 1))
    moved[lost] = 2 * (beside < config.stride).sum(1) >= (apart < config.stride).sum(1)
    return moved


def _near(now: Snapshot, points: Array, away: Array, config: SurroundingsConfig) -> NDArray[np.bool_]:
    """Which `points` (n, 2) of the gate's frame, `away` (n,) [m] from the scanner, are seen again: something as near
    returns beside them."""
    returns = transform_points(now.pose, now.points)
    apart = np.hypot(*(points[:, None] - returns).transpose(2, 0, 1))
    far = np.hypot(*(now.points - now.origin).T)
    return np.asarray(((apart < config.beside) & (far < away[:, None] + config.as_near)).any(1))


def inner(scan: Snapshot, config: SurroundingsConfig) -> NDArray[np.bool_]:
    """Which of its points (n,) lie between two others of one thing, as wide as beams are apart or wider."""
    if len(scan.points) < 3:
        return np.zeros(len(scan.points), dtype=bool)
    far = np.hypot(*(scan.points - scan.origin).T)
    apart = np.hypot(*(np.roll(scan.points, -1, axis=0) - scan.points).T)
    goes_on = apart <= np.maximum(config.together, config.oblique * far * 2 * np.pi / len(scan.free))
    return np.asarray(goes_on & np.roll(goes_on, 1))


def _movable(points: Array, config: SurroundingsConfig) -> NDArray[np.bool_]:
    """Which `points` (n, 2) [m], in the order of their directions, are of things that are small enough to move."""
    if not len(points):
        return np.zeros(0, dtype=bool)
    ends = np.hypot(*(np.roll(points, -1, axis=0) - points).T) > config.together
    count = max(1, ends.sum())
    thing = np.concatenate([[0], np.cumsum(ends)[:-1]]) % count  # behind the last end the first thing goes on
    low, high = np.full((count, 2), np.inf), np.full((count, 2), -np.inf)
    np.minimum.at(low, thing, points)
    np.maximum.at(high, thing, points)
    return np.asarray((np.hypot(*(high - low).T) <= config.movable)[thing])


class PassedOver:
    """Keeps what stood where a depth camera does not look any more.

    It stays until the sensor sees through where it was, from far enough away to see all that stands there. Beside the
    view it stays for `memory` [s], like what goes out of a laser's view.
    """

    def __init__(self, memory: float, config: SurroundingsConfig | None = None) -> None:
        self._memory, self._config = memory, config or SurroundingsConfig()
        self._points = np.zeros((0, 2))  # [m] in the gate's frame
        self._at = np.zeros(0)  # [s] when each was seen

    def look(self, points: Array, now: Snapshot) -> Array:
        """The sensor shows `points` (n, 2) [m] in base_link, and in `now` what is free; these, and those that it
        passes over (m, 2)."""
        self._forget(now)
        kept = transform_points(inverse(now.pose), self._points)
        near = points[np.hypot(*points.T) < self._config.passed_over]
        together = np.concatenate([transform_points(now.pose, near), self._points])
        at = np.append(np.full(len(near), now.stamp), self._at)
        few = one_a_cell(together, self._config.fine)
        far = np.hypot(*(together[few] - now.pose[:2]).T)
        few = few[np.argsort(far)[: self._config.most_passed_over]]
        self._points, self._at = together[few], at[few]
        return np.concatenate([points, kept])

    def _forget(self, now: Snapshot) -> None:
        """What has gone, is seen again, or is of no matter."""
        local = transform_points(inverse(now.pose), self._points)
        away, ranges, _, in_view = now.readings(self._points)
        gone = in_view & (away >= now.blind) & (ranges > away + self._config.behind)
        gone |= ~in_view & (now.stamp - self._at > self._memory)
        gone |= in_view & (np.abs(ranges - away) < self._config.alike)  # it is shown
        keep = ~gone & (np.hypot(*local.T) < self._config.passed_over)
        self._points, self._at = self._points[keep], self._at[keep]


class Surroundings:
    """The newest scan says what stands around the robot; it and those before it say what is free."""

    def __init__(self, config: SafetyConfig, footprint: Footprint, own: SurroundingsConfig | None = None) -> None:
        self._memory, self._measured, self._footprint = config.memory, config.measured, footprint
        self._config = own or SurroundingsConfig()
        self._seen: deque[Snapshot] = deque()
        self._vanished = Vanished(config.memory, self._config)

    @property
    def newest(self) -> Snapshot | None:
        """What was seen last."""
        return self._seen[-1] if self._seen else None

    def add(self, snapshot: Snapshot, measured: bool = True) -> str:
        """Takes a scan, unless it is wrong: then it says why, and the ones before it stay.

        Args:
            snapshot: it.
            measured: odometry says how the robot has moved.
        """
        if not (snapshot.free > 0).any():
            return "scan without a reading"
        if self._seen:
            if self._measured and self._lost_everything(self._seen[-1], snapshot):
                return "scan without what stood there"
            # Guesses come and go; none of them says more than the newest.
            snapshot = self._vanished.look(self._seen, snapshot, measured and self._measured)
        if len(self._seen) > 1:
            a, b = self._seen[-2], self._seen[-1]
            x, y, turn = np.abs(relative(a.pose, b.pose))
            if all(np.array([max(x, y), turn, b.stamp - a.stamp]) < self._config.apart):
                self._seen.pop()
        self._seen.append(snapshot)
        while snapshot.stamp - self._seen[0].stamp > self._memory:
            self._seen.popleft()
        return ""

    @property
    def gone(self) -> Array:
        """Points (n, 2) in the gate's frame that an earlier scan showed, and of which none since says that they have
        gone."""
        return self._vanished.points

    def came_late(self, snapshot: Snapshot) -> bool:
        """A scan that is older than the newest: if that shows the same to the last bit, it is this one that is
        repeated, and no newer. Whether it is so."""
        same = bool(len(snapshot.points) and np.array_equal(self._seen[-1].points, snapshot.points))
        if same:
            self._seen[-1] = snapshot
        return same

    def free(self, points: Array) -> NDArray[np.bool_]:
        """Which of `points` (n, 2) of the gate's frame are known to be free (n,): by the newest scan that looks there,
        or because the robot has stood there."""
        free = np.zeros(len(points), dtype=bool)
        left = np.arange(len(points))  # not decided yet
        for snapshot in reversed(self._seen):
            seen, clear = snapshot.look(points[left])
            stood = self._footprint.distance(transform_points(inverse(snapshot.pose), points[left])) <= 0
            free[left] = clear | (~seen & stood)
            left = left[~seen & ~stood]
            if not len(left):
                break
        return free

    def _lost_everything(self, before: Snapshot, now: Snapshot) -> bool:
        """Whether a scan shows nothing at all, also where something stood that cannot have gone so fast, and that some
        beam had to meet."""
        if len(now.points) or not len(surely := before.points[inner(before, self._config)]):
            return False
        local = transform_points(relative(now.pose, before.pose), surely)
        return bool(now.look(transform_points(now.pose, local * (1.0 / self._config.surely)))[1].any())
