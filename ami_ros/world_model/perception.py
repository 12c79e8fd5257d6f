"""Perception: sensors as a robot delivers them (any image size, any scan layout) -> latent."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ami_ros.core.errors import AmiError
from ami_ros.core.scan import Scan, ranges_at
from ami_ros.world_model.by_torch import on_arrays
from ami_ros.world_model.spec import Sensors

Image = NDArray[np.uint8]
Latent = NDArray[np.float32]

NO_CAMERA = "the model does without a camera, so a picture tells it nothing: give a pose or a place"


def fit_image(image: Image, size: int, share: float = 1.0) -> Image:
    """The central square of an RGB image (H, W, 3), or a share of its sides, resized to (size, size, 3)."""
    height, width = image.shape[:2]
    side = max(1, round(min(height, width) * share))
    top, left = (height - side) // 2, (width - side) // 2
    square = image[top : top + side, left : left + side]
    if side == size:
        return np.ascontiguousarray(square)
    import cv2  # here: the world model's node handles no pictures

    interpolation = cv2.INTER_AREA if side > size else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(square, (size, size), interpolation=interpolation), dtype=np.uint8)


def fit_scan(scan: Scan, beams: int) -> NDArray[np.float32]:
    """Ranges (beams,) [m] spread evenly over the full circle from straight ahead, each the nearest beam of `scan`.

    Directions that the scanner does not cover read inf, as do NaN and readings of zero.
    """
    return ranges_at(scan, np.arange(beams) * (2 * np.pi / beams))


def fit_scan_columns(scans: NDArray[np.float32], beams: int) -> NDArray[np.float32]:
    """`fit_scan` for many full-turn scans (n, recorded beams), whose first beam looks straight ahead -> (n, beams)."""
    recorded = scans.shape[1]
    nearest = np.rint(np.arange(beams) * (recorded / beams)).astype(int) % recorded
    columns = np.array(scans[:, nearest], dtype=np.float32)
    columns[~(columns > 0)] = np.inf
    return columns


class Perception:
    """Encodes single moments, without gradients; not thread-safe.

    What the camera sees now is taken as `model.seen` makes it; a goal's picture is taken as it is.

    Args:
        model: a `WorldModel` in evaluation mode, or one for arrays.
    """

    def __init__(self, model: Any) -> None:
        self.model, self.spec, self.inputs = on_arrays(model), model.spec, model.spec.inputs

    def encode(self, image: Image | None, scan: Scan | None) -> Latent:
        """Latent (latent_dim,) of one moment.

        Args:
            image: (H, W, 3) RGB, or None where the model has no image input.
            scan: in base_link, or None likewise.

        Raises:
            AmiError: an input of the model is missing, or the latent is not finite.
        """
        sensors = self.sensors(image, scan)
        if sensors.image is not None:
            sensors = sensors._replace(image=self.model.seen(sensors.image))
        return self._finite(self.model.encode(sensors))

    def sensors(self, image: Image | None, scan: Scan | None) -> Sensors:
        """What came, in the shapes that the model takes: a batch of one; arguments and errors as of `encode`."""
        inputs = self.inputs
        given = {"image": image, "scan": scan}
        needed = {"image": inputs.image_size > 0, "scan": inputs.scan_beams > 0}
        for name, value in given.items():
            if needed[name] and value is None:
                raise AmiError(
                    f"perception: the model needs '{name}', which is not there; connect it or train without it"
                )
        return Sensors(
            image=self._image(image) if needed["image"] and image is not None else None,
            scan=fit_scan(scan, inputs.scan_beams)[None] if needed["scan"] and scan is not None else None,
        )

    def encode_goal(self, image: Image) -> Latent:
        """Latent (latent_dim,) that the robot would have where `image` (H, W, 3) was taken.

        Raises:
            AmiError: the model has no image input, or the latent is not finite.
        """
        if not self.inputs.image_size:
            raise AmiError(NO_CAMERA)
        return self._finite(self.model.encode_goal(self._image(image)))

    def encode_picture(self, image: Image | None) -> Latent | None:
        """Code of what the camera sees, to be compared with others; None where the model compares no pictures.

        Of a goal's picture, too, by a perception whose model has the colours that it was trained with.
        """
        size = self.spec.picture_size
        if image is None or not size or not self.inputs.image_size:
            return None
        share = 1.0 if self.model.pairs is None else self.model.pairs.share
        return self._finite(self.model.encode_picture(self.model.seen(self._image(image, size, share))))

    def _image(self, image: Image, size: int = 0, share: float = 1.0) -> Image:
        """(1, 3, size, size), by default as the encoder takes it; a `share` of the picture's sides."""
        return fit_image(image, size or self.inputs.image_size, share).transpose(2, 0, 1)[None]

    @staticmethod
    def _finite(latent: Latent) -> Latent:
        if not np.isfinite(latent[0]).all():
            raise AmiError(
                "perception: the model's latent is not finite; the weights are broken, train or copy them again"
            )
        return latent[0]
