"""Exploring: drives to where it has never been, looks around there, and then goes
to where the world model was unsure although the place is remembered.

Memory knows places, not free space, so what is new is made of both: a spot that scans showed to be free and that can
be reached (`Ways`), far from every place; frontiers (Yamauchi, "A frontier-based approach for autonomous exploration",
CIRA 1997) of what the camera has seen rather than the laser. Of spots that are equally new and near, it takes the one
where the model was less sure. Now and then it turns once around where it is, since a picture is recognised by what
was seen in its direction. Ends at a place of safety.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ami_ros.behaviour.area import Area, Closed, Either
from ami_ros.behaviour.occupancy import Anchors, Drawing
from ami_ros.behaviour.task import Code, Destination, Leg, Phase, Step, WorldState
from ami_ros.behaviour.unexplored import ExplorationConfig, Unexplored, worth
from ami_ros.behaviour.ways import Ways
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, compose, relative, wrap
from ami_ros.memory.coverage import gaps
from ami_ros.memory.types import Location, Route
from ami_ros.planning.route_follower import pose_in_map
from ami_ros.planning.scan_geometry import free_range, roomiest

PART = 2.1  # [rad] of a turn in one leg, at most: not so far that the other way would be shorter
PROGRESS = 0.3  # [m] by which a way has to become shorter to count as that
ASIDE = 0.04  # [m] of room on either side of where it drives straight on, to look around or to be found
AHEAD = 0.7  # [rad] before the end of a leg at which the next begins, so that the robot does not stop between them


class Exploration:
    """See `planning.task.Task`.

    Args:
        config: see there.
        allowance: [s] after which it returns; what is left of it goes into a closer look; 0: when there is nothing new.
        home: the place of safety; None: the place where it begins.
        area: what it keeps to, in the map frame; from outside it drives there first. None: it looks everywhere.
    """

    def __init__(
        self,
        config: ExplorationConfig,
        allowance: float = 0.0,
        home: Destination | None = None,
        area: Area | None = None,
    ) -> None:
        self.config, self.allowance, self.home, self.area = config, allowance, home, area
        self.phase, self.code, self.message, self.revision = Phase.CHOOSING, Code.NONE, "exploring", 0
        self.elapsed = 0.0  # [s], over restarts
        self.legs = self.home_tries = 0
        self._half_width = config.robot_radius + ASIDE  # [m] of what has to be free straight ahead
        self._drawing = Drawing(config.measured)
        self._unexplored = Unexplored(config, closely=allowance > 0.0)
        self._target: Array | None = None  # (2,) in the map frame, where the leg under way leads
        self._spot: Array | None = None  # (2,) likewise, what is new there or beyond
        self._replanned = 0.0  # [s] stamp at which the way there was last looked for
        self._left, self._nearer = math.inf, 0.0  # [m] of that way at its shortest, and [s] since when
        self._gap: Array | None = None  # (2,) likewise, where it leads through a gap, or ends before its spot
        self._revisited: list[Array] = []  # (2,) each, in the map frame: doubtful places that were driven to
        self._turns: list[float] = []  # [rad] in odom: headings that are left of looking round, that under way first
        self._said = False  # that the model has no ensemble
        self._stamp: float | None = None
        self._lost_since: float | None = None

    # Task

    def step(self, state: WorldState) -> Step:
        """See `Task`."""
        if self.phase is Phase.DONE:
            return Step()
        if self._stamp is not None and 0.0 < state.stamp - self._stamp < 5.0:  # a clock that went backwards counts not
            self.elapsed += state.stamp - self._stamp
        self._stamp = state.stamp
        if self.allowance and self.elapsed > self.allowance:
            self.go_home(f"the {self.allowance:.0f} s allowed are over")
        if state.battery is not None and state.battery < self.config.battery_low:
            self.go_home(f"the battery is at {state.battery:.0%}")
        location, known = state.location, state.places is not None and len(state.places) > 0
        if location is None or not location.localised or not known or state.odometry is None:
            return self._wait_for_memory(state)
        self._lost_since = None
        if self._wanders:  # it is found, and may choose where to go
            self._wanders, self.phase = 0, Phase.CHOOSING if self.phase is Phase.DRIVING else self.phase
        self._known = state.odometry
        if self.home is None and location.place_id:
            self.home = Destination("place", place_id=location.place_id)
            self.revision += 1
        return self._return() if self.phase is Phase.RETURNING else self._explore(state, location, state.odometry)

    def _explore(self, state: WorldState, location: Location, odometry: Array) -> Step:
        """What to do where it knows where it is."""
        pose = pose_in_map(location, odometry)
        anchors = Anchors()
        if state.places is not None and state.place_ids is not None:
            anchors = Anchors(location.place_id, state.place_ids, state.places)
        self._drawing.draw(state.stamp, pose, odometry, state.scan, state.things, anchors)
        if self._turns and (turning := self._turn_on(odometry)) is not None:
            return turning
        passes = self._target is not None and np.hypot(*(self._target - pose[:2])) < self.config.passed
        if self.phase is Phase.DRIVING and not passes:
            # Now and then it looks for the way to its spot on the newest map, and for what is new there.
            if self._spot is None or 0.0 <= state.stamp - self._replanned < self.config.replan_period:
                return Step()
            if self._unexplored.passes[0] > 1.0:  # all rooms are seen before any is seen closely
                return self._go_on(state, pose) or self._choose(state, pose)
        else:
            self._spot = None
        return self._look_around(state, pose) or self._go_on(state, pose) or self._choose(state, pose)

    def set_routes(self, answers: Sequence[Route | AmiError]) -> None:
        """It never asks."""

    def ended(self, leg: int, succeeded: bool, code: int, message: str, stamp: float) -> None:
        """See `Task`."""
        if leg != self.legs or self.phase is Phase.DONE:
            return
        if self.phase is Phase.RETURNING:
            self._home_leg = False
            if succeeded:
                self.finish(Code.NONE, f"explored and returned home: {self._why_home}")
            elif self.home_tries >= self.config.home_tries:
                self.finish(Code.GOALS_MISSED, f"did not get back home: {message}")
            return
        if not succeeded and self._target is not None:
            self._unexplored.not_reached(self._target, self._gap)
        if not succeeded:
            self._turns.clear()
        self._target = self._spot = None
        self.phase = Phase.CHOOSING

    def interrupted(self) -> None:
        """See `Task`."""
        self._target, self._spot, self._home_leg = None, None, False
        self._turns.clear()
        if self.phase is Phase.DRIVING:
            self.phase = Phase.CHOOSING

    def finish(self, code: Code, message: str) -> None:
        """See `Task`."""
        self.phase, self.code, self.message = Phase.DONE, code, message
        self.revision += 1

    # Its own

    _why_home = ""
    _home_leg = False  # the way back is being driven
    _wanders = 0  # legs that it drives because it is lost
    _known: Array | None = None  # (3,) in odom, where it knew last where it was

    def go_home(self, why: str) -> None:
        """No more exploring: back to the place of safety."""
        if self.phase not in (Phase.RETURNING, Phase.DONE):
            self.phase, self._why_home, self._home_leg = Phase.RETURNING, why, False
            self.message = f"returning: {why}"
            self.revision += 1

    def _wait_for_memory(self, state: WorldState) -> Step:
        """A lost robot drives on; during a leg the planner localises by itself."""
        stamp = self._nearer = state.stamp
        if self.phase is Phase.DRIVING or (self.phase is Phase.RETURNING and self._home_leg):
            return Step()
        self._lost_since = stamp if self._lost_since is None else min(self._lost_since, stamp)
        if stamp - self._lost_since > self.config.patience:
            self.finish(
                Code.NOT_LOCALISED, "memory cannot localise the robot; is the memory node running, with learning on?"
            )
        elif (
            state.location is not None
            and stamp - self._lost_since > self.config.stay
            and self.phase is not Phase.RETURNING
        ):
            return self._wander(state)
        return Step()

    def _wander(self, state: WorldState) -> Step:
        """Back to where it was found last, and in turn on to where there is room, by what the newest scan shows; where
        that shows none, round to look elsewhere."""
        if state.scan is None or state.odometry is None:
            return Step()
        self._wanders += 1
        if self._known is not None and self._wanders % 2:
            back = float(self._known[0]), float(self._known[1]), float(self._known[2])
            destination = Destination("pose", pose=back)
            return self._set_out(destination, self.config.leg_seconds, "lost: driving back to where it was found last")
        onward = roomiest(state.scan, self._half_width, self.config.sight)
        if onward is None:
            onward = np.array([0.0, 0.0, PART])
        goal = compose(state.odometry, onward)
        destination = Destination("pose", pose=(float(goal[0]), float(goal[1]), float(goal[2])))
        return self._set_out(destination, self.config.leg_seconds, "lost: driving on to be found")

    def _return(self) -> Step:
        if self._home_leg:
            return Step()
        if self.home is None:
            self.finish(Code.NOT_LOCALISED, "there is no home: memory never localised the robot")
            return Step()
        self._home_leg = True
        self.home_tries += 1
        return self._set_out(self.home, self.config.far_seconds, f"returning: {self._why_home}")

    def _set_out(
        self, destination: Destination, allowance: float, reason: str, target: Array | None = None,
        spot: Array | None = None, gap: Array | None = None,
    ) -> Step:  # fmt: skip
        """The next leg; in the map frame (2,), where there are such: its end, what it is on the way to, and the gap
        that it leads through."""
        self._target, self._spot, self._gap = target, spot, gap
        if self.phase is not Phase.RETURNING:
            self.phase = Phase.DRIVING
        self.legs += 1
        self.message = reason
        return Step(Leg(self.legs, destination, allowance, reason))

    # Looking around

    def _look_around(self, state: WorldState, pose: Array) -> Step | None:
        """Begins to turn to where nobody looked, if too little was seen from near here."""
        assert state.places is not None and state.odometry is not None
        if self._is_outside(pose) or not (sweep := self._unexplored.looks_around(pose, state.places)):
            return None
        sweep, stops = sweep + math.copysign(AHEAD, sweep), 0.0
        if state.scan is not None and state.speed > 0.0 and self.config.coast:
            # Where it comes to a stop it need not back up, if nothing stands before that.
            free = free_range(state.scan, 0.0, self._half_width) - self._half_width
            stops = max(0.0, min(self.config.coast * state.speed, free))
        angles = np.linspace(0.0, sweep, 1 + math.ceil(abs(sweep) / PART))[1:]
        self._turns = [float(wrap(state.odometry[2] + angle)) for angle in angles]
        return self._turn(compose(state.odometry, np.array([stops, 0.0, 0.0])))

    def _turn_on(self, odometry: Array) -> Step | None:
        """The next part of a turn, begun before the robot stands still; None once it is over but for AHEAD."""
        left = abs(wrap(self._turns[0] - odometry[2]))
        if self.phase is Phase.DRIVING and left > AHEAD:
            return Step()
        self._turns.pop(0)
        if self._turns:
            return self._turn(odometry)
        self.phase = Phase.CHOOSING
        return None

    def _turn(self, at: Array) -> Step:
        """The part of the turn that is under way, at a pose (3,) in odom: it need not come back to where it began."""
        destination = Destination("pose", pose=(float(at[0]), float(at[1]), self._turns[0]))
        return self._set_out(destination, self.config.leg_seconds, "looking around")

    # Where to go

    def _go_on(self, state: WorldState, pose: Array) -> Step | None:
        """Further along the way to the spot that it is on the way to, by the newest map; None: there is no such spot
        any more, or no way nearby."""
        spot, grid = self._spot, self._drawing.grid
        if spot is None or grid is None or self._drawing.is_drawn_anew:
            return None
        assert state.places is not None
        ways = Ways(grid, pose, self.config.robot_radius, self._unexplored.shut, self._closed(state))
        why = self._unexplored.wants(spot, state.places, ways)
        if not why or self._is_stuck(state.stamp, float(ways.lengths(spot[None])[0])):
            return None
        self._replanned = state.stamp
        return self._drive(state, pose, ways, ways.to(spot), why, spot)

    def _is_stuck(self, stamp: float, left: float) -> bool:
        """Whether the way that is `left` [m] to its spot has not become shorter for long; then that spot is in vain.
        A leg cannot tell, as it has just begun."""
        if left < self._left - PROGRESS:
            self._left, self._nearer = left, stamp
        if 0.0 <= stamp - self._nearer < self.config.stuck:
            return False
        assert self._target is not None
        self._unexplored.not_reached(self._target, self._gap)
        self._nearer = stamp
        return True

    def _choose(self, state: WorldState, pose: Array) -> Step:
        """To what is new, else to where few views are remembered, else to a place in doubt; else home."""
        if self._drawing.is_drawn_anew:
            return Step()
        self._replanned = state.stamp
        if self.phase is Phase.CHOOSING:
            self._nearer = state.stamp
        if self._drawing.grid is not None:
            outside = self._is_outside(pose)
            closed = state.keep_out if outside else self._closed(state)
            ways = Ways(self._drawing.grid, pose, self.config.robot_radius, self._unexplored.shut, closed)
            if outside:
                way = self._way_in(ways, pose)
                if len(way):
                    return self._drive(state, pose, ways, way, "to the area that it is to explore")
                self.go_home("no way leads to the area")
                return self._return()
            if (found := self._unexplored.choose(state, pose, ways)) is not None:
                spot, reason = found
                self._left = float(ways.lengths(spot[None])[0])
                if not self._said and self.config.doubt_worth and state.doubts is not None and state.doubts.silent:
                    self._said = True
                    reason += "; the model has no ensemble, so places it is unsure of are not visited"
                return self._drive(state, pose, ways, ways.to(spot), reason, spot)
            leg = self._revisit(state, ways)
            if leg is not None:
                return leg
        self.go_home("nothing new is in reach" + (" in the area" if self.area else ""))
        return self._return()

    def _is_outside(self, pose: Array) -> bool:
        return self.area is not None and not self.area.contains(pose[None, :2])[0]

    def _closed(self, state: WorldState) -> Closed | None:
        """Where it must not go from inside the area."""
        if self.area is None or state.keep_out is None:
            return self.area or state.keep_out
        return Either(self.area, state.keep_out)

    def _way_in(self, ways: Ways, pose: Array) -> Array:
        """The way (n, 2) to the free spot of the area that is deepest in it, else to the edge of what is known on the
        way there. The nearest spot would be on its edge, and a robot that stops just short of that is never in."""
        assert self.area is not None
        points, middle = self._unexplored.candidates(ways)[0], self.area.middle
        points = points[self.area.contains(points)]
        while len(points):
            spot = points[int(np.hypot(*(points - middle).T).argmin())]
            if np.hypot(*(spot - pose[:2])) > self.config.same:
                return ways.to(spot)
            self._unexplored.not_reached(spot)  # it is as good as there
            points = self._unexplored.candidates(ways)[0]
            points = points[self.area.contains(points)]
        return ways.to_frontier(self._unexplored.vain, middle)

    def _drive(
        self, state: WorldState, pose: Array, ways: Ways, way: Array, reason: str, spot: Array | None = None
    ) -> Step:
        """Straight on along a way (n, 2) to a `spot` (2,) of the map, as far as that goes: a pose in odom, for memory
        may know nothing there."""
        assert state.odometry is not None
        if not len(way):
            assert spot is not None
            self._unexplored.not_reached(spot)
            return Step()
        way = way[: ways.onward(way, self.config.sight)]
        at = way[-1]
        if (
            self.phase is Phase.DRIVING
            and self._target is not None
            and np.hypot(*(at - self._target)) < self.config.same
        ):
            return Step()  # it goes all the way to it
        heading = float(np.arctan2(*(at - pose[:2])[::-1]))
        goal = compose(state.odometry, relative(pose, np.array([*at, heading])))
        gap = ways.gap(way)
        if gap is None and spot is not None and np.hypot(*(at - spot)) > self.config.apart:
            gap = at  # if it does not get there, the spot may be got to another way
        destination = Destination("pose", pose=(float(goal[0]), float(goal[1]), float(goal[2])))
        return self._set_out(destination, self.config.leg_seconds, reason, at, spot, gap)

    def _revisit(self, state: WorldState, ways: Ways) -> Step | None:
        """To the remembered place whose doubt is most worth the drive, if there is one."""
        if not self.config.doubt_worth or state.doubts is None:
            return None
        ids, at = state.doubts.doubtful(self.config.doubtful)
        if self.area is not None and len(ids):
            inside = self.area.contains(at)
            ids, at = ids[inside], at[inside]
        if len(ids) and self._revisited:
            apart = gaps(at, np.stack(self._revisited)) > self.config.doubt_apart
            ids, at = ids[apart], at[apart]
        if not len(ids):
            return None
        way = np.minimum(ways.lengths(at), 1e3)
        best = int(np.argmin(way - worth(self.config, state, at)))
        self._revisited.append(at[best])
        destination = Destination("place", place_id=int(ids[best]))
        reason = f"to place {ids[best]}, where the model is unsure"
        return self._set_out(destination, self.config.far_seconds, reason, at[best])
