"""Frames that are fixed to each other, and how a scanner is mounted by them. Rigid motions in space, where
`ami_ros.core.geometry` has those in the plane.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array
from ami_ros.core.scan import Mount

MAX_FRAMES = 2000  # that are remembered: of any robot, and not of who invents names


class StaticFrames:
    """A forest of frames, as static transforms tell of it one by one, in any order."""

    def __init__(self) -> None:
        self._parents: dict[str, tuple[str, Array]] = {}  # child -> its parent, and the child's pose in it (4, 4)

    def put(self, parent: str, child: str, translation: ArrayLike, quaternion: ArrayLike) -> None:
        """The frame `child` has that pose in `parent`: translation (3,) [m], quaternion (x, y, z, w).

        Raises:
            AmiError: numbers that are no pose, or too many frames.
        """
        pose = rigid(translation, quaternion)
        if not np.isfinite(pose).all():
            raise AmiError(f"the transform of frame '{child}' has a NaN or infinite number, or no rotation, in it")
        if _plain(child) not in self._parents and len(self._parents) >= MAX_FRAMES:
            raise AmiError(f"transforms of more than {MAX_FRAMES} frames: that of '{child}' is left out")
        self._parents[_plain(child)] = (_plain(parent), pose)

    def put_message(self, transform: Any) -> None:
        """The same of a geometry_msgs/TransformStamped."""
        move, turn = transform.transform.translation, transform.transform.rotation
        parent, child = transform.header.frame_id, transform.child_frame_id
        self.put(parent, child, (move.x, move.y, move.z), (turn.x, turn.y, turn.z, turn.w))

    def pose_of(self, frame: str, base: str) -> Array | None:
        """The pose (4, 4) of `frame` in `base`; None if nothing connects them."""
        above = dict(self._climb(_plain(base)))
        for ancestor, pose in self._climb(_plain(frame)):
            if ancestor in above:
                return np.asarray(np.linalg.inv(above[ancestor]) @ pose)
        return None

    def above(self, frame: str) -> list[str]:
        """The frame itself and all above it."""
        return [name for name, _ in self._climb(_plain(frame))]

    def _climb(self, frame: str) -> Iterator[tuple[str, Array]]:
        """The frame itself and all above it, with its pose in each."""
        pose, passed = np.eye(4), set[str]()
        while frame not in passed:
            yield frame, pose
            if frame not in self._parents:
                return
            passed.add(frame)
            frame, step = self._parents[frame]
            pose = step @ pose


def mount_of(pose: Array, frame: str) -> Mount:
    """How the scanner of `frame` sits, by the pose (4, 4) of that frame in base_link.

    Raises:
        AmiError: it is tilted: what it sees is not what stands around the robot.
    """
    level = float(np.arccos(np.clip(abs(pose[2, 2]), 0.0, 1.0)))
    if level > np.radians(10.0):  # more, and its plane does not count as level
        tilt = f"{np.degrees(level):.0f} degrees"
        raise AmiError(f"the scanner's frame '{frame}' is tilted by {tilt}: its scans are not used; mount it level")
    yaw = float(np.arctan2(pose[1, 0], pose[0, 0]))
    return Mount(float(pose[0, 3]), float(pose[1, 3]), yaw, bool(pose[2, 2] < 0.0))


def rigid(translation: ArrayLike, quaternion: ArrayLike) -> Array:
    """The pose (4, 4) of a translation (3,) [m] and a quaternion (x, y, z, w) of any length; NaN of one without any."""
    pose, turn = np.eye(4), np.asarray(quaternion, np.float64)
    pose[:3, 3], largest = translation, np.abs(turn).max()
    if not 1e-6 < largest < np.inf:
        pose[:3, :3] = np.nan
        return pose
    x, y, z, w = (turn / largest) / np.linalg.norm(turn / largest)  # squares of large numbers are infinite
    pose[:3, :3] = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return pose


def _plain(frame: str) -> str:
    return frame.lstrip("/")
