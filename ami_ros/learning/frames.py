"""Camera frames as a data set keeps them: small JPEG files, whatever the camera's messages look like."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ami_ros.camera import Rectifier, camera_of
from ami_ros.errors import AmiError
from ami_ros.images import image_of
from ami_ros.learning.bag_reader import BagReader

Image = NDArray[np.uint8]

QUALITY = 95
# Full colour resolution: at 64 pixels halved chroma visibly smears posters and furniture.
_SAMPLING = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]


def encode_frame(image: Image) -> bytes:
    """An image (H, W, 3) RGB as JPEG of high quality."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, QUALITY, *_SAMPLING])
    assert done
    return data.tobytes()


def frame_of(message: Any, max_side: int, rectifier: Rectifier | None = None) -> bytes:
    """The picture of a sensor_msgs/Image or CompressedImage as JPEG.

    Args:
        max_side: pictures whose shorter side [px] is longer are reduced to it. Smaller JPEGs stay as they are.
        rectifier: brings them to another camera before; None: they stay that of theirs.

    Raises:
        AmiError: the picture cannot be decoded.
    """
    image = image_of(message)
    if rectifier is not None and rectifier.changes:
        image = rectifier(image)
    elif hasattr(message, "format"):
        return shrunk_frame(image, max_side, bytes(message.data))
    return shrunk_frame(image, max_side)


def shrunk_frame(image: Image, max_side: int, file: bytes = b"") -> bytes:
    """An image (H, W, 3) RGB as JPEG whose shorter side is at most `max_side` [px]; `file`, the JPEG file that it comes
    from, where that is small enough."""
    scale = max_side / min(image.shape[:2])
    if scale >= 1 and file.startswith(b"\xff\xd8"):
        return file
    if scale < 1:
        image = np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    return encode_frame(image)


def recorded_rectifier(bag: BagReader, pictures: str, field_of_view: float, narrowest: float = 0.0) -> Rectifier | None:
    """Brings pictures of a topic to a square pinhole camera of `field_of_view` [rad], by its camera_info in the bag;
    None where there is no calibrated one. See `Rectifier` for `narrowest`.

    Raises:
        AmiError: several topics may be meant, or the camera sees less.
    """
    infos = [t.name for t in bag.topics.values() if t.type_name == "sensor_msgs/msg/CameraInfo" and t.count]
    folder = pictures.removesuffix("/compressed").rpartition("/")[0]
    beside = [name for name in infos if name.rpartition("/")[0] == folder] or infos
    if len(beside) > 1:
        raise AmiError(f"{bag.path}: which of {', '.join(beside)} belongs to {pictures}? Record them side by side")
    cameras = (camera_of(bag.decode(topic, data)) for topic, _, data in bag.messages(beside))
    camera = next(cameras, None) if beside else None
    return Rectifier(camera, field_of_view, narrowest) if camera is not None else None
