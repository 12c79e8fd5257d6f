"""What only the simulator knows, on the console's page: the true floor plan and pose, and how a demo goes."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseStamped

from ami_ros.bench.demo.client import Frames, Leg, Observed
from ami_ros.bench.demo.scenery import Backdrop
from ami_ros.bench.report import success_rates
from ami_ros.bench.trials import Trial
from ami_ros.console.listener import Heard, Listener
from ami_ros.console.scene import Scene, data_url, rounded
from ami_ros.core.geometry import Array, compose, inverse
from ami_ros.core.images import encode_png
from ami_ros.ros.messages.conversions import pose_from_message
from ami_ros.ros.node.qos import SENSOR

# What a simulated robot does not know, as a layer of the console: the floor from above, and where it truly is.

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


# Feeds the console from a demo: how it goes.


class DemoView:
    """What the page shows beside what the robot knows.

    Args:
        scene: of the console.
        backdrop: the world from above.
        about: `world`, `robot`, `seed` and `total` (goals).

    Attributes:
        finished: nothing more will happen.
    """

    def __init__(self, scene: Scene, backdrop: Backdrop, about: dict[str, Any]) -> None:
        self.finished = False
        self._scene, self._about = scene, about
        self._truth = TruthLayer(scene, backdrop)
        self._pace: deque[tuple[float, float]] = deque(maxlen=25)  # steady and simulated time [s]

    def update(self, leg: Leg | None, seen: Observed, trials: Sequence[Trial]) -> None:
        """Shows a moment: the drive under way, what is known of robot and stack, and the drives that ended."""
        telemetry = seen.telemetry
        self._truth.update(seen.frames, telemetry.truth)
        self._pace.append((time.monotonic(), telemetry.time))
        rates = success_rates(trials)
        self._scene.demo = self._about | {
            "near": {"reached": rates["near"].reached, "n": rates["near"].n},
            "far": {"reached": rates["far"].reached, "n": rates["far"].n},
            "goal": None if leg is None else leg.index,
            "contacts": telemetry.contacts, "pace": self._real_time_factor(),
            "finished": self.finished,
            "trials": [
                {"kind": t.kind, "success": bool(t.success), "time": rounded(t.time_s), "words": t.error_msg}
                for t in trials
            ],
        }  # fmt: skip

    def _real_time_factor(self) -> float | None:
        """Simulated seconds in a second, over the last few."""
        (steady, simulated), (steady_now, simulated_now) = self._pace[0], self._pace[-1]
        if steady_now - steady < 0.5 or simulated_now < simulated:
            return None
        return round((simulated_now - simulated) / (steady_now - steady), 2)
