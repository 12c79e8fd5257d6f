"""The node `safety` on its topics: covered lasers, clocks that stand still, emergency stops, rivals."""

from __future__ import annotations

import array
import math
from collections.abc import Callable
from typing import Any

import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import TwistStamped
from rclpy.parameter import Parameter
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import LaserScan
from std_msgs.msg import Bool
from std_srvs.srv import Trigger

from ami_ros.errors import AmiError
from ami_ros.nodes.safety import SafetyNode
from ami_ros.ros.messages.conversions import header_at
from ami_ros.ros.node.qos import RELIABLE
from harness.ros import RosPeer


class Bench:
    """A safety gate whose scans and commands are sent for as long as the test spins."""

    def __init__(self, ros: RosPeer, **parameters: Any) -> None:
        self.ros, self.reading, self.frame, self.range_max = ros, 3.0, "base_link", 8.0
        self.node = SafetyNode(context=ros.context, parameter_overrides=parameters_of(parameters))
        ros.add(self.node)
        self.node.start()
        self.sent = ros.collect(TwistStamped, "cmd_vel", RELIABLE)
        self.said = ros.collect(DiagnosticStatus, "safety/status", RELIABLE)
        self.wish = TwistStamped()
        self.wish.twist.linear.x = 0.3
        commands = ros.node.create_publisher(TwistStamped, "cmd_vel_raw", 5)
        scans = ros.node.create_publisher(LaserScan, "scan", 5)

        def send() -> None:
            scans.publish(self.scan())
            commands.publish(self.wish)

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


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
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
        broken.setattr(safety.node._gate, "output", fail)
        assert safety.stands()
    safety.ros.spin_until(lambda: safety.moves, what="driving again")
