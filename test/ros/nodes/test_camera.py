"""Cameras of other kinds: compressed pictures, and lenses that are not those of the model's camera."""

from __future__ import annotations

import array
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, LaserScan

from ami_interfaces.msg import Latent
from ami_ros.core.camera import CameraMount, Rectifier, camera_of
from ami_ros.core.images import encode_png
from ami_ros.core.installation import share
from ami_ros.ros.messages.conversions import compressed_message, header_at, image_to_message
from ami_ros.ros.node.qos import SENSOR
from ami_ros.ros.nodes.perception import PerceptionNode
from ami_ros.world_model.by_torch import on_arrays
from ami_ros.world_model.perception import Perception
from ami_ros.world_model.picture_scan import load_picture_scan
from ami_ros.world_model.spec import InputSpec, ModelSpec
from ami_ros.world_model.torch_model import WorldModel, load_model, save_model
from harness.ros import RosPeer

PICTURE = np.random.default_rng(3).integers(0, 255, (6, 8, 3), np.uint8).repeat(20, 0).repeat(20, 1)
FIELD = 1.2  # of the model's camera [rad]


class Robot:
    """A camera whose lens bends, and perception behind it."""

    def __init__(
        self,
        ros: RosPeer,
        folder: Path,
        compressed: bool,
        narrowest: float = 0.0,
        picture_scan: dict[str, Any] | None = None,
        field: float = FIELD,
        **mount: float,
    ) -> None:
        self.ros, self.compressed = ros, compressed
        inputs = InputSpec(image_size=16, scan_beams=0, field_of_view=field, narrowest=narrowest)
        spec = ModelSpec(inputs, latent_dim=4, encoder_width=16, pair_size=16 * bool(narrowest))
        save_model(folder, "small", WorldModel(spec))
        self.model = load_model(folder).model
        self.latents = ros.collect(Latent, "latent", SENSOR)
        self._images = ros.node.create_publisher(CompressedImage if compressed else Image, "image", 5)
        self._infos = ros.node.create_publisher(CameraInfo, "camera_info", 5)
        values: dict[str, Any] = {f"camera__{k}": v for k, v in mount.items()}
        values |= {f"picture_scan__{k}": v for k, v in (picture_scan or {}).items()}
        ros.start(PerceptionNode, model=str(folder), compressed=compressed, **values)
        ros.spin_until(lambda: self._images.get_subscription_count() and self._infos.get_subscription_count())

    def show(self, info: CameraInfo, until: Callable[[], Any], what: str) -> None:
        """Publishes picture and camera_info until something happens."""

        def publish() -> bool:
            self._infos.publish(info)
            for _ in range(3):
                self.ros.spin_once()
            header = header_at(self.ros.node.get_clock().now().to_msg(), "camera_optical_frame")
            message: Any = image_to_message(PICTURE, header)
            if self.compressed:
                message = compressed_message(encode_png(PICTURE), "png")
                message.header = header
            self._images.publish(message)
            return bool(until())

        self.ros.spin_until(publish, 60.0, what)


def info(focal: float) -> CameraInfo:
    lens = array.array("d", [-0.2, 0.03, 0.0, 0.0, 0.0])
    k = [focal, 0.0, 79.5, 0.0, focal, 59.5, 0.0, 0.0, 1.0]
    return CameraInfo(width=160, height=120, distortion_model="plumb_bob", d=lens, k=k)


@pytest.mark.parametrize("compressed", [False, True], ids=["raw", "compressed"])
def test_the_latent_is_that_of_the_picture_which_the_models_camera_would_take(
    ros: RosPeer, tmp_path: Path, compressed: bool
) -> None:
    robot, told = Robot(ros, tmp_path, compressed), info(70.0)
    camera = camera_of(told)
    assert camera is not None
    perception = Perception(robot.model)
    wanted = perception.encode(Rectifier(camera, FIELD)(PICTURE), None)
    assert not np.allclose(wanted, perception.encode(PICTURE, None), atol=1e-3)
    robot.show(told, lambda: robot.latents and np.allclose(robot.latents[-1].data, wanted, atol=1e-5), "that latent")


def test_of_a_narrow_camera_the_middle_is_compared_by_where_it_sits(ros: RosPeer, tmp_path: Path) -> None:
    robot, told = Robot(ros, tmp_path, False, narrowest=0.3, z=0.2, pitch=0.1), info(220.0)
    camera = camera_of(told)
    pairs = on_arrays(robot.model).pairs
    assert camera is not None and pairs is not None
    rectifier, perception = Rectifier(camera, FIELD, 0.3), Perception(robot.model)
    codes = list[Any]()
    for mount in (CameraMount(), CameraMount(z=0.2, pitch=0.1)):
        pairs.mount, pairs.window = mount, rectifier.window
        codes.append(perception.encode_picture(rectifier(PICTURE)))
    level, wanted = codes
    assert pairs.share < 0.9 and not np.allclose(level, wanted, atol=1e-3)
    robot.show(told, lambda: robot.latents and _alike(robot.latents[-1].picture, wanted), "that code")


def test_a_robot_without_a_laser_has_scans_of_its_pictures(ros: RosPeer, tmp_path: Path) -> None:
    scans = ros.collect(LaserScan, "scan", SENSOR)
    shape: dict[str, Any] = {"beams": 31, "fov": 60.0, "range_max": 3.0, "frame": "camera_level"}
    field = math.radians(100.0)  # of the cameras that the network has learned from
    robot = Robot(ros, tmp_path, False, picture_scan=shape, field=field, z=0.2, pitch=0.1)
    header = header_at(ros.node.get_clock().now().to_msg(), "")
    robot.show(info(45.0), lambda: len(scans) > 2 and robot.latents, "scans and latents")
    camera = camera_of(info(45.0))
    assert camera is not None
    rectifier, pictures = Rectifier(camera, field), load_picture_scan(share("models", "ranges"), field)
    pictures.mount, pictures.window = CameraMount(z=0.2, pitch=0.1), rectifier.window
    wanted = pictures.scan(rectifier(PICTURE), 31, np.radians(60.0), 3.0)
    scan = scans[-1]
    assert scan.header.frame_id == "camera_level" and scan.header.stamp.sec >= header.stamp.sec
    np.testing.assert_allclose(scan.ranges, wanted.ranges, rtol=1e-3)
    assert (scan.range_min, scan.range_max) == (pytest.approx(0.12), 3.0)


def _alike(code: Any, wanted: Any) -> bool:
    return len(code) == len(wanted) and np.allclose(code, wanted, atol=1e-4)
