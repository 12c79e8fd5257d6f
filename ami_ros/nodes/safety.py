"""The node `safety`: the last word on every command, between planner and robot."""

from __future__ import annotations

import math
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue
from geometry_msgs.msg import Point32, Polygon, PolygonStamped, Twist, TwistStamped
from nav_msgs.msg import Odometry
from rcl_interfaces.msg import SetParametersResult
from rclpy.parameter import Parameter
from sensor_msgs.msg import LaserScan
from std_msgs.msg import Bool
from std_srvs.srv import Trigger

from ami_interfaces.msg import MovingThings
from ami_ros.commands import STILL, Command
from ami_ros.errors import AmiError
from ami_ros.geometry import Array
from ami_ros.ros.messages import conversions
from ami_ros.ros.messages.tracks import tracks_from_message
from ami_ros.ros.node.health import STEADY
from ami_ros.ros.node.lifecycle import AmiNode
from ami_ros.ros.node.parameters import group, named, parameter
from ami_ros.ros.node.process import URGENT, run
from ami_ros.ros.node.qos import ANY_LATCHED, LATCHED, NEWEST
from ami_ros.ros.sensors.keep_out import KeepOutAreas, KeepOutParameters
from ami_ros.ros.sensors.scanner import Scanner
from ami_ros.ros.sensors.sources import Source, Sources
from ami_ros.safety.config import SafetyConfig
from ami_ros.safety.footprint import Footprint
from ami_ros.safety.gate import SafetyGate
from ami_ros.safety.output import BLIND, SafetyOutput
from ami_ros.safety.zones import Zone
from ami_ros.scan import Mount

WHOLE_FOR = 0.4  # [s] that one word of the supervisor holds, who says it every 0.1 s


# What can be set while the node runs, only to what is more careful than at start.
CAUTIOUS = (
    *("max_linear", "max_angular", "max_lateral", "max_linear_acceleration"),
    *("command_timeout", "scan_timeout", "silence_timeout", "clock_timeout"),
)


@dataclass(frozen=True)
class SafetyParameters:
    """Parameters of the node."""

    rate: float = parameter(
        20.0,
        "Of cmd_vel, on steady time, even when no command arrives. Larger stops sooner on a new scan.",
        "Hz",
        (10.0, 200.0),
    )
    enable_stamped_cmd_vel: bool = parameter(True, "cmd_vel and cmd_vel_raw are TwistStamped; false: Twist.")
    base_frame: str = parameter("base_link", "Frame of the commands.")
    supervised: bool = parameter(
        False, "Commands pass only while the supervisor says that every node of the stack is active."
    )
    scanner: Mount = field(default_factory=Mount)
    gate: SafetyConfig = group(SafetyConfig, lower=CAUTIOUS, higher=("margin", "obstacle_speed", "track_margin"))
    polygons: dict[str, Zone] = named("Names of zones around the robot; each has a group of parameters, NAME.*.")
    observation_sources: dict[str, Source] = named("Names of sensors; each has a group of parameters, NAME.*.")
    source_timeout: float = parameter(
        2.0,
        "Age of what such a sensor said at which the robot stands; 0: it holds until it says more.",
        "s",
        (0.0, 60.0),
    )
    keep_out: KeepOutParameters = field(default_factory=KeepOutParameters)

    def __post_init__(self) -> None:
        if self.gate.reaction <= 1.0 / self.rate:
            raise ValueError(
                f"gate.reaction {self.gate.reaction} s must be longer than the time between commands, {1 / self.rate} s"
            )

    def timeout_of(self, source: str) -> float:
        """Of one of the sensors [s]."""
        own = self.observation_sources[source].source_timeout
        return self.source_timeout if own < 0 else own


HEARD = "cmd_vel_raw", "scan", "odom", "/clock"  # of which one publisher each is right


class SafetyNode(AmiNode[SafetyParameters]):
    """Passes commands through the gate as they arrive, and at a fixed rate in between."""

    heartbeat_period = 0.1  # the supervisor sends zero when it hears nothing for longer

    def __init__(self, **options: Any) -> None:
        self.is_stopped = False  # outlives the gate, and by the supervisor its process: only `~/release` ends it
        super().__init__("safety", SafetyParameters, **options)
        self.add_on_set_parameters_callback(_keep_clock)

    def configure(self) -> None:
        kind = TwistStamped if self.config.enable_stamped_cmd_vel else Twist
        config = self.config
        sources = Sources(self, config.base_frame, config.observation_sources, self._observe)
        timeouts = {name: config.timeout_of(name) for name in sources.names}
        areas = KeepOutAreas(self, config.keep_out, config.gate.margin).areas
        simulated = bool(self.get_parameter("use_sim_time").value)
        self._gate = SafetyGate(config.gate, config.polygons, timeouts, areas, simulated)
        self._gate.emergency = self.is_stopped
        self._scanner = Scanner(self, self.config.base_frame, self.config.scanner)
        self._sending = threading.Lock()  # nothing may be sent after the final zero
        self._reason: str | None = None  # that was told last
        self._whole_until = -math.inf  # steady time up to which the stack counts as whole
        self._output = self.publisher(kind, "cmd_vel")
        self._status = self.publisher(DiagnosticStatus, "~/status", LATCHED)
        self.subscribe_any(kind, "cmd_vel_raw", self._command)
        self.subscribe(LaserScan, "scan", self._scan)
        self.subscribe(Odometry, "odom", self._odometry)
        self.subscribe(MovingThings, "moving_things", self._track)
        self.subscribe_any(Bool, "emergency_stop", self._stop_if, ANY_LATCHED, always=True)
        if self.config.supervised:
            self.subscribe(DiagnosticStatus, "supervisor/state", self._supervise, NEWEST)
        self.offer(Trigger, "~/emergency_stop", lambda request, response: self._stop_if(Bool(data=True)))
        self.offer(Trigger, "~/release", self._release_stop)
        self.every(1.0 / self.config.rate, self._send, STEADY)
        self.every(2.0, self._look_for_rivals, STEADY)
        self._shown = [
            (self.publisher(PolygonStamped, zone.polygon_pub_topic or name), zone)
            for name, zone in config.polygons.items()
            if zone.enabled and zone.visualize
        ]
        self._footprint = self.publisher(PolygonStamped, "footprint")
        self.every(1.0, self._show_outlines, STEADY)

    def deactivate(self) -> None:
        with self._sending:
            self._gate.stop()
            self.publish_last(self._output, self._message(STILL))

    def reconfigure(self, before: SafetyParameters) -> None:
        self._gate.tighten(self.config.gate)

    def time_jumped(self) -> None:
        if self.is_active:
            self._gate.stop()

    def _command(self, message: Twist | TwistStamped) -> None:
        linear, angular, lateral = conversions.command_from_message(message, 3)
        stamp = conversions.stamp_of(message) if isinstance(message, TwistStamped) else 0.0
        problem = self._gate.command(linear, angular, self.now(), lateral, time.monotonic(), stamp or None)
        if problem:
            raise AmiError(problem)
        self._send()

    def _scan(self, message: LaserScan) -> None:
        stamp = conversions.stamp_to_seconds(message.header.stamp)
        problem = self._gate.scan(self._scanner.read(message), self.now(), stamp, time.monotonic())
        if problem:
            raise AmiError(problem)

    def _observe(self, source: str, points: Array, stamp: float | None) -> None:
        problem = self._gate.observe(source, points, self.now(), stamp, time.monotonic())
        if problem:
            raise AmiError(problem)

    def _odometry(self, message: Odometry) -> None:
        pose, velocity = conversions.odometry_from_message(message)
        problem = self._gate.odometry(pose, velocity, conversions.stamp_of(message), self.now())
        if problem:
            raise AmiError(problem)

    def _track(self, message: MovingThings) -> None:
        odom = message.header.frame_id != self.config.base_frame
        stamp = conversions.stamp_of(message)
        problem = self._gate.tracks(tracks_from_message(message), self.now(), stamp, odom)
        if problem:
            raise AmiError(problem)

    def _stop_if(self, message: Bool) -> None:
        """An emergency stop; false changes nothing."""
        if message.data:
            self.is_stopped = True
            self._gate.emergency_stop()
            self._send()
            self.beat()

    def _release_stop(self, request: Trigger.Request, response: Trigger.Response) -> None:
        self.is_stopped = False
        self._gate.release()
        self.beat()

    def _supervise(self, message: DiagnosticStatus) -> None:
        whole = message.level == DiagnosticStatus.OK
        self._whole_until = time.monotonic() + WHOLE_FOR if whole else -math.inf
        if not whole:
            self._send()

    def _send(self) -> None:
        with self._sending:
            if not self.is_active:
                return
            steady = time.monotonic()
            self._gate.held = self.config.supervised and steady > self._whole_until
            try:
                output = self._gate.output(self.now(), steady)
            except Exception:  # a gate that cannot judge lets nothing pass
                self._output.publish(self._message(STILL))
                raise
            self._output.publish(self._message(output.command))
        if output.reason != self._reason:
            self._reason = output.reason
            self._status.publish(self._status_of(output))

    def _status_of(self, output: SafetyOutput) -> DiagnosticStatus:
        """Why a command was changed, which guarantee of docs/safety.md acted, and which zone, in Nav2's words."""
        zone = dict(zip(("polygon_name", "action_type"), output.zone, strict=True)) if output.zone[0] else {}
        level = DiagnosticStatus.WARN if output.reason else DiagnosticStatus.OK
        return DiagnosticStatus(
            level=DiagnosticStatus.ERROR if output.guarantee == BLIND else level,
            name=self.get_fully_qualified_name(),
            message=output.reason,
            values=[KeyValue(key=k, value=v) for k, v in {"guarantee": str(output.guarantee), **zone}.items()],
        )

    def _show_outlines(self) -> None:
        """Of the robot and of its zones."""
        header = conversions.header_at(self.get_clock().now().to_msg(), self.config.base_frame)
        footprint = Footprint(self.config.gate)
        zones = [(publisher, zone.at(self._gate.asked).outline(footprint)) for publisher, zone in self._shown]
        for publisher, outline in [(self._footprint, footprint.outline), *zones]:
            corners = [Point32(x=float(x), y=float(y)) for x, y in outline]
            publisher.publish(PolygonStamped(header=header, polygon=Polygon(points=corners)))

    def _message(self, command: Command) -> Twist | TwistStamped:
        twist = conversions.twist_message(command)
        if not self.config.enable_stamped_cmd_vel:
            return twist
        header = conversions.header_at(self.get_clock().now().to_msg(), self.config.base_frame)
        return TwistStamped(header=header, twist=twist)

    def _look_for_rivals(self) -> None:
        """A second publisher of cmd_vel goes round the gate; one of what the gate hears makes it do as two are told.

        The supervisor may: it sends zero, where the gate is gone.
        """
        allowed = {_full_name(self.get_namespace(), name) for name in (self.get_name(), "supervisor")}
        said = ("supervisor/state",) if self.config.supervised else ()
        for topic, ours in ((self._output.topic_name, 1), *((heard, 0) for heard in (*HEARD, *said))):
            found = self.get_publishers_info_by_topic(self.resolve_topic_name(topic))
            names = [_full_name(end.node_namespace, end.node_name) for end in found]
            others = sorted({name for name in names if name not in allowed or names.count(name) > 1})
            if ours and others:
                self.health.warn(
                    f"rival on {topic}", f"{', '.join(others)} also publishes {topic}, past the safety gate"
                )
            elif len(found) > 1 and not ours:
                self.health.warn(
                    f"rival on {topic}", f"{topic} has several publishers: {', '.join(others)}; only one should send it"
                )


def _full_name(namespace: str, name: str) -> str:
    return f"{namespace.rstrip('/')}/{name}"


def _keep_clock(changes: list[Parameter]) -> SetParametersResult:
    """Which clock it is must not change under way: ages would mean nothing."""
    for change in changes:
        if change.name == "use_sim_time":
            return SetParametersResult(successful=False, reason="use_sim_time is read once: set it before the start")
    return SetParametersResult(successful=True)


def main() -> int:
    """Runs the node; returns the exit code."""
    return run(SafetyNode, niceness=URGENT)


if __name__ == "__main__":
    sys.exit(main())
