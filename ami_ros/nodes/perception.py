"""The node `perception`: camera, scan and compass -> latent."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nav_msgs.msg import Odometry
from sensor_msgs.msg import CompressedImage, Image, Imu, LaserScan
from std_msgs.msg import Header

from ami_interfaces.msg import Adaptation, Latent, ModelInfo
from ami_ros.agent.freshness import FreshnessConfig
from ami_ros.agent.perceiver import perceive
from ami_ros.agent.synchroniser import SensorFrame, Synchroniser
from ami_ros.camera import CameraMount
from ami_ros.images import MAX_PIXELS
from ami_ros.images import Image as Picture
from ami_ros.ros.adaptation import TOPIC as ADAPTATION
from ami_ros.ros.adaptation import FollowedModel
from ami_ros.ros.messages import conversions, range_sensors
from ami_ros.ros.models import shared_arrays
from ami_ros.ros.node.lifecycle import AmiNode
from ami_ros.ros.node.parameters import group, parameter
from ami_ros.ros.node.process import URGENT, run
from ami_ros.ros.node.qos import LATCHED
from ami_ros.ros.node.worker import Worker
from ami_ros.ros.sensors.camera import CalibratedCamera
from ami_ros.share import share
from ami_ros.world_model.by_torch import ByTorch
from ami_ros.world_model.inference_loading import LoadedArrays
from ami_ros.world_model.perception import Perception
from ami_ros.world_model.picture_scan import RANGES, PictureScan, load_picture_scan


@dataclass(frozen=True)
class PictureScanConfig:
    """Scans of a robot that has no laser, predicted from its images."""

    beams: int = 0  # of a scan; 0: there is a laser, or none is needed
    fov: float = 100.0  # [degrees] that they spread over; more than the camera sees is NaN
    range_min: float = 0.12  # [m] as the scans say
    range_max: float = 4.0  # [m] beyond which all counts as far; larger: farther walls are seen, with larger errors
    frame: str = ""  # frame_id of the scans: level, where the camera is

    def __post_init__(self) -> None:
        if self.beams < 0 or self.beams == 1 or not 0 < self.fov < 180:
            raise ValueError(f"{self.beams} beams over {self.fov:g} degrees are no scan: at least 2, below 180 degrees")


@dataclass(frozen=True)
class PerceptionParameters:
    """Parameters of the node."""

    model: Path | None = parameter(None, "Folder of the model.")
    scan_max_age: float = parameter(
        0.25,
        "Between an image and its scan or heading. Larger pairs worse-timed sensors, smaller drops more images.",
        "s",
        (0.01, 5.0),
        True,
    )
    max_rate: float = parameter(
        15.0, "Of latents: images that come faster are left out. Higher: fresher latents, for more computing.", "Hz",
        (1.0, 100.0), True,
    )  # fmt: skip
    compressed: bool = parameter(False, "The topic image has CompressedImage (jpeg or png); false: Image.")
    max_image_pixels: int = parameter(
        MAX_PIXELS, "Larger images are refused before they are decoded.", "px", (64, 100_000_000)
    )
    freshness: FreshnessConfig = group(FreshnessConfig, mutable=None)
    camera: CameraMount = field(default_factory=CameraMount)
    picture_scan: PictureScanConfig = field(default_factory=PictureScanConfig)


class PerceptionNode(AmiNode[PerceptionParameters]):
    """Encodes the newest sensor frame on a worker thread."""

    def __init__(self, **options: Any) -> None:
        super().__init__("perception", PerceptionParameters, **options)

    def configure(self) -> None:
        loaded = shared_arrays(self.config.model)
        self._encoder_id = loaded.encoder_id
        self._followed = FollowedModel(loaded.model, loaded.encoder_id)
        self.perception = Perception(self._followed.model)
        if (pairs := self.perception.model.pairs) is not None:
            pairs.mount = self.config.camera
        config, inputs = self.config, loaded.model.spec.inputs
        self._synchroniser = Synchroniser(inputs, config.freshness, config.scan_max_age, config.max_rate)
        self._info = model_info(loaded, self.get_clock().now().to_msg())
        self._latent = self.publisher(Latent, "latent")
        self._model_info = self.publisher(ModelInfo, "model_info", LATCHED)
        self._worker: Worker[tuple[Header, SensorFrame]] = Worker("perception", self._encode, self._failed)
        self.health.follow(self._worker)
        self.health.figure("model", lambda: loaded.encoder_id)
        self.subscribe(Adaptation, ADAPTATION, self._followed.take_message, LATCHED, always=True)
        # The image is subscribed last: of messages that arrive together, earlier subscriptions are served first.
        self.subscribe(Odometry, "odom", self._on_odometry)
        if inputs.heading:
            self.subscribe(Imu, "imu", self._on_imu)
        self._picture_scan = None
        if config.picture_scan.beams:
            self._picture_scan = load_picture_scan(share("models", RANGES), inputs.field_of_view)
            self._picture_scan.mount = config.camera
            self._scan = self.publisher(LaserScan, "scan")
        elif inputs.scan_beams:
            self.subscribe(LaserScan, "scan", self._on_scan)
        if inputs.image_size:
            self._camera = CalibratedCamera(
                inputs, config.compressed, config.max_image_pixels, self.perception.model.pairs
            )
            self._camera.follow(self)
            self.subscribe(self._camera.message_type, "image", self._on_image)

    def activate(self) -> None:
        self._model_info.publish(self._info)

    def cleanup(self) -> None:
        if hasattr(self, "_worker"):
            self._worker.close()

    def reconfigure(self, before: PerceptionParameters) -> None:
        config = self.config
        self._synchroniser.tune(config.freshness, config.scan_max_age, config.max_rate)

    def time_jumped(self) -> None:
        if hasattr(self, "_synchroniser"):
            self._synchroniser.clear()

    def _on_image(self, message: Image | CompressedImage) -> None:
        image, stamp = self._camera.picture(message), conversions.stamp_of(message)
        if self._picture_scan is not None:
            self._make_scan(self._picture_scan, image, message.header)
        self._submit(message.header, self._synchroniser.take_image(stamp, image, self.now()))

    def _make_scan(self, pictures: PictureScan, image: Picture, header: Header) -> None:
        """Publishes what a picture shows as a scan, and takes it as the laser's."""
        config = self.config.picture_scan
        pictures.window = self._camera.window or pictures.window
        scan = pictures.scan(image, config.beams, math.radians(config.fov), config.range_max)
        message = range_sensors.scan_to_message(
            scan, Header(stamp=header.stamp, frame_id=config.frame), config.range_min
        )
        self._scan.publish(message)
        self._synchroniser.take_scan(conversions.stamp_to_seconds(header.stamp), scan, self.now())

    def _on_scan(self, message: LaserScan) -> None:
        scan, stamp = range_sensors.scan_from_message(message), conversions.stamp_to_seconds(message.header.stamp)
        self._submit(message.header, self._synchroniser.take_scan(stamp, scan, self.now()))

    def _on_imu(self, message: Imu) -> None:
        stamp = conversions.stamp_to_seconds(message.header.stamp)
        self._synchroniser.take_heading(stamp, conversions.heading_from_imu(message))

    def _on_odometry(self, message: Odometry) -> None:
        self._synchroniser.take_velocity(conversions.stamp_of(message), conversions.odometry_from_message(message)[1])

    def _submit(self, header: Header, frame: SensorFrame | None) -> None:
        if frame is not None:
            self._worker.submit((header, frame))

    def _encode(self, work: tuple[Header, SensorFrame]) -> None:
        self._followed.refresh()
        header, frame = work
        seen = perceive(self.perception, frame)
        if self.is_active:
            message = conversions.latent_to_message(seen.latent, header, self._encoder_id, seen.picture)
            self._latent.publish(message)

    def _failed(self, error: Exception) -> None:
        self.health.error("model", f"model failed: {type(error).__name__}: {error}", error)


def model_info(loaded: LoadedArrays, stamp: Any) -> ModelInfo:
    """What other nodes need to know about the model."""
    spec = loaded.model.spec
    return ModelInfo(
        loaded=stamp,
        encoder_id=loaded.encoder_id,
        sha256=loaded.sha256,
        runtime="torch" if isinstance(loaded.model, ByTorch) else "numpy",
        image_size=spec.inputs.image_size,
        field_of_view=spec.inputs.field_of_view,
        scan_beams=spec.inputs.scan_beams,
        heading=spec.inputs.heading,
        latent_dim=spec.latent_dim,
        step_duration=conversions.seconds_to_duration(spec.step_duration),
        num_parameters=loaded.parameters,
    )


def main() -> int:
    """Runs the node; returns the exit code."""
    return run(PerceptionNode, niceness=URGENT)


if __name__ == "__main__":
    sys.exit(main())
