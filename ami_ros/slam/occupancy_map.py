"""An occupancy map of what the lasers of all places saw, as Nav2's map server knows it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ami_ros.background import Slices, finished
from ami_ros.config import dump_yaml
from ami_ros.errors import AmiError
from ami_ros.geometry import Array, transform_points
from ami_ros.places.database import meta_of
from ami_ros.places.store import Store
from ami_ros.submaps import GRAIN, RAYS, REACH, Submap

CELL = 0.05  # [m], as maps of Nav2 usually have; what a submap keeps is twice as coarse
MOST_CELLS = 2**24
ROWS = 2**18  # cells that are judged in one slice
BORDER = 0.5  # [m] of what is not known around the map
SHORT = 0.1  # [m] before what a beam met, up to which it counts as free: places err by centimetres
SOLID = 0.3  # times the places that saw a cell to be free, that saw something there: people walk on
UNKNOWN, FREE, OCCUPIED = -1, 0, 100  # as in nav_msgs/OccupancyGrid
SHADES = {UNKNOWN: 205, FREE: 254, OCCUPIED: 0}  # as nav2_map_server writes them
FREE_BELOW = 0.196  # of the shade of UNKNOWN: 1 - 205 / 255 is a little more, and Nav2 took it for free below 0.25
_BEARINGS = np.arange(RAYS) * 2 * np.pi / RAYS


@dataclass(frozen=True)
class OccupancyMap:
    """What is free, what stands.

    Attributes:
        cells: (height, width) of UNKNOWN, FREE and OCCUPIED, or of what lies between in a map that was read; the first
            row has the least y.
        resolution: [m], side of a cell.
        origin: (2,) [m] corner of the first cell in the map's frame.
        yaw: [rad] by which the grid is turned about that corner.
    """

    cells: NDArray[np.int8]
    resolution: float
    origin: Array
    yaw: float = 0.0

    def points(self, cells: NDArray[np.integer]) -> Array:
        """Middles (n, 2) [m] in the map's frame of cells (n, 2), each row and column."""
        local = (cells[:, ::-1] + 0.5) * self.resolution
        return transform_points(np.array([*self.origin, self.yaw]), local)

    def pgm(self) -> bytes:
        """As a picture, its upper row that of the greatest y (PGM, 8 bits)."""
        shades = np.zeros(self.cells.shape, np.uint8)
        for value, shade in SHADES.items():
            shades[self.cells == value] = shade
        height, width = self.cells.shape[0], self.cells.shape[1]
        return f"P5\n{width} {height}\n255\n".encode() + shades[::-1].tobytes()

    def yaml(self, picture: str) -> str:
        """The file beside a `picture` of that name, for nav2_map_server."""
        origin = [round(float(value), 4) for value in self.origin]
        thresholds = {"mode": "trinary", "negate": 0, "occupied_thresh": 0.65, "free_thresh": FREE_BELOW}
        yaw = round(float(self.yaw), 6)
        return dump_yaml({"image": picture, "resolution": self.resolution, "origin": [*origin, yaw], **thresholds})


Seen = Sequence[tuple[Array, Submap]]  # poses (3,) of places in the map's frame, and what was seen around each


def occupancy_map(places: Seen) -> OccupancyMap | None:
    """The map of places; None where nothing was seen."""
    return finished(drawing(lambda: [places]))


def drawing(parts: Callable[[], Iterable[Seen]]) -> Slices[OccupancyMap | None]:
    """Likewise in slices, a part of the places in each; it goes over all `parts` twice."""
    low, high = np.full(2, np.inf), np.full(2, -np.inf)
    for part in parts():
        for pose, submap in part:
            points = transform_points(pose, np.concatenate([submap.points, _free_edge(submap)]))
            low, high = np.minimum(low, points.min(axis=0)), np.maximum(high, points.max(axis=0))
        yield
    if not np.isfinite(low).all():
        return None
    low, high = low - BORDER, high + BORDER
    cell = max(CELL, math.sqrt(float(np.prod(high - low)) / MOST_CELLS))
    width, height = (int(n) for n in np.ceil((high - low) / cell))
    free, solid = np.zeros((height, width), np.uint16), np.zeros((height, width), np.uint16)
    for part in parts():
        for pose, submap in part:
            _draw(free, (transform_points(pose, _free_edge(submap)) - low) / cell)
            at = np.floor((transform_points(pose, submap.points) - low) / cell).astype(np.int64)
            at = at[(at >= 0).all(axis=1) & (at < (width, height)).all(axis=1)]
            solid.reshape(-1)[np.unique(at @ [1, width])] += 1
        yield
    cells = np.full((height, width), UNKNOWN, np.int8)
    for first in range(0, height, max(1, ROWS // width)):
        yield
        _judge(cells, free, solid, slice(first, first + max(1, ROWS // width)), max(1, round(GRAIN / cell)))
    return OccupancyMap(cells, round(cell, 6), low)


def submaps_in(memory: Path) -> list[tuple[Array, Submap]]:
    """Poses (3,) of the places in a memory file, and what a laser saw around each, where one did.

    Raises:
        AmiError: it is no memory that can be read.
    """
    if not memory.is_file():
        raise AmiError(f"there is no memory {memory}")
    store = Store(memory, *meta_of(memory), read_only=True)
    try:
        places, _ = store.load()
        known = store.experience([place.id for place in places])
        found = ((place.pose, known[place.id].submap) for place in places if place.id in known)
        return [(pose, submap) for pose, packed in found if packed and (submap := Submap.unpack(packed)) is not None]
    finally:
        store.close()


def _draw(free: NDArray[np.uint16], edge: Array) -> None:
    """Counts what lies within an `edge` (n, 2) [cells], x first."""
    import cv2

    corners = np.clip(np.round(edge - 0.5), 0, np.array(free.shape[::-1]) - 1).astype(np.int32)
    (left, bottom), (right, top) = corners.min(axis=0), corners.max(axis=0) + 1
    seen = np.zeros((top - bottom, right - left), np.uint8)
    cv2.fillPoly(seen, [corners - (left, bottom)], 1)
    free[bottom:top, left:right] += seen


def _judge(
    cells: NDArray[np.int8], free: NDArray[np.uint16], solid: NDArray[np.uint16], rows: slice, grain: int
) -> None:
    """Says of some rows what is free and what stands, by how often either was seen; points are `grain` cells wide."""
    import cv2

    first = max(0, rows.start - grain)
    wide = cv2.dilate(solid[first : rows.stop + grain], np.ones((grain, grain), np.uint8))
    wide, seen = wide[rows.start - first :][: len(cells[rows])], free[rows]
    cells[rows][seen > 0] = FREE
    cells[rows][(wide > 0) & (wide >= SOLID * seen)] = OCCUPIED


def _free_edge(submap: Submap) -> Array:
    """Around what is seen to be free (RAYS, 2) in the place's frame."""
    reach = np.maximum(np.minimum(np.nan_to_num(submap.free), REACH) - SHORT, 0.0)
    return np.column_stack([np.cos(_BEARINGS) * reach, np.sin(_BEARINGS) * reach])
