from __future__ import annotations

import typing

import cv2
import numpy as np
import pytest

from ami_ros.simulation.textures import draw_poster, draw_texture
from ami_ros.simulation.world import Texture

PATTERNS = typing.get_args(typing.get_type_hints(Texture)["pattern"])


@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_pattern_draws_in_its_colours_and_the_same_each_time(pattern: str) -> None:
    texture = Texture(pattern, ("#cc2222", "#2222cc"), seed=3)  # type: ignore[arg-type]
    picture = draw_texture(texture)
    assert picture.shape == (256, 256, 3) and picture.dtype == np.uint8
    assert np.array_equal(picture, draw_texture(texture))
    assert picture[..., 1].mean() < 80  # hardly any green in either colour


def test_posters_of_different_seeds_are_told_apart_at_twelve_pixels() -> None:
    small = np.array([cv2.resize(draw_poster(seed), (12, 12), interpolation=cv2.INTER_AREA) for seed in range(1, 36)])
    flat = small.reshape(len(small), -1).astype(float)
    difference = np.abs(flat[:, None] - flat[None]).mean(axis=-1)
    assert difference[~np.eye(len(small), dtype=bool)].min() > 20.0
