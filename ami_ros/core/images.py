"""Pictures as cameras, files and messages have them, to arrays and back; sizes are checked before anything is decoded.

Live nodes and recordings go through the same functions, so a robot is driven by the pictures that it was recorded with.
OpenCV is imported where it is used: nodes that handle no picture do without its 15 MB.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ami_ros.core.errors import AmiError

MAX_PIXELS = 4_000_000
THUMBNAIL = 192  # [px] of the longer side of pictures that are kept of places

Image = NDArray[np.uint8]

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_PIXELS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")  # chunks that matter; others may unpack to any size
_JPEG_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# Those that may come before it, all with a length; others have none, and what follows them would be misread.
_JPEG_SEGMENTS = frozenset(range(0xE0, 0xF0)) | {0xC4, 0xCC, 0xDB, 0xDC, 0xDD, 0xDE, 0xDF, 0xFE}

# Encodings of sensor_msgs/image_encodings.hpp: bytes a pixel, and what OpenCV calls the way to RGB ("": it is RGB).
# OpenCV names Bayer patterns by their second row, ROS by the first.
ENCODINGS = {
    "rgb8": (3, ""),
    "bgr8": (3, "COLOR_BGR2RGB"),
    "8UC3": (3, "COLOR_BGR2RGB"),
    "rgba8": (4, "COLOR_RGBA2RGB"),
    "bgra8": (4, "COLOR_BGRA2RGB"),
    "8UC4": (4, "COLOR_BGRA2RGB"),
    "mono8": (1, "COLOR_GRAY2RGB"),
    "8UC1": (1, "COLOR_GRAY2RGB"),
    "mono16": (2, "COLOR_GRAY2RGB"),
    "bayer_rggb8": (1, "COLOR_BayerBG2RGB"),
    "bayer_bggr8": (1, "COLOR_BayerRG2RGB"),
    "bayer_gbrg8": (1, "COLOR_BayerGR2RGB"),
    "bayer_grbg8": (1, "COLOR_BayerGB2RGB"),
    "yuv422": (2, "COLOR_YUV2RGB_UYVY"),
    "uyvy": (2, "COLOR_YUV2RGB_UYVY"),
    "yuv422_yuy2": (2, "COLOR_YUV2RGB_YUYV"),
    "yuyv": (2, "COLOR_YUV2RGB_YUYV"),
}


def image_of(message: Any, max_pixels: int = MAX_PIXELS) -> Image:
    """The picture (H, W, 3) RGB in a sensor_msgs/Image or CompressedImage, from a topic or from a bag.

    Raises:
        AmiError: an encoding that is not supported, a length that does not fit the size, more than `max_pixels`, or
            what `decode_image` refuses.
    """
    if hasattr(message, "format"):
        return decode_image(bytes(message.data), max_pixels)
    if message.encoding not in ENCODINGS:
        raise AmiError(f"image encoding '{message.encoding}' is not one of {', '.join(ENCODINGS)}; convert it")
    depth, conversion = ENCODINGS[message.encoding]
    height, width, step = int(message.height), int(message.width), int(message.step)
    _check_size(width, height, max_pixels)
    data = np.asarray(message.data, dtype=np.uint8)
    if step < width * depth or data.size < height * step:
        raise AmiError(f"{data.size} bytes in rows of {step} do not hold {width}x{height} pixels of {message.encoding}")
    pixels = data[: height * step].reshape(height, step)[:, : width * depth].reshape(height, width, depth)
    if message.encoding == "mono16":
        pixels = pixels[:, :, 0 if message.is_bigendian else 1]  # the high byte
    pixels = np.ascontiguousarray(pixels)
    if not conversion:
        return pixels
    import cv2

    try:
        return np.asarray(cv2.cvtColor(pixels, getattr(cv2, conversion)), dtype=np.uint8)
    except cv2.error as error:  # such as pairs of pixels in rows of odd width
        raise AmiError(f"image of {width}x{height} pixels cannot be {message.encoding}") from error


def _check_size(width: int, height: int, max_pixels: int) -> None:
    if not 0 < width * height <= max_pixels:
        raise AmiError(f"picture of {width}x{height} pixels refused: between 1 and {max_pixels} are allowed")


def decode_image(data: bytes, max_pixels: int = MAX_PIXELS) -> Image:
    """The picture (H, W, 3) RGB in JPEG or PNG bytes.

    Raises:
        AmiError: neither JPEG nor PNG, damaged, or larger than `max_pixels` (refused from the headers alone,
            so that a small file that unpacks to gigabytes costs nothing).
    """
    import cv2

    _check_size(*image_size(data), max_pixels)
    if data.startswith(_PNG_SIGNATURE):
        data = _png_pixels(data)
    decoded = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if decoded is None:
        raise AmiError("picture is damaged: its header is fine, the rest cannot be decoded; send it again")
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def decode_png(data: bytes, max_pixels: int) -> NDArray[np.uint8 | np.uint16]:
    """All channels of a PNG file as they are stored: (H, W) grey, or (H, W, 3 or 4) BGR with alpha.

    Raises:
        AmiError: as `decode_image`.
    """
    import cv2

    _check_size(*image_size(data), max_pixels)
    decoded = cv2.imdecode(np.frombuffer(_png_pixels(data), dtype=np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None:
        raise AmiError("picture is damaged: its header is fine, the rest cannot be decoded; send it again")
    return np.asarray(decoded)


def image_size(data: bytes) -> tuple[int, int]:
    """Width and height [px] as the header of a JPEG or PNG file says.

    Raises:
        AmiError: no such header.
    """
    if data.startswith(_PNG_SIGNATURE) and data[12:16] == b"IHDR" and len(data) >= 24:
        width, height = struct.unpack(">II", data[16:24])
        return width, height
    if data.startswith(b"\xff\xd8"):
        return _jpeg_size(data)
    raise AmiError("picture is neither JPEG nor PNG; convert it to one of them")


def _png_pixels(data: bytes) -> bytes:
    """A PNG file without the chunks that pixels do not need (ISO/IEC 15948, 5.3).

    Decoders allocate as much as a chunk claims to hold, so one that claims more than the file has is refused; so is a
    second header, of which nobody has looked at the size.
    """
    kept, position = [_PNG_SIGNATURE], len(_PNG_SIGNATURE)
    while position + 8 <= len(data):
        length, kind = struct.unpack(">I4s", data[position : position + 8])
        end = position + 12 + length
        if end > len(data):
            break
        if kind == b"IHDR" and len(kept) > 1:
            break
        if kind in _PNG_PIXELS:
            kept.append(data[position:end])
        if kind == b"IEND":
            return b"".join(kept)
        position = end
    raise AmiError("picture is a damaged PNG file: it ends within a chunk, or begins twice; send it again")


def _jpeg_size(data: bytes) -> tuple[int, int]:
    """Walks the segments of a JPEG file up to the frame header (ITU-T T.81, B.2.2)."""
    position = 2
    while position + 9 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker in _JPEG_FRAME_MARKERS:
            height, width = struct.unpack(">HH", data[position + 5 : position + 9])
            return width, height
        if marker == 0xFF:  # fill byte
            position += 1
            continue
        if marker not in _JPEG_SEGMENTS:
            break
        position += 2 + struct.unpack(">H", data[position + 2 : position + 4])[0]
    raise AmiError("picture is a damaged JPEG file: it has no frame header; send it again")


def encode_png(image: Image) -> bytes:
    """A picture (H, W, 3) RGB as lossless PNG."""
    return _encode(image, ".png", [])


def encode_jpeg(image: Image, quality: int = 85) -> bytes:
    """A picture (H, W, 3) RGB as JPEG of `quality` 0 to 100."""
    import cv2

    return _encode(image, ".jpg", [cv2.IMWRITE_JPEG_QUALITY, quality])


def encode_thumbnail(image: Image, side: int = THUMBNAIL) -> bytes:
    """A picture (H, W, 3) RGB as JPEG whose longer side is at most `side` [px]; a smaller one keeps its size."""
    import cv2

    scale = side / max(image.shape[:2])
    if scale < 1:
        size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    return encode_jpeg(image)


def _encode(image: Image, extension: str, options: list[int]) -> bytes:
    import cv2

    done, encoded = cv2.imencode(extension, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    assert done
    return encoded.tobytes()
