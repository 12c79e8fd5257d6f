"""Camera frames as a data set keeps them: small JPEG files, whatever the camera's messages look like."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ami_ros.errors import AmiError
from ami_ros.images import decode_image, image_size

Image = NDArray[np.uint8]

QUALITY = 95
# Full colour resolution: at 64 pixels halved chroma visibly smears posters and furniture.
_SAMPLING = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
# Encodings of sensor_msgs/image_encodings.hpp: bytes a pixel, and how OpenCV calls the way to RGB (None: it is RGB).
# OpenCV names Bayer patterns by their second row, ROS by the first.
_ENCODINGS: dict[str, tuple[int, int | None]] = {
    "rgb8": (3, None),
    "bgr8": (3, cv2.COLOR_BGR2RGB),
    "8UC3": (3, cv2.COLOR_BGR2RGB),
    "rgba8": (4, cv2.COLOR_RGBA2RGB),
    "bgra8": (4, cv2.COLOR_BGRA2RGB),
    "8UC4": (4, cv2.COLOR_BGRA2RGB),
    "mono8": (1, cv2.COLOR_GRAY2RGB),
    "8UC1": (1, cv2.COLOR_GRAY2RGB),
    "mono16": (2, cv2.COLOR_GRAY2RGB),
    "bayer_rggb8": (1, cv2.COLOR_BayerBG2RGB),
    "bayer_bggr8": (1, cv2.COLOR_BayerRG2RGB),
    "bayer_gbrg8": (1, cv2.COLOR_BayerGR2RGB),
    "bayer_grbg8": (1, cv2.COLOR_BayerGB2RGB),
    "yuv422": (2, cv2.COLOR_YUV2RGB_UYVY),
    "uyvy": (2, cv2.COLOR_YUV2RGB_UYVY),
    "yuv422_yuy2": (2, cv2.COLOR_YUV2RGB_YUYV),
    "yuyv": (2, cv2.COLOR_YUV2RGB_YUYV),
}


def encode_frame(image: Image) -> bytes:
    """An image (H, W, 3) RGB as JPEG of high quality."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, QUALITY, *_SAMPLING])
    assert done
    return data.tobytes()


def image_of(message: Any) -> Image:
    """The picture (H, W, 3) RGB in a sensor_msgs/Image.

    Raises:
        AmiError: an encoding that is not supported, or a length that does not fit the size.
    """
    if message.encoding not in _ENCODINGS:
        raise AmiError(f"encoding '{message.encoding}' is not one of {', '.join(_ENCODINGS)}")
    depth, conversion = _ENCODINGS[message.encoding]
    height, width, step = int(message.height), int(message.width), int(message.step)
    data = np.asarray(message.data, dtype=np.uint8)
    if not (height and width) or step < width * depth or data.size < height * step:
        raise AmiError(f"{data.size} bytes in rows of {step} do not hold {width}x{height} pixels of {message.encoding}")
    pixels = data[: height * step].reshape(height, step)[:, : width * depth].reshape(height, width, depth)
    if message.encoding == "mono16":
        pixels = pixels[:, :, 0 if message.is_bigendian else 1]  # the high byte
    pixels = np.ascontiguousarray(pixels)
    return pixels if conversion is None else np.asarray(cv2.cvtColor(pixels, conversion), dtype=np.uint8)


def frame_of(message: Any, max_side: int) -> bytes:
    """The picture of a sensor_msgs/Image or CompressedImage as JPEG.

    Args:
        max_side: pictures whose shorter side [px] is longer are reduced to it. Smaller JPEGs stay as they are.

    Raises:
        AmiError: the picture cannot be decoded.
    """
    if hasattr(message, "format"):
        data = message.data.tobytes()
        image = decode_image(data)
        if data.startswith(b"\xff\xd8") and min(image_size(data)) <= max_side:
            return bytes(data)
    else:
        image = image_of(message)
    scale = max_side / min(image.shape[:2])
    if scale < 1:
        image = np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    return encode_frame(image)
