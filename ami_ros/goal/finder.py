"""A goal that has to be recognised: looks for it where memory is not sure of it, and leaves what only looks like it."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

import numpy as np

from ami_ros.disc import Disc
from ami_ros.geometry import Array, compose, pose_gap
from ami_ros.goal.belief import GoalBelief, Sight
from ami_ros.goal.goal_checker import StopRule
from ami_ros.goal.proof import SecondLook
from ami_ros.goal.receding import Receding
from ami_ros.goal.routing import Routing
from ami_ros.goal.search import GoalSearch, is_out_of_reach, is_over
from ami_ros.places.types import FAR_OFF, map_to_odom
from ami_ros.planning.codes import Code
from ami_ros.planning.stopwatch import Stopwatch
from ami_ros.planning.types import Goal, Percept

REFUTED_SECONDS = 0.5  # [s] of seeing beside a goal that it is another place, before it is left
ANOTHER = 3.0  # difference of the pictures, from which a place where the robot stands is not worth a second look
LOOK_SECONDS = 0.8  # [s] of standing at a goal that is not recognised, before it is looked at again from farther off
THERE = 0.3  # [m] from a place that memory is not sure of, at which the robot looks around
OTHER = 1.0, 0.8  # [m], [rad] between a look and what is driven to, from which something else is seen
HERE = 0.5, 0.6  # [m], [rad] from where memory has the goal, within which it is there that it was looked for


class Look(Enum):
    """What to do to find a goal."""

    TURN = "looking for a goal that memory is not sure of"
    ASK = "asking memory again, after a look around"
    DRIVE = "driving to look for the goal"
    NEXT = "memory has it where it is not; asking for another place"
    LEAVE = "it only looks like the goal here"
    AGAIN = "looking whether this is the goal"
    GIVE_UP = "it is not to be seen from here"


class Search(NamedTuple):
    """A step of it."""

    look: Look
    spot: Array | None = None  # (3,) in odom to DRIVE to, or from where to look AGAIN


class GoalFinder:
    """Finds one goal, together with what routes there and what believes where it is.

    Args:
        goal: see there.
        routing: to where memory has it.
        belief: where it is.
        stop: when the robot is there.

    Attributes:
        search: from where it was looked for.
    """

    def __init__(self, goal: Goal, routing: Routing, belief: GoalBelief, stop: StopRule) -> None:
        self._goal, self._routing, self._belief, self._stop = goal, routing, belief, stop
        self.search, self._second_look, self._refuted = GoalSearch(), SecondLook(), Stopwatch()
        self._receding = Receding()
        self._stuck: Array | None = None  # (3,) in odom, where the goal was believed to be when it was not got to

    def re_anchor(self) -> None:
        """Odometry restarted: poses from before mean nothing any more."""
        self.search.re_anchor()
        self._second_look.restart()
        self._stuck = None

    def carry(self, correction: Array) -> None:
        """Odometry drifted; see `Drift`."""
        self.search.carry(correction)
        if self._stuck is not None:
            self._stuck = compose(correction, self._stuck)

    # On the way

    def find(self, percept: Percept, sight: Sight, elapsed: float) -> Search | None:
        """What to do to find the goal, `elapsed` [s] after its begin; None: drive to where it is believed to be."""
        if not self._goal.recognised:
            return None
        if self._routing.likely and self._belief.is_refuted(percept.odometry, sight.remembered):
            self._routing.try_elsewhere()
            return Search(Look.NEXT)
        too_far = is_out_of_reach(sight.left, elapsed, self._goal.time_allowance)
        self._belief.anywhere |= too_far
        if self._is_hopeless(sight, elapsed):
            self._routing.try_elsewhere()
            return Search(Look.NEXT)
        may_be_here = self._may_be_here(sight, too_far)
        if sight.spotted or (self._routing.likely and not self.search.wanted and not may_be_here):
            return None
        routing, search = self._routing, self.search
        if routing.lost and _is_located(percept):
            routing.look_up_again()
            return Search(Look.ASK)
        turned, unseen = search.done, routing.flat and sight.pose is None
        if unseen and search.spots and is_over(elapsed, self._goal.time_allowance):
            return Search(Look.GIVE_UP)
        if search.goes_on(percept.stamp, percept.odometry):
            return Search(Look.TURN)
        if not turned and routing.config.use_memory and _is_located(percept):  # memory has seen what the robot saw
            routing.look_up_again()
            return Search(Look.ASK)
        if unseen:
            spot = search.next_spot(percept.stamp, percept.odometry, percept.scan)
            return Search(Look.GIVE_UP) if spot is None else Search(Look.DRIVE, spot)
        return self._look_there(percept, sight, elapsed)

    def _is_hopeless(self, sight: Sight, elapsed: float) -> bool:
        """Whether where memory has the goal cannot be got to in time, however fast: then it was not meant. Before, the
        robot looks around where it is."""
        looked, fastest = self.search.spots and self.search.done, self._routing.config.planner.kinematics.max_linear
        late = is_out_of_reach(sight.left, elapsed, self._goal.time_allowance, fastest)
        return bool(self._routing.likely and looked and late and not sight.spotted)

    def _may_be_here(self, sight: Sight, too_far: bool) -> bool:
        """Whether it is worth a look around before the robot sets out for a far place: one that is not the only one, or
        too far off for the time allowed, which nobody would have asked for."""
        looked = self.search.spots and self.search.done
        return (self._routing.split or too_far) and sight.left > FAR_OFF and not looked

    def _look_there(self, percept: Percept, sight: Sight, elapsed: float) -> Search | None:
        """What to do on the way to a place that memory is not sure of: there it is looked for once, all round."""
        routing, search = self._routing, self.search
        if sight.remembered is None or routing.likely:
            return None
        there = compose(percept.odometry, sight.remembered)
        looked = search.has_looked_from(there) or self._belief.is_refuted(percept.odometry, sight.remembered)
        if looked or is_out_of_reach(sight.left, elapsed, self._goal.time_allowance):
            if is_over(elapsed, self._goal.time_allowance) or not (self._goal.time_allowance or search.may_go_on):
                return Search(Look.GIVE_UP)
            routing.try_elsewhere()
            return Search(Look.NEXT)
        if np.hypot(*sight.remembered[:2]) < THERE:
            search.restart()
            return Search(Look.TURN) if search.goes_on(percept.stamp, percept.odometry) else None
        return None

    @property
    def searches(self) -> bool:
        """Whether the goal was looked for, and no place shows it for certain."""
        return self._goal.recognised and bool(self.search.spots) and not self._routing.likely

    def given_up(self, percept: Percept) -> tuple[Code, str]:
        """Why the goal cannot be found."""
        known = self._routing.exhausted or "memory has no place like the goal's picture"
        if self._routing.config.use_memory and not _is_located(percept):
            known = "memory does not know where the robot is"
        looked = f"it was looked for from {len(self.search.spots)} spots"
        return Code.UNKNOWN_PLACE, f"{known}, and {Look.GIVE_UP.value}: {looked}"

    # At the goal, or at what looks like it

    def check(self, percept: Percept, sight: Sight, near: bool) -> Search | None:
        """Whether to leave what is not the goal, or to go away a little to look at it again; None: neither."""
        if self._refuted.held(near and sight.refuted, percept.stamp) > REFUTED_SECONDS:
            self._refuted.restart()
            self.leave(percept, sight)
            return Search(Look.LEAVE)
        spot = self._second_look.spot(percept.stamp, percept.odometry)
        if spot is not None and not self._is_at(percept, sight):
            self._receding.restart()
            return Search(Look.AGAIN, spot)
        if self._recedes(percept.odometry, sight, near):
            self._receding.restart()
            self._belief.wary = True
            self.leave(percept, sight)
            return Search(Look.LEAVE)
        return None

    def _recedes(self, odometry: Array, sight: Sight, near: bool) -> bool:
        """Whether what the robot drives to stays as far off as it was. Where memory is sure of the goal it is
        not judged so soon."""
        if not (near and sight.spotted) or self._routing.likely:
            self._receding.restart()
            return False
        seen = sight.seen is not None and sight.pose is not None and np.less(pose_gap(sight.seen, sight.pose), OTHER)
        return self._receding.update(odometry, sight.energy if np.all(seen) else None)

    def proven(self, percept: Percept, sight: Sight) -> bool:
        """Whether the goal was recognised here, where that is needed."""
        return not self._belief.needs_proof or all(self._proof(percept, sight))

    def _proof(self, percept: Percept, sight: Sight) -> tuple[bool, bool]:
        """Whether it was recognised from here, and from elsewhere."""
        follower, location, remembered = self._routing.follower, percept.location, None
        if self._routing.likely and follower is not None and location is not None:
            remembered = compose(map_to_odom(location), follower.route.goal_pose)
        if sight.pose is None:
            return False, False
        return self._belief.proof.halves(percept.stamp, percept.odometry, sight.pose, remembered)

    def look_again(self, percept: Percept, sight: Sight, stood: float, disc: Disc) -> bool:
        """After standing for `stood` [s] at a goal that is not proven: another look, from nearer, from farther off, or
        all round, or away; true if something begins.

        Args:
            percept: of this moment.
            sight: of it.
            stood: see above.
            disc: that holds the robot.
        """
        if stood <= LOOK_SECONDS:
            return False
        self._stop.approach_again()
        if sight.difference is not None and sight.difference > ANOTHER:
            self.leave(percept, sight)
            return True
        if self._belief.proof.newest(percept.stamp) < LOOK_SECONDS:
            here, elsewhere = self._proof(percept, sight)
            again = elsewhere and not here and self._stop.tighten(sight.distance)  # the nearer, the more alike they are
            if not again:
                again = self._second_look.begin(percept, disc)
                self._stop.tighten()
        else:
            again = not self.search.wanted
            self.search.restart(wanted=True)
        if not again:
            self.leave(percept, sight)
        return True

    def leave(self, percept: Percept, sight: Sight, firmly: bool = False) -> None:
        """The goal is not here: on to where memory has it next, or to look on, if memory did not lead here.

        `firmly`: for it cannot be got to; see `Refuted`.
        """
        led_here = False
        if sight.pose is not None and sight.remembered is not None:
            led_here = bool(np.less(pose_gap(sight.pose, sight.remembered), HERE).all())
        for pose in (sight.pose, sight.remembered if led_here else None):
            if pose is not None:
                self._belief.refute(compose(percept.odometry, pose), firmly)
        self._stop.restart()
        self._second_look.restart()
        if led_here or self._routing.flat:
            self.search.rest_of_here(percept.odometry)
            self._routing.try_elsewhere()

    def stuck(self, percept: Percept, sight: Sight) -> None:
        """The robot did not get to where the goal is believed to be, beside it: that is left, at once where memory is
        not sure of it, else the second time."""
        if not self._belief.needs_proof or sight.pose is None:
            return
        there, before = compose(percept.odometry, sight.pose), self._stuck
        again = before is not None and bool(np.less(pose_gap(there, before), HERE).all())
        self._stuck = None if again else there
        if again or not self._routing.likely:
            self._belief.wary = True
            self.leave(percept, sight, firmly=True)

    def _is_at(self, percept: Percept, sight: Sight) -> bool:
        """Whether the robot is passing the goal, as it goes to look at it again."""
        near = sight.pose is not None and np.hypot(sight.pose[0], sight.pose[1]) < self._stop.distance
        return bool(near and self.proven(percept, sight))


def _is_located(percept: Percept) -> bool:
    return percept.location is not None and percept.location.localised
