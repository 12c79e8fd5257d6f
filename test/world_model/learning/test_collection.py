"""What collected runs tell of the robot."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from ami_ros.core.robots.description import load_robot
from ami_ros.world_model.learning.bag_reader import BagReader
from ami_ros.world_model.learning.collection import CollectionConfig, record_run, run_folder
from ami_ros.world_model.learning.dataset_writer import recorded_rectifier

FIELD = math.radians(100.0)


@pytest.mark.parametrize("robot", ["ami_bot", "drawn:25"])
def test_a_run_tells_which_camera_took_its_pictures(robot: str, tmp_path: Path) -> None:
    """Pictures of a camera of 63 degrees were taken for those of one of 100."""
    record_run(tmp_path, CollectionConfig("empty", steps=2, robot=robot), 0, lambda: None)
    camera = load_robot(robot).camera
    assert camera is not None
    with BagReader(run_folder(tmp_path, 0)) as bag:
        rectifier = recorded_rectifier(bag, "/image/compressed", FIELD, math.radians(26.0))
    assert rectifier is not None
    assert rectifier.camera.focal == pytest.approx(camera.matrix[:2])
    assert rectifier.window.right == pytest.approx(min(camera.half_view[0], math.tan(FIELD / 2)), rel=0.06)
