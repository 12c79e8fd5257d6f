"""Where somebody says that the robot is, as RViz's tool "2D Pose Estimate" and Nav2 do: the topic initialpose."""

from __future__ import annotations

import math

import numpy as np
from geometry_msgs.msg import PoseWithCovarianceStamped

from ami_ros.errors import AmiError
from ami_ros.parts.ports import Said
from ami_ros.ros.messages import conversions
from ami_ros.slam.place_memory import TOLD

SIGMAS = 3.0  # standard deviations that it may be off
LEAST, MOST = (0.2, 0.1), (2.0, math.pi)  # [m], [rad] that are looked through, whatever the covariance says


def said_from_message(message: PoseWithCovarianceStamped, frame: str) -> Said:
    """Where the robot is said to be, in `frame`, that of the memory. Raises AmiError if it is in another."""
    found = message.header.frame_id.lstrip("/")
    if found != frame:
        raise AmiError(f"initialpose is in frame '{found}'; say it in '{frame}', as RViz's fixed frame")
    return Said(conversions.pose_from_message(message.pose.pose), *_reach(message.pose.covariance))


def _reach(covariance: np.typing.ArrayLike) -> tuple[float, float]:
    """How far off [m], [rad] a pose may be with this covariance (36,); where that says nothing, TOLD."""
    variances = np.asarray(covariance, np.float64).reshape(6, 6).diagonal()[[0, 1, 5]]
    if not np.isfinite(variances).all() or not (variances > 0).all():
        return TOLD
    wanted = SIGMAS * np.sqrt([max(variances[:2]), variances[2]])
    reach, turn = np.clip(wanted, LEAST, MOST)
    return float(reach), float(turn)
