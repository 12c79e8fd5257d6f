"""An occupancy map of what the lasers of all places saw, as Nav2's map server knows it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import yaml
from numpy.typing import NDArray

from ami_ros.core.background import Slices, finished
from ami_ros.core.config import dump_yaml, from_mapping, parse_yaml
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, transform_points
from ami_ros.core.images import decode_png
from ami_ros.core.submaps import GRAIN, RAYS, REACH, Submap
from ami_ros.memory.database import meta_of
from ami_ros.memory.store import Store

CELL = 0.05  # [m], as maps of Nav2 usually have; what a submap keeps is twice as coarse
SHORT = 0.1  # [m] before what a beam met, up to which it counts as free: places err by centimetres
SOLID = 0.3  # times the places that saw a cell to be free, that saw something there: people walk on
MOST_CELLS = 2**24
ROWS = 2**18  # cells that are judged in one slice
BORDER = 0.5  # [m] of what is not known around the map
UNKNOWN, FREE, OCCUPIED = -1, 0, 100  # as in nav_msgs/OccupancyGrid
SHADES = {UNKNOWN: 205, FREE: 254, OCCUPIED: 0}  # as nav2_map_server writes them
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
        # of the shade of UNKNOWN: 1 - 205 / 255 is a little more, and Nav2 took it for free below 0.25
        thresholds = {"mode": "trinary", "negate": 0, "occupied_thresh": 0.65, "free_thresh": 0.196}
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


# Maps of Nav2's map server: a YAML file and the picture beside it (nav2_map_server/src/map_io.cpp).

MOST_BYTES = 4 * MOST_CELLS + 4096  # of a picture: numbers as text, each with a blank
_HEAD = re.compile(rb"P([25])\s(?:\s*#[^\n]*\n)*\s*(\d{1,6})\s+(?:#[^\n]*\n)*(\d{1,6})\s+(?:#[^\n]*\n)*(\d{1,5})\s")


@dataclass(frozen=True)
class MapFile:
    """The YAML file of a map."""

    image: str  # the picture, beside this file or by its whole path
    resolution: float  # [m], side of a cell
    origin: tuple[float, float, float]  # [m], [m], [rad] of the lower left corner of the picture
    occupied_thresh: float  # darkness from which a cell is occupied
    free_thresh: float  # darkness up to which it is free
    negate: int = 0  # 1: white is occupied, and black is free
    mode: Literal["trinary", "scale", "raw"] = "trinary"  # what the shades between free and occupied mean

    def __post_init__(self) -> None:
        if not 0.0 < self.resolution < math.inf or not np.isfinite(self.origin).all():
            raise ValueError("resolution must be positive, and origin three finite numbers")
        if not 0.0 <= self.free_thresh < self.occupied_thresh <= 1.0:
            raise ValueError("thresholds must be 0 <= free_thresh < occupied_thresh <= 1")
        if self.negate not in (0, 1):
            raise ValueError("negate must be 0 or 1")


def read_map(path: Path) -> OccupancyMap:
    """The map that a YAML file describes.

    Raises:
        AmiError: it or its picture is missing, damaged, too large, or says what cannot be.
    """
    try:
        values = parse_yaml(path.read_text(encoding="utf-8"))
        if isinstance(values, dict) and isinstance(values.get("negate"), bool):
            values["negate"] = int(values["negate"])
        head = from_mapping(MapFile, values, str(path))
        picture = path.parent / Path(head.image).expanduser()
        if picture.stat().st_size > MOST_BYTES:
            raise AmiError(f"the map {path}: {picture} has more than {MOST_BYTES} bytes; make its cells larger")
        data = picture.read_bytes()
    except OSError as error:
        raise AmiError(f"the map {path}: cannot read {error.filename}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise AmiError(f"the map {path} is no YAML file: {' '.join(str(error).split())}") from error
    try:
        shades, hidden = _shades(data)
    except AmiError as error:
        raise AmiError(f"the map {path}: {picture}: {error}") from error
    cells = np.where(hidden & (head.mode != "raw"), UNKNOWN, _cells(head, shades)).astype(np.int8)
    return OccupancyMap(cells[::-1].copy(), head.resolution, np.array(head.origin[:2]), head.origin[2])


def _cells(head: MapFile, shades: Array) -> Array:
    """Values of cells, of shades in [0, 255]."""
    if head.mode == "raw":
        whole = np.round(shades)
        return np.where(whole <= OCCUPIED, whole, UNKNOWN)
    dark = shades / 255.0 if head.negate else 1.0 - shades / 255.0
    between = np.full(dark.shape, float(UNKNOWN))
    if head.mode == "scale":
        between = np.round(100.0 * (dark - head.free_thresh) / (head.occupied_thresh - head.free_thresh))
    return np.where(dark >= head.occupied_thresh, OCCUPIED, np.where(dark <= head.free_thresh, FREE, between))


def _shades(data: bytes) -> tuple[Array, NDArray[np.bool_]]:
    """Shades (H, W) in [0, 255] of a picture, and which pixels are not opaque."""
    if (head := _HEAD.match(data)) is not None:
        return _pgm(data[head.end() :], *(int(value) for value in head.groups()))
    if not data.startswith(b"\x89PNG"):
        raise AmiError("is neither PGM nor PNG; convert it to one of them")
    pixels = decode_png(data, MOST_CELLS)
    most = float(np.iinfo(pixels.dtype).max)
    channels = pixels.reshape(*pixels.shape[:2], -1) * (255.0 / most)
    hidden = channels[..., 3] < 255.0 if channels.shape[2] == 4 else np.zeros(channels.shape[:2], bool)
    return channels[..., :3].mean(axis=2), hidden


def _pgm(pixels: bytes, kind: int, width: int, height: int, most: int) -> tuple[Array, NDArray[np.bool_]]:
    """See `_shades`; of what follows the header (netpbm, pgm.5)."""
    if not 0 < width * height <= MOST_CELLS or not 0 < most < 65536:
        raise AmiError(f"{width} x {height} cells of up to {most} cannot be read; at most {MOST_CELLS} are")
    try:
        if kind == 2:
            values = np.array(pixels.split()[: width * height], np.float64)
        else:
            values = np.frombuffer(pixels, np.uint8 if most < 256 else ">u2", width * height).astype(np.float64)
    except ValueError as error:
        raise AmiError("is damaged or cut off; write it anew") from error
    if len(values) != width * height or (values > most).any() or (values < 0).any():
        raise AmiError("is damaged or cut off; write it anew")
    return values.reshape(height, width) * (255.0 / most), np.zeros((height, width), bool)
