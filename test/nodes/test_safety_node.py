"""The node `safety` on its topics: covered lasers, clocks that stand still, emergency stops, rivals."""

from __future__ import annotations

import array
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import PolygonStamped, TwistStamped
from nav_msgs.msg import MapMetaData, OccupancyGrid, Odometry
from rclpy.parameter import Parameter
from rclpy.qos import QoSDurabilityPolicy, QoSProfile, QoSReliabilityPolicy
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import LaserScan, Range
from std_msgs.msg import Bool
from std_srvs.srv import Trigger

from ami_interfaces.msg import KeepAway, Location, MovingThing, MovingThings
from ami_ros.commands import Command
from ami_ros.errors import AmiError
from ami_ros.nodes.safety import SafetyNode
from ami_ros.parts.safety import SafetyPart
from ami_ros.ros.messages.conversions import header_at
from ami_ros.ros.node.qos import LATCHED, RELIABLE
from harness.processes import REPOSITORY
from harness.ros import RosPeer


class Bench:
    """A safety gate whose scans and commands are sent for as long as the test spins."""

    def __init__(
        self, ros: RosPeer, arguments: list[str] | None = None, qos: QoSProfile | int = 5, **parameters: Any
    ) -> None:
        self.asked = 0
        self.ros, self.reading, self.frame, self.range_max = ros, 3.0, "base_link", 8.0
        given = parameters_of(parameters)
        self.node = SafetyNode(context=ros.context, cli_args=arguments, parameter_overrides=given)
        ros.add(self.node)
        self.node.start()
        self.sent = ros.collect(TwistStamped, "cmd_vel", RELIABLE)
        self.said = ros.collect(DiagnosticStatus, "safety/status", RELIABLE)
        self.wish = TwistStamped()
        self.wish.twist.linear.x = 0.3
        commands = ros.node.create_publisher(TwistStamped, "cmd_vel_raw", qos)
        scans = ros.node.create_publisher(LaserScan, "scan", qos)

        def send() -> None:
            scans.publish(self.scan())
            commands.publish(self.wish)
            self.asked += 1

        ros.node.create_timer(0.05, send)

    def scan(self) -> LaserScan:
        """The laser's message now."""
        stamp = self.ros.node.get_clock().now().nanoseconds * 1e-9
        return LaserScan(
            header=header_at(stamp, self.frame),
            angle_min=-math.pi,
            angle_increment=math.pi / 36,
            range_min=0.12,
            range_max=self.range_max,
            ranges=array.array("f", [self.reading] * 72),
        )

    @property
    def moves(self) -> bool:
        """Whether the newest command that it sends is not zero."""
        return bool(self.sent and (self.sent[-1].twist.linear.x or self.sent[-1].twist.angular.z))

    def stands(self, count: int = 20) -> bool:
        """Whether the newest `count` commands, all sent since this was asked first, are zero."""
        begun = len(self.sent) + 10  # those may have been on their way before
        self.ros.spin_until(lambda: len(self.sent) >= begun + count, what="commands")
        return not any(message.twist.linear.x or message.twist.angular.z for message in self.sent[-count:])


def parameters_of(values: dict[str, Any]) -> list[Parameter]:
    return [Parameter(name.replace("__", "."), value=value) for name, value in values.items()]


@pytest.fixture
def bench(ros: RosPeer) -> Callable[..., Bench]:
    return lambda **parameters: Bench(ros, **parameters)


def test_with_guessed_scans_the_status_says_which_guarantees_are_not_given(bench: Callable[..., Bench]) -> None:
    safety = bench(gate__measured=False)
    safety.ros.spin_until(lambda: safety.said, what="the status")
    assert {value.key: value.value for value in safety.said[-1].values}["not_guaranteed"] == "3, 4, 5, 6, 9"


@pytest.mark.fault("laser covered")
@pytest.mark.parametrize(
    ("reading", "range_max"), [(math.nan, 8.0), (0.0, 8.0), (0.05, 8.0), (math.inf, 0.0), (math.inf, 8.0)]
)
def test_a_covered_laser_stops_the_robot_and_the_status_says_so(
    bench: Callable[..., Bench], reading: float, range_max: float
) -> None:
    safety = bench()
    safety.ros.spin_until(lambda: safety.moves, what="driving")
    safety.reading, safety.range_max = reading, range_max
    safety.ros.spin_until(lambda: safety.said and safety.said[-1].message.startswith("scan without"), what="the status")
    assert safety.stands() and safety.said[-1].level == DiagnosticStatus.ERROR
    assert [(value.key, value.value) for value in safety.said[-1].values] == [("guarantee", "5")]
    safety.reading, safety.range_max = 3.0, 8.0
    safety.ros.spin_until(lambda: safety.moves, what="driving again")


@pytest.mark.fault("time pauses, is slow, or is missing")
def test_one_scan_is_not_trusted_for_ever_where_no_clock_comes(bench: Callable[..., Bench]) -> None:
    safety = bench(use_sim_time=True)
    safety.ros.spin_until(lambda: safety.node.health.count("scan") > 3, what="scans of another clock")
    assert safety.stands()


def test_the_clock_cannot_be_changed_under_way(bench: Callable[..., Bench]) -> None:
    safety = bench()
    results = safety.node.set_parameters([Parameter("use_sim_time", value=True)])
    assert not results[0].successful and "use_sim_time" in results[0].reason


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((f"gate.{name}", value) for name in ("max_linear", "command_timeout") for value in (math.nan, -0.5, 0.0)),
        *((f"gate.{name}", value) for name in ("margin", "obstacle_speed") for value in (math.nan, math.inf, -1.0)),
        ("gate.max_angular", -1.0),
        ("gate.scan_timeout", 0.1),
        ("gate.reaction", 0.01),
        ("gate.require_scan", False),
        ("gate.measured", False),
        ("gate.robot_radius", 0.01),
        ("gate.memory", 30.0),
        ("rate", 1.0),
        ("supervised", False),
    ],
)
def test_no_parameter_that_is_set_under_way_makes_the_gate_less_careful(ros: RosPeer, name: str, value: Any) -> None:
    node = SafetyNode(context=ros.context, parameter_overrides=parameters_of({"supervised": True}))
    ros.add(node)
    node.start()
    before = node.config
    (result,) = node.set_parameters([Parameter(name, value=value)])
    assert not result.successful and result.reason
    assert node.config == before and node.part.gate.config == before.gate


@pytest.mark.fault("commands that come late")
def test_a_command_whose_stamp_is_old_is_dropped_with_a_word_and_one_without_a_stamp_counts_from_now(
    bench: Callable[..., Bench],
) -> None:
    safety = bench()
    safety.ros.spin_until(lambda: safety.moves, what="driving by commands without a stamp")
    safety.wish.header.stamp.sec = 1000
    safety.ros.spin_until(lambda: safety.node.health.count("cmd_vel_raw") > 3, what="a word about old commands")
    assert safety.stands()


def test_a_second_gate_of_the_same_name_is_named(bench: Callable[..., Bench]) -> None:
    safety = bench()
    twin = safety.ros.make_node("safety")
    twin.create_publisher(TwistStamped, "cmd_vel", RELIABLE)
    safety.ros.spin_until(lambda: safety.node.health.count("rival on /cmd_vel"), what="the warning")


def test_an_emergency_stop_holds_until_it_is_released(bench: Callable[..., Bench]) -> None:
    safety = bench()
    safety.ros.spin_until(lambda: safety.moves, what="driving")
    button = safety.ros.node.create_publisher(Bool, "emergency_stop", RELIABLE)
    safety.ros.spin_until(lambda: button.get_subscription_count(), what="the gate's ear")
    button.publish(Bool(data=True))
    safety.ros.spin_until(lambda: safety.said and safety.said[-1].message == "emergency stop", what="the status")
    button.publish(Bool(data=False))
    assert safety.stands()
    safety.node.trigger_deactivate()
    safety.node.trigger_cleanup()
    safety.node.trigger_configure()
    safety.node.trigger_activate()
    assert safety.stands()
    assert safety.ros.call(Trigger, "safety/release", Trigger.Request()).success
    safety.ros.spin_until(lambda: safety.moves, what="driving again")
    assert safety.ros.call(Trigger, "safety/emergency_stop", Trigger.Request()).success
    assert safety.stands()


PUBLISHERS = [
    QoSProfile(depth=1, reliability=reliability, durability=durability)
    for reliability in (QoSReliabilityPolicy.BEST_EFFORT, QoSReliabilityPolicy.RELIABLE)
    for durability in (QoSDurabilityPolicy.VOLATILE, QoSDurabilityPolicy.TRANSIENT_LOCAL)
]


@pytest.mark.fault("publishers of another quality of service speak to the gate")
@pytest.mark.parametrize("qos", PUBLISHERS, ids=["best effort", "best effort latched", "reliable", "reliable latched"])
def test_scans_commands_and_an_emergency_stop_are_heard_from_publishers_of_any_quality_of_service(
    ros: RosPeer, qos: QoSProfile, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[Any] = []
    take = SafetyPart.on_cmd_vel_raw

    def count(part: SafetyPart, stamp: float, command: Command) -> None:
        heard.append(command)
        take(part, stamp, command)

    monkeypatch.setattr(SafetyPart, "on_cmd_vel_raw", count)
    safety = Bench(ros, qos=qos)
    ros.spin_until(lambda: safety.moves, what="driving")
    asked = safety.asked
    ros.spin_until(lambda: safety.asked > asked + 20, what="commands")
    assert len(heard) <= safety.asked, "a command that fits two profiles counts once"
    button = ros.node.create_publisher(Bool, "emergency_stop", qos)
    ros.spin_until(lambda: button.get_subscription_count(), what="the gate's ear")
    button.publish(Bool(data=True))
    ros.spin_until(lambda: safety.said and safety.said[-1].message == "emergency stop", what="the status")
    assert safety.stands() and not [text for text, _ in safety.node.health.inputs.problems()]


def test_an_emergency_stop_that_was_latched_before_the_gate_came_holds(ros: RosPeer) -> None:
    button = ros.node.create_publisher(Bool, "emergency_stop", PUBLISHERS[-1])
    button.publish(Bool(data=True))
    safety = Bench(ros)
    ros.spin_until(lambda: safety.said and safety.said[-1].message == "emergency stop", what="the status")
    assert safety.stands()


def test_the_gate_holds_the_robot_unless_the_supervisor_says_that_all_is_well(bench: Callable[..., Bench]) -> None:
    safety = bench(supervised=True)
    assert safety.stands() and not safety.node.health.count("rival")
    supervisor = safety.ros.node.create_publisher(DiagnosticStatus, "supervisor/state", RELIABLE)
    word = DiagnosticStatus(level=DiagnosticStatus.OK)
    timer = safety.ros.node.create_timer(0.05, lambda: supervisor.publish(word))
    safety.ros.spin_until(lambda: safety.moves, what="driving")
    word.level = DiagnosticStatus.ERROR
    safety.ros.spin_until(lambda: not safety.moves, what="standing")
    assert safety.stands() and safety.said[-1].message == "a node is missing"
    word.level = DiagnosticStatus.OK
    safety.ros.spin_until(lambda: safety.moves, what="driving again")
    timer.cancel()
    safety.ros.spin_until(lambda: not safety.moves, what="standing without a word")


@pytest.mark.fault("scans of an unknown frame")
def test_scans_of_an_unknown_frame_mean_standing_still(
    bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ami_ros.ros.sensors.scanner.PATIENCE", 0.0)
    safety = bench()
    safety.frame = "laser"
    safety.ros.spin_until(lambda: safety.node.health.count("frame laser") > 3, what="the error")
    assert safety.stands() and safety.said[-1].message == "no scan"


@pytest.mark.fault("second publisher of scan, cmd_vel or cmd_vel_raw")
@pytest.mark.parametrize(
    ("topic", "kind", "publishers"),
    [("scan", LaserScan, 1), ("cmd_vel_raw", TwistStamped, 1), ("cmd_vel", TwistStamped, 1), ("/clock", Clock, 2)],
)
def test_a_second_publisher_of_what_the_gate_hears_or_says_is_named(
    bench: Callable[..., Bench], topic: str, kind: Any, publishers: int
) -> None:
    safety = bench()
    for number in range(publishers):
        safety.ros.make_node(f"intruder{number}").create_publisher(kind, topic, 5)

    def said() -> str:
        return " ".join(p.text for kind, p in safety.node.health._problems.items() if kind.startswith("rival"))

    safety.ros.spin_until(said, what="the warning")
    assert "/intruder0" in said() and topic in said()


def test_a_zone_of_nav2s_collision_monitor_acts_is_named_and_shown(bench: Callable[..., Bench]) -> None:
    safety = bench(
        polygons=["front"],
        front__type="polygon",
        front__action_type="slowdown",
        front__slowdown_ratio=0.25,
        front__points="[[1.5, 0.5], [1.5, -0.5], [0.0, -0.5], [0.0, 0.5]]",
        front__visualize=True,
    )
    outlines = safety.ros.collect(PolygonStamped, "front")
    safety.ros.spin_until(lambda: safety.moves and safety.sent[-1].twist.linear.x == 0.3, what="driving")
    safety.reading = 1.2
    safety.ros.spin_until(lambda: safety.sent[-1].twist.linear.x == pytest.approx(0.075), what="driving slowly")
    safety.ros.spin_until(lambda: safety.said and safety.said[-1].message == "zone: front, slowdown", what="the status")
    said = {value.key: value.value for value in safety.said[-1].values}
    assert said == {"guarantee": "9", "polygon_name": "front", "action_type": "slowdown"}
    safety.ros.spin_until(lambda: outlines, what="its outline")
    assert (outlines[0].polygon.points[0].x, outlines[0].polygon.points[0].y) == (1.5, 0.5)


@pytest.mark.fault("another sensor of the gate falls silent")
def test_a_bumper_and_a_range_stop_the_robot_and_so_does_their_silence(bench: Callable[..., Bench]) -> None:
    safety = bench(
        observation_sources=["scan", "bumper", "sonar"],
        bumper__type="bool",
        bumper__topic="bumper",
        bumper__points=[0.2, 0.0, 0.19, 0.05],
        bumper__source_timeout=0.0,
        sonar__type="range",
        sonar__topic="sonar",
        source_timeout=0.5,
    )
    ros, ranges, pressed = safety.ros, [5.0], Bool()
    assert safety.stands() and safety.said[-1].message == "no data: bumper"
    bumper, sonar = ros.node.create_publisher(Bool, "bumper", 5), ros.node.create_publisher(Range, "sonar", 5)

    def send() -> None:
        bumper.publish(pressed)
        header = header_at(ros.node.get_clock().now().nanoseconds * 1e-9, "base_link")
        sonar.publish(Range(header=header, field_of_view=0.4, min_range=0.02, max_range=2.0, range=ranges[0]))

    timer = ros.node.create_timer(0.05, send)
    ros.spin_until(lambda: safety.moves, what="driving")
    pressed.data = True
    ros.spin_until(lambda: not safety.moves and safety.said[-1].message == "obstacle ahead", what="the bumper")
    pressed.data = False
    ros.spin_until(lambda: safety.moves, what="driving on")
    ranges[0] = 0.2
    ros.spin_until(lambda: not safety.moves and safety.said[-1].message == "obstacle ahead", what="the range")
    ranges[0] = 5.0
    ros.spin_until(lambda: safety.moves, what="driving on")
    timer.cancel()
    ros.spin_until(lambda: safety.said[-1].message == "no data: sonar", what="its silence")
    assert safety.stands()


def test_a_mask_and_circles_of_memory_keep_it_out_once_it_is_known_where_they_are(bench: Callable[..., Bench]) -> None:
    safety = bench(keep_out__mask_topic="mask", keep_out__memory=True)
    ros = safety.ros
    assert safety.stands() and safety.said[-1].message == "keep-out: mask did not come"
    info = MapMetaData(resolution=0.1, width=1, height=1)
    info.origin.position.x, info.origin.orientation.w = 50.0, 1.0
    masks, circles = (
        ros.node.create_publisher(k, n, LATCHED) for k, n in ((OccupancyGrid, "mask"), (KeepAway, "keep_away"))
    )
    mask = OccupancyGrid(info=info, data=array.array("b", [100]))
    mask.header.frame_id = "odom"
    masks.publish(mask)
    ros.spin_until(lambda: safety.said[-1].message == "keep-out: no odometry", what="the mask")
    odometry = ros.node.create_publisher(Odometry, "odom", 5)
    ros.node.create_timer(0.05, lambda: odometry.publish(Odometry(header=safety.scan().header)))
    ros.spin_until(lambda: safety.moves, what="driving")
    circle = KeepAway(x=array.array("f", [9.5]), y=array.array("f", [0.0]), radius=array.array("f", [0.3]))
    circle.header.frame_id = "map"
    circles.publish(circle)
    location = Location(localised=True)
    location.header.frame_id = "map"
    location.pose.position.x, location.pose.orientation.w, location.odom_pose.orientation.w = 9.0, 1.0, 1.0
    places = ros.node.create_publisher(Location, "location", RELIABLE)

    def say_where() -> None:
        location.header.stamp = safety.scan().header.stamp
        places.publish(location)

    ros.node.create_timer(0.1, say_where)
    # Odometry stands still here, so it creeps on towards the edge for ever.
    ros.spin_until(
        lambda: safety.said[-1].message == "keep-out: ahead" and safety.sent[-1].twist.linear.x < 0.02,
        what=lambda: f"the circle: {safety.said[-1].message}",
    )
    assert {value.key: value.value for value in safety.said[-1].values} == {"guarantee": "10"}


def test_the_configuration_of_the_manual_is_taken_as_it_stands(ros: RosPeer, tmp_path: Path) -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", (REPOSITORY / "docs" / "safety.md").read_text(), re.DOTALL)
    file = tmp_path / "zones.yaml"
    file.write_text(text)
    node = SafetyNode(context=ros.context, cli_args=["--ros-args", "--params-file", str(file)])
    ros.add(node)
    node.start()
    assert set(node.config.polygons) == set(yaml.safe_load(text)["/**/safety"]["ros__parameters"]["polygons"])
    assert node.config.polygons["PolygonStop"].radius == 0.25 and node.config.timeout_of("depth") == 1.0
    heard = {name for name, _ in node.get_subscriber_names_and_types_by_node("safety", "/")}
    assert {"/camera/points", "/bumper", "/scan", "/keepout_filter_mask", "/location"} <= heard


@pytest.mark.fault("moving things with NaN, of another time, or thousands of them")
def test_what_a_tracker_says_slows_it_down_and_what_cannot_be_is_warned_of(bench: Callable[..., Bench]) -> None:
    safety = bench()
    ros = safety.ros
    odometry = ros.node.create_publisher(Odometry, "odom", 5)
    tracks = ros.node.create_publisher(MovingThings, "moving_things", 5)
    ahead, things = MovingThing(radius=0.3), MovingThings()
    ahead.position.x, ahead.position.y = 0.6, 0.0
    things.things = [ahead]

    def send() -> None:
        things.header = safety.scan().header
        things.header.frame_id = "odom"
        odometry.publish(Odometry(header=things.header))
        tracks.publish(things)

    ros.node.create_timer(0.05, send)
    ros.spin_until(lambda: safety.said and safety.said[-1].message == "moving thing ahead", what="yielding")
    assert safety.stands()
    ahead.position.x = math.nan
    ros.spin_until(lambda: safety.moves, what="driving")
    assert safety.node.health.count("moving_things")


NAV2 = """
/**/safety:
  ros__parameters:
    source_timeout: 1.0
    polygons: [FootprintApproach, VelocityPolygonStop]
    FootprintApproach:
      type: polygon
      action_type: approach
      footprint_topic: /local_costmap/published_footprint
      time_before_collision: 1.2
      simulation_time_step: 0.1
      min_points: 6
      visualize: false
      enabled: true
    VelocityPolygonStop:
      type: velocity_polygon
      action_type: stop
      min_points: 1
      visualize: true
      enabled: true
      polygon_pub_topic: velocity_polygon_stop
      velocity_polygons: [rotation, translation_forward, stopped]
      holonomic: false
      rotation:
        points: "[[0.3, 0.3], [0.3, -0.3], [-0.3, -0.3], [-0.3, 0.3]]"
        linear_min: 0.0
        linear_max: 0.05
        theta_min: -1.0
        theta_max: 1.0
      translation_forward:
        points: "[[0.8, 0.3], [0.8, -0.3], [0.0, -0.3], [0.0, 0.3]]"
        linear_min: 0.05
        linear_max: 1.0
        theta_min: -1.0
        theta_max: 1.0
      stopped:
        points: "[[0.25, 0.25], [0.25, -0.25], [-0.25, -0.25], [-0.25, 0.25]]"
        linear_min: -1.0
        linear_max: 1.0
        theta_min: -1.0
        theta_max: 1.0
    observation_sources: [scan]
    scan:
      type: scan
      topic: scan
      min_height: 0.15
      max_height: 2.0
      enabled: true
"""


def test_a_configuration_of_nav2s_collision_monitor_is_taken_as_it_stands_and_acts(
    bench: Callable[..., Bench], tmp_path: Path
) -> None:
    file = tmp_path / "collision_monitor.yaml"
    file.write_text(NAV2)
    safety = bench(arguments=["--ros-args", "--params-file", str(file)])
    outlines = safety.ros.collect(PolygonStamped, "velocity_polygon_stop")
    safety.ros.spin_until(lambda: safety.moves, what="driving")
    safety.ros.spin_until(lambda: outlines, what="the outline")
    assert max(corner.x for corner in outlines[-1].polygon.points) == pytest.approx(0.8)
    safety.reading = 0.7  # in front, in the polygon of driving ahead alone
    reason = "zone: VelocityPolygonStop, stop"
    safety.ros.spin_until(lambda: safety.said and safety.said[-1].message == reason, what="the zone")
    assert safety.stands()
    safety.wish.twist.linear.x, safety.wish.twist.angular.z = 0.0, 0.5
    safety.ros.spin_until(lambda: safety.moves, what="turning on the spot")


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"polygons": ["a"], "a__type": "circle"}, "polygons.a: radius of a circle"),
        ({"polygons": ["a"], "a__type": "velocity_polygon"}, "velocity_polygons must name"),
        ({"polygons": ["a"], "a__type": "hexagon"}, "is not one of polygon, circle, velocity_polygon"),
        ({"observation_sources": ["b"], "b__type": "bool"}, "observation_sources.b: points must be"),
        ({"observation_sources": ["c"], "c__type": "sonar"}, "is not one of scan, pointcloud, range, bool"),
        ({"gate__reaction": -1.0}, "reaction must be greater than 0"),
        ({"gate__margin": math.nan}, "margin: expected a number, found NaN"),
        ({"gate__reaction": 0.05}, "longer than the time between commands"),
        ({"gate__footprint": [0.0, 1.0]}, "footprint must be"),
    ],
)
def test_parameters_that_contradict_themselves_are_refused_in_one_line(
    ros: RosPeer, parameters: dict[str, Any], words: str
) -> None:
    with pytest.raises(AmiError, match=words):
        SafetyNode(context=ros.context, parameter_overrides=parameters_of(parameters))


def test_a_gate_that_fails_sends_zeros_and_its_node_lives(
    bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    safety = bench()
    safety.ros.spin_until(lambda: safety.moves, what="driving")
    safety.ros.bugs_expected = True

    def fail(*_: Any) -> None:
        raise FloatingPointError("nobody thought of this")

    with monkeypatch.context() as broken:
        broken.setattr(safety.node.part.gate, "output", fail)
        assert safety.stands()
    safety.ros.spin_until(lambda: safety.moves, what="driving again")
