"""Goals as RViz and Nav2 send them reach navigate_to_goal, and its answers go back."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import pytest
from action_msgs.msg import GoalStatus
from geometry_msgs.msg import PoseStamped
from rclpy.action import ActionClient
from std_msgs.msg import Header

from ami_interfaces.action import NavigateToGoal
from ami_interfaces.msg import NavigationGoal
from ami_ros.ros.goals import navigation as pose_goals
from ami_ros.ros.goals.action_server import GoalFrames, Outcome, SimpleActionServer
from ami_ros.ros.messages.goals import Frames
from ami_ros.ros.node.lifecycle import AmiNode
from ami_ros.ros.node.qos import RELIABLE, REQUESTS
from harness.processes import REPOSITORY
from harness.ros import RosPeer

Result = NavigateToGoal.Result


@dataclass(frozen=True)
class Config:
    pass


class Host(AmiNode[Config], name="host", parameters=Config):
    """A planner whose driving is done by the test."""

    def configure(self) -> None:
        self.server = SimpleActionServer(
            self,
            NavigateToGoal,
            "navigate_to_goal",
            check=lambda request: None,
            rejected=lambda error: None,
            preempted=lambda ticket: Result(error_code=Result.PREEMPTED),
            canceled=lambda ticket: Result(),
        )
        self.frames = GoalFrames(self, Frames())
        self.poses = pose_goals.PoseGoals(self, self.frames)
        self.prefixed = pose_goals.PoseGoals(self, self.frames, "ami/")

    def cleanup(self) -> None:
        self.poses.destroy()
        self.prefixed.destroy()
        self.server.destroy()


@pytest.fixture
def host(ros: RosPeer) -> Iterator[Host]:
    node = ros.start(Host)
    ros.spin_until(lambda: node.is_active)
    yield node
    node.stop()


def pose_at(x: float, frame: str = "map") -> PoseStamped:
    pose = PoseStamped(header=Header(frame_id=frame))
    pose.pose.position.x, pose.pose.orientation.w = x, 1.0
    return pose


def test_a_pose_from_rviz_becomes_the_goal_and_one_in_a_foreign_frame_does_not(ros: RosPeer, host: Host) -> None:
    publisher = ros.node.create_publisher(PoseStamped, "goal_pose", RELIABLE)
    ros.spin_until(publisher.get_subscription_count)
    publisher.publish(pose_at(9.0, "wall"))
    publisher.publish(pose_at(1.5))
    ticket = ros.spin_until(lambda: host.server.current)
    assert ticket is not None and ticket.request.goal.type == NavigationGoal.TYPE_POSE
    assert ticket.request.goal.pose.pose.position.x == 1.5 and ticket.request.goal.pose.header.frame_id == "map"
    publisher.publish(pose_at(2.5, "odom"))
    ros.spin_until(lambda: host.server.current is not ticket)
    assert host.server.current is not None and not ticket.is_open
    host.server.finish(host.server.current, Outcome.SUCCEEDED, Result())
    for _ in range(5):
        ros.spin_once()  # its client gets the result


class Commander:
    """A client of navigate_to_pose, like BasicNavigator."""

    def __init__(self, ros: RosPeer, kind: str = "NavigateToPose", name: str = "navigate_to_pose") -> None:
        self.ros, self.type = ros, getattr(importlib.import_module("nav2_msgs.action"), kind)
        self.feedback: list[Any] = []
        self.client = ActionClient(
            ros.node, self.type, name,
            goal_service_qos_profile=REQUESTS, result_service_qos_profile=REQUESTS,
        )  # fmt: skip
        ros.spin_until(self.client.server_is_ready)

    def send(self, *poses: PoseStamped) -> Any:
        request = self.type.Goal(pose=poses[0]) if hasattr(self.type.Goal(), "pose") else self.type.Goal(poses=poses)
        sent = self.client.send_goal_async(request, self.feedback.append)
        self.ros.spin_until(sent.done)
        return sent.result()

    def result(self, handle: Any) -> tuple[int, Any]:
        answered = handle.get_result_async()
        self.ros.spin_until(answered.done)
        return answered.result().status, answered.result().result


@pytest.fixture
def commander(ros: RosPeer, host: Host) -> Iterator[Commander]:
    made = Commander(ros)
    yield made
    made.client.destroy()


def test_the_action_of_nav2_is_driven_with_feedback_and_ends_as_the_drive_does(
    ros: RosPeer, host: Host, commander: Commander
) -> None:
    handle = commander.send(pose_at(1.5))
    ticket = ros.spin_until(lambda: host.server.current)
    assert handle.accepted and ticket is not None and ticket.request.goal.pose.pose.position.x == 1.5
    while not commander.feedback:
        ticket.send_feedback(NavigateToGoal.Feedback(distance_remaining=0.75, number_of_recoveries=2))
        ros.spin_once()
    told = commander.feedback[-1].feedback
    assert (told.distance_remaining, told.number_of_recoveries) == (0.75, 2)
    host.server.finish(ticket, Outcome.SUCCEEDED, Result())
    assert commander.result(handle)[0] == GoalStatus.STATUS_SUCCEEDED

    handle = commander.send(pose_at(2.5))
    ticket = ros.spin_until(lambda: host.server.current)
    assert ticket is not None
    host.server.finish(ticket, Outcome.ABORTED, Result(error_code=Result.FAILED_TO_MAKE_PROGRESS, error_msg="stuck"))
    status, result = commander.result(handle)
    assert status == GoalStatus.STATUS_ABORTED and result.error_code == Result.FAILED_TO_MAKE_PROGRESS
    assert getattr(result, "error_msg", "stuck") == "stuck"


def test_cancel_and_a_newer_goal_reach_the_drive(ros: RosPeer, host: Host, commander: Commander) -> None:
    first = commander.send(pose_at(1.0))
    ros.spin_until(lambda: host.server.current)
    second = commander.send(pose_at(2.0))
    assert commander.result(first)[0] == GoalStatus.STATUS_ABORTED
    ros.spin_until(lambda: (t := host.server.current) is not None and t.request.goal.pose.pose.position.x == 2.0)
    second.cancel_goal_async()
    assert commander.result(second)[0] == GoalStatus.STATUS_CANCELED
    ros.spin_until(lambda: host.server.current is None)
    assert not commander.send(pose_at(1.0, "wall")).accepted


@pytest.fixture
def tourist(ros: RosPeer, host: Host) -> Iterator[Commander]:
    """A client of navigate_through_poses."""
    made = Commander(ros, "NavigateThroughPoses", "navigate_through_poses")
    yield made
    made.client.destroy()


def drive_at(host: Host, x: float) -> Any:
    """The goal at `x` [m], if it is the one that is driven to."""
    ticket = host.server.current
    return ticket if ticket is not None and ticket.request.goal.pose.pose.position.x == x else None


def test_poses_of_nav2_are_driven_through_in_their_order_and_what_is_left_is_told(
    ros: RosPeer, host: Host, tourist: Commander
) -> None:
    handle = tourist.send(pose_at(1.0), pose_at(2.0), pose_at(4.0))
    first = ros.spin_until(lambda: drive_at(host, 1.0))
    while not tourist.feedback:
        first.send_feedback(NavigateToGoal.Feedback(distance_remaining=0.5, number_of_recoveries=1))
        ros.spin_once()
    told = tourist.feedback[-1].feedback
    assert (told.number_of_poses_remaining, told.distance_remaining) == (3, 3.5)
    host.server.finish(first, Outcome.SUCCEEDED, Result(number_of_recoveries=1))
    second = ros.spin_until(lambda: drive_at(host, 2.0))
    while tourist.feedback[-1].feedback.number_of_poses_remaining == 3:
        second.send_feedback(NavigateToGoal.Feedback(distance_remaining=0.25, number_of_recoveries=2))
        ros.spin_once()
    told = tourist.feedback[-1].feedback
    assert (told.number_of_poses_remaining, told.number_of_recoveries) == (2, 3)
    host.server.finish(second, Outcome.SUCCEEDED, Result())
    host.server.finish(ros.spin_until(lambda: drive_at(host, 4.0)), Outcome.SUCCEEDED, Result())
    assert tourist.result(handle)[0] == GoalStatus.STATUS_SUCCEEDED


def test_a_leg_that_fails_ends_the_whole_way_and_a_cancel_the_leg(ros: RosPeer, host: Host, tourist: Commander) -> None:
    handle = tourist.send(pose_at(1.0), pose_at(2.0))
    leg = ros.spin_until(lambda: drive_at(host, 1.0))
    host.server.finish(leg, Outcome.ABORTED, Result(error_code=Result.TIMEOUT, error_msg="late"))
    status, result = tourist.result(handle)
    assert (status, result.error_code) == (GoalStatus.STATUS_ABORTED, Result.TIMEOUT)
    assert not tourist.send().accepted
    assert not tourist.send(pose_at(1.0), pose_at(1.0, "wall")).accepted

    handle = tourist.send(pose_at(1.0), pose_at(2.0))
    host.server.finish(ros.spin_until(lambda: drive_at(host, 1.0)), Outcome.SUCCEEDED, Result())
    ros.spin_until(lambda: drive_at(host, 2.0))
    handle.cancel_goal_async()
    assert tourist.result(handle)[0] == GoalStatus.STATUS_CANCELED
    ros.spin_until(lambda: host.server.current is None)


def test_a_behaviour_tree_beside_nav2_finds_our_action_by_its_other_name(ros: RosPeer, host: Host) -> None:
    tree = ElementTree.parse(REPOSITORY / "examples" / "nav2" / "navigate_with_ami.xml")
    ours = tree.find(".//NavigateToPose")
    assert ours is not None
    commander = Commander(ros, name=ours.attrib["server_name"])
    handle = commander.send(pose_at(1.5))
    ticket = ros.spin_until(lambda: host.server.current)
    assert handle.accepted and ticket is not None
    host.server.finish(ticket, Outcome.SUCCEEDED, Result())
    assert commander.result(handle)[0] == GoalStatus.STATUS_SUCCEEDED
    commander.client.destroy()
