"""What a robot senses with: a list of sensors, each with a name, a kind, a topic, a shape, a rate and a mount.

A new kind is a dataclass in `KINDS`; its messages are read in ros/messages/conversions.py, its column of a
data set is a role in learning/streams.py.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ami_ros.core.config import from_mapping
from ami_ros.core.depth import ENCODINGS
from ami_ros.core.errors import AmiError
from ami_ros.core.scan import Mount, Scan

INTRINSICS_TOLERANCE = 0.05  # of the focal length, by which a camera may differ from the one that a model learned from


@dataclass(frozen=True)
class Pose3:
    """Where a sensor sits on the robot, as in URDF; of a camera the frame of its body, x forwards."""

    x: float = 0.0  # [m] ahead
    y: float = 0.0  # [m] to the left
    z: float = 0.0  # [m] up
    roll: float = 0.0  # [rad]
    pitch: float = 0.0  # [rad], positive looks down
    yaw: float = 0.0  # [rad], positive looks to the left


@dataclass(frozen=True)
class Sensor(ABC):
    """What all sensors have."""

    name: str  # any, once
    topic: str  # relative: below the robot's namespace
    rate: float  # [Hz]
    frame: str = ""  # frame_id of its messages, of a camera the optical one; empty: the robot's base frame
    mount: Pose3 | None = None  # None: /tf_static tells

    def __post_init__(self) -> None:
        if not self.name or not self.topic:
            raise ValueError("name and topic must not be empty")
        if not self.rate > 0:
            raise ValueError(f"rate must be greater than 0, not {self.rate}")

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Of what one message holds."""

    @property
    def recorded(self) -> list[str]:
        """Topics to record; of "a|b" the first that somebody publishes."""
        return [self.topic]


@dataclass(frozen=True)
class LensSensor(Sensor):
    """What takes pictures of whatever kind, through a lens."""

    width: int = 640  # [px]
    height: int = 480  # [px]
    fov: float | None = None  # [degrees] across the width; None: by intrinsics
    intrinsics: tuple[float, float, float, float] | None = None  # fx, fy, cx, cy [px]; None: by fov

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.width < 16 or self.height < 16:
            raise ValueError(f"pictures of {self.width}x{self.height} px are too small: at least 16 by 16 are needed")
        if (self.fov is None) == (self.intrinsics is None):
            raise ValueError("a camera needs either fov or intrinsics, and not both")
        if self.fov is not None and not 0 < self.fov < 180:
            raise ValueError(f"fov must be between 0 and 180 degrees, not {self.fov}")
        if self.intrinsics is not None and not (min(self.intrinsics) > 0 and self._centred(*self.intrinsics[2:])):
            raise ValueError(f"intrinsics {list(self.intrinsics)} do not fit {self.width}x{self.height} px")

    def _centred(self, cx: float, cy: float) -> bool:
        return abs(cx / self.width - 0.5) < 0.25 and abs(cy / self.height - 0.5) < 0.25

    @property
    def shape(self) -> tuple[int, ...]:
        return self.height, self.width

    @property
    def info_topic(self) -> str:
        """Of its CameraInfo: beside the pictures, as image_transport has it."""
        return "/".join([*self.topic.split("/")[:-1], "camera_info"])

    @property
    def matrix(self) -> tuple[float, float, float, float]:
        """fx, fy, cx, cy [px]; pixel (0, 0) has its middle at (0, 0)."""
        if self.intrinsics is not None:
            return self.intrinsics
        assert self.fov is not None
        focal = self.width / 2 / math.tan(math.radians(self.fov) / 2)
        return focal, focal, (self.width - 1) / 2, (self.height - 1) / 2

    @property
    def half_view(self) -> tuple[float, float]:
        """Tangents of half its field of view, across and upright."""
        return self.width / 2 / self.matrix[0], self.height / 2 / self.matrix[1]

    @property
    def square_view(self) -> float:
        """Field of view of the largest square in the middle of its pictures [rad]."""
        return 2 * math.atan(min(self.half_view))


@dataclass(frozen=True)
class CameraSensor(LensSensor):
    """A camera; of several the first is the one that models see with."""

    type: Literal["raw", "compressed"] = "raw"  # Image or CompressedImage
    encoding: str = "rgb8"  # of an Image

    @property
    def shape(self) -> tuple[int, ...]:
        return self.height, self.width, 3

    @property
    def recorded(self) -> list[str]:
        pictures = self.topic if self.type == "compressed" else f"{self.topic}/compressed|{self.topic}"
        return [pictures, self.info_topic]

    @property
    def info_topic(self) -> str:
        path = self.topic.split("/")[: -2 if self.type == "compressed" else -1]
        return "/".join([*path, "camera_info"])


@dataclass(frozen=True)
class DepthSensor(LensSensor):
    """A depth camera: the safety gate keeps away from what it shows. With `from_depth` it also makes the scans of a
    robot without a laser."""

    encoding: str = "16UC1"  # of an Image: 16UC1 [mm] or 32FC1 [m]; 0 and NaN: not measured
    range_min: float = 0.3  # [m] of depth, less is not believed
    range_max: float = 6.0  # [m] of depth, more says only that it is free before
    min_height: float = 0.05  # [m] above the floor; what is lower is floor. Larger hides low things, less asks more
    max_height: float = 0.5  # [m] of the robot; what is higher does not matter

    @property
    def recorded(self) -> list[str]:
        return []  # tens of MB a second, and nothing learns from it; the scan that is made of it is recorded

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.encoding not in ENCODINGS:
            raise ValueError(f"depth {self.name} has encoding {self.encoding}: {', '.join(ENCODINGS)} are possible")
        if not 0 < self.range_min < self.range_max:
            raise ValueError(f"range_min {self.range_min} must be above 0 and below range_max {self.range_max}")
        if not 0 < self.min_height < self.max_height:
            raise ValueError(f"min_height {self.min_height} must be above 0, and below max_height {self.max_height}")
        if self.mount is None or not self.mount.z > 0:
            raise ValueError(f"depth {self.name} needs a mount that says how high it is: the floor is taken out by it")


@dataclass(frozen=True)
class LaserSensor(Sensor):
    """A laser scanner whose plane is level; of several the first is the one that the gate looks through."""

    beams: int = 360  # in a turn
    fov: float = 360.0  # [degrees], the middle of which is straight ahead in its own frame
    range_min: float = 0.1  # [m], nearer things are not seen
    range_max: float = 10.0  # [m], nor are farther ones
    from_camera: bool = False  # there is none: perception makes its scans of the camera's pictures, see models/ranges
    from_depth: bool = False  # there is none: perception makes its scans of the depth camera

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.beams < 2 or not 0 < self.fov <= 360:
            raise ValueError("a laser needs at least 2 beams, and a fov of at most 360 degrees")
        if not 0 < self.range_min < self.range_max:
            raise ValueError(f"range_min {self.range_min} must be above 0 and below range_max {self.range_max}")
        if self.from_camera and self.from_depth:
            raise ValueError("from_camera and from_depth exclude each other: depth is measured, take that")

    @property
    def is_made(self) -> bool:
        """There is none: perception makes its scans."""
        return self.from_camera or self.from_depth

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.beams,)

    @property
    def increment(self) -> float:
        """Between two beams [rad]."""
        return math.radians(self.fov) / (self.beams if self.fov == 360 else self.beams - 1)

    def scan(self, ranges: NDArray[np.float32]) -> Scan:
        """A scan of ranges (beams,) [m] in its own frame."""
        return Scan(ranges, -math.radians(self.fov) / 2, self.increment, max_range=self.range_max)

    def check_source(self, camera: CameraSensor | None, depth: DepthSensor | None = None) -> None:
        """Raises ValueError where scans that are to be made of pictures cannot be, of the robot's `camera` or
        `depth`."""
        if not self.is_made:
            return
        how, source = ("from_depth", depth) if self.from_depth else ("from_camera", camera)
        if source is None or source.mount is None or not source.mount.z > 0:
            what = "sensor of kind depth" if self.from_depth else "camera"
            raise ValueError(
                f"laser {self.name} has {how}, which takes a {what} on the robot whose mount says how high it is"
            )
        at, own = source.mount, self.mount
        if own is None or (own.x, own.y, own.yaw) != (at.x, at.y, at.yaw):
            raise ValueError(
                f"laser {self.name} has {how}, so its mount has x, y and yaw of {source.name}: {at.x}, {at.y}, {at.yaw}"
            )

    @property
    def level_mount(self) -> Mount | None:
        """How it sits, for those who read its scans; None: /tf_static tells.

        Raises:
            ValueError: it is tilted.
        """
        if self.mount is None:
            return None
        m = self.mount
        upside_down = abs(abs(m.roll) - math.pi) < 0.2
        if abs(m.pitch) > 0.2 or not (upside_down or abs(m.roll) < 0.2):
            raise ValueError(f"laser {self.name} is tilted: only a level one shows what stands around the robot")
        return Mount(m.x, m.y, m.yaw, upside_down, fixed=True)


@dataclass(frozen=True)
class OdometrySensor(Sensor):
    """Pose and velocity by wheels."""

    @property
    def shape(self) -> tuple[int, ...]:
        return (3,)


@dataclass(frozen=True)
class ImuSensor(Sensor):
    """An inertial measurement unit."""

    @property
    def shape(self) -> tuple[int, ...]:
        return (6,)


KINDS: dict[str, type[Sensor]] = {
    "camera": CameraSensor,
    "depth": DepthSensor,
    "laser": LaserSensor,
    "odometry": OdometrySensor,
    "imu": ImuSensor,
}


def sensor_from(values: Mapping[str, Any], where: str) -> Sensor:
    """A sensor from an entry of the list `sensors`; `kind` says which.

    Raises:
        AmiError: unknown kind or key, wrong type, or a value that the sensor cannot have.
    """
    if not isinstance(values, Mapping) or str(values.get("kind")) not in KINDS:
        raise AmiError(f"{where}: each of sensors needs a kind: {', '.join(KINDS)}")
    own = {key: value for key, value in values.items() if key != "kind"}
    return from_mapping(KINDS[str(values["kind"])], own, f"{where}: {values['kind']} {values.get('name', '')}".rstrip())
