"""The part `perception`: camera and scan -> latent, of what is new, recent and of one moment."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ami_ros.core.camera import CameraMount, Window
from ami_ros.core.commands import Command, speed
from ami_ros.core.config import group, parameter
from ami_ros.core.depth import DepthScanner
from ami_ros.core.errors import AmiError
from ami_ros.core.scan import Scan
from ami_ros.runtime.history import OdometryHistory
from ami_ros.runtime.part import (
    ADAPTATION,
    ATTENTION,
    DEPTH,
    IMAGE,
    LATENT,
    ODOM,
    SCAN,
    Bus,
    Finish,
    Motion,
    Part,
    Picture,
    Port,
)
from ami_ros.world_model.adaptation import Weights, apply, check
from ami_ros.world_model.perception import Perception
from ami_ros.world_model.picture_scan import PictureScan
from ami_ros.world_model.spec import InputSpec, Sensors


class FollowedModel:
    """A model whose dynamics and colours follow what was adapted; encoder and heads are those of `trained`.

    `take` may be called on any thread; `refresh` on the one that uses the model, between two uses.
    """

    def __init__(self, trained: Any, encoder_id: str) -> None:
        self.model, self._trained, self.encoder_id = trained.private_copy(), trained, encoder_id
        self._pending: Weights | None = None

    def take(self, weights: Weights) -> None:
        """Raises AmiError if they do not fit."""
        check(weights, self._trained)
        self._pending = weights

    def refresh(self) -> None:
        """Uses what was taken last."""
        weights, self._pending = self._pending, None
        if weights is not None:
            apply(weights, self.model, self._trained)


@dataclass(frozen=True)
class FreshnessConfig:
    """Limits on the age and repetition of sensor messages."""

    max_age: float = 1.0  # [s] of a message when it arrives; smaller drops more on a slow network
    max_ahead: float = 0.5  # [s] that a stamp may lie in the future; larger tolerates clocks that differ more
    frozen_after: float = 1.0  # [s] of equal images while the robot moves, from which the camera counts as frozen


@dataclass(frozen=True)
class SensorFrame:
    """What becomes one latent.

    Attributes:
        stamp: of the image, or of the scan where the model has no camera [s].
        image: (H, W, 3) RGB.
        scan: as it was measured, in the scanner's own frame.
    """

    stamp: float
    image: NDArray[np.uint8] | None
    scan: Scan | None


@dataclass(frozen=True)
class SynchroniserConfig:
    """What counts as motion, and as in time."""

    moving: tuple[float, float] = (0.05, 0.15)  # [m/s], [rad/s] beyond the noise of a standing robot's odometry
    recent: float = 0.5  # [s] that a velocity tells about: an odometry that has stopped says nothing about now
    early: float = 0.2  # of the period between two frames, by which a stamp may come early and count as in time


class Synchroniser:
    """Makes `SensorFrame`s of what the sensors deliver, each at its own rate.

    Args:
        inputs: what the model needs.
        freshness: what is too old, too early, or too much the same.
        max_apart: between the stamps of an image and of its scan [s].
        max_rate: of frames [Hz]; images that come faster are left out.
        config: see there.
    """

    def __init__(
        self, inputs: InputSpec, freshness: FreshnessConfig, max_apart: float, max_rate: float,
        config: SynchroniserConfig = SynchroniserConfig(),
    ) -> None:  # fmt: skip
        self._inputs, self._config = inputs, config
        self.tune(freshness, max_apart, max_rate)
        self.clear()

    def tune(self, freshness: FreshnessConfig, max_apart: float, max_rate: float) -> None:
        """Other values from now on, see the class."""
        self._freshness, self._max_apart, self._period = freshness, max_apart, 1.0 / max_rate

    def clear(self) -> None:
        """Forgets everything, as after a jump in time."""
        self._moved = self._made = self._newest = -math.inf  # [s] when it last moved, of the last frame, and image
        self._scan: tuple[float, Scan] | None = None  # stamp [s], value
        self._digest: int | None = None
        self._frozen = 0.0  # [s] of equal images while the robot moved

    def take_velocity(self, stamp: float, velocity: Command) -> None:
        """By odometry at `stamp` [s]: equal images mean a frozen camera only while the robot moves."""
        linear, angular = self._config.moving
        self._moved = stamp if speed(velocity) > linear or abs(velocity[1]) > angular else -math.inf

    def take_scan(self, stamp: float, scan: Scan, now: float) -> SensorFrame | None:
        """A scan; a frame where the model has no camera. Errors as of `take_image`."""
        self._scan = stamp, scan
        if self._inputs.image_size:
            return None
        self._check(stamp, now, scan.ranges.data)
        return self._frame(stamp, None)

    def take_image(self, stamp: float, image: NDArray[np.uint8], now: float) -> SensorFrame | None:
        """An image (H, W, 3) RGB taken at `stamp`, heard at `now` [s]; None if it is not wanted, or not yet.

        Raises:
            AmiError: it is not of this moment, or nothing that belongs to it is there.
        """
        if not self._inputs.image_size:
            return None
        self._check(stamp, now, image.data)
        return self._frame(stamp, image)

    def _check(self, stamp: float, now: float, data: memoryview) -> None:
        """Raises AmiError where a message must not be used: out of order, too old, from the future, or the camera is
        frozen. It counts as that until its image changes. While the robot stands, equal images mean nothing: a
        simulated camera has no noise."""
        limits = self._freshness
        if now - stamp > limits.max_age:
            raise AmiError(
                f"stamp is {now - stamp:.2f} s old: dropped; are clocks in sync, and use_sim_time alike everywhere?"
            )
        if stamp - now > limits.max_ahead:
            raise AmiError(f"stamp lies {stamp - now:.2f} s in the future: dropped; are clocks synchronised?")
        if stamp <= self._newest:
            raise AmiError("stamp is not newer than the last one: dropped; do two nodes publish this topic?")
        elapsed, self._newest, digest = stamp - self._newest, stamp, zlib.crc32(data)
        if digest != self._digest:
            self._digest, self._frozen = digest, 0.0
        elif abs(stamp - self._moved) < self._config.recent:
            self._frozen += min(elapsed, limits.frozen_after / 2)  # a gap is not proof of a frozen camera
        if self._frozen >= limits.frozen_after:
            raise AmiError(
                f"the camera is frozen: equal images for {self._frozen:.1f} s while the robot moved; restart it"
            )

    def _frame(self, stamp: float, image: NDArray[np.uint8] | None) -> SensorFrame | None:
        if stamp - self._made < self._period * (1 - self._config.early):
            return None
        known = self._scan
        if self._inputs.scan_beams and (known is None or abs(stamp - known[0]) > self._max_apart):
            age = "never came" if known is None else f"is {stamp - known[0]:.2f} s older"
            raise AmiError(f"image dropped: the model needs 'scan' of the same moment, which {age}")
        self._made = stamp
        return SensorFrame(stamp, image, known[1] if known is not None and self._inputs.scan_beams else None)


@dataclass(frozen=True)
class LatentFrame:
    """What the robot perceives at one moment.

    Attributes:
        stamp: of the sensor frame [s].
        latent: (latent_dim,).
        picture: code (sight_code,) of the image, where the model compares pictures.
        sensors: what the latent was made of, a batch of one, for whoever learns about the camera.
    """

    stamp: float
    latent: NDArray[np.float32]
    picture: NDArray[np.float32] | None = None
    sensors: Sensors | None = None


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
        compares = self.followed.model.pairs is not None and (self._attends or self._pictures is not None)
        return (self.name, "picture") if compares else (self.name,)

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
        # The planner wants codes of pictures, or memory, which has no other compass. Other codes are as good as free.
        compares = self._attends or self._pictures is not None or self.followed.model.pairs is None
        latent = self.perception.encode(frame.image, frame.scan)
        code = self.perception.encode_picture(frame.image) if compares else None
        seen = LatentFrame(frame.stamp, latent, code)
        return lambda: self.bus.give(LATENT, seen.stamp, seen)


def place_camera(mount: CameraMount, window: Window | None, *lookers: Any) -> None:
    """Tells who compares pictures, or makes scans of them, where the camera sits and what it sees of the picture that
    the model's camera would take; None: as it was told last."""
    for looker in lookers:
        if looker is not None:
            looker.mount = mount
            if window is not None:
                looker.window = window
