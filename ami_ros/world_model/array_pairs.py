"""What a model that compares pictures cell by cell is asked in arrays; what needs none of its layers is here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ami_ros.core.camera import CameraMount, Window
from ami_ros.core.geometry import Array, compose, from_cos_sin, relative
from ami_ros.core.scan import Scan, ranges_at
from ami_ros.world_model.image_alignment import Alignment, Interpolated, align, moved_off
from ami_ros.world_model.layers import Floats, Values, sigmoid
from ami_ros.world_model.picture_rays import (
    FARTHEST,
    NEAREST,
    PictureRays,
    columns_behind,
    compared,
    distance_by_laser,
    nearness_by_laser,
    picture_rays,
)
from ami_ros.world_model.spec import PAIR, relied_on
from ami_ros.world_model.two_views import (
    POINTS,
    Correspondences,
    Motion,
    Points,
    Sighting,
    Turn,
    expected_error,
    matched,
    motion,
    points_of,
    turn,
    weight_of_evidence,
)


@dataclass(frozen=True)
class DepthConfig:
    """How far off is what points show: standard deviations of its logarithm, and where nothing tells."""

    measured: float = 0.08  # by laser and floor
    guessed: float = 0.4  # as cells guess it
    unknown: float = 0.8  # where nothing tells
    middle: float = 3.0  # [m] that such a point is taken to be away
    beyond: float = 1.3  # times the reach of a laser that sees nothing, as far off as things are there at least
    pixel: float = 0.7  # [px] standard deviation of where a point is seen
    followed: float = 0.35  # [px] likewise of one that is seen again within a second


DEPTH = DepthConfig()


class Compared(NamedTuple):
    """What pairs of pictures say."""

    pose: Values  # (n, 4): x, y [m], cos, sin of the second picture's yaw in the base frame of the first
    error: Values  # (n,) expected error of x and y [m]
    same: Values  # (n,) probability that both see the same


class ArrayPairs:
    """What only arrays are asked of `pairs.PairHead`."""

    size: int  # [px], square, of the pictures
    mount: CameraMount  # where the robot's camera sits
    window: Window  # what it sees of the picture that the model's camera would take
    full: float  # how far from its axis, at distance 1, that picture reaches
    calibration: Values  # see `pairs.PairHead`
    code: Any  # pictures (k, 3, n, n), n a multiple of `size`, at best `picture_size` -> (k, code)
    forward: Any  # of two batches of codes, and columns: `Compared` by what is learned alone
    cells_of: Any  # pictures (..., code) -> (..., cells, channels): what each of their cells shows
    distances: Any  # [m] how far off that is what the cells of a picture show, as they guess it

    @property
    def side(self) -> int:
        """Cells in a row, and in a column."""
        return self.size // PAIR.stride

    @property
    def picture_size(self) -> int:
        """[px], square, of the pictures that codes are made of."""
        return PAIR.detail * self.size

    @property
    def tangent(self) -> float:
        """How far from its axis, at distance 1, the pictures reach that are compared."""
        return compared(self.window, self.full)

    @property
    def share(self) -> float:
        """Of a picture's sides, as the model's camera would have taken it: what is compared, in its middle."""
        return self.tangent / self.full

    @property
    def rays(self) -> PictureRays:
        """Where this camera's pixels look."""
        return picture_rays(self.mount, self.tangent, self.size)

    @property
    def threshold(self) -> float:
        """Least `same` at which a pair is relied on: few pairs that do not see the same reach it."""
        return float(sigmoid(np.float64(relied_on(self.calibration.tolist(), self._sees))))

    @property
    def _sees(self) -> float:
        """What part of the picture that the model's camera would take this one does."""
        return self.window.area / Window.square(self.full).area

    def descriptor(self, codes: Floats) -> Floats:
        """(n, channels) of pictures (n, code): what they show, wherever in them. Those from nearby are alike in it."""
        return np.asarray(self.cells_of(codes), np.float32).mean(axis=-2)

    def compare(self, here: Floats, there: Floats, scans: Sequence[Scan | None] = ()) -> Compared:
        """Pairs of codes (n, code), and what a laser sees at the moments of the first ones, where there is one. Where
        points of both agree, they measure the pose, and say that both see the same."""
        found = self.forward(here, there, self.columns(scans))
        self._measure(found, here, there, scans)
        return found

    def compare_both_ways(
        self, here: Floats, there: Floats, scans: Sequence[Scan | None] = (), least: float = 0.0
    ) -> Compared:
        """As `compare`; of those that are the same with a probability of `least`, that is the mean of both ways, in
        odds: what errs one way seldom does the other."""
        found = self.forward(here, there, self.columns(scans))
        evidence = self._measure(found, here, there, scans)
        likely = found.same >= least
        if likely.any():
            back = self.forward(there[likely], here[likely]).same
            odds = np.sqrt(odds_of(found.same[likely]) * odds_of(back) * np.exp(evidence[likely]))
            found.same[likely] = odds / (1 + odds)
        return found

    def _measure(self, found: Compared, here: Floats, there: Floats, scans: Sequence[Scan | None]) -> Floats:
        """Corrects what is learned of pairs by their points; returns what these say for the same place (n,), as the
        logarithm of how much likelier they make it."""
        evidence = np.zeros(len(here), np.float32)
        if here.shape[1] < PAIR.points_length:  # as of another package's model
            return evidence
        for row, (first, second) in enumerate(zip(_points(here), _points(there), strict=True)):
            moved = self._motion(here[row], first, second, scans[row] if scans else None)
            if moved is not None:
                evidence[row] = weight_of_evidence(moved.inliers)
                self._take(found, row, moved)
        return evidence

    def _motion(self, here: Floats, first: Points, second: Points, scan: Scan | None) -> Motion | None:
        """The motion of the camera between two pictures by their points, and by how far off that is what the first one
        (code,) shows, as its cells guess it and as the `scan` has it; None: too few agree."""
        a, b = matched(first, second)
        if len(a) < POINTS.least:
            return None
        right, down = first.at[a].T * self.tangent
        ahead, left, _ = self._level.rays(right, down)
        away = self._at(self.distances(here), first.at[a])[:, None]
        log_sigma = np.full(away.shape, DEPTH.guessed)
        if scan is not None and self.mount.z > 0 and not np.isnan(scan.ranges).all():
            measured = distance_by_laser(scan, self.mount, right, down)[:, None]
            away = np.where(np.isinf(measured), np.maximum(away, DEPTH.beyond * min(scan.max_range, FARTHEST)), away)
            known = np.isfinite(measured)
            away = np.column_stack([np.where(known, measured, away), away])
            log_sigma = np.column_stack([np.where(known, DEPTH.measured, log_sigma), log_sigma])
        depth = np.maximum(away, NEAREST) / np.hypot(ahead, left)[:, None]
        rays = np.column_stack([right, down, np.ones(len(a))])
        pixel = DEPTH.pixel * 2 * self.tangent / self.picture_size
        points = Correspondences(rays, second.at[b] * self.tangent, depth, log_sigma, pixel)
        return motion(points, self.mount)

    def turn(self, here: Floats, there: Floats, motion: Array, expected: Turn, scan: Scan | None) -> Turn | None:
        """How far the robot turned between two pictures (code,); None: too few points agree.

        Args:
            here: of the first one.
            there: of the second.
            motion: (3,) of base_link between them by odometry, in base_link as it was.
            expected: the same turn by odometry.
            scan: of the first moment, in base_link, if there is one.
        """
        if here.shape[-1] < PAIR.points_length:  # as of another package's model
            return None
        first, second = (points_of(code[-PAIR.points_length :]) for code in (here, there))
        a, b = matched(first, second)
        right, down = first.at[a].T * self.tangent
        away = np.full(len(a), np.nan) if scan is None else distance_by_laser(scan, self.mount, right, down)
        log_sigma = np.where(np.isfinite(away), DEPTH.guessed, DEPTH.unknown)
        away = np.where(np.isfinite(away), away, DEPTH.middle).clip(NEAREST)
        ahead, left, _ = self._level.rays(right, down)
        after = self._level.rays(*(second.at[b].T * self.tangent))
        sits = np.array([self.mount.x, self.mount.y, self.mount.yaw])
        way = relative(sits, compose(motion, sits))[:2]
        points = Sighting(np.arctan2(left, ahead), np.arctan2(after[1], after[0]), away, log_sigma)
        return turn(points, way, expected, DEPTH.followed * 2 * self.tangent / self.picture_size)

    @property
    def _level(self) -> CameraMount:
        """The mount of the camera, as seen from one that looks straight ahead."""
        return replace(self.mount, yaw=0.0)

    def _take(self, found: Compared, row: int, moved: Motion) -> None:
        """Puts together what is learned of a pair and how its points moved, each by its expected error; where both
        differ, more error is to be expected than of each alone."""
        x, y, yaw = moved.pose
        own, learned = (
            self.mount.of_base(np.array([x, y, np.cos(yaw), np.sin(yaw)])),
            found.pose[row].astype(np.float64),
        )
        errors = np.array([expected_error(moved), found.error[row]], np.float64)
        share = float(errors[0] ** -2 / (errors**-2).sum())
        pose = share * own + (1 - share) * learned
        pose[2:] /= max(float(np.hypot(*pose[2:])), 1e-6)
        apart = share * (1 - share) * float(np.square(own[:2] - learned[:2]).sum())
        found.pose[row], found.error[row] = pose, math.sqrt(1 / (errors**-2).sum() + apart)
        odds = odds_of(found.same[row]) * np.exp(weight_of_evidence(moved.inliers))
        found.same[row] = odds / (1 + odds)

    def _at(self, cells: Floats, at: Array) -> Array:
        """Values (n,) of cells (side * side,), between their middles, at places (n, 2) of the square, from -1 to 1."""
        across, down = (((at[:, k] + 1) * self.side - 1) / 2 for k in (0, 1))
        grid = Interpolated(cells.reshape(1, self.side, self.side))
        return grid(across.astype(np.float32), down.astype(np.float32))[0].astype(np.float64)

    def columns(self, scans: Sequence[Scan | None]) -> Floats | None:
        """What a laser sees in the directions of the columns of cells (n, side) [m]; NaN without one, and None where
        there is none at all."""
        if all(scan is None for scan in scans):
            return None
        steps = (np.arange(self.side) + 0.5) / self.side * 2 - 1
        bearings = self.mount.yaw - np.arctan(steps * self.tangent)
        none = np.full(self.side, np.nan, np.float32)
        return np.stack([none if scan is None else ranges_at(scan, bearings) for scan in scans])

    def hidden_by(self, discs: Array) -> NDArray[np.bool_]:
        """Columns (PAIR.thumb,) of the small picture in a code that show who stands on discs (k, 3): x, y and radius
        [m] in base_link."""
        return columns_behind(discs, self.mount, self._shown, PAIR.thumb)

    def align(
        self, here: Floats, there: Floats, pose: Floats, scan: Scan | None = None,
        hidden: NDArray[np.bool_] | None = None,
    ) -> Alignment:  # fmt: skip
        """Brings two pictures (code,) from some decimetres apart into one place, by how far off that is what they show;
        see `alignment`. The pose (4,) is that of `compare`; the `scan` of `here`'s moment and the floor tell how far,
        or else its cells guess. Columns that are `hidden` are not compared; see `hidden_by`.

        Of two places that the map cannot tell apart this can, but only from beside them.
        """
        window = self._shown
        known = nearness_by_laser(scan, self.mount, window, PAIR.thumb) if scan is not None else None
        nearness = self._guessed_nearness(here, window) if known is None else known
        guess = from_cos_sin(self.mount.of_camera(pose))
        found = align(_small(here), _small(there), nearness, guess, window, self._level, hidden)
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
        """(PAIR.thumb, PAIR.thumb) [1/m] of what a `window` of a picture (code,) shows, as its cells guess it."""
        nearness = np.asarray(1 / np.maximum(self.distances(code), NEAREST), np.float32)
        rays = np.stack(window.rays(PAIR.thumb), -1).reshape(-1, 2)
        return self._at(nearness, rays / self.tangent).astype(np.float32).reshape(PAIR.thumb, PAIR.thumb)


def odds_of(same: ArrayLike) -> Floats:
    """Of probabilities; at most a million to one, for float32 tells no more apart."""
    same = np.asarray(same)
    return np.asarray(same / np.maximum(1 - same, 1e-6))


def _points(codes: Floats) -> list[Points]:
    """Of pictures (n, code), which may be one and the same."""
    once = codes[:1] if codes.strides[0] == 0 else codes
    found = [points_of(code[-PAIR.points_length :]) for code in once]
    return found * (len(codes) // len(found)) if found else []


def _small(code: Floats) -> Floats:
    """The small picture (3, PAIR.thumb, PAIR.thumb) in a code (code,)."""
    return code[-PAIR.points_length - 3 * PAIR.thumb**2 : -PAIR.points_length].reshape(3, PAIR.thumb, PAIR.thumb)
