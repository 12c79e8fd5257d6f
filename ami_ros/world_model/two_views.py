"""How a camera moved between two pictures, by points that both show, and by how far off those are.

Five points give the rotation and the direction of the motion, whatever else was matched wrongly (RANSAC on the
essential matrix, Nister, PAMI 2004; OpenCV's USAC, after Raguram, PAMI 2013, gives the same in a seventh of the time).
How far it went is in what is known of distances. So the motion of six degrees is fitted to the points that agree, with
what is known of the robot: its camera keeps its height and its tilt.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ami_ros.camera import CameraMount
from ami_ros.geometry import Array

LEAST = 8  # points, with fewer of which nothing is tried
ENOUGH = 0.8  # share of the points that agree on an epipolar geometry, which a motion has to explain
OFF = 0.01  # [1] at distance 1, that points may be off the epipolar line: a pixel of a camera of 90 degrees at 192 px
CONFIDENCE = 0.999  # of having found the points that agree
NOISE = 0.03  # [1] at distance 1, of where points are seen, with what is wrong about their distances
ITERATIONS = 8
LARGEST = 0.3  # [rad] or [m] of one of them
NEAREST, FARTHEST = 0.1, 3.0  # [m] of points, and of a motion
# Times the deviation that poses are off, and more for few points, and [m] besides; the logarithm of how much likelier a
# point makes it that both see the same, from how many on, at most. Of 976 drawn pairs that show nothing of each other
# 8 points agreed in none; of 250 of one real kitchen that turn by more than the camera sees 18 in none.
AGREEING, FEW, EXACT = 0.8, 8.0, 0.01
EVIDENCE, CHANCE, MOST = 0.4, 10.0, 12.0
# Standard deviations of what differs between two moments: tilt, turn and roll [rad], and right, down, ahead [m]. The
# camera of a robot whose place is known keeps its height; one of which nothing is known may be carried by hand.
MOUNTED = 0.03, 1.0, 0.04, 0.7, 0.02, 0.7
CARRIED = 0.15, 1.0, 0.1, 0.7, 0.15, 0.7


class Motion(NamedTuple):
    """Of the second camera, in the frame of the first, on the floor plan."""

    pose: Array  # (3,) x, y [m], yaw [rad], of cameras that look straight ahead
    inliers: int  # points that agree
    deviation: float  # [m] of the place, by how well points agree; distances that are wrong come on top


class _Fit(NamedTuple):
    """What brings points from the first camera's frame to the second's."""

    turn: Array  # (3, 3)
    gone: Array  # (3,) [m]
    information: Array  # (6, 6) of both
    inliers: int


def motion(a: Array, b: Array, depth: Array, mount: CameraMount) -> Motion | None:
    """From points (n, 2) of two pictures, at distance 1, that may be each other's.

    Args:
        a: of the first: to the right and down.
        b: of the second.
        depth: (n,) [m] of what the first shows there, along its axis.
        mount: of the camera; a height of 0 means that nothing is known of it.
    """
    import cv2  # as in `local_features`

    if len(a) < LEAST:
        return None
    essential, agree = cv2.findEssentialMat(a, b, np.eye(3), cv2.USAC_DEFAULT, CONFIDENCE, OFF)
    if essential is None or essential.shape != (3, 3):
        return None
    keep = agree.ravel() > 0
    if keep.sum() < LEAST:
        return None
    a, b, depth = a[keep], b[keep], depth[keep]
    fits = [_fit(a, b, depth, mount.z > 0, (np.eye(3), np.zeros(3)))]
    if fits[0].inliers < ENOUGH * len(a):  # the cameras are far apart, or turned: by what the points say alone
        _, turn, way, _ = cv2.recoverPose(essential, a, b, np.eye(3))
        fits.append(_fit(a, b, depth, mount.z > 0, (turn, _scaled(a, b, depth, turn, way[:, 0]))))
    turn, gone, information, inliers = max(fits, key=lambda fit: fit.inliers)
    if inliers < LEAST:
        return None
    tilt = rotation(np.array([-mount.pitch, 0.0, 0.0]))  # from the camera to a level one
    right, _, ahead = tilt @ (-turn.T @ gone)
    axis = (tilt @ turn.T @ tilt.T)[:, 2]
    deviation = float(np.sqrt(np.trace(np.linalg.inv(information)[3:, 3:])))
    return Motion(np.array([ahead, -right, np.arctan2(-axis[0], axis[2])]), inliers, deviation)


def _scaled(a: Array, b: Array, depth: Array, turn: Array, way: Array) -> Array:
    """The shift (3,) [m] in the direction of `way` (3,), by the median of what each point says of its length."""
    points, rays = (np.column_stack([at, np.ones(len(at))]) for at in (a, b))
    across, along = np.cross(rays, points * depth[:, None] @ turn.T), np.cross(rays, way)
    length = -(across * along).sum(1) / np.maximum(np.square(along).sum(1), 1e-9)
    return way * float(np.clip(np.median(length), 0.0, FARTHEST))


def _fit(a: Array, b: Array, depth: Array, is_mounted: bool, start: tuple[Array, Array]) -> _Fit:
    """By Gauss-Newton with Geman and McClure's weights."""
    import cv2  # as in `local_features`

    points = np.column_stack([a, np.ones(len(a))]) * depth[:, None]
    (turn, gone), prior = start, 1 / np.square(MOUNTED if is_mounted else CARRIED)
    information, off = np.diag(prior), np.zeros(len(a))
    for step in range(ITERATIONS + 1):
        turned = points @ turn.T
        x, y, z = (turned + gone).T
        z = np.maximum(z, NEAREST)
        error = np.column_stack([x / z, y / z]) - b
        off = np.hypot(*error.T)
        if step == ITERATIONS:
            break
        slack = NOISE * (1 + 8 * 0.5**step)  # wide at first
        weight = np.square(slack**2 / (slack**2 + off**2)) / NOISE**2
        by_place = np.zeros((len(a), 2, 3))
        by_place[:, 0, 0] = by_place[:, 1, 1] = 1 / z
        by_place[:, 0, 2], by_place[:, 1, 2] = -x / z**2, -y / z**2
        by_turn = np.cross(turned[:, None, :], by_place)
        change = np.concatenate([by_turn, by_place], -1)
        information = np.einsum("n,nki,nkj->ij", weight, change, change) + np.diag(prior)
        slope = np.einsum("n,nki,nk->i", weight, change, error)
        slope += prior * np.concatenate([cv2.Rodrigues(turn)[0].ravel(), gone])
        update = np.clip(-np.linalg.solve(information, slope), -LARGEST, LARGEST)
        turn, gone = rotation(update[:3]) @ turn, gone + update[3:]
    return _Fit(turn, gone, information, int((off < 3 * NOISE).sum()))


def rotation(vector: Array) -> Array:
    """The matrix (3, 3) of a turn about the direction of `vector` (3,), by its length [rad]."""
    import cv2  # as in `local_features`

    return np.asarray(cv2.Rodrigues(vector)[0])


def expected_error(moved: Motion) -> float:
    """[m] of the place."""
    return (AGREEING + FEW / moved.inliers) * moved.deviation + EXACT


def weight_of_evidence(inliers: int) -> float:
    """Logarithm of how much likelier so many points agree where both pictures see the same."""
    return min(max(EVIDENCE * (inliers - CHANCE), 0.0), MOST)
