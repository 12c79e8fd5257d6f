"""The last word on every command; nothing in it is learned. docs/safety.md has its promises,
and the tests that hold it to them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from ami_ros.commands import STILL, Command, of_width
from ami_ros.geometry import Array, relative, transform_points
from ami_ros.safety.config import SafetyConfig
from ami_ros.safety.footprint import Footprint
from ami_ros.safety.motion import Motion
from ami_ros.safety.surroundings import Snapshot, Surroundings
from ami_ros.scan import Scan

NOTHING = of_width(STILL, 3)
SKEW = 0.2  # [s] that a stamp may lie in the future: clocks of two machines differ
BACK = 0.1  # [s] by which time may go back without being another time
HALVINGS = 5  # of the share of a command that is passed
LEAST_SHARE = 1 / 16  # of a command; rather than less, the robot turns on the spot
NEARER = 0.005  # [m] by which the robot may come nearer to what stands within its margin already

BLIND = 5  # the guarantee that it stands without usable scans
# Why a command was changed, and which guarantee of docs/safety.md acted.
REASONS = {
    "limit": 1,
    "command is not finite": 1,
    "no command": 2,
    "clock stands still": 2,
    "obstacle ahead": 3,
    "unseen ahead": 4,
    "no scan": BLIND,
    "scan without a reading": BLIND,
    "scan without what stood there": BLIND,
    "emergency stop": 7,
    "a node is missing": 8,
}


@dataclass(frozen=True)
class SafetyOutput:
    """What is sent to the robot."""

    linear: float  # [m/s]
    angular: float  # [rad/s]
    reason: str  # why it differs from the request; "" if it does not
    lateral: float = 0.0  # [m/s]

    @property
    def command(self) -> Command:
        """All three numbers, see `ami_ros.commands`."""
        return self.linear, self.angular, self.lateral

    @property
    def guarantee(self) -> int:
        """Which guarantee of docs/safety.md acted; 0: none."""
        return REASONS.get(self.reason, 0)


class SafetyGate:
    """Passes commands on, slowed down or stopped where they could do harm.

    `now` and stamps are of one clock [s]. `steady` is of one that nothing can stop or turn back; where it is left out
    everywhere, nothing is asked of it.

    Every path is looked at that the robot may take with a command until it stands again. A command is passed whole, or
    the greatest share of it (all parts alike: the same arc, slower) with which all those paths are free. Where nearly
    nothing of it is left, the robot may still turn on the spot as was asked.
    """

    def __init__(self, config: SafetyConfig) -> None:
        self.config = config
        self.emergency = False  # stands until `release`
        self.held = False  # zero for as long as it is set
        self._footprint = Footprint(config)
        self._forget(config)
        self._last: Command = NOTHING
        self._last_time: float | None = None
        self._clock = (-math.inf, -math.inf)  # the node's, and steady time at which it was seen to move

    def _forget(self, config: SafetyConfig) -> None:
        self._motion, self._around = Motion(config), Surroundings(config, self._footprint)
        self._command: tuple[Command, float, float] | None = None  # of three numbers; when it came, on both clocks
        self._scanned = -math.inf  # steady time of the newest scan
        self._fault = ""  # what is wrong with the scans that come
        self._odom_stamp = -math.inf

    def command(self, linear: float, angular: float, now: float, lateral: float = 0.0, steady: float = 0.0) -> None:
        """A command arrived; one that is not finite counts as a stop."""
        self._command = (linear, angular, lateral), now, steady

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
        if not math.isfinite(stamp) or stamp > now + SKEW:
            return f"the scan's stamp is {stamp - now:.2f} s in the future; make the clocks alike"
        if now - stamp > self.config.scan_timeout:
            return f"the scan is {now - stamp:.2f} s old when it comes, more than scan_timeout"
        if newest is not None and stamp < newest.stamp:
            return "a newer scan came before this one"
        self._fault = self._around.add(Snapshot.of(scan, *self._motion.at(stamp), stamp))
        if not self._fault:
            self._scanned = steady
        return self._fault

    def odometry(self, pose: Array, velocity: Command, stamp: float, now: float | None = None) -> None:
        """Odometry's pose (3,) and velocity arrived, measured at `stamp`; wrong or old ones are dropped. Without any,
        the gate reckons by what it sent."""
        values = *pose, *(velocity := of_width(velocity, 3)), stamp
        if all(map(math.isfinite, values)) and self._odom_stamp < stamp <= (stamp if now is None else now) + SKEW:
            self._odom_stamp = stamp
            self._motion.odometry(np.asarray(pose, dtype=np.float64), velocity, stamp)

    def stop(self) -> None:
        """Forgets everything but an emergency stop: zero until new commands come."""
        self._forget(self.config)

    def emergency_stop(self) -> None:
        """Zero until `release`, whatever happens."""
        self.emergency = True

    def release(self) -> None:
        """Ends an emergency stop; commands from before do not come back."""
        self.emergency, self._command = False, None

    def output(self, now: float, steady: float = 0.0) -> SafetyOutput:
        """The command to send now; call it at a fixed rate."""
        if self._last_time is not None and now < self._last_time - BACK:
            self.stop()  # all that is known is of another time
        elapsed = 0.0 if self._last_time is None else max(0.0, now - self._last_time)
        self._last_time = now
        if now != self._clock[0]:
            self._clock = now, steady
        sent, reason = self._decide(now, steady, elapsed)
        self._last = sent
        self._motion.told(sent, now)
        linear, angular, lateral = sent
        return SafetyOutput(linear, angular, reason, lateral)

    def _decide(self, now: float, steady: float, elapsed: float) -> tuple[Command, str]:
        config = self.config
        if self.emergency:
            return NOTHING, "emergency stop"
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
        limited = self._limit(wanted, elapsed)
        if not config.require_scan and self._around.newest is None:
            return limited, "" if limited == wanted else "limit"
        newest = self._around.newest
        blind = newest is None or now - newest.stamp > config.scan_timeout
        if self._fault or blind or steady - self._scanned > config.silence_timeout:
            return NOTHING, self._fault or "no scan"
        sent, reason = self._share(limited, now)
        return sent, reason or ("" if limited == wanted else "limit")

    def _limit(self, wanted: Command, elapsed: float) -> Command:
        """Clips to the greatest speeds and accelerations; slowing down is always allowed at once."""
        config, elapsed = self.config, min(elapsed, 0.1) or 0.05
        most = config.max_linear, config.max_angular, config.max_lateral
        steps = config.max_linear_acceleration, config.max_angular_acceleration, config.max_linear_acceleration
        clipped = (min(max(value, -limit), limit) for value, limit in zip(wanted, most, strict=True))
        return tuple(_ramp(last, to, elapsed * step) for last, to, step in zip(self._last, clipped, steps, strict=True))

    def _share(self, command: Command, now: float) -> tuple[Command, str]:
        """As much of a command as is free, and what is in the way of the rest."""
        near = self._near(now)
        reason = self._blocked(command, now, near)
        if not reason:
            return command, ""
        free, not_free = 0.0, 1.0
        for _ in range(HALVINGS):
            share = (free + not_free) / 2
            if self._blocked(tuple(share * value for value in command), now, near):
                not_free = share
            else:
                free = share
        if not free and not self._blocked(NOTHING, now, replace(near, margin=near.margin / 2)):
            free = self._motion.reckoned_with(command, now)  # an error of millimetres is no reason to brake harder
        turn = (0.0, command[1], 0.0)
        if free < LEAST_SHARE and command[1] and not self._blocked(turn, now, near):
            return turn, reason
        return tuple(free * value for value in command), reason

    def _near(self, now: float) -> _Near:
        seen = self._around.newest
        assert seen is not None
        here, error = self._motion.at(now)
        points = transform_points(relative(here, seen.pose), seen.points)
        margin = self.config.margin + error - seen.error + self.config.obstacle_speed * max(0.0, now - seen.stamp)
        return _Near(here, margin, points, self._footprint.distance(points))

    def _blocked(self, command: Command, now: float, near: _Near) -> str:
        """What is in the way of a path that the robot may take with a command; "" if all are free."""
        times, poses = self._motion.paths(command, now)
        if self._touches(times, poses, near):
            return "obstacle ahead"
        outline = transform_points(poses, self._footprint.outline).reshape(-1, 2)
        outline = outline[self._footprint.distance(outline) > 1e-6]  # where it does not stand already
        return "" if self._around.free(transform_points(near.here, outline)).all() else "unseen ahead"

    def _touches(self, times: Array, poses: Array, near: _Near) -> bool:
        """Whether the robot, on one of these paths, comes within its margin of something in the newest scan."""
        closer = self.config.obstacle_speed * times
        reach = near.margin + closer[-1] + np.hypot(poses[..., 0], poses[..., 1]).max() + self._footprint.swing
        points, distance = near.points[near.distance <= reach], near.distance[near.distance <= reach]
        if not len(points):
            return False
        # From what is within the margin already the robot may go away, and not come nearer again and again.
        least = np.where(
            distance >= near.margin,
            np.minimum(near.margin + closer[:, None], distance),  # it may always go past it, or away
            np.maximum(np.minimum(distance, near.margin / 2), distance - NEARER),
        )
        local = transform_points(relative(poses, np.zeros(3)), points)
        return bool((self._footprint.distance(local) < least - 1e-9).any())


@dataclass(frozen=True)
class _Near:
    """What the newest scan shows, as the robot stands now."""

    here: Array  # (3,) of base_link in the gate's frame
    margin: float  # [m] to keep from it at this moment
    points: Array  # (n, 2) [m] in base_link
    distance: Array  # (n,) [m] from the outline


def _ramp(last: float, wanted: float, step: float) -> float:
    """Moves from `last` towards `wanted` by at most `step` where that means faster; slowing down is immediate."""
    if wanted * last < 0:
        last = 0.0
    if abs(wanted) <= abs(last):
        return wanted
    return last + min(max(wanted - last, -step), step)
