from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ami_ros.behaviour.config import NavigatorConfig
from ami_ros.behaviour.unexplored import ExplorationConfig
from ami_ros.bench.closed_loop import LoopConfig
from ami_ros.core.config import from_mapping
from ami_ros.core.errors import AmiError
from ami_ros.core.installation import packaged, share
from ami_ros.core.robots.derived import (
    exploration_settings,
    extraction_settings,
    navigator_settings,
    node_parameters,
    recorded_topics,
    safety_settings,
    topics,
)
from ami_ros.core.robots.description import load_robot
from ami_ros.memory.growth import MemoryConfig
from ami_ros.safety.config import SafetyConfig
from ami_ros.world_model.fit import check_model, learned_limits, preset_of, shipped_model, simulated_robot
from ami_ros.world_model.learning.extract import ExtractConfig
from ami_ros.world_model.spec import InputSpec, ModelSpec

FITS = ModelSpec()


def test_the_simulated_robot_is_what_the_defaults_of_gate_and_planner_are_for() -> None:
    """So that what is tried without a description is the same robot, but that it plans with no more than it does."""
    robot = load_robot("ami_bot")
    assert from_mapping(SafetyConfig, safety_settings(robot)) == SafetyConfig()
    navigator, default = from_mapping(NavigatorConfig, navigator_settings(robot)), NavigatorConfig()
    assert navigator.follower == default.follower and navigator.planner.robot_radius == default.planner.robot_radius
    kinematics = navigator.planner.kinematics
    plain = default.planner.kinematics
    faster = replace(plain, max_linear=kinematics.max_linear, max_retreat=kinematics.max_retreat)
    assert replace(kinematics, max_lateral=plain.max_lateral) == faster
    assert plain.max_linear <= kinematics.max_linear


@pytest.mark.parametrize(("robot", "measured"), [("ami_bot", True), ("realsense", True), ("ami_bot_camera", False)])
def test_all_are_told_that_scans_are_guessed_from_pictures(robot: str, measured: bool) -> None:
    described = load_robot(robot)
    assert from_mapping(SafetyConfig, safety_settings(described)).measured == measured
    assert from_mapping(NavigatorConfig, navigator_settings(described)).measured == measured
    assert from_mapping(ExplorationConfig, exploration_settings(described)).measured == measured
    told = node_parameters(described)["memory"].get("memory", {})
    memory = from_mapping(MemoryConfig, told)
    assert memory.front_end.odometry.measured == measured
    assert LoopConfig().driving(described).agent.memory == memory


def test_a_fast_robot_has_the_general_model_looks_farther_ahead_and_plans_with_its_brakes() -> None:
    robot, usual = load_robot("ami_bot_fast"), load_robot("ami_bot")
    assert shipped_model(robot) == "general"
    settings, slow = navigator_settings(robot), navigator_settings(usual)
    assert settings["follower"]["lookahead"] > 1.5 and "lookahead" not in slow["follower"]
    assert settings["planner"]["kinematics"]["deceleration"] == robot.braking.deceleration
    assert settings["planner"]["kinematics"]["reaction"] == robot.braking.reaction
    legs, speed = exploration_settings(robot), robot.planned.linear
    assert legs["passed"] == pytest.approx(robot.braking.distance(speed)) and legs["sight"] > 2.4
    assert legs["coast"] * speed == pytest.approx(legs["passed"])
    assert set(exploration_settings(usual)) == {"robot_radius", "coast"}


@pytest.mark.parametrize("name", sorted(packaged("config/robots")))
def test_gate_planner_and_follower_are_of_the_same_robot(name: str) -> None:
    robot = load_robot(name)
    gate = from_mapping(SafetyConfig, safety_settings(robot))
    navigator = from_mapping(NavigatorConfig, navigator_settings(robot))
    kinematics = navigator.planner.kinematics
    assert len(gate.footprint) == 2 * len(robot.shape.polygon)
    planned = navigator.planner.disc
    assert planned.radius < navigator.follower.width and planned.radius <= gate.robot_radius + 1e-5
    corners = np.reshape(gate.footprint, (-1, 2))
    assert np.hypot(corners[:, 0] - planned.middle, corners[:, 1]).max(initial=0.0) <= planned.radius + 1e-5
    assert kinematics.max_linear <= gate.max_linear and kinematics.max_angular <= gate.max_angular
    assert kinematics.drive == robot.drive.kind and kinematics.width == robot.command_dim
    assert (gate.max_lateral > 0) == (kinematics.drive == "omnidirectional")


def test_type_of_commands_mount_and_frames_reach_the_nodes() -> None:
    robot = replace(load_robot("turtlebot4"), command=replace(load_robot("turtlebot4").command, stamped=False))
    found = node_parameters(robot)
    stamped = {node for node, values in found.items() if values.get("enable_stamped_cmd_vel") is False}
    assert stamped == {"safety", "supervisor", "planner", "world_model", "memory"}
    mounts = [found[node]["scanner"]["yaw"] for node in ("safety", "memory", "planner", "mission")]
    assert mounts == [pytest.approx(1.5708, abs=1e-4)] * 4
    assert "scanner" not in node_parameters(load_robot("differential"))["safety"]


def test_a_robot_without_a_camera_does_not_look_around_while_it_explores() -> None:
    assert node_parameters(load_robot("ami_bot_laser"))["mission"]["exploration"]["look_apart"] == 0.0
    assert "look_apart" not in node_parameters(load_robot("ami_bot"))["mission"]["exploration"]


def test_scans_of_a_robot_without_a_laser_are_perceptions() -> None:
    found = node_parameters(load_robot("ami_bot_camera"))["perception"]
    wanted = {"beams": 51, "fov": 100.0, "range_min": 0.15, "range_max": 4.0, "frame": "camera_level"}
    assert found["picture_scan"] == wanted and found["camera"]["z"] == 0.25
    assert "picture_scan" not in node_parameters(load_robot("ami_bot"))["perception"]


def test_a_depth_camera_makes_the_scans_of_a_robot_without_a_laser_and_is_a_source_of_the_gate_beside_one() -> None:
    alone, beside = (node_parameters(load_robot(name)) for name in ("realsense", "turtlebot4"))
    heard, told = alone["safety"]["depth_camera"], beside["safety"]["depth_camera"]
    assert alone["perception"]["depth_camera"] == heard and heard["is_scan"]
    assert (heard["beams"], heard["frame"]) == (58, "camera_level")
    assert "is_scan" not in told and told["beams"] == 69 and told["mount"]["z"] == 0.2436
    assert topics(load_robot("turtlebot4"))["depth_info"] == "oakd/stereo/camera_info"
    assert not [topic for topic in recorded_topics(load_robot("turtlebot4")) if "stereo" in topic]  # 27 MB/s
    assert "depth_camera" not in node_parameters(load_robot("ami_bot"))["safety"]


@pytest.mark.parametrize("name", ["ami_bot", "turtlebot3_waffle_pi"])
def test_exploring_takes_the_gaps_into_which_this_robot_fits(name: str) -> None:
    robot = load_robot(name)
    exploration = node_parameters(robot)["mission"]["exploration"]
    assert exploration["robot_radius"] == pytest.approx(robot.shape.disc.radius, abs=1e-5)


def test_topics_of_the_robot_take_the_place_of_the_usual_names() -> None:
    assert topics(load_robot("turtlebot4"))["image"] == "oakd/rgb/image_raw"
    plain = topics(load_robot("ami_bot"))
    assert plain == {name: name for name in ("cmd_vel", "odom", "image", "camera_info", "scan")}


def test_turtlebot4_sees_by_all_of_its_lens() -> None:
    """Its preview is the square in the middle, 42 degrees, in which few goals are where memory has them."""
    camera = load_robot("turtlebot4").camera
    assert camera is not None and camera.half_view[0] > 0.68 and camera.square_view > 0.73
    assert camera.info_topic == "oakd/rgb/camera_info"


def test_all_sensors_and_commands_are_recorded() -> None:
    recorded = recorded_topics(load_robot("turtlebot3_waffle_pi"))
    assert recorded[0] == "camera/image_raw/compressed|camera/image_raw"
    assert {"camera/camera_info", "scan", "odom", "imu", "cmd_vel", "/tf_static"} < set(recorded)


def test_data_sets_get_topics_drive_and_mount_of_the_robot() -> None:
    config = from_mapping(ExtractConfig, extraction_settings(load_robot("turtlebot4")))
    assert config.topics["image"] == "oakd/rgb/image_raw/compressed|oakd/rgb/image_raw"
    assert config.scanner is not None and config.scanner.x == -0.04 and not config.lateral
    sideways = from_mapping(ExtractConfig, extraction_settings(load_robot("ami_bot_omnidirectional")))
    assert sideways.lateral and "heading" not in sideways.topics


def test_models_that_ship_fit_the_robots_that_they_are_chosen_for() -> None:
    from ami_ros.world_model.torch_model import load_model

    names = ("ami_bot", "ami_bot_omnidirectional", "ami_bot_ackermann", "ami_bot_laser")
    for name in names:
        robot = load_robot(name)
        spec = load_model(share("models", shipped_model(robot))).model.spec
        check_model(robot, spec, "shipped")
        assert simulated_robot(spec) == name
    assert shipped_model(load_robot("ackermann")) == "ackermann"
    burger = load_robot("turtlebot3_burger")
    check_model(burger, load_model(share("models", shipped_model(burger))).model.spec, "shipped")


def test_the_general_model_drives_robots_on_two_wheels_whatever_their_camera() -> None:
    from ami_ros.world_model.torch_model import load_model

    spec = load_model(share("models", "general")).model.spec
    names = ["ami_bot", "turtlebot3_waffle_pi", "turtlebot4", *(f"drawn:{seed}" for seed in range(20))]
    for name in names:
        check_model(load_robot(name), spec, "general")
    narrow = replace(spec, inputs=replace(spec.inputs, narrowest=0.0))
    with pytest.raises(AmiError, match="needs pictures of 100 degrees, and those of camera oakd show 42"):
        check_model(load_robot("turtlebot4"), narrow, "narrow")


def test_a_model_learns_the_speeds_and_the_curves_of_its_robot() -> None:
    for name in ("ami_bot", "ami_bot_omnidirectional", "ami_bot_ackermann"):
        robot = load_robot(name)
        limits: dict[str, Any] = learned_limits(robot)
        spec = replace(FITS, **limits)
        check_model(robot, spec, "mine")
        assert spec.drive == robot.drive.kind and spec.max_linear == robot.limits.linear
        assert simulated_robot(spec) == name and preset_of(robot) == "onboard"
    assert spec.turning_radius == robot.drive.turning_radius


@pytest.mark.parametrize(
    ("spec", "robot", "words"),
    [
        ({"max_lateral": 0.4}, "ami_bot", "its commands have 3 numbers, and a robot that is differential takes 2"),
        ({}, "ami_bot_omnidirectional", "its commands have 2 numbers"),
        ({"turning_radius": 0.3}, "ami_bot", "has learned from a car, and a robot that is differential turns on the"),
        ({"turning_radius": 0.4}, "ami_bot_ackermann", "has learned curves from 0.4 m on, turning_radius is 0.3"),
        ({"max_angular": 1.0}, "ami_bot", "speeds of up to 1.0, planned.angular is 1.4"),
        ({"inputs": InputSpec(image_size=128)}, "ami_bot", "pictures of 128 px, and camera front has 96x96"),
        (
            {"inputs": InputSpec(field_of_view=2.0)},
            "ami_bot",
            "it needs pictures of 115 degrees, and those of .* show 100",
        ),
        ({"inputs": InputSpec(scan_beams=144)}, "ami_bot", "144 beams all round, and laser scan has 72 in 360 degrees"),
        ({"period": 0.05}, "ami_bot", "every 0.05 s, and sensor front has a rate of 10.0 Hz"),
    ],
)
def test_model_that_does_not_fit_the_robot_is_refused_in_one_line(spec: dict[str, Any], robot: str, words: str) -> None:
    check_model(load_robot("ami_bot"), FITS, "fits")
    with pytest.raises(AmiError, match=words) as error:
        check_model(load_robot(robot), replace(FITS, **spec), "mine")
    assert "\n" not in str(error.value) and f"model mine does not fit robot {robot}" in str(error.value)


def test_robot_without_camera_or_laser_takes_no_model_that_wants_them(tmp_path: Path) -> None:
    robot = load_robot("ami_bot")
    for sensor, words in ((robot.sensors[0], "no camera"), (robot.sensors[1], "no laser")):
        blind = replace(robot, sensors=tuple(s for s in robot.sensors if s is not sensor))
        with pytest.raises(AmiError, match=words):
            check_model(blind, FITS, "mine")
