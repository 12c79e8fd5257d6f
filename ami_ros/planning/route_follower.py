"""Which place of a route to aim at next."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ami_ros.core.commands import as_chunks
from ami_ros.core.geometry import Array, compose, relative
from ami_ros.core.scan import Scan
from ami_ros.memory.types import Location, Place, Route
from ami_ros.planning.scan_geometry import covers, free_range


@dataclass(frozen=True)
class FollowerConfig:
    """How far ahead to aim."""

    lookahead: float = 1.5  # [m] along the route to the sub-goal; larger: faster, but the model ranks less well
    width: float = 0.19  # [m] half width of the free corridor to a sub-goal; larger: nearer sub-goals at corners


@dataclass(frozen=True)
class FollowerRules:
    """Which places of a route count as passed, and when the robot turns on the spot."""

    least: float = 0.35  # [m], a sub-goal nearer than this is passed, if what comes after it is in sight ...
    close: float = 0.12  # [m] ... and else one nearer than this: it may stand at a corner
    spot: float = 0.2  # [m] between places of a route, less than which is one spot
    turn_from: float = 2.0  # [rad] off its heading, from which the robot first turns to a sub-goal on the spot ...
    turn_until: float = 0.9  # [rad] ... until it is no farther off: backing up is slow


@dataclass(frozen=True)
class Subgoal:
    """The place to aim at."""

    index: int  # in the route
    place: Place
    pose: Array  # (3,) in base_link now
    turn: float  # [rad] to turn first, on the spot; 0: it can be driven to as it is


class RouteFollower:
    """Follows one route.

    Args:
        route: see there. Of places on one spot it takes one: where the robot once looked around there are a dozen.
        config: see there.
        rules: see there.
    """

    def __init__(self, route: Route, config: FollowerConfig, rules: FollowerRules = FollowerRules()) -> None:
        kept = route.places[:1]
        for place in route.places[1:-1]:
            if np.hypot(*(place.pose - kept[-1].pose)[:2]) > rules.spot:
                kept.append(place)
        self.route = route = replace(route, places=[*kept, *route.places[1:][-1:]])
        self.config, self._rules = config, rules
        self.poses = np.stack([p.pose for p in route.places])
        steps = np.hypot(*np.diff(self.poses[:, :2], axis=0).T) if len(self.poses) > 1 else np.zeros(0)
        end = np.hypot(*(route.goal_pose[:2] - self.poses[-1, :2]))
        # Way left from each place to the goal [m].
        self.left = np.append(np.cumsum(steps[::-1])[::-1], 0.0) + end
        self.at = 0
        self._turning = False

    def update(self, pose: Array) -> float:
        """Notes that the robot is at `pose` (3,) in the map frame; returns its distance from the route [m]."""
        distance = np.hypot(*(self.poses[:, :2] - pose[:2]).T)
        ahead = distance + 0.05 * np.abs(np.arange(len(distance)) - self.at)
        self.at = int(np.argmin(ahead))
        if not self.at_end:
            return float(distance[self.at])
        # The straight way between the last place and the goal may lie off all places.
        leg, way = self.route.goal_pose[:2] - self.poses[-1, :2], pose[:2] - self.poses[-1, :2]
        share = float(np.clip(way @ leg / max(float(leg @ leg), 1e-9), 0.0, 1.0))
        return float(np.hypot(*(way - share * leg)))

    @property
    def at_end(self) -> bool:
        """Whether the robot is at the last place: what is left is the way from there to the goal."""
        return self.at == len(self.poses) - 1

    def remaining(self, pose: Array) -> float:
        """Way left to the goal [m]."""
        goal = float(np.hypot(*(self.route.goal_pose[:2] - pose[:2])))
        nearest = float(np.hypot(*(self.poses[self.at, :2] - pose[:2])))
        return max(goal, float(self.left[self.at]) - nearest)

    def experience(self, steps: int, chunk: int, width: int = 2) -> Array:
        """Commands (n, steps, width) driven from here and from the next place on, each the mean of its chunk."""
        here = self.route.places[self.at : self.at + 2]
        driven = [p.commands for p in here if p.commands is not None and len(p.commands)]
        return as_chunks(driven, steps, chunk, width).mean(2)

    def subgoal(self, pose: Array, scan: Scan | None) -> Subgoal:
        """The farthest place within the lookahead that the robot could drive to in a straight line, else the next.

        Places from the first one on count that was not passed: the nearest, or the next where the robot is on its way
        there. Between places that lie farther apart than the lookahead the nearest would be turned back to.
        """
        seen, first = relative(pose, self.poses), self.at
        if not self.at_end:
            leg, way = self.poses[self.at + 1, :2] - self.poses[self.at, :2], pose[:2] - self.poses[self.at, :2]
            first += float(way @ leg) > 0.0
        chosen = self._farthest_in_sight(seen, first, scan)
        bearing = _bearing(seen[chosen])
        self._turning = abs(bearing) > (self._rules.turn_until if self._turning else self._rules.turn_from)
        return Subgoal(chosen, self.route.places[chosen], seen[chosen], bearing if self._turning else 0.0)

    def _farthest_in_sight(self, seen: Array, first: int, scan: Scan | None) -> int:
        """Of the places from `first` on, (n, 3) of all in base_link."""
        distance = np.hypot(seen[:, 0], seen[:, 1])
        last, way = len(seen) - 1, self.left[self.at] - self.left
        within = [i for i in range(first, last + 1) if i == first or way[i] <= self.config.lookahead]
        for i in reversed(within):
            if distance[i] < self._rules.least and i < last:
                break
            if in_sight(seen[i], scan, self.config.width):
                return i
        following = next((i for i in range(first, last + 1) if distance[i] >= self._rules.least), last)
        before = following - 1
        # One that is not seen may lie behind a corner, at which the place before it stands.
        hidden = before >= first and distance[before] > self._rules.close and not in_sight(seen[following], scan)
        return before if hidden else following

    def ahead(self, pose: Array) -> Array:
        """The way (n, 2) from the place that the robot at `pose` (3,) is nearest to, in base_link."""
        return relative(pose, self.poses[self.at :])[:, :2]

    def hidden_leg(self, pose: Array, scan: Scan | None) -> int | None:
        """The first leg of the route (its first place's number) behind something solid, if no place ahead is seen.

        A place that lies round a corner is hidden, too; but never for long, while the ones before it are passed.
        """
        config = self.config
        seen = relative(pose, self.poses)
        distance = np.hypot(seen[:, 0], seen[:, 1])
        near = (self.left[self.at] - self.left <= config.lookahead) & (np.arange(len(distance)) > self.at)
        ahead = np.flatnonzero(near & (distance >= self._rules.least))
        if scan is None or not len(ahead):
            return None
        if any(in_sight(seen[i], scan) or not covers(scan, _bearing(seen[i])) for i in ahead):
            return None
        return int(ahead[0]) - 1


def in_sight(point: Array, scan: Scan | None, width: float = 0.05) -> bool:
    """Whether nothing stands between the robot and `point` (2+,) in base_link, up to `width` [m] to either side."""
    if scan is None:
        return True
    distance = float(np.hypot(point[0], point[1]))
    return distance < 0.25 or free_range(scan, _bearing(point), width) > distance


def _bearing(point: Array) -> float:
    return float(np.arctan2(point[1], point[0]))


def circles_here(circles: Array, location: Location | None, odometry: Array) -> Array:
    """Circles (n, 3): x, y, radius [m] in the map frame, as seen in base_link; none while memory is lost."""
    if location is None or not location.localised:
        return circles[:0]
    here = pose_in_map(location, odometry)
    centres = [relative(here, np.array([x, y, 0.0]))[:2] for x, y in circles[:, :2]]
    return np.column_stack([np.reshape(centres, (-1, 2)), circles[:, 2]])


def pose_in_map(location: Location, odometry: Array) -> Array:
    """The robot's pose (3,) in the map frame, moved on by odometry since the location was found."""
    return compose(location.pose, relative(location.odometry, odometry))
