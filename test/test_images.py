"""Pictures: lossless through PNG, small through JPEG, and refused before they can do harm."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ami_ros.errors import AmiError
from ami_ros.images import decode_image, encode_jpeg, encode_png, encode_thumbnail, image_size


def picture(height: int = 20, width: int = 30) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_png_is_lossless_and_red_stays_red() -> None:
    image = picture()
    np.testing.assert_array_equal(decode_image(encode_png(image)), image)
    red = np.full((2, 2, 3), (255, 0, 0), dtype=np.uint8)
    assert decode_image(encode_png(red))[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("encode", [encode_png, encode_jpeg])
def test_size_is_known_from_the_header(encode: object) -> None:
    assert callable(encode)
    assert image_size(encode(picture(20, 30))) == (30, 20)


def test_size_of_a_progressive_jpeg_is_known() -> None:
    _, data = cv2.imencode(".jpg", picture(40, 70), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])
    assert image_size(data.tobytes()) == (70, 40)


def test_picture_beyond_the_limit_is_refused() -> None:
    with pytest.raises(AmiError, match="30x20 pixels refused: the limit is 599"):
        decode_image(encode_png(picture()), max_pixels=599)


@given(st.integers(1, 400))
def test_truncated_picture_is_refused_or_decoded_whole(length: int) -> None:
    data = encode_jpeg(picture())
    try:
        assert decode_image(data[: min(length, len(data))]).shape == (20, 30, 3)
    except AmiError:
        pass


@pytest.mark.parametrize(("size", "kept"), [((2160, 3840), (192, 108)), ((900, 300), (64, 192)), ((48, 64), (64, 48))])
def test_thumbnail_of_a_large_camera_is_small_and_a_small_picture_keeps_its_size(
    size: tuple[int, int], kept: tuple[int, int]
) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (*size, 3), dtype=np.uint8)
    thumbnail = encode_thumbnail(noise)
    assert image_size(thumbnail) == kept
    assert len(thumbnail) < 50_000
