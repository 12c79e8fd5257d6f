"""The map as it is driven and scanned: a place each metre, steps between them as measured, joins once verified.

Odometry and scans together say how the robot moved from the last place, well enough for that whatever is remembered
elsewhere; so places are founded by distance, not by what is new to the model. Where the robot comes back to what it
knows is found by `Closures`.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from ami_ros.geometry import Array, compose, pose_gap, relative
from ami_ros.measured_steps import combined, inverted
from ami_ros.memory.closures import ClosureConfig, Closures
from ami_ros.memory.free_ways import FreeWays
from ami_ros.memory.index import Latents
from ami_ros.memory.loop_hypotheses import Join
from ami_ros.memory.place_map import PlaceMap
from ami_ros.memory.relaxation import RelaxationConfig
from ami_ros.memory.relocation import Compare, Relocation
from ami_ros.memory.rows import Experience
from ami_ros.memory.scan_odometry import ScanOdometry, ScanOdometryConfig
from ami_ros.memory.types import Edge
from ami_ros.outlines import Outline
from ami_ros.scan import Scan
from ami_ros.scan_matching import Match, Matcher

FOUND = np.diag([0.05**2, 0.05**2, 0.02**2])  # covariance that is added where a robot has just been found
FOLLOWED, LOOKED_FOR = 0.98, 0.9  # confidence of who is followed by scans, and of who was just found; measured (0073)
CONFIRMS = 0.5  # [m] driven since, at which a place that is as it is remembered confirms it: nearer the same is seen
DOUBTED = 5  # places running that are not what the map says: the robot is elsewhere
LOST = 2  # scans running that contradict what was seen just before: the robot was carried
BACK = 6.0  # [m] driven since then, up to which it may be where odometry says all the same: somebody was in the way
BACK_GAP, BACK_DRIFT = (0.3, 0.15), 0.1  # [m], [rad] off odometry, and more for each metre
TRUSTED, AWAY = 15.0, 1.0  # [m] of way since then, up to which a spot farther off than this needs pictures that show it
BACK_POINTS = 15  # on walls of a place there, at least


@dataclass(frozen=True)
class SurveyConfig:
    """How the map grows where there are scans."""

    completion: float = 3.0  # [m] driven beyond a place after which its surroundings are whole, and joins looked for
    relax_joins: int = 8  # joins after which the map is relaxed; more: less often
    use: Literal["auto", "always", "never"] = "auto"  # of scans; auto: unless the model knows one place by its pictures
    outvoted: float = 0.5  # [m] by which the relaxed map contradicts a join that is then dropped
    odometry: ScanOdometryConfig = field(default_factory=ScanOdometryConfig)
    closures: ClosureConfig = field(default_factory=ClosureConfig)


@dataclass
class Surveyed:
    """A place whose surroundings are not whole yet."""

    place_id: int
    track: Array  # (3,) where it lies in the frame of scan odometry
    way: float  # [m] driven until it was founded
    free: Array  # see `Outline`


class Survey:
    """Follows one robot through its map by scans.

    Args:
        places: the map, which grows.
        config: see there.
        spacing: [m], [rad] between places.
        relaxation: of the map.
    """

    def __init__(
        self, places: PlaceMap, config: SurveyConfig, spacing: tuple[float, float], relaxation: RelaxationConfig
    ) -> None:
        self.places, self.config, self.spacing, self.relaxation = places, config, spacing, relaxation
        self.odometry = ScanOdometry(config.odometry)
        self.closures = Closures(places, config.closures, relaxation.way_sigma)
        self.relocation = Relocation(places, self.closures)
        self._ways = FreeWays(places, self.closures.outlines)
        places.graph.free = self._ways
        self.restart()

    def restart(self) -> None:
        """The robot may have been carried."""
        self.odometry.restart()
        self.closures.restart()
        self.relocation.restart()
        self.here = 0  # place id; 0: the robot is lost
        self._found: float | None = None  # [m] of way at which it was found, if nothing has confirmed that since
        self._since = 0.0  # stamp at which the robot came to it
        self._step: tuple[Array, Array] = (np.zeros(3), np.zeros((3, 3)))  # from there: pose and covariance
        self._open: deque[Surveyed] = deque()
        self._joined = self._strange = self._doubts = 0
        self._left: tuple[Array, Array] | None = None  # (3,) in the map and in odom, where it was last known to be ...
        self._astray = 0.0  # ... and the way that it has driven since [m]

    @property
    def confidence(self) -> float:
        """Share of such moments in which the robot is where it is believed to be."""
        return FOLLOWED if self._found is None else LOOKED_FOR

    @property
    def pose(self) -> Array:
        """(3,) of the robot in the map."""
        return compose(self.places.index.poses[self.places.index.row(self.here)], self._step[0])

    def move(self, odometry: Array, scan: Scan) -> None:
        """The robot is at `odometry` (3,) now and sees `scan`, in base_link."""
        step = self.odometry.move(odometry, scan)
        self._step = combined(self._step, (step.motion, step.covariance))
        self._astray += float(np.hypot(*step.motion[:2]))
        self._strange = self._strange + 1 if step.strange else 0
        if self._strange >= LOST:
            left, astray = ((self.pose, np.array(odometry)), 0.0) if self.here else (self._left, self._astray)
            self.restart()
            self.odometry.move(odometry, scan)
            self._left, self._astray = left, astray

    def surroundings(self) -> Outline:
        """What was seen around the robot."""
        return self.odometry.surroundings(self.odometry.pose)

    def due(self) -> bool:
        """Whether the robot is far enough from the last place for the next one."""
        distance, turn = pose_gap(self._step[0], np.zeros(3))
        return bool(distance >= self.spacing[0] or turn >= self.spacing[1])

    @property
    def covariance(self) -> Array:
        """(3, 3) of the robot's pose as seen from the last place."""
        return self._step[1]

    def recognise(self, stamp: float, doubting: bool = False) -> int:
        """Arrives at another place that is known to be here, if scans confirm it; its id, or 0.

        Args:
            stamp: of now [s].
            doubting: where several places running are not what the map says, the robot is lost.
        """
        if not self.here:
            return 0
        index, pose = self.places.index, self.pose
        place_id, distance, turn = self.places.nearest(pose, *self.spacing)
        if place_id in (0, self.here) or distance >= self.spacing[0] or turn >= self.spacing[1]:
            return 0
        expected = relative(pose, index.poses[index.row(place_id)])
        deviation = self.closures.deviation(self.here, place_id)
        if deviation >= self.config.closures.sure:
            return 0
        match = self.closures.compare(self.surroundings(), place_id, expected, deviation)
        self._doubts = 0 if match is not None else self._doubts + doubting
        if match is None:
            if self._doubts >= DOUBTED:
                self.restart()
            return 0
        if self._found is not None and self.odometry.way - self._found > CONFIRMS:
            self._found = None
        # The pose of the robot as seen from the place, and its covariance there.
        back, covariance = inverted((match.pose, match.covariance))
        whole, spread = combined(self._step, (match.pose, match.covariance))
        joined = not self.closures.is_recent(place_id)
        self._link(Edge(self.here, place_id, whole, 1, stamp - self._since, 0, stamp, spread, joined))
        self._at(place_id, stamp, back, covariance)
        return place_id

    def relocate(self, latent: Latents, odometry: Array, stamp: float, compare: Compare) -> bool:
        """Looks in the whole map for a lost robot at `odometry` (3,), and goes on from there; see `Relocation.find`."""
        by_odometry = self._by_odometry(odometry)
        expected = None if by_odometry is None else (by_odometry, AWAY + BACK_DRIFT * self._astray)
        return self._arrives(self.relocation.find(self.surroundings(), latent, odometry, compare, expected), stamp)

    def look_near(self, where: Array, reach: float, turn: float, stamp: float) -> bool:
        """Looks for a robot where it is said to be, and goes on from there; see `Relocation.find_near`."""
        return self._arrives(self.relocation.find_near(self.surroundings(), where, reach, turn), stamp)

    def _arrives(self, found: tuple[int, Match] | None, stamp: float) -> bool:
        """Goes on from where a lost robot was found, if it was."""
        if found is None:
            return False
        back, covariance = inverted((found[1].pose, found[1].covariance))
        self._at(found[0], stamp, back, covariance + FOUND)
        self._found = self.odometry.way
        return True

    def _by_odometry(self, odometry: Array) -> Array | None:
        """Where a lost robot is in the map (3,) if it was not carried; None: it has driven too far to tell."""
        if self._left is None or self._astray > TRUSTED:
            return None
        there, then = self._left
        return compose(there, relative(then, odometry))

    def go_on(self, odometry: Array, stamp: float) -> bool:
        """Whether a robot that seemed to be carried was not: it sees what is to be seen where odometry has it."""
        index, expected = self.places.index, self._by_odometry(odometry)
        if expected is None or self._left is None or not len(self.places):
            return False
        driven = float(np.hypot(*(odometry - self._left[1])[:2]))
        if driven > BACK:
            return False
        row = int(np.hypot(*(index.poses[:, :2] - expected[:2]).T).argmin())
        other = self.closures.outlines.of(int(index.ids[row]))
        if other is None:
            return False
        at = relative(expected, index.poses[row])
        sigma = np.array(BACK_GAP)[[0, 0, 1]] / 2 + BACK_DRIFT * driven / 2
        match = Matcher(self.surroundings()).fit(other, at, np.diag(np.square(sigma)))
        config = self.config.closures
        if match is None or match.support < config.support or match.conflict > config.known_conflict:
            return False
        if match.count < BACK_POINTS or np.greater(pose_gap(match.pose, at), 2 * sigma[1:]).any():
            return False
        back, covariance = inverted((match.pose, match.covariance))
        self._at(int(index.ids[row]), stamp, back, covariance + FOUND)
        return True

    def leave(self, ids: set[int]) -> None:
        """Places were forgotten."""
        self._open = deque(place for place in self._open if place.place_id not in ids)
        self.closures.leave(ids)
        if self.here in ids:
            self.here = 0

    def founded(self, place_id: int, stamp: float, outline: Outline) -> None:
        """A place was founded where the robot is."""
        if self.here:
            pose, covariance = self._step
            self._link(Edge(self.here, place_id, pose, 1, stamp - self._since, 0, stamp, covariance))
        self.closures.ways[place_id] = self.odometry.way
        self._open.append(Surveyed(place_id, self.odometry.pose, self.odometry.way, outline.free))
        self._keep(place_id, outline)
        self._at(place_id, stamp, np.zeros(3), np.zeros((3, 3)))

    def _at(self, place_id: int, stamp: float, pose: Array, covariance: Array) -> None:
        self.here, self._since, self._step = place_id, stamp, (pose, covariance)
        self._left = None
        self.relocation.restart()

    def _keep(self, place_id: int, outline: Outline) -> None:
        self.closures.outlines.put(place_id, outline)
        self.places.store.put_experience(place_id, Experience(outline=outline.pack()))

    def _link(self, edge: Edge) -> None:
        self.places.add_edge(edge)

    # Joins

    def complete(self, everything: bool = False) -> bool:
        """Looks for joins of places whose surroundings are whole now; True: the map was relaxed."""
        moved = False
        while self._open and (everything or self.odometry.way - self._open[0].way > self.config.completion):
            done = self._open.popleft()
            whole = self.odometry.surroundings(done.track)
            self._keep(done.place_id, Outline(whole.points, whole.normals, done.free))
            moved |= self._look(done.place_id)
        return moved

    def _look(self, place_id: int) -> bool:
        found = self.closures.look(place_id)
        for join in found:
            self._join(join)
        self._joined += len(found)
        if len(found) > 1:  # a loop was closed: what came before is looked at again, now that it is known where
            self.relax()
            first = min(join.way for join in found)
            recent = [i for i, way in self.closures.ways.items() if first - 15.0 < way < self.closures.ways[place_id]]
            known = {join.start for join in found}
            for i in recent:
                if i not in known and i in self.places.index:
                    for join in self.closures.look(i):
                        self._join(join)
            self.relax()
            return True
        if self._joined >= self.config.relax_joins:
            self.relax()
            return True
        return False

    def _join(self, join: Join) -> None:
        free = self._ways.along(join)
        self._link(Edge(join.start, join.stop, join.relative, int(free), 0.0, 0, 0.0, join.covariance, True))

    def relax(self) -> None:
        """Moves the places so that what was measured agrees, and drops joins that the rest contradicts."""
        self._joined = 0
        if len(self.places) < 3:
            return
        self.places.relax(self.relaxation)
        edges = self.places.graph.edges.columns
        joins = edges[edges["joined"] > 0]
        start, stop = (self.places.index.poses[self.places.index.rows(joins[k])] for k in ("start", "stop"))
        wanted = np.column_stack([joins[k] for k in ("x", "y", "yaw")])
        gap, turn = pose_gap(relative(start, stop), wanted)
        wrong = (gap > self.config.outvoted) | (turn > 0.3)
        for edge in joins[wrong]:
            self.places.drop_edge(int(edge["start"]), int(edge["stop"]))
