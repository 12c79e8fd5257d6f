"""Steps from pose to pose as they are measured: a pose and its covariance, [m] and [rad]."""

from __future__ import annotations

import numpy as np

from ami_ros.geometry import Array, compose, inverse, wrap


def inverted(step: tuple[Array, Array]) -> tuple[Array, Array]:
    """The step back: pose (3,) and covariance (3, 3)."""
    pose, covariance = step
    c, s = np.cos(pose[2]), np.sin(pose[2])
    x, y = pose[:2]
    jacobian = np.array([[-c, -s, s * x - c * y], [s, -c, c * x + s * y], [0.0, 0.0, -1.0]])
    return inverse(pose), jacobian @ covariance @ jacobian.T


def combined(first: tuple[Array, Array], second: tuple[Array, Array]) -> tuple[Array, Array]:
    """Pose (3,) and covariance (3, 3) of a step behind a step: errors are added up in the frame of the first.

    Smith, Self and Cheeseman, "Estimating uncertain spatial relationships in robotics" (1990).
    """
    (a, a_covariance), (b, b_covariance) = first, second
    c, s = np.cos(a[2]), np.sin(a[2])
    dx, dy = c * b[0] - s * b[1], s * b[0] + c * b[1]
    by_first = np.array([[1.0, 0.0, -dy], [0.0, 1.0, dx], [0.0, 0.0, 1.0]])
    by_second = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    covariance = by_first @ a_covariance @ by_first.T + by_second @ b_covariance @ by_second.T
    return compose(a, b), covariance


def fused(first: tuple[Array, Array], second: tuple[Array, Array]) -> tuple[Array, Array]:
    """Pose (3,) and covariance (3, 3) of one step that was measured twice, by errors that have nothing in common."""
    (a, a_covariance), (b, b_covariance) = first, second
    gain = a_covariance @ np.linalg.inv(a_covariance + b_covariance)
    off = b - a
    off[2] = wrap(off[2])
    return a + gain @ off, a_covariance - gain @ a_covariance
