"""Odometry that scans or pictures have put straight, and the surroundings of the robot from its newest scans."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ami_ros.core.geometry import Array, compose, pose_gap, relative, transform_points
from ami_ros.core.scan import Scan
from ami_ros.core.scan_matching import Match, Matcher, Window
from ami_ros.core.submaps import FARTHEST, RAYS, REACH, Submap, free_distance, points_of, submap_of
from ami_ros.world_model.two_views import Turn


@dataclass(frozen=True)
class ScanOdometryConfig:
    """How far wheels are trusted, and which scans are compared."""

    distance_noise: float = 0.10  # [m per m] standard deviation of distance by wheels; larger for wheels that slip
    turn_noise: float = 0.10  # [rad per rad] standard deviation of turns from the wheels
    drift_noise: float = 0.05  # [rad per m] turning that driving adds
    kept: float = 6.0  # [m] of way whose scans make up the submap around the robot; larger: fuller, slower
    every: float = 0.20  # [m] between two scans that are kept, or ...
    every_turn: float = 0.25  # ... [rad] of turning between them
    support: float = 0.55  # share of points on walls at which a match is accepted; larger trusts the wheels more
    strange: float = 0.3  # share of squares in known free space at which the robot may have been carried
    renewed: float = 1.0  # [m] of way over which scans have the same error; smaller: a less certain map, a wider search
    measured: bool = True  # scans are; false: guessed from pictures, which tell where walls are but no motion
    floor: tuple[float, float] = (0.02, 0.005)  # [m], [rad] least standard deviation over that way


@dataclass(frozen=True)
class FollowConfig:
    """By which scans and pictures are believed; no robot needs other values."""

    turning: float = 0.1  # [m per rad] of way that turning counts as, where it brings other walls into sight
    told: float = 0.85  # share of the variance of odometry below which scans say how the robot moved, and gains learn
    seen_through: int = 2  # scans more that saw through a point than that saw it, from which it is not solid
    off: tuple[float, float] = (0.5, 0.03)  # [m], [m per m] that a point may be off where another scan saw it
    near_step: float = 0.5  # [m], [rad] of motion within which two scans see the same
    keyframe: tuple[float, float] = (0.4, 0.35)  # [rad], [m] from one picture that others are compared with to the next
    slip: float = 0.4  # share of the turn, and [rad/m]: a standard deviation of wheels that slip, or of a robot stuck
    agree: float = 3.0  # standard deviations up to which wheels and pictures agree
    least: float = 1e-3  # [rad] standard deviation that a step adds at least
    prior: float = 3.0  # [m] of motion that speak for distances being right; larger learns more slowly
    sigma: tuple[float, float, float] = (0.05, 0.05, 0.02)  # before anything is learned: distance, turn, bend [rad/m]
    most: tuple[float, float, float] = (0.15, 0.15, 0.1)  # by which distance, turn and bend [rad/m] may be wrong
    turns: float = 1.0  # [rad/m] from which a step is a turn; others tell of distances
    noise: float = 0.002  # [rad^2] of what scans say of a turn, for each metre and radian


FOLLOW = FollowConfig()


@dataclass
class Stop:
    """A scan that is kept."""

    pose: Array  # (3,) in the track's frame
    points: Array  # (n, 2) in base_link
    free: Array  # how far it saw free space from there; see `Submap`
    way: float  # [m] driven until then
    through: Array  # (RAYS,) [m] that its beams went; to FARTHEST where nothing returned
    against: Array  # (n,) how many more of the other scans saw through a point than saw something there

    @property
    def solid(self) -> Array:
        """Its points but for those far off that others saw through: a tilted laser meets the ground."""
        return self.points[self.against < FOLLOW.seen_through]


@dataclass(frozen=True)
class Step:
    """What was driven since the scan before."""

    motion: Array  # (3,) in the frame of the pose before
    covariance: Array  # (3, 3) likewise
    matched: bool  # a scan has a say in it
    strange: bool = False  # the scan contradicts what was seen just before


class ScanOdometry:
    """Follows one robot from scan to scan. Where scans do not tell how it moved, pictures tell how it turned.

    Args:
        config: see there.
        turns: see there; None: nothing compares pictures.

    Attributes:
        pose: (3,) in a frame of its own, which drifts slowly.
        way: [m] driven so far.
    """

    def __init__(self, config: ScanOdometryConfig, turns: Turns | None = None) -> None:
        self.config, self.gains = config, WheelGains()
        self._compass = VisualCompass(turns, self.gains)
        self.restart()

    def restart(self) -> None:
        """The robot may have been carried."""
        self.pose, self.way = np.zeros(3), 0.0
        self.gains.stand()
        self._odometry: Array | None = None
        self._stops: deque[Stop] = deque()
        self._free = self._through = np.zeros(0)
        self._matcher: Matcher | None = None
        self._around: tuple[Array, Submap] | None = None  # what was asked for last, until the robot moves
        self._origin = np.zeros(3)  # of the matcher's reference, in the track's frame

    def move(self, odometry: Array, scan: Scan, code: NDArray[np.float32] | None = None) -> Step:
        """The robot is at `odometry` (3,) now and sees `scan`, in base_link, and a picture with such a `code`."""
        before, self._odometry, self._around = self._odometry, np.array(odometry, np.float64), None
        points = points_of(scan)
        self._free, self._through = free_distance(scan), free_distance(scan, silent=FARTHEST)
        if before is None:
            self._compass.begin(self._odometry, code, scan)
            self._keep(points)
            return Step(np.zeros(3), np.diag([1e-6, 1e-6, 1e-6]), False)
        said = relative(before, self._odometry)
        motion = self.gains.corrected(said)
        step = Step(motion, self._by_wheels(motion), False)
        if np.hypot(*motion[:2]) >= 0.01 or abs(motion[2]) >= 0.005:
            if self.config.measured:
                step = self._fit(step, said, points, min(REACH, scan.max_range))
            if step.matched:
                self._compass.begin(self._odometry, code, scan)
            else:
                step = self._turned(step, code, scan)
        self.pose = compose(self.pose, step.motion)
        self.way += float(np.hypot(*step.motion[:2]))
        last = self._stops[-1]
        distance, turn = pose_gap(last.pose, self.pose)
        # A strange scan kept would make the next one familiar.
        if not step.strange and (distance > self.config.every or turn > self.config.every_turn):
            self._keep(points)
        return step

    def _by_wheels(self, motion: Array) -> Array:
        """Covariance (3, 3) of what odometry says, in the frame of the pose before."""
        config = self.config
        length, turn = float(np.hypot(*motion[:2])), abs(float(motion[2]))
        along = config.distance_noise * length + 0.02 * turn + 0.005
        own = np.square([along, along, config.turn_noise * turn + config.drift_noise * length + 0.003])
        way, heading = self.gains.doubt(motion)
        return np.diag(own + [way, way, heading])

    def _turned(self, step: Step, code: NDArray[np.float32] | None, scan: Scan) -> Step:
        """A `step` by wheels, whose turn pictures tell."""
        assert self._odometry is not None
        turn = self._compass.step(step.motion, float(step.covariance[2, 2]), self._odometry, code, scan)
        motion, covariance = step.motion.copy(), step.covariance.copy()
        motion[2], covariance[2, 2] = turn.angle, turn.deviation**2
        return replace(step, motion=motion, covariance=covariance)

    def _fit(self, step: Step, said: Array, points: Array, silent: float) -> Step:
        """What a scan makes of a `step` by wheels, which said (3,); `silent`: see `Matcher.conflict`."""
        motion, prior = step.motion, step.covariance
        if self._matcher is None:
            last = self._stops[-1]
            self._origin = last.pose
            self._matcher = Matcher(self._submap(last.pose, last.free))
        base = relative(self._origin, self.pose)  # of the pose before, in the reference
        c, s = np.cos(base[2]), np.sin(base[2])
        turned = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
        expected, spread = compose(base, motion), turned @ prior @ turned.T
        against = self._against(points, compose(self.pose, motion))
        other = submap_of(points[against < FOLLOW.seen_through], self._free)
        match = self._best(other, expected, spread)
        if match is None or match.support < self.config.support:
            # A long step may lead to where nothing of before is seen; a short one does not.
            is_near = bool(np.hypot(*motion[:2]) < FOLLOW.near_step and abs(motion[2]) < FOLLOW.near_step)
            conflict = self._matcher.conflict(submap_of(points, self._free), expected, silent)
            return replace(step, strange=bool(conflict > self.config.strange and is_near))
        off = relative(expected, match.pose)
        if off @ np.linalg.solve(prior, off) > 25.0:
            return step
        moved, posterior = relative(base, match.pose), turned.T @ match.covariance @ turned
        told = np.diag(posterior) < FOLLOW.told * np.diag(prior)
        self.gains.learn(said, moved, bool(told[0]), bool(told[2]))
        return Step(moved, self._spread(motion, prior, posterior), True)

    def _spread(self, motion: Array, prior: Array, posterior: Array) -> Array:
        """Covariance (3, 3) that a step adds to those before it.

        Scans that are compared with the same walls err alike: over all the steps until others have come into sight what
        they measure errs by as much as in one. What no wall holds errs anew in each step, as the wheels do.

        Args:
            motion: (3,) by odometry.
            prior: (3, 3) of it.
            posterior: (3, 3) of the fit that weighed both.
        """
        config = self.config
        share = min(1.0, (float(np.hypot(*motion[:2])) + FOLLOW.turning * abs(float(motion[2]))) / config.renewed)
        wheels = np.linalg.inv(prior)
        measured = np.linalg.inv(posterior) - wheels
        floor = np.square([config.floor[0], config.floor[0], config.floor[1]])
        return np.linalg.inv(wheels + measured / share) + np.diag(floor) * share

    def _best(self, other: Submap, expected: Array, spread: Array) -> Match | None:
        """The fit from where odometry says, or from where a search finds it where odometry is vague."""
        assert self._matcher is not None
        reach, turn = 2.0 * np.sqrt(max(spread[0, 0], spread[1, 1])), 2.0 * np.sqrt(spread[2, 2])
        match = self._matcher.fit(other, expected, spread)
        if (match is not None and match.support > 0.8) or (reach < 0.1 and turn < 0.06):
            return match
        for _, pose, _ in self._matcher.search([other], [Window(expected, float(reach), float(turn))], most=2):
            # The prior stays where odometry said; only the beginning is another.
            tried = self._matcher.fit(other, expected, spread, start=pose)
            if tried is not None and (match is None or tried.support > match.support):
                match = tried
        return match

    def _keep(self, points: Array) -> None:
        new = Stop(self.pose.copy(), points, self._free, self.way, self._through, self._against(points, self.pose))
        for stop in self._stops:
            stop.against += _seen(new, stop.points, stop.pose)
        self._stops.append(new)
        while self.way - self._stops[0].way > self.config.kept:
            self._stops.popleft()
        self._matcher = None

    def _against(self, points: Array, pose: Array) -> Array:
        """Of points (n, 2) seen from `pose` (3,), how many more kept scans saw through each than saw it (n,)."""
        return sum((_seen(stop, points, pose) for stop in self._stops), np.zeros(len(points)))

    def surroundings(self, pose: Array) -> Submap:
        """What the kept scans saw, in the frame of `pose` (3,) of the newest scan, which is in the track's frame."""
        if self._around is None or (self._around[0] != pose).any():
            self._around = pose.copy(), self._submap(pose, self._free)
        return self._around[1]

    def _submap(self, pose: Array, free: Array) -> Submap:
        """What the kept scans saw, in the frame of `pose` (3,), from which so far is `free`."""
        parts = [transform_points(relative(pose, stop.pose), stop.solid) for stop in self._stops]
        return submap_of(np.concatenate(parts), free)

    @property
    def free(self) -> Array:
        """How far the newest scan saw free space; see `Submap`."""
        return self._free


def _seen(stop: Stop, points: Array, pose: Array) -> Array:
    """Whether a scan saw through points (n, 2) that were seen from `pose` (3,): 1; saw something there: -1; else 0, as
    within REACH, where a laser that tilts does not meet the ground."""
    found, far = np.zeros(len(points)), np.hypot(*points.T) >= REACH
    if not far.any():  # as in a building
        return found
    local = transform_points(relative(stop.pose, pose), points[far])
    distance, bearing = np.hypot(*local.T), np.arctan2(local[:, 1], local[:, 0])
    gap = stop.through[np.round(bearing / (2 * np.pi / RAYS)).astype(np.int64) % RAYS] - distance
    off = FOLLOW.off[0] + FOLLOW.off[1] * distance
    found[far] = (gap > off).astype(np.float64) - (np.abs(gap) <= off)
    return found


# The turn between two pictures: by their codes, the motion (3,) and turn by odometry, and the scan of the first one.
Turns = Callable[[NDArray[np.float32], NDArray[np.float32], Array, Turn, Scan], Turn | None]


class _Keyframe(NamedTuple):
    odometry: Array  # (3,) in odom
    code: NDArray[np.float32] | None
    scan: Scan


class VisualCompass:
    """Follows one robot from picture to picture, and teaches its wheels how far they turn.

    Each picture is compared with a keyframe, so that errors do not add up from one to the next, and what wheels say in
    between counts by its doubt.

    Args:
        turns: see there; None: nothing compares pictures.
        gains: of the robot's odometry.
    """

    def __init__(self, turns: Turns | None, gains: WheelGains) -> None:
        self._turns, self._gains = turns, gains
        self._keyframe: _Keyframe | None = None

    def begin(self, odometry: Array, code: NDArray[np.float32] | None, scan: Scan) -> None:
        """Begins at another moment: (3,) in odom, the code of its picture, and its scan."""
        self._keyframe = _Keyframe(np.array(odometry), code, scan)
        self._moved = np.zeros(3)  # since then
        self._wheels = self._told = Turn(0.0, 0.0)  # likewise by wheels alone, and by all that is known

    def step(
        self, motion: Array, variance: float, odometry: Array, code: NDArray[np.float32] | None, scan: Scan
    ) -> Turn:
        """How far the robot turned since the moment before.

        Args:
            motion: (3,) since then by wheels, in base_link as it was.
            variance: [rad^2] of its turn.
            odometry: (3,) of the newest moment, in odom.
            code: of its picture; None: there is none.
            scan: of it, in base_link.
        """
        keyframe = self._keyframe
        assert keyframe is not None, "begin comes first"
        moved, before = compose(self._moved, motion), self._told
        self._wheels = Turn(self._wheels.angle + float(motion[2]), math.hypot(self._wheels.deviation, variance**0.5))
        seen = None
        if self._turns is not None and keyframe.code is not None and code is not None:
            slips = math.hypot(
                self._wheels.deviation, FOLLOW.slip * (abs(self._wheels.angle) + float(np.hypot(*moved[:2])))
            )
            seen = self._turns(keyframe.code, code, moved, Turn(self._wheels.angle, slips), keyframe.scan)
        said = relative(keyframe.odometry, odometry)
        if seen is None:
            self._gains.learn(said, moved, False, False)
            self.begin(odometry, code, scan)
            return Turn(float(motion[2]), variance**0.5)
        self._told = _fused(self._wheels, seen)
        self._moved = np.array([*moved[:2], self._told.angle])
        told = self._told
        if abs(seen.angle) > FOLLOW.keyframe[0] or np.hypot(*moved[:2]) > FOLLOW.keyframe[1]:
            self._gains.learn(said, np.array([*moved[:2], seen.angle]), False, True, seen.deviation**2)
            self.begin(odometry, code, scan)
        added = max(told.deviation**2 - before.deviation**2, FOLLOW.least**2)
        return Turn(told.angle - before.angle, added**0.5)


def _fused(wheels: Turn, seen: Turn) -> Turn:
    """One turn by two that have no errors in common; where they differ, wheels have slipped."""
    doubt = max(wheels.deviation, abs(seen.angle - wheels.angle) / FOLLOW.agree) ** 2
    share = doubt / (doubt + seen.deviation**2)
    return Turn(wheels.angle + share * (seen.angle - wheels.angle), (doubt * (1.0 - share)) ** 0.5)


class WheelGains:
    """How far the robot moved for each metre and radian of odometry, and how far it turned for each metre.

    Wheels that are worn, or a base that is narrower than described, make each distance and each turn too long or too
    short by the same share, and wheels that differ bend each straight way (Borenstein and Feng, "Measurement and
    correction of systematic odometry errors in mobile robots", 1996). Where a laser sees little, as in a large hall,
    odometry is all there is: a turn around may be 14 degrees off, and 30 m ahead 40 degrees.
    """

    def __init__(self) -> None:
        self._said = self._moved = FOLLOW.prior  # [m] so far
        # Of turn and bend by recursive least squares: the inverse of their covariance, and that times their mean.
        self._information = np.diag(np.power(FOLLOW.sigma[1:], -2.0))
        self._weighted = self._information @ [1.0, 0.0]
        self.stand()

    def stand(self) -> None:
        """Scans say where the robot is."""
        self._alone = np.zeros(3)  # travel [m], turn [rad] and way [m] since scans told of them

    @property
    def gains(self) -> Array:
        """(3,): factors of distances and of turns of odometry, and what is turned for each metre ahead [rad/m]."""
        turn, bend = np.linalg.solve(self._information, self._weighted)
        right, most = np.array([1.0, 1.0, 0.0]), np.array(FOLLOW.most)
        return np.clip([self._moved / self._said, turn, bend], right - most, right + most)

    def corrected(self, motion: Array) -> Array:
        """`motion` (3,) of odometry as it probably was."""
        distance, turn, bend = self.gains
        return np.asarray(motion * [distance, distance, turn] + [0.0, 0.0, bend * motion[0]])

    def doubt(self, motion: Array) -> tuple[float, float]:
        """Variances of way [m^2] and heading [rad^2] that `motion` (3,) adds, by what is not known of the gains.

        They are off in each step alike: the deviation grows with the way, and not with its root.
        """
        before, after = self._alone, self._after(motion)
        covariance = np.linalg.inv(self._information)
        turn = after[:2] @ covariance @ after[:2] - before[:2] @ covariance @ before[:2]
        way = FOLLOW.sigma[0] ** 2 * FOLLOW.prior / self._said * (after[2] ** 2 - before[2] ** 2)
        return float(way), max(float(turn), 0.0)

    def _after(self, motion: Array) -> Array:
        return self._alone + [motion[0], motion[2], np.hypot(*motion[:2])]

    def learn(self, said: Array, moved: Array, distance: bool, turn: bool, variance: float = 0.0) -> None:
        """Odometry said (3,), and the robot moved (3,); whether scans tell for sure how far, and how far it turned.

        The first scan that tells after some that did not may correct all of them at once, and teaches nothing.

        Args:
            said: see above.
            moved: see above.
            distance: see above.
            turn: see above.
            variance: [rad^2] of the turn; 0: it is by a scan.
        """
        length, angle = float(np.hypot(*said[:2])), abs(float(said[2]))
        turned_alone, drove_alone = bool(self._alone[:2].any()), bool(self._alone[2])
        self._alone = self._after(said) * [not turn, not turn, not distance]
        if turn and not turned_alone:
            row = said[[2, 0]]
            precision = 1.0 / (variance or FOLLOW.noise * (length + angle))
            self._information = self._information + precision * np.outer(row, row)
            self._weighted = self._weighted + precision * row * moved[2]
        if distance and not drove_alone and angle <= FOLLOW.turns * length:
            self._said += length
            self._moved += float(said[:2] @ moved[:2]) / length
