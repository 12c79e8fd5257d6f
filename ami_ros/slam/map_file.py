"""Maps of Nav2's map server: a YAML file and the picture beside it (nav2_map_server/src/map_io.cpp)."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import yaml
from numpy.typing import NDArray

from ami_ros.config import from_mapping, parse_yaml
from ami_ros.errors import AmiError
from ami_ros.geometry import Array
from ami_ros.images import decode_png
from ami_ros.slam.occupancy_map import FREE, MOST_CELLS, OCCUPIED, UNKNOWN, OccupancyMap

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
