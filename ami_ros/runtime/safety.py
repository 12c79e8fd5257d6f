"""The part `safety`: the last word on every command. It has no worker: nothing may hold it up."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable

from ami_ros.core.commands import STILL, Command, of_width
from ami_ros.core.depth import DepthScanner
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array
from ami_ros.core.scan import Mount, Scan
from ami_ros.runtime.part import (
    CMD_VEL,
    CMD_VEL_RAW,
    DEPTH,
    EMERGENCY_STOP,
    GATE,
    MOVING_THINGS,
    ODOM,
    SCAN,
    Bus,
    Motion,
    Part,
    Picture,
    Port,
)
from ami_ros.safety.gate import SafetyGate
from ami_ros.safety.moving_things import MovingThings
from ami_ros.safety.obstruction import Track, largest_sigma

DEPTH_SOURCE = "depth_camera"  # name of it for zones; no source of the user's can have it
GATE_RATE = 20.0  # [Hz] of what it sends between commands
WHOLE_FOR = 0.4  # [s] that one word of the supervisor holds, which sends one every 0.1 s


class SafetyPart(Part):
    """Passes commands through the gate as they arrive, and at a fixed rate in between.

    Args:
        bus: see `Part`.
        gate: judges.
        rate: of commands [Hz] of steady time.
        supervised: commands pass only while the supervisor says that the stack is whole.
        depth: what the depth camera shows; None: there is none. Of a robot without a laser it is the gate's scan.
    """

    name = "safety"
    works = False
    takes: tuple[Port, ...] = (CMD_VEL_RAW, SCAN.taken(frame="base_link"), DEPTH, ODOM, MOVING_THINGS, EMERGENCY_STOP)
    gives: tuple[Port, ...] = (CMD_VEL, GATE)

    def __init__(
        self, bus: Bus, gate: SafetyGate, rate: float, supervised: bool = False, depth: DepthScanner | None = None
    ) -> None:
        super().__init__(bus)
        self._depth = depth
        unheard = DEPTH.name if depth is None else SCAN.name if depth.config.is_scan else ""
        self.takes = tuple(port for port in self.takes if port.name != unheard)
        self.gate, self._supervised = gate, supervised
        self._whole_until = -math.inf  # steady time up to which the stack counts as whole
        self._reason: str | None = None  # the one given last
        self._sending = threading.Lock()  # a node is stopped from another thread: nothing follows its final zero
        bus.every(1.0 / rate, self.send, steady=True)

    def on_cmd_vel_raw(self, stamp: float, command: Command) -> None:
        linear, angular, lateral = of_width(command, 3)
        _refuse(self.gate.command(linear, angular, self.bus.now(), lateral, self.bus.steady(), stamp or None))
        self.send()

    def on_scan(self, stamp: float, scan: Scan) -> None:
        _refuse(self.gate.scan(scan, self.bus.now(), stamp, self.bus.steady()))

    def on_depth(self, stamp: float, picture: Picture) -> None:
        assert self._depth is not None, "else it is not heard"
        depth, at = picture(), self._depth.config.mount
        scan = Mount(at.x, at.y, at.yaw).in_base(self._depth.scan(depth))
        if self._depth.config.is_scan:
            self.on_scan(stamp, scan)
            return
        points = self._depth.points(depth)
        _refuse(self.gate.observe(DEPTH_SOURCE, points, self.bus.now(), stamp, self.bus.steady(), scan))

    def on_odom(self, stamp: float, motion: Motion) -> None:
        _refuse(self.gate.odometry(*motion, stamp, self.bus.now()))

    def on_moving_things(self, stamp: float, things: MovingThings) -> None:
        self.track(stamp, (track_of(t.position, t.velocity, t.radius, t.covariance) for t in things.things))

    def on_emergency_stop(self, stamp: float, wanted: bool) -> None:
        """Only `gate.release` takes it back."""
        if wanted:
            self.gate.emergency_stop()
            self.send()

    def track(self, stamp: float, things: Iterable[Track], odom: bool = True) -> None:
        """What moves at `stamp` [s], in odom or else in base_link. Raises AmiError on what is not used of it."""
        _refuse(self.gate.tracks(things, self.bus.now(), stamp, odom))

    def observe(self, source: str, points: Array, stamp: float | None) -> None:
        """What another sensor shows, see `SafetyGate.observe`. Raises AmiError if it is not used."""
        _refuse(self.gate.observe(source, points, self.bus.now(), stamp, self.bus.steady()))

    def supervise(self, whole: bool) -> None:
        """The supervisor says whether all nodes of the stack are active."""
        self._whole_until = self.bus.steady() + WHOLE_FOR if whole else -math.inf
        if not whole:
            self.send()

    def send(self) -> None:
        """What the robot shall do now."""
        with self._sending:
            now, steady = self.bus.now(), self.bus.steady()
            self.gate.held = self._supervised and steady > self._whole_until
            try:
                output = self.gate.output(now, steady)
            except Exception:  # a gate that cannot judge lets nothing pass
                self.bus.give(CMD_VEL, now, STILL)
                raise
            self.bus.give(CMD_VEL, now, output.command)
        if output.reason != self._reason:
            self._reason = output.reason
            self.bus.give(GATE, now, output)

    def restart(self) -> None:
        with self._sending:
            self.gate.stop()


def track_of(position: Array, velocity: Array, radius: float, covariance: Array) -> Track:
    """One thing that moves, with its `covariance` (4, 4) of (x, y, vx, vy), for the gate."""
    doubts = largest_sigma(covariance[:2, :2]), largest_sigma(covariance[2:, 2:])
    return Track(position, velocity, float(radius), *doubts)


def _refuse(problem: str) -> None:
    if problem:
        raise AmiError(problem)
