"""Recovery: what to do when predictions fail, or the robot is stuck or lost; and how it backs up the way it came."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum

import numpy as np

from ami_ros.behaviour.config import RecoveryConfig
from ami_ros.core.commands import Command
from ami_ros.core.geometry import Array, relative, wrap
from ami_ros.core.scan import Scan
from ami_ros.planning.kinematics import Drive
from ami_ros.planning.scan_geometry import covers, free_range, sees
from ami_ros.planning.types import Code, Reading


@dataclass(frozen=True)
class BackUpConfig:
    """Of backing up."""

    speed: float = 0.12  # [m/s]
    distance: float = 0.35  # [m]
    turn: float = 0.9  # [rad/s] of turning to where there is room
    clearance: float = 0.35  # [m] that must be free in the direction of backing up, where the scanner sees it
    longest: float = 8.0  # [s]
    step: tuple[float, float] = (0.03, 0.15)  # [m], [rad] between poses of the trail that are kept
    kept: int = 120  # poses of the trail: some 3 m
    jump: float = 0.5  # [m] from one moment to the next, from which odometry restarted


class Trail:
    """Poses (3,) in odom, the newest last, as far as they are kept."""

    def __init__(self, config: BackUpConfig = BackUpConfig()) -> None:
        self._config = config
        self.poses: deque[Array] = deque(maxlen=config.kept)

    def add(self, odometry: Array) -> None:
        """The robot is at `odometry` (3,)."""
        if self.poses:
            step = odometry - self.poses[-1]
            distance = float(np.hypot(step[0], step[1]))
            if distance > self._config.jump:
                self.poses.clear()
            elif distance < self._config.step[0] and abs(float(wrap(step[2]))) < self._config.step[1]:
                return
        self.poses.append(np.array(odometry, dtype=np.float64))

    def back(self, odometry: Array, reach: float) -> Array | None:
        """Where to go next on the way back: a point (2,) in base_link `reach` [m] off; None at the trail's beginning.

        What lies nearer than half of `reach` is taken as passed, and dropped.
        """
        while self.poses:
            seen = relative(odometry, self.poses[-1])
            if np.hypot(seen[0], seen[1]) > reach / 2:
                break
            self.poses.pop()
        for pose in reversed(self.poses):
            seen = relative(odometry, pose)
            if np.hypot(seen[0], seen[1]) >= reach:
                return np.asarray(seen[:2])
        return np.asarray(relative(odometry, self.poses[0])[:2]) if self.poses else None


class BackAndTurn:
    """What to do when stuck, by the scan and the path that was just driven: backs up along the trail, then turns to
    where there is most room, if the robot turns on the spot.

    Where the trail is too short it backs up straight, but only into what the scanner sees to be free.

    Args:
        stamp: now [s].
        odometry: (3,) now.
        trail: of the robot; what is driven back is taken off it.
        drive: of the robot: a car does not turn on the spot, an omnidirectional robot need not turn to go back.
        config: see there.
    """

    def __init__(
        self, stamp: float, odometry: Array, trail: Trail, drive: Drive = "differential",
        config: BackUpConfig = BackUpConfig(),
    ) -> None:  # fmt: skip
        self.began, self.trail, self.config = stamp, trail, config
        self.turns_on_the_spot, self.sideways = drive != "ackermann", drive == "omnidirectional"
        self.backing = True
        self.heading: float | None = None
        self._last, self._driven = np.asarray(odometry, dtype=np.float64), 0.0

    def command(self, stamp: float, odometry: Array, scan: Scan | None) -> Command | None:
        """The command for now; None once the manoeuvre is over."""
        config = self.config
        if stamp - self.began > config.longest:
            return None
        self._driven += float(np.hypot(*(odometry - self._last)[:2]))
        self._last = np.asarray(odometry, dtype=np.float64)
        self.backing &= self._driven < config.distance and stamp - self.began < 0.6 * config.longest
        if self.backing:
            back = self._back(odometry, scan)
            self.backing = back is not None
            if back is not None:
                return back
        if not self.turns_on_the_spot:
            return None
        if self.heading is None:
            most = np.pi / 2
            if scan is not None:  # turning is preferred to going on the same way
                directions = np.linspace(-np.pi, np.pi, 24, endpoint=False)
                room = [min(free_range(scan, float(d), 0.22), 2.0) + 0.3 * min(abs(d), 1.5) for d in directions]
                most = float(directions[int(np.argmax(room))])
            self.heading = float(odometry[2]) + most
        error = float(wrap(self.heading - odometry[2]))
        return None if abs(error) < 0.2 else (0.0, float(np.copysign(config.turn, error)))

    def _back(self, odometry: Array, scan: Scan | None) -> Command | None:
        """Towards the trail, backwards or forwards, whichever needs less turning, or straight to it if the robot can;
        forwards, if it turns on the spot and does not see what is behind it. None if that is not free."""
        point, config = self.trail.back(odometry, 0.15), self.config
        if point is None:
            free = scan is not None and free_range(scan, np.pi, 0.2) > config.clearance
            return (-config.speed, 0.0) if free else None
        bearing = float(np.arctan2(point[1], point[0]))
        ahead = abs(bearing) < np.pi / 2 or (self.turns_on_the_spot and not self.sideways and not sees(scan, np.pi))
        error = bearing if ahead else float(wrap(bearing - np.pi))
        if abs(error) > 0.6 and self.turns_on_the_spot and not self.sideways:
            return 0.0, float(np.copysign(config.turn, error))
        if scan is not None and covers(scan, bearing) and free_range(scan, bearing, 0.2) < config.clearance:
            return None
        if self.sideways:
            return config.speed * float(np.cos(bearing)), 0.0, config.speed * float(np.sin(bearing))
        speed = config.speed if ahead else -config.speed
        # The arc through the point (pure pursuit, Coulter 1992), which holds for either sign of the speed.
        return speed, speed * 2 * float(point[1]) / float(point @ point)


class RecoveryState(Enum):
    """The state of the robot, named by what it does."""

    CALM = "drives on"
    WARY = "drives slower"
    LOOKING = "stands and looks"
    LOCALISING = "turns to localise"
    BACKING = "backs up the way it came"
    HOPELESS = "gives up"


@dataclass(frozen=True)
class RecoveryRules:
    """How much surprise means what, how long each state lasts, and when the goal is given up."""

    wary: float = 0.8  # [s] without an alarm, after which it drives on as usual
    sudden: float = 8.0  # mean z score of three readings, one model step: carried away, or the view changed
    lasting: float = 3.5  # mean z score over the last second that makes it wary, and over ...
    window: float = 4.0  # [s] ... that makes it stop and look: wheels that slip
    look: float = 1.2  # [s] of standing and looking
    look_most: float = 4.0  # [s] of the same, while surprise goes on
    settle: float = 0.8  # [s] of being sure where it is, after a surprise, before it drives on
    give_up: float = 12.0  # [s] of turning without finding out where it is, after a surprise
    looks: tuple[int, float] = (4, 45.0)  # times to stop and look, and within how long [s], before it gives up
    # Times to be stuck, and within how long [s], before it gives up: a search of five minutes may get stuck more often.
    recoveries: tuple[int, float] = (8, 150.0)


@dataclass(frozen=True)
class Signs:
    """What the state is judged by, at one moment.

    Attributes:
        stamp: now [s].
        reading: the newest of surprise; None without.
        unsure: whether the model does not know what comes next.
        located: whether memory knows where the robot is; None where it is not asked.
        seeking: whether the robot must wait for memory to localise it.
        stuck: why the robot counts as stuck; "" if it does not.
        manoeuvring: whether the way back is still under way.
    """

    stamp: float
    reading: Reading | None = None
    unsure: bool = False
    located: bool | None = None
    seeking: bool = False
    stuck: str = ""
    manoeuvring: bool = False


class Recovery:
    """The state of one drive to one goal: a state machine.

            surprised           surprised hard or for long            lost, or again
     CALM <----------> WARY ------------------------------> LOOKING -----------------> LOCALISING
      |  stuck           | stuck                               |  calm again             |  known again
      +------> BACKING <-+                                     +-------> CALM <----------+
                | over                                         | again and again         | never
                +-------> CALM                                 +------> HOPELESS <-------+

    Every change has a reason, a text for people. It drives nothing itself: the navigator acts on the state.

    Args:
        config: see there.
        rules: see there.

    Attributes:
        now: the state.
        reason: why it is in it, for people.
        code: of the end, once it is hopeless.
        recoveries: times it was stuck.
    """

    def __init__(self, config: RecoveryConfig, rules: RecoveryRules = RecoveryRules()) -> None:
        self.config, self.rules = config, rules
        self.now = RecoveryState.CALM
        self.reason = ""
        self.code = Code.NONE
        self.recoveries = 0
        self.surprised = False  # whether it was surprise that made it stop
        self._since = self._alarmed = -np.inf
        self._known_since: float | None = None
        self._readings: deque[Reading] = deque()
        self._looks: deque[float] = deque()
        self._stuck: deque[float] = deque()

    def update(self, signs: Signs) -> RecoveryState:
        """The state, from all that is known at this moment; at most one change a moment."""
        self._read(signs)
        found = None  # nothing follows giving up
        if self.now in (RecoveryState.CALM, RecoveryState.WARY):
            found = self._from_driving(signs)
        elif self.now is RecoveryState.LOOKING:
            found = self._from_looking(signs)
        elif self.now is RecoveryState.LOCALISING:
            found = self._from_localising(signs)
        elif self.now is RecoveryState.BACKING and not signs.manoeuvring:
            found = RecoveryState.CALM, "backed up; trying again"
        if found is not None:
            self._enter(signs.stamp, *found)
        return self.now

    def _enter(self, stamp: float, state: RecoveryState, reason: str) -> None:
        self.now, self.reason, self._since = state, reason, stamp
        self._known_since = None
        if state is RecoveryState.BACKING:
            self.recoveries += 1
            self._stuck.append(stamp)
        elif state is RecoveryState.LOOKING:
            self._looks.append(stamp)
            self.surprised = True
            self._readings.clear()  # what was seen while driving has already had its effect
        elif state is RecoveryState.CALM:
            self.surprised = False
            self._readings.clear()

    def _read(self, signs: Signs) -> None:
        reading, readings = signs.reading, self._readings
        heeded = reading is not None and self.config.enabled and np.isfinite(reading.z_score)
        if reading is not None and heeded and (not readings or reading.stamp > readings[-1].stamp):
            readings.append(reading)
            self._alarmed = signs.stamp if reading.alarm else self._alarmed
        while readings and signs.stamp - readings[0].stamp > self.rules.window:
            readings.popleft()
        while self._looks and signs.stamp - self._looks[0] > self.rules.looks[1]:
            self._looks.popleft()
        while self._stuck and signs.stamp - self._stuck[0] > self.rules.recoveries[1]:
            self._stuck.popleft()

    # What surprise means

    def _mean(self, seconds: float) -> float:
        """Mean z score of the last `seconds` [s]; NaN where the readings do not reach back so far."""
        readings = self._readings
        if not readings or readings[-1].stamp - readings[0].stamp < 0.8 * seconds:
            return float("nan")
        return float(np.mean([r.z_score for r in readings if readings[-1].stamp - r.stamp < seconds]))

    def _shock(self) -> str:
        """Why to stop and look, if there is a reason."""
        newest, rules = [r.z_score for r in self._readings][-3:], self.rules
        if len(newest) == 3 and np.mean(newest) > rules.sudden and min(newest) > 0.3 * rules.sudden:
            return f"sudden surprise (z = {np.mean(newest):.0f})"
        if (lasting := self._mean(rules.window)) > rules.lasting:
            return f"little has been as expected for {rules.window:.0f} s (z = {lasting:.1f})"
        return ""

    def _quiet(self, stamp: float) -> bool:
        """Whether surprise is too small to slow down for."""
        return stamp - self._alarmed > self.rules.wary and not self._mean(1.0) > self.rules.lasting

    # What follows each state

    def _from_driving(self, signs: Signs) -> tuple[RecoveryState, str] | None:
        if signs.stuck:
            if len(self._stuck) >= self.rules.recoveries[0]:
                return self._give_up(
                    Code.FAILED_TO_MAKE_PROGRESS, f"stuck: {signs.stuck}, after {self.recoveries} recoveries"
                )
            return RecoveryState.BACKING, f"stuck: {signs.stuck}; backing up the way it came"
        if shock := self._shock():
            if len(self._looks) >= self.rules.looks[0]:
                return self._give_up(
                    Code.SURPRISE_EXCEEDED, f"{shock}, after stopping to look {len(self._looks)} times"
                )
            return RecoveryState.LOOKING, f"{shock}: stopping to look"
        if signs.seeking and not signs.located:
            return RecoveryState.LOCALISING, "turning to localise"
        unsure = signs.unsure and self.config.enabled
        quiet = self._quiet(signs.stamp) and not unsure
        if self.now is RecoveryState.CALM and not quiet:
            return RecoveryState.WARY, f"{'the model is unsure' if unsure else 'surprised'}: slower"
        if self.now is RecoveryState.WARY and quiet:
            return RecoveryState.CALM, "as expected again"
        return None

    def _from_looking(self, signs: Signs) -> tuple[RecoveryState, str] | None:
        lasted = signs.stamp - self._since
        if lasted < self.rules.look:
            return None
        settled = self._quiet(signs.stamp)
        if settled and signs.located is not False and len(self._looks) < 2:
            return RecoveryState.CALM, "predictions hold again"
        if not settled and lasted < self.rules.look_most:
            return None
        if signs.located is None:
            return RecoveryState.CALM, "looked; driving on"
        return RecoveryState.LOCALISING, "turning to localise after a surprise"

    def _from_localising(self, signs: Signs) -> tuple[RecoveryState, str] | None:
        if not signs.located:
            self._known_since = None
        elif self._known_since is None:
            self._known_since = signs.stamp
        since = self._known_since
        if since is not None and (not self.surprised or signs.stamp - since >= self.rules.settle):
            return RecoveryState.CALM, "localised"
        if not self.surprised:
            return None if signs.seeking else (RecoveryState.CALM, "going on without being localised")
        if signs.stamp - self._since > self.rules.give_up:
            lasted = f"{self.rules.give_up:.0f} s of turning"
            return self._give_up(Code.SURPRISE_EXCEEDED, f"surprised, and {lasted} did not localise the robot")
        return None

    def _give_up(self, code: Code, reason: str) -> tuple[RecoveryState, str]:
        self.code = code
        return RecoveryState.HOPELESS, reason
