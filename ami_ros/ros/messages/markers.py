"""Markers for RViz: places and the ways between them, what was imagined, goals, and what moves."""

from __future__ import annotations

import numpy as np
from geometry_msgs.msg import Point
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from ami_ros.core.geometry import Array
from ami_ros.memory.types import Places
from ami_ros.ros.messages.conversions import pose_to_message
from ami_ros.safety.moving_things import Kind, MovingThings

_GOAL = ColorRGBA(r=1.0, g=0.35, b=0.85, a=0.9)
_PLACE, _EDGE, _LABEL = (
    ColorRGBA(r=0.20, g=0.55, b=0.95, a=0.9),
    ColorRGBA(r=0.55, g=0.60, b=0.65, a=0.5),
    ColorRGBA(r=1.0, g=1.0, b=1.0, a=1.0),
)
_OTHER = ColorRGBA(r=1.0, g=0.75, b=0.2, a=0.35)
_MOVING = ColorRGBA(r=0.95, g=0.35, b=0.25, a=0.7)


def place_markers(places: Places, header: Header) -> MarkerArray:
    """Markers in the frame of `header`, that of the memory; they replace the ones before."""
    dots = Marker(header=header, ns="places", type=Marker.SPHERE_LIST, color=_PLACE, points=_points(places.poses))
    dots.scale.x = dots.scale.y = dots.scale.z = 0.08
    ways = Marker(header=header, ns="ways", type=Marker.LINE_LIST, color=_EDGE)
    ways.scale.x = 0.02
    if len(places.edges):
        order = np.argsort(places.ids)
        rows = order[np.searchsorted(places.ids, places.edges.reshape(-1), sorter=order)]
        ways.points = _points(places.poses[rows])
    markers = [Marker(header=header, action=Marker.DELETEALL), dots, ways]
    for number, (place_id, label) in enumerate(places.labels.items()):  # ids of places have 52 bits, of markers 31
        pose = pose_to_message(places.poses[int(np.flatnonzero(places.ids == place_id)[0])])
        pose.position.z = 0.3
        text = Marker(header=header, ns="labels", id=number, type=Marker.TEXT_VIEW_FACING, text=label, pose=pose)
        text.color, text.scale.z = _LABEL, 0.2
        markers.append(text)
    return MarkerArray(markers=markers)


def rollout_markers(poses: Array, others: Array, header: Header) -> MarkerArray:
    """The expected poses (n, 3) in the frame of `header`, as arrows that grow faint with time; other futures
    (k, n, 3) as thin lines."""
    lines = Marker(header=header, ns="others", type=Marker.LINE_LIST, color=_OTHER)
    lines.scale.x = 0.008
    if len(others):
        lines.points = _points(np.stack([others[:, :-1], others[:, 1:]], 2).reshape(-1, 3))
    markers = [Marker(header=header, action=Marker.DELETEALL), lines]
    for index, pose in enumerate(poses):
        arrow = Marker(header=header, ns="rollout", id=index, type=Marker.ARROW, pose=pose_to_message(pose))
        arrow.scale.x, arrow.scale.y, arrow.scale.z = 0.2, 0.04, 0.04
        arrow.color = ColorRGBA(r=1.0, g=0.75, b=0.2, a=1.0 - 0.8 * index / len(poses))
        markers.append(arrow)
    return MarkerArray(markers=markers)


def goal_markers(pose: Array, text: str, header: Header) -> MarkerArray:
    """An arrow at a goal's pose (3,), and above it what is done about it; they replace the ones before."""
    arrow = Marker(header=header, ns="goal", id=0, type=Marker.ARROW, pose=pose_to_message(pose))
    arrow.scale.x, arrow.scale.y, arrow.scale.z, arrow.color = 0.4, 0.06, 0.06, _GOAL
    words = Marker(header=header, ns="goal", id=1, type=Marker.TEXT_VIEW_FACING, text=text, pose=pose_to_message(pose))
    words.pose.position.z, words.scale.z, words.color = 0.4, 0.15, _LABEL
    return MarkerArray(markers=[arrow, words])


def people_markers(things: MovingThings, header: Header) -> MarkerArray:
    """What moves in the frame of `header`: a drum for each, as tall as a person if it is one, and its next second."""
    markers = [Marker(header=header, action=Marker.DELETEALL)]
    for thing in things.things:
        (x, y), (vx, vy) = thing.position.tolist(), thing.velocity.tolist()
        height = 1.7 if thing.kind is Kind.PERSON else 0.8
        drum = Marker(header=header, ns="people", id=thing.id, type=Marker.CYLINDER, color=_MOVING)
        drum.pose = pose_to_message([x, y, 0.0])
        drum.pose.position.z = height / 2
        drum.scale.x = drum.scale.y = 2.0 * thing.radius
        drum.scale.z = height
        way = Marker(header=header, ns="velocities", id=thing.id, type=Marker.ARROW, color=_MOVING)
        way.points = [Point(x=x, y=y, z=0.1), Point(x=x + vx, y=y + vy, z=0.1)]
        way.scale.x, way.scale.y = 0.04, 0.1
        markers += [drum, way]
    return MarkerArray(markers=markers)


def _points(poses: Array) -> list[Point]:
    return [Point(x=float(x), y=float(y), z=0.0) for x, y in poses[:, :2]]
