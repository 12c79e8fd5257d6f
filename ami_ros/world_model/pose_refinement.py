"""The motion of a camera by points whose depth is uncertain: several guesses, refined side by side.

Perspective-n-point by Gauss-Newton with Geman and McClure's weights (Zhang, Image and Vision Computing 1997). Where a
point is seen errs by a pixel, across all directions, and by what is not known of its depth, along its epipolar line
(the covariance is carried through the projection as by Hartley and Zisserman, Multiple View Geometry, 5.2). Each point
may have several depths, as of a laser and of a network: the one that fits best counts.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ami_ros.geometry import Array

NEAREST = 0.1  # [m] that points are taken to lie before the second camera
OUTLIER = 3.0  # standard deviations, from which points lose their weight, and beyond which they do not agree
WIDE = 8.0  # times as many in the first step, from which on that halves
LARGEST = 0.3  # [rad] or [m] of one step


class Correspondences(NamedTuple):
    """Points of two pictures that may be each other's."""

    rays: Array  # (n, 3) of the first: right, down, and 1 ahead
    seen: Array  # (n, 2) of the second: right and down, at distance 1
    depth: Array  # (n, m) [m] along the first one's axis: m guesses, of which the best counts
    log_sigma: Array  # (n, m) standard deviations of their logarithms
    pixel: float  # [1] standard deviation of where points are seen, at distance 1

    def of(self, rows: NDArray[np.bool_]) -> Correspondences:
        """Those of some `rows` (n,)."""
        return Correspondences(self.rays[rows], self.seen[rows], self.depth[rows], self.log_sigma[rows], self.pixel)


class Poses(NamedTuple):
    """k motions, each of which brings points from the first camera's frame to the second's."""

    rotation: Array  # (k, 3, 3)
    translation: Array  # (k, 3) [m]

    @property
    def centres(self) -> Array:
        """(k, 3) [m] where the second camera is, in the frame of the first."""
        return -np.einsum("kji,kj->ki", self.rotation, self.translation)

    def of(self, rows: NDArray[np.int64]) -> Poses:
        """Those of some `rows`."""
        return Poses(self.rotation[rows], self.translation[rows])


class Refined(NamedTuple):
    """What came of k guesses."""

    poses: Poses
    information: Array  # (k, 6, 6) of rotation vector and translation
    agree: NDArray[np.bool_]  # (k, n) points that fit
    cost: Array  # (k,) twice the negative logarithm of their likelihood


class _Projected(NamedTuple):
    """Points (k, n) as they would be seen, each with the depth that fits best."""

    turned: Array  # (k, n, 3) [m] in the second camera's axes, but seen from the first's centre
    at: Array  # (k, n, 3) right and down at distance 1, and depth [m]
    error: Array  # (k, n, 2)
    along: Array  # (k, n, 2) by the logarithm of the depth: along the epipolar line
    shrunk: Array  # (k, n) what is left of a deviation along it, counted in standard deviations, of one across
    squared: Array  # (k, n) error in standard deviations, squared


def refine(points: Correspondences, guesses: Poses, deviations: Array, steps: int) -> Refined:
    """Refines guesses.

    Args:
        points: see there.
        guesses: k of them.
        deviations: (6,) standard deviations of rotation vector [rad] and translation [m] that are to be expected.
        steps: of Gauss-Newton, at least one.
    """
    prior, poses = np.diag(1 / np.square(deviations)), guesses
    for step in range(steps):
        slack = OUTLIER**2 * (1 + WIDE * 0.5**step) ** 2
        seen = _project(points, poses)
        weight = slack / (slack + seen.squared) / points.pixel
        change, error = _whitened(seen, weight)
        information = change.transpose(0, 2, 1) @ change + prior
        slope = (change.transpose(0, 2, 1) @ error + prior @ _vectors(poses)[..., None])[..., 0]
        update = np.clip(-np.linalg.solve(information, slope[..., None])[..., 0], -LARGEST, LARGEST)
        poses = Poses(rotations(update[:, :3]) @ poses.rotation, poses.translation + update[:, 3:])
    squared = _project(points, poses).squared
    unlikely = np.square(_vectors(poses) / deviations).sum(1)
    cost = (OUTLIER**2 * squared / (OUTLIER**2 + squared)).sum(1) + unlikely
    return Refined(poses, information, squared < OUTLIER**2, cost)


def rotations(vectors: Array) -> Array:
    """Matrices (k, 3, 3) of rotation `vectors` (k, 3) [rad] (Rodrigues): scipy's takes memory that a robot saves."""
    angle = np.linalg.norm(vectors, axis=1)[:, None, None]
    x, y, z = (vectors / np.maximum(angle[:, 0], 1e-12)).T
    none = np.zeros(len(vectors))
    cross = np.stack([none, -z, y, z, none, -x, -y, x, none], -1).reshape(-1, 3, 3)
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross)


def _vectors(poses: Poses) -> Array:
    """(k, 6) rotation vectors [rad] and translations [m]."""
    import cv2  # as in `local_features`

    vectors = np.stack([cv2.Rodrigues(rotation)[0].ravel() for rotation in poses.rotation])
    return np.concatenate([vectors, poses.translation], 1)


def _project(points: Correspondences, poses: Poses) -> _Projected:
    turned = (points.rays @ poses.rotation.transpose(0, 2, 1))[:, :, None] * points.depth[..., None]  # (k, n, m, 3)
    x, y, z = np.moveaxis(turned + poses.translation[:, None, None], -1, 0)
    z = np.maximum(z, NEAREST)
    at = np.stack([x / z, y / z, z], -1)
    error = at[..., :2] - points.seen[:, None]
    along = (turned[..., :2] - at[..., :2] * turned[..., 2:]) / z[..., None]
    length = np.linalg.norm(along, axis=-1)
    spread = 1 + np.square(points.log_sigma / points.pixel * length)  # of a variance along it
    off = (along * error).sum(-1) / np.maximum(length, 1e-12)
    squared = (np.square(error).sum(-1) - (1 - 1 / spread) * np.square(off)) / points.pixel**2
    best = (squared + np.log(spread)).argmin(-1)[..., None]

    def chosen(values: Array) -> Array:
        return np.take_along_axis(values, best if values.ndim == 3 else best[..., None], 2)[:, :, 0]

    return _Projected(*(chosen(values) for values in (turned, at, error, along, 1 / np.sqrt(spread), squared)))


def _whitened(seen: _Projected, weight: Array) -> tuple[Array, Array]:
    """Derivatives (k, 2n, 6) of where points are seen, and errors (k, 2n, 1), all of the same deviation."""
    u, v, z = np.moveaxis(seen.at, -1, 0)
    by_place = np.zeros((*z.shape, 2, 3))
    by_place[..., 0, 0] = by_place[..., 1, 1] = 1 / z
    by_place[..., 0, 2], by_place[..., 1, 2] = -u / z, -v / z
    by_turn = np.cross(seen.turned[:, :, None], by_place)
    both = np.concatenate([by_turn, by_place, seen.error[..., None]], -1)  # (k, n, 2, 7)
    line = (seen.along / np.maximum(np.linalg.norm(seen.along, axis=-1, keepdims=True), 1e-12))[..., None]
    both -= (1 - seen.shrunk)[..., None, None] * line * (line * both).sum(2, keepdims=True)
    both *= weight[..., None, None]
    flat = both.reshape(len(both), -1, 7)
    return flat[..., :6], flat[..., 6:]
