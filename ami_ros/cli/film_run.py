"""What `ami film` does: a recording -> pictures of what the robot knew at each moment -> a GIF."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, compose, inverse, relative, transform_points
from ami_ros.core.images import image_of
from ami_ros.core.installation import need
from ami_ros.core.scan import Scan, scan_points
from ami_ros.ros.messages.conversions import pose_from_message
from ami_ros.world_model.learning.bag_reader import BagReader

Picture = NDArray[np.uint8]
TOPICS = (
    "odom", "scan", "location", "image", "place_graph", "plan", "planner/decision", "mission/decision",
)  # fmt: skip
DRAWN = 0.1  # [m] or [rad] of motion between two scans that are drawn into the map
SIGHT = 5.0  # [m] of a scan that is shown
SURE = 2  # scans that met something at a spot, until it is a wall
BORDER = 0.6  # [m] around what was seen
NIGHT, FLOOR, WALL, FOG = (24, 26, 31), (226, 229, 233), (58, 63, 72), (38, 41, 48)  # RGB
WAY, PLACE, PLAN, LASER, ROBOT, INK = (
    (90, 150, 255), (60, 120, 230), (255, 160, 0), (235, 60, 60), (20, 70, 200), (225, 228, 232),
)  # fmt: skip
COLOURS = 96  # of the GIF
STRIP = 56  # [px] for words, of a film 640 wide


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
            names = {f"/{name}" for name in TOPICS}
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
        return low - BORDER, high + BORDER

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
        self._points, pose = scan_points(scan, SIGHT), self._pose
        if not self._lost and (self._drawn is None or np.abs(relative(self._drawn, pose)).max() > DRAWN):
            reach = np.minimum(np.where(np.isnan(ranges), 0.0, ranges), SIGHT)
            edge = np.column_stack([np.cos(scan.angles), np.sin(scan.angles)]) * reach[:, None]
            self._seen_floor.append((transform_points(pose, edge), transform_points(pose, self._points)))
            self._way.append(pose[:2])
            self._drawn = pose

    def _picture(self, bounds: tuple[Array, Array]) -> Picture:
        """Left the floor, right above what the camera sees, below it what the robot says."""
        width, height = self._size
        strip = STRIP * width // 640
        picture = np.full((height, width, 3), NIGHT, np.uint8)
        floor = self._floor(bounds, (width * 2 // 3, height - strip - 16))
        picture[8 : 8 + floor.shape[0], 8 : 8 + floor.shape[1]] = floor
        side = min(width - floor.shape[1] - 24, height - strip - 16)
        if self._seen is not None:
            left = floor.shape[1] + 16 + (width - floor.shape[1] - 24 - side) // 2
            picture[8 : 8 + side, left : left + side] = _square(self._seen, side)
        for k, line in enumerate(_lines(self._words, width // 8)[:2]):
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
        picture[walls >= SURE] = WALL
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


def _square(picture: Picture, side: int) -> Picture:
    """The middle of a picture."""
    height, width = picture.shape[:2]
    least = min(height, width)
    top, left = (height - least) // 2, (width - least) // 2
    return cv2.resize(picture[top : top + least, left : left + least], (side, side)).astype(np.uint8)


def _lines(words: str, most: int) -> list[str]:
    """Of at most so many letters."""
    found = [""]
    for word in words.split():
        if len(found[-1]) + len(word) >= most:
            found.append("")
        found[-1] = f"{found[-1]} {word}".strip()
    return found


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
    palette = image.fromarray(sheet).quantize(COLOURS)
    small = [frame.quantize(palette=palette, dither=image.Dither.NONE) for frame in frames]
    try:
        small[0].save(out, save_all=True, append_images=small[1:], duration=round(1000 / rate), loop=0, optimize=True)
    except OSError as error:
        raise AmiError(f"film: cannot write {out}: {error.strerror or error}") from error
