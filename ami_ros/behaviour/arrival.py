"""Arriving: when the robot stands at its goal, and whether that is the goal, where it has to be recognised."""

from __future__ import annotations

import math
from collections import deque
from enum import Enum
from typing import NamedTuple

import numpy as np

from ami_ros.behaviour.belief import DROPPED, GoalBelief, Sight
from ami_ros.behaviour.posterior import APART, Hypothesis
from ami_ros.behaviour.routing import Routing
from ami_ros.behaviour.search import GoalSearch, is_over
from ami_ros.behaviour.steering import ROOM
from ami_ros.core.geometry import Array, Disc, compose, wrap
from ami_ros.core.scan import Scan
from ami_ros.planning.scan_geometry import free_range, sees
from ami_ros.planning.types import Code, Goal, Percept

# The goal checker: the robot is at its goal when it is near enough, has its heading, and stands for a moment.

SETTLED = 2.0  # [s] for which nothing may change
STILL = (0.05, 0.15)  # [m], [rad] less is no change
SLACK = 2.0  # tolerances of place within which a goal may be reached at all ...
LEAVES = 1.56  # times the tolerance, beyond which a robot that was there approaches again
TIGHT, MOST = 0.7, 3  # of the tolerances, where a goal is looked at again, and how often they get as much smaller
CONFLICT = 0.09  # [m] ... and by how much, at most, sights of a goal may lead past the tolerance


class Arrival(Enum):
    """How far arriving has come."""

    APPROACHING = 0  # not there yet
    TURNING = 1  # at the place, but the heading is wrong: turn on the spot
    STANDING = 2  # there: stand still


class StopRule:
    """Decides from the goal's pose, moment by moment, with hysteresis: small errors of sighting must not restart it.

    What attracts the robot (the goal's latent among others) and where the tracker puts the goal may differ by more than
    the tolerance. Then it comes to rest a little off: where nothing changes any more, it has arrived.

    Args:
        distance: [m] within which the goal's place is reached.
        angle: [rad] the same of its heading.
    """

    def __init__(self, distance: float, angle: float) -> None:
        self._tolerances = self.distance, self.angle = distance, angle
        self.state = Arrival.APPROACHING
        self.returns = 0  # how often the robot was there and had to approach again
        self._since = 0.0
        self._tightened = 0  # times
        self._seen: deque[tuple[float, Array]] = deque()  # the goal's pose in the last SETTLED seconds

    def update(self, stamp: float, pose: Array) -> Arrival:
        """Takes the goal's pose (3,) in base_link at `stamp` [s]."""
        distance, turn = float(np.hypot(pose[0], pose[1])), abs(float(pose[2]))
        settled = self._settles(stamp, pose) and distance < self.distance + CONFLICT
        before, self.state = self.state, self._next(distance / self.distance, turn / self.angle, settled)
        self.returns += self.state is Arrival.APPROACHING and before is not Arrival.APPROACHING
        if self.state is Arrival.STANDING and before is not Arrival.STANDING:
            self._since = stamp
        return self.state

    def _settles(self, stamp: float, pose: Array) -> bool:
        """Whether the goal has lain where it lies now for a while."""
        self._seen.append((stamp, np.asarray(pose)))
        while stamp - self._seen[0][0] > SETTLED + 1e-6:
            self._seen.popleft()
        x, y, yaw = (np.stack([seen for _, seen in self._seen]) - pose).T
        still = np.hypot(x, y).max() < STILL[0] and np.abs(wrap(yaw)).max() < STILL[1]
        return bool(still and stamp - self._seen[0][0] > 0.8 * SETTLED)

    def _next(self, distance: float, turn: float, settled: bool) -> Arrival:
        """Distance and turn are in units of their tolerances."""
        here, standing = self.state is not Arrival.APPROACHING, self.state is Arrival.STANDING
        if distance < (SLACK if settled else LEAVES if here else 1.0) and turn < (1.5 if standing else 1.0):
            return Arrival.STANDING
        # Turning moves the robot a little; once it has turned and is off its place, it approaches again.
        if distance < (SLACK if here else 1.0) and turn > 0.5:
            return Arrival.TURNING
        return Arrival.APPROACHING

    def stood(self, stamp: float) -> float:
        """How long it has been standing there [s]."""
        return stamp - self._since if self.state is Arrival.STANDING else 0.0

    def tighten(self, distance: float = math.inf) -> bool:
        """From now on the goal is reached nearer, as where it was not recognised from within the tolerances: by TIGHT
        once more, and again until one at a `distance` [m] is not near enough; its heading by TIGHT once. False: that is
        too near."""
        for times in range(self._tightened + 1, MOST + 1):
            if TIGHT**times * self._tolerances[0] < distance:
                self._tightened = times
                self.distance, self.angle = TIGHT**times * self._tolerances[0], TIGHT * self._tolerances[1]
                return True
        return False

    def restart(self) -> None:
        """The goal turned out to be elsewhere."""
        self.distance, self.angle = self._tolerances
        self._tightened = 0
        self.approach_again()

    def approach_again(self) -> None:
        """It is looked at again: the robot is not there yet."""
        self.returns = 0
        self.state = Arrival.APPROACHING
        self._seen.clear()


# A second look at what was recognised from one spot only: the robot goes a little away, and comes again.

OFF, OFF_SECONDS = 0.3, 5.0  # [m] that the robot goes away to look again from there, and [s] that it may take
ARRIVED = 0.02  # [m] from the end of the way there
FREE = OFF + ARRIVED  # [m] that should be free of anything there
WAYS_OFF = (math.pi, 0.0, *(s * math.radians(a) for a in (135, 45, 90) for s in (1, -1)))  # [rad] best first
AGAIN = 2  # times for one place


class SecondLook:
    """Goes a little away, where a goal was recognised from one pose only; the robot then comes again by itself."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """At another place."""
        self._begun: tuple[float, Array, Array] | None = None  # when, where, and to where (3,) in odom
        self._taken = 0

    def begin(self, percept: Percept, disc: Disc) -> bool:
        """Begins where a robot is that fills a `disc`; False: it has looked often enough at this place, or there is no
        way from it."""
        away = _way_off(percept, disc)
        if self._taken >= AGAIN or away is None:
            return False
        self._taken += 1
        self._begun = (percept.stamp, percept.odometry, compose(percept.odometry, away))
        return True

    def spot(self, stamp: float, odometry: Array) -> Array | None:
        """Where the robot is to go now (3,) in odom; None: it is not under way, or any more."""
        if self._begun is None:
            return None
        since, start, spot = self._begun
        gone = float(np.hypot(*(odometry - start)[:2]))
        if stamp - since > OFF_SECONDS or gone > OFF or np.hypot(*(spot - start)[:2]) - gone < ARRIVED:
            self._begun = None
            return None
        return spot


def _way_off(percept: Percept, disc: Disc) -> Array | None:
    """Pose (3,) in base_link a little away, where the robot can get: backwards, where it sees that to be free, else
    with as little turning as may be."""
    scan = percept.standing
    ways = WAYS_OFF if sees(percept.scan, math.pi) else sorted(WAYS_OFF, key=abs)
    rooms = [FREE if scan is None else _room(scan, bearing, disc) for bearing in ways]
    best = next((k for k, room in enumerate(rooms) if room >= FREE), int(np.argmax(rooms)))
    bearing, reach = ways[best], min(rooms[best], FREE)
    if reach < APART:
        return None
    return np.array([reach * math.cos(bearing), reach * math.sin(bearing), bearing])


def _room(scan: Scan, bearing: float, disc: Disc) -> float:
    """How far [m] the robot can go along a `bearing` [rad]."""
    return free_range(scan, bearing, disc.radius + ROOM) - disc.reach(bearing) - ROOM


# A goal that has to be recognised: it is looked for while nothing is likely enough, and left once that is unlikely.

FINDER_ARRIVED = 0.995  # probability of the hypothesis where the robot stands, from which it has arrived
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
        return driven is not None and driven.is_checked(percept.stamp) and driven.probability > FINDER_ARRIVED

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
