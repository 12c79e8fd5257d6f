import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from ami_ros.bench.demo.picture import draw_picture
from ami_ros.bench.trials import Trial
from ami_ros.core.errors import AmiError
from ami_ros.simulation.mjcf import TopView

FLOOR = TopView(np.full((60, 80, 3), 200, np.uint8), 10.0)
PLACES = np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 2.0]])
GRAPH = PLACES, PLACES[[[0, 1], [1, 2]]]


def drive(final: tuple[float, float, float]) -> Trial:
    path = np.linspace((1.0, 1.0), (4.0, 3.0), 20)
    return Trial(
        "far",
        (1.0, 1.0, 0.0),
        (4.0, 3.0, 1.0),
        3.6,
        "succeeded",
        True,
        final,
        20.0,
        0,
        9,
        0,
        0,
        "",
        path=path,
        allowance_s=90.0,
    )


def read(path: Path) -> NDArray[np.uint8]:
    image = cv2.imread(str(path))
    assert image is not None
    return np.asarray(image, np.uint8)


def shades(image: NDArray[np.uint8], colour: NDArray[np.int64]) -> int:
    """Number of pixels near an RGB colour."""
    return int((np.abs(image[..., ::-1].astype(int) - colour).max(axis=-1) < 12).sum())


def test_picture_shows_paths_failures_and_places(tmp_path: Path) -> None:
    bare, full = tmp_path / "bare.png", tmp_path / "full.png"
    draw_picture(bare, FLOOR, 0.17, [drive((4.0, 3.0, 1.0))], None, "two goals", "")
    draw_picture(full, FLOOR, 0.17, [drive((4.0, 3.0, 1.0)), drive((2.0, 5.0, 0.0))], GRAPH, "two goals", "")
    bare_image, full_image = read(bare), read(full)
    red = np.array([204, 61, 54])
    assert shades(full_image, red) > shades(bare_image, red) + 50
    assert full_image.shape[1] >= 1600


@pytest.mark.parametrize("count", [0, 50])
def test_any_number_of_goals_is_drawn(tmp_path: Path, count: int) -> None:
    draw_picture(tmp_path / "a.png", FLOOR, 0.17, [drive((math.nan,) * 3)] * count, None, "", "")
    assert read(tmp_path / "a.png").shape[1] >= 1600


def test_folder_that_is_gone_gives_one_line(tmp_path: Path) -> None:
    with pytest.raises(AmiError, match="cannot write"):
        draw_picture(tmp_path / "gone" / "a.png", FLOOR, 0.17, [], None, "", "")
