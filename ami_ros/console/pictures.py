"""Pictures that somebody may send the robot to: dropped on the page, or taken of what the camera saw."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from ami_ros.console.documents import data_url
from ami_ros.errors import AmiError
from ami_ros.images import MAX_PIXELS, Image, decode_image, encode_png

MAX_BYTES = 8_000_000  # of a file
MOST = 12  # kept; the oldest goes
SMALL = 160  # [px] width of what the page shows


@dataclass(frozen=True)
class Picture:
    """One picture; `data` as it came, JPEG or PNG."""

    number: int
    title: str
    data: bytes
    small: str  # for the page


class Pictures:
    """The newest pictures. Any thread may call it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[int, Picture] = {}
        self._count = 0

    def add(self, data: bytes, title: str) -> Picture:
        """Keeps a picture.

        Raises:
            AmiError: it is none, or too large.
        """
        if len(data) > MAX_BYTES:
            raise AmiError(f"picture: {len(data)} bytes are too many, at most {MAX_BYTES}; make it smaller")
        small = data_url(encode_png(shrunk(decode_image(data, MAX_PIXELS), SMALL)))
        with self._lock:
            self._count += 1
            picture = self._kept[self._count] = Picture(self._count, title[:40], data, small)
            while len(self._kept) > MOST:
                del self._kept[min(self._kept)]
        return picture

    def get(self, number: int) -> Picture:
        """Raises AmiError if it is not there."""
        with self._lock:
            if number not in self._kept:
                raise AmiError(f"picture {number}: there is none, or it was too long ago; drop it again")
            return self._kept[number]

    def listed(self) -> list[dict[str, object]]:
        """For the page, oldest first."""
        with self._lock:
            return [{"number": p.number, "title": p.title, "src": p.small} for p in self._kept.values()]


def shrunk(image: Image, width: int) -> Image:
    """The picture (H, W, 3), at most so wide [px]."""
    import cv2

    height, wide = image.shape[:2]
    if wide <= width:
        return image
    size = width, max(1, round(height * width / wide))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]
