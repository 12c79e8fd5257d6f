"""Exploring: drives to where free space leads away from remembered places, until none does,
and then to where the world model was unsure although the place is remembered.

Memory knows places, not free space, so frontiers (Yamauchi, "A frontier-based approach for autonomous exploration",
CIRA 1997) are made of both: a spot that the newest scan shows to be free, in a straight line that the robot fits
through, and that is far from every place. Spots that were seen and passed by are kept, and looked at again from where
they were seen. Of spots that are equally new and near, it takes the one where the model was less sure. Ends at a
place of safety.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ami_ros.errors import AmiError
from ami_ros.geometry import Array, compose, relative, transform_points, wrap
from ami_ros.memory.types import Route
from ami_ros.planning.exploration_config import ExplorationConfig
from ami_ros.planning.frontiers import gaps, open_points, way_lengths
from ami_ros.planning.mission_codes import Code
from ami_ros.planning.route_follower import in_sight, pose_in_map
from ami_ros.planning.task import Destination, Leg, Phase, Step, WorldState


@dataclass(frozen=True)
class Spot:
    """Free, and away from all that is remembered."""

    at: Array  # (2,) in the map frame
    seen_from: int  # place id


class Exploration:
    """See `planning.task.Task`.

    Args:
        config: see there.
        allowance: [s], after which it returns; 0: when there is nothing new.
        home: the place of safety; None: the place where it begins.
    """

    def __init__(self, config: ExplorationConfig, allowance: float = 0.0, home: Destination | None = None) -> None:
        self.config, self.allowance, self.home = config, allowance, home
        self.phase, self.code, self.message, self.revision = Phase.CHOOSING, Code.NONE, "exploring", 0
        self.elapsed = 0.0  # [s], over restarts
        self.legs = self.home_tries = 0
        self._spots: list[Spot] = []
        self._vain: list[Array] = []  # (2,) each, in the map frame
        self._target: Array | None = None  # (2,) in the map frame, where the leg under way leads
        self._aim: Spot | None = None  # for which the robot drives to a place
        self._revisited: list[Array] = []  # (2,) each, in the map frame: doubtful places that were driven to
        self._said = False  # that the model has no ensemble
        self._stamp: float | None = None
        self._lost_since: float | None = None

    # Task

    def step(self, state: WorldState) -> Step:
        """See `Task`."""
        if self.phase is Phase.DONE:
            return Step()
        self._count(state.stamp)
        if self.allowance and self.elapsed > self.allowance:
            self.go_home(f"the {self.allowance:.0f} s allowed are over")
        if state.battery is not None and state.battery < self.config.battery_low:
            self.go_home(f"the battery is at {state.battery:.0%}")
        location, known = state.location, state.places is not None and len(state.places) > 0
        if location is None or not location.localised or not known or state.odometry is None:
            return self._wait_for_memory(state.stamp)
        self._lost_since = None
        if self.home is None and location.place_id:
            self.home = Destination("place", place_id=location.place_id)
            self.revision += 1
        if self.phase is Phase.RETURNING:
            return self._return()
        pose = pose_in_map(location, state.odometry)
        in_view = self._look(state, pose, location.place_id)
        if self.phase is Phase.DRIVING and not self._may_turn_aside(pose, in_view):
            return Step()
        return self._choose(state, pose, in_view)

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
            self._vain.append(self._target)
        self._target = self._aim = None
        self.phase = Phase.CHOOSING

    def interrupted(self) -> None:
        """See `Task`."""
        self._target, self._aim, self._home_leg = None, None, False
        if self.phase is Phase.DRIVING:
            self.phase = Phase.CHOOSING

    def finish(self, code: Code, message: str) -> None:
        """See `Task`."""
        self.phase, self.code, self.message = Phase.DONE, code, message
        self.revision += 1

    # Its own

    _why_home = ""
    _home_leg = False  # the way back is being driven

    def go_home(self, why: str) -> None:
        """No more exploring: back to the place of safety."""
        if self.phase not in (Phase.RETURNING, Phase.DONE):
            self.phase, self._why_home, self._home_leg = Phase.RETURNING, why, False
            self.message = f"returning: {why}"
            self.revision += 1

    def _count(self, stamp: float) -> None:
        if self._stamp is not None and 0.0 < stamp - self._stamp < 5.0:  # a clock that went backwards does not count
            self.elapsed += stamp - self._stamp
        self._stamp = stamp

    def _wait_for_memory(self, stamp: float) -> Step:
        """During a leg the planner localises by itself."""
        if self.phase is Phase.DRIVING or (self.phase is Phase.RETURNING and self._home_leg):
            return Step()
        self._lost_since = stamp if self._lost_since is None else min(self._lost_since, stamp)
        if stamp - self._lost_since > self.config.patience:
            self.finish(
                Code.NOT_LOCALISED, "memory cannot localise the robot; is the memory node running, with learning on?"
            )
        return Step()

    def _return(self) -> Step:
        if self._home_leg:
            return Step()
        if self.home is None:
            self.finish(Code.NOT_LOCALISED, "there is no home: memory never localised the robot")
            return Step()
        self._home_leg = True
        self.home_tries += 1
        return self._set_out(self.home, self.config.far_seconds, f"returning: {self._why_home}")

    def _set_out(self, destination: Destination, allowance: float, reason: str) -> Step:
        self.legs += 1
        self.message = reason
        return Step(Leg(self.legs, destination, allowance, reason))

    def _worth(self, state: WorldState, points: Array) -> Array:
        """[m] of detour that points (k, 2) in the map frame are worth (k,), by the doubt expected there."""
        if not self.config.doubt_worth or state.doubts is None:
            return np.zeros(len(points))
        return self.config.doubt_worth * (state.doubts.near(points) - 1.0)

    def _may_turn_aside(self, pose: Array, in_view: Array) -> bool:
        """Whether another spot is chosen before the leg is over: this one is as good as reached, or one is in sight."""
        if self._aim is not None:
            return len(in_view) > 0
        return self._target is None or bool(np.hypot(*(self._target - pose[:2])) < self.config.passed)

    def _look(self, state: WorldState, pose: Array, place_id: int) -> Array:
        """Returns the spots (k, 2) in the map frame that are in sight and new, and keeps the others for later."""
        assert state.places is not None
        in_view = transform_points(pose, open_points(state.scan, self.config)) if state.scan else np.zeros((0, 2))
        if len(in_view):
            in_view = in_view[self._is_new(in_view, state.places)]
        for at in in_view:
            if all(np.hypot(*(at - s.at)) > self.config.apart for s in self._spots):
                self._spots.append(Spot(at, place_id))
        if self._spots:
            fresh = self._is_new(np.stack([s.at for s in self._spots]), state.places)
            self._spots = [s for s, keep in zip(self._spots, fresh, strict=True) if keep]
        return in_view

    def _is_new(self, points: Array, places: Array) -> Array:
        """Which points (k, 2) are far from all places (n, 2) and from spots that failed."""
        far = gaps(points, places) > self.config.known
        if self._vain:
            far &= gaps(points, np.stack(self._vain)) > self.config.apart
        return np.asarray(far)

    def _choose(self, state: WorldState, pose: Array, in_view: Array) -> Step:
        """The best spot in sight; else the nearest place from which one was seen, then one in doubt; else home."""
        if self._aim is not None:  # another came into view on the way
            self._spots.append(self._aim)
            self._aim = None
        if len(in_view):
            seen = relative(pose, np.column_stack([in_view, np.zeros(len(in_view))]))
            bearing = np.arctan2(seen[:, 1], seen[:, 0])
            way = np.hypot(seen[:, 0], seen[:, 1]) + self.config.turn_cost * np.abs(bearing)
            best = int(np.argmin(way - self._worth(state, in_view)))
            return self._drive_to_spot(state, pose, in_view[best], float(bearing[best]))
        assert state.places is not None
        spots = np.array([s.at for s in self._spots]).reshape(-1, 2)
        way = way_lengths(state.places, pose[:2], spots, self.config)
        for k in np.argsort(way - self._worth(state, spots)):
            spot = self._spots[k]
            if not in_sight(relative(pose, np.array([*spot.at, 0.0])), state.scan, self.config.half_width):
                del self._spots[k]
                return self._drive_to_place(spot)
        self._vain += [s.at for s in self._spots]  # all that is left is in sight, and cannot be driven to
        self._spots.clear()
        revisit = self._revisit(state, pose)
        if revisit is None:
            self.go_home("nothing new is in reach")
            return self._return()
        return revisit

    def _revisit(self, state: WorldState, pose: Array) -> Step | None:
        """To the remembered place whose doubt is most worth the drive, if there is one."""
        if not self.config.doubt_worth or state.doubts is None:
            return None
        assert state.places is not None
        ids, at = state.doubts.doubtful(self.config.doubtful)
        if len(ids) and self._revisited:
            apart = gaps(at, np.stack(self._revisited)) > self.config.doubt_apart
            ids, at = ids[apart], at[apart]
        if not len(ids):
            return None
        way = way_lengths(state.places, pose[:2], at, self.config)
        best = int(np.argmin(way - self._worth(state, at)))
        self.phase, self._target = Phase.DRIVING, at[best]
        self._revisited.append(at[best])
        destination = Destination("place", place_id=int(ids[best]))
        return self._set_out(destination, self.config.far_seconds, f"to place {ids[best]}, where the model is unsure")

    def _drive_to_spot(self, state: WorldState, pose: Array, at: Array, bearing: float) -> Step:
        """To where free space is: a pose in odom, for memory knows nothing there."""
        assert state.odometry is not None
        goal = compose(state.odometry, relative(pose, np.array([*at, wrap(pose[2] + bearing)])))
        self.phase, self._target = Phase.DRIVING, at
        destination = Destination("pose", pose=(float(goal[0]), float(goal[1]), float(goal[2])))
        reason = f"to free space that is not in memory{self._remark(state)}"
        return self._set_out(destination, self.config.leg_seconds, reason)

    def _remark(self, state: WorldState) -> str:
        """Said once, for a model without an ensemble."""
        if self._said or not self.config.doubt_worth or state.doubts is None or not state.doubts.silent:
            return ""
        self._said = True
        return "; the model has no ensemble, so places it is unsure of are not visited"

    def _drive_to_place(self, spot: Spot) -> Step:
        self.phase, self._target, self._aim = Phase.DRIVING, spot.at, spot
        destination = Destination("place", place_id=spot.seen_from)
        reason = f"to place {spot.seen_from}, from which free space was seen"
        return self._set_out(destination, self.config.far_seconds, reason)
