"""What is asked of a model that compares pictures cell by cell, in arrays; what needs none of its layers is here."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ami_ros.camera import CameraMount, Window
from ami_ros.geometry import from_cos_sin
from ami_ros.scan import Scan, ranges_at
from ami_ros.world_model.alignment import Alignment, Interpolated, align, moved_off
from ami_ros.world_model.layers import Floats
from ami_ros.world_model.nearness import NEAREST, nearness_by_laser
from ami_ros.world_model.spec import PAIR_STRIDE, PAIR_THUMB

LASER = 0.3, 8.0  # [m] below and beyond which what a laser sees makes no difference


class Compared(NamedTuple):
    """What pairs of pictures say; see `pairs.Verdict`."""

    pose: Floats  # (n, 4)
    error: Floats  # (n,) [m]
    same: Floats  # (n,)


class ArrayPairs(ABC):
    """Compares pictures cell by cell; see `pairs.PairHead`."""

    size: int  # [px], square, of the pictures
    mount: CameraMount  # where the robot's camera sits
    window: Window  # what it sees of the picture that the model's camera would take

    @property
    @abstractmethod
    def tangent(self) -> float:
        """How far from its axis, at distance 1, the pictures reach that are compared."""

    @property
    @abstractmethod
    def share(self) -> float:
        """Of the sides of the picture that the model's camera would take: what is compared, in its middle."""

    @property
    @abstractmethod
    def threshold(self) -> float:
        """Least `same` at which a pair is relied on."""

    @property
    def side(self) -> int:
        """Cells in a row, and in a column."""
        return self.size // PAIR_STRIDE

    @abstractmethod
    def code(self, image: NDArray[np.uint8]) -> Floats:
        """(n, 3, size, size) -> (n, code)."""

    @abstractmethod
    def compare(self, here: Floats, there: Floats, columns: Floats | None = None) -> Compared:
        """Pairs of codes (n, code), and what `columns` gives of the moments of the first (n, side); None: there is no
        laser."""

    @abstractmethod
    def distances(self, code: Floats) -> Floats:
        """(cells,) [m] how far off that is what the cells of a picture (code,) show, as they guess it."""

    def columns(self, scan: Scan | None) -> Floats | None:
        """What a laser sees in the directions of the columns of cells (1, side) [m]; None without one."""
        if scan is None:
            return None
        steps = (np.arange(self.side) + 0.5) / self.side * 2 - 1
        return ranges_at(scan, self.mount.yaw - np.arctan(steps * self.tangent))[None]

    def align(self, here: Floats, there: Floats, pose: Floats, scan: Scan | None = None) -> Alignment:
        """Brings two pictures (code,) from some decimetres apart into one place, by how far off that is what they show;
        see `alignment`. The pose (4,) is that of `compare`; the `scan` of `here`'s moment and the floor tell how far,
        or else its cells guess.

        Of two places that the map cannot tell apart this can, but only from beside them.
        """
        window = self._shown
        known = nearness_by_laser(scan, self.mount, window, PAIR_THUMB) if scan is not None else None
        nearness = self._guessed_nearness(here, window) if known is None else known
        guess = from_cos_sin(self.mount.of_camera(pose))
        found = align(_small(here), _small(there), nearness, guess, window, replace(self.mount, yaw=0.0))
        x, y, yaw = found.pose
        in_base = self.mount.of_base(np.array([x, y, np.cos(yaw), np.sin(yaw)]))
        return found._replace(pose=np.array([*in_base[:2], yaw], np.float32))

    def moved_off(self, code: Floats) -> Floats:
        """(2,) how much a picture (code,) changes within one or two decimetres; see `alignment.moved_off`."""
        return moved_off(_small(code), self._shown)

    @property
    def _shown(self) -> Window:
        """What the small picture in a code shows."""
        return self.window.snapped(self.tangent, self.size)

    def _guessed_nearness(self, code: Floats, window: Window) -> Floats:
        """(PAIR_THUMB, PAIR_THUMB) [1/m] of what a `window` of a picture (code,) shows, as its cells guess it."""
        nearness = np.asarray(1 / np.maximum(self.distances(code), NEAREST), np.float32)
        rays = np.stack(window.rays(PAIR_THUMB)).astype(np.float32)
        across, down = ((rays / self.tangent + 1) * self.side - 1) / 2
        return np.asarray(Interpolated(nearness.reshape(1, self.side, self.side))(across, down)[0])


def _small(code: Floats) -> Floats:
    """The small picture (3, PAIR_THUMB, PAIR_THUMB) in a code (code,)."""
    return code[-3 * PAIR_THUMB**2 :].reshape(3, PAIR_THUMB, PAIR_THUMB)
