"""Images with the scan and heading of their moment, at a rate that the model needs."""

from __future__ import annotations

import numpy as np
import pytest

from ami_ros.core.errors import AmiError
from ami_ros.core.scan import Scan
from ami_ros.runtime.perception import FreshnessConfig, Synchroniser
from ami_ros.world_model.spec import InputSpec

SCAN = Scan(np.ones(8, np.float32), 0.0, np.pi / 4)


def image(number: int) -> np.ndarray:
    return np.full((4, 4, 3), number % 256, np.uint8)


def synchroniser(inputs: InputSpec | None = None, max_rate: float = 15.0) -> Synchroniser:
    return Synchroniser(inputs or InputSpec(), FreshnessConfig(), 0.25, max_rate)


def test_a_frame_has_the_newest_scan() -> None:
    made = synchroniser()
    assert made.take_scan(0.9, SCAN, 1.0) is None
    frame = made.take_image(1.0, image(1), 1.0)
    assert frame is not None and frame.scan is SCAN and frame.stamp == 1.0


@pytest.mark.parametrize(("scan", "words"), [(0.5, "'scan'.*0.50 s older"), (None, "'scan'.*never")])
def test_an_image_without_what_belongs_to_it_is_refused(scan: float | None, words: str) -> None:
    made = synchroniser()
    if scan is not None:
        made.take_scan(scan, SCAN, 1.0)
    with pytest.raises(AmiError, match=words):
        made.take_image(1.0, image(1), 1.0)


@pytest.mark.parametrize(("rate", "expected"), [(5, 5), (10, 10), (15, 15), (25, 12.5), (30, 15), (60, 15)])
def test_faster_cameras_make_no_more_frames_than_wanted(rate: int, expected: float) -> None:
    made, frames = synchroniser(InputSpec(scan_beams=0)), 0
    for k in range(10 * rate):
        frames += made.take_image(k / rate, image(k), k / rate) is not None
    assert frames / 10 == pytest.approx(expected, rel=0.05)


def test_a_model_without_a_camera_gets_its_frames_by_the_scan() -> None:
    made = synchroniser(InputSpec(image_size=0))
    frame = made.take_scan(1.0, SCAN, 1.0)
    assert frame is not None and frame.image is None and frame.scan is SCAN


def test_equal_images_while_the_robot_moves_mean_a_frozen_camera() -> None:
    made = synchroniser(InputSpec(scan_beams=0))
    with pytest.raises(AmiError, match="frozen"):
        for k in range(40):
            made.take_velocity(k / 10, (0.3, 0.0))
            made.take_image(k / 10, image(1), k / 10)


def test_an_odometry_that_stopped_does_not_make_a_standing_camera_a_frozen_one() -> None:
    made = synchroniser(InputSpec(scan_beams=0))
    for k in range(10):
        made.take_velocity(k / 10, (0.3, 0.0))
        made.take_image(k / 10, image(k), k / 10)
    for k in range(10, 100):  # nothing is heard of the wheels, and the robot stands
        made.take_image(k / 10, image(1), k / 10)
