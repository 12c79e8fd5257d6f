import numpy as np
import pytest

from ami_ros.console.kept import MAX_BYTES, MOST, Pictures
from ami_ros.core.errors import AmiError
from ami_ros.core.images import encode_jpeg, encode_png

PICTURE = np.zeros((240, 320, 3), np.uint8)


def test_the_newest_pictures_are_kept() -> None:
    pictures = Pictures()
    for k in range(MOST + 2):
        pictures.add(encode_jpeg(PICTURE) if k % 2 else encode_png(PICTURE), f"picture {k}")
    assert [p["number"] for p in pictures.listed()] == list(range(3, MOST + 3))
    assert pictures.get(MOST + 2).title == f"picture {MOST + 1}"
    with pytest.raises(AmiError, match="drop it again"):
        pictures.get(1)


@pytest.mark.parametrize(
    "data", [b"", b"GIF89a", b"<svg onload=alert(1)>", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", bytes(5000)]
)
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(AmiError, match="picture"):
        Pictures().add(data, "x")


def test_a_huge_picture_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(AmiError, match="bytes are too many"):
        Pictures().add(bytes(MAX_BYTES + 1), "x")
    bomb = bytearray(encode_png(PICTURE))
    bomb[16:24] = (60_000).to_bytes(4, "big") * 2
    with pytest.raises(AmiError, match="60000x60000"):
        Pictures().add(bytes(bomb), "x")
