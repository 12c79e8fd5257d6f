"""The camera that takes pictures of goals."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from ami_ros.core.errors import AmiError
from ami_ros.core.robots.description import load_robot
from ami_ros.ros.start.gazebo import write_files
from ami_ros.simulation.gazebo.robot_sdf import PHOTOGRAPHER, photographer_model
from harness import sdf


def test_its_lens_and_mount_are_the_robots_and_it_waits_for_a_trigger(tmp_path: Path) -> None:
    world = write_files(tmp_path, "two_rooms", "ami_bot", photographer=True).world
    assert sdf.broken_rules(world) == []
    models = {model.get("name"): model for model in ElementTree.parse(world).getroot().iter("model")}
    own = models[PHOTOGRAPHER].find(".//sensor")
    robots = models["ami_bot"].find(".//sensor[@type='camera']")
    assert own is not None and robots is not None
    for path in ("pose", "camera/horizontal_fov", "camera/image/width", "camera/clip/near", "camera/visibility_mask"):
        assert own.findtext(path) == robots.findtext(path) is not None
    assert own.findtext("camera/triggered") == "true" and robots.find("camera/triggered") is None
    assert models[PHOTOGRAPHER].find(".//collision") is None and models[PHOTOGRAPHER].find(".//visual") is None


def test_robot_without_a_camera_has_none() -> None:
    robot = load_robot("ami_bot")
    blind = type(robot)(**{**vars(robot), "sensors": tuple(s for s in robot.sensors if s is not robot.camera)})
    with pytest.raises(AmiError, match="no camera"):
        photographer_model(blind)
