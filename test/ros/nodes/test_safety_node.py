"""The node `safety` on its topics: covered lasers, clocks that stand still, emergency stops, rivals."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import TwistStamped
from rclpy.parameter import Parameter
from rclpy.qos import QoSDurabilityPolicy, QoSProfile, QoSReliabilityPolicy
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import LaserScan
from std_msgs.msg import Bool
from std_srvs.srv import Trigger

from ami_ros.core.commands import Command
from ami_ros.core.errors import AmiError
from ami_ros.ros.node.qos import RELIABLE
from ami_ros.ros.nodes.safety import SafetyNode
from ami_ros.runtime.safety import SafetyPart
from harness.ros import RosPeer
from harness.safety_node import Bench


def test_with_guessed_scans_the_status_says_which_guarantees_are_not_given(bench: Callable[..., Bench]) -> None:
    safety = bench(gate__measured=False)
    safety.ros.spin_until(lambda: safety.said, what="the status")
    assert {value.key: value.value for value in safety.said[-1].values}["not_guaranteed"] == "3, 4, 5, 6, 9"


@pytest.mark.fault("laser covered")
def test_a_covered_laser_stops_the_robot_and_the_status_says_so(bench: Callable[..., Bench]) -> None:
    safety = bench()
    for covered in ((math.nan, 8.0), (0.0, 8.0), (0.05, 8.0), (math.inf, 0.0), (math.inf, 8.0)):
        safety.ros.spin_until(lambda: safety.moves, what="driving")
        safety.reading, safety.range_max = covered
        safety.ros.spin_until(
            lambda: safety.said and safety.said[-1].message.startswith("scan without"), what="the status"
        )
        assert safety.stands() and safety.said[-1].level == DiagnosticStatus.ERROR, covered
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
    node = ros.start(SafetyNode, supervised=True)
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
    monkeypatch.setattr("ami_ros.ros.scanner.Scanner.patience", 0.0)
    safety = bench()
    safety.frame = "laser"
    safety.ros.spin_until(lambda: safety.node.health.count("frame laser") > 3, what="the error")
    assert safety.stands() and safety.said[-1].message == "no scan"


@pytest.mark.fault("second publisher of scan, cmd_vel or cmd_vel_raw")
def test_a_second_publisher_of_what_the_gate_hears_or_says_is_named(bench: Callable[..., Bench]) -> None:
    safety = bench()
    topics = {"scan": LaserScan, "cmd_vel_raw": TwistStamped, "cmd_vel": TwistStamped, "/clock": Clock}
    for number in range(2):
        intruder = safety.ros.make_node(f"intruder{number}")
        for topic, kind in topics.items():
            intruder.create_publisher(kind, topic, 5)

    def said() -> dict[str, str]:
        return {kind: p.text for kind, p in safety.node.health._problems.items() if kind.startswith("rival")}

    safety.ros.spin_until(lambda: len(said()) == len(topics), what=lambda: f"the warnings: {said()}")
    assert all("/intruder0" in text for text in said().values())
    assert all(any(topic in kind for kind in said()) for topic in topics)


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
        ros.make(SafetyNode, **parameters)


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
