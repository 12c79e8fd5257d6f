"""ROS messages of what measures distances, and masks, to plain values and back.

Everything from outside is checked here; a message that cannot be used raises `AmiError`.
"""

from __future__ import annotations

import math

import numpy as np
from nav_msgs.msg import OccupancyGrid
from numpy.typing import NDArray
from sensor_msgs.msg import LaserScan, PointCloud2, PointField, Range
from std_msgs.msg import Header

from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array
from ami_ros.core.scan import Scan
from ami_ros.ros.messages.conversions import floats_of, pose_from_message


def scan_from_message(message: LaserScan) -> Scan:
    """A scan as it was measured, in the frame of the scanner.

    As REP-117 has it: inf, and what is not less than `range_max`, is free up to `range_max`; -inf is something too near
    to measure and becomes `range_min`. What is no reading becomes NaN: NaN, 0, less than `range_min`, and inf where
    `range_max` is not set.
    """
    count, most_beams = len(message.ranges), 100_000
    if not 0 < count <= most_beams:
        raise AmiError(f"scan has {count} beams; between 1 and {most_beams} are allowed")
    if not (math.isfinite(message.angle_min) and math.isfinite(message.angle_increment) and message.angle_increment):
        raise AmiError("scan has no usable angle_min and angle_increment")
    turn = 2 * math.pi + 0.2  # [rad]: drivers count the first beam twice
    if abs(message.angle_increment) * (count - 1) > turn or abs(message.angle_min) > 2 * turn:
        raise AmiError(
            f"scan has {count} beams {message.angle_increment:.3g} rad apart, from {message.angle_min:.3g} rad on: "
            "more than a turn; are its angles in degrees?"
        )
    least, most = max(0.0, message.range_min), message.range_max
    usable = math.isfinite(most) and most > least
    ranges = np.array(message.ranges, dtype=np.float32)
    ranges[np.isneginf(ranges)] = least
    ranges[~((ranges >= least) & (ranges > 0.0))] = np.nan
    ranges[ranges >= (most if usable else np.inf)] = np.inf if usable else np.nan
    return Scan(
        ranges, float(message.angle_min), float(message.angle_increment), max_range=most if usable else math.inf
    )


def arc_from_message(message: Range, spacing: float) -> Array:
    """Where a Range may see something: points (n, 2) [m] in its frame, at most `spacing` [rad] apart; none of inf and
    what is not less than `max_range`, where that is set. What is less than `min_range` is there; -inf and 0 say that
    something is nearer than `min_range`, not where."""
    if math.isnan(message.range) or not 0 <= message.field_of_view <= 2 * math.pi:
        raise AmiError(f"a range of {message.range} m in {message.field_of_view} rad is no measurement")
    if 0.0 < message.max_range < math.inf and max(0.0, message.min_range) <= message.max_range <= message.range:
        return np.zeros((0, 2))
    away = message.range if message.range > 0 else max(0.0, message.min_range)
    if not math.isfinite(away):
        raise AmiError(f"a range of {message.range} m up to {message.max_range} m says nothing: set max_range")
    half = message.field_of_view / 2
    bearings = np.linspace(-half, half, 1 + 2 * math.ceil(half / spacing))
    return away * np.column_stack([np.cos(bearings), np.sin(bearings)])


def cloud_from_message(message: PointCloud2) -> Array:
    """The points (n, 3) [m] of a PointCloud2, without those that are not finite.

    Raises:
        AmiError: it is malformed, too large, or has points of which none is finite: that does not say that all is free.
    """
    count, places = message.width * message.height, {field.name: field for field in message.fields}
    most = 100_000  # what a gate that has 50 ms has time for
    if count > most:
        raise AmiError(f"a cloud of {count} points; at most {most} are usable: have its driver send fewer")
    end = ">" if message.is_bigendian else "<"
    formats = {PointField.FLOAT32: f"{end}f4", PointField.FLOAT64: f"{end}f8"}
    axes = [places[name] for name in ("x", "y", "z") if name in places and places[name].datatype in formats]
    if len(axes) < 3 or message.row_step < message.width * message.point_step:
        raise AmiError("a cloud needs x, y and z as float32 or float64, and rows as long as their points")
    kinds = [formats[axis.datatype] for axis in axes]
    offsets = [axis.offset for axis in axes]
    if any(offset + np.dtype(kind).itemsize > message.point_step for offset, kind in zip(offsets, kinds, strict=True)):
        raise AmiError("the fields of a cloud are longer than its points")
    if len(message.data) < message.row_step * message.height:
        raise AmiError(f"a cloud of {count} points has {len(message.data)} bytes, which is too few")
    layout = np.dtype({"names": ["x", "y", "z"], "formats": kinds, "offsets": offsets, "itemsize": message.point_step})
    steps = message.row_step, message.point_step
    data: NDArray[np.void] = np.ndarray((message.height, message.width), layout, bytes(message.data), 0, steps)
    points = np.stack([data[name].ravel().astype(np.float64) for name in ("x", "y", "z")], -1)
    finite = np.isfinite(points).all(1)
    if count and not finite.any():
        raise AmiError(f"a cloud of {count} points without one that is finite shows nothing: is its sensor covered?")
    return points[finite]


def mask_from_message(message: OccupancyGrid) -> tuple[NDArray[np.bool_], float, Array]:
    """Cells (h, w) of a grid that are wholly occupied (100), as a keep-out mask of Nav2 has them; the side of a cell
    [m], and the pose (3,) of the corner of the first one."""
    info = message.info
    most = 2**22  # cells: 100 m each way at 5 cm
    if not 0 < info.resolution < math.inf or not 0 < info.width * info.height <= most:
        raise AmiError(f"a mask of {info.width} x {info.height} cells of {info.resolution} m cannot be used")
    if len(message.data) != info.width * info.height:
        raise AmiError(f"a mask of {info.width} x {info.height} cells has {len(message.data)} of them")
    cells = np.asarray(message.data, dtype=np.int8).reshape(info.height, info.width) >= 100
    return cells, float(info.resolution), pose_from_message(info.origin)


def scan_to_message(scan: Scan, header: Header, range_min: float = 0.0, period: float = 0.0) -> LaserScan:
    """A LaserScan from a scan in the frame of `header`; its least range [m], and the time of a turn [s]."""
    return LaserScan(
        header=header,
        angle_min=float(scan.angle_min),
        angle_max=float(scan.angle_min + scan.angle_increment * (len(scan.ranges) - 1)),
        angle_increment=float(scan.angle_increment),
        scan_time=period,
        range_min=range_min,
        range_max=min(float(scan.max_range), 100.0),
        ranges=floats_of(scan.ranges),
    )
