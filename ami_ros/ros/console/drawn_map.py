"""The map as a page shows it: memory's, or of a memory that keeps no scans what the laser saw while somebody looked."""

from __future__ import annotations

import time

import cv2
import numpy as np
from nav_msgs.msg import OccupancyGrid
from numpy.typing import NDArray

from ami_ros.console.documents import data_url
from ami_ros.console.scene import Scene, rounded
from ami_ros.geometry import Array, compose, inverse, relative
from ami_ros.mission.occupancy import CELL, Grid
from ami_ros.scan import Scan

PERIOD = 2.0  # [s] between two pictures of what the laser saw
FREE = 50  # per cent below which a cell counts as free
TURNS = 0.3  # [rad/s] above which scans are left out: pose and scan are of two moments
STEP = 0.1  # [m] and [rad] that the robot has moved since the scan before
LEAP = 0.5  # [m] and [rad] by which odom's frame has to move in the map at once for the picture to move along


class DrawnMap:
    """Puts the map into a scene.

    Args:
        scene: see there.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._of_memory = False
        self._grid: Grid | None = None
        self._last: Array | None = None  # where the scan before was drawn in
        self._frame = np.zeros(3)
        self._drawn = 0.0  # steady time [s]

    def of_memory(self, message: OccupancyGrid) -> None:
        """Memory's own map counts from now on."""
        self._of_memory, info = True, message.info
        self._scene.map_frame = message.header.frame_id or "map"
        cells = np.array(message.data, dtype=np.int8).reshape(info.height, info.width)
        self._put(cells, info.resolution, np.array([info.origin.position.x, info.origin.position.y]))

    def of_laser(self, scan: Scan) -> None:
        """What the laser sees now."""
        pose, now = self._scene.pose, time.monotonic()
        turns = self._scene.command[1] if len(self._scene.command) > 1 else 0.0
        if self._of_memory or pose is None or abs(turns) > TURNS:
            return
        if self._last is not None and np.abs(relative(self._last, pose)).max() < STEP:
            return
        if self._grid is None:
            self._grid, self._frame = Grid(pose), self._scene.odom_in_map
        motion = compose(self._scene.odom_in_map, inverse(self._frame))
        if np.abs(motion).max() > LEAP:  # what was drawn stays where it was seen from the robot
            self._grid = moved(self._grid, motion)
        self._frame, self._last = self._scene.odom_in_map, pose
        self._grid.add(pose, scan)
        if now - self._drawn > PERIOD:
            self._drawn = now
            self._draw(self._grid)

    def _draw(self, grid: Grid) -> None:
        """The part of it that is known, as a map of memory's would be."""
        known = np.argwhere(np.abs(grid.odds[::4, ::4]) > 0) * 4
        if not len(known):
            return
        low, high = np.maximum(known.min(axis=0) - 8, 0), known.max(axis=0) + 12
        odds = grid.odds[low[0] : high[0], low[1] : high[1]].T
        cells = np.where(odds == 0, -1, np.clip(50 + 120 * odds, 0, 100)).astype(np.int8)
        self._put(cells, CELL, grid.points(low[None])[0] - CELL / 2)

    def _put(self, cells: NDArray[np.int8], resolution: float, origin: Array) -> None:
        """Cells (h, w): per cent that something stands there, -1: not known; the first row has the least y."""
        self._scene.explored = float(((cells >= 0) & (cells < FREE)).sum()) * resolution**2
        # Grey says how likely something stands there; the page colours it. Alpha 0: unknown.
        grey = np.where(cells < 0, 0, 255 - 2 * np.clip(cells, 0, 100).astype(np.int16)).astype(np.uint8)[::-1]
        alpha = np.where(cells < 0, 0, 255).astype(np.uint8)[::-1]
        encoded = cv2.imencode(".png", np.dstack([grey, grey, grey, alpha]))[1].tobytes()
        document = {
            "src": data_url(encoded), "origin": rounded(origin), "resolution": float(resolution),
            "size": [cells.shape[1], cells.shape[0]],
        }  # fmt: skip
        self._scene.documents.put("map", document)


def moved(grid: Grid, motion: Array) -> Grid:
    """A grid with all that is in it moved by a pose (3,) of its old frame in the new one."""
    c, s, half, middle = np.cos(motion[2]), np.sin(motion[2]), 0.5 - grid.zero, grid.middle
    back = np.array([[c, s], [-s, c]])  # from the new frame to the old one
    shift = (back @ (middle - motion[:2]) - middle) / CELL + back @ half - half
    # OpenCV has the second index of an array first.
    columns = np.array([[back[1, 1], back[1, 0], shift[1]], [back[0, 1], back[0, 0], shift[0]]])
    found, size = Grid(middle), grid.odds.shape[::-1]
    found.odds = cv2.warpAffine(grid.odds, columns, size, flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP)
    found.zero = grid.zero
    return found
