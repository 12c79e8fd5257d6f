"""Where somebody says that the robot is, as RViz's tool "2D Pose Estimate" and Nav2 do: the topic initialpose."""

from __future__ import annotations

import math
import threading

import numpy as np
from geometry_msgs.msg import PoseWithCovarianceStamped

from ami_ros.errors import AmiError
from ami_ros.places.types import Location
from ami_ros.ros.messages import conversions
from ami_ros.ros.node.lifecycle import AmiNode
from ami_ros.ros.node.qos import RELIABLE
from ami_ros.slam.place_memory import TOLD, PlaceMemory

SIGMAS = 3.0  # standard deviations that it may be off
LEAST, MOST = (0.2, 0.1), (2.0, math.pi)  # [m], [rad] that are looked through, whatever the covariance says


class InitialPose:
    """Passes on what is said, and tells what came of it.

    Args:
        node: memory's.
        memory: told while `lock` is held.
        lock: keeps that and observation apart.
        frame: of the memory.
    """

    def __init__(self, node: AmiNode, memory: PlaceMemory, lock: threading.Lock, frame: str) -> None:
        self._node, self._memory, self._lock, self._frame = node, memory, lock, frame
        self._said = ""  # what was told last, until it is known what came of it
        node.subscribe(PoseWithCovarianceStamped, "initialpose", self._tell, RELIABLE)

    def observed(self, location: Location) -> None:
        """Memory has seen another moment."""
        if not self._said:
            return
        said, self._said = self._said, ""
        if location.localised:
            x, y, yaw = location.pose
            self._node.get_logger().info(f"{said}, and found at ({x:.2f}, {y:.2f}, {yaw:.2f})")
        else:
            self._node.get_logger().warning(
                f"{said}; what is remembered there is not what the robot sees: it is looked for everywhere"
            )

    def _tell(self, message: PoseWithCovarianceStamped) -> None:
        frame = message.header.frame_id.lstrip("/")
        if frame != self._frame:
            raise AmiError(f"initialpose is in frame '{frame}'; say it in '{self._frame}', as RViz's fixed frame")
        pose, (reach, turn) = conversions.pose_from_message(message.pose.pose), _reach(message.pose.covariance)
        with self._lock:
            self._memory.set_initial_pose(pose, reach, turn)
            self._said = f"the robot is said to be at ({pose[0]:.2f}, {pose[1]:.2f}, {pose[2]:.2f})"


def _reach(covariance: np.typing.ArrayLike) -> tuple[float, float]:
    """How far off [m], [rad] a pose may be with this covariance (36,); where that says nothing, TOLD."""
    variances = np.asarray(covariance, np.float64).reshape(6, 6).diagonal()[[0, 1, 5]]
    if not np.isfinite(variances).all() or not (variances > 0).all():
        return TOLD
    wanted = SIGMAS * np.sqrt([max(variances[:2]), variances[2]])
    reach, turn = np.clip(wanted, LEAST, MOST)
    return float(reach), float(turn)
