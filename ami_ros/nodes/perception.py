"""The node `perception`: camera, scan and compass -> latent."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from nav_msgs.msg import Odometry
from numpy.typing import NDArray
from sensor_msgs.msg import Image, Imu, LaserScan
from std_msgs.msg import Header

from ami_interfaces.msg import Adaptation, Latent, ModelInfo
from ami_ros.commands import speed
from ami_ros.errors import AmiError
from ami_ros.images import MAX_PIXELS, image_of
from ami_ros.ros import conversions
from ami_ros.ros.adaptation import TOPIC as ADAPTATION
from ami_ros.ros.adaptation import FollowedModel
from ami_ros.ros.lifecycle import AmiNode
from ami_ros.ros.models import shared_model
from ami_ros.ros.parameters import parameter
from ami_ros.ros.process import run
from ami_ros.ros.qos import LATCHED
from ami_ros.ros.stamps import Freshness, FreshnessConfig
from ami_ros.ros.urgency import URGENT
from ami_ros.ros.worker import Worker
from ami_ros.scan import Scan
from ami_ros.world_model.checkpoint import LoadedModel, count_parameters
from ami_ros.world_model.onnx_runtime import OnnxEncoder
from ami_ros.world_model.perception import Perception

MOVING_LINEAR, MOVING_ANGULAR = 0.05, 0.15  # beyond the noise of a standing robot's odometry [m/s], [rad/s]


@dataclass(frozen=True)
class PerceptionParameters:
    """Parameters of the node."""

    model: Path | None = parameter(None, "Folder of the model.")
    onnx: Path | None = parameter(None, "Folder that ./ami export made of the model: encode by ONNX Runtime.")
    scan_max_age: float = parameter(
        0.25, "Between the stamps of an image and of its scan or heading.", "s", (0.01, 5.0)
    )
    max_image_pixels: int = parameter(MAX_PIXELS, "Larger images are refused before decoding.", "px", (64, 100_000_000))
    freshness: FreshnessConfig = field(default_factory=FreshnessConfig)


@dataclass(frozen=True)
class Moment:
    """What goes into one latent."""

    header: Header
    image: NDArray[np.uint8] | None
    scan: Scan | None
    heading: float | None


class PerceptionNode(AmiNode[PerceptionParameters]):
    """Encodes the newest moment on a worker thread; a moment is an image, or a scan where the model sees none."""

    def __init__(self, **options: Any) -> None:
        super().__init__("perception", PerceptionParameters, **options)

    def configure(self) -> None:
        loaded = shared_model(self.config.model)
        self._encoder_id = loaded.encoder_id
        encoder = OnnxEncoder(loaded, self.config.onnx.expanduser()) if self.config.onnx else None
        self._followed = FollowedModel(loaded)
        self.perception = Perception(self._followed.model, encoder)
        self._inputs = loaded.model.spec.inputs
        self._freshness = Freshness(self.config.freshness)
        self._scan: tuple[float, Scan] | None = None
        self._heading: tuple[float, float] | None = None
        self._moving = False
        self._info = model_info(loaded, "onnxruntime" if encoder else "torch", self.get_clock().now().to_msg())
        self._latent = self.publisher(Latent, "latent")
        self._model_info = self.publisher(ModelInfo, "model_info", LATCHED)
        self._worker: Worker[Moment] = Worker("perception", self._encode, self._failed)
        self.subscribe(Adaptation, ADAPTATION, self._followed.take_message, LATCHED, always=True)
        # The image comes last: of messages that came together, earlier subscriptions are served first.
        self.subscribe(Odometry, "odom", self._on_odometry)
        if self._inputs.heading:
            self.subscribe(Imu, "imu", self._on_imu)
        if self._inputs.scan_beams:
            self.subscribe(LaserScan, "scan", self._on_scan)
        if self._inputs.image_size:
            self.subscribe(Image, "image", self._on_image)

    def activate(self) -> None:
        self._model_info.publish(self._info)

    def cleanup(self) -> None:
        if hasattr(self, "_worker"):
            self._worker.close()

    def time_jumped(self) -> None:
        if hasattr(self, "_freshness"):
            self._freshness.reset()
            self._scan = self._heading = None

    def _on_image(self, message: Image) -> None:
        stamp = conversions.stamp_to_seconds(message.header.stamp)
        image = image_of(message, self.config.max_image_pixels)
        self._freshness.check(stamp, self.now(), image.data, self._moving)
        scan = self._near(self._scan, stamp, "scan", self._inputs.scan_beams > 0)
        heading = self._near(self._heading, stamp, "imu", self._inputs.heading)
        self._worker.submit(Moment(message.header, image, scan, heading))

    def _on_scan(self, message: LaserScan) -> None:
        stamp = conversions.stamp_to_seconds(message.header.stamp)
        scan = conversions.scan_from_message(message)
        if not self._inputs.image_size:
            self._freshness.check(stamp, self.now(), scan.ranges.data, self._moving)
            heading = self._near(self._heading, stamp, "imu", self._inputs.heading)
            self._worker.submit(Moment(message.header, None, scan, heading))
        self._scan = (stamp, scan)

    def _on_imu(self, message: Imu) -> None:
        self._heading = (conversions.stamp_to_seconds(message.header.stamp), conversions.heading_from_imu(message))

    def _on_odometry(self, message: Odometry) -> None:
        velocity = conversions.odometry_from_message(message)[1]
        self._moving = speed(velocity) > MOVING_LINEAR or abs(velocity[1]) > MOVING_ANGULAR

    def _near(self, newest: tuple[float, Any] | None, stamp: float, topic: str, needed: bool) -> Any:
        """The value of `newest` if its stamp fits; raises where the model cannot do without."""
        if not needed:
            return None
        if newest is None or abs(stamp - newest[0]) > self.config.scan_max_age:
            age = "never came" if newest is None else f"is {stamp - newest[0]:.2f} s older"
            raise AmiError(f"image not used: the model needs '{topic}' of the same moment, which {age}")
        return newest[1]

    def _encode(self, moment: Moment) -> None:
        self._followed.refresh()
        latent = self.perception.encode(moment.image, moment.scan, moment.heading)
        picture = self.perception.encode_picture(moment.image)
        if self.is_active:
            self._latent.publish(conversions.latent_to_message(latent, moment.header, self._encoder_id, picture))

    def _failed(self, error: Exception) -> None:
        self.health.error("model", f"model failed: {type(error).__name__}: {error}")


def model_info(loaded: LoadedModel, runtime: str, stamp: Any) -> ModelInfo:
    """What others should know of the model."""
    spec = loaded.model.spec
    return ModelInfo(
        loaded=stamp,
        encoder_id=loaded.encoder_id,
        sha256=loaded.sha256,
        runtime=runtime,
        image_size=spec.inputs.image_size,
        field_of_view=spec.inputs.field_of_view,
        scan_beams=spec.inputs.scan_beams,
        heading=spec.inputs.heading,
        latent_dim=spec.latent_dim,
        step_duration=conversions.seconds_to_duration(spec.step_duration),
        num_parameters=count_parameters(loaded.model),
    )


def main() -> int:
    """Runs the node; returns the exit code."""
    return run(PerceptionNode, niceness=URGENT)


if __name__ == "__main__":
    sys.exit(main())
