"""Markers for RViz: places and the ways between them, what was imagined, goals, and what moves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from geometry_msgs.msg import Point, Pose, Vector3
from numpy.typing import ArrayLike
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from ami_ros.core.geometry import Array
from ami_ros.memory.types import Places
from ami_ros.ros.messages.conversions import pose_to_message
from ami_ros.safety.moving_things import Kind, MovingThings

COLOURS = {
    "goal": (1.0, 0.35, 0.85, 0.9),
    "places": (0.20, 0.55, 0.95, 0.9),
    "ways": (0.55, 0.60, 0.65, 0.5),
    "words": (1.0, 1.0, 1.0, 1.0),
    "others": (1.0, 0.75, 0.2, 0.35),
    "people": (0.95, 0.35, 0.25, 0.7),
}


def _marker(header: Header, ns: str, kind: int, colour: str, scale: Sequence[float], **more: Any) -> Marker:
    """`scale` is x, y, z [m], as far as the kind has them."""
    x, y, z = (*scale, 0.0, 0.0)[:3]
    r, g, b, a = COLOURS[colour]
    color, size = ColorRGBA(r=r, g=g, b=b, a=a), Vector3(x=x, y=y, z=z)
    return Marker(header=header, ns=ns, type=kind, color=color, scale=size, **more)


def _pose(pose: ArrayLike, height: float) -> Pose:
    message = pose_to_message(pose)
    message.position.z = height
    return message


def place_markers(places: Places, header: Header) -> MarkerArray:
    """Markers in the frame of `header`, that of the memory; they replace the ones before."""
    dots = _marker(header, "places", Marker.SPHERE_LIST, "places", (0.08, 0.08, 0.08), points=_points(places.poses))
    ways = _marker(header, "ways", Marker.LINE_LIST, "ways", (0.02,))
    if len(places.edges):
        order = np.argsort(places.ids)
        rows = order[np.searchsorted(places.ids, places.edges.reshape(-1), sorter=order)]
        ways.points = _points(places.poses[rows])
    markers = [Marker(header=header, action=Marker.DELETEALL), dots, ways]
    for number, (place_id, label) in enumerate(places.labels.items()):  # ids of places have 52 bits, of markers 31
        pose = _pose(places.poses[int(np.flatnonzero(places.ids == place_id)[0])], 0.3)
        kind, size = Marker.TEXT_VIEW_FACING, (0.0, 0.0, 0.2)
        markers.append(_marker(header, "labels", kind, "words", size, id=number, text=label, pose=pose))
    return MarkerArray(markers=markers)


def rollout_markers(poses: Array, others: Array, header: Header) -> MarkerArray:
    """The expected poses (n, 3) in the frame of `header`, as arrows that grow faint with time; other futures
    (k, n, 3) as thin lines."""
    lines = _marker(header, "others", Marker.LINE_LIST, "others", (0.008,))
    if len(others):
        lines.points = _points(np.stack([others[:, :-1], others[:, 1:]], 2).reshape(-1, 3))
    markers = [Marker(header=header, action=Marker.DELETEALL), lines]
    for index, pose in enumerate(poses):
        size, at = (0.2, 0.04, 0.04), pose_to_message(pose)
        markers.append(_marker(header, "rollout", Marker.ARROW, "others", size, id=index, pose=at))
        markers[-1].color.a = 1.0 - 0.8 * index / len(poses)
    return MarkerArray(markers=markers)


def goal_markers(pose: Array, text: str, header: Header) -> MarkerArray:
    """An arrow at a goal's pose (3,), and above it what is done about it; they replace the ones before."""
    arrow = _marker(header, "goal", Marker.ARROW, "goal", (0.4, 0.06, 0.06), id=0, pose=pose_to_message(pose))
    kind, above = Marker.TEXT_VIEW_FACING, _pose(pose, 0.4)
    words = _marker(header, "goal", kind, "words", (0.0, 0.0, 0.15), id=1, text=text, pose=above)
    return MarkerArray(markers=[arrow, words])


def people_markers(things: MovingThings, header: Header) -> MarkerArray:
    """What moves in the frame of `header`: a drum for each, as tall as a person if it is one, and its next second."""
    markers = [Marker(header=header, action=Marker.DELETEALL)]
    for thing in things.things:
        (x, y), (vx, vy) = thing.position.tolist(), thing.velocity.tolist()
        height, width = 1.7 if thing.kind is Kind.PERSON else 0.8, 2.0 * thing.radius
        size, middle = (width, width, height), _pose([x, y, 0.0], height / 2)
        markers.append(_marker(header, "people", Marker.CYLINDER, "people", size, id=thing.id, pose=middle))
        way = [Point(x=x, y=y, z=0.1), Point(x=x + vx, y=y + vy, z=0.1)]
        markers.append(_marker(header, "velocities", Marker.ARROW, "people", (0.04, 0.1), id=thing.id, points=way))
    return MarkerArray(markers=markers)


def _points(poses: Array) -> list[Point]:
    return [Point(x=float(x), y=float(y), z=0.0) for x, y in poses[:, :2]]
