"""The robot's camera as a model sees by it: pictures raw or compressed, brought to the model's own camera."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from ami_ros.camera import CameraMount, Rectifier, camera_of
from ami_ros.errors import AmiError
from ami_ros.images import MAX_PIXELS, image_of
from ami_ros.images import Image as Picture
from ami_ros.parts.perception import place_camera
from ami_ros.ros.node.lifecycle import AmiNode
from ami_ros.world_model.spec import InputSpec


class CalibratedCamera:
    """Decodes pictures for a node, and follows camera_info where the model knows its own camera.

    Args:
        inputs: of the model.
        compressed: the topic image has CompressedImage.
        max_pixels: larger pictures are refused before they are decoded.
        mount: where it sits.
        lookers: compare pictures, or make scans of them (None: nobody); they are told what the camera sees and where
            it sits.
    """

    def __init__(
        self,
        inputs: InputSpec,
        compressed: bool = False,
        max_pixels: int = MAX_PIXELS,
        mount: CameraMount | None = None,
        lookers: Sequence[Any] = (),
    ) -> None:
        self.message_type = CompressedImage if compressed else Image
        self._inputs = inputs
        self._max_pixels, self._mount, self._lookers = max_pixels, mount or CameraMount(), lookers
        place_camera(self._mount, None, *lookers)
        self._info: tuple[Any, ...] = ()  # as it was heard last
        self._rectifier: Rectifier | None = None
        self._misfit: AmiError | None = None

    def follow(self, node: AmiNode[Any]) -> None:
        """Has `node` hear camera_info, where that matters."""
        if self._inputs.image_size and self._inputs.field_of_view:
            node.subscribe(CameraInfo, "camera_info", self.take_info, always=True)

    def take_info(self, message: CameraInfo) -> None:
        """Keeps what it says, until it says something else."""
        info = (message.width, message.height, message.distortion_model, *message.k, *message.d)
        if info == self._info:
            return
        self._info, self._rectifier, self._misfit = info, None, None
        try:
            camera = camera_of(message)
            self._rectifier = (
                Rectifier(camera, self._inputs.field_of_view, self._inputs.narrowest) if camera is not None else None
            )
        except AmiError as error:
            self._misfit = error
        if self._rectifier is not None:
            place_camera(self._mount, self._rectifier.window, *self._lookers)

    def picture(self, message: Image | CompressedImage) -> Picture:
        """The picture (H, W, 3) RGB in a message, of the camera or of a goal.

        Raises:
            AmiError: see `image_of`; or the robot's camera cannot show what the model's camera would.
        """
        if self._misfit is not None:
            raise self._misfit
        image = image_of(message, self._max_pixels)
        return image if self._rectifier is None else self._rectifier(image)
