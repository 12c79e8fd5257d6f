"""The scene of RViz's and Foxglove's files for Rerun's viewer, in a browser or in a file (rerun-sdk).

Entities lie below the frame that their messages are in: floor/map, floor/map/odom, floor/map/odom/base_link.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rclpy.node import Node
from visualization_msgs.msg import Marker, MarkerArray

from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, transform_points
from ami_ros.core.images import image_of
from ami_ros.core.installation import need
from ami_ros.core.scan import scan_points
from ami_ros.memory.occupancy_map import FREE, OCCUPIED
from ami_ros.ros.messages.conversions import message_class, pose_from_message, stamp_of
from ami_ros.ros.messages.range_sensors import scan_from_message
from ami_ros.ros.node.health import STEADY
from ami_ros.ros.node.qos import matching_qos
from ami_ros.ros.recorder import Frames


def time_of(message: Any, newest: float | None) -> float | None:
    """When a message is to be shown [s]: by its stamp, or by the newest one of others where it has none."""
    if getattr(message, "header", None) is not None:
        return stamp_of(message)
    return newest


def _layout() -> Any:
    """What the window shows: the newest moment, the floor on the left, pictures and words on the right."""
    blueprint = need("rerun.blueprint", "rerun")
    floor, words = blueprint.Spatial3DView(origin="floor", name="floor"), blueprint.TextLogView(origin="words")
    pictures = [blueprint.Spatial2DView(origin=name, name=name) for name in ("camera", "goal")]
    beside = blueprint.Vertical(blueprint.Horizontal(*pictures), words)
    return blueprint.Blueprint(
        blueprint.Horizontal(floor, beside, column_shares=[3, 2]),
        blueprint.TimePanel(state="collapsed", timeline="robot", play_state="following"),
        blueprint.BlueprintPanel(state="collapsed"),
        blueprint.SelectionPanel(state="collapsed"),
    )


class RerunViewer:
    """Shows until `close`; `node` must be spun.

    Args:
        node: makes the subscriptions.
        file: to write; None: a viewer in the browser.
        port: of the viewer's page; that of the data is one higher.
        frames: names of map, odom and base.

    Attributes:
        address: of the page; empty where a file is written.

    Raises:
        AmiError: rerun-sdk is not installed, or it cannot write or listen there.
    """

    def __init__(self, node: Node, file: Path | None, port: int, frames: tuple[str, str, str]) -> None:
        self._rr = need("rerun", "rerun")
        self._node, self._heard = node, dict[str, Any]()
        self._newest: float | None = None  # [s] of the stamps heard: this node may be on another clock than the robot
        map_frame, odom, base = frames
        self._paths = {map_frame: "floor/map", odom: "floor/map/odom", base: "floor/map/odom/base_link"}
        self._stream = self._rr.RecordingStream("ami_ros")
        self.address = ""
        try:
            if file is not None:
                self._stream.save(file)
            else:
                self.address = self._serve(port)
        except (OSError, RuntimeError) as error:
            raise AmiError(f"Rerun: {error}; name another file or --port") from error
        self._stream.send_blueprint(_layout())
        self._shows: dict[str, Callable[[Any], None]] = {
            "map": self._map,
            "scan": self._scan, "plan": self._plan, "pose": self._pose, "footprint": self._footprint,
            "image": lambda m: self._picture("camera", m),
            "goal_picture/compressed": lambda m: self._picture("goal", m),
            **{name: partial(self._markers, name) for name in ("places", "imagined", "people", "goal_markers")},
            "planner/decision": lambda m: self._words("planner", m.data),
            "mission/decision": lambda m: self._words("mission", m.data),
            "safety/status": lambda m: self._words("safety", m.message),
        }  # fmt: skip
        self._names = {node.resolve_topic_name(name): name for name in self._shows}
        self._frames = Frames(node, frames, self._move)
        self._timer = node.create_timer(0.5, self._poll, clock=STEADY)
        self._poll()

    def _serve(self, port: int) -> str:
        data = self._stream.serve_grpc(grpc_port=port + 1)
        self._rr.serve_web_viewer(web_port=port, open_browser=False, connect_to=data)
        return f"http://127.0.0.1:{port}/?url={data}"

    def close(self) -> None:
        """Writes what is pending."""
        self._node.destroy_timer(self._timer)
        self._frames.close()
        for subscription in self._heard.values():
            self._node.destroy_subscription(subscription)
        self._stream.flush()
        self._stream.disconnect()

    def _poll(self) -> None:
        types = dict(self._node.get_topic_names_and_types())
        for topic, name in self._names.items():
            publishers = self._node.get_publishers_info_by_topic(topic)
            if topic in self._heard or topic not in types or not publishers:
                continue
            qos = matching_qos([info.qos_profile for info in publishers])
            kind = message_class(types[topic][0])
            self._heard[topic] = self._node.create_subscription(kind, topic, partial(self._show, name), qos)

    def _show(self, name: str, message: Any) -> None:
        """Shows a message; one that cannot be shown is said, and ends nothing."""
        try:
            self._newest = time_of(message, self._newest)
            now = self._node.get_clock().now().nanoseconds * 1e-9 if self._newest is None else self._newest
            self._stream.set_time("robot", timestamp=now)
            self._shows[name](message)
        except (AmiError, ValueError, KeyError) as error:
            self._node.get_logger().warning(f"{name} cannot be shown: {error}", throttle_duration_sec=5.0)

    def _path(self, message: Any, name: str) -> str:
        return f"{self._paths[message.header.frame_id]}/{name}"

    def _move(self, stamp: float, parent: str, child: str, pose: Array) -> None:
        x, y, yaw = pose
        turn = self._rr.RotationAxisAngle(axis=[0, 0, 1], radians=yaw)
        self._stream.set_time("robot", timestamp=stamp)
        self._stream.log(self._paths[child], self._rr.Transform3D(translation=[x, y, 0], rotation=turn))

    def _map(self, message: Any) -> None:
        """A rectangle on the floor with the map as its picture."""
        info, pose = message.info, pose_from_message(message.info.origin)
        cells = np.array(message.data, np.int8).reshape(info.height, info.width)
        picture = np.full((*cells.shape, 4), (128, 132, 140, 255), np.uint8)
        for value, shade in {FREE: (225, 228, 232, 255), OCCUPIED: (40, 44, 52, 255)}.items():
            picture[cells == value] = shade
        width, height = info.width * info.resolution, info.height * info.resolution
        corners = np.array([[0, 0], [width, 0], [width, height], [0, height]])
        at = transform_points(pose, corners)
        mesh = self._rr.Mesh3D(
            vertex_positions=np.column_stack([at, np.zeros(4)]), triangle_indices=[[0, 1, 2], [0, 2, 3]],
            vertex_texcoords=[[0, 0], [1, 0], [1, 1], [0, 1]], albedo_texture=picture,
        )  # fmt: skip
        self._stream.log(self._path(message, "map"), mesh)

    def _scan(self, message: Any) -> None:
        """In the frame of the robot's base, where that is the scan's own."""
        points = scan_points(scan_from_message(message), float(message.range_max))
        frame = message.header.frame_id
        if frame not in self._paths:  # a laser is taken to be level; /tf_static says where it sits
            self._paths[frame] = f"floor/map/odom/base_link/{frame}"
        dots = self._rr.Points3D(_raised(points, 0.02), colors=(255, 90, 80), radii=0.02)
        self._stream.log(self._path(message, "scan"), dots)

    def _plan(self, message: Any) -> None:
        points = np.array([[p.pose.position.x, p.pose.position.y] for p in message.poses]).reshape(-1, 2)
        strip = self._rr.LineStrips3D([_raised(points, 0.03)], colors=(255, 200, 40), radii=0.02)
        self._stream.log(self._path(message, "plan"), strip)

    def _pose(self, message: Any) -> None:
        x, y, yaw = pose_from_message(message.pose.pose)
        ahead = [0.3 * np.cos(yaw), 0.3 * np.sin(yaw), 0]
        arrow = self._rr.Arrows3D(vectors=[ahead], origins=[[x, y, 0.05]], colors=(120, 170, 255))
        self._stream.log(self._path(message, "pose"), arrow)

    def _footprint(self, message: Any) -> None:
        corners = np.array([[point.x, point.y] for point in message.polygon.points]).reshape(-1, 2)
        closed = np.concatenate([corners, corners[:1]])
        self._stream.log(self._path(message, "footprint"), self._rr.LineStrips3D([_raised(closed, 0.03)], radii=0.01))

    def _picture(self, name: str, message: Any) -> None:
        if hasattr(message, "format"):
            kind = "image/png" if "png" in message.format.lower() else "image/jpeg"
            self._stream.log(name, self._rr.EncodedImage(contents=bytes(message.data), media_type=kind))
        else:
            self._stream.log(name, self._rr.Image(image_of(message)))

    def _words(self, who: str, words: str) -> None:
        self._stream.log(f"words/{who}", self._rr.TextLog(words or "all is well"))

    def _markers(self, name: str, message: MarkerArray) -> None:
        """All markers of a message; those from before are gone."""
        rr = self._rr
        shown = [marker for marker in message.markers if marker.action == Marker.ADD]
        if not shown:
            for path in {f"{path}/{name}" for path in self._paths.values()}:
                self._stream.log(path, rr.Clear(recursive=True))
        for marker in shown:
            self._stream.log(*self._marker(name, marker))

    def _marker(self, name: str, marker: Marker) -> tuple[str, Any]:
        """Where one marker is shown, and as what."""
        rr, path = self._rr, f"{self._path(marker, name)}/{marker.ns}/{marker.id}"
        color = [int(255 * value) for value in (marker.color.r, marker.color.g, marker.color.b, marker.color.a)]
        x, y, yaw = pose_from_message(marker.pose)
        at, scale = np.array([x, y, marker.pose.position.z]), marker.scale
        ends = np.array([[p.x, p.y, p.z] for p in marker.points]).reshape(-1, 3)
        if marker.type == Marker.SPHERE_LIST:
            return path, rr.Points3D(ends, colors=color, radii=scale.x / 2)
        if marker.type == Marker.LINE_LIST:
            return path, rr.LineStrips3D(ends.reshape(-1, 2, 3), colors=color, radii=scale.x / 2)
        if marker.type == Marker.TEXT_VIEW_FACING:
            return path, rr.Points3D([at], colors=color, radii=0.02, labels=[marker.text])
        if marker.type == Marker.ARROW:
            if len(ends) != 2:
                ends = np.stack([at, at + scale.x * np.array([np.cos(yaw), np.sin(yaw), 0.0])])
            return path, rr.Arrows3D(vectors=[ends[1] - ends[0]], origins=[ends[0]], colors=color)
        return path, rr.Ellipsoids3D(centers=[at], half_sizes=[[scale.x / 2, scale.y / 2, scale.z / 2]], colors=color)


def _raised(points: Array, height: float) -> Array:
    """Points (n, 2) as (n, 3), by `height` [m] above the map, so that one hides the other from above."""
    return np.column_stack([points, np.full(len(points), height)])
