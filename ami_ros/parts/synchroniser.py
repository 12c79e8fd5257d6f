"""Puts camera and scan together by their stamps, and refuses what is not of this moment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ami_ros.commands import Command, speed
from ami_ros.errors import AmiError
from ami_ros.parts.freshness import Freshness, FreshnessConfig
from ami_ros.scan import Scan
from ami_ros.world_model.spec import InputSpec

MOVING_LINEAR, MOVING_ANGULAR = 0.05, 0.15  # beyond the noise of a standing robot's odometry [m/s], [rad/s]
RECENT = 0.5  # [s] that a velocity tells about
JITTER = 0.2  # of the period between two frames: stamps that come a little early count as in time


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


class Synchroniser:
    """Makes `SensorFrame`s of what the sensors deliver, each at its own rate.

    Args:
        inputs: what the model needs.
        freshness: what is too old, too early, or too much the same.
        max_apart: between the stamps of an image and of its scan [s].
        max_rate: of frames [Hz]; images that come faster are left out.
    """

    def __init__(self, inputs: InputSpec, freshness: FreshnessConfig, max_apart: float, max_rate: float) -> None:
        self._inputs, self._freshness = inputs, Freshness(freshness)
        self.tune(freshness, max_apart, max_rate)
        self.clear()

    def tune(self, freshness: FreshnessConfig, max_apart: float, max_rate: float) -> None:
        """Other values from now on, see the class."""
        self._freshness.config, self._max_apart, self._period = freshness, max_apart, 1.0 / max_rate

    def clear(self) -> None:
        """Forgets everything, as after a jump in time."""
        self._freshness.reset()
        self._moved = -float("inf")  # when it last moved [s]
        self._scan: tuple[float, Scan] | None = None  # stamp [s], value
        self._made = -float("inf")

    def take_velocity(self, stamp: float, velocity: Command) -> None:
        """By odometry at `stamp` [s]: equal images mean a frozen camera only while the robot moves."""
        if speed(velocity) > MOVING_LINEAR or abs(velocity[1]) > MOVING_ANGULAR:
            self._moved = stamp
        else:
            self._moved = -float("inf")

    def take_scan(self, stamp: float, scan: Scan, now: float) -> SensorFrame | None:
        """A scan; a frame where the model has no camera. Errors as of `take_image`."""
        self._scan = stamp, scan
        if self._inputs.image_size:
            return None
        self._freshness.check(stamp, now, scan.ranges.data, self._moves(stamp))
        return self._frame(stamp, None)

    def take_image(self, stamp: float, image: NDArray[np.uint8], now: float) -> SensorFrame | None:
        """An image (H, W, 3) RGB taken at `stamp`, heard at `now` [s]; None if it is not wanted, or not yet.

        Raises:
            AmiError: it is not of this moment, or nothing that belongs to it is there.
        """
        if not self._inputs.image_size:
            return None
        self._freshness.check(stamp, now, image.data, self._moves(stamp))
        return self._frame(stamp, image)

    def _moves(self, stamp: float) -> bool:
        """Whether it moved just before `stamp`: what an odometry said that has stopped says nothing about now."""
        return abs(stamp - self._moved) < RECENT

    def _frame(self, stamp: float, image: NDArray[np.uint8] | None) -> SensorFrame | None:
        if stamp - self._made < self._period * (1 - JITTER):
            return None
        scan = self._near(self._scan, stamp) if self._inputs.scan_beams else None
        self._made = stamp
        return SensorFrame(stamp, image, scan)

    def _near(self, newest: tuple[float, Scan] | None, stamp: float) -> Scan:
        if newest is None or abs(stamp - newest[0]) > self._max_apart:
            age = "never came" if newest is None else f"is {stamp - newest[0]:.2f} s older"
            raise AmiError(f"image dropped: the model needs 'scan' of the same moment, which {age}")
        return newest[1]
