"""The node `perception`: camera and scan -> latent."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from sensor_msgs.msg import LaserScan

from ami_interfaces.msg import Latent, ModelInfo
from ami_ros.core.camera import CameraMount
from ami_ros.core.config import parameter
from ami_ros.core.depth import DepthConfig
from ami_ros.core.images import MAX_PIXELS
from ami_ros.core.installation import share
from ami_ros.core.scan import Scan
from ami_ros.ros.messages import conversions, range_sensors
from ami_ros.ros.models import CalibratedCamera, shared_arrays, weights_of
from ami_ros.ros.node.bus import PartNode, RosBus, Send
from ami_ros.ros.node.process import URGENT, run
from ami_ros.ros.node.qos import LATCHED
from ami_ros.ros.scanner import DepthCamera
from ami_ros.runtime.perception import FollowedModel, LatentFrame, PerceptionPart, PerceptionSettings, PictureScanConfig
from ami_ros.world_model.by_torch import ByTorch
from ami_ros.world_model.model_files import LoadedModel
from ami_ros.world_model.picture_scan import load_picture_scan


@dataclass(frozen=True)
class PerceptionParameters(PerceptionSettings):
    """Parameters of the node."""

    model: Path | None = parameter(None, "Folder of the model.")
    compressed: bool = parameter(False, "The topic image has CompressedImage (jpeg or png); false: Image.")
    max_image_pixels: int = parameter(
        MAX_PIXELS, "Larger images are refused before they are decoded.", "px", (64, 100_000_000)
    )
    camera: CameraMount = field(default_factory=CameraMount)
    picture_scan: PictureScanConfig = field(default_factory=PictureScanConfig)
    depth_camera: DepthConfig = field(default_factory=DepthConfig)


class PerceptionNode(PartNode[PerceptionParameters], name="perception", parameters=PerceptionParameters):
    """The part `perception` on ROS."""

    part: PerceptionPart

    def configure(self) -> None:
        config, loaded = self.config, shared_arrays(self.config.model)
        inputs = loaded.model.spec.inputs
        made = config.picture_scan.beams > 0
        scans = load_picture_scan(share("models", "ranges"), inputs.field_of_view) if made else None
        depth = DepthCamera(self, config.depth_camera) if config.depth_camera.is_scan else None
        self._camera = CalibratedCamera(
            inputs, config.compressed, config.max_image_pixels, config.camera, (loaded.model.pairs, scans)
        )
        self._info = model_info(loaded, self.get_clock().now().to_msg())
        self._latent = self.publisher(Latent, "latent")
        self._model_info = self.publisher(ModelInfo, "model_info", LATCHED)
        self.health.figure("model", lambda: loaded.encoder_id)
        self._bus = RosBus(self)
        self.part = PerceptionPart(
            self._bus, FollowedModel(loaded.model, loaded.encoder_id), config, scans, config.picture_scan,
            None if depth is None else depth.scanner,
        )  # fmt: skip
        self._encoder_id = loaded.encoder_id
        sends: dict[str, Send] = {"latent": self._send_latent}
        reads = {"image": lambda message: partial(self._camera.picture, message), **weights_of(loaded.encoder_id)}
        if depth is not None:
            reads["depth"] = depth.read
        if made or depth is not None:
            self._scan = self.publisher(LaserScan, "scan")
            sends["scan"] = self._send_scan
        heard = {"scan": inputs.scan_beams > 0 and not made, "image": inputs.image_size > 0}
        if heard["image"]:
            self._camera.follow(self)
        self._bus.join(
            self.part,
            sends,
            reads,
            without=[name for name, wanted in heard.items() if not wanted],
            types={"image": self._camera.message_type},
            headers=("image", "scan", "depth"),
        )

    def activate(self) -> None:
        self._model_info.publish(self._info)

    def _send_latent(self, stamp: float, seen: LatentFrame) -> None:
        header = self._bus.header(stamp)
        self._latent.publish(conversions.latent_to_message(seen.latent, header, self._encoder_id, seen.picture))

    def _send_scan(self, stamp: float, scan: Scan) -> None:
        shape = self.config.depth_camera if self.config.depth_camera.is_scan else self.config.picture_scan
        header = self._bus.header(stamp, shape.frame)
        self._scan.publish(range_sensors.scan_to_message(scan, header, shape.range_min))


def model_info(loaded: LoadedModel, stamp: Any) -> ModelInfo:
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
        latent_dim=spec.latent_dim,
        step_duration=conversions.seconds_to_duration(spec.step_duration),
        num_parameters=loaded.model.count_parameters(),
    )


main = partial(run, PerceptionNode, niceness=URGENT)


if __name__ == "__main__":
    sys.exit(main())
