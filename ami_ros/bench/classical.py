"""A robot without learning: scan matching on an occupancy grid, shortest ways, features with a verified pose."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ami_ros.behaviour.occupancy import Grid
from ami_ros.behaviour.ways import Ways
from ami_ros.bench.trials import GoalKind, Trial
from ami_ros.core.commands import Command
from ami_ros.core.config import from_mapping
from ami_ros.core.geometry import Array, compose, pose_gap, relative, wrap
from ami_ros.core.robots.derived import safety_settings
from ami_ros.core.robots.description import RobotDescription
from ami_ros.core.scan import Scan, scan_points
from ami_ros.memory.laser_model import ENCODER, LaserModel
from ami_ros.memory.place_memory import MemoryConfig, PlaceMemory
from ami_ros.planning.route_follower import pose_in_map
from ami_ros.planning.types import Code
from ami_ros.safety.config import SafetyConfig
from ami_ros.safety.gate import SafetyGate
from ami_ros.simulation.robot import CONTROL_PERIOD
from ami_ros.simulation.robot_model import camera_axes
from ami_ros.simulation.simulator import Simulator

# The map of the robot without learning: scan matching, loop closure and a pose graph, as slam_toolbox does it.
#
# They are those of a laser-only memory, which has learned nothing. What was seen hangs on its places, so that grid and
# pictures move when a loop is closed.


@dataclass(frozen=True)
class ClassicalConfig:
    """The numbers of the robot without learning."""

    drawn: float = 0.1  # [m] or [rad] between two scans that are drawn into the grid
    moved: float = 0.1  # [m] or [rad] by which a correction has to move the robot, for the grid to be drawn anew
    enlarged: float = 3.0  # times that small pictures are, for features need room
    ratio: float = 0.8  # of the best to the second best match (D. Lowe, IJCV 2004)
    enough: int = 16  # features that agree
    share: float = 0.4  # of the matched features that have to agree
    ray: float = math.radians(1.0)  # by which a ray may be off
    epipolar: float = math.radians(4.0)  # by which the plane of two rays may miss the way
    looks_each: float = 0.2  # [s] between two looks
    apart: tuple[float, float] = (0.4, math.radians(25.0))  # [m], [rad], pictures that are remembered
    replan: float = 2.0  # [s]
    ahead: float = 0.45  # [m] on its way, that is aimed at
    steps: int = 14  # of homing, at most
    unseen: float = 1.0  # [m] from the nearest picture
    tried: float = 1.0  # [m] around where the goal was not, it is not looked for again
    here: float = math.radians(1.6)  # parallax at which two pictures are from one spot
    upright: float = math.radians(6.0)  # and turn


CONFIG = ClassicalConfig()


@dataclass(frozen=True)
class Anchor:
    """A pose that hangs on a place: `relative` (3,) to it; place 0 is the origin of the map."""

    place: int
    relative: Array


class Mapping:
    """Where the robot is, and what is free.

    Attributes:
        pose: (3,) of base_link in the map, whose origin is where it was switched on first.
        localised: whether that is known.
        grid: occupancy in the map.
    """

    def __init__(self) -> None:
        self.memory = PlaceMemory(LaserModel(), ENCODER, None, MemoryConfig())
        self.pose, self.localised, self.grid = np.zeros(3), False, Grid()
        self._odometry: Array | None = None  # (3,) of the newest moment
        self._scans: list[tuple[Anchor, Scan]] = []

    def restart(self) -> None:
        """It was switched on anew, and may be anywhere."""
        self.memory.restart()
        self._odometry, self.localised = None, False

    def take(self, stamp: float, odometry: Array, scan: Scan) -> None:
        """One moment; the scan is in base_link."""
        location = self.memory.observe(stamp, None, odometry, scan=scan)
        expected = self.pose if self._odometry is None else compose(self.pose, relative(self._odometry, odometry))
        self.localised = location.localised
        self.pose = pose_in_map(location, odometry) if location.localised else expected
        self._odometry = odometry
        if not self.localised:
            return
        if (
            self._scans and max(pose_gap(expected, self.pose)) > CONFIG.moved
        ):  # a loop was closed: scans are where their places are now
            self.grid = Grid()
            for anchor, seen in self._scans:
                self.grid.add(self.pose_of(anchor), seen)
        if not self._scans or max(pose_gap(self.pose_of(self._scans[-1][0]), self.pose)) > CONFIG.drawn:
            self._scans.append((self.anchor(location.place_id), scan))
            self.grid.add(self.pose, scan)

    def anchor(self, place: int | None = None) -> Anchor:
        """The robot's pose, which goes where the place goes; by default the nearest place."""
        if place is None:
            location = self.memory.location()
            place = 0 if location is None else location.place_id
        base = self._pose_of_place(place)
        return Anchor(0, self.pose.copy()) if base is None else Anchor(place, relative(base, self.pose))

    def pose_of(self, anchor: Anchor) -> Array:
        """Where (3,) that is in the map by now; of a place that was forgotten, where it was at first."""
        base = self._pose_of_place(anchor.place)
        return anchor.relative if base is None else compose(base, anchor.relative)

    def _pose_of_place(self, place: int) -> Array | None:
        index: Any = self.memory.map.index
        return np.array(index.poses[index.rows(np.array([place]))[0]]) if place in index else None


# Pictures by their features: which remembered one shows what another shows, and how the robot stood between the two.
#
# SIFT features, ratio test, and a two-view check for a robot that moves on a plane: of all turns and directions of
# motion the one that most features agree with. Where a turn alone explains them, both pictures were taken at one spot.


@dataclass(frozen=True)
class View:
    """Features of one picture: rays (n, 3) in base_link, descriptors (n, 128)."""

    rays: Array
    descriptors: NDArray[np.float32]


@dataclass(frozen=True)
class Match:
    """How the robot stood at a second picture, seen from where it stood at the first: `turn` to the left [rad],
    `direction` of the way there [rad], `parallax` [rad] that is left without the way; `agree` features agree."""

    agree: int
    turn: float
    direction: float
    parallax: float


class Eye:
    """Features of pictures of a robot's camera."""

    def __init__(self, robot: RobotDescription) -> None:
        camera = robot.camera
        assert camera is not None
        self._matrix, self._axes = camera.matrix, camera_axes(camera)
        self._sift = cv2.SIFT.create(nfeatures=300, contrastThreshold=0.01)
        self._scale = CONFIG.enlarged if camera.width < 320 else 1.0

    def look(self, image: NDArray[np.uint8]) -> View:
        """A picture (H, W, 3) by its features."""
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        large = cv2.resize(grey, None, fx=self._scale, fy=self._scale, interpolation=cv2.INTER_CUBIC)
        points, descriptors = self._sift.detectAndCompute(large, None)
        if descriptors is None or not points:
            return View(np.zeros((0, 3)), np.zeros((0, 128), np.float32))
        at = (np.array([p.pt for p in points]) + 0.5) / self._scale - 0.5
        fx, fy, cx, cy = self._matrix
        rays = np.stack([np.ones(len(at)), -(at[:, 0] - cx) / fx, -(at[:, 1] - cy) / fy], -1)  # ahead, left, up
        rays /= np.linalg.norm(rays, axis=1, keepdims=True)
        return View(rays @ self._axes.T, np.asarray(descriptors, np.float32))


def compare(first: View, second: View) -> Match | None:
    """How two pictures were taken from each other; None: too few features agree."""
    if min(len(first.rays), len(second.rays)) < CONFIG.enough:
        return None
    pairs = cv2.BFMatcher(cv2.NORM_L2).knnMatch(first.descriptors, second.descriptors, k=2)
    good = [m for m, other in (p for p in pairs if len(p) == 2) if m.distance < CONFIG.ratio * other.distance]
    if len(good) < CONFIG.enough:
        return None
    return _two_views(first.rays[[m.queryIdx for m in good]], second.rays[[m.trainIdx for m in good]])


def _two_views(a: Array, b: Array) -> Match | None:
    """Rays (n, 3) of the same things from two places."""
    turns, directions = np.radians(np.arange(-60, 61, 2.0)), np.radians(np.arange(-180, 180, 6.0))
    c, s = np.cos(turns)[:, None], np.sin(turns)[:, None]
    turned = np.stack(
        [c * b[:, 0] - s * b[:, 1], s * b[:, 0] + c * b[:, 1], np.broadcast_to(b[:, 2], (len(c), len(b)))], -1
    )
    apart = np.arccos(np.clip((turned * a).sum(-1), -1.0, 1.0))  # (turns, n): left without any way
    normal = np.cross(a[None], turned)
    size = np.linalg.norm(normal, axis=-1) + 1e-9
    way = np.stack([np.cos(directions), np.sin(directions)], -1)
    off = np.abs(np.einsum("tni,di->tdn", normal[..., :2], way)) / np.maximum(size, math.radians(2.0))[:, None]
    fits = off < math.sin(CONFIG.epipolar)
    fits |= (apart < CONFIG.ray)[:, None]
    # Features that lie where a point ahead would have moved to against the way do not count.
    count = fits.sum(-1)
    t, d = np.unravel_index(int((count - 2.0 * np.median(apart, axis=1)[:, None]).argmax()), count.shape)
    if count[t, d] < max(CONFIG.enough, CONFIG.share * len(a)):
        return None
    agree = fits[t, d]
    parallax = float(np.median(apart[t, agree]))
    still = (apart < 1.5 * CONFIG.ray).sum(axis=1)
    if still.max() >= 0.7 * count[t, d]:  # a turn alone explains them
        best = int(still.argmax())
        return Match(int(still[best]), float(turns[best]), 0.0, float(np.median(apart[best])))
    moved = ((turned[t][agree] - a[agree])[:, :2] @ way[d]).sum()  # things move against the way that was driven
    sign = -1.0 if moved > 0 else 1.0
    return Match(int(count[t, d]), float(turns[t]), math.atan2(sign * way[d, 1], sign * way[d, 0]), parallax)


@dataclass
class Album:
    """Remembered pictures, and where they were taken."""

    views: list[View] = field(default_factory=list)
    anchors: list[Anchor] = field(default_factory=list)

    def add(self, view: View, anchor: Anchor) -> None:
        """One more."""
        self.views.append(view)
        self.anchors.append(anchor)

    def find(self, goal: View) -> list[tuple[Anchor, Match]]:
        """Where pictures were taken that agree with `goal`, the best one first."""
        matches = ((anchor, compare(view, goal)) for view, anchor in zip(self.views, self.anchors, strict=True))
        found = [(anchor, match) for anchor, match in matches if match is not None]
        return sorted(found, key=lambda each: -each[1].agree)


# The robot without learning: explores by frontiers, remembers pictures, homes in on one by two-view geometry.
#
# It searches for as long as it may: candidate by candidate, then over frontiers and past all places that it remembers,
# comparing what it sees with the goal on the way.

Behaviour = Iterator[Command]


@dataclass(frozen=True)
class Outcome:
    """How a goal ended."""

    code: Code = Code.NONE
    message: str = ""


class ClassicalRobot:
    """Where it believes to be is a pose in its own map, whose origin is where it began.

    Attributes:
        mapping: that.
        path: where it truly was.
    """

    def __init__(self, simulator: Simulator) -> None:
        robot = simulator.description
        self.simulator, self._robot = simulator, robot
        self.mapping, self.album, self._eye = Mapping(), Album(), Eye(robot)
        self._gate = SafetyGate(from_mapping(SafetyConfig, safety_settings(robot)))
        self.path: list[Array] = []
        self._sense()

    @property
    def pose(self) -> Array:
        """(3,) where it believes to be."""
        return self.mapping.pose

    def restart(self) -> None:
        """It was switched on anew, anywhere."""
        self.mapping.restart()
        self._sense()

    def explore(self, seconds: float, report: Callable[[float], None]) -> None:
        """For so long, or until no frontier is left."""
        until = self.simulator.time + seconds
        for command in self._exploring(again=True):
            self._step(command)
            report(seconds - (until - self.simulator.time))
            if self.simulator.time >= until:
                break
        self._rest()

    def seek(self, picture: NDArray[np.uint8], allowance: float) -> Outcome:
        """Goes to where `picture` (H, W, 3) was taken, within `allowance` [s]."""
        self.path, self._outcome = [], Outcome(Code.GOAL_NOT_REMEMBERED, "no remembered picture shows it")
        until, goal = self.simulator.time + allowance, self._eye.look(picture)
        for command in self._seeking(goal):
            self._step(command)
            if self.simulator.time >= until:
                self._outcome = Outcome(Code.TIMEOUT, f"not reached within the {allowance:.0f} s allowed")
                break
        self._rest()
        return self._outcome

    def drive(self, kind: GoalKind, start: Array, goal: Array, length: float, allowance: float) -> Trial:
        """As `ClosedLoop.drive`."""
        began, contacts = self.simulator.time, self.simulator.ground_truth().contacts
        outcome = self.seek(self.simulator.photograph(goal), allowance)
        truth = self.simulator.ground_truth()
        ends = [(float(p[0]), float(p[1]), float(p[2])) for p in (start, goal, truth.pose)]
        return Trial(
            kind, ends[0], ends[1], length,
            "aborted" if outcome.code else "succeeded", True, ends[2], self.simulator.time - began,
            truth.contacts - contacts, 0, 0, int(outcome.code), outcome.message, np.array([start[:2], *self.path]),
            allowance_s=allowance,
        )  # fmt: skip

    # Behaviours: commands, one each `looks_each`

    def _exploring(self, again: bool = False) -> Behaviour:
        """From frontier to frontier, then where no picture was taken, each once; with `again` until none is left."""
        vain: list[Array] = []
        yield from self._turn(2 * math.pi)
        while True:
            ways = self._ways()
            way = ways.to_frontier(vain)
            way = way if len(way) else self._to_unseen(ways, vain)
            if not len(way):
                if not again or not vain:
                    return
                vain = []
                continue
            yield from self._along(way[-1], patience=25.0)
            yield 0.0, 0.0
            if np.hypot(*(self.pose[:2] - way[-1])) < 0.6:
                yield from self._turn(math.pi / 2)
            vain.append(way[-1])
            vain = vain[-60:]

    def _to_unseen(self, ways: Ways, vain: list[Array]) -> Array:
        """To the nearest free ground from near which there is no picture: a laser sees farther than a picture helps."""
        points, lengths = ways.reached()
        known = [self.mapping.pose_of(anchor)[:2] for anchor in self.album.anchors] + vain
        if not len(points) or not known:
            return np.zeros((0, 2))
        apart = np.hypot(*(points[:, None] - np.array(known)[None]).transpose(2, 0, 1)).min(1)
        lengths = np.where(apart > CONFIG.unseen, lengths, np.inf)
        nearest = int(lengths.argmin())
        return ways.to(points[nearest]) if np.isfinite(lengths[nearest]) else np.zeros((0, 2))

    def _seeking(self, goal: View) -> Behaviour:
        """Goes to what looks like the goal, best first, and looks for it everywhere else until it is found."""
        if not len(goal.rays):
            return
        yield from self._localise()
        vain: list[Array] = []  # where homing in on it failed
        if (yield from self._until_seen(self._turn(2 * math.pi), goal, vain)):
            yield from self._try(goal, vain)
        candidates, roaming = self.album.find(goal), self._roaming()
        while self._outcome.code:
            if not candidates:
                yield from self._until_seen(roaming, goal, vain)
                yield from self._try(goal, vain)
                continue
            anchor, match = candidates.pop(0)
            at = self.mapping.pose_of(anchor)
            if not self._is_near(at, vain):
                yield from self._along(at, patience=90.0)
                yield from self._face(float(wrap(at[2] + match.turn)))
                yield from self._try(goal, vain)

    def _try(self, goal: View, vain: list[Array]) -> Behaviour:
        """Homes in on it, and knows afterwards where that was in vain."""
        yield from self._home(goal)
        vain.append(self.pose.copy())

    def _localise(self) -> Behaviour:
        """Goes about until it knows where it is."""
        while not self.mapping.localised:
            yield from self._turn(2 * math.pi)
            yield from self._go(float(self.pose[2]), 0.5)

    def _roaming(self) -> Behaviour:
        """Over all frontiers, then to all remembered places, again and again, looking around at each."""
        yield from self._exploring()
        while True:
            poses = [self.mapping.pose_of(anchor) for anchor in self.album.anchors]
            while poses:
                nearest = int(np.argmin([np.hypot(*(pose - self.pose)[:2]) for pose in poses]))
                here = poses[nearest]
                poses = [pose for pose in poses if np.hypot(*(pose - here)[:2]) > CONFIG.tried]
                yield from self._along(here, patience=60.0)
                yield from self._turn(2 * math.pi)

    def _until_seen(self, behaviour: Behaviour, goal: View, vain: list[Array]) -> Generator[Command, None, bool]:
        """Does that until the camera shows the goal, not where that was tried in vain; whether it did."""
        for command in behaviour:
            yield command
            assert self._seen.image is not None
            if not self._is_near(self.pose, vain) and compare(self._eye.look(self._seen.image), goal) is not None:
                return True
        return False

    @staticmethod
    def _is_near(pose: Array, vain: list[Array]) -> bool:
        return any(np.hypot(*(pose - tried)[:2]) < CONFIG.tried for tried in vain)

    def _ways(self) -> Ways:
        return Ways(self.mapping.grid, self.pose, self._robot.shape.disc.radius)

    def _home(self, goal: View) -> Behaviour:
        """Turns and steps until the camera sees the goal as it was."""
        lost = 0
        for _ in range(CONFIG.steps):
            yield 0.0, 0.0
            assert self._seen.image is not None
            match = compare(self._eye.look(self._seen.image), goal)
            if match is None:
                lost += 1
                if lost > 4:
                    break
                yield from self._turn(math.radians(35.0) * (-1) ** lost * lost)
                continue
            heading = float(wrap(self.pose[2] + match.turn))
            if match.parallax < CONFIG.here:
                if abs(match.turn) < CONFIG.upright:
                    self._outcome = Outcome()
                    return
                yield from self._face(heading)
                continue
            points = scan_points(self._seen.scan, 8.0)
            ahead = points[np.abs(np.arctan2(points[:, 1], points[:, 0])) < 0.7]
            depth = float(np.median(np.hypot(*ahead.T))) if len(ahead) else 2.0  # [m], how far away things are
            length = float(np.clip(1.2 * match.parallax * depth, 0.08, 0.5))
            yield from self._go(float(wrap(self.pose[2] + match.direction)), length)
            yield from self._face(heading)
        self._outcome = Outcome(Code.FAILED_TO_MAKE_PROGRESS, "the picture was not recognised at the place")

    def _along(self, end: Array, patience: float) -> Behaviour:
        """Along a way to there that is looked for again and again."""
        began, planned, way = self.simulator.time, -math.inf, np.zeros((0, 2))
        while self.simulator.time < began + patience:
            if self.simulator.time > planned + CONFIG.replan:
                way, planned = self._ways().to(end), self.simulator.time
            if not len(way) or np.hypot(*(way[-1] - self.pose[:2])) < 0.15:
                return
            distance = np.hypot(*(way - self.pose[:2]).T)
            ahead = np.nonzero(distance[distance.argmin() :] > CONFIG.ahead)[0]
            aim = way[distance.argmin() + ahead[0]] if len(ahead) else way[-1]
            bearing = float(wrap(math.atan2(*(aim - self.pose[:2])[::-1]) - self.pose[2]))
            limits = self._robot.planned
            turn = float(np.clip(1.8 * bearing, -limits.angular, limits.angular))
            speed = limits.linear * min(1.0, distance[-1] / 0.4) * max(0.0, math.cos(bearing))
            yield speed if abs(bearing) < 1.0 else 0.0, turn

    def _go(self, heading: float, length: float) -> Behaviour:
        """Straight on; backwards where that is nearer to how it stands."""
        back = abs(wrap(heading - self.pose[2])) > math.radians(120) and length < 0.3
        yield from self._face(float(wrap(heading + math.pi)) if back else heading)
        start, until = self.pose.copy(), self.simulator.time + 6.0
        while np.hypot(*(self.pose - start)[:2]) < length and self.simulator.time < until:
            yield (-0.12 if back else 0.18), 0.0

    def _face(self, heading: float) -> Behaviour:
        until = self.simulator.time + 8.0
        while abs(off := float(wrap(heading - self.pose[2]))) > math.radians(2.5) and self.simulator.time < until:
            yield 0.0, float(np.clip(1.5 * off, -1.0, 1.0))

    def _turn(self, angle: float) -> Behaviour:
        for _ in range(math.ceil(abs(angle) / (0.9 * CONFIG.looks_each))):
            yield 0.0, math.copysign(0.9, angle)

    # One step

    def _rest(self) -> None:
        for _ in range(5):
            self._step((0.0, 0.0))

    def _step(self, command: Command) -> None:
        """Drives for `looks_each` behind the safety gate, then looks."""
        robot = self.simulator
        self._gate.scan(self._seen.scan, self._seen.stamp)
        for tick in range(round(CONFIG.looks_each / CONTROL_PERIOD)):
            self._gate.odometry(*robot.odometry(), robot.time)
            if tick % 5 == 0:
                self._gate.command(command[0], command[1], robot.time)
            robot.step(self._gate.output(robot.time).command, CONTROL_PERIOD)
        self.path.append(robot.ground_truth().pose[:2])
        self._sense()

    def _sense(self) -> None:
        seen = self._seen = self.simulator.observe()
        self.mapping.take(seen.stamp, seen.odometry, seen.scan)
        if seen.image is None or not self.mapping.localised:
            return
        poses = np.array([self.mapping.pose_of(anchor) for anchor in self.album.anchors]).reshape(-1, 3)
        near = np.hypot(*(poses - self.pose)[:, :2].T) < CONFIG.apart[0]
        if (near & (np.abs(wrap(poses[:, 2] - self.pose[2])) < CONFIG.apart[1])).any():
            return  # a picture from here is remembered
        view = self._eye.look(seen.image)
        if len(view.rays):
            self.album.add(view, self.mapping.anchor())
