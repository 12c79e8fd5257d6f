"""What a tracker takes for granted, its tracks (Kalman filters side by side), and the segments of scans that feed
them."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray

from ami_ros.core.geometry import Array
from ami_ros.core.scan import Scan
from ami_ros.safety.moving_things import process_noise


@dataclass(frozen=True)
class TrackerConfig:
    """How scans become tracks of what moves. Ranges and speeds are those of people and of an indoor laser."""

    min_range: float = 0.25  # [m] from the scanner within which it meets the robot itself
    max_range: float = 10.0  # [m] beyond which nothing is tracked; larger: more beams, and legs that two beams meet
    # Segments
    gap: float = 0.13  # [m] between two points of one thing at least; leg_tracker's cluster_dist_euclid
    widest_gap: float = 0.4  # [m] the same where beams are far apart
    least_points: int = 3  # of a segment, where beams are near enough; leg_tracker's min_points_per_cluster
    coarsest: float = 0.2  # [m] between beams at most; farther off a person is missed too often
    leg: float = 0.11  # [m] width of a leg (Winter, Biomechanics and Motor Control of Human Movement: shins of 11 cm)
    widest: float = 1.2  # [m] of a moving thing; larger takes stretches of wall for one
    wall: float = 1.5  # [m] from which a segment counts as wall: one that "moves" shows an error of odometry
    # Free before, and still there
    remembered: float = 2.4  # [s] for which scans are compared; larger: more sensitive to drift of odometry
    spacing: float = 0.3  # [s] between two scans that are compared: a walker goes on by more than a leg's width
    depth: float = 0.08  # [m] by which a scan must have looked past a point for it to have been free
    depth_share: float = 0.01  # of the distance [m/m], added: a laser's noise, and floors that are not level
    aside: float = 0.015  # [m] that a robot sways while it stands
    turn: float = 0.004  # [rad] that it sways in heading
    drift: float = 0.05  # of the way between two scans, in depth and sideways [m/m]: wheels slip by 2 to 5 %
    wall_moves: float = 0.15  # share of the points of walls where it was free, from which odometry has been off
    wall_points: int = 30  # that walls must have to tell
    pause: float = 1.0  # [s] without a scan, or back in time, after which nothing is known any more
    turn_drift: float = 0.05  # of all turns between them [rad/rad]
    late: float = 0.05  # [s] that a stamp may be off while the robot turns; larger: blinder in turns
    # Tracks
    acceleration: float = 0.64  # [m/s²] power of the white acceleration of people, as root; see `things.process_noise`
    deviation: float = 0.04  # [m] of the middle of two legs
    one_leg: float = 3.0  # times as much where one is seen
    start_speed: float = 0.8  # [m/s] deviation of an unknown velocity
    gate: float = 0.45  # [m] from a predicted position to a segment of it, beside its doubt: half a stride
    apart: float = 0.35  # [m] two tracks nearer than this are one
    step: float = 0.2  # [m] away from where it was that a thing has left a place
    fastest: float = 3.0  # [m/s]
    lost: float = 1.5  # [s] that a track lives unseen; larger: ghosts, smaller: no memory behind a pillar
    hidden: float = 0.7  # [s] that one is reported unseen
    gone: float = 0.3  # [s] that it lives where a scan looks through it
    # Does it move
    gain: float = 26.0  # [1/s] log-odds for moving while all of a thing lies where it was free before
    loss: float = 1.0  # [1/s] against, while it stays; a person who stops remains one for (most - report) / loss [s]
    slow: float = 0.15  # [m/s] below which it stays, whatever scans say
    most: float = 5.0  # log-odds, and least is -most
    certain: float = 3.0  # log-odds from which it need not have come `step` to be reported
    report: float = 1.6  # log-odds from which it is reported
    stayed: float = 0.12  # [m] that a piece of somebody who stands goes from scan to scan
    smooth: float = 0.2  # weight of a new width
    leg_width: float = 0.28  # [m] of a leg in trousers at most; two that touch are a segment twice as wide
    person_width: float = 0.75  # [m] of both legs, or of shoulders
    radius: float = 0.3  # [m] least, of a person: shoulders are 0.45 to 0.6 m wide (Panero and Zelnik 1979)

    def __post_init__(self) -> None:
        if min(self.gap, self.spacing, self.deviation, self.max_range, self.least_points) <= 0:
            raise ValueError("gap, spacing, deviation, max_range and least_points must be positive")
        if not self.report < self.most:
            raise ValueError(f"report ({self.report}) must be below most ({self.most})")


TRAIL, TRAIL_STEP = 8, 0.25  # how many positions of a track's past are kept, and how far apart [s]


@dataclass
class Tracks:
    """Columns of n tracks, in odom.

    Attributes:
        id: (n,) of each.
        state: (n, 4) x, y, vx, vy [m, m/s].
        covariance: (n, 4, 4).
        moving: (n,) log-odds that it moves, or did a moment ago.
        seen: (n,) when last [s].
        through: (n,) for how long scans have looked through it [s].
        spacing: (n,) of beams at its distance [m].
        width: (n,) of its widest segment, smoothed [m].
        extent: (n,) of all its segments together, smoothed [m].
        surface: (n, 2) a point of it that the newest scan met [m].
        trail: (n, TRAIL, 2) such points of before, the newest first; NaN before its time.
        noted: (n,) when the trail was last written [s].
        origin: (n, 2) where it was met first [m].
        came: (n,) how far it has been from there at most [m].
    """

    id: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    state: Array = field(default_factory=lambda: np.zeros((0, 4)))
    covariance: Array = field(default_factory=lambda: np.zeros((0, 4, 4)))
    moving: Array = field(default_factory=lambda: np.zeros(0))
    seen: Array = field(default_factory=lambda: np.zeros(0))
    through: Array = field(default_factory=lambda: np.zeros(0))
    spacing: Array = field(default_factory=lambda: np.zeros(0))
    width: Array = field(default_factory=lambda: np.zeros(0))
    extent: Array = field(default_factory=lambda: np.zeros(0))
    surface: Array = field(default_factory=lambda: np.zeros((0, 2)))
    trail: Array = field(default_factory=lambda: np.zeros((0, TRAIL, 2)))
    noted: Array = field(default_factory=lambda: np.zeros(0))
    origin: Array = field(default_factory=lambda: np.zeros((0, 2)))
    came: Array = field(default_factory=lambda: np.zeros(0))

    def __len__(self) -> int:
        return len(self.id)

    def keep(self, which: NDArray[np.bool_]) -> None:
        """Drops all others."""
        if not which.all():
            for column in fields(self):
                setattr(self, column.name, getattr(self, column.name)[which])

    def begin(self, ids: NDArray[np.int64], centres: Array, widths: Array, stamp: float, config: TrackerConfig) -> None:
        """New ones at `centres` (k, 2), whose velocity is not known."""
        k = len(ids)
        doubt = np.array([4 * config.deviation**2] * 2 + [config.start_speed**2] * 2)
        new = Tracks(
            ids, np.concatenate([centres, np.zeros((k, 2))], 1), np.tile(np.diag(doubt), (k, 1, 1)), np.zeros(k),
            np.full(k, stamp), np.zeros(k), np.zeros(k), widths, widths.copy(), centres.copy(),
            np.full((k, TRAIL, 2), np.nan), np.full(k, stamp), centres.copy(), np.zeros(k),
        )  # fmt: skip
        for column in fields(self):
            setattr(self, column.name, np.concatenate([getattr(self, column.name), getattr(new, column.name)]))

    def predict(self, seconds: float, config: TrackerConfig) -> None:
        """Moves them on by `seconds` [s]."""
        forward = np.eye(4)
        forward[0, 2] = forward[1, 3] = seconds
        self.state = self.state @ forward.T
        self.covariance = forward @ self.covariance @ forward.T + process_noise(seconds, config.acceleration)

    def update(self, which: NDArray[np.intp], measured: Array, deviation: Array) -> None:
        """Positions (k, 2) of tracks `which` (k,) were measured, each axis with `deviation` (k,) [m]."""
        state, covariance = self.state[which], self.covariance[which]
        innovation = covariance[:, :2, :2] + np.eye(2) * np.square(deviation)[:, None, None]
        gain = covariance[:, :, :2] @ np.linalg.inv(innovation)  # (k, 4, 2)
        self.state[which] = state + np.einsum("kij,kj->ki", gain, measured - state[:, :2])
        updated = covariance - gain @ covariance[:, :2, :]
        self.covariance[which] = (updated + updated.transpose(0, 2, 1)) / 2
        self.came = np.maximum(self.came, np.hypot(*(self.state[:, :2] - self.origin).T))

    def note(self, stamp: float) -> None:
        """Writes what was met of them now into their trails, every TRAIL_STEP."""
        due = (stamp - self.noted > 0.99 * TRAIL_STEP) & (self.seen == stamp)
        self.trail[due, 1:] = self.trail[due, :-1]
        self.trail[due, 0] = self.surface[due]
        self.noted[due] = stamp


@dataclass(frozen=True)
class Segments:
    """Pieces of one scan, in its frame; point k lies on segment `of[k]`.

    Attributes:
        points: (n, 2) end points [m].
        order: (n,) their numbers among the ends.
        of: (n,) their segment, 0 to m - 1.
        count: (m,) points of each.
        centre: (m, 2) mean of its points [m].
        spacing: (m,) of beams at its distance, on average [m].
        width: (m,) from its first to its last point [m].
        middle: (m, 2) the one in the middle of its points, which lies on the thing, as the mean may not.
    """

    points: Array
    order: NDArray[np.intp]
    of: NDArray[np.intp]
    count: NDArray[np.intp]
    centre: Array
    spacing: Array
    width: Array
    middle: Array

    def mean(self, values: Array) -> Array:
        """The mean (m,) over each segment of `values` (n,), one for each end."""
        return np.asarray(np.bincount(self.of, values[self.order], len(self.count)) / np.maximum(self.count, 1))


@dataclass(frozen=True)
class Ends:
    """Where the beams of one scan end, in its frame; in the order of the beams."""

    points: Array  # (n, 2) [m]
    beams: NDArray[np.intp]  # (n,)
    spacing: Array  # (n,) to what the next beam would meet at that distance [m]


def ends_of(scan: Scan, config: TrackerConfig) -> Ends:
    """The end points of a `scan` that tracking uses, in its frame."""
    ranges = scan.ranges.astype(np.float64)
    beams = np.flatnonzero(np.isfinite(ranges) & (ranges > config.min_range) & (ranges < config.max_range))
    ranges, angles = ranges[beams], scan.angles[beams]
    points = np.column_stack([ranges * np.cos(angles), ranges * np.sin(angles)]) + scan.origin
    return Ends(points, beams, abs(scan.angle_increment) * ranges)


def segments_of(ends: Ends, stands: NDArray[np.bool_], all_round: bool, config: TrackerConfig) -> Segments:
    """The pieces of a scan, cut where two points are farther apart than beams on a slanting surface, and between what
    `stands` (n,) where it stood and what does not: a leg beside a wall.

    Args:
        ends: of a scan.
        stands: (n,) for each of them.
        all_round: whether the last beam is a neighbour of the first.
        config: see there.
    """
    points = ends.points
    if not len(points):
        none = np.zeros(0, np.intp)
        return Segments(points, none, none, none, np.zeros((0, 2)), np.zeros(0), np.zeros(0), np.zeros((0, 2)))
    nearest = np.minimum(ends.spacing, np.roll(ends.spacing, 1))
    gaps = np.hypot(*(points - np.roll(points, 1, axis=0)).T)
    cuts = (gaps > np.clip(2.5 * nearest, config.gap, config.widest_gap)) | (stands != np.roll(stands, 1))
    cuts[0] |= not all_round
    first = int(cuts.argmax()) if cuts.any() else 0  # the points before it belong to the last segment
    order = np.roll(np.arange(len(cuts)), -first)
    points, of = points[order], np.maximum(np.cumsum(cuts[order]) - 1, 0)
    count = np.bincount(of)
    stop = np.cumsum(count)
    width = np.hypot(*(points[stop - 1] - points[stop - count]).T)
    centre = np.column_stack([np.bincount(of, points[:, axis]) for axis in (0, 1)]) / count[:, None]
    spacing = np.bincount(of, ends.spacing[order]) / count
    return Segments(points, order, of, count, centre, spacing, width, points[stop - (count + 1) // 2])
