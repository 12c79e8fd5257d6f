"""The part `perception`: camera and scan -> latent."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ami_ros.adaptation.weights import Weights
from ami_ros.camera import CameraMount, Window
from ami_ros.config import group, parameter
from ami_ros.depth import DepthScanner
from ami_ros.parts.followed_model import FollowedModel
from ami_ros.parts.freshness import FreshnessConfig
from ami_ros.parts.history import OdometryHistory
from ami_ros.parts.part import Bus, Finish, Part
from ami_ros.parts.perceiver import perceive
from ami_ros.parts.ports import ADAPTATION, ATTENTION, DEPTH, IMAGE, LATENT, ODOM, SCAN, Motion, Picture, Port
from ami_ros.parts.synchroniser import SensorFrame, Synchroniser
from ami_ros.scan import Scan
from ami_ros.world_model.perception import Perception
from ami_ros.world_model.picture_scan import PictureScan


@dataclass(frozen=True)
class PerceptionSettings:
    """What it is told."""

    scan_max_age: float = parameter(
        0.25,
        "Between an image and its scan. Larger pairs worse-timed sensors, smaller drops more images.",
        "s",
        (0.01, 5.0),
        True,
    )
    max_rate: float = parameter(
        15.0,
        "Of latents: images that come faster are left out. Higher: fresher latents, for more computing.",
        "Hz",
        (1.0, 100.0),
        True,
    )
    freshness: FreshnessConfig = group(FreshnessConfig, mutable=None)


@dataclass(frozen=True)
class PictureScanConfig:
    """Scans of a robot that has no laser, predicted from its images."""

    beams: int = 0  # of a scan; 0: there is a laser, or none is needed
    fov: float = 100.0  # [degrees] that they spread over; more than the camera sees is NaN
    range_min: float = 0.12  # [m] as the scans say
    range_max: float = 4.0  # [m] beyond which all counts as far; larger: farther walls are seen, with larger errors
    frame: str = ""  # frame_id of the scans: level, where the camera is

    def __post_init__(self) -> None:
        if self.beams < 0 or self.beams == 1 or not 0 < self.fov < 180:
            raise ValueError(f"{self.beams} beams over {self.fov:g} degrees are no scan: at least 2, below 180 degrees")


class PerceptionPart(Part):
    """Encodes the newest sensor frame.

    Args:
        bus: see `Part`.
        followed: the model, and what was adapted in it.
        config: see there.
        picture_scan: makes scans of pictures; None: there is a laser.
        shape: of those scans.
        depth: makes the scans of depth pictures; None: there is a laser, or no depth camera.
    """

    name = "perception"
    takes: tuple[Port, ...] = (ADAPTATION, ATTENTION, ODOM, SCAN, IMAGE, DEPTH)
    gives: tuple[Port, ...] = (LATENT, SCAN)

    def __init__(
        self,
        bus: Bus,
        followed: FollowedModel,
        config: PerceptionSettings,
        picture_scan: PictureScan | None = None,
        shape: PictureScanConfig | None = None,
        depth: DepthScanner | None = None,
    ) -> None:
        super().__init__(bus)
        self._depth = depth
        unheard = DEPTH.name if depth is None else SCAN.name
        self.takes = tuple(port for port in self.takes if port.name != unheard)
        self.followed, self.perception = followed, Perception(followed.model)
        inputs = self.perception.inputs
        self.synchroniser = Synchroniser(inputs, config.freshness, config.scan_max_age, config.max_rate)
        self._pictures, self._shape = picture_scan, shape or PictureScanConfig()
        self._odometry = OdometryHistory()
        self._attends = True  # to pictures, until the planner says that it need not

    def working(self) -> tuple[str, ...]:
        compares_pictures = self.followed.model.pairs is not None
        return (self.name, "picture") if compares_pictures and self._compares else (self.name,)

    @property
    def _compares(self) -> bool:
        """Whether somebody wants the codes of pictures: the planner, or memory, which has no other compass."""
        return self._attends or self._pictures is not None

    def tune(self, config: PerceptionSettings) -> None:
        """Other values from now on."""
        self.synchroniser.tune(config.freshness, config.scan_max_age, config.max_rate)

    def restart(self) -> None:
        self.synchroniser.clear()
        self._odometry.clear()
        if self._pictures is not None:
            self._pictures.forget()

    def on_adaptation(self, stamp: float, weights: Weights) -> None:
        self.followed.take(weights)

    def on_attention(self, stamp: float, compares: bool) -> None:
        self._attends = compares

    def on_odom(self, stamp: float, motion: Motion) -> None:
        self.synchroniser.take_velocity(stamp, motion.velocity)
        if self._pictures is not None and not self._odometry.add(stamp, motion.pose, motion.velocity, self.bus.now()):
            self._pictures.forget()

    def on_scan(self, stamp: float, scan: Scan) -> None:
        self._encode_soon(self.synchroniser.take_scan(stamp, scan, self.bus.now()))

    def on_depth(self, stamp: float, picture: Picture) -> None:
        assert self._depth is not None, "else it is not heard"
        scan = self._depth.scan(picture())
        self.bus.give(SCAN, stamp, scan)
        self._encode_soon(self.synchroniser.take_scan(stamp, scan, self.bus.now()))

    def on_image(self, stamp: float, picture: Picture) -> None:
        image = picture()
        if self._pictures is not None:
            shape, motion = self._shape, self._odometry.at(stamp)
            pose = None if motion is None else motion[0]
            scan = self._pictures.scan(image, shape.beams, math.radians(shape.fov), shape.range_max, pose)
            self.bus.give(SCAN, stamp, scan)
            self.synchroniser.take_scan(stamp, scan, self.bus.now())
        self._encode_soon(self.synchroniser.take_image(stamp, image, self.bus.now()))

    def _encode_soon(self, frame: SensorFrame | None) -> None:
        if frame is not None:
            self.bus.work(lambda: self._encode(frame))

    def _encode(self, frame: SensorFrame) -> Finish:
        self.followed.refresh()
        compares = self._compares or self.followed.model.pairs is None  # other codes are not worth the while
        seen = perceive(self.perception, frame, compares)
        return lambda: self.bus.give(LATENT, seen.stamp, seen)


def place_camera(mount: CameraMount, window: Window | None, *lookers: Any) -> None:
    """Tells who compares pictures, or makes scans of them, where the camera sits and what it sees of the picture that
    the model's camera would take; None: as it was told last."""
    for looker in lookers:
        if looker is not None:
            looker.mount = mount
            if window is not None:
                looker.window = window
