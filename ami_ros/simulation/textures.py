"""Pictures drawn from a seed: textures, posters, and what hangs on the walls of interiors."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from ami_ros.simulation.world import Interior, Poster, Texture

# Procedural textures and posters: seeded, so that a world looks the same everywhere.

Picture = NDArray[np.uint8]  # (size, size, 3) RGB
SIZE = 256  # of a wall's or floor's texture [pixels]
POSTER_SIZE = 128  # [pixels]
POSTER_COLORS = (
    "#e6194b", "#3cb44b", "#ffd21f", "#4363d8", "#f58231", "#911eb4",
    "#42d4f4", "#f032e6", "#bfef45", "#111111", "#ffffff", "#008080", "#9a6324",
)  # fmt: skip


def rgb(color: str) -> NDArray[np.float64]:
    """ "#rrggbb" as three values in 0..255."""
    return np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)], dtype=np.float64)


def draw_texture(texture: Texture) -> Picture:
    """One tile of `texture`, which repeats without a seam."""
    rng = np.random.default_rng(texture.seed)
    colors = np.array([rgb(c) for c in texture.colors])
    index, shade = _PATTERNS[texture.pattern](rng, len(colors))
    picture = colors[index % len(colors)] * shade[..., None]
    picture += rng.normal(0.0, 3.0, (SIZE, SIZE, 1))  # a little grain: real surfaces are never one colour
    return np.clip(picture, 0, 255).astype(np.uint8)


def _grid() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    y, x = np.mgrid[0:SIZE, 0:SIZE]
    return y, x


_Layers = tuple[NDArray[np.int64], NDArray[np.float64]]  # colour index and brightness of each pixel
_EVEN = np.ones((SIZE, SIZE))


def _plain(rng: np.random.Generator, n: int) -> _Layers:
    return np.zeros((SIZE, SIZE), dtype=np.int64), _EVEN


def _stripes(rng: np.random.Generator, n: int) -> _Layers:
    return _grid()[1] * 2 * n // SIZE, _EVEN


def _bands(rng: np.random.Generator, n: int) -> _Layers:
    return _grid()[0] * n // SIZE, _EVEN


def _checks(rng: np.random.Generator, n: int) -> _Layers:
    y, x = _grid()
    return y * 4 // SIZE + x * 4 // SIZE, _EVEN


def _chevrons(rng: np.random.Generator, n: int) -> _Layers:
    y, x = _grid()
    return (y + np.abs(x % (SIZE // 2) - SIZE // 4)) * 2 * n // SIZE, _EVEN


def _dots(rng: np.random.Generator, n: int) -> _Layers:
    y, x = _grid()
    pitch = SIZE // 4
    row = y // pitch
    inside = np.hypot(y % pitch - pitch / 2, (x + row % 2 * pitch // 2) % pitch - pitch / 2) < pitch * 0.33
    return np.where(inside, 1 + row % max(n - 1, 1), 0), _EVEN


def _bricks(rng: np.random.Generator, n: int) -> _Layers:
    y, x = _grid()
    height, width, mortar = SIZE // 8, SIZE // 4, 5
    row = y // height
    shifted = (x + row % 2 * width // 2) % SIZE
    tones = rng.uniform(0.8, 1.1, (8, 4))
    joint = (y % height < mortar) | (shifted % width < mortar)
    return np.where(joint, n - 1, 0), np.where(joint, 1.0, tones[row, shifted // width])


def _tiles(rng: np.random.Generator, n: int) -> _Layers:
    y, x = _grid()
    pitch = SIZE // 4
    joint = (y % pitch < 4) | (x % pitch < 4)
    which = rng.integers(0, max(n - 1, 1), (4, 4))
    return np.where(joint, n - 1, which[y // pitch, x // pitch]), _EVEN


def _wood(rng: np.random.Generator, n: int) -> _Layers:
    y, x = _grid()
    plank = y // (SIZE // 8)
    tone = rng.uniform(0.85, 1.1, 8)[plank]
    phase = rng.uniform(0, 2 * np.pi, 8)[plank]
    grain = 0.05 * np.sin(y * 0.9 + 2 * np.sin(2 * np.pi * x / SIZE + phase))
    joint = (y % (SIZE // 8) < 2) | ((x + plank * 90) % SIZE < 2)
    return plank * 5 // 2, np.where(joint, 0.6, tone + grain)


def _noise(rng: np.random.Generator, n: int) -> _Layers:
    coarse = rng.uniform(0, 1, (8, 8))
    wrapped = np.pad(coarse, 2, mode="wrap").astype(np.float32)
    smooth = cv2.resize(wrapped, None, fx=SIZE / 8, fy=SIZE / 8, interpolation=cv2.INTER_CUBIC)
    edge = SIZE // 4
    field = np.clip(smooth[edge : edge + SIZE, edge : edge + SIZE], 0.0, 0.999)
    return (field * n).astype(np.int64), _EVEN


def _speckles(rng: np.random.Generator, n: int) -> _Layers:
    fine = rng.integers(0, n, (SIZE // 2, SIZE // 2))
    return np.repeat(np.repeat(fine, 2, 0), 2, 1), _EVEN


def _mottled(rng: np.random.Generator, n: int) -> _Layers:
    """Of one colour, here and there a little darker or lighter."""
    shade = np.zeros((SIZE, SIZE))
    for cells in (4, 16, 64):
        coarse = np.pad(rng.normal(0, 1, (cells, cells)), 2, mode="wrap").astype(np.float32)
        smooth = cv2.resize(coarse, None, fx=SIZE / cells, fy=SIZE / cells, interpolation=cv2.INTER_CUBIC)
        edge = 2 * SIZE // cells
        shade += smooth[edge : edge + SIZE, edge : edge + SIZE]
    return np.zeros((SIZE, SIZE), dtype=np.int64), 1.0 + 0.02 * shade


_PATTERNS = {
    "plain": _plain, "stripes": _stripes, "bands": _bands, "checks": _checks, "bricks": _bricks, "wood": _wood,
    "noise": _noise, "dots": _dots, "chevrons": _chevrons, "tiles": _tiles,
    "speckles": _speckles, "mottled": _mottled,
}  # fmt: skip


def draw_poster(seed: int) -> Picture:
    """A poster that no other seed has: a few large shapes in strong colours, told apart at a dozen pixels across."""
    rng = np.random.default_rng(1000 + seed)
    colors = [tuple(int(v) for v in rgb(POSTER_COLORS[i])) for i in rng.permutation(len(POSTER_COLORS))]
    picture = np.full((POSTER_SIZE, POSTER_SIZE, 3), colors[0], dtype=np.uint8)
    if rng.random() < 0.6:  # a background in two halves
        normal = rng.normal(size=2)
        y, x = np.mgrid[0:POSTER_SIZE, 0:POSTER_SIZE] - POSTER_SIZE / 2
        picture[x * normal[0] + y * normal[1] > 0] = colors[1]
    for color in colors[2 : 2 + int(rng.integers(2, 4))]:
        _draw_shape(picture, rng, color)
    cv2.rectangle(picture, (0, 0), (POSTER_SIZE - 1, POSTER_SIZE - 1), (245, 245, 240), 6)
    return picture


def _draw_shape(picture: Picture, rng: np.random.Generator, color: tuple[int, ...]) -> None:
    middle = rng.uniform(0.25, 0.75, 2) * POSTER_SIZE
    radius = rng.uniform(0.2, 0.38) * POSTER_SIZE
    x, y = (int(v) for v in middle)
    kind = rng.choice(["disc", "ring", "polygon", "star", "bar"])
    if kind in ("disc", "ring"):
        cv2.circle(picture, (x, y), int(radius), color, -1 if kind == "disc" else int(radius * 0.45))
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


@lru_cache(maxsize=256)
def texture_png(texture: Texture) -> bytes:
    """One tile of `texture` as a PNG file."""
    return encode_png(draw_texture(texture))


@lru_cache(maxsize=256)
def poster_png(seed: int) -> bytes:
    """The poster of `seed` as a PNG file."""
    return encode_png(draw_poster(seed))


def encode_png(picture: Picture) -> bytes:
    """`picture` as a PNG file."""
    return bytes(cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1])


# What hangs on the walls of interiors: photographs, notices, and windows with what is outside of them.

LONG_SIDE = 96  # of a picture [pixels]
WINDOW_SCALE = 64.0  # of a window [pixels/m]


def draw_wall_picture(poster: Poster, interior: Interior) -> Picture:
    """The picture of `poster`, its frame included."""
    rng = np.random.default_rng([poster.seed, 5])
    if poster.kind == "window":
        return _window(rng, poster, interior)
    if poster.kind == "shapes":
        return draw_poster(poster.seed)
    width, height = (max(16, round(LONG_SIDE * s / max(poster.size))) for s in poster.size)
    return _photograph(rng, width, height) if poster.kind == "photograph" else _notice(rng, width, height)


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
    width, height = (max(24, round(s * WINDOW_SCALE)) for s in poster.size)
    day = interior.daylight
    bright = np.clip(0.12 + 1.1 * day, 0.0, 1.0)
    sky = np.array([205, 222, 245]) + (rng.uniform(-20, 10) if interior.sun is None else np.array([-25, -8, 8]))
    picture = np.ones((height, width, 1)) * np.clip(sky, 0, 255)
    horizon = int(height * rng.uniform(0.45, 0.8))
    picture[horizon:] = np.array([96, 112, 84]) * rng.uniform(0.7, 1.2)
    for _ in range(int(rng.integers(1, 5))):
        x, w, top = rng.uniform(0, width), rng.uniform(0.1, 0.5) * width, horizon * rng.uniform(0.2, 0.9)
        color = (
            np.array([120, 112, 104]) * rng.uniform(0.6, 1.4)
            if rng.random() < 0.5
            else np.array([70, 96, 60]) * rng.uniform(0.7, 1.3)
        )
        picture[int(top) : horizon + 2, max(0, int(x - w / 2)) : int(x + w / 2)] = color
    picture = cv2.GaussianBlur(picture, None, 1.5) * bright
    frame, bar = rgb(interior.frame) * np.clip(0.4 + interior.ambient, 0, 1), max(2, round(0.05 * WINDOW_SCALE))
    for column in {0, width - bar, *(([(width - bar) // 2]) if poster.size[0] > 1.0 else [])}:
        picture[:, column : column + bar] = frame
    for row in (0, height - bar):
        picture[row : row + bar] = frame
    return np.clip(picture, 0, 255).astype(np.uint8)
