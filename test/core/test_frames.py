"""How a scanner is mounted, by transforms that never change."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from ami_ros.core.errors import AmiError
from ami_ros.core.frames import StaticFrames, mount_of
from ami_ros.core.scan import Mount, Scan

LEVEL = (0.0, 0.0, 0.0, 1.0)


def turned(roll: float = 0.0, pitch: float = 0.0, yaw: float = 0.0) -> tuple[float, ...]:
    return tuple(Rotation.from_euler("xyz", [roll, pitch, yaw]).as_quat())


def mount(quaternion: tuple[float, ...], translation: tuple[float, float, float] = (0.2, 0.1, 0.3)) -> Mount:
    frames = StaticFrames()
    frames.put("base_link", "laser", translation, quaternion)
    pose = frames.pose_of("laser", "base_link")
    assert pose is not None
    return mount_of(pose, "laser")


@pytest.mark.parametrize(
    ("quaternion", "yaw", "upside_down"),
    [
        (LEVEL, 0.0, False),
        (turned(yaw=1.5), 1.5, False),
        (turned(roll=np.pi), 0.0, True),
        (turned(roll=np.pi, yaw=-0.4), -0.4, True),
        (turned(pitch=0.1), 0.0, False),  # as level as brackets are
    ],
)
def test_mount_is_read_off_the_transform(quaternion: tuple[float, ...], yaw: float, upside_down: bool) -> None:
    found = mount(quaternion)
    assert found.upside_down is upside_down and found.yaw == pytest.approx(yaw, abs=1e-6)
    assert (found.x, found.y) == pytest.approx((0.2, 0.1))


def test_beams_point_where_the_transform_turns_them() -> None:
    """Every beam's direction by the mount is its direction in space, seen from above."""
    scan = Scan(np.ones(8, np.float32), -1.0, 0.3)
    for angles in ([0.0, 0.0, 2.0], [np.pi, 0.0, 0.7], [0.0, np.pi, 0.7]):
        rotation = Rotation.from_euler("xyz", angles)
        beams = np.column_stack([np.cos(scan.angles), np.sin(scan.angles), np.zeros(8)])
        seen = mount(tuple(rotation.as_quat())).in_base(scan)
        wanted = rotation.apply(beams)[:, :2]
        np.testing.assert_allclose(np.column_stack([np.cos(seen.angles), np.sin(seen.angles)]), wanted, atol=1e-6)
        assert seen.ranges is scan.ranges and seen.origin == pytest.approx((0.2, 0.1))


def test_transforms_are_joined_over_frames_between_and_over_a_common_parent() -> None:
    frames = StaticFrames()
    frames.put("mast", "laser", (0.0, 0.0, 0.5), turned(roll=np.pi))
    frames.put("/base_link", "mast", (0.2, 0.0, 0.0), turned(yaw=np.pi / 2))
    frames.put("base_footprint", "base_link", (0.0, 0.0, 0.1), LEVEL)
    frames.put("base_footprint", "bumper", (0.3, 0.0, 0.0), LEVEL)
    pose = frames.pose_of("laser", "base_link")
    assert pose is not None
    np.testing.assert_allclose(pose[:3, 3], [0.2, 0.0, 0.5], atol=1e-9)
    found = mount_of(pose, "laser")
    assert (found.x, found.y, found.yaw) == pytest.approx((0.2, 0.0, np.pi / 2)) and found.upside_down
    beside = frames.pose_of("bumper", "base_link")
    assert beside is not None
    np.testing.assert_allclose(beside[:3, 3], [0.3, 0.0, -0.1], atol=1e-9)


def test_frames_without_a_connection_have_no_pose_and_circles_end() -> None:
    frames = StaticFrames()
    frames.put("a", "b", (1.0, 0.0, 0.0), LEVEL)
    frames.put("b", "a", (1.0, 0.0, 0.0), LEVEL)
    assert frames.pose_of("laser", "base_link") is None
    assert frames.pose_of("a", "base_link") is None


@pytest.mark.parametrize("tilt", [{"pitch": 0.5}, {"roll": 1.57}, {"roll": np.pi, "pitch": 0.4}])
def test_a_tilted_scanner_is_refused(tilt: dict[str, float]) -> None:
    with pytest.raises(AmiError, match="'laser' is tilted by"):
        mount(turned(**tilt))


@pytest.mark.parametrize("quaternion", [(0.0, 0.0, 0.0, 0.0), (np.nan, 0.0, 0.0, 1.0)])
def test_a_transform_that_is_none_is_refused(quaternion: tuple[float, ...]) -> None:
    with pytest.raises(AmiError, match="'laser'"):
        StaticFrames().put("base_link", "laser", (0.0, 0.0, 0.0), quaternion)


def test_more_frames_than_any_robot_has_are_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ami_ros.core.frames.MAX_FRAMES", 3)
    frames = StaticFrames()
    for name in ("a", "b", "c", "a"):
        frames.put("base_link", name, (1.0, 0.0, 0.0), LEVEL)
    with pytest.raises(AmiError, match="more than 3 frames"):
        frames.put("base_link", "d", (1.0, 0.0, 0.0), LEVEL)
    assert frames.pose_of("c", "base_link") is not None and frames.pose_of("d", "base_link") is None
