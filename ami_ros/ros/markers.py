"""Memory as RViz shows it: places, the ways between them, and their labels."""

from __future__ import annotations

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker, MarkerArray

from ami_ros.geometry import Array
from ami_ros.memory.types import Places
from ami_ros.ros.conversions import header_at, pose_to_message

_PLACE, _EDGE, _LABEL = (
    ColorRGBA(r=0.20, g=0.55, b=0.95, a=0.9),
    ColorRGBA(r=0.55, g=0.60, b=0.65, a=0.5),
    ColorRGBA(r=1.0, g=1.0, b=1.0, a=1.0),
)


def place_markers(places: Places, frame: str, stamp: Time) -> MarkerArray:
    """Markers in `frame`, that of the memory; they replace the ones before."""
    header = header_at(stamp, frame)
    dots = Marker(header=header, ns="places", type=Marker.SPHERE_LIST, color=_PLACE, points=_points(places.poses))
    dots.scale.x = dots.scale.y = dots.scale.z = 0.08
    ways = Marker(header=header, ns="ways", type=Marker.LINE_LIST, color=_EDGE)
    ways.scale.x = 0.02
    if len(places.edges):
        order = np.argsort(places.ids)
        rows = order[np.searchsorted(places.ids, places.edges.reshape(-1), sorter=order)]
        ways.points = _points(places.poses[rows])
    markers = [Marker(header=header, action=Marker.DELETEALL), dots, ways]
    for place_id, label in places.labels.items():
        pose = pose_to_message(places.poses[int(np.flatnonzero(places.ids == place_id)[0])])
        pose.position.z = 0.3
        text = Marker(header=header, ns="labels", id=int(place_id), type=Marker.TEXT_VIEW_FACING, text=label, pose=pose)
        text.color, text.scale.z = _LABEL, 0.2
        markers.append(text)
    return MarkerArray(markers=markers)


def _points(poses: Array) -> list[Point]:
    return [Point(x=float(x), y=float(y), z=0.0) for x, y in poses[:, :2]]
