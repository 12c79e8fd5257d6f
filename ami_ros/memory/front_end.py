"""Scan front end: the map as it is driven. A place each metre, the steps between them as measured by scans, and loop
constraints once they are verified.

Odometry and scans together say how the robot moved from the last place, well enough for that whatever is remembered
elsewhere; so places are founded by distance, not by what is new to the model. Where the robot comes back to what it
knows is found by `LoopCloser`.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import numpy as np

from ami_ros.core.background import Backlog, Slices
from ami_ros.core.geometry import Array, combined, compose, fused, inverted, pose_gap, relative
from ami_ros.core.scan import Scan
from ami_ros.core.scan_matching import Match, Matcher
from ami_ros.core.submaps import Submap, scan_of
from ami_ros.memory.index import Latents
from ami_ros.memory.loop_closure import LoopCloser, LoopClosureConfig, LoopConstraint, is_apart
from ami_ros.memory.place_map import PlaceMap
from ami_ros.memory.pose_graph import PoseGraphConfig, WholeMap, relax
from ami_ros.memory.relocalisation import BeliefConfig, Compare, Relocaliser
from ami_ros.memory.surroundings import FreeWays
from ami_ros.memory.types import Edge, Experience
from ami_ros.world_model.scan_odometry import ScanOdometry, ScanOdometryConfig

FOUND = np.diag([0.05**2, 0.05**2, 0.02**2])  # covariance that is added where a robot has just been found
_OPTIMISE, _SEARCH, _AGAIN = range(3)  # priorities


@dataclass(frozen=True)
class FrontEndConfig:
    """How the map grows where there are scans."""

    completion: float = 3.0  # [m] driven beyond a place until its submap is complete and loops are searched
    optimise_after: int = 8  # new loop constraints until the pose graph is optimised again; larger: less often
    use: Literal["auto", "always", "never"] = "auto"  # use scans; auto: if the model compares pictures or has no camera
    window: int = 2500  # places that new loop constraints may move; larger: nearer to the optimum, a longer slice
    slices: int = 2  # of queued work after each scan, some 10 ms each; the rest in idle moments
    outvoted: float = 0.5  # [m] between a loop constraint and the optimised map at which it is dropped
    odometry: ScanOdometryConfig = field(default_factory=ScanOdometryConfig)
    loop_closure: LoopClosureConfig = field(default_factory=LoopClosureConfig)
    belief: BeliefConfig = field(default_factory=BeliefConfig)


@dataclass(frozen=True)
class FrontEndLimits:
    """When a robot counts as carried, and what work waits for what."""

    followed: float = 0.98  # confidence of who is followed by scans; measured
    lost: int = 2  # scans running that contradict what was seen just before: the robot was carried
    doubted: int = 5  # places running that are not what the map says: the robot is elsewhere
    back: float = (
        6.0  # [m] driven since it was lost, up to which it may be where odometry says: somebody was in the way
    )
    back_gap: tuple[float, float] = (0.3, 0.15)  # [m], [rad] off odometry ...
    back_drift: float = 0.1  # ... and more for each metre
    back_points: int = 15  # on walls of a place there, at least
    trusted: float = 15.0  # [m] of way since then, up to which ...
    away: float = 1.0  # ... a spot farther off than this [m] needs pictures that show it
    again: float = 15.0  # [m] of way before a loop whose places are looked at again once it is closed
    bent: float = 0.25  # [m] that constraints moved a place, from which all is solved ...
    unsolved: int = 400  # ... and ends of them
    behind: int = 8  # tasks that wait from which twice as much is done after a scan
    most_slices: int = 6  # the most that is done then


LIMITS = FrontEndLimits()


@dataclass
class OpenSubmap:
    """A place whose surroundings are not whole yet."""

    place_id: int
    track: Array  # (3,) where it lies in the frame of scan odometry
    way: float  # [m] driven until it was founded
    free: Array  # see `Submap`


class ScanFrontEnd:
    """Follows one robot through its map by scans.

    Args:
        places: the map, which grows.
        config: see there.
        spacing: [m], [rad] between places.
        pose_graph: of the map.

    Attributes:
        ways: which of them scans saw to be free.
    """

    def __init__(
        self, places: PlaceMap, config: FrontEndConfig, spacing: tuple[float, float], pose_graph: PoseGraphConfig
    ) -> None:
        self.places, self.config, self.spacing, self.pose_graph = places, config, spacing, pose_graph
        self.odometry = ScanOdometry(config.odometry, places.recogniser.turn if places.recogniser is not None else None)
        self.loop_closure = LoopCloser(places, config.loop_closure, pose_graph.way_sigma)
        self.relocaliser = Relocaliser(places, self.loop_closure, config.belief)
        self.ways = FreeWays(places, self.loop_closure.submaps)
        if places.recogniser is not None:
            places.recogniser.surroundings = self._seen_around
        self._backlog, self._new_constraints = Backlog(), 0
        self._unsolved = 0  # ends of constraints since the whole map was solved
        self._whole = WholeMap(places, pose_graph)
        self._removals = places.index.removals
        self._changed: set[int] = set()  # places with constraints since the pose graph was optimised
        self.restart()

    def restart(self) -> None:
        """The robot may have been carried."""
        self.odometry.restart()
        self.loop_closure.restart()
        self.relocaliser.restart()
        self.here = 0  # place id; 0: the robot is lost
        self._since = 0.0  # stamp at which the robot came to it
        self._step: tuple[Array, Array] = (np.zeros(3), np.zeros((3, 3)))  # from there: pose and covariance
        self._open: deque[OpenSubmap] = deque()
        self._strange = self._doubts = 0
        self._backlog.clear()
        if self._changed:
            self._backlog.add(_OPTIMISE, self._optimise)
        self._left: tuple[Array, Array] | None = None  # (3,) in the map and in odom, where it was last known to be ...
        self._astray = 0.0  # ... and the way that it has driven since [m]

    @property
    def confidence(self) -> float:
        """Share of such moments in which the robot is where it is believed to be."""
        return LIMITS.followed if self.settled else min(LIMITS.followed, self.relocaliser.belief.mass)

    @property
    def settled(self) -> bool:
        """Whether all other poses of the map are refuted. Until then nothing is learned."""
        return not self.relocaliser.belief.modes

    @property
    def pose(self) -> Array:
        """(3,) of the robot in the map."""
        return compose(self.places.index.poses[self.places.index.row(self.here)], self._step[0])

    def move(self, odometry: Array, scan: Scan, code: Latents | None = None) -> None:
        """The robot is at `odometry` (3,) now and sees `scan`, in base_link, and a picture with such a `code`."""
        step = self.odometry.move(odometry, scan, code)
        self._step = combined(self._step, (step.motion, step.covariance))
        self._astray += float(np.hypot(*step.motion[:2]))
        self._strange = self._strange + 1 if step.strange else 0
        if self._strange >= LIMITS.lost:
            left, astray = ((self.pose, np.array(odometry)), 0.0) if self.here else (self._left, self._astray)
            self.restart()
            self.odometry.move(odometry, scan, code)
            self._left, self._astray = left, astray

    def surroundings(self) -> Submap:
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
        deviation, turned = self.loop_closure.deviation(self.here, place_id)
        if deviation >= self.config.loop_closure.sure:
            return 0
        match = self.loop_closure.compare(self.surroundings(), place_id, expected, deviation)
        self._doubts = 0 if match is not None else self._doubts + doubting
        if match is None:
            if self._doubts >= LIMITS.doubted:
                self.restart()
            return 0
        seen = match.pose, match.covariance
        if not self.config.odometry.measured:
            seen = match.pose, match.covariance + self.loop_closure.floor
        whole, spread = combined(self._step, seen)
        if not self.config.odometry.measured:  # what the map says of places close by is better than a guess
            off = np.diag(np.square([deviation, deviation, turned])) + self._step[1]
            seen = fused((expected, off), seen)
        # The pose of the robot as seen from the place, and its covariance there.
        back, covariance = inverted(seen)
        is_loop = not self.loop_closure.is_recent(place_id)
        if self.settled:
            self._link(Edge(self.here, place_id, whole, 1, stamp - self._since, 0, stamp, spread, is_loop))
        self._at(place_id, stamp, back, covariance)
        return place_id

    def look_around(self, latent: Latents | None, odometry: Array, stamp: float, compare: Compare) -> None:
        """Looks for a lost robot at `odometry` (3,), and goes on where it is; see `Relocaliser.look`.

        One that was just found looks, without a latent, where else it may be: another pose may explain better what it
        has seen since.
        """
        relocaliser, belief, expected = self.relocaliser, self.relocaliser.belief, self._by_odometry(odometry)
        around = None if expected is None else (expected, LIMITS.away + LIMITS.back_drift * self._astray)
        relocaliser.look(self.surroundings(), odometry, compare, latent, around)
        if self.here and (belief.mass < self.config.belief.lost or is_apart(belief.modes[0].where, self.pose)):
            self.here = 0
        if not self.here:
            self._arrives(relocaliser.found, stamp)
        elif belief.is_settled:
            relocaliser.restart()

    def look_near(self, where: Array, reach: float, turn: float, stamp: float) -> bool:
        """Looks for a robot where it is said to be, and goes on from there; see `Relocaliser.find_near`."""
        found = self.relocaliser.find_near(self.surroundings(), where, reach, turn)
        self.relocaliser.restart()
        return self._arrives(found, stamp)

    def _arrives(self, found: tuple[int, Match] | None, stamp: float) -> bool:
        """Goes on from where a lost robot was found, if it was."""
        if found is None:
            return False
        back, covariance = inverted((found[1].pose, found[1].covariance))
        self._at(found[0], stamp, back, covariance + FOUND)
        return True

    def _by_odometry(self, odometry: Array) -> Array | None:
        """Where a lost robot is in the map (3,) if it was not carried; None: it has driven too far to tell."""
        if self._left is None or self._astray > LIMITS.trusted:
            return None
        there, then = self._left
        return compose(there, relative(then, odometry))

    def go_on(self, odometry: Array, stamp: float) -> bool:
        """Whether a robot that seemed to be carried was not: it sees what is to be seen where odometry has it."""
        index, expected = self.places.index, self._by_odometry(odometry)
        if expected is None or self._left is None or not len(self.places):
            return False
        driven = float(np.hypot(*(odometry - self._left[1])[:2]))
        if driven > LIMITS.back:
            return False
        row = int(np.hypot(*(index.poses[:, :2] - expected[:2]).T).argmin())
        other = self.loop_closure.submaps.of(int(index.ids[row]))
        if other is None:
            return False
        at = relative(expected, index.poses[row])
        sigma = np.array(LIMITS.back_gap)[[0, 0, 1]] / 2 + LIMITS.back_drift * driven / 2
        match = Matcher(self.surroundings()).fit(other, at, np.diag(np.square(sigma)))
        config = self.config.loop_closure
        if match is None or match.support < config.support or match.conflict > config.known_conflict:
            return False
        if match.count < LIMITS.back_points or np.greater(pose_gap(match.pose, at), 2 * sigma[1:]).any():
            return False
        back, covariance = inverted((match.pose, match.covariance))
        self._at(int(index.ids[row]), stamp, back, covariance + FOUND)
        self.relocaliser.restart()
        return True

    def leave(self, ids: set[int]) -> None:
        """Places were forgotten."""
        self._open = deque(place for place in self._open if place.place_id not in ids)
        self.loop_closure.leave(ids)
        self._changed -= ids
        if self.here in ids:
            self.here = 0

    def _seen_around(self, place_id: int) -> Scan | None:
        """What the laser saw where a place is; None: it has no submap."""
        free = self.loop_closure.submaps.free(place_id)
        return None if free is None else scan_of(free)

    def founded(self, place_id: int, stamp: float, submap: Submap) -> None:
        """A place was founded where the robot is."""
        if self.here:
            pose, covariance = self._step
            self._link(Edge(self.here, place_id, pose, 1, stamp - self._since, 0, stamp, covariance))
        self.loop_closure.ways[place_id] = self.odometry.way
        self._open.append(OpenSubmap(place_id, self.odometry.pose, self.odometry.way, submap.free))
        self.keep(place_id, submap)
        self._at(place_id, stamp, np.zeros(3), np.zeros((3, 3)))

    def _at(self, place_id: int, stamp: float, pose: Array, covariance: Array) -> None:
        self.here, self._since, self._step = place_id, stamp, (pose, covariance)
        self._left = None

    def keep(self, place_id: int, submap: Submap) -> None:
        """What a laser saw around a place is remembered."""
        self.loop_closure.submaps.put(place_id, submap)
        self.places.store.put_experience(place_id, Experience(submap=submap.pack()))

    def _link(self, edge: Edge) -> None:
        self.places.add_edge(edge)

    # Loop constraints

    def complete(self, everything: bool = False) -> None:
        """Queues the search for constraints of places whose surroundings are whole now; `everything`: does it, too."""
        while self._open and (everything or self.odometry.way - self._open[0].way > self.config.completion):
            done = self._open.popleft()
            whole = self.odometry.surroundings(done.track)
            self.keep(done.place_id, Submap(whole.points, done.free))
            self._backlog.add(_SEARCH, partial(self._search, done.place_id))
        while everything and self._backlog.step():
            pass

    def work(self, slices: int = 1) -> bool:
        """Does some of what is queued; False: there is nothing left to do."""
        if self._removals != self.places.index.removals:  # what is under way knows places by their rows
            self._removals = self.places.index.removals
            self._backlog.begin_again()
        return all(self._backlog.step() or self._whole.step() for _ in range(slices))

    def stop(self) -> None:
        """Ends what is done in the background."""
        self._whole.stop()

    def keep_up(self) -> None:
        """Does so much between two scans that what is queued gets no longer."""
        self.work(min(self.config.slices * (1 + len(self._backlog) // LIMITS.behind), LIMITS.most_slices))

    def _search(self, place_id: int, again: bool = False) -> Slices[None]:
        """Looks for constraints of a place; `again`: now that it is known where the loop is that it is a part of."""
        if place_id not in self.places.index:
            return
        found = yield from self.loop_closure.look(place_id)
        for constraint in found:
            self.constrain(constraint)
        if again:
            return
        self._new_constraints += len(found)
        if len(found) > 1:  # a loop was closed: what came before is looked at again
            self._backlog.add(_OPTIMISE, self._optimise)
            first, ways = min(constraint.way for constraint in found), self.loop_closure.ways
            known = {constraint.start for constraint in found}
            for i, way in ways.items():
                if first - LIMITS.again < way < ways[place_id] and i not in known:
                    self._backlog.add(_AGAIN, partial(self._search, i, again=True))
            self._backlog.add(_AGAIN, self._optimise)
        elif self._new_constraints >= self.config.optimise_after:
            self._backlog.add(_OPTIMISE, self._optimise)

    def relax(self) -> None:
        """Queues the optimisation around new constraints."""
        self._backlog.add(_OPTIMISE, self._optimise)

    def constrain(self, constraint: LoopConstraint) -> None:
        """Takes in a loop constraint that is believed; see `relax`."""
        ends, free = (
            (constraint.start, constraint.stop),
            self.ways.along(constraint.start, constraint.stop, constraint.relative),
        )
        self._link(Edge(*ends, constraint.relative, int(free), 0.0, 0, 0.0, constraint.covariance, True))
        self._changed.update(ends)

    def _optimise(self) -> Slices[None]:
        """Moves the places around new constraints so that what was measured agrees, and drops constraints that the rest
        contradicts."""
        changed, self._changed, self._new_constraints = self._changed, set(), 0
        if len(self.places) < 3 or not changed:
            return
        rows, moved = yield from relax(self.places, self.pose_graph, changed, self.config.window)
        self._unsolved += len(changed)
        if len(self.places) > self.config.window and (moved > LIMITS.bent or self._unsolved > LIMITS.unsolved):
            self._unsolved = 0
            self._whole.ask()
        edges = self.places.graph.edges.columns[rows]
        constraints = edges[edges["loop"] > 0]
        start, stop = (self.places.index.poses[self.places.index.rows(constraints[k])] for k in ("start", "stop"))
        wanted = np.column_stack([constraints[k] for k in ("x", "y", "yaw")])
        gap, turn = pose_gap(relative(start, stop), wanted)
        wrong = (gap > self.config.outvoted) | (turn > 0.3)
        for edge in constraints[wrong]:
            self.places.drop_edge(int(edge["start"]), int(edge["stop"]))
