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
from ami_ros.goal.search import GoalSearch, is_over
from ami_ros.goal.second_look import SecondLook
from ami_ros.planning.codes import Code
from ami_ros.planning.types import Goal, Percept

ARRIVED = 0.995  # probability of the hypothesis where the robot stands, from which it has arrived
LOOK_SECONDS = 0.8  # [s] of standing at a goal that is not proven, before it is looked at again from elsewhere
THERE = 0.3  # [m] from a spot to look from, at which the robot looks around
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
        if sight.spotted or self._belief.driven is not None:
            return None
        stamp, here, routing, search = percept.stamp, percept.odometry, self._routing, self.search
        turned = search.is_turning
        if search.goes_on(stamp, here):
            return Search(Look.TURN)
        if (turned or routing.lost) and routing.config.use_memory and _is_located(percept):
            routing.look_up_again()  # memory has seen what the robot saw
            return Search(Look.ASK)
        if routing.flat and sight.pose is None:
            spot = None if is_over(elapsed, self._goal.time_allowance) else search.next_spot(stamp, here, percept.scan)
            if spot is None:
                return Search(Look.GIVE_UP)
            return Search(Look.DRIVE, spot) if np.hypot(*(spot - here)[:2]) > THERE else self._turn(percept)
        return self._look_there(percept, sight, elapsed)

    def _look_there(self, percept: Percept, sight: Sight, elapsed: float) -> Search | None:
        """What to do on the way to where memory says to look: there it is looked for once, all round."""
        routing, search, allowance = self._routing, self.search, self._goal.time_allowance
        if sight.remembered is None:
            return None
        there = compose(percept.odometry, sight.remembered)
        if self._belief.posterior.is_refuted(there) or search.has_looked_from(there):
            if is_over(elapsed, allowance) or not (allowance or search.may_go_on):
                return Search(Look.GIVE_UP)
            search.spots.append(there)
            routing.look_up_again()
            return Search(Look.NEXT)
        return self._turn(percept) if np.hypot(*sight.remembered[:2]) < THERE else None

    def _turn(self, percept: Percept) -> Search:
        """Looks around here."""
        self.search.begin(percept.stamp, percept.odometry)
        return Search(Look.TURN)

    def _is_left(self, sight: Sight) -> bool:
        """Whether what was approached is no more worth it."""
        driven = self._belief.driven
        before, self._approached = self._approached, driven if sight.spotted or sight.distance < HERE else None
        return before is not None and before is not driven and before.probability < DROPPED

    @property
    def searches(self) -> bool:
        """Whether the goal was looked for, and no place shows it for certain."""
        return self._goal.recognised and bool(self.search.spots) and not self._routing.likely

    def given_up(self, percept: Percept) -> tuple[Code, str]:
        """Why the goal cannot be found."""
        known = f"memory has no {'other ' if self.search.spots else ''}place like the goal's picture"
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
            self._belief.posterior.stood(driven.pose, self._belief.posterior.likelihoods.unproven)
        return True

    def _leave(self, percept: Percept, sight: Sight) -> Search:
        """The goal is not here: on to where memory has it next, or to look on, if memory did not lead here."""
        self._stop.restart()
        self._second_look.restart()
        led_here = sight.remembered is not None and bool(np.hypot(*sight.remembered[:2]) < HERE)
        if led_here or self._routing.flat:
            if not self.search.has_looked_from(percept.odometry):  # coming back costs more
                self._turn(percept)
            self._routing.ask_again()
        return Search(Look.LEAVE)

    def leave(self, percept: Percept, sight: Sight) -> None:
        """Latents say that the goal is not here."""
        self._belief.tracker.forget()
        self._stop.restart()
        self.search.spots.append(np.array(percept.odometry))
        self._routing.look_up_again()

    def stuck(self) -> None:
        """The robot did not get to where the goal is believed to be, beside it."""
        if (driven := self._belief.driven) is not None:
            self._belief.posterior.stuck(driven.pose)

    def _is_at(self, percept: Percept, sight: Sight) -> bool:
        """Whether the robot is passing the goal, as it goes to look at it again."""
        near = sight.pose is not None and np.hypot(sight.pose[0], sight.pose[1]) < self._stop.distance
        return bool(near and self.proven(percept))


def _is_located(percept: Percept) -> bool:
    return percept.location is not None and percept.location.localised
