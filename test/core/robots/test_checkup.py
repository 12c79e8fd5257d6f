"""What does not fit a robot's description is found, and the line that mends it is named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace as Message
from typing import Any

import numpy as np
import pytest
import yaml
from scipy.spatial.transform import Rotation

from ami_ros.core.camera import CameraMount
from ami_ros.core.errors import AmiError
from ami_ros.core.robots.checkup import Finding, examine
from ami_ros.core.robots.derived import depth_camera
from ami_ros.core.robots.description import load_robot
from ami_ros.core.robots.observation import (
    IMAGE,
    INFO,
    ODOMETRY,
    SCAN,
    TWIST,
    TWIST_STAMPED,
    Observation,
    Topic,
    draft,
    write_draft,
)
from harness.depth import depth_picture

ROBOT = load_robot("ami_bot")


def header(stamp: float, frame: str) -> Message:
    return Message(stamp=Message(sec=int(stamp), nanosec=int(1e9 * (stamp % 1))), frame_id=frame)


def sensor_topic(kind: str, frame: str, rate: float, delay: float = 0.03, **fields: Any) -> Topic:
    """Two seconds of messages, `delay` [s] late."""
    topic = Topic(kind, ("/driver",))
    for i in range(int(2 * rate)):
        topic.take(Message(header=header(100.0 + i / rate, frame), **fields), 100.0 + i / rate + delay)
    return topic


def everything() -> Observation:
    """A robot that is what ami_bot's description says."""
    focal = 48 / np.tan(np.radians(50))
    pose = Message(pose=Message(orientation=Message(x=0.0, y=0.0, z=0.0, w=1.0)))
    scan: dict[str, Any] = {
        "ranges": np.full(72, 2.0),
        "angle_increment": np.radians(5),
        "range_min": 0.12,
        "range_max": 8.0,
    }
    picture: dict[str, Any] = {"encoding": "rgb8", "width": 96, "height": 96}
    matrix = [focal, 0, 47.5, 0, focal, 47.5, 0, 0, 1]
    return Observation(
        {
            "/image": sensor_topic(IMAGE, "camera_optical_frame", 10, **picture),
            "/camera_info": sensor_topic(INFO, "camera_optical_frame", 10, k=matrix, width=96, height=96),
            "/scan": sensor_topic(SCAN, "base_link", 10, **scan),
            "/odom": sensor_topic(ODOMETRY, "odom", 25, child_frame_id="base_link", pose=pose),
            "/cmd_vel": Topic(TWIST_STAMPED, ("/safety", "/supervisor"), ("/driver",)),
        }
    )


def wrong(seen: Observation, **robot: Any) -> list[Finding]:
    return [f for f in examine(replace(ROBOT, **robot), seen) if f.severity != "ok"]


def test_nothing_is_found_where_everything_fits() -> None:
    findings = examine(ROBOT, everything())
    assert {f.severity for f in findings} == {"ok"}
    assert [f.topic for f in findings] == ["/image", "/scan", "/odom", "/cmd_vel"]


def test_a_topic_of_another_name_is_named() -> None:
    seen = everything()
    seen.topics["/front/scan"] = seen.topics.pop("/scan")
    (finding,) = wrong(seen)
    assert (finding.severity, finding.topic) == ("error", "/scan")
    assert finding.remedy.startswith("topic: /front/scan")


def test_topics_of_a_robot_in_a_namespace_are_looked_for_there() -> None:
    seen = everything()
    seen.topics = {f"/tb4{name}": topic for name, topic in seen.topics.items()}
    assert all(f.severity == "ok" for f in examine(ROBOT, seen, "/tb4"))
    assert any(f.severity == "error" for f in examine(ROBOT, seen))


@pytest.mark.parametrize(
    ("topic", "change", "text", "remedy"),
    [
        ("/scan", {"delay": 0.9}, "0.90 s old", "clocks alike"),
        ("/scan", {"delay": -0.4}, "in the future", "use_sim_time"),
        ("/scan", {"frame": "laser"}, "frame_id 'laser'", "frame: laser"),
        ("/scan", {"rate": 5}, "5.0 messages a second", "rate: 5.0"),
        ("/scan", {"ranges": np.full(72, np.inf)}, "no beam measures", "covered"),
        ("/scan", {"ranges": np.full(360, 2.0), "angle_increment": np.radians(1)}, "360 beams", "beams: 360"),
        ("/scan", {"ranges": np.full(37, 2.0)}, "over 180 degrees", "fov: 180"),
        ("/scan", {"range_max": 3.5}, "range_max 3.5", "range_max: 3.5"),
        ("/image", {"encoding": "bgr8"}, "encoding bgr8", "encoding: bgr8"),
        ("/image", {"encoding": "h264"}, "not known", "rgb8"),
        ("/image", {"width": 640, "height": 480}, "640x480", "width: 640, height: 480"),
        (
            "/camera_info",
            {"k": [90, 0, 47.5, 0, 90, 47.5, 0, 0, 1]},
            "focal length 90",
            "intrinsics: [90.0, 90.0, 47.5",
        ),
        ("/camera_info", {"k": [0.0] * 9}, "not calibrated", "calibrate"),
        ("/odom", {"frame": "world"}, "frame_id 'world'", "odom: world"),
        ("/odom", {"child_frame_id": "base_footprint"}, "base_footprint", "base: base_footprint"),
    ],
)
def test_what_arrives_otherwise_is_found_with_the_line_to_write(
    topic: str, change: dict[str, Any], text: str, remedy: str
) -> None:
    seen = everything()
    old = seen.topics[topic]
    given = {key: value for key, value in vars(old.last).items() if key != "header"}
    frame, rate = change.pop("frame", old.frame), change.pop("rate", 10 if topic != "/odom" else 25)
    delay = change.pop("delay", 0.03)
    seen.topics[topic] = sensor_topic(old.type, frame, rate, delay, **(given | change))
    found = [f for f in wrong(seen) if f.topic == topic]
    assert any(text in f.text and remedy in f.remedy for f in found), found


def test_stamps_of_zero_and_two_publishers_are_errors() -> None:
    seen = everything()
    seen.topics["/scan"].stamps[:] = [0.0] * 20
    seen.topics["/odom"].publishers = ("/driver", "/ekf")
    found = {f.topic: f for f in wrong(seen)}
    assert "stamps are 0" in found["/scan"].text
    assert "/driver, /ekf" in found["/odom"].text and found["/odom"].severity == "error"


def test_commands_of_the_wrong_type_without_a_listener_and_past_the_gate_are_found() -> None:
    seen = everything()
    seen.topics["/cmd_vel"] = Topic(TWIST, (), ("/driver",))
    assert "stamped: false" in wrong(seen)[0].remedy
    seen.topics["/cmd_vel"] = Topic(TWIST_STAMPED, ("/joystick", "/safety"), ("/driver",))
    assert wrong(seen)[0].text.startswith("/joystick publishes")
    seen.topics["/cmd_vel"] = Topic(TWIST_STAMPED, ("/safety",))
    seen.topics["/base/cmd_vel"] = Topic(TWIST_STAMPED, (), ("/driver",))
    assert wrong(seen)[0].remedy == "command: {topic: /base/cmd_vel}"


def test_a_laser_that_no_transform_places_is_an_error() -> None:
    seen = everything()
    seen.topics["/scan"].frame = "laser"
    sensors = tuple(replace(s, mount=None, frame="laser") if s.name == "scan" else s for s in ROBOT.sensors)
    assert "/tf_static does not lead" in wrong(seen, sensors=sensors)[0].text
    seen.frames.put("base_link", "laser", (0.1, 0.0, 0.2), (0.0, 0.0, 0.0, 1.0))
    assert not wrong(seen, sensors=sensors)
    seen.frames.put("base_link", "laser", (0.1, 0.0, 0.2), (0.0, 0.4, 0.0, 0.92))
    assert "tilted" in wrong(seen, sensors=sensors)[0].text


def test_two_clocks_are_an_error() -> None:
    seen = everything()
    seen.topics["/clock"] = Topic("rosgraph_msgs/msg/Clock", ("/world1", "/world2"))
    assert "both tell the time" in wrong(seen)[0].text


def test_the_draft_is_a_description_that_fits_what_was_heard(tmp_path: Path) -> None:
    seen = everything()
    (tmp_path / "mine.yaml").write_text(draft(seen))
    robot = load_robot(tmp_path / "mine.yaml")
    found = [f for f in examine(robot, seen) if f.severity != "ok"]
    assert [(f.topic, f.remedy[:6]) for f in found] == [("/image", "mount:")]  # that nobody can hear
    assert yaml.safe_load(draft(Observation()))["sensors"] == []


def test_a_silent_robot_is_one_line_and_no_description(tmp_path: Path) -> None:
    with pytest.raises(AmiError, match=r"mine\.yaml is not written: no picture"):
        write_draft(tmp_path / "mine.yaml", Observation())
    assert not (tmp_path / "mine.yaml").exists()


def test_a_camera_whose_height_nobody_tells_is_found_with_what_the_transforms_say() -> None:
    """With its camera on the floor, as it was described, a TurtleBot 4 recognised far fewer goals."""
    robot = ROBOT.with_sensor("front", mount=None)
    seen = everything()
    [finding] = [f for f in examine(robot, seen) if f.severity != "ok"]
    assert finding.severity == "warning" and "how high it sits" in finding.text and "measure" in finding.remedy
    # The optical frame of a camera that looks 0.1 rad down, 0.3 m high.
    turn = Rotation.from_euler("y", 0.1) * Rotation.from_quat((-0.5, 0.5, -0.5, 0.5))
    seen.frames.put("base_link", "camera_optical_frame", (0.05, 0.0, 0.3), tuple(turn.as_quat()))
    [finding] = [f for f in examine(robot, seen) if f.severity != "ok"]
    assert finding.remedy.startswith("mount: {x: 0.050, y: 0.000, z: 0.300, pitch: 0.100, yaw: 0.000}")


DEPTH_ROBOT = load_robot("realsense")
DEPTH, DEPTH_INFO = "/camera/depth/image_rect_raw", "/camera/depth/camera_info"


def measured(pitch: float = 0.0, **changes: Any) -> list[Finding]:
    """What is found about a depth camera that really looks `pitch` [rad] more down than described."""
    camera, mount = depth_camera(DEPTH_ROBOT), DEPTH_ROBOT.depth.mount  # type: ignore[union-attr]
    assert camera is not None and mount is not None
    at = CameraMount(mount.x, mount.y, mount.yaw, mount.z, mount.pitch + pitch)
    millimetres = np.nan_to_num(1000 * depth_picture([(2.0, 2.1, -9.0, 9.0, 0.0, 2.0)], at, camera)).astype("<u2")
    picture: dict[str, Any] = {"encoding": "16UC1", "width": 424, "height": 240, "step": 848, "is_bigendian": 0}
    picture |= {"data": np.frombuffer(millimetres.tobytes(), np.uint8)} | changes
    fx, fy, cx, cy = (camera.focal[0], camera.focal[1], *camera.centre)
    info: dict[str, Any] = {"k": [fx, 0, cx, 0, fy, cy, 0, 0, 1], "d": [], "distortion_model": ""}
    seen = Observation(
        {
            DEPTH: sensor_topic(IMAGE, "camera_depth_optical_frame", 15, **picture),
            DEPTH_INFO: sensor_topic(INFO, "camera_depth_optical_frame", 15, width=424, height=240, **info),
        }
    )
    return [f for f in examine(DEPTH_ROBOT, seen) if f.topic == DEPTH]


def test_a_depth_camera_that_is_as_described_is_fine() -> None:
    assert [f.severity for f in measured()] == ["ok"]


@pytest.mark.parametrize("pitch", [0.06, -0.06])
def test_a_depth_camera_that_is_tilted_otherwise_is_found_with_the_line_to_write(pitch: float) -> None:
    [finding] = measured(pitch)
    assert finding.severity == "warning" and "degrees tilted" in finding.text and "mount: {z:" in finding.remedy
    told = float(finding.remedy.split("pitch: ")[1].split("}")[0])
    assert told == pytest.approx(0.1745 + pitch, abs=0.03)


def test_a_recording_need_not_have_the_depth_that_record_leaves_out() -> None:
    live, bag = everything(), replace(everything(), live=False)
    assert [f.severity for f in examine(DEPTH_ROBOT, live) if f.topic == DEPTH] == ["error"]
    assert not [f for f in examine(DEPTH_ROBOT, bag) if f.topic == DEPTH]


def test_shrunk_pictures_have_the_shrunk_calibration() -> None:
    seen = everything()
    focal = 24 / np.tan(np.radians(50))
    shrunk = [focal, 0, 23.5, 0, focal, 23.5, 0, 0, 1]
    seen.topics["/camera_info"] = sensor_topic(INFO, "camera_optical_frame", 10, k=shrunk, width=48, height=48)
    assert not [f for f in examine(ROBOT, seen) if f.topic == "/camera_info"]


def test_the_draft_does_not_take_depth_for_the_camera(tmp_path: Path) -> None:
    """Its topic may come first by name."""
    seen = everything()
    info = sensor_topic(INFO, "d", 15, k=[220.0, 0, 211.5, 0, 220.0, 119.5, 0, 0, 1], width=424, height=240)
    picture: dict[str, Any] = {"encoding": "16UC1", "width": 424, "height": 240}
    seen.topics |= {"/aligned/image_raw": sensor_topic(IMAGE, "d", 15, **picture), "/aligned/camera_info": info}
    (tmp_path / "mine.yaml").write_text(draft(seen))
    robot = load_robot(tmp_path / "mine.yaml")
    assert robot.camera is not None and robot.camera.topic == "/image"
    assert robot.depth is not None and (robot.depth.topic, robot.depth.width) == ("/aligned/image_raw", 424)


def test_depth_that_cannot_be_read_is_found() -> None:
    [finding] = measured(encoding="rgb8")
    assert finding.severity == "error" and "16UC1 (mm) or 32FC1 (m)" in finding.text
    [finding] = measured(data=np.zeros(848 * 240, np.uint8))
    assert finding.severity == "error" and "nothing is measured" in finding.text
