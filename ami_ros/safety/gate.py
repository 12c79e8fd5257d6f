"""The last word on every command; nothing in it is learned. docs/safety.md has its promises,
and the tests that hold it to them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from ami_ros.core.commands import STILL, Command, of_width
from ami_ros.core.geometry import Array
from ami_ros.core.scan import Scan, scan_points
from ami_ros.safety.config import Footprint, SafetyConfig
from ami_ros.safety.keep_out import KeepOut
from ami_ros.safety.liveness import Liveness
from ami_ros.safety.motion import Motion
from ami_ros.safety.observations import LASER, Observation, Observations, Readings, Snapshot, usable
from ami_ros.safety.obstruction import Obstruction, Track, of_frame
from ami_ros.safety.obstruction import usable as usable_tracks
from ami_ros.safety.output import STOPPED, Acceleration, SafetyOutput
from ami_ros.safety.surroundings import PassedOver, Surroundings
from ami_ros.safety.zones import Zone, Zones

NOTHING = of_width(STILL, 3)
NO_SCAN = "no scan"


@dataclass(frozen=True)
class GateConfig:
    """What of its inputs the gate believes, and how finely it shares a command; of any robot."""

    skew: float = 0.2  # [s] that a stamp may lie in the future: clocks of two machines differ
    latest: float = 2.0  # [s] that other sensors than the laser may be late
    back: float = 0.1  # [s] by which time may go back without being another time
    farthest: float = 1e7  # [m] from its origin that odometry may be: differences of millimetres stay exact
    too_fast: float = 5.0  # times a limit of speed, and 1 m/s or rad/s: what odometry says beyond is no measurement
    readings: int = 200_000  # of all sensors together, that there is time to sort out
    halvings: int = 5  # of the share of a command that is passed
    least_share: float = 1 / 16  # of a command; rather than less, the robot turns on the spot


class SafetyGate:
    """Passes commands on, slowed down or stopped where they could do harm.

    `now` and stamps are of one clock [s]. `steady` is of one that nothing can stop or turn back; where it is left out
    everywhere, nothing is asked of it.

    Every path is looked at that the robot may take with a command until it stands again. A command is passed whole, or
    the greatest share of it (all parts alike: the same arc, slower) with which all those paths are free. Where nearly
    nothing of it is left, the robot may still turn on the spot as was asked.

    Args:
        config: what is known of the robot.
        zones: by name; readings in them change commands.
        sources: name of each sensor beside the laser -> the age [s] from which it shows nothing any more, and the robot
            stands; 0: what it said holds until it says something else.
        keep_out: where the robot must not go.
        simulated: the robot lives in the time of `now`, however fast that goes by.
        own: what is believed of what is told.

    Raises:
        AmiError: a zone counts the readings of a sensor that there is not.
    """

    def __init__(
        self,
        config: SafetyConfig,
        zones: Mapping[str, Zone] | None = None,
        sources: Mapping[str, float] | None = None,
        keep_out: KeepOut | None = None,
        simulated: bool = False,
        own: GateConfig | None = None,
    ) -> None:
        self._own = own or GateConfig()
        self.config = self._start = config
        self.keep_out = KeepOut() if keep_out is None else keep_out
        self.emergency = False  # stands until `release`
        self.held = False  # zero for as long as it is set
        self._footprint, self._sources = Footprint(config), sources or {}
        self._zones = Zones(zones or {}, self._footprint, {LASER, *self._sources})
        self._forget()
        self._last: Command = NOTHING
        self._last_time = -math.inf
        self._acceleration = Acceleration(simulated)
        self._clock = (-math.inf, -math.inf)  # the node's, and steady time at which it was seen to move

    def _forget(self) -> None:
        self._motion, self._around = Motion(self._start), Surroundings(self._start, self._footprint)
        self._liveness = Liveness(self._start.measured)
        self._laser, self._others = Observations({}), Observations(self._sources)
        self._unbelieved = Observations({})  # the newest scan since then that is not of now, as it seems
        self._passed: dict[str, PassedOver] = {}  # by source: what went under or beside its view
        sees = self._around, self._others, self.keep_out
        self._obstruction = Obstruction(self.config, self._footprint, self._motion, *sees)
        self._command: tuple[Command, float, float] | None = None  # of three numbers; when it came, on both clocks
        self._scanned = -math.inf  # steady time of the newest scan
        self._fault = ""  # what is wrong with the scans that come
        self._doubted = -math.inf  # when one came last that is not of now, as it seems [s]
        self._odom_stamp = -math.inf

    def tighten(self, config: SafetyConfig) -> None:
        """Other limits from now on, none looser than at the start; those still say how long it takes to stand."""
        self.config = self._obstruction.config = config

    def command(
        self,
        linear: float,
        angular: float,
        now: float,
        lateral: float = 0.0,
        steady: float = 0.0,
        stamp: float | None = None,
    ) -> str:
        """A command arrived; one that is not finite counts as a stop.

        Args:
            linear: [m/s] ahead.
            angular: [rad/s] to the left.
            now: when it arrived.
            lateral: [m/s] to the left.
            steady: when it arrived, on steady time.
            stamp: when it was given, if that is known: its age counts from there.

        Returns:
            Why it is not used; "" if it is.
        """
        given = now if stamp is None else min(now, stamp)
        if now - given > self.config.command_timeout:
            return f"the command is {now - given:.2f} s old when it comes, more than command_timeout"
        self._command = (linear, angular, lateral), given, steady
        return ""

    def scan(self, scan: Scan, now: float, stamp: float | None = None, steady: float = 0.0) -> str:
        """A scan (in base_link) arrived.

        Args:
            scan: what was measured.
            now: when it arrived.
            stamp: when it was measured; left out: now.
            steady: when it arrived, on steady time.

        Returns:
            Why it is not used; "" if it is.
        """
        stamp = now if stamp is None else stamp
        newest = self._around.newest
        if not math.isfinite(stamp) or stamp > now + self._own.skew:
            return f"the scan's stamp is {stamp - now:.2f} s in the future; make the clocks alike"
        if now - stamp > self.config.scan_timeout:
            return f"the scan is {now - stamp:.2f} s old when it comes, more than scan_timeout"
        pose, error = self._motion.at(stamp)
        if newest is not None and stamp < newest.stamp:
            if self._around.came_late(Snapshot.of(scan, pose, error, stamp)):
                self._liveness.came_late(scan, pose)
            return "a newer scan came before this one"
        measured = self._motion.is_measured(now)
        moves = self._motion.velocity, stamp, self._motion.unsure(stamp)
        points = usable(scan_points(scan, math.inf)) if self._zones else np.zeros((0, 2))
        shown = Observation(pose, error, stamp, steady, points)
        if measured and (problem := self._liveness.doubt(scan, pose, *moves)):
            self._doubted = now
            self._unbelieved.put(LASER, shown)  # beside the last that was believed: neither lets it turn faster
            return problem
        seen = scan  # zones count every reading, the old ones of a hanging laser as well
        if measured and self._liveness.old.any():
            seen = replace(scan, ranges=np.where(self._liveness.old, np.nan, scan.ranges))
        self._fault = self._around.add(Snapshot.of(seen, pose, error, stamp), measured)
        if not self._fault:
            self._scanned = steady
            self._laser.put(LASER, shown)
            self._unbelieved = Observations({})
        return self._fault

    def observe(
        self,
        source: str,
        points: Array,
        now: float,
        stamp: float | None = None,
        steady: float = 0.0,
        view: Scan | None = None,
    ) -> str:
        """Another sensor's message arrived: all that it shows, points (n, 2) [m] in base_link when it was measured.
        With a `view`, in base_link, that also says what was free: what it showed before and passes over now still
        stands there.

        Returns:
            Why it is not used; "" if it is.
        """
        stamp = now if stamp is None else stamp
        latest = self._own.latest
        if not now - latest <= stamp <= now + self._own.skew:
            return f"what {source} says is {now - stamp:.2f} s old when it comes; at most {latest} s is usable"
        if self._others.has_newer(source, stamp):
            return f"something newer of {source} came before this"
        pose, error = self._motion.at(stamp)
        points = usable(points)
        if view is not None:
            kept = self._passed.setdefault(source, PassedOver(self.config.memory))
            points = kept.look(points, Snapshot.of(view, pose, error, stamp))
        self._others.put(source, Observation(pose, error, stamp, steady, points))
        return ""

    def tracks(self, things: Iterable[Track], now: float, stamp: float, odom: bool = False) -> str:
        """What moves around the robot, as a tracker has it: all of it, in place of what it said before.

        Args:
            things: in base_link at `stamp`.
            now: when they were told.
            stamp: when they were there.
            odom: they are in odometry's own frame instead.

        Returns:
            What of it is not used, and why; "" if all is.
        """
        lasts = self._obstruction.tracks.config.lasts
        if not now - lasts <= stamp <= now + self._own.skew:
            return f"moving things: their stamp is {now - stamp:.2f} s old; 0 to {lasts} s is usable"
        if stamp < self._obstruction.tracks.stamp:
            return "something newer of what moves came before this"
        if odom and self._motion.missing(now):
            return "moving things: without odometry it is not known where odom is"
        if odom:
            here = self._motion.in_odom(stamp)
            things = [thing.seen_from(here) for thing in things]
        near, problem = usable_tracks(things)
        self._obstruction.tracks = of_frame(near, self._motion.at(stamp)[0], stamp)
        return problem

    @property
    def asked(self) -> Command:
        """The newest command of three numbers that came; zero if none did."""
        return NOTHING if self._command is None else self._command[0]

    def odometry(self, pose: Array, velocity: Command, stamp: float, now: float | None = None) -> str:
        """Odometry's pose (3,) and velocity arrived, measured at `stamp`; wrong or old ones are dropped. Without any,
        the gate reckons by what it sent.

        Returns:
            Why it is not used; "" if it is.
        """
        values = *pose, *(velocity := of_width(velocity, 3)), stamp
        if not all(map(math.isfinite, values)) or max(abs(pose[0]), abs(pose[1])) > self._own.farthest:
            return "odometry has numbers that are no place"
        if not self._odom_stamp < stamp <= (stamp if now is None else now) + self._own.skew:
            return "odometry's stamp is in the future, or older than one before; make the clocks alike"
        most = self._start.max_linear, self._start.max_angular, self._start.max_lateral
        if any(abs(value) > self._own.too_fast * limit + 1.0 for value, limit in zip(velocity, most, strict=True)):
            return f"odometry says {velocity} m/s and rad/s, which this robot cannot do"
        self._odom_stamp = stamp
        self._motion.odometry(np.asarray(pose, dtype=np.float64), velocity, stamp)
        return ""

    def stop(self) -> None:
        """Forgets everything but an emergency stop and a leap of odometry: zero until new commands come."""
        leapt = self._motion.leapt
        self._forget()
        self._motion.leapt = leapt
        self._last = NOTHING

    def emergency_stop(self) -> None:
        """Zero until `release`, whatever happens."""
        self.emergency = True

    def release(self) -> None:
        """Ends an emergency stop, and doubt whether the laser lives; commands from before do not come back."""
        self.emergency, self._command, self._liveness = False, None, Liveness(self._start.measured)

    def output(self, now: float, steady: float = 0.0) -> SafetyOutput:
        """The command to send now; call it at a fixed rate."""
        if now < self._last_time - self._own.back:
            last = self._last
            self.stop()  # all that is known is of another time
            self._motion.told(last, now)  # but the robot still does that
            self._motion.leapt = -math.inf
            self.keep_out.clock_was_set()
            self._acceleration.begin_again(now)
        self._last_time = now
        passed = self._acceleration.passed(now, steady)
        if now != self._clock[0]:
            self._clock = now, steady
        sent, reason = self._decide(now, steady, passed)
        self._last = sent
        self._motion.told(sent, now)
        linear, angular, lateral = sent
        return SafetyOutput(linear, angular, reason, lateral)

    def _decide(self, now: float, steady: float, passed: float) -> tuple[Command, str]:
        config = self.config
        if self.emergency:
            return NOTHING, STOPPED
        if self.held:
            return NOTHING, "a node is missing"
        if self._command is None:
            return NOTHING, "" if self._last == NOTHING else "no command"
        wanted, came, came_steady = self._command
        if now - came > config.command_timeout or steady - came_steady > config.silence_timeout:
            return NOTHING, "" if self._last == NOTHING else "no command"
        if not all(map(math.isfinite, wanted)):
            return NOTHING, "command is not finite"
        if wanted == NOTHING:
            return NOTHING, ""
        if steady - self._clock[1] > config.clock_timeout:
            return NOTHING, "clock stands still"
        if (problem := self._blind(now, steady)) and not (problem == NO_SCAN and self._are_old(now)):
            return NOTHING, problem
        if lost := problem or self._lost(now):
            wanted = (0.0, wanted[1] if self._footprint.is_round else 0.0, 0.0)
        limited, reason = self._limit(wanted, passed, now)
        if limited == NOTHING or problem:
            return limited, lost or reason
        sent, blocked = self._share(limited, now)
        return sent, lost or blocked or reason

    def _blind(self, now: float, steady: float) -> str:
        """What is not known that has to be; "" if nothing."""
        if source := self._others.missing(now, steady):
            return f"no data: {source}"
        if sum(each.count for each in (self._laser, self._unbelieved, self._others)) > self._own.readings:
            return "too much to look at"
        newest = self._around.newest
        if newest is None and not self.config.require_scan:
            return ""
        late = newest is None or now - newest.stamp > self.config.scan_timeout
        if self._fault or late or steady - self._scanned > self.config.silence_timeout:
            return self._fault or NO_SCAN
        return ""

    def _are_old(self, now: float) -> bool:
        """Whether scans come, but seem to be of another time. A round robot may turn then, over nothing new: that shows
        whether they change."""
        return now - self._doubted <= self.config.scan_timeout

    def _lost(self, now: float) -> str:
        """Why it is not known where the robot must not go; "" if it is. It may turn then, to be localised."""
        if not self.keep_out:
            return ""
        unknown = self.keep_out.missing(now, self._motion.leapt) or self._motion.missing(now)
        return f"keep-out: {unknown}" if unknown else ""

    def _limit(self, wanted: Command, passed: float, now: float) -> tuple[Command, str]:
        """Clips to the greatest speeds, to what zones leave, and to the greatest accelerations. And why."""
        most = self.config.max_linear, self.config.max_angular, self.config.max_lateral
        clipped = tuple(min(max(value, -limit), limit) for value, limit in zip(wanted, most, strict=True))
        share, zone = self._zones.share(clipped, self._readings(clipped, now)) if self._zones else (1.0, "")
        limited = self._acceleration.limit(self._last, tuple(share * v for v in clipped), passed, self.config)
        return limited, zone or ("" if limited == wanted else "limit")

    def _readings(self, command: Command, now: float) -> Readings:
        """All that any sensor shows where zones look at a command."""
        here, reach = self._motion.at(now)[0], self._zones.reach(command)
        believed = Readings.of(self._laser.newest | self._others.newest, here, reach)
        return believed.beside(Readings.of(self._unbelieved.newest, here, reach))

    def _share(self, command: Command, now: float) -> tuple[Command, str]:
        """As much of a command as is free, and what is in the way of the rest."""
        near = self._obstruction.near(command, now)
        reason = self._obstruction.what(command, now, near)
        if not reason:
            return command, ""
        free, not_free = 0.0, 1.0
        for _ in range(self._own.halvings):
            share = (free + not_free) / 2
            if self._obstruction.what(tuple(share * value for value in command), now, near):
                not_free = share
            else:
                free = share
        if not free and not self._obstruction.what(NOTHING, now, replace(near, margin=near.margin / 2)):
            free = self._motion.reckoned_with(command, now)  # an error of millimetres is no reason to brake harder
        turn = (0.0, command[1], 0.0)
        if free < self._own.least_share and command[1] and not self._obstruction.what(turn, now, near):
            return turn, reason
        return tuple(free * value for value in command), reason
