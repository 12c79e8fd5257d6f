"""Bad sensors stop the robot, with a reason; good ones set it going again by themselves."""

from __future__ import annotations

import array
import math
from typing import Any

import pytest
from nav_msgs.msg import Odometry
from sensor_msgs.msg import Image

from ami_interfaces.action import NavigateToGoal
from ami_interfaces.msg import Latent, PlannerState
from ami_ros.ros.messages.conversions import seconds_to_stamp, stamp_to_seconds
from ami_ros.ros.node.qos import RELIABLE
from harness.safety_node import Surroundings

Result = NavigateToGoal.Result


def shifted(seconds: float) -> Any:
    """A relay that changes stamps by `seconds`."""

    def relay(image: Image) -> list[Image]:
        image.header.stamp = seconds_to_stamp(stamp_to_seconds(image.header.stamp) + seconds)
        return [image]

    return relay


@pytest.mark.fault("camera stops")
def test_robot_stands_while_the_camera_is_silent_and_drives_on_afterwards(stack: Any) -> None:
    stack.start("safety", "perception", "planner", patience__observation_timeout=1.0, patience__fault_tolerance=60.0)
    stack.drive_off()
    stack.relay = lambda image: []
    stack.ros.spin_until(lambda: stack.state.error_code == Result.STALE_OBSERVATION and not stack.moves)
    assert stack.state.state == PlannerState.FAULT and "camera" in stack.state.error_msg
    stack.relay = lambda image: [image]
    stack.ros.spin_until(lambda: stack.state.state == PlannerState.CONTROLLING and stack.moves)


@pytest.mark.fault("camera stops")
def test_goal_is_given_up_when_the_camera_stays_silent(stack: Any) -> None:
    stack.start("safety", "perception", "planner", patience__observation_timeout=1.0, patience__fault_tolerance=0.5)
    handle = stack.drive_off()
    stack.relay = lambda image: []
    assert stack.result(handle)[1].error_code == Result.STALE_OBSERVATION
    stack.ros.spin_until(lambda: not stack.moves)


@pytest.mark.fault("camera frozen")
def test_robot_stands_when_the_camera_is_frozen(stack: Any) -> None:
    stack.start("safety", "perception", "planner", patience__fault_tolerance=60.0)
    stack.drive_off()
    frozen: list[bytes] = []

    def relay(image: Image) -> list[Image]:
        frozen.append(bytes(image.data))
        image.data = array.array("B", frozen[0])
        return [image]

    stack.relay = relay
    perception = stack.nodes["perception"]
    stack.ros.spin_until(lambda: stack.state.error_code == Result.STALE_OBSERVATION and not stack.moves, 30.0)
    assert perception.health.count("image") > 0


@pytest.mark.fault("images of another time")
@pytest.mark.parametrize("seconds", [-5.0, 5.0], ids=["old", "future"])
def test_image_of_another_time_is_dropped_with_a_warning(stack: Any, seconds: float) -> None:
    stack.start("safety", "perception")
    perception = stack.nodes["perception"]
    stack.ros.spin_until(lambda: perception.now() > 0.5)
    latents = stack.ros.collect(Latent, "latent", RELIABLE)
    stack.relay = shifted(seconds)
    before = perception.health.count("image")
    stack.ros.spin_until(lambda: perception.health.count("image") > before + 3)
    newest = perception.now()
    assert all(abs(stamp_to_seconds(latent.header.stamp) - newest) < 4.0 for latent in latents)


@pytest.mark.fault("image malformed, of a wrong length, or too large")
@pytest.mark.parametrize(
    "change",
    [{"encoding": "16UC1"}, {"step": 7}, {"data": array.array("B", b"short")}, {"width": 20_000, "height": 20_000}],
    ids=["encoding", "step", "length", "bomb"],
)
def test_malformed_image_is_refused_and_the_next_good_one_taken(stack: Any, change: dict[str, Any]) -> None:
    stack.start("safety", "perception")
    perception = stack.nodes["perception"]

    def spoil(image: Image) -> list[Image]:
        for name, value in change.items():
            setattr(image, name, value)
        return [image]

    stack.relay = spoil
    stack.ros.spin_until(lambda: perception.health.count("image") > 2)
    latents = stack.ros.collect(Latent, "latent", RELIABLE)
    stack.relay = lambda image: [image]
    stack.ros.spin_until(lambda: latents)


@pytest.mark.fault("resolution of images changes")
def test_change_of_resolution_does_no_harm(stack: Any) -> None:
    stack.start("safety", "perception")
    latents = stack.ros.collect(Latent, "latent", RELIABLE)
    stack.ros.spin_until(lambda: len(latents) > 2)
    side = 50
    grey = array.array("B", bytes([99]) * (side * side))

    def shrink(image: Image) -> list[Image]:
        image.width = image.height = image.step = side
        image.encoding, image.data = "mono8", grey
        return [image]

    stack.relay = shrink
    stack.ros.spin_until(lambda: len(latents) > 8)


def to_nan(odometry: Odometry) -> list[Odometry]:
    odometry.pose.pose.position.x = math.nan
    return [odometry]


@pytest.mark.fault("odometry lost or not finite")
@pytest.mark.parametrize("relay", [to_nan, lambda odometry: []], ids=["nan", "lost"])
def test_robot_stands_without_usable_odometry(stack: Any, relay: Any) -> None:
    stack.start("safety", "perception", "planner", patience__observation_timeout=1.0, patience__fault_tolerance=60.0)
    stack.drive_off()
    stack.relay_odometry = relay
    stack.ros.spin_until(lambda: stack.state.error_code == Result.STALE_OBSERVATION and not stack.moves)
    assert "odometry" in stack.state.error_msg
    stack.relay_odometry = lambda odometry: [odometry]
    stack.ros.spin_until(lambda: stack.moves)


def test_gate_stops_for_what_the_scan_sees_and_for_commands_that_are_not_finite(stack: Any) -> None:
    stack.start("safety")
    twist = Surroundings(stack.ros, scans=False).wish.twist
    twist.linear.x = 0.4
    stack.ros.spin_until(lambda: stack.moves, what="driving")
    twist.linear.x = math.nan
    stack.ros.spin_until(lambda: not stack.moves, what="standing on NaN")
    twist.linear.x = 0.4
    stack.ros.spin_until(lambda: stack.moves, what="driving again")
    stack.ros.spin_until(lambda: not stack.moves, 60.0, "standing before the wall")
    assert 0.15 < stack.pose[0] < 3.85 and 0.15 < stack.pose[1] < 3.85


@pytest.mark.fault("time pauses, is slow, or is missing")
def test_gate_stops_when_no_command_comes_even_if_time_stands_still(stack: Any) -> None:
    stack.start("safety")
    Surroundings(stack.ros, scans=False).wish.twist.angular.z = 0.5
    stack.ros.spin_until(lambda: stack.moves)
    stack.nodes["loopback"].loop.close()  # the clock stands still
    for timer in list(stack.ros.node.timers):
        timer.cancel()
    stack.ros.spin_until(lambda: not stack.moves, what="standing")
