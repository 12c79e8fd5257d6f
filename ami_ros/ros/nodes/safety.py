"""The node `safety`: the last word on every command, between planner and robot."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import PolygonStamped
from rcl_interfaces.msg import SetParametersResult
from rclpy.parameter import Parameter
from std_srvs.srv import Trigger

from ami_interfaces.msg import MovingThings
from ami_ros.core.commands import STILL, Command
from ami_ros.core.config import group, named, parameter
from ami_ros.core.depth import DepthConfig
from ami_ros.core.scan import Mount
from ami_ros.ros.gate_sensors import KeepOutAreas, KeepOutParameters, Source, Sources
from ami_ros.ros.messages import conversions
from ami_ros.ros.node.bus import PartNode, RosBus, commands_of
from ami_ros.ros.node.health import STEADY, key_values
from ami_ros.ros.node.lifecycle import CommandPublisher
from ami_ros.ros.node.process import URGENT, run
from ami_ros.ros.node.qos import ANY, ANY_LATCHED, LATCHED, NEWEST
from ami_ros.ros.scanner import DepthCamera, Scanner
from ami_ros.runtime.safety import DEPTH_SOURCE, GATE_RATE, SafetyPart, track_of
from ami_ros.safety.config import Footprint, SafetyConfig
from ami_ros.safety.gate import SafetyGate
from ami_ros.safety.output import BLIND, BY_SCANS, STOPPED, SafetyOutput
from ami_ros.safety.zones import Zone


@dataclass(frozen=True)
class SafetyParameters:
    """Parameters of the node."""

    rate: float = parameter(
        GATE_RATE,
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
    depth_camera: DepthConfig = field(default_factory=DepthConfig)
    # While the node runs, it can only be set to what is more careful than at start.
    gate: SafetyConfig = group(
        SafetyConfig,
        lower=(
            *("max_linear", "max_angular", "max_lateral", "max_linear_acceleration"),
            *("command_timeout", "scan_timeout", "silence_timeout", "clock_timeout"),
        ),
        higher=("margin", "obstacle_speed", "track_margin"),
    )
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


class SafetyNode(PartNode[SafetyParameters], name="safety", parameters=SafetyParameters):
    """The part `safety` on ROS."""

    heartbeat_period = 0.1  # the supervisor sends zero when it hears nothing for longer
    _gate: SafetyGate | None = None  # the newest

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.add_on_set_parameters_callback(_keep_clock)

    @property
    def is_stopped(self) -> bool:
        """Outlives the gate, and with the supervisor's help its process: only `~/release` ends it."""
        return self._gate is not None and self._gate.emergency

    def configure(self) -> None:
        config, base = self.config, self.config.base_frame
        self._bus = RosBus(self)
        sources = Sources(self, base, config.observation_sources, lambda *seen: self.part.observe(*seen))
        timeouts = {name: config.timeout_of(name) for name in sources.names}
        depth = DepthCamera(self, config.depth_camera) if config.depth_camera.beams else None
        if depth is not None and not config.depth_camera.is_scan:
            timeouts[DEPTH_SOURCE] = config.source_timeout
        areas = KeepOutAreas(self, config.keep_out, config.gate.margin).areas
        simulated = bool(self.get_parameter("use_sim_time").value)
        gate = SafetyGate(config.gate, config.polygons, timeouts, areas, simulated)
        gate.emergency = self.is_stopped
        self._gate = gate
        self._output = CommandPublisher(self, "cmd_vel", config.enable_stamped_cmd_vel, base)
        self._status = self.publisher(DiagnosticStatus, "~/status", LATCHED)
        scanner = None if depth is None else depth.scanner
        self.part = SafetyPart(self._bus, gate, config.rate, config.supervised, scanner)
        self._bus.join(
            self.part,
            {"cmd_vel": self._send_command, "safety/status": self._send_status},
            {
                "cmd_vel_raw": commands_of(3),
                "scan": Scanner(self, base, config.scanner).read,
                "depth": (lambda message: None) if depth is None else depth.read,
                "emergency_stop": lambda message: message.data or None,  # false changes nothing
            },
            without=["moving_things"],
            types={"cmd_vel_raw": conversions.command_type(config.enable_stamped_cmd_vel)},
            profiles={"cmd_vel_raw": ANY, "emergency_stop": ANY_LATCHED},
        )
        self.subscribe(MovingThings, "moving_things", self._track)
        if config.supervised:
            well = lambda message: self.part.supervise(message.level == DiagnosticStatus.OK)  # noqa: E731
            self.subscribe(DiagnosticStatus, "supervisor/state", well, NEWEST)
        self.offer(Trigger, "~/emergency_stop", lambda request, response: self.part.on_emergency_stop(0.0, True))
        self.offer(Trigger, "~/release", self._release_stop)
        self.every(2.0, self._look_for_rivals, STEADY)
        self._shown = [
            (self.publisher(PolygonStamped, zone.polygon_pub_topic or name), zone)
            for name, zone in config.polygons.items()
            if zone.enabled and zone.visualize
        ]
        self._footprint = self.publisher(PolygonStamped, "footprint")
        self.every(1.0, self._show_outlines, STEADY)

    def deactivate(self) -> None:
        self.part.restart()
        self._output.send(STILL, last=True)

    def reconfigure(self, before: SafetyParameters) -> None:
        self.part.gate.tighten(self.config.gate)

    def _track(self, message: MovingThings) -> None:
        """In its frame; the gate refuses what cannot be."""
        odom, found = message.header.frame_id != self.config.base_frame, []
        for thing in message.things:
            position, velocity = map(conversions.point_from_message, (thing.position, thing.velocity))
            covariance = np.array(thing.covariance, dtype=np.float64).reshape(4, 4)
            found.append(track_of(position, velocity, thing.radius, covariance))
        self.part.track(conversions.stamp_of(message), found, odom)

    def _release_stop(self, request: Trigger.Request, response: Trigger.Response) -> None:
        self.part.gate.release()
        self.beat()

    def _send_command(self, stamp: float, command: Command) -> None:
        if self.is_active:
            self._output.send(command)

    def _send_status(self, stamp: float, output: SafetyOutput) -> None:
        if self.is_active:
            self._status.publish(self._status_of(output))
        if output.reason == STOPPED:
            self.beat()

    def _status_of(self, output: SafetyOutput) -> DiagnosticStatus:
        """Why a command was changed, which guarantee of docs/safety.md acted, which are not given, and which zone did,
        in Nav2's words."""
        zone = dict(zip(("polygon_name", "action_type"), output.zone, strict=True)) if output.zone[0] else {}
        lacks = {} if self.config.gate.measured else {"not_guaranteed": BY_SCANS}
        level = DiagnosticStatus.WARN if output.reason else DiagnosticStatus.OK
        return DiagnosticStatus(
            level=DiagnosticStatus.ERROR if output.guarantee == BLIND else level,
            name=self.get_fully_qualified_name(),
            message=output.reason,
            values=key_values({"guarantee": str(output.guarantee), **lacks, **zone}),
        )

    def _show_outlines(self) -> None:
        """Of the robot and of its zones."""
        header = conversions.header_at(self.get_clock().now().to_msg(), self.config.base_frame)
        footprint = Footprint(self.config.gate)
        zones = [(publisher, zone.at(self.part.gate.asked).outline(footprint)) for publisher, zone in self._shown]
        for publisher, outline in [(self._footprint, footprint.outline), *zones]:
            publisher.publish(conversions.polygon_message(outline, header))

    def _look_for_rivals(self) -> None:
        """A second publisher of cmd_vel goes round the gate; one of what the gate hears makes it do as two are told.

        The supervisor may: it sends zero, where the gate is gone.
        """
        space = self.get_namespace().rstrip("/")
        allowed = {f"{space}/{name}" for name in (self.get_name(), "supervisor")}
        ours, heard = self._output.publisher.topic_name, ["cmd_vel_raw", "scan", "depth", "odom", "/clock"]
        if self.config.supervised:
            heard.append("supervisor/state")
        for topic in (ours, *heard):
            found = self.get_publishers_info_by_topic(self.resolve_topic_name(topic))
            names = [f"{end.node_namespace.rstrip('/')}/{end.node_name}" for end in found]
            others = sorted({name for name in names if name not in allowed or names.count(name) > 1})
            who = ", ".join(others)
            if topic == ours and others:
                self.health.warn(f"rival on {topic}", f"{who} also publishes {topic}, past the safety gate")
            elif topic != ours and len(found) > 1:
                text = f"{topic} has several publishers: {who}; only one should send it"
                self.health.warn(f"rival on {topic}", text)


def _keep_clock(changes: list[Parameter]) -> SetParametersResult:
    """Which clock it is must not change under way: ages would mean nothing."""
    for change in changes:
        if change.name == "use_sim_time":
            return SetParametersResult(successful=False, reason="use_sim_time is read once: set it before the start")
    return SetParametersResult(successful=True)


main = partial(run, SafetyNode, niceness=URGENT)


if __name__ == "__main__":
    sys.exit(main())
