"""Pictures that commands write: the film of a recorded drive, and a world with views from marked places."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, compose, inverse, relative, transform_points
from ami_ros.core.images import image_of
from ami_ros.core.installation import need
from ami_ros.core.robots.description import default_robot
from ami_ros.core.scan import Scan, scan_points
from ami_ros.ros.messages.conversions import pose_from_message
from ami_ros.world_model.learning.bag_reader import BagReader

if TYPE_CHECKING:
    from ami_ros.simulation.free_space import FreeSpace

Picture = NDArray[np.uint8]
NIGHT, FLOOR, WALL, FOG = (24, 26, 31), (226, 229, 233), (58, 63, 72), (38, 41, 48)  # RGB
WAY, PLACE, PLAN, LASER, ROBOT, INK = (
    (90, 150, 255), (60, 120, 230), (255, 160, 0), (235, 60, 60), (20, 70, 200), (225, 228, 232),
)  # fmt: skip


class Film:
    """A recording, as pictures.

    Args:
        bag: folder of the recording.
        count: of the pictures, evenly over its time.
        width: of a picture [px]; its height is 5/8 of that.

    Attributes:
        duration: of the recording [s].

    Raises:
        AmiError: it cannot be read, or has no odometry or no scans.
    """

    def __init__(self, bag: Path, count: int, width: int) -> None:
        self.count, self._size = count, (width, width * 5 // 8)
        self._moments: list[tuple[float, str, Any]] = []
        with BagReader(bag) as reader:
            known = "odom scan location image place_graph plan planner/decision mission/decision"
            names = {f"/{name}" for name in known.split()}
            for topic, time, data in reader.messages(names):
                self._moments.append((time * 1e-9, topic[1:], reader.decode(topic, data)))
        if missing := {"odom", "scan"} - {topic for _, topic, _ in self._moments}:
            raise AmiError(f"film: {bag} has no {' and no '.join(sorted(missing))}; record the robot with ami record")
        self.duration = self._moments[-1][0] - self._moments[0][0]
        self._odometry = np.zeros(3)
        self._odom = np.zeros(3)  # pose of odom in the map
        self._drawn: Array | None = None  # (3,) where the newest scan on the map was taken
        self._lost = any(topic == "location" for _, topic, _ in self._moments)  # nothing is drawn before it is known
        self._way: list[Array] = []
        self._seen_floor: list[tuple[Array, Array]] = []  # of each scan on the map: around what is free, what it met
        self._points = self._plan = self._places = np.zeros((0, 2))
        self._seen: Picture | None = None
        self._words = ""

    def pictures(self, report: Callable[[int, int], None]) -> Iterator[Picture]:
        """One after the other (height, width, 3) RGB; all show the same part of the floor."""
        first, done = self._moments[0][0], 0
        bounds = self._bounds()
        for time, topic, message in self._moments:
            while time >= first + (done + 1) * self.duration / self.count and done < self.count - 1:
                done += 1
                report(done, self.count)
                yield self._picture(bounds)
            self._take(topic, message)
        report(self.count, self.count)
        yield self._picture(bounds)

    def _bounds(self) -> tuple[Array, Array]:
        """Corners (2,) of what all scans together show, where the robot then believed to be."""
        low, high, lost = np.full(2, np.inf), np.full(2, -np.inf), self._lost
        for _, topic, message in self._moments:
            if topic in ("odom", "location", "scan"):
                self._take(topic, message)
                if topic == "scan" and not self._lost:
                    ends = np.concatenate([transform_points(self._pose, self._points), self._pose[None, :2]])
                    low, high = np.minimum(low, ends.min(0)), np.maximum(high, ends.max(0))
        if not np.isfinite(low).all():
            raise AmiError("film: the robot never knew where it was in this recording")
        self._drawn, self._way, self._seen_floor, self._lost = None, [], [], lost
        return low - 0.6, high + 0.6  # [m] around what was seen

    @property
    def _pose(self) -> Array:
        return compose(self._odom, self._odometry)

    def _take(self, topic: str, message: Any) -> None:
        if topic == "odom":
            self._odometry = pose_from_message(message.pose.pose)
        elif topic == "location" and message.localised:
            self._lost = False
            self._odom = compose(pose_from_message(message.pose), inverse(pose_from_message(message.odom_pose)))
        elif topic == "scan":
            self._scan(message)
        elif topic == "image":
            self._seen = image_of(message)
        elif topic == "place_graph":
            self._places = np.column_stack([message.x, message.y])
        elif topic == "plan":
            poses = [[p.pose.position.x, p.pose.position.y] for p in message.poses]
            self._plan = np.array(poses, np.float64).reshape(-1, 2)
        elif topic.endswith("decision"):
            self._words = message.data

    def _scan(self, message: Any) -> None:
        """Taken to sit in the middle of the robot; one without beams shows nothing."""
        if not len(message.ranges):
            return
        ranges = np.array(message.ranges, np.float32)
        ranges[ranges < message.range_min] = np.nan
        scan = Scan(ranges, message.angle_min, message.angle_increment, max_range=message.range_max)
        sight = 5.0  # [m] of a scan that is shown
        self._points, pose = scan_points(scan, sight), self._pose
        if not self._lost and (self._drawn is None or np.abs(relative(self._drawn, pose)).max() > 0.1):
            reach = np.minimum(np.where(np.isnan(ranges), 0.0, ranges), sight)
            edge = np.column_stack([np.cos(scan.angles), np.sin(scan.angles)]) * reach[:, None]
            self._seen_floor.append((transform_points(pose, edge), transform_points(pose, self._points)))
            self._way.append(pose[:2])
            self._drawn = pose

    def _picture(self, bounds: tuple[Array, Array]) -> Picture:
        """Left the floor, right above what the camera sees, below it what the robot says."""
        width, height = self._size
        strip = 56 * width // 640  # [px] for words
        picture = np.full((height, width, 3), NIGHT, np.uint8)
        floor = self._floor(bounds, (width * 2 // 3, height - strip - 16))
        picture[8 : 8 + floor.shape[0], 8 : 8 + floor.shape[1]] = floor
        side = min(width - floor.shape[1] - 24, height - strip - 16)
        if self._seen is not None:
            left = floor.shape[1] + 16 + (width - floor.shape[1] - 24 - side) // 2
            high, wide = self._seen.shape[:2]
            least = min(high, wide)
            top, cut = (high - least) // 2, (wide - least) // 2
            middle = self._seen[top : top + least, cut : cut + least]
            picture[8 : 8 + side, left : left + side] = cv2.resize(middle, (side, side))
        for k, line in enumerate(wrap(self._words, width // 8, break_on_hyphens=False)[:2]):
            at = (10, height - strip + (20 + 20 * k) * width // 640)
            cv2.putText(picture, line, at, cv2.FONT_HERSHEY_SIMPLEX, 0.45 * width / 640, INK, 1, cv2.LINE_AA)
        return picture

    def _floor(self, bounds: tuple[Array, Array], room: tuple[int, int]) -> Picture:
        """What is known of the floor, as large as fits in `room` (width, height) [px]."""
        low, high = bounds
        scale = min(room / (high - low))
        width, height = (int(n) for n in (high - low) * scale)

        def at(points: Array) -> NDArray[np.int32]:
            x, y = ((np.asarray(points, np.float64).reshape(-1, 2) - low) * scale).T
            return np.round(np.column_stack([x, height - y])).astype(np.int32)

        picture = np.full((height, width, 3), FOG, np.uint8)
        for edge, _ in self._seen_floor:
            cv2.fillPoly(picture, [at(edge)], FLOOR)
        walls = np.zeros((height, width), np.uint16)
        for _, met in self._seen_floor:
            column, row = np.clip(at(met).T, 0, [[width - 1], [height - 1]])
            walls[row, column] += 1
        walls = cv2.dilate(walls, np.ones((2, 2), np.uint8))
        picture[walls >= 2] = WALL  # what two scans met
        for place in at(self._places):
            cv2.circle(picture, place.tolist(), 2, PLACE, -1, cv2.LINE_AA)
        cv2.polylines(picture, [at(np.array(self._way))], False, WAY, 1, cv2.LINE_AA)
        for point in at(transform_points(self._pose, self._points)):
            cv2.circle(picture, point.tolist(), 1, LASER, -1)
        if len(self._plan):
            cv2.polylines(picture, [at(transform_points(self._odom, self._plan))], False, PLAN, 2, cv2.LINE_AA)
        outline = np.array([[0.24, 0.0], [-0.16, 0.14], [-0.16, -0.14]])
        cv2.fillPoly(picture, [at(transform_points(self._pose, outline))], ROBOT, cv2.LINE_AA)
        return picture


def write_gif(out: Path, pictures: Iterator[Picture], rate: float) -> None:
    """Writes them, `rate` a second, over and over, with few colours.

    Raises:
        AmiError: it cannot be written.
    """
    image = need("PIL.Image", "report")
    frames = [image.fromarray(picture) for picture in pictures]
    colours = np.array([NIGHT, FLOOR, WALL, FOG, WAY, PLACE, PLAN, LASER, ROBOT, INK], np.uint8)
    swatches = cv2.resize(colours[None], (160, 40), interpolation=cv2.INTER_NEAREST)
    shown = [cv2.resize(np.asarray(frame), (160, 100)) for frame in frames[:: max(1, len(frames) // 8)]]
    sheet = np.concatenate([swatches, *shown])
    palette = image.fromarray(sheet).quantize(96)
    small = [frame.quantize(palette=palette, dither=image.Dither.NONE) for frame in frames]
    try:
        small[0].save(out, save_all=True, append_images=small[1:], duration=round(1000 / rate), loop=0, optimize=True)
    except OSError as error:
        raise AmiError(f"film: cannot write {out}: {error.strerror or error}") from error


def draw_world(path: Path, space: FreeSpace, views: int, seed: int) -> None:
    """Writes a PNG of a world: its plan from above, and below it `views` from poses drawn by `seed`, in rows.

    Raises AmiError: it cannot be written, or there is no OpenGL.
    """
    from ami_ros.simulation.mjcf import draw_top_view
    from ami_ros.simulation.simulator import Simulator

    rng, world = np.random.default_rng(seed), space.world
    poses = [_pose(space, rng) for _ in range(views)]
    top = draw_top_view(world, 900 / max(world.size))  # [px] of the longer side
    plan = np.ascontiguousarray(top.image)
    robot = default_robot()
    camera = robot.camera
    assert camera is not None and camera.mount is not None
    mount = replace(camera.mount, z=0.45, pitch=0.0)  # a camera for people
    simulator = Simulator(world, robot.with_sensor(camera.name, width=320, height=240, fov=85.0, mount=mount), seed)
    pictures = []
    for number, pose in enumerate(poses, 1):
        column, row = (int(v) for v in top.to_pixels(pose))
        tip = (int(column + 18 * math.cos(pose[2])), int(row - 18 * math.sin(pose[2])))
        cv2.arrowedLine(plan, (column, row), tip, (220, 40, 40), 2, cv2.LINE_AA, tipLength=0.4)
        picture = simulator.photograph(pose)
        for image, place in ((plan, (column + 6, row - 6)), (picture, (6, 18))):
            cv2.putText(image, str(number), place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (220, 40, 40), 2, cv2.LINE_AA)
        pictures.append(picture)
    simulator.close()
    rows = [plan, *(np.concatenate(pictures[i : i + 4], axis=1) for i in range(0, len(pictures), 4))]
    width = max(row.shape[1] for row in rows)
    sheet = [np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0)), constant_values=255) for row in rows]
    if not cv2.imwrite(str(path), cv2.cvtColor(np.concatenate(sheet), cv2.COLOR_RGB2BGR)):
        raise AmiError(f"cannot write {path}: is its folder there, and does its name end in .png?")


def _pose(space: FreeSpace, rng: np.random.Generator) -> Array:
    """Somewhere free, rather with a metre of room ahead."""
    for _ in range(20):
        pose = space.sample_pose(rng)
        if space.plan.cast(pose[:2], [pose[2]])[0] > 1.0:
            break
    return pose
