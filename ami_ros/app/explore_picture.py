"""The picture that exploring leaves: the map that the console shows, and the way that the robot went."""

from __future__ import annotations

import time
from base64 import b64decode
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ami_ros.console.scene import Scene
from ami_ros.errors import AmiError
from ami_ros.images import Image, encode_png
from ami_ros.ros.console.node import ConsoleNode
from ami_ros.ros.goals.robot_client import RobotClient

SCALE = 4  # pixels a cell
PATIENCE = 5.0  # [s] for the map: memory draws one every three seconds
UNKNOWN, WAY, START = (226, 231, 225), (8, 117, 110), (192, 43, 37)


class ExplorePicture:
    """Listens while the robot explores, as a console does.

    Args:
        robot: in whose ROS domain and namespace.
        path: of the PNG.
    """

    def __init__(self, robot: RobotClient, path: Path) -> None:
        self._path = path
        self._node = ConsoleNode(robot.node.context, robot.node.get_namespace())
        self._node.attend(1)

    def write(self) -> str:
        """Writes it, if there is a map; words for people.

        Raises:
            AmiError: the file cannot be written.
        """
        scene, deadline = self._node.scene, time.monotonic() + PATIENCE
        while (document := scene.documents.get("map")) is None and time.monotonic() < deadline:
            time.sleep(0.1)
        self._node.close()
        if document is None:
            return "no picture: neither a map nor a laser was heard"
        try:
            self._path.write_bytes(encode_png(drawn(document, scene)))
        except OSError as error:
            raise AmiError(f"cannot write {self._path}: {error.strerror}; name another --picture") from error
        return f"picture: {self._path}"


def drawn(document: dict[str, Any], scene: Scene) -> Image:
    """A map as the page gets it, x to the right, with the way driven."""
    encoded = np.frombuffer(b64decode(document["src"].partition(",")[2]), np.uint8)
    cells: Any = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED)
    image = np.where(cells[..., 3:] > 0, cells[..., :3], np.array(UNKNOWN, np.uint8))
    image = np.ascontiguousarray(image.repeat(SCALE, 0).repeat(SCALE, 1))
    way = np.array(scene.live()["track"]).reshape(-1, 2)
    if len(way):
        spots = (way - document["origin"]) / document["resolution"] * SCALE
        spots[:, 1] = len(image) - spots[:, 1]
        pixels = np.round(spots).astype(np.int32)
        cv2.polylines(image, [pixels], False, WAY, 2, cv2.LINE_AA)
        cv2.circle(image, (int(pixels[0, 0]), int(pixels[0, 1])), 2 * SCALE, START, -1, cv2.LINE_AA)
    return image
