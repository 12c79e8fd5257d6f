"""Faults of a robot on its way that have no file of their own: the robot stands or goes on, and says what is wrong."""

from __future__ import annotations

import array
import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from action_msgs.msg import GoalStatus
from geometry_msgs.msg import Pose2D, TwistStamped
from nav_msgs.msg import Odometry
from rclpy.action import ActionClient
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image, LaserScan

from ami_interfaces.action import NavigateToGoal
from ami_interfaces.msg import Latent, PlannerState, Surprise
from ami_interfaces.srv import PlaceRobot
from ami_ros.core.errors import AmiError
from ami_ros.ros.messages.conversions import image_to_message, seconds_to_stamp, stamp_to_seconds
from ami_ros.ros.node.qos import RELIABLE
from ami_ros.ros.nodes.perception import PerceptionNode
from ami_ros.ros.nodes.safety import SafetyNode
from harness.ros import RosPeer
from harness.small_model import save_small_model
from harness.waiting import wait_until

from .conftest import START

Result = NavigateToGoal.Result


def shown(image: Image, value: int) -> list[Image]:
    """A picture of one brightness, with noise in the last bit: a camera that is covered, or blinded, not frozen."""
    noise = np.random.default_rng(image.header.stamp.nanosec).integers(0, 2, len(image.data))
    image.data = array.array("B", np.abs(value - noise).astype(np.uint8).tobytes())
    return [image]


@pytest.mark.fault("camera black or saturated")
@pytest.mark.fault("pose jumps: somebody carries the robot away")
def test_what_no_model_foresees_alarms_and_the_robot_does_not_drive_on_as_before(stack: Any) -> None:
    stack.start("safety", "perception", "world_model", "planner", patience__fault_tolerance=60.0)
    surprises = stack.ros.collect(Surprise, "surprise", RELIABLE)

    def calm() -> None:
        quiet = lambda: len(surprises) > 5 and all(s.z_score < s.threshold for s in surprises[-5:])  # noqa: E731
        stack.ros.spin_until(quiet, 120.0, lambda: f"calm; {surprises[-1:]}")
        del surprises[:]

    stack.drive_off()
    calm()
    jump = PlaceRobot.Request(pose=Pose2D(x=3.2, y=0.8, theta=2.5))
    assert stack.ros.call(PlaceRobot, "loopback/place_robot", jump).success
    stack.ros.spin_until(lambda: any(s.alarm for s in surprises), 60.0, "an alarm at a jump")
    stack.drive_off()
    calm()
    for brightness in (1, 255):
        stack.relay = lambda image, brightness=brightness: shown(image, brightness)
        stack.ros.spin_until(lambda: any(s.alarm for s in surprises), 60.0, f"an alarm at {brightness}")
        stack.ros.spin_until(lambda: not stack.moves, 60.0, "standing")


def displaced(odometry: Odometry, x: float) -> list[Odometry]:
    odometry.pose.pose.position.x += x
    return [odometry]


@pytest.mark.fault("odometry stamped in the future, once")
@pytest.mark.fault("odometry reset or jump during a goal")
@pytest.mark.fault("client of a goal vanishes")
def test_a_goal_survives_an_odd_odometry_a_reset_of_it_and_the_end_of_its_client(stack: Any) -> None:
    stack.start("safety", "perception", "planner", patience__fault_tolerance=60.0)
    other = RosPeer()
    client = ActionClient(other.node, NavigateToGoal, "navigate_to_goal")
    goal = stack.picture_goal((2.0, 1.8, 0.6))
    other.spin_until(client.server_is_ready, 30.0, "the action, for another client")
    client.send_goal_async(goal)

    def both() -> None:
        other.spin_once(0.0)
        stack.ros.spin_once()

    wait_until(lambda: stack.moves, 60.0, "driving", between=both)
    client.destroy()
    other.close()
    future: list[int] = []

    def late(odometry: Odometry) -> list[Odometry]:
        if not future:
            odometry.header.stamp = seconds_to_stamp(stamp_to_seconds(odometry.header.stamp) + 5.0)
        future.append(1)
        return [odometry]

    stack.relay_odometry = late
    stack.ros.spin_until(lambda: len(future) > 20 and stack.moves, 60.0, "driving on")
    stack.relay_odometry = lambda odometry: displaced(odometry, 7.0)  # as after a restart of the base
    stack.ros.spin_until(lambda: stack.state.state == PlannerState.IDLE, 120.0, lambda: f"the end: {stack.state}")
    arrived = np.hypot(stack.pose[0] - 2.0, stack.pose[1] - 1.8) < 0.3
    assert arrived or stack.state.error_code != Result.NONE
    stack.ros.spin_until(lambda: not stack.moves, what="standing")
    handle = stack.send(stack.picture_goal(START))
    assert stack.result(handle)[0] == GoalStatus.STATUS_SUCCEEDED, "the next goal is as any other"


@pytest.mark.fault("30 % of frames dropped, 200 ms jitter")
def test_with_a_third_of_the_pictures_lost_and_the_others_late_the_robot_arrives(stack: Any) -> None:
    stack.start("safety", "perception", "planner", patience__fault_tolerance=60.0)
    rng, held = random.Random(5), []  # type: ignore[var-annotated]

    def relay(image: Image) -> list[Image]:
        now = stamp_to_seconds(image.header.stamp)
        if rng.random() > 0.3:
            held.append((now + rng.uniform(0.0, 0.2), image))
        due = [each for when, each in held if when <= now]
        held[:] = [(when, each) for when, each in held if when > now]
        return due

    stack.relay = relay
    status, result = stack.result(stack.send(stack.picture_goal((2.4, 2.0, 0.8))), 240.0)
    assert status == GoalStatus.STATUS_SUCCEEDED, result.error_msg
    sent = np.array([(m.twist.linear.x, m.twist.angular.z) for m in stack.commands])
    assert np.isfinite(sent).all()


class Eyes:
    """A perception of camera and laser on topics that the test fills."""

    def __init__(self, ros: RosPeer, folder: Path) -> None:
        self.ros, self.folder, self.beams = ros, folder, 72
        save_small_model(folder)
        self.node = ros.start(PerceptionNode, model=str(folder))
        self.latents = ros.collect(Latent, "latent", RELIABLE)
        self._images = ros.node.create_publisher(Image, "image", 5)
        self._scans = ros.node.create_publisher(LaserScan, "scan", 5)
        self.picture = np.zeros((16, 16, 3), dtype=np.uint8)
        self._timer = ros.node.create_timer(0.05, self.see)

    def see(self) -> None:
        """A moment: scan, then picture."""
        now = self.ros.node.get_clock().now().to_msg()
        scan = LaserScan(angle_min=-math.pi, angle_increment=2 * math.pi / self.beams, range_min=0.1, range_max=8.0)
        scan.header.stamp, scan.ranges = now, array.array("f", [2.0] * self.beams)
        self._scans.publish(scan)
        self.picture = (self.picture + 1) % 255
        image = image_to_message(self.picture.astype(np.uint8), scan.header)
        self._images.publish(image)

    def sees(self, what: str) -> None:
        """Waits for further latents."""
        count = len(self.latents)
        self.ros.spin_until(lambda: len(self.latents) > count + 3, what=what)


@pytest.mark.fault("scan of another beam count mid-run")
@pytest.mark.fault("flood of images")
@pytest.mark.fault("model folder swapped while a node runs")
def test_perception_goes_on_with_other_scans_through_a_flood_and_on_another_model(ros: RosPeer, tmp_path: Path) -> None:
    eyes = Eyes(ros, tmp_path / "model")
    eyes.sees("latents")
    for beams in (36, 1440, 7):
        eyes.beams = beams
        eyes.sees(f"latents of {beams} beams")
    for _ in range(1000):
        eyes.see()
    eyes.sees("latents after a flood")
    first = eyes.latents[-1].encoder_id
    weights = eyes.folder / "weights.safetensors"
    good = weights.read_bytes()
    weights.write_bytes(good[:-8])
    eyes.sees("latents of the model that was loaded")
    node = eyes.node
    node.trigger_deactivate()
    node.trigger_cleanup()
    with pytest.raises(AmiError, match="weights"):
        node.start()
    save_small_model(eyes.folder)  # of other weights
    node.start()
    eyes.sees("latents of another model")
    assert eyes.latents[-1].encoder_id != first


@pytest.mark.fault("clock starts in 1970, jumps to now, is set back")
@pytest.mark.fault("scan of another beam count mid-run")
def test_the_gate_goes_on_from_1970_to_now_and_back_and_with_other_scans(ros: RosPeer) -> None:
    node = ros.start(SafetyNode, use_sim_time=True)
    sent = ros.collect(TwistStamped, "cmd_vel", RELIABLE)
    publish: dict[str, Callable[[Any], None]] = {
        topic: ros.node.create_publisher(kind, topic, 5).publish
        for topic, kind in (("/clock", Clock), ("scan", LaserScan), ("cmd_vel_raw", TwistStamped))
    }
    time, beams = [3.0], [72]

    def tick() -> None:
        time[0] += 0.05
        stamp = seconds_to_stamp(time[0])
        publish["/clock"](Clock(clock=stamp))
        scan = LaserScan(angle_min=-math.pi, angle_increment=2 * math.pi / beams[0], range_min=0.1, range_max=8.0)
        scan.header.stamp, scan.ranges = stamp, array.array("f", [3.0] * beams[0])
        scan.header.frame_id = "base_link"
        publish["scan"](scan)
        wish = TwistStamped()
        wish.twist.linear.x = 0.3
        publish["cmd_vel_raw"](wish)

    ros.node.create_timer(0.05, tick)
    for moment, count in ((3.0, 72), (1.7e9, 72), (100.0, 72), (101.0, 500), (102.0, 40)):
        time[0], beams[0] = moment, count
        while abs(node.now() - time[0]) > 60.0:
            ros.spin_once()
        del sent[:]
        ros.spin_until(lambda: sent and sent[-1].twist.linear.x > 0.1, what=f"driving at {moment} with {count} beams")
