"""A goal that has to be recognised: it is looked for while nothing is likely enough, and left once that is unlikely."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

import numpy as np

from ami_ros.disc import Disc
from ami_ros.geometry import Array, compose
from ami_ros.goal.belief import DROPPED, GoalBelief, Sight
from ami_ros.goal.goal_checker import StopRule
from ami_ros.goal.posterior import Hypothesis
from ami_ros.goal.routing import Routing
from ami_ros.goal.search import GoalSearch, is_out_of_reach, is_over
from ami_ros.goal.second_look import SecondLook
from ami_ros.places.types import FAR_OFF
from ami_ros.planning.codes import Code
from ami_ros.planning.types import Goal, Percept

ARRIVED = 0.995  # probability of the hypothesis where the robot stands, from which it has arrived
LOOK_SECONDS = 0.8  # [s] of standing at a goal that is not proven, before it is looked at again from elsewhere
THERE = 0.3  # [m] from a place that memory is not sure of, at which the robot looks around
HERE = 0.5  # [m] from where memory has the goal, within which it is there that it was looked for


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
        self.search, self._second_look = GoalSearch(), SecondLook()
        self._approached: Hypothesis | None = None  # what was driven straight to, until now

    def re_anchor(self) -> None:
        """Odometry restarted: poses from before mean nothing any more."""
        self.search.re_anchor()
        self._second_look.restart()
        self._approached = None

    def carry(self, correction: Array) -> None:
        """Odometry drifted; see `Drift`."""
        self.search.carry(correction)

    # On the way

    def find(self, percept: Percept, sight: Sight, elapsed: float) -> Search | None:
        """What to do to find the goal, `elapsed` [s] after its begin; None: drive to where it is believed to be."""
        if not self._goal.recognised:
            return None
        if self._is_left(sight):
            return self._leave(percept, sight)
        routing, search = self._routing, self.search
        refuted = sight.remembered is not None and self._belief.posterior.is_refuted(
            compose(percept.odometry, sight.remembered)
        )
        if (routing.likely and refuted and not self._is_worth) or self._is_hopeless(sight, elapsed):
            routing.try_elsewhere()
            return Search(Look.NEXT)
        if sight.spotted or (self._is_worth and not self._may_be_here(sight, elapsed)):
            return None
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
        return self._look_there(percept, sight, refuted, elapsed)

    @property
    def _is_worth(self) -> bool:
        return self._belief.driven is not None

    def _is_left(self, sight: Sight) -> bool:
        """Whether what was approached is no more worth it."""
        driven = self._belief.driven
        before, self._approached = self._approached, driven if sight.spotted or sight.distance < HERE else None
        return before is not None and before is not driven and before.probability < DROPPED

    def _is_hopeless(self, sight: Sight, elapsed: float) -> bool:
        """Whether where memory has the goal cannot be got to in time, however fast: then it was not meant. Before, the
        robot looks around where it is."""
        looked, fastest = self.search.spots and self.search.done, self._routing.config.planner.kinematics.max_linear
        late = is_out_of_reach(sight.left, elapsed, self._goal.time_allowance, fastest)
        return bool(self._routing.likely and looked and late and not sight.spotted)

    def _may_be_here(self, sight: Sight, elapsed: float) -> bool:
        """Whether it is worth a look around before the robot sets out for a far place: one that is not the only one, or
        too far off for the time allowed, which nobody would have asked for."""
        too_far = is_out_of_reach(sight.left, elapsed, self._goal.time_allowance)
        looked = self.search.spots and self.search.done
        return (self._routing.split or too_far) and sight.left > FAR_OFF and not looked

    def _look_there(self, percept: Percept, sight: Sight, refuted: bool, elapsed: float) -> Search | None:
        """What to do on the way to a place that memory is not sure of: there it is looked for once, all round."""
        routing, search = self._routing, self.search
        if sight.remembered is None or self._is_worth:
            return None
        there, allowance = compose(percept.odometry, sight.remembered), self._goal.time_allowance
        if refuted or search.has_looked_from(there) or is_out_of_reach(sight.left, elapsed, allowance):
            if is_over(elapsed, allowance) or not (allowance or search.may_go_on):
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
        elsewhere = f"it is elsewhere with a probability of {self._belief.posterior.elsewhere:.2f}"
        looked = f"it was looked for from {len(self.search.spots)} spots; {elsewhere}"
        return Code.UNKNOWN_PLACE, f"{known}, and {Look.GIVE_UP.value}: {looked}"

    # At the goal, or at what looks like it

    def check(self, percept: Percept, sight: Sight) -> Search | None:
        """Whether to go away a little to look at it again; None: no."""
        spot = self._second_look.spot(percept.stamp, percept.odometry)
        if spot is not None and not self._is_at(percept, sight):
            return Search(Look.AGAIN, spot)
        return None

    def proven(self, percept: Percept) -> bool:
        """Whether the goal was recognised here, where that is needed."""
        belief = self._belief
        if not belief.compares:
            return True
        driven = belief.driven
        return driven is not None and driven.is_checked(percept.stamp) and driven.probability > ARRIVED

    def look_again(self, percept: Percept, sight: Sight, stood: float, disc: Disc) -> bool:
        """After standing for `stood` [s] at a goal that is not proven: another look, from nearer or from farther off,
        or away; true if something begins.

        Args:
            percept: of this moment.
            sight: of it.
            stood: see above.
            disc: that holds the robot.
        """
        driven = self._belief.driven
        if stood <= LOOK_SECONDS or driven is None:
            return False
        self._stop.approach_again()
        again = driven.is_corroborated and self._stop.tighten(sight.distance)
        if not again:  # the nearer, the more alike pictures are
            again = self._second_look.begin(percept, disc)
            self._stop.tighten()
        if not again:
            self._belief.posterior.hinder(driven.pose, self._belief.posterior.likelihoods.unproven)
        return True

    def _leave(self, percept: Percept, sight: Sight) -> Search:
        """The goal is not here: on to where memory has it next, or to look on, if memory did not lead here."""
        self._stop.restart()
        self._second_look.restart()
        led_here = sight.remembered is not None and bool(np.hypot(*sight.remembered[:2]) < HERE)
        if led_here or self._routing.flat:
            self.search.rest_of_here(percept.odometry)
            self._routing.try_elsewhere()
        return Search(Look.LEAVE)

    def leave(self, percept: Percept, sight: Sight) -> None:
        """Latents say that the goal is not here."""
        self._belief.tracker.forget()
        self._leave(percept, sight)

    def stuck(self) -> None:
        """The robot did not get to where the goal is believed to be, beside it."""
        if (driven := self._belief.driven) is not None:
            self._belief.posterior.hinder(driven.pose, self._belief.posterior.likelihoods.unreached)

    def _is_at(self, percept: Percept, sight: Sight) -> bool:
        """Whether the robot is passing the goal, as it goes to look at it again."""
        near = sight.pose is not None and np.hypot(sight.pose[0], sight.pose[1]) < self._stop.distance
        return bool(near and self.proven(percept))


def _is_located(percept: Percept) -> bool:
    return percept.location is not None and percept.location.localised
