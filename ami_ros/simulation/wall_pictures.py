"""What hangs on the walls of interiors: photographs, notices, and windows with what is outside of them."""

from __future__ import annotations

import cv2
import numpy as np

from ami_ros.simulation.textures import Picture, draw_poster, rgb
from ami_ros.simulation.world import Interior, Poster

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
