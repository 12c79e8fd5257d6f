"""What other tools expect: where the robot is, the map, the goal, outlines, words that late listeners hear."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import pytest
from action_msgs.msg import GoalStatus
from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import PolygonStamped, PoseStamped, PoseWithCovarianceStamped
from map_msgs.msg import OccupancyGridUpdate
from nav_msgs.msg import OccupancyGrid, Path
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Header, String
from visualization_msgs.msg import MarkerArray

from ami_interfaces.action import NavigateToGoal
from ami_interfaces.msg import NavigationGoal
from ami_ros.core.geometry import compose
from ami_ros.core.images import encode_png, image_of
from ami_ros.core.installation import share
from ami_ros.memory.occupancy_map import FREE, OCCUPIED, UNKNOWN, OccupancyMap, occupancy_map
from ami_ros.ros.memory_services import changed_cells, update_message
from ami_ros.ros.messages.conversions import pose_from_message, pose_to_message
from ami_ros.ros.node.qos import LATCHED, RELIABLE

from .conftest import SLOW, START


def map_goal(*pose: float) -> NavigateToGoal.Goal:
    stamped = PoseStamped(header=Header(frame_id="map"), pose=pose_to_message(np.array(pose)))
    return NavigateToGoal.Goal(goal=NavigationGoal(type=NavigationGoal.TYPE_POSE, pose=stamped))


def test_a_robot_that_was_just_started_drives_to_a_click_on_its_map_and_shows_what_it_saw(stack: Any) -> None:
    stack.model = share("models", "laser")
    stack.robot = {"robot": "ami_bot_laser", "image_size": 0, "real_time_factor": SLOW}
    stack.start("safety", "perception", "world_model", "memory", "planner", use_memory=True)
    poses = stack.ros.collect(PoseWithCovarianceStamped, "pose", RELIABLE)
    maps = stack.ros.collect(OccupancyGrid, "map", LATCHED)
    goals = stack.ros.collect(PoseStamped, "goal", LATCHED)
    plans = stack.ros.collect(Path, "plan", RELIABLE)
    there = np.array([1.3, 0.9, 0.5])  # from where it was switched on; nobody has been anywhere
    told: list[Any] = []
    handle = stack.send(map_goal(*there), lambda message: told.append(message.feedback))
    status, result = stack.result(handle)
    assert status == GoalStatus.STATUS_SUCCEEDED, result.error_msg
    assert np.hypot(*(stack.pose - compose(np.array(START), there))[:2]) < 0.3
    assert {feedback.current_pose.header.frame_id for feedback in told[5:]} == {"map"}
    distances = [feedback.distance_remaining for feedback in told[5:]]
    assert np.isfinite(distances).all() and distances[0] > 1.0 > distances[-1]
    assert result.final_pose.header.frame_id == "map"
    np.testing.assert_allclose(pose_from_message(result.final_pose.pose)[:2], there[:2], atol=0.2)
    believed = poses[-1].pose
    np.testing.assert_allclose(pose_from_message(believed.pose)[:2], there[:2], atol=0.2)
    assert 0 < believed.covariance[0] < 1 and plans and goals[-1].header.frame_id == "odom"
    picture = CompressedImage(format="png", data=encode_png(np.zeros((8, 8, 3), np.uint8)))
    asked = NavigateToGoal.Goal(goal=NavigationGoal(type=NavigationGoal.TYPE_IMAGE, image=picture))
    assert not stack.send(asked).accepted, "it has no camera"
    stack.ros.spin_until(lambda: maps, 30.0, "a map")
    assert_updates_keep_a_map_right(stack, maps[-1])
    drawn = maps[-1]
    cells = np.array(drawn.data, np.int8).reshape(drawn.info.height, drawn.info.width)
    assert set(np.unique(cells)) == {UNKNOWN, FREE, OCCUPIED} and drawn.header.frame_id == "map"
    corner = np.array([drawn.info.origin.position.x, drawn.info.origin.position.y])
    column, row = np.floor((there[:2] / 2 - corner) / drawn.info.resolution).astype(int)
    assert cells[row, column] == FREE and (cells == FREE).sum() * drawn.info.resolution**2 > 4.0


def assert_updates_keep_a_map_right(stack: Any, first: OccupancyGrid) -> None:
    """Whoever hears both has what memory has, be it by maps or by updates."""
    heard = [first]
    for name, kind in (("map", OccupancyGrid), ("map_updates", OccupancyGridUpdate)):
        stack.ros.node.create_subscription(kind, name, heard.append, LATCHED if name == "map" else RELIABLE)

    def right() -> bool:
        cells = np.zeros((0, 0), np.int8)
        for message in heard:
            if isinstance(message, OccupancyGrid):
                cells = np.array(message.data, np.int8).reshape(message.info.height, message.info.width)
            else:
                rows, columns = (
                    slice(message.y, message.y + message.height),
                    slice(message.x, message.x + message.width),
                )
                cells[rows, columns] = np.array(message.data, np.int8).reshape(message.height, message.width)
        known = occupancy_map(stack.nodes["memory"].memory.submaps())
        return known is not None and np.array_equal(cells, known.cells)

    stack.ros.spin_until(right, 30.0, "the newest map")


def test_what_changed_between_two_maps_is_a_rectangle() -> None:
    before = OccupancyMap(np.zeros((4, 5), np.int8), 0.05, np.zeros(2))
    after = OccupancyMap(before.cells.copy(), 0.05, np.zeros(2))
    assert changed_cells(before, after) == (0, 0, 0, 0) and changed_cells(None, after) is None
    after.cells[1, 2] = after.cells[2, 3] = OCCUPIED
    assert changed_cells(before, after) == (2, 1, 2, 2)
    message = update_message(after, (2, 1, 2, 2), Header(frame_id="map"))
    assert (message.x, message.y, message.width, message.height) == (2, 1, 2, 2)
    assert list(message.data) == [OCCUPIED, 0, 0, OCCUPIED]
    assert changed_cells(before, OccupancyMap(after.cells, 0.05, np.ones(2))) is None  # it lies elsewhere


def test_late_listeners_hear_what_was_said_last_and_see_the_goal_s_picture(stack: Any) -> None:
    stack.start("safety", "perception", "planner")
    stack.add("mission")
    idle = {
        name: stack.ros.collect(kind, name, LATCHED)
        for name, kind in (
            ("planner/decision", String), ("mission/decision", String), ("safety/status", DiagnosticStatus),
        )
    }  # fmt: skip
    footprints = stack.ros.collect(PolygonStamped, "footprint", RELIABLE)
    shape = stack.ros.collect(String, "robot_description", LATCHED)
    stack.ros.spin_until(lambda: all(idle.values()) and footprints and shape, what="words while nothing happens")
    assert shape[-1].data.startswith("<?xml") and "<link name=" in shape[-1].data
    assert idle["planner/decision"][-1].data == "no goal" and idle["mission/decision"][-1].data == "no mission"
    radii = [np.hypot(corner.x, corner.y) for corner in footprints[-1].polygon.points]
    assert np.mean(radii) == pytest.approx(0.18, abs=0.02)
    handle = stack.drive_off((2.0, 1.6, 0.4))
    late = stack.ros.collect(CompressedImage, "goal_picture/compressed", LATCHED)
    shown = stack.ros.collect(MarkerArray, "goal_markers", LATCHED)
    stack.ros.spin_until(lambda: late and shown, what="the goal's picture and markers")
    assert image_of(late[-1]).shape[2] == 3 and shown[-1].markers[1].text
    stack.result(handle)
    words = stack.ros.collect(String, "planner/decision", LATCHED)
    stack.ros.spin_until(lambda: words, what="the last word")
    assert "reached" in words[-1].data


def test_a_map_of_where_it_must_not_go_reaches_gate_and_exploring(stack: Any, tmp_path: pathlib.Path) -> None:
    drawn = OccupancyMap(np.array([[FREE, FREE], [FREE, OCCUPIED]], np.int8), 0.5, np.array([1.0, 2.0]), 0.3)
    (tmp_path / "mask.pgm").write_bytes(drawn.pgm())
    (tmp_path / "mask.yaml").write_text(drawn.yaml("mask.pgm"))
    stack.model = share("models", "laser")
    masks = stack.ros.collect(OccupancyGrid, "keep_out_mask", LATCHED)
    stack.add("memory", keep_out_file=str(tmp_path / "mask.yaml"))
    mission = stack.add("mission", keep_out_topic="keep_out_mask")
    gate = stack.add("safety", keep_out__mask_topic="keep_out_mask")
    stack.ros.spin_until(lambda: masks and mission.part.keep_out is not None, what="the mask")
    inside, beside = drawn.points(np.array([[1, 1], [0, 0]]))
    assert mission.part.keep_out.holds(np.array([inside, beside])).tolist() == [True, False]
    assert masks[-1].header.frame_id == "map" and pose_from_message(masks[-1].info.origin)[2] == pytest.approx(0.3)
    stack.ros.spin_until(lambda: "not known where odom is" in gate._gate.keep_out.missing(0.0), what="the gate's mask")
