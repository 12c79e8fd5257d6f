"""Pictures drawn from a seed: textures, posters, and what hangs on the walls of interiors."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from ami_ros.simulation.world import Interior, Poster, Texture

Picture = NDArray[np.uint8]  # (height, width, 3) RGB
SIZE = 256  # of a wall's or floor's texture [pixels]


def rgb(color: str) -> NDArray[np.float64]:
    """ "#rrggbb" as three values in 0..255."""
    return np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)], dtype=np.float64)


def encode_png(picture: Picture) -> bytes:
    """`picture` as a PNG file."""
    return bytes(cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1])


@lru_cache(maxsize=256)
def texture_png(texture: Texture) -> bytes:
    """One tile of `texture` as a PNG file."""
    return encode_png(draw_texture(texture))


@lru_cache(maxsize=256)
def poster_png(seed: int) -> bytes:
    """The poster of `seed` as a PNG file."""
    return encode_png(draw_poster(seed))


# Textures

_Index = NDArray[np.int64]  # of the colour of each pixel
_Layers = tuple[_Index, NDArray[np.float64] | float]  # and its brightness
# Patterns of even brightness, of rows and columns of pixels and the number of colours.
_EVEN: dict[str, Callable[[_Index, _Index, int], _Index]] = {
    "plain": lambda y, x, n: np.zeros_like(y),
    "stripes": lambda y, x, n: x * 2 * n // SIZE,
    "bands": lambda y, x, n: y * n // SIZE,
    "checks": lambda y, x, n: y * 4 // SIZE + x * 4 // SIZE,
    "chevrons": lambda y, x, n: (y + np.abs(x % (SIZE // 2) - SIZE // 4)) * 2 * n // SIZE,
}


def draw_texture(texture: Texture) -> Picture:
    """One tile of `texture`, which repeats without a seam."""
    rng = np.random.default_rng(texture.seed)
    colors = np.array([rgb(c) for c in texture.colors])
    y, x = np.mgrid[0:SIZE, 0:SIZE]
    even = _EVEN.get(texture.pattern)
    index, shade = (even(y, x, len(colors)), 1.0) if even else _pattern(texture.pattern, y, x, len(colors), rng)
    picture = colors[index % len(colors)] * np.broadcast_to(shade, (SIZE, SIZE))[..., None]
    picture += rng.normal(0.0, 3.0, (SIZE, SIZE, 1))  # a little grain: real surfaces are never one colour
    return np.clip(picture, 0, 255).astype(np.uint8)


def _pattern(pattern: str, y: _Index, x: _Index, n: int, rng: np.random.Generator) -> _Layers:
    """The other patterns."""
    pitch, plank = SIZE // 4, SIZE // 8
    match pattern:
        case "dots":
            row = y // pitch
            inside = np.hypot(y % pitch - pitch / 2, (x + row % 2 * pitch // 2) % pitch - pitch / 2) < pitch * 0.33
            return np.where(inside, 1 + row % max(n - 1, 1), 0), 1.0
        case "bricks":
            row, mortar = y // plank, 5
            shifted = (x + row % 2 * pitch // 2) % SIZE
            tones = rng.uniform(0.8, 1.1, (8, 4))
            joint = (y % plank < mortar) | (shifted % pitch < mortar)
            return np.where(joint, n - 1, 0), np.where(joint, 1.0, tones[row, shifted // pitch])
        case "tiles":
            joint = (y % pitch < 4) | (x % pitch < 4)
            which = rng.integers(0, max(n - 1, 1), (4, 4))
            return np.where(joint, n - 1, which[y // pitch, x // pitch]), 1.0
        case "wood":
            row = y // plank
            tone, phase = rng.uniform(0.85, 1.1, 8)[row], rng.uniform(0, 2 * np.pi, 8)[row]
            grain = 0.05 * np.sin(y * 0.9 + 2 * np.sin(2 * np.pi * x / SIZE + phase))
            joint = (y % plank < 2) | ((x + row * 90) % SIZE < 2)
            return row * 5 // 2, np.where(joint, 0.6, tone + grain)
        case "noise":
            return (np.clip(_smooth(rng.uniform(0, 1, (8, 8))), 0.0, 0.999) * n).astype(np.int64), 1.0
        case "speckles":
            return np.repeat(np.repeat(rng.integers(0, n, (SIZE // 2, SIZE // 2)), 2, 0), 2, 1), 1.0
    shade = np.zeros((SIZE, SIZE))  # mottled: of one colour, here and there a little darker or lighter
    for cells in (4, 16, 64):
        shade += _smooth(rng.normal(0, 1, (cells, cells)))
    return np.zeros_like(y), 1.0 + 0.02 * shade


def _smooth(cells: NDArray[np.float64]) -> NDArray[np.float32]:
    """Values of a square of cells, which repeats, spread over all pixels."""
    wrapped, scale = np.pad(cells, 2, mode="wrap").astype(np.float32), SIZE // len(cells)
    spread = cv2.resize(wrapped, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    return np.asarray(spread[2 * scale : 2 * scale + SIZE, 2 * scale : 2 * scale + SIZE])


# Pictures on walls


def draw_wall_picture(poster: Poster, interior: Interior) -> Picture:
    """The picture of `poster`, its frame included."""
    rng = np.random.default_rng([poster.seed, 5])
    if poster.kind == "window":
        return _window(rng, poster, interior)
    if poster.kind == "shapes":
        return draw_poster(poster.seed)
    width, height = (max(16, round(96 * s / max(poster.size))) for s in poster.size)
    return _photograph(rng, width, height) if poster.kind == "photograph" else _notice(rng, width, height)


def draw_poster(seed: int) -> Picture:
    """A poster that no other seed has: a few large shapes in strong colours, told apart at a dozen pixels across."""
    palette, size = (
        "#e6194b", "#3cb44b", "#ffd21f", "#4363d8", "#f58231", "#911eb4",
        "#42d4f4", "#f032e6", "#bfef45", "#111111", "#ffffff", "#008080", "#9a6324",
    ), 128  # fmt: skip
    rng = np.random.default_rng(1000 + seed)
    colors = [tuple(int(v) for v in rgb(palette[i])) for i in rng.permutation(len(palette))]
    picture = np.full((size, size, 3), colors[0], dtype=np.uint8)
    if rng.random() < 0.6:  # a background in two halves
        normal = rng.normal(size=2)
        y, x = np.mgrid[0:size, 0:size] - size / 2
        picture[x * normal[0] + y * normal[1] > 0] = colors[1]
    for color in colors[2 : 2 + int(rng.integers(2, 4))]:
        _draw_shape(picture, rng, color)
    cv2.rectangle(picture, (0, 0), (size - 1, size - 1), (245, 245, 240), 6)
    return picture


def _draw_shape(picture: Picture, rng: np.random.Generator, color: tuple[int, ...]) -> None:
    middle = rng.uniform(0.25, 0.75, 2) * len(picture)
    radius = rng.uniform(0.2, 0.38) * len(picture)
    kind = rng.choice(["disc", "ring", "polygon", "star", "bar"])
    if kind in ("disc", "ring"):
        width = -1 if kind == "disc" else int(radius * 0.45)
        cv2.circle(picture, (int(middle[0]), int(middle[1])), int(radius), color, width)
        return
    turn = rng.uniform(0, 2 * np.pi)
    if kind == "bar":
        corners = np.array([[-1.6, -0.3], [1.6, -0.3], [1.6, 0.3], [-1.6, 0.3]]) * radius
        c, s = np.cos(turn), np.sin(turn)
        points = corners @ np.array([[c, s], [-s, c]]) + middle
    else:
        n = int(rng.integers(3, 6)) if kind == "polygon" else 10
        reach = radius * (np.where(np.arange(n) % 2, 0.45, 1.2) if kind == "star" else np.full(n, 1.1))
        angles = turn + 2 * np.pi * np.arange(n) / n
        points = middle + np.stack([np.cos(angles), np.sin(angles)], axis=-1) * reach[:, None]
    cv2.fillPoly(picture, [points.astype(np.int32)], color)


def _photograph(rng: np.random.Generator, width: int, height: int) -> Picture:
    """A landscape of soft shapes behind a frame and a mount."""
    hues = rng.uniform(0, 180, 3)
    bands = [(rng.normal(hue, 8, (4, 5)), rng.uniform(30, 150, (4, 5)), rng.uniform(60, 230, (4, 5))) for hue in hues]
    cells = [np.stack(band, -1) for band in bands]
    field = cv2.resize(np.concatenate(cells).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    field[..., 0] %= 180
    picture = cv2.cvtColor(np.clip(field, 0, 255).astype(np.uint8), cv2.COLOR_HSV2RGB)
    for _ in range(int(rng.integers(1, 4))):
        color = tuple(int(v) for v in rng.integers(20, 230, 3))
        middle = (int(rng.uniform(0.2, 0.8) * width), int(rng.uniform(0.3, 0.9) * height))
        axes = (int(rng.uniform(0.05, 0.3) * width) + 1, int(rng.uniform(0.05, 0.3) * height) + 1)
        cv2.ellipse(picture, middle, axes, float(rng.uniform(0, 180)), 0, 360, color, -1)
    tone = int(rng.integers(10, 240))
    cv2.rectangle(picture, (0, 0), (width - 1, height - 1), (tone, tone, tone), 4)
    return np.asarray(picture, dtype=np.uint8)


def _notice(rng: np.random.Generator, width: int, height: int) -> Picture:
    """A sheet with lines of writing."""
    paper = int(rng.integers(225, 250))
    picture = np.full((height, width, 3), (paper, paper, paper - int(rng.integers(0, 15))), dtype=np.uint8)
    if rng.random() < 0.4:
        picture[: height // 5] = rng.integers(40, 200, 3)
    for row in range(height // 4, height - 6, 6):
        end = int(width * rng.uniform(0.5, 0.9))
        picture[row : row + 2, width // 10 : end] = int(rng.integers(60, 120))
    return picture


def _window(rng: np.random.Generator, poster: Poster, interior: Interior) -> Picture:
    """Sky, what grows or stands outside, and a frame with its bars."""
    scale = 64.0  # [pixels/m]
    width, height = (max(24, round(s * scale)) for s in poster.size)
    bright = np.clip(0.12 + 1.1 * interior.daylight, 0.0, 1.0)
    sky = np.array([205, 222, 245]) + (rng.uniform(-20, 10) if interior.sun is None else np.array([-25, -8, 8]))
    picture = np.ones((height, width, 1)) * np.clip(sky, 0, 255)
    horizon = int(height * rng.uniform(0.45, 0.8))
    picture[horizon:] = np.array([96, 112, 84]) * rng.uniform(0.7, 1.2)
    for _ in range(int(rng.integers(1, 5))):
        x, w, top = rng.uniform(0, width), rng.uniform(0.1, 0.5) * width, horizon * rng.uniform(0.2, 0.9)
        house = rng.random() < 0.5
        color = np.array([120, 112, 104] if house else [70, 96, 60]) * rng.uniform(*(0.6, 1.4) if house else (0.7, 1.3))
        picture[int(top) : horizon + 2, max(0, int(x - w / 2)) : int(x + w / 2)] = color
    picture = cv2.GaussianBlur(picture, None, 1.5) * bright
    frame, bar = rgb(interior.frame) * np.clip(0.4 + interior.ambient, 0, 1), max(2, round(0.05 * scale))
    for column in {0, width - bar, *(([(width - bar) // 2]) if poster.size[0] > 1.0 else [])}:
        picture[:, column : column + bar] = frame
    for row in (0, height - bar):
        picture[row : row + bar] = frame
    return np.clip(picture, 0, 255).astype(np.uint8)
