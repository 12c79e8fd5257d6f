"""Depth pictures: what a message holds, and the scan that is made of it."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ami_ros.core.camera import Camera, CameraMount
from ami_ros.core.depth import DepthConfig, DepthScanner, depth_of
from ami_ros.core.errors import AmiError
from ami_ros.core.scan import Scan
from harness.depth import CAMERA, Box, depth_picture

MOUNT = CameraMount(x=0.1, z=0.25, pitch=0.1)
CONFIG = DepthConfig(beams=31, fov=60.0, max_height=0.4, range_min=0.2, mount=MOUNT)
WALL: Box = (2.0, 2.1, -9.0, 9.0, 0.0, 2.0)


def message(values: np.ndarray, encoding: str, big: bool = False, pad: int = 0) -> Any:
    rows = values.astype(values.dtype.newbyteorder(">" if big else "<"))
    data = np.frombuffer(rows.tobytes(), np.uint8).reshape(len(rows), -1)
    data = np.pad(data, ((0, 0), (0, pad)), constant_values=255)
    height, width = values.shape
    return SimpleNamespace(
        encoding=encoding, height=height, width=width, step=data.shape[1], is_bigendian=big, data=data.ravel()
    )


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("pad", [0, 6])
def test_depth_is_metres_whatever_the_encoding_and_zero_is_no_measurement(big: bool, pad: int) -> None:
    millimetres = np.array([[0, 1, 1500], [65535, 300, 0]], np.uint16)
    wanted = np.array([[np.nan, 0.001, 1.5], [65.535, 0.3, np.nan]], np.float32)
    np.testing.assert_allclose(depth_of(message(millimetres, "16UC1", big, pad)), wanted)
    metres = np.array([[0.0, np.nan, 1.5], [np.inf, -np.inf, -1.0]], np.float32)
    wanted = np.array([[np.nan, np.nan, 1.5], [np.inf, np.nan, np.nan]], np.float32)
    np.testing.assert_allclose(depth_of(message(metres, "32FC1", big, 2 * pad)), wanted)


@pytest.mark.parametrize("encoding", ["rgb8", "mono8", "64FC1", "16SC1", ""])
def test_another_encoding_is_refused_in_one_line(encoding: str) -> None:
    with pytest.raises(AmiError, match=r"depth encoding '.*' is not 16UC1") as refused:
        depth_of(message(np.zeros((2, 2), np.uint16), encoding))
    assert "\n" not in str(refused.value)


def test_a_picture_that_is_shorter_than_it_says_is_refused() -> None:
    short = message(np.zeros((4, 4), np.uint16), "16UC1")
    short.data = short.data[:-1]
    with pytest.raises(AmiError, match="do not hold 4x4"):
        depth_of(short)
    for size in ({"height": 0}, {"width": 100_000, "height": 100_000}):
        with pytest.raises(AmiError, match="refused"):
            depth_of(SimpleNamespace(**(vars(short) | size)))
    with pytest.raises(AmiError, match="'compressed'"):
        depth_of(SimpleNamespace(format="png", data=b""))


def scan(boxes: list[Box], mount: CameraMount = MOUNT, told: DepthConfig = CONFIG, **picture: Any) -> Scan:
    """What the scanner makes of boxes, the camera being at `mount`, and told to be where `told` says."""
    return DepthScanner(told, CAMERA).scan(depth_picture(boxes, mount, **picture))


def test_a_scan_reads_the_wall_along_the_floor_in_every_beam() -> None:
    seen = scan([WALL])
    np.testing.assert_allclose(seen.ranges, 1.9 / np.cos(seen.angles), rtol=0.02)
    assert seen.angle_increment == pytest.approx(math.radians(2.0)) and seen.max_range == CONFIG.scan_max


@pytest.mark.parametrize(("pitch", "roll", "yaw"), [(0.0, 0.0, 0.0), (0.3, 0.0, 0.0), (0.1, 0.1, 0.0), (0.1, 0.0, 1.2)])
def test_the_floor_is_taken_out_however_the_camera_is_mounted(pitch: float, roll: float, yaw: float) -> None:
    mount = replace(MOUNT, pitch=pitch, roll=roll, yaw=yaw)
    around: Box = (-9.0, 9.0, -9.0, 9.0, 1.0, 2.0)  # only a ceiling, which is above the robot
    seen = scan([around], mount, replace(CONFIG, mount=mount, scan_max=1.5))
    assert np.isinf(seen.ranges).mean() > 0.9 and not np.isfinite(seen.ranges).any()


def test_what_is_not_measured_is_unknown_and_never_free() -> None:
    scanner = DepthScanner(CONFIG, CAMERA)
    for nothing in (np.full((120, 160), np.nan, np.float32), np.full((120, 160), 0.1, np.float32)):
        assert np.isnan(scanner.scan(nothing).ranges).all()
    # The floor alone says that it is free as far as it is seen from heights that matter, not farther.
    near = depth_picture([], MOUNT)
    near[near > 1.0] = np.nan
    assert np.isnan(scanner.scan(near).ranges).all()
    # A hole: a black box that returns nothing, before a wall that is seen above it.
    picture = depth_picture([WALL], MOUNT)
    picture[48:, 60:100] = np.nan
    holed = scanner.scan(picture)
    assert np.isnan(holed.ranges[13:18]).all() and np.isfinite(holed.ranges[:8]).all()


def test_beams_beside_the_picture_are_unknown() -> None:
    seen = scan([WALL], told=replace(CONFIG, fov=120.0, beams=61))
    assert np.isnan(seen.ranges[[0, -1]]).all() and np.isfinite(seen.ranges[25:35]).all()


@pytest.mark.parametrize(
    ("box", "wanted"),
    [
        ((1.0, 1.1, -0.1, 0.1, 0.0, 0.08), 0.9),  # low, and higher than the floor's slack
        ((1.0, 2.0, -0.5, 0.5, 0.30, 0.33), 0.9),  # the edge of a table
        ((1.0, 1.1, -0.1, 0.1, 0.0, 0.03), 1.9),  # a threshold that it drives over
        ((1.0, 1.1, -0.5, 0.5, 0.45, 0.5), 1.9),  # above the robot
    ],
)
def test_things_count_at_the_robots_heights(box: Box, wanted: float) -> None:
    assert scan([WALL, box]).ranges[15] == pytest.approx(wanted, abs=0.03)


def test_a_floor_that_is_missing_is_an_obstacle() -> None:
    """Down the stairs: behind x = 1.2 the floor is 0.5 m lower."""
    lower = depth_picture([(-9.0, 9.0, -9.0, 9.0, -0.6, -0.5), (4.0, 4.1, -9.0, 9.0, -0.5, 3.0)], MOUNT, floor=False)
    floor = depth_picture([(-9.0, 1.2, -9.0, 9.0, -0.1, 0.0)], MOUNT, floor=False)
    picture = np.where(np.isnan(floor), lower, floor)
    assert DepthScanner(CONFIG, CAMERA).scan(picture).ranges[15] == pytest.approx(1.1, abs=0.15)


def test_single_pixels_are_speckle() -> None:
    picture = depth_picture([WALL], MOUNT)
    picture[60, 80] = 0.5
    assert DepthScanner(CONFIG, CAMERA).scan(picture).ranges[15] == pytest.approx(1.9, abs=0.03)


@pytest.mark.parametrize(("degrees", "near"), [(0.5, 1.85), (-0.5, 1.85), (3.0, 1.6), (-3.0, 1.6)])
def test_a_mount_that_is_wrong_by_degrees_makes_the_robot_stand_before_the_floor_and_never_hides_it(
    degrees: float, near: float
) -> None:
    """Half a degree changes nothing. Three degrees either way turn the floor into something that stands or is missing
    from 1.4 m on: the robot stops too early, and does not overlook anything."""
    tilted = scan([WALL], replace(MOUNT, pitch=MOUNT.pitch + math.radians(degrees))).ranges[15]
    assert 0.5 < tilted < 1.95 and (tilted > near) == (abs(degrees) < 1)
    box: Box = (0.7, 0.8, -0.2, 0.2, 0.0, 0.15)
    assert scan([WALL, box], replace(MOUNT, pitch=MOUNT.pitch + math.radians(degrees))).ranges[15] < 0.65


def test_a_picture_tells_by_how_much_the_mount_is_wrong() -> None:
    scanner = DepthScanner(CONFIG, CAMERA)
    floor = scanner.floor(depth_picture([WALL], replace(MOUNT, pitch=MOUNT.pitch + 0.05, z=MOUNT.z + 0.02)))
    assert floor is not None and floor.tilt == pytest.approx(0.05, abs=0.015)
    assert floor.height == pytest.approx(-0.02, abs=0.01)
    assert scanner.floor(np.full((120, 160), np.nan, np.float32)) is None


def test_it_says_up_to_where_it_passes_over_low_things() -> None:
    """A low thing that it does not see any more is nearer than that."""
    blind = scan([WALL]).blind
    at = np.arange(0.25, 0.6, 0.02)
    seen = [scan([WALL, (x + 0.1, x + 0.15, -0.02, 0.02, 0.0, 0.06)]).ranges[15] < x + 0.05 for x in at]
    assert 0.3 < blind < 0.8 and all(seen[i] for i in np.flatnonzero(at > blind))
    assert not all(seen)


def test_a_smaller_picture_of_the_same_camera_will_do_and_one_of_another_is_refused() -> None:
    big = Camera(320, 240, (240.0, 240.0), (159.5, 119.5))
    whole = DepthScanner(CONFIG, big).scan(depth_picture([WALL], MOUNT))
    np.testing.assert_allclose(whole.ranges, scan([WALL]).ranges, atol=0.02)
    with pytest.raises(AmiError, match="are not of the camera_info"):
        DepthScanner(CONFIG, CAMERA).scan(np.ones((120, 120), np.float32))
    with pytest.raises(AmiError, match="no usable camera_info"):
        DepthScanner(CONFIG).scan(np.ones((120, 160), np.float32))
