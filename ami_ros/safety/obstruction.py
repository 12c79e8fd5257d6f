"""What is in the way of a command: of all paths that the robot may take with it.

Things that move, as a tracker says, only make the gate stricter. Whatever they say, the robot may stop, and go where it
comes no nearer to any of them than if it stood.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ami_ros.core.commands import Command
from ami_ros.core.geometry import Array, inverse, relative, transform_points
from ami_ros.safety.config import Footprint, SafetyConfig
from ami_ros.safety.keep_out import KeepOut
from ami_ros.safety.motion import Motion
from ami_ros.safety.moving_things import FASTEST, LARGEST, MOST_THINGS
from ami_ros.safety.observations import (
    LookLimits,
    Observation,
    Observations,
    Snapshot,
    one_a_cell,
    within,
)
from ami_ros.safety.surroundings import Surroundings


@dataclass(frozen=True)
class TracksConfig:
    """Which things that move count, and how far they may be from where a tracker says."""

    lasts: float = 0.6  # [s] for which a message counts
    near: float = 30.0  # [m] from the robot; what is farther away cannot come before it stands
    sigmas: float = 2.0  # of position and velocity that a thing may be off
    most_position: float = 0.5  # [m] of a standard deviation: a tracker that knows less does not freeze the robot
    most_velocity: float = 1.0  # [m/s] likewise
    sways: float = 0.5  # [m/s^2] by which a person changes their walk without warning


@dataclass(frozen=True)
class Track:
    """One thing that moves, in base_link at the time of its message."""

    position: Array  # (2,) of its middle [m]
    velocity: Array  # (2,) over the ground [m/s]
    radius: float  # of the disc that holds it [m]
    position_sigma: float = 0.0  # [m], 1 standard deviation along its worst axis
    velocity_sigma: float = 0.0  # [m/s], likewise

    def seen_from(self, pose: Array) -> Track:
        """The same in the frame of a pose (3,), if its numbers are two each."""
        c, s = math.cos(pose[2]), math.sin(pose[2])
        turn = np.array([[c, s], [-s, c]])
        if np.shape(self.position) != (2,) or np.shape(self.velocity) != (2,):
            return self
        return replace(self, position=turn @ (self.position - pose[:2]), velocity=turn @ self.velocity)


def largest_sigma(covariance: Array) -> float:
    """No less than the standard deviation of a covariance (2, 2) along its worst axis (Gershgorin)."""
    return float(np.sqrt(np.abs(covariance).sum(1).max()))


@dataclass(frozen=True)
class Tracks:
    """All that are known, in the gate's frame."""

    stamp: float = -math.inf  # [s] when they were there
    config: TracksConfig = field(default_factory=TracksConfig)
    positions: Array = field(default_factory=lambda: np.zeros((0, 2)))  # (n, 2) [m]
    velocities: Array = field(default_factory=lambda: np.zeros((0, 2)))  # (n, 2) [m/s]
    bodies: Array = field(default_factory=lambda: np.zeros(0))  # (n,) [m], radii
    radii: Array = field(default_factory=lambda: np.zeros(0))  # (n,) [m], with the doubt of their positions
    doubts: Array = field(
        default_factory=lambda: np.zeros(0)
    )  # (n,) [m/s] by which they may come closer than their velocities say

    def __len__(self) -> int:
        return len(self.radii)

    def lasts(self, now: float) -> bool:
        """Whether any still counts."""
        return len(self) > 0 and now - self.stamp <= self.config.lasts

    def at(self, age: float, times: Array) -> tuple[Array, Array]:
        """Where they may be `age` [s] after their stamp and `times` (t,) [s] later: middles (t, n, 2) and radii (t, n)
        [m]."""
        passed = (age + times)[:, None]
        middles = self.positions + passed[..., None] * self.velocities
        return middles, self.radii + passed * self.doubts + self.config.sways / 2 * passed**2


def usable(things: Iterable[Track]) -> tuple[list[Track], str]:
    """Those that count, the nearest first, and why others do not; "" if all count."""
    given = list(things)
    good = [thing for thing in given if _makes_sense(thing)]
    near = sorted(good, key=lambda thing: float(np.hypot(*thing.position)))[:MOST_THINGS]
    if len(good) < len(given):
        return near, f"moving things: {len(given) - len(good)} of {len(given)} have numbers that cannot be"
    if len(near) < len(good):
        return near, f"moving things: {len(good)} at once; the nearest {MOST_THINGS} count"
    return near, ""


def _makes_sense(thing: Track) -> bool:
    position, velocity = np.asarray(thing.position, np.float64), np.asarray(thing.velocity, np.float64)
    sigmas = thing.position_sigma, thing.velocity_sigma
    if position.shape != (2,) or velocity.shape != (2,):
        return False
    if not (np.isfinite(position).all() and np.isfinite(velocity).all() and all(map(math.isfinite, sigmas))):
        return False
    return bool(0 < thing.radius <= LARGEST and np.hypot(*velocity) <= FASTEST and min(sigmas) >= 0)


def of_frame(things: list[Track], pose: Array, stamp: float, config: TracksConfig | None = None) -> Tracks:
    """Things in base_link, which was at `pose` (3,) of the gate's frame then."""
    config = config or TracksConfig()
    near = [thing for thing in things if np.hypot(*thing.position) <= config.near]
    if not near:
        return Tracks(stamp, config)
    c, s = math.cos(pose[2]), math.sin(pose[2])
    turn = np.array([[c, -s], [s, c]])
    positions = np.array([thing.position for thing in near], dtype=np.float64) @ turn.T + pose[:2]
    velocities = np.array([thing.velocity for thing in near], dtype=np.float64) @ turn.T
    bodies = np.array([thing.radius for thing in near])
    radii = [thing.radius + config.sigmas * min(thing.position_sigma, config.most_position) for thing in near]
    doubts = [config.sigmas * min(thing.velocity_sigma, config.most_velocity) for thing in near]
    return Tracks(stamp, config, positions, velocities, bodies, np.array(radii), np.array(doubts))


@dataclass(frozen=True)
class ObstructionConfig:
    """How near the robot may come to what stands, and to what moves, within its margin."""

    # From the outline [m], within which it need not have seen what is not ahead: farther than acos(ahead) off the way.
    # Else no robot could set out whose laser sits before its middle and looks ahead only.
    beside: float = 0.04
    ahead: float = 0.7
    past: float = 0.1  # of its way, by which it may come nearer to what moves: 6 degrees at most from past them
    nearer: float = 0.005  # [m] by which it may come nearer to what stands within its margin already
    rounding: float = 1e-6  # [m]
    look: LookLimits = field(default_factory=LookLimits)


@dataclass(frozen=True)
class Near:
    """What is shown to stand around the robot now."""

    here: Array  # (3,) of base_link in the gate's frame
    margin: float  # [m] to keep from it at this moment
    points: Array  # (n, 2) [m] in base_link, of what it may come upon
    distance: Array  # (n,) [m] from the outline
    odom: Array  # (3,) of base_link in odometry's frame


class Obstruction:
    """Judges paths by what the laser and other sensors see, and by where the robot must not go."""

    def __init__(
        self,
        config: SafetyConfig,
        footprint: Footprint,
        motion: Motion,
        around: Surroundings,
        others: Observations,
        keep_out: KeepOut,
        own: ObstructionConfig | None = None,
    ) -> None:
        self._own = own or ObstructionConfig()
        self.config, self._footprint, self._motion = config, footprint, motion
        self._around, self._others, self._keep_out = around, others, keep_out
        self.tracks = Tracks()

    def near(self, command: Command, now: float) -> Near:
        """What is known to stand now where the robot may come with a command, or less of it, until it stands."""
        here, error = self._motion.at(now)
        shown: list[Snapshot | Observation] = [each for each in self._others.newest.values() if len(each.points)]
        if self._around.newest is not None:
            shown.append(self._around.newest)
        ages = (error - each.error + self.config.obstacle_speed * max(0.0, now - each.stamp) for each in shown)
        margin = self.config.margin + max(ages, default=0.0)
        # Without odometry it is too vague where that is by now.
        gone = self._around.gone if self._motion.is_measured(now) else np.zeros((0, 2))
        way, lasts = self._motion.reach(command, now)
        reach = way + self._footprint.radius + margin + self._own.look.shift + self.config.obstacle_speed * lasts
        points = np.concatenate(
            [
                within(reach, transform_points(inverse(here), gone)),
                *(within(reach, transform_points(relative(here, each.pose), each.points)) for each in shown),
            ]
        )
        return Near(here, margin, points, self._footprint.distance(points), self._motion.in_odom(now))

    def what(self, command: Command, now: float, near: Near) -> str:
        """What is in the way of a path that the robot may take with a command; "" if all are free."""
        times, poses = self._motion.paths(command, now)
        if problem := self._touches(times, poses, near):
            return problem
        if self._meets(command, times, poses, near, now):
            return "moving thing ahead"
        outlines = transform_points(poses, self._footprint.outline)
        if self._keep_out and self._enters(outlines, near):
            return "keep-out: ahead"
        new = self._new_ground(outlines, poses[:, -1, :2])
        if self._around.newest is None or self._around.free(transform_points(near.here, new)).all():
            return ""
        return "unseen ahead"

    def _new_ground(self, outlines: Array, ways: Array) -> Array:
        """Points (k, 2) of an outline along paths (p, n, m, 2) that lead to `ways` (p, 2), where the robot does not
        stand already, nor just beside where it does."""
        distance = self._footprint.distance(outlines.reshape(-1, 2)).reshape(outlines.shape[:-1])
        along = (outlines * ways[:, None, None]).sum(-1)
        lengths = np.hypot(outlines[..., 0], outlines[..., 1]) * np.hypot(*ways.T)[:, None, None]
        return outlines[distance > np.where(along < self._own.ahead * lengths, self._own.beside, 1e-6)]

    def _enters(self, outlines: Array, near: Near) -> bool:
        """Whether more of an outline (p, n, m, 2) lies in a keep-out area than does now: out of it the robot may go."""
        held = self._keep_out.holds(transform_points(near.odom, outlines.reshape(-1, 2)))
        now = self._keep_out.holds(transform_points(near.odom, self._footprint.outline))
        return bool((held.reshape(-1, len(now)).sum(1) > now.sum()).any())

    def _touches(self, times: Array, poses: Array, near: Near) -> str:
        """Why the robot must not take one of these paths: it comes within its margin of something that stands, or there
        is more than can be looked at in time. "" if it may."""
        closer, look = self.config.obstacle_speed * times, self._own.look
        margin, beside = near.margin, near.margin + look.shift + closer[-1] + self._footprint.radius
        low, high = (np.minimum(0.0, poses[..., :2].min((0, 1))), np.maximum(0.0, poses[..., :2].max((0, 1))))
        by_the_way = ((near.points >= low - beside) & (near.points <= high + beside)).all(1)
        points, distance = near.points[by_the_way], near.distance[by_the_way]
        if len(points) > look.exact:
            cells = one_a_cell(points, look.cell)
            if len(cells) > look.cells:
                return "too much to look at"
            margin, points, distance = margin + look.shift, points[cells], distance[cells]
        if not len(points):
            return ""
        # From what is within the margin already the robot may go away, and not come nearer again and again.
        least = np.where(
            distance >= margin,
            np.minimum(margin + closer[:, None], distance),  # it may always go past it, or away
            np.maximum(np.minimum(distance, margin / 2), distance - self._own.nearer),
        )
        local = transform_points(inverse(poses), points)
        return "obstacle ahead" if (self._footprint.distance(local) < least - 1e-9).any() else ""

    def _meets(self, command: Command, times: Array, poses: Array, near: Near, now: float) -> bool:
        """Whether a command leads, on one of its paths (p, n, 3), too near to where something may be that moves, and
        nearer than if the robot stood.

        Too near is `margin` and `track_margin`; or only as near as somebody comes to a robot that stands, but not
        within `margin`: who is pressed from one side may go closer to the other. Where even a stop takes the robot too
        near, the command itself may lead no nearer than standing: so one that still rolls may turn back.
        On a way past somebody a tenth of it is not nearer: else one that somebody comes at from aside could not leave.
        """
        if not self.tracks.lasts(now):
            return False
        there, radii = self.tracks.at(max(0.0, now - self.tracks.stamp), times)
        there = transform_points(inverse(near.here), there)  # (n, k, 2)
        # Each walks no farther than to where it would touch the robot if that stood: none walks through it, to where
        # the robot could yield to.
        met = self._footprint.distance(there) < self.tracks.bodies
        last = np.where(met.any(0), met.argmax(0), len(there))
        there = there[np.minimum(np.arange(len(there))[:, None], last), np.arange(there.shape[1])]
        standing = self._footprint.distance(there) - radii
        least, most = self.config.margin, self.config.margin + self.config.track_margin
        enough = standing.min(1, keepdims=True).clip(least, most)

        def nears(ways: Array, enough: Array) -> NDArray[np.bool_]:  # (p, n, 3) -> (p, n, k)
            gaps = self._footprint.distance(transform_points(inverse(ways), there)) - radii + self._own.rounding
            past = self._own.past * np.hypot(ways[..., 0], ways[..., 1])[..., None]
            return np.asarray(gaps < np.minimum(standing - past, enough))

        if not nears(poses, enough).any():
            return False
        if not any(command):
            return True
        stops, own = self._motion.parts(command, now, times)
        rolls = nears(stops, enough).any((0, 1))  # (k,)
        if nears(own, np.where(rolls, standing, enough)).any():
            return True
        added = poses[(np.abs(poses[:, None] - stops).max((2, 3)) > self._own.rounding).all(1)]
        return bool(nears(added, enough).any())
