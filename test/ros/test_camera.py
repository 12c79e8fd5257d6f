"""What nodes make of camera_info and of the pictures that belong to it."""

from __future__ import annotations

import array
import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from ami_ros.core.camera import camera_of
from ami_ros.core.errors import AmiError
from ami_ros.core.images import encode_png
from ami_ros.ros.messages.conversions import compressed_message
from ami_ros.ros.models import CalibratedCamera
from ami_ros.world_model.spec import InputSpec

INPUTS = InputSpec(field_of_view=math.radians(80.0))


def info(model: str = "plumb_bob", d: tuple[float, ...] = (0.0,) * 5, fx: float = 110.0, **values: Any) -> CameraInfo:
    return CameraInfo(**{"width": 320, "height": 240, "distortion_model": model, "d": array.array("d", d)} | values,
                      k=[fx, 0.0, 159.5, 0.0, fx, 119.5, 0.0, 0.0, 1.0])  # fmt: skip


class Subscriber:
    """A node, as far as a camera needs one."""

    def __init__(self) -> None:
        self.topics: list[str] = []

    def subscribe(self, message_type: type, topic: str, callback: Any, always: bool = False) -> None:
        self.topics.append(topic)


def camera_for(inputs: InputSpec = INPUTS, compressed: bool = False) -> tuple[CalibratedCamera, Subscriber]:
    node: Any = Subscriber()
    camera = CalibratedCamera(inputs, compressed)
    camera.follow(node)
    return camera, node


PICTURE = np.zeros((240, 320, 3), np.uint8)


@pytest.mark.parametrize("compressed", [False, True])
def test_pictures_are_brought_to_the_models_camera_once_the_robots_is_known(compressed: bool) -> None:
    camera, node = camera_for(compressed=compressed)
    assert node.topics == ["camera_info"]
    assert camera.message_type is (CompressedImage if compressed else Image)
    message = compressed_message(encode_png(PICTURE), "png")
    assert camera.picture(message).shape == (240, 320, 3)
    camera.take_info(info())
    side = 2 * 110.0 * math.tan(math.radians(40.0))
    assert camera.picture(message).shape == (round(side), round(side), 3)


def test_a_camera_that_does_not_fit_is_told_of_with_every_picture_until_it_is_another() -> None:
    camera, _ = camera_for()
    camera.take_info(info(fx=400.0))
    for _ in range(2):
        with pytest.raises(AmiError, match="sees less"):
            camera.picture(compressed_message(encode_png(PICTURE), "png"))
    camera.take_info(info())
    assert camera.picture(compressed_message(encode_png(PICTURE), "png")).shape[0] != 240


def test_a_narrow_camera_is_black_around_what_it_sees_for_a_model_that_has_learned_such() -> None:
    inputs, pairs = InputSpec(field_of_view=math.radians(80.0), narrowest=math.radians(30.0)), SimpleNamespace()
    camera = CalibratedCamera(inputs, lookers=[pairs])
    camera.take_info(info(fx=400.0))
    assert pairs.window == pytest.approx((-160 / 400, -120 / 400, 160 / 400, 120 / 400), rel=0.05)
    bright = camera.picture(compressed_message(encode_png(PICTURE + 200), "png"))
    assert bright[0].max() == 0 and bright[len(bright) // 2, len(bright) // 2].min() == 200


def test_a_model_that_does_not_know_its_camera_takes_pictures_as_they_are() -> None:
    assert (
        not camera_for(InputSpec())[1].topics and not camera_for(InputSpec(image_size=0, field_of_view=1.0))[1].topics
    )


def test_a_camera_that_is_not_calibrated_changes_nothing() -> None:
    assert camera_of(info(fx=0.0)) is None
    camera, _ = camera_for()
    camera.take_info(CameraInfo(width=320, height=240))
    assert camera.picture(compressed_message(encode_png(PICTURE), "png")).shape == (240, 320, 3)


@pytest.mark.parametrize(
    "message",
    [
        info("nobody's", ()),
        info("plumb_bob", (0.1, 0.1)),
        info("equidistant", (0.1,) * 5),
        info(fx=math.nan),
        info(fx=-1.0),
        info(d=(math.inf, 0.0, 0.0, 0.0, 0.0)),
        info(width=0),
    ],
)
def test_nonsense_is_refused(message: CameraInfo) -> None:
    with pytest.raises(AmiError, match="camera_info"):
        camera_of(message)


@pytest.mark.parametrize("model", ["plumb_bob", "rational_polynomial", "equidistant"])
def test_every_lens_is_understood(model: str) -> None:
    count = {"plumb_bob": 5, "rational_polynomial": 8, "equidistant": 4}[model]
    camera = camera_of(info(model, (0.01,) * count))
    assert camera is not None and camera.fisheye == (model == "equidistant") and len(camera.distortion) == count
    assert np.allclose(camera.pixels(np.zeros((1, 2))), [[159.5, 119.5]])
