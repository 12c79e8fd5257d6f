"""Pictures: whatever a camera sends, lossless through PNG, small through JPEG, and refused before they can do harm."""

from __future__ import annotations

import array
import struct
import zlib
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ami_ros.core.errors import AmiError
from ami_ros.core.images import decode_image, encode_jpeg, encode_png, encode_thumbnail, image_of, image_size

RGB: dict[str, list[int]] = {"rgb8": [0, 1, 2], "bgr8": [2, 1, 0], "rgba8": [0, 1, 2, 0], "bgra8": [2, 1, 0, 0]}


def mosaic(pattern: str, rgb: np.ndarray, grey: np.ndarray) -> np.ndarray:
    """What a sensor with a colour filter sees, `pattern` being the letters of its upper left 2x2 pixels."""
    out = np.empty(rgb.shape[:2], dtype=np.uint8)
    for k, letter in enumerate(pattern):
        out[k // 2 :: 2, k % 2 :: 2] = rgb[k // 2 :: 2, k % 2 :: 2, "rgb".index(letter)]
    return out


def yuv422(rgb: np.ndarray, luma: int) -> np.ndarray:
    """Two bytes a pixel: brightness at place `luma`, and of each pair of pixels U in the first, V in the second."""
    yuv = cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV).astype(float)
    y = 16 + yuv[..., 0] * 219 / 255
    u, v = ((yuv[..., k] - 128) * 1.0 + 128 for k in (1, 2))
    u, v = 128 + (u - 128) * 1.02, 128 + (v - 128) * 0.71  # of OpenCV's full-range YUV to the studio range of cameras
    out = np.empty((*rgb.shape[:2], 2), dtype=np.uint8)
    out[..., luma] = y.clip(0, 255)
    out[:, ::2, 1 - luma], out[:, 1::2, 1 - luma] = u[:, ::2].clip(0, 255), v[:, ::2].clip(0, 255)
    return out


OTHER_ENCODINGS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "8UC1": lambda rgb, grey: grey,
    "8UC3": lambda rgb, grey: rgb[..., ::-1],
    "8UC4": lambda rgb, grey: cv2.cvtColor(rgb, cv2.COLOR_RGB2BGRA),
    "mono16": lambda rgb, grey: (grey.astype("<u2") * 256 + 7).view(np.uint8),
    "yuv422": lambda rgb, grey: yuv422(rgb, 1),
    "uyvy": lambda rgb, grey: yuv422(rgb, 1),
    "yuv422_yuy2": lambda rgb, grey: yuv422(rgb, 0),
    "yuyv": lambda rgb, grey: yuv422(rgb, 0),
    **{f"bayer_{p}8": partial(mosaic, p) for p in ("rggb", "bggr", "gbrg", "grbg")},
}


def picture(height: int = 20, width: int = 30) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)


def message_of(data: Any, height: int, width: int, encoding: str, step: int | None = None) -> SimpleNamespace:
    """An Image, as nodes and bags have it."""
    step = len(data) // max(height, 1) if step is None else step
    return SimpleNamespace(height=height, width=width, encoding=encoding, is_bigendian=0, step=step, data=data)


@given(
    st.integers(0, 12),
    st.integers(0, 12),
    st.integers(0, 60),
    st.sampled_from(["rgb8", "bgra8", "mono8", "mono16", "yuyv", "bayer_rggb8", "16UC1", ""]),
    st.binary(max_size=700),
)
def test_an_image_is_a_picture_or_refused(height: int, width: int, step: int, encoding: str, data: bytes) -> None:
    try:
        image = image_of(message_of(array.array("B", data), height, width, encoding, step))
    except AmiError:
        return
    assert image.shape == (height, width, 3) and image.dtype == np.uint8


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize("encoding", RGB)
def test_order_of_colours_and_padding_of_rows_are_honoured(encoding: str, padding: int) -> None:
    image = picture()
    rows = np.pad(image[:, :, RGB[encoding]].reshape(20, -1), ((0, 0), (0, padding)))
    np.testing.assert_array_equal(image_of(message_of(rows.ravel(), 20, 30, encoding)), image)


@pytest.mark.parametrize("encoding", sorted(OTHER_ENCODINGS))
def test_pictures_come_out_the_same_from_every_other_encoding(encoding: str) -> None:
    rgb = np.full((32, 48, 3), (100, 40, 150), np.uint8)
    rgb[:16] = 20
    rgb = cv2.GaussianBlur(rgb, (9, 9), 3.0)
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    expected = cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB) if encoding in ("mono16", "8UC1") else rgb
    data = np.ascontiguousarray(OTHER_ENCODINGS[encoding](rgb, grey))
    message = message_of(data.ravel(), 32, 48, encoding)
    np.testing.assert_allclose(image_of(message)[2:-2, 2:-2], expected[2:-2, 2:-2], atol=12)
    message.data = message.data[:-1]
    with pytest.raises(AmiError, match="do not hold 48x32 pixels"):
        image_of(message)


def test_a_huge_image_is_refused_before_its_bytes_are_touched() -> None:
    with pytest.raises(AmiError, match="20000x20000"):
        image_of(message_of([], 20_000, 20_000, "rgb8", 60_000))


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
    with pytest.raises(AmiError, match="30x20 pixels refused: between 1 and 599"):
        decode_image(encode_png(picture()), max_pixels=599)


def chunk(kind: bytes, content: bytes, length: int | None = None) -> bytes:
    size = len(content) if length is None else length
    return struct.pack(">I4s", size, kind) + content + struct.pack(">I", zlib.crc32(kind + content))


HEAD = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0))
BOMBS = {
    "size": HEAD[:16] + struct.pack(">II", 20_000, 20_000) + b"\0" * 20,
    "data": HEAD + chunk(b"IDAT", b"x" * 20, 2**31 - 1),
    "comment": HEAD + chunk(b"zTXt", b"x" * 20, 2**31 - 1),
    "no end": HEAD,
    "empty": HEAD[:8],
}


@pytest.mark.fault("image malformed, of a wrong length, or too large")
@pytest.mark.parametrize("kind", BOMBS)
def test_a_small_png_that_claims_much_is_refused_from_its_headers(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[Any] = []
    monkeypatch.setattr(cv2, "imdecode", lambda *given: decoded.append(given))
    with pytest.raises(AmiError):
        decode_image(BOMBS[kind])
    assert not decoded


def test_what_a_png_holds_beside_its_pixels_is_not_unpacked() -> None:
    """Compressed text of 100 MB in a file of 100 kB."""
    whole, text = encode_png(picture()), b"note\0\0" + zlib.compress(bytes(100_000_000))
    np.testing.assert_array_equal(decode_image(whole[:33] + chunk(b"zTXt", text) + whole[33:]), picture())


@given(st.binary(max_size=80), st.sampled_from([b"", b"\xff\xd8", b"\x89PNG\r\n\x1a\n"]))
def test_rubbish_is_refused(data: bytes, beginning: bytes) -> None:
    with pytest.raises(AmiError):
        image_of(SimpleNamespace(format="jpeg", data=array.array("B", beginning + data)))


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


def part(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_header(width: int, height: int) -> bytes:
    return part(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))


SIGNATURE = b"\x89PNG\r\n\x1a\n"
SOF = b"\xff\xc0\x00\x11\x08" + struct.pack(">HH", 60_000, 60_000) + b"\x03\x01\x22\x00\x02\x11\x01\x03\x11\x01"
MISLEADING = {
    "a size that was looked at in another chunk": SIGNATURE
    + part(b"tEXt", struct.pack(">II", 4, 4) + b"x")
    + png_header(60_000, 60_000)
    + part(b"IDAT", zlib.compress(bytes(1000)))
    + part(b"IEND", b""),
    "two headers": SIGNATURE
    + png_header(4, 4)
    + png_header(60_000, 60_000)
    + part(b"IDAT", zlib.compress(bytes(1000)))
    + part(b"IEND", b""),
    "a chunk of two gigabytes": SIGNATURE + png_header(4, 4) + struct.pack(">I", 2**31 - 1) + b"IDAT" + b"x" * 40,
    "a header beyond a marker without a length": b"\xff\xd8\xff\x01" + struct.pack(">H", 2 + len(SOF)) + SOF
    + encode_jpeg(np.zeros((4, 4, 3), np.uint8))[2:],
}  # fmt: skip


@pytest.mark.parametrize("name", MISLEADING)
def test_no_picture_unpacks_to_more_than_its_size_says(name: str) -> None:
    with pytest.raises(AmiError):
        decode_image(MISLEADING[name])
