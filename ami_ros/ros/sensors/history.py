"""Sensor messages of the last seconds, to look up what a latent was made of."""

from __future__ import annotations

from collections import deque
from typing import Any

from sensor_msgs.msg import CompressedImage, Image, Imu, LaserScan

from ami_ros.ros.messages import conversions, range_sensors
from ami_ros.ros.sensors.camera import CalibratedCamera
from ami_ros.world_model.perception import Perception
from ami_ros.world_model.spec import Sensors

KEPT = 16  # messages of each topic; pictures are decoded only when they are asked for
SAME_PICTURE = 1e-4  # a latent bears the stamp of its picture; stamps differ by less [s]
SAME_MOMENT = 0.25  # as far apart a scan or a heading may be [s]; as perception's default


class SensorHistory:
    """Messages by their stamps.

    Args:
        perception: of the model that the latents come from.
        camera: decodes its pictures.
    """

    def __init__(self, perception: Perception, camera: CalibratedCamera) -> None:
        self._perception, self._camera = perception, camera
        self._kept: dict[type, deque[tuple[float, Any]]] = {kind: deque(maxlen=KEPT) for kind in self.topics}

    @property
    def topics(self) -> dict[type, str]:
        """The topics that the model's inputs come from."""
        inputs = self._perception.inputs
        picture = self._camera.message_type
        wanted = {picture: inputs.image_size > 0, LaserScan: inputs.scan_beams > 0, Imu: inputs.heading}
        names = {picture: "image", LaserScan: "scan", Imu: "imu"}
        return {kind: name for kind, name in names.items() if wanted[kind]}

    def clear(self) -> None:
        """Forgets everything, as after a jump in time."""
        for kept in self._kept.values():
            kept.clear()

    def take(self, message: Image | CompressedImage | LaserScan | Imu) -> None:
        """One more."""
        self._kept[type(message)].append((conversions.stamp_to_seconds(message.header.stamp), message))

    def at(self, stamp: float) -> Sensors | None:
        """What the latent of `stamp` [s] was made of, a batch of one; None where it is not known.

        Raises:
            AmiError: a message is malformed.
        """
        picture = self._camera.message_type
        apart = {picture: SAME_PICTURE, LaserScan: SAME_MOMENT, Imu: SAME_MOMENT}
        found = {kind: self._nearest(kind, stamp, apart[kind]) for kind in self.topics}
        if any(message is None for message in found.values()):
            return None
        return self._perception.sensors(
            self._camera.picture(found[picture]) if picture in found else None,
            range_sensors.scan_from_message(found[LaserScan]) if LaserScan in found else None,
            conversions.heading_from_imu(found[Imu]) if Imu in found else None,
        )

    def _nearest(self, kind: type, stamp: float, apart: float) -> Any:
        """The message of that kind nearest to `stamp` and at most `apart` from it [s]; else None."""
        found = min(self._kept[kind], key=lambda kept: abs(kept[0] - stamp), default=None)
        return found[1] if found is not None and abs(found[0] - stamp) <= apart else None
