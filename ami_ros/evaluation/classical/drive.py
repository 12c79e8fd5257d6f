"""The robot without learning: explores by frontiers, remembers pictures, homes in on one by two-view geometry."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ami_ros.commands import Command
from ami_ros.config import from_mapping
from ami_ros.evaluation.classical.views import Album, Eye, View, compare
from ami_ros.evaluation.goals import GoalKind
from ami_ros.evaluation.trials import Trial
from ami_ros.geometry import Array, compose, relative, wrap
from ami_ros.mission.occupancy import CELL, REACH, SIDE, Grid, Ways
from ami_ros.planning.codes import Code
from ami_ros.robots.derived import safety_settings
from ami_ros.safety.config import SafetyConfig
from ami_ros.safety.gate import SafetyGate
from ami_ros.scan import Scan, scan_points
from ami_ros.simulation.robot import CONTROL_PERIOD, Observation
from ami_ros.simulation.simulator import Simulator

SPREAD = 0.08  # how far a point may be off a wall [m]
COARSE, FINE = (0.15, 0.05, 0.14, 0.035), (0.04, 0.02, 0.03, 0.01)  # reach and step [m, m, rad, rad]
BEAMS = 120  # points that are matched, at most


class MatchingGrid(Grid):
    """A grid that tells where in it a scan was taken."""

    def match(self, guess: Array, scan: Scan) -> Array:
        """The pose (3,) near `guess` at which the scan fits best; the guess where little is known."""
        points = scan_points(scan, REACH)
        points = points[:: max(1, len(points) // BEAMS)]
        if len(points) < 10:
            return guess
        likely, corner = self._likely(guess)
        best, score = guess, self._score(likely, corner, guess[None], points)[0]
        if score < 0.15 * len(points):
            return guess
        for metres, step, radians, turn in (COARSE, FINE):
            d, a = np.arange(-metres, metres + 1e-9, step), np.arange(-radians, radians + 1e-9, turn)
            offsets = np.stack(np.meshgrid(d, d, a, indexing="ij"), -1).reshape(-1, 3)
            cost = 0.02 * len(points) * (np.abs(offsets) / (metres, metres, radians)).sum(axis=1)
            scores = self._score(likely, corner, best + offsets, points) - cost
            best = best + offsets[scores.argmax()]
        return np.asarray(best)

    def _likely(self, pose: Array) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """How well a point fits (0..1) around `pose`, and the first cell of that window."""
        half = round((REACH + 1.0) / CELL)
        corner = np.clip(self.cells(pose[None, :2])[0] - half, 0, SIDE - 2 * half)
        window = self.odds[corner[0] : corner[0] + 2 * half, corner[1] : corner[1] + 2 * half]
        distance = cv2.distanceTransform((window <= 0.5).astype(np.uint8), cv2.DIST_L2, 3) * CELL
        return np.exp(-((np.minimum(distance, 1.0) / SPREAD) ** 2)), corner

    def _score(
        self, likely: NDArray[np.float32], corner: NDArray[np.int64], poses: Array, points: Array
    ) -> NDArray[np.float64]:
        c, s = np.cos(poses[:, 2:]), np.sin(poses[:, 2:])
        x = poses[:, :1] + c * points[:, 0] - s * points[:, 1]
        y = poses[:, 1:2] + s * points[:, 0] + c * points[:, 1]
        i = np.clip(np.floor(x / CELL).astype(np.int64) + SIDE // 2 - corner[0], 0, len(likely) - 1)
        j = np.clip(np.floor(y / CELL).astype(np.int64) + SIDE // 2 - corner[1], 0, len(likely) - 1)
        return np.asarray(likely[i, j].sum(axis=1, dtype=np.float64))


PERIOD = 0.2  # between two looks [s]
APART = (0.4, math.radians(25.0))  # pictures that are remembered [m, rad]
REPLAN = 2.0  # [s]
AHEAD = 0.45  # on its way, that is aimed at [m]
HOME = 14  # steps of homing, at most
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
        pose: that.
        path: where it truly was.
    """

    def __init__(self, simulator: Simulator) -> None:
        robot = simulator.description
        self.simulator, self._robot = simulator, robot
        self.grid, self.album, self._eye = MatchingGrid(), Album(), Eye(robot)
        self.pose: Array = np.zeros(3)
        self._gate = SafetyGate(from_mapping(SafetyConfig, safety_settings(robot)))
        self._seen = simulator.observe()
        self._sense(np.zeros(3))
        self.path: list[Array] = []

    def carried(self, to: Array) -> None:
        """It is put at `to` (3,) of the world and told by how much."""
        before = self.simulator.ground_truth().pose
        self.simulator.place(to)
        self.pose = compose(self.pose, relative(before, to))
        self._seen = self.simulator.observe()

    def explore(self, seconds: float, report: Callable[[float], None]) -> None:
        """For so long, or until no frontier is left in reach."""
        until = self.simulator.time + seconds
        for command in self._exploring():
            self._step(command)
            report(seconds - (until - self.simulator.time))
            if self.simulator.time >= until:
                break
        self._rest()

    def drive(self, picture: NDArray[np.uint8], allowance: float) -> Outcome:
        """Goes to where `picture` (H, W, 3) was taken, within `allowance` [s]."""
        self.path, self._outcome = [], Outcome(Code.GOAL_NOT_REMEMBERED, "no remembered picture shows it")
        until = self.simulator.time + allowance
        for command in self._seeking(self._eye.look(picture)):
            self._step(command)
            if self.simulator.time >= until:
                self._outcome = Outcome(Code.TIMEOUT, f"not reached within the {allowance:.0f} s allowed")
                break
        self._rest()
        return self._outcome

    def trial(self, kind: GoalKind, start: Array, goal: Array, length: float, allowance: float) -> Trial:
        """As `ClosedLoop.drive`."""
        began, contacts = self.simulator.time, self.simulator.ground_truth().contacts
        outcome = self.drive(self.simulator.photograph(goal), allowance)
        truth = self.simulator.ground_truth()
        ends = [(float(p[0]), float(p[1]), float(p[2])) for p in (start, goal, truth.pose)]
        return Trial(
            kind, ends[0], ends[1], length,
            "aborted" if outcome.code else "succeeded", True, ends[2], self.simulator.time - began,
            truth.contacts - contacts, 0, 0, int(outcome.code), outcome.message, np.array([start[:2], *self.path]),
            allowance_s=allowance,
        )  # fmt: skip

    # Behaviours: commands, one each PERIOD

    def _exploring(self) -> Behaviour:
        vain: list[Array] = []
        yield from self._turn(2 * math.pi)
        while True:
            way = Ways(self.grid, self.pose, self._robot.shape.disc.radius).to_frontier(vain)
            if not len(way):
                return
            yield from self._along(lambda ways, end=way[-1]: ways.to(end), patience=25.0)  # type: ignore[misc]
            if np.hypot(*(self.pose[:2] - way[-1])) < 0.6:
                yield from self._turn(math.pi / 2)
            vain.append(way[-1])
            vain = vain[-60:]

    def _seeking(self, goal: View) -> Behaviour:
        found = self.album.find(goal)
        if found is None:
            yield from self._turn(2 * math.pi)
            found = self.album.find(goal)
        if found is None:
            return
        at, match = found
        yield from self._along(lambda ways: ways.to(at), patience=90.0)
        yield from self._face(float(wrap(at[2] + match.turn)))
        yield from self._home(goal)

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
                way, planned = route(Ways(self.grid, self.pose, self._robot.shape.disc.radius)), self.simulator.time
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
        robot, odometry = self.simulator, self._seen.odometry
        self._gate.scan(self._seen.scan, self._seen.stamp)
        for tick in range(round(PERIOD / CONTROL_PERIOD)):
            self._gate.odometry(*robot.odometry(), robot.time)
            if tick % 5 == 0:
                self._gate.command(command[0], command[1], robot.time)
            robot.step(self._gate.output(robot.time).command, CONTROL_PERIOD)
        self._seen = robot.observe()
        self.path.append(robot.ground_truth().pose[:2])
        self._sense(relative(odometry, self._seen.odometry))

    def _sense(self, moved: Array) -> None:
        seen: Observation = self._seen
        self.pose = self.grid.match(compose(self.pose, moved), seen.scan)
        self.grid.add(self.pose, seen.scan)
        poses = np.array(self.album.poses).reshape(-1, 3)
        known = (np.hypot(*(poses - self.pose)[:, :2].T) < APART[0]) & (
            np.abs(wrap(poses[:, 2] - self.pose[2])) < APART[1]
        )
        if seen.image is not None and not known.any():
            view = self._eye.look(seen.image)
            if len(view.rays):
                self.album.views.append(view)
                self.album.poses.append(self.pose.copy())


def coverage(robot: ClassicalRobot, start: Array) -> Array:
    """Where (n, 3) its pictures were taken, as it believes, in the world that it began in at `start` (3,)."""
    return np.array([compose(start, pose) for pose in robot.album.poses]).reshape(-1, 3)
