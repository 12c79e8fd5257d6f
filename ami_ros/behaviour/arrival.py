"""Arriving: when the robot stands at its goal, and whether that is the goal, where it has to be recognised."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

import numpy as np

from ami_ros.behaviour.belief import GoalBelief, Sight
from ami_ros.behaviour.posterior import Hypothesis, Likelihoods
from ami_ros.behaviour.routing import Routing
from ami_ros.behaviour.search import GoalSearch, is_over
from ami_ros.core.geometry import Array, Disc, compose, wrap
from ami_ros.planning.scan_geometry import free_range, sees
from ami_ros.planning.types import Code, Goal, Percept


@dataclass(frozen=True)
class ArrivalConfig:
    """When the robot is at its goal, and how it is looked at again there."""

    settled: float = 2.0  # [s] for which nothing may change, until the robot has come to rest
    still: tuple[float, float] = (0.05, 0.15)  # [m], [rad] less is no change
    slack: float = 2.0  # tolerances of place within which a goal may be reached at all ...
    leaves: float = 1.56  # ... and beyond which a robot that was there approaches again
    conflict: float = 0.09  # [m] by how much, at most, sights of a goal may lead past the tolerance
    tight: float = 0.7  # of the tolerances, where a goal is looked at again ...
    most: int = 3  # ... and how often they get as much smaller
    look: float = 0.8  # [s] of standing at a goal that is not proven, before it is looked at again from elsewhere
    there: float = 0.3  # [m] from a spot to look from, at which the robot looks around
    here: float = 0.5  # [m] from where memory has the goal, within which it is there that it was looked for
    off: float = 0.3  # [m] that the robot goes away to look again from there ...
    off_seconds: float = 5.0  # [s] ... and that it may take
    off_end: float = 0.02  # [m] from the end of the way there, at which it is there
    room: float = 0.03  # [m] beside the robot on that way, and behind its end
    again: int = 2  # times that it is looked at again from one place


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
        config: see there.
    """

    def __init__(self, distance: float, angle: float, config: ArrivalConfig = ArrivalConfig()) -> None:
        self._config = config
        self._tolerances = self.distance, self.angle = distance, angle
        self.state = Arrival.APPROACHING
        self.returns = 0  # how often the robot was there and had to approach again
        self._since = 0.0
        self._tightened = 0  # times
        self._seen: deque[tuple[float, Array]] = deque()  # the goal's pose, for as long as it has to rest

    def update(self, stamp: float, pose: Array) -> Arrival:
        """Takes the goal's pose (3,) in base_link at `stamp` [s]."""
        distance, turn = float(np.hypot(pose[0], pose[1])), abs(float(pose[2]))
        config = self._config
        self._seen.append((stamp, np.asarray(pose)))
        while stamp - self._seen[0][0] > config.settled + 1e-6:
            self._seen.popleft()
        x, y, yaw = (np.stack([seen for _, seen in self._seen]) - pose).T
        still = np.hypot(x, y).max() < config.still[0] and np.abs(wrap(yaw)).max() < config.still[1]
        rests = bool(still and stamp - self._seen[0][0] > 0.8 * config.settled)
        settled = rests and distance < self.distance + config.conflict
        before, self.state = self.state, self._next(distance / self.distance, turn / self.angle, settled)
        self.returns += self.state is Arrival.APPROACHING and before is not Arrival.APPROACHING
        if self.state is Arrival.STANDING and before is not Arrival.STANDING:
            self._since = stamp
        return self.state

    def _next(self, distance: float, turn: float, settled: bool) -> Arrival:
        """Distance and turn are in units of their tolerances."""
        here, standing = self.state is not Arrival.APPROACHING, self.state is Arrival.STANDING
        slack = self._config.slack
        if distance < (slack if settled else self._config.leaves if here else 1.0) and turn < (
            1.5 if standing else 1.0
        ):
            return Arrival.STANDING
        # Turning moves the robot a little; once it has turned and is off its place, it approaches again.
        if distance < (slack if here else 1.0) and turn > 0.5:
            return Arrival.TURNING
        return Arrival.APPROACHING

    def stood(self, stamp: float) -> float:
        """How long it has been standing there [s]."""
        return stamp - self._since if self.state is Arrival.STANDING else 0.0

    def tighten(self, distance: float = math.inf) -> bool:
        """From now on the goal is reached nearer, as where it was not recognised from within the tolerances: by `tight`
        once more, and again until one at a `distance` [m] is not near enough; its heading by `tight` once. False: that
        is too near."""
        tight = self._config.tight
        for times in range(self._tightened + 1, self._config.most + 1):
            if (nearer := tight**times * self._tolerances[0]) < distance:
                self._tightened, self.distance, self.angle = times, nearer, tight * self._tolerances[1]
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


class SecondLook:
    """Goes a little away, where a goal was recognised from one pose only; the robot then comes again by itself.

    Args:
        config: see there.
    """

    def __init__(self, config: ArrivalConfig = ArrivalConfig()) -> None:
        self._config = config
        self.restart()

    def restart(self) -> None:
        """At another place."""
        self._begun: tuple[float, Array, Array] | None = None  # when, where, and to where (3,) in odom
        self._taken = 0

    def begin(self, percept: Percept, disc: Disc) -> bool:
        """Begins where a robot is that fills a `disc`; False: it has looked often enough at this place, or there is no
        way from it."""
        away = self._way_off(percept, disc)
        if self._taken >= self._config.again or away is None:
            return False
        self._taken += 1
        self._begun = (percept.stamp, percept.odometry, compose(percept.odometry, away))
        return True

    def spot(self, stamp: float, odometry: Array) -> Array | None:
        """Where the robot is to go now (3,) in odom; None: it is not under way, or any more."""
        if self._begun is None:
            return None
        (since, start, spot), config = self._begun, self._config
        gone = float(np.hypot(*(odometry - start)[:2]))
        left = np.hypot(*(spot - start)[:2]) - gone
        if stamp - since > config.off_seconds or gone > config.off or left < config.off_end:
            self._begun = None
            return None
        return spot

    def _way_off(self, percept: Percept, disc: Disc) -> Array | None:
        """Pose (3,) in base_link a little away, where the robot can get: backwards, where it sees that to be free, else
        with as little turning as may be."""
        config, scan = self._config, percept.standing
        wanted, beside = config.off + config.off_end, config.room
        ways = [math.pi, 0.0, *(s * math.radians(a) for a in (135, 45, 90) for s in (1, -1))]
        if not sees(percept.scan, math.pi):
            ways.sort(key=abs)
        rooms = [
            wanted if scan is None else free_range(scan, way, disc.radius + beside) - disc.reach(way) - beside
            for way in ways
        ]
        best = next((k for k, room in enumerate(rooms) if room >= wanted), int(np.argmax(rooms)))
        bearing, reach = ways[best], min(rooms[best], wanted)
        if reach < Likelihoods.apart:
            return None
        return np.array([reach * math.cos(bearing), reach * math.sin(bearing), bearing])


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
    """Finds one goal, together with what routes there and what believes where it is: it is looked for while nothing is
    likely enough, and left once that is unlikely.

    Args:
        goal: see there.
        routing: to where memory has it.
        belief: where it is.
        stop: when the robot is there.
        config: see there.

    Attributes:
        search: from where it was looked for.
    """

    def __init__(
        self, goal: Goal, routing: Routing, belief: GoalBelief, stop: StopRule, config: ArrivalConfig = ArrivalConfig()
    ) -> None:
        self._config = config
        self._goal, self._routing, self._belief, self._stop = goal, routing, belief, stop
        self.search, self._second_look = GoalSearch(), SecondLook(config)
        self._approached: Hypothesis | None = None  # what was driven straight to, until now

    def re_anchor(self) -> None:
        """Odometry restarted: poses from before mean nothing any more."""
        self.search.re_anchor()
        self._second_look.restart()
        self._approached = None

    # On the way

    def find(self, percept: Percept, sight: Sight, elapsed: float) -> Search | None:
        """What to do to find the goal, `elapsed` [s] after its begin; None: drive to where it is believed to be."""
        if not self._goal.recognised:
            return None
        driven, before = self._belief.driven, self._approached
        self._approached = driven if sight.spotted or sight.distance < self._config.here else None
        dropped = self._belief.config.dropped
        if before is not None and before is not driven and before.probability < dropped:
            return self._leave(percept, sight)
        if sight.spotted or driven is not None:
            return None
        stamp, here, routing, search = percept.stamp, percept.odometry, self._routing, self.search
        if turns := search.goes_on(stamp, here):
            return Search(Look.TURN)
        if (turns is False or routing.lost) and routing.config.use_memory and _is_located(percept):
            routing.look_up_again()  # memory has seen what the robot saw
            return Search(Look.ASK)
        if routing.flat and sight.pose is None:
            spot = None if is_over(elapsed, self._goal.time_allowance) else search.next_spot(stamp, here, percept.scan)
            if spot is None:
                return Search(Look.GIVE_UP)
            return (
                Search(Look.DRIVE, spot) if np.hypot(*(spot - here)[:2]) > self._config.there else self._turn(percept)
            )
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
        return self._turn(percept) if np.hypot(*sight.remembered[:2]) < self._config.there else None

    def _turn(self, percept: Percept) -> Search:
        """Looks around here."""
        self.search.begin(percept.stamp, percept.odometry)
        return Search(Look.TURN)

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
        passes_it = sight.distance < self._stop.distance and self.proven(percept)
        return None if spot is None or passes_it else Search(Look.AGAIN, spot)

    def proven(self, percept: Percept) -> bool:
        """Whether the goal was recognised here, where that is needed."""
        driven, likely = self._belief.driven, self._belief.config.arrived
        if not self._belief.compares:
            return True
        return driven is not None and driven.is_checked(percept.stamp) and driven.probability > likely

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
        if stood <= self._config.look or driven is None:
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
        led_here = sight.remembered is not None and bool(np.hypot(*sight.remembered[:2]) < self._config.here)
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


def _is_located(percept: Percept) -> bool:
    return percept.location is not None and percept.location.localised
