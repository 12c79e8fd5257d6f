"""The demo's node: what the main thread asks is done on the thread that serves it; true poses and frames."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from rclpy.action import ActionClient, ActionServer
from rclpy.context import Context
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

from ami_interfaces.action import NavigateToGoal
from ami_ros.bench.demo.client import DemoClient, Frames, TruthLog
from ami_ros.bench.demo.course import picture_goal
from ami_ros.core.geometry import compose, inverse
from ami_ros.memory.types import Places
from ami_ros.ros.messages.markers import place_markers
from ami_ros.ros.node.qos import LATCHED
from harness import RosPeer
from harness.waiting import wait_until


def test_an_answer_that_comes_at_once_is_not_lost(ros: RosPeer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sent from the main thread, a goal could be answered before its request was noted; then it was never heard of."""
    sent_by: list[threading.Thread] = []
    send = ActionClient.send_goal_async

    def watched(client: ActionClient, *arguments: Any) -> Any:
        sent_by.append(threading.current_thread())
        return send(client, *arguments)

    monkeypatch.setattr(ActionClient, "send_goal_async", watched)
    context = Context()
    context.init(domain_id=ros.context.get_domain_id())
    client = DemoClient(context)

    def execute(handle: Any) -> NavigateToGoal.Result:
        handle.succeed()
        return NavigateToGoal.Result()

    server = ActionServer(ros.node, NavigateToGoal, "navigate_to_goal", execute)
    try:
        ros.spin_until(client._action.server_is_ready, what="the action")
        run = client.send(picture_goal(CompressedImage()), 30.0)
        ros.spin_until(run.done.is_set, what="the result")
        assert run.status == "succeeded"
        assert sent_by == [client._thread] and sent_by[0] is not threading.main_thread()
    finally:
        client.close()
        server.destroy()
        context.shutdown()
    wait_until(lambda: not client._thread.is_alive(), what="the client's thread to end")


def test_remembered_places_are_taken_apart_only_when_somebody_asks(ros: RosPeer) -> None:
    context = Context()
    context.init(domain_id=ros.context.get_domain_id())
    client = DemoClient(context)
    publisher = ros.node.create_publisher(MarkerArray, "places", LATCHED)
    poses = np.array([[1.0, 2.0, 0.3], [1.5, 2.5, -0.3]])
    places = Places(np.array([7, 9]), poses, {}, np.array([[9, 7]]))
    try:
        publisher.publish(place_markers(places, Header(frame_id="map")))
        wait_until(lambda: client._places is not None, what="the places")
        assert len(client.telemetry.places) == 0
        client.read_places()
        np.testing.assert_allclose(client.telemetry.places, poses[:, :2])
        np.testing.assert_allclose(client.telemetry.edges, [poses[::-1, :2]])
        client.read_places()  # nothing new came
        assert len(client.telemetry.places) == 2
    finally:
        client.close()
        ros.node.destroy_publisher(publisher)
        context.shutdown()


def test_true_pose_is_found_by_its_stamp() -> None:
    log = TruthLog()
    for k in range(20):
        log.append(0.1 * k, np.array([k, 0.0, 0.0]))
    found = log.at(0.72)
    assert found is not None and found[0] == 7
    assert log.at(5.0) is None
    stamps, poses = log.since(1.75)
    assert stamps == pytest.approx([1.8, 1.9])
    assert poses.shape == (2, 3)


def test_log_begins_anew_when_time_is_turned_back() -> None:
    log = TruthLog()
    log.append(100.0, np.zeros(3))
    log.append(1.0, np.ones(3))
    assert log.since(0.0)[0] == pytest.approx([1.0])


def test_frames_of_odometry_and_memory_are_found_from_what_the_robot_believes() -> None:
    frames, memory_frame, odom_frame = Frames(), np.array([1.0, 2.0, 0.5]), np.array([-3.0, 1.0, -2.0])
    assert frames.memory() is None
    rng = np.random.default_rng(0)
    for k in range(50):
        truth = np.array([*rng.uniform(0, 6, 2), rng.uniform(-3, 3)])
        believed = compose(inverse(memory_frame), truth) if k % 2 else None
        frames.add(truth, compose(inverse(odom_frame), truth), believed)
    assert frames.odom == pytest.approx(odom_frame)
    assert frames.memory() == pytest.approx(memory_frame)
