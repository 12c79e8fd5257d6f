"""The robot without learning: explores by frontiers, remembers pictures, homes in on one by two-view geometry.

It searches for as long as it may: candidate by candidate, then over frontiers and past all places that it remembers,
comparing what it sees with the goal on the way.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ami_ros.commands import Command
from ami_ros.config import from_mapping
from ami_ros.evaluation.classical.mapping import Mapping
from ami_ros.evaluation.classical.views import Album, Eye, View, compare
from ami_ros.evaluation.goals import GoalKind
from ami_ros.evaluation.trials import Trial
from ami_ros.geometry import Array, compose, wrap
from ami_ros.mission.ways import Ways
from ami_ros.planning.codes import Code
from ami_ros.robots.derived import safety_settings
from ami_ros.safety.config import SafetyConfig
from ami_ros.safety.gate import SafetyGate
from ami_ros.scan import scan_points
from ami_ros.simulation.robot import CONTROL_PERIOD
from ami_ros.simulation.simulator import Simulator

PERIOD = 0.2  # between two looks [s]
APART = (0.4, math.radians(25.0))  # pictures that are remembered [m, rad]
REPLAN = 2.0  # [s]
AHEAD = 0.45  # on its way, that is aimed at [m]
HOME = 14  # steps of homing, at most
UNSEEN = 1.0  # from the nearest picture [m]
TRIED = 1.0  # around where the goal was not, it is not looked for again [m]
HERE = math.radians(1.6)  # parallax at which two pictures are from one spot [rad]
UPRIGHT = math.radians(6.0)  # and turn

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

    # Behaviours: commands, one each PERIOD

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
            yield from self._along(lambda ways, end=way[-1]: ways.to(end), patience=25.0)  # type: ignore[misc]
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
        lengths = np.where(apart > UNSEEN, lengths, np.inf)
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
                yield from self._along(lambda ways, end=at: ways.to(end), patience=90.0)  # type: ignore[misc]
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
                poses = [pose for pose in poses if np.hypot(*(pose - here)[:2]) > TRIED]
                yield from self._along(lambda ways, end=here: ways.to(end), patience=60.0)  # type: ignore[misc]
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
        return any(np.hypot(*(pose - tried)[:2]) < TRIED for tried in vain)

    def _ways(self) -> Ways:
        return Ways(self.mapping.grid, self.pose, self._robot.shape.disc.radius)

    def _home(self, goal: View) -> Behaviour:
        """Turns and steps until the camera sees the goal as it was."""
        lost = 0
        for _ in range(HOME):
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
            if match.parallax < HERE:
                if abs(match.turn) < UPRIGHT:
                    self._outcome = Outcome()
                    return
                yield from self._face(heading)
                continue
            length = float(np.clip(1.2 * match.parallax * self._depth(), 0.08, 0.5))
            yield from self._go(float(wrap(self.pose[2] + match.direction)), length)
            yield from self._face(heading)
        self._outcome = Outcome(Code.FAILED_TO_MAKE_PROGRESS, "the picture was not recognised at the place")

    def _depth(self) -> float:
        """How far away things are [m], on the whole, ahead."""
        points = scan_points(self._seen.scan, 8.0)
        ahead = points[np.abs(np.arctan2(points[:, 1], points[:, 0])) < 0.7]
        return float(np.median(np.hypot(*ahead.T))) if len(ahead) else 2.0

    def _along(self, route: Callable[[Ways], Array], patience: float) -> Behaviour:
        """Along a way that is looked for again and again."""
        began, planned, way = self.simulator.time, -math.inf, np.zeros((0, 2))
        while self.simulator.time < began + patience:
            if self.simulator.time > planned + REPLAN:
                way, planned = route(self._ways()), self.simulator.time
            if not len(way) or np.hypot(*(way[-1] - self.pose[:2])) < 0.15:
                return
            distance = np.hypot(*(way - self.pose[:2]).T)
            ahead = np.nonzero(distance[distance.argmin() :] > AHEAD)[0]
            aim = way[distance.argmin() + ahead[0]] if len(ahead) else way[-1]
            bearing = float(wrap(math.atan2(*(aim - self.pose[:2])[::-1]) - self.pose[2]))
            yield self._towards(bearing, self._robot.planned.linear * min(1.0, distance[-1] / 0.4))

    def _towards(self, bearing: float, speed: float) -> Command:
        turn = float(np.clip(1.8 * bearing, -self._robot.planned.angular, self._robot.planned.angular))
        return speed * max(0.0, math.cos(bearing)) if abs(bearing) < 1.0 else 0.0, turn

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
        for _ in range(math.ceil(abs(angle) / (0.9 * PERIOD))):
            yield 0.0, math.copysign(0.9, angle)

    # One step

    def _rest(self) -> None:
        for _ in range(5):
            self._step((0.0, 0.0))

    def _step(self, command: Command) -> None:
        """Drives for PERIOD behind the safety gate, then looks."""
        robot = self.simulator
        self._gate.scan(self._seen.scan, self._seen.stamp)
        for tick in range(round(PERIOD / CONTROL_PERIOD)):
            self._gate.odometry(*robot.odometry(), robot.time)
            if tick % 5 == 0:
                self._gate.command(command[0], command[1], robot.time)
            robot.step(self._gate.output(robot.time).command, CONTROL_PERIOD)
        self.path.append(robot.ground_truth().pose[:2])
        self._sense()

    def _sense(self) -> None:
        seen = self._seen = self.simulator.observe()
        self.mapping.take(seen.stamp, seen.odometry, seen.scan)
        if seen.image is None or not self.mapping.localised or self._knows_this():
            return
        view = self._eye.look(seen.image)
        if len(view.rays):
            self.album.add(view, self.mapping.anchor())

    def _knows_this(self) -> bool:
        """Whether a picture from here is remembered."""
        poses = np.array([self.mapping.pose_of(anchor) for anchor in self.album.anchors]).reshape(-1, 3)
        near = np.hypot(*(poses - self.pose)[:, :2].T) < APART[0]
        return bool((near & (np.abs(wrap(poses[:, 2] - self.pose[2])) < APART[1])).any())


def coverage(robot: ClassicalRobot, start: Array) -> Array:
    """Where (n, 3) its pictures were taken, as it believes, in the world that it began in at `start` (3,)."""
    poses = [robot.mapping.pose_of(anchor) for anchor in robot.album.anchors]
    return np.array([compose(start, pose) for pose in poses]).reshape(-1, 3)
