"""Compressed pictures to arrays and back, with the size known before anything is decoded.

OpenCV is imported where it is used: nodes that handle no picture do without its 15 MB.
"""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from ami_ros.errors import AmiError

MAX_PIXELS = 4_000_000

Image = NDArray[np.uint8]

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_JPEG_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def decode_image(data: bytes, max_pixels: int = MAX_PIXELS) -> Image:
    """The picture (H, W, 3) RGB in JPEG or PNG bytes.

    Raises:
        AmiError: neither JPEG nor PNG, damaged, or larger than `max_pixels` (refused from the header alone,
            so that a small file that unpacks to gigabytes costs nothing).
    """
    import cv2

    width, height = image_size(data)
    if not 0 < width * height <= max_pixels:
        raise AmiError(f"picture of {width}x{height} pixels refused: the limit is {max_pixels} pixels")
    decoded = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if decoded is None:
        raise AmiError("picture is damaged: its header is fine, the rest cannot be decoded; send it again")
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def image_size(data: bytes) -> tuple[int, int]:
    """Width and height [px] as the header of a JPEG or PNG file says.

    Raises:
        AmiError: no such header.
    """
    if data.startswith(_PNG_SIGNATURE) and len(data) >= 24:
        width, height = struct.unpack(">II", data[16:24])
        return width, height
    if data.startswith(b"\xff\xd8"):
        return _jpeg_size(data)
    raise AmiError("picture is neither JPEG nor PNG; convert it to one of them")


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
        position += 2 + struct.unpack(">H", data[position + 2 : position + 4])[0]
    raise AmiError("picture is a damaged JPEG file: it has no frame header; send it again")


def encode_png(image: Image) -> bytes:
    """A picture (H, W, 3) RGB as lossless PNG."""
    return _encode(image, ".png", [])


def encode_jpeg(image: Image, quality: int = 85) -> bytes:
    """A picture (H, W, 3) RGB as JPEG of `quality` 0 to 100."""
    import cv2

    return _encode(image, ".jpg", [cv2.IMWRITE_JPEG_QUALITY, quality])


def encode_thumbnail(image: Image, side: int = 192) -> bytes:
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
