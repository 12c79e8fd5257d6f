"""Robots as their files, or seeds, describe them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from ami_ros.core.errors import AmiError
from ami_ros.core.installation import packaged
from ami_ros.core.ranges import ranges
from ami_ros.core.robots.description import RobotDescription, load_robot, robot_file
from ami_ros.core.robots.sensors import CameraSensor
from ami_ros.core.scan import Mount

Change = Callable[[dict[str, Any]], Any]


@pytest.fixture
def values() -> dict[str, Any]:
    """What the file of the simulated robot says."""
    found: dict[str, Any] = yaml.safe_load(robot_file("ami_bot").read_text())
    return found


def loaded(values: dict[str, Any], folder: Path) -> RobotDescription:
    file = folder / "mine.yaml"
    file.write_text(yaml.safe_dump(values))
    return load_robot(file)


def pictures(values: dict[str, Any], camera: dict[str, Any] | None = None, laser: dict[str, Any] | None = None) -> None:
    """The laser's scans are made of pictures; what is changed besides of camera and laser."""
    values["sensors"][0] |= camera or {}
    values["sensors"][1] |= {"from_camera": True, "frame": "level"} | (laser or {})


@pytest.mark.parametrize("name", sorted(packaged("config/robots")))
def test_every_robot_that_comes_with_the_package_is_sound(name: str) -> None:
    robot = load_robot(name)
    assert robot.name == name and robot.laser is not None
    assert (robot.camera is None) == (name in ("ami_bot_laser", "turtlebot3_burger"))
    assert load_robot(robot_file(name)).shape == robot.shape


def test_robots_are_found_in_an_installation_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "share" / "ami_ros" / "config" / "robots"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text(robot_file("ami_bot").read_text())
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))
    assert load_robot("mine").name == "mine"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda v: pictures(v, camera={"mount": None}), "camera on the robot whose mount says how high it is"),
        (lambda v: pictures(v, laser={"mount": {"x": 0.1}}), "so its mount has x, y and yaw of front: 0.0, 0.0"),
        (lambda v: v.update(wheels=4), "unknown key 'wheels'"),
        (lambda v: v.pop("limits"), "'limits' is missing"),
        (lambda v: v["limits"].update(linear="fast"), "limits: linear: expected float"),
        (lambda v: v["shape"].update(radius=-0.1), "radius must be greater than 0"),
        (lambda v: v["shape"].update(polygon=[[0.3, 0], [0, 0.1], [0, -0.1]]), "does not hold the polygon"),
        (lambda v: v["planned"].update(linear=0.6), "planned.linear 0.6 is greater than limits.linear 0.5"),
        (lambda v: v["limits"].update(backward=0.7), "backward 0.7 is greater than linear 0.5"),
        (lambda v: v["limits"].update(lateral=0.3), "a lateral speed is of omnidirectional drives"),
        (lambda v: v["drive"].update(kind="omnidirectional"), "a lateral speed is of omnidirectional drives"),
        (lambda v: v["drive"].update(kind="ackermann", turning_radius=0.1), "is not greater than half of track 0.26"),
        (lambda v: v["drive"].update(wheelbase=0.0), "turning_radius and wheelbase must be greater than 0"),
        (lambda v: v["drive"].update(kind="legs"), "'legs' is not one of differential"),
        (lambda v: v["braking"].update(deceleration=0.0), "deceleration must be greater than 0"),
        (lambda v: v["braking"].update(turn_lag=0.1), "turn_lag 0.1 is less than reaction 0.25"),
        (lambda v: v["braking"].update(deceleration=0.01), "m to stop, and laser scan sees 8.0 m"),
        (lambda v: v["sensors"][1].update(mount={"x": 0.2}, frame="laser"), "scan is mounted 0.200 m from the middle"),
        (lambda v: v["sensors"][1].update(mount={"pitch": 0.5}, frame="laser"), "laser scan is tilted"),
        (lambda v: v["sensors"][1].update(mount={"x": 0.1}), "has a mount, so its frame is not base_link"),
        (lambda v: v["sensors"][1].update(range_min=0.4), "is blind up to 0.4 m"),
        (lambda v: v["sensors"][1].update(range_max=0.1), "below range_max"),
        (lambda v: v["sensors"][0].update(fov=200.0), "fov must be between 0 and 180"),
        (lambda v: v["sensors"][0].update(intrinsics=[40.0, 40.0, 47.5, 47.5]), "either fov or intrinsics"),
        (lambda v: v["sensors"][0].update(rate=0.0), "rate must be greater than 0"),
        (lambda v: v["sensors"][0].update(kind="nose"), "needs a kind: camera, depth, laser, odometry, imu"),
        (lambda v: v["sensors"][2].update(topic="scan"), "two sensors have the same topic"),
        (lambda v: v["sensors"].pop(2), "a sensor of kind odometry is missing"),
        (lambda v: v.update(sensors=4), "sensors must be a list"),
    ],
)
def test_description_that_contradicts_itself_is_refused_in_one_line(
    values: dict[str, Any], change: Change, words: str, tmp_path: Path
) -> None:
    change(values)
    with pytest.raises(AmiError, match=words) as error:
        loaded(values, tmp_path)
    assert "\n" not in str(error.value) and "mine.yaml" in str(error.value)


def test_unknown_robot_is_refused_with_the_known_ones() -> None:
    with pytest.raises(AmiError, match=r"no robot 'r2d2': known are .*ami_bot.*turtlebot4"):
        load_robot("r2d2")
    with pytest.raises(AmiError, match="no such file"):
        load_robot("r2d2.yaml")


def test_file_that_is_no_yaml_is_refused_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "broken.yaml"
    file.write_text("shape: [0.1")
    with pytest.raises(AmiError, match="cannot be read") as error:
        load_robot(file)
    assert "\n" not in str(error.value)


def test_mount_of_the_laser_is_what_readers_of_scans_take() -> None:
    laser = load_robot("turtlebot4").laser
    assert laser is not None and laser.level_mount == Mount(-0.04, 0.0, np.pi / 2, fixed=True)
    unknown = load_robot("differential").laser
    assert unknown is not None and unknown.level_mount is None


def test_beams_are_all_round_or_from_edge_to_edge(values: dict[str, Any], tmp_path: Path) -> None:
    whole = loaded(values, tmp_path).laser
    values["sensors"][1].update(fov=180.0, beams=181)
    half = loaded(values, tmp_path).laser
    assert whole is not None and half is not None
    np.testing.assert_allclose(np.degrees(whole.scan(np.ones(72, np.float32)).angles)[[0, 1, -1]], [-180, -175, 175])
    np.testing.assert_allclose(np.degrees(half.scan(np.ones(181, np.float32)).angles)[[0, 1, -1]], [-90, -89, 90])


def test_pinhole_of_a_camera_has_its_middle_between_the_pixels() -> None:
    camera = CameraSensor("c", "image", 10.0, width=96, height=64, fov=90.0)
    assert camera.matrix == pytest.approx((48.0, 48.0, 47.5, 31.5))


def depth(values: dict[str, Any], **changes: Any) -> None:
    """The robot with a depth camera, and scans of that."""
    own = {"name": "depth", "kind": "depth", "topic": "depth/image", "rate": 15.0, "fov": 87.0, "frame": "d"}
    values["sensors"].append(own | {"mount": {"z": 0.3}} | changes.get("depth", {}))
    values["sensors"][1].update({"from_depth": True, "fov": 85.0, "frame": "level"} | changes.get("laser", {}))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda v: depth(v, depth={"mount": None}), "needs a mount that says how high it is"),
        (lambda v: depth(v, depth={"encoding": "rgb8"}), "encoding rgb8: 16UC1, mono16, 32FC1 are possible"),
        (lambda v: depth(v, depth={"range_min": 7.0}), "below range_max"),
        (lambda v: depth(v, depth={"min_height": 0.6}), "below max_height"),
        (lambda v: depth(v, laser={"mount": {"x": 0.1}}), "has from_depth, so its mount has x, y and yaw of depth"),
        (lambda v: depth(v, laser={"fov": 60.0}), "the gate would let it set out nowhere; mount it farther back"),
        (lambda v: v["sensors"][1].update(from_depth=True), "takes a sensor of kind depth on the robot"),
        (lambda v: depth(v, laser={"from_camera": True}), "exclude each other"),
    ],
)
def test_depth_that_cannot_be_used_is_refused_in_one_line(
    values: dict[str, Any], change: Change, words: str, tmp_path: Path
) -> None:
    change(values)
    with pytest.raises(AmiError, match=words) as error:
        loaded(values, tmp_path)
    assert "\n" not in str(error.value)


def test_each_seed_is_another_robot_within_the_ranges_and_the_same_one_again() -> None:
    robots = [load_robot(f"drawn:{seed}") for seed in range(30)]
    assert robots[:5] == [load_robot(f"drawn:{seed}") for seed in range(5)]
    assert (
        len({robot.shape.radius for robot in robots}) > 10
        and len({robot.laser.fov for robot in robots if robot.laser}) > 2
    )
    limits = ranges("drawn_robots")
    for robot in robots:
        assert robot.camera is not None and robot.camera.mount is not None and robot.camera.fov is not None
        assert limits["camera"]["height"][0] <= robot.camera.mount.z <= limits["camera"]["height"][1]
        assert limits["camera"]["fov"][0] <= robot.camera.fov <= limits["camera"]["fov"][1]
        assert limits["radius"][0] <= robot.shape.radius <= limits["radius"][1]
    biases = [robot.simulated.noise["odometry_error"] for robot in robots]
    assert min(biases) < -0.01 and max(biases) > 0.01


@pytest.mark.parametrize("name", ["drawn:", "drawn:x", "drawn:-1"])
def test_what_names_no_robot_is_refused(name: str) -> None:
    with pytest.raises(AmiError, match="names no robot"):
        load_robot(name)
