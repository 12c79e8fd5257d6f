"""How a camera moved between two pictures, by points that both show, and by how far off those are.

Five points give the rotation and the direction of the motion, whatever else was matched wrongly (RANSAC on the
essential matrix, Nister, PAMI 2004; OpenCV's USAC, after Raguram, PAMI 2013, gives the same in a seventh of the time).
How far it went is in what is known of distances. So the motion of six degrees is fitted to the points that agree, with
what is known of the robot: its camera keeps its height and its tilt.

What a narrow camera sees of a wall may come of a turn or of a step aside, nearly as well. So several guesses are
refined, and where more than one explains the points, how far these are apart is the doubt.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ami_ros.camera import CameraMount
from ami_ros.geometry import Array
from ami_ros.world_model.pose_refinement import NEAREST, Correspondences, Poses, refine, rotations

LEAST = 8  # points, with fewer of which nothing is tried
OFF = 0.01  # [1] at distance 1, that points may be off the epipolar line: a pixel of a camera of 90 degrees at 192 px
CONFIDENCE = 0.999  # of having found the points that agree
FARTHEST = 3.0  # [m] of a motion
# Guesses beside that of the epipolar geometry: steps to the right and ahead [m], each with the turn that then fits.
STEPS = (0.0, 0.0), (0.5, 0.0), (-0.5, 0.0), (1.0, 0.0), (-1.0, 0.0), (0.0, 0.5), (0.0, -0.5)
FIRST, KEPT, LAST = 4, 3, 7  # iterations of all guesses, how many are left then, and iterations of those
# Times the deviation that poses are off, and more for few points, and [m] besides; the logarithm of how much likelier a
# point makes it that both see the same, from how many on, at most. Of 976 drawn pairs that show nothing of each other
# 8 points agreed in none; of 250 of one real kitchen that turn by more than the camera sees 18 in none.
AGREEING, FEW, EXACT = 1.2, 8.0, 0.01
EVIDENCE, CHANCE, MOST = 0.4, 10.0, 12.0
# Standard deviations of what differs between two moments: tilt, turn and roll [rad], and right, down, ahead [m]. The
# camera of a robot whose place is known keeps its height; one of which nothing is known may be carried by hand.
MOUNTED = np.array([0.03, 1.0, 0.04, 0.7, 0.02, 0.7])
CARRIED = np.array([0.15, 1.0, 0.1, 0.7, 0.15, 0.7])


class Motion(NamedTuple):
    """Of the second camera, in the frame of the first, on the floor plan."""

    pose: Array  # (3,) x, y [m], yaw [rad], of cameras that look straight ahead
    inliers: int  # points that agree
    deviation: float  # [m] of the place, by how well points agree


def motion(points: Correspondences, mount: CameraMount) -> Motion | None:
    """From points that may be each other's; None: too few agree.

    Args:
        points: of both pictures.
        mount: of the camera; a height of 0 means that nothing is known of it.
    """
    import cv2  # as in `local_features`

    if len(points.rays) < LEAST:
        return None
    a, b = points.rays[:, :2], points.seen
    essential, agree = cv2.findEssentialMat(a, b, np.eye(3), cv2.USAC_DEFAULT, CONFIDENCE, OFF)
    if essential is None or essential.shape != (3, 3):
        return None
    keep = agree.ravel() > 0
    if keep.sum() < LEAST:
        return None
    points, deviations = points.of(keep), MOUNTED if mount.z > 0 else CARRIED
    first = refine(points, _guesses(points, essential), deviations, FIRST)
    found = refine(points, first.poses.of(np.argsort(first.cost)[:KEPT]), deviations, LAST)
    k = int(found.cost.argmin())
    inliers = int(found.agree[k].sum())
    if inliers < LEAST:
        return None
    likely = np.exp((found.cost[k] - found.cost) / 2)
    centres, turn = found.poses.centres, found.poses.rotation[k]
    variance = np.linalg.inv(found.information)[:, 3:, 3:].trace(axis1=1, axis2=2)
    variance += np.square(centres - centres[k]).sum(1)
    level = rotations(np.array([[-mount.pitch, 0.0, 0.0]]))[0]  # from the camera to a level one
    right, _, ahead = level @ centres[k]
    axis = (level @ turn.T @ level.T)[:, 2]
    deviation = float(np.sqrt((likely * variance).sum() / likely.sum()))
    return Motion(np.array([ahead, -right, np.arctan2(-axis[0], axis[2])]), inliers, deviation)


def _guesses(points: Correspondences, essential: Array) -> Poses:
    """That of the epipolar geometry, and STEPS with the turns that fit them."""
    import cv2  # as in `local_features`

    room = points.rays * points.depth[:, :1]
    _, turn, way, _ = cv2.recoverPose(essential, points.rays[:, :2], points.seen, np.eye(3))
    seen = np.column_stack([points.seen, np.ones(len(room))])
    across, along = np.cross(seen, room @ turn.T), np.cross(seen, way[:, 0])
    length = -(across * along).sum(1) / np.maximum(np.square(along).sum(1), 1e-9)
    gone = way[:, 0] * float(np.clip(np.median(length), 0.0, FARTHEST))
    steps = np.array([(-right, 0.0, -ahead) for right, ahead in STEPS])
    x, _, z = np.moveaxis(room + steps[:, None], -1, 0)
    angle = np.median(np.arctan(points.seen[:, 0]) - np.arctan2(x, np.maximum(z, NEAREST)), axis=1)
    turns = rotations(np.column_stack([0 * angle, angle, 0 * angle]))
    moves = np.concatenate([gone[None], np.einsum("kij,kj->ki", turns, steps)])
    return Poses(np.concatenate([turn[None], turns]), moves)


def expected_error(moved: Motion) -> float:
    """[m] of the place."""
    return (AGREEING + FEW / moved.inliers) * moved.deviation + EXACT


def weight_of_evidence(inliers: int) -> float:
    """Logarithm of how much likelier so many points agree where both pictures see the same."""
    return min(max(EVIDENCE * (inliers - CHANCE), 0.0), MOST)
