"""What a simulated robot does not know, as a layer of the console: the floor from above, and where it truly is."""

from __future__ import annotations

import numpy as np
from geometry_msgs.msg import PoseStamped

from ami_ros.app.scenery import Backdrop
from ami_ros.app.telemetry import Frames
from ami_ros.console.documents import data_url
from ami_ros.console.scene import Scene, rounded
from ami_ros.geometry import Array, compose, inverse
from ami_ros.images import encode_png
from ami_ros.ros.console.listener import Heard, Listener
from ami_ros.ros.messages.conversions import pose_from_message
from ami_ros.ros.node.qos import SENSOR

STEP = 0.04  # [m] and [rad] by which the memory's frame has to move in the world to be shown anew
FRAME_EVERY = 25  # updates after which it is looked where that frame lies


class TruthLayer:
    """Puts it into a scene.

    Args:
        scene: see there.
        backdrop: the world from above.
        off: the page shows it only when it is asked to.
    """

    def __init__(self, scene: Scene, backdrop: Backdrop, off: bool = False) -> None:
        self._scene = scene
        self._floor = {"src": data_url(encode_png(backdrop.image)), "extent": list(backdrop.extent), "off": off}
        self._updates = 0
        self._frame: Array | None = None  # the memory's, in the world

    def update(self, frames: Frames, truth: Array | None) -> None:
        """A moment: where the robot's frames are in the world, and its true pose (3,) there."""
        if self._updates % FRAME_EVERY == 0:
            self._find_frame(frames)
        self._updates += 1
        if self._frame is not None and truth is not None:
            self._scene.truth = compose(inverse(self._frame), truth)

    def _find_frame(self, frames: Frames) -> None:
        frame = frames.memory()
        if frame is not None and (self._frame is None or np.abs(frame - self._frame).max() > STEP):
            self._frame = frame
            self._scene.documents.put("truth", self._floor | {"frame": rounded(inverse(frame))})


def hear_truth(listener: Listener, scene: Scene, backdrop: Backdrop) -> None:
    """Feeds the layer from what a simulated robot publishes, while somebody looks; it is off to begin with."""
    layer, frames = TruthLayer(scene, backdrop, off=True), Frames()

    def take(message: PoseStamped) -> None:
        truth = pose_from_message(message.pose)
        if scene.odometry is not None:
            frames.add(truth, scene.odometry, scene.pose if scene.localised else None)
            layer.update(frames, truth)

    listener.topics["ground_truth"] = Heard(PoseStamped, SENSOR, take)
