"""The gate and a depth camera: what only that sees is not touched, and what it does not see is not driven over."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from ami_ros.core.camera import Camera, CameraMount
from ami_ros.core.commands import Command
from ami_ros.core.depth import Depth, DepthConfig, DepthScanner
from ami_ros.core.geometry import compose, relative
from ami_ros.core.scan import Mount, Scan
from ami_ros.safety.config import SafetyConfig
from ami_ros.safety.gate import SafetyGate
from harness.depth import Box, depth_picture

PERIOD = 0.2  # [s]
LENS = Camera(64, 40, (36.0, 36.0), (31.5, 19.5))  # 83 by 58 degrees
CONFIG = DepthConfig(beams=41, fov=80.0, max_height=0.4, range_min=0.3, mount=CameraMount(x=-0.05, z=0.25, pitch=0.1))
ROOM: list[Box] = [
    *((3.0, 3.1, -3.0, 3.0, 0.0, 2.0), (-3.1, -3.0, -3.0, 3.0, 0.0, 2.0)),
    *((-3.0, 3.0, 3.0, 3.1, 0.0, 2.0), (-3.0, 3.0, -3.1, -3.0, 0.0, 2.0)),
]
TABLE: Box = (1.2, 2.0, -0.6, 0.6, 0.30, 0.34)  # its legs are elsewhere, its top is higher than the laser
BOX: Box = (1.2, 1.4, -0.1, 0.1, 0.0, 0.1)  # lower than the laser, and under the camera's view when it is near
EDGE = 1.2  # [m] where both begin


class Drive:
    """A robot with a depth camera in a room, that does at once what the gate lets pass."""

    def __init__(self, things: list[Box], laser: bool) -> None:
        self.boxes, self.laser = [*ROOM, *things], laser
        self.scanner = DepthScanner(CONFIG, LENS)
        self.gate = SafetyGate(SafetyConfig(robot_radius=0.18), sources={"depth": 1.0} if laser else {})
        self.pose, self.now = np.zeros(3), 0.0
        self.velocity: Command = (0.0, 0.0)

    def seen(self) -> Depth:
        """The boxes turn round the robot: pictures are taken in base_link."""
        mount = self.scanner.config.mount
        at = compose(self.pose, np.array([mount.x, mount.y, mount.yaw]))
        return depth_picture(self.boxes, replace(mount, x=float(at[0]), y=float(at[1]), yaw=float(at[2])), LENS)

    def step(self, command: Command) -> Command:
        gate, now, mount = self.gate, self.now, self.scanner.config.mount
        assert not gate.odometry(self.pose.copy(), self.velocity, now)
        picture = self.seen()
        scan = Mount(mount.x, mount.y, mount.yaw).in_base(self.scanner.scan(picture))
        if self.laser:
            assert not gate.scan(self.walls(), now)
        if self.laser and gate._sources:
            assert not gate.observe("depth", self.scanner.points(picture), now, view=scan)
        elif not self.laser:
            gate.scan(scan, now)
        gate.command(command[0], command[1], now)
        self.velocity = gate.output(now).command[:2]
        self.pose = compose(self.pose, np.array([self.velocity[0] * PERIOD, 0.0, self.velocity[1] * PERIOD]))
        self.now += PERIOD
        return self.velocity

    def walls(self) -> Scan:
        """The laser sees the room alone."""
        angles = np.arange(72) * (2 * math.pi / 72)
        x, y, yaw = self.pose
        with np.errstate(divide="ignore"):
            c, s = np.cos(angles + yaw), np.sin(angles + yaw)
            ranges = np.minimum(np.where(c > 0, (3 - x) / c, (-3 - x) / c), np.where(s > 0, (3 - y) / s, (-3 - y) / s))
        return Scan(ranges.astype(np.float32), 0.0, 2 * math.pi / 72, max_range=8.0)

    def gap(self, box: Box) -> float:
        """Between the robot's outline and a box, seen from above [m]."""
        nearest = np.clip(self.pose[:2], [box[0], box[2]], [box[1], box[3]])
        return float(np.hypot(*(self.pose[:2] - nearest))) - 0.18


@pytest.mark.parametrize("laser", [True, False], ids=["beside a laser", "alone"])
@pytest.mark.parametrize("thing", [TABLE, BOX], ids=["table", "box"])
def test_gate_stands_before_what_only_depth_sees_and_goes_on_standing(thing: Box, laser: bool) -> None:
    drive = Drive([thing], laser)
    for _ in range(60):
        drive.step((0.3, 0.0))
    assert 0.0 < drive.gap(thing) < 0.5  # 12 s: it stands there, and has not forgotten why


def test_without_depth_the_same_drive_touches_the_table() -> None:
    """What the test above tells: the laser does not see it."""
    drive = Drive([TABLE], laser=True)
    drive.gate = SafetyGate(SafetyConfig(robot_radius=0.18))
    for _ in range(30):
        drive.step((0.3, 0.0))
    assert drive.gap(TABLE) < 0


def test_what_was_taken_away_is_gone_once_it_is_seen_from_farther_away() -> None:
    drive = Drive([TABLE], laser=True)
    for _ in range(30):
        drive.step((0.3, 0.0))
    drive.boxes.remove(TABLE)
    for _ in range(15):
        drive.step((-0.2, 0.0))
    for _ in range(30):
        drive.step((0.3, 0.0))
    assert drive.pose[0] > EDGE


def test_with_a_forward_camera_alone_it_backs_up_over_what_it_has_seen_and_no_farther() -> None:
    drive = Drive([], laser=False)
    for _ in range(8):
        drive.step((0.3, 0.0))
    turned = drive.pose[0]
    for _ in range(30):
        drive.step((-0.3, 0.0))
    assert 0.1 < turned - drive.pose[0] < turned + 0.05


def test_it_turns_on_the_spot_and_drives_only_where_it_looks() -> None:
    drive = Drive([], laser=False)
    for _ in range(5):
        drive.step((0.0, 0.0))
    for _ in range(12):
        drive.step((0.0, 0.6))
    assert drive.pose[2] == pytest.approx(12 * 0.6 * PERIOD, rel=0.1)
    assert drive.step((0.3, 0.0))[0] > 0


def test_a_camera_that_is_covered_stops_a_robot_without_a_laser() -> None:
    drive = Drive([], laser=False)
    for _ in range(5):
        drive.step((0.3, 0.0))
    assert drive.velocity[0] > 0
    covered = np.full((LENS.height, LENS.width), np.nan, np.float32)
    drive.seen = lambda: covered  # type: ignore[method-assign]
    for _ in range(10):
        drive.step((0.3, 0.0))
    assert drive.velocity == (0.0, 0.0)


def test_a_camera_that_is_covered_beside_a_laser_hides_nothing_that_it_has_shown() -> None:
    """Near a wall it measures nothing either, so the robot must go on; what it had seen stays."""
    drive = Drive([TABLE], laser=True)
    for _ in range(12):
        drive.step((0.3, 0.0))
    assert 0.3 < drive.gap(TABLE) < 0.8
    covered = np.full((LENS.height, LENS.width), np.nan, np.float32)
    drive.seen = lambda: covered  # type: ignore[method-assign]
    for _ in range(30):
        drive.step((0.3, 0.0))
    assert drive.gap(TABLE) > 0


def test_a_thing_beside_the_view_is_kept_for_a_while() -> None:
    """It turns away from the table and drives past it."""
    drive = Drive([TABLE], laser=True)
    for _ in range(30):
        drive.step((0.3, 0.0))
    for _ in range(10):
        drive.step((0.0, 1.2))
    here = relative(drive.pose, np.array([EDGE + 0.1, 0.0, 0.0]))
    shown = drive.gate._others.newest["depth"].points
    assert (np.hypot(*(shown - here[:2]).T) < 0.5).any()
