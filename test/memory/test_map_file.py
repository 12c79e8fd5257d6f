"""Maps of Nav2's map server are read as its map_io.cpp reads them, and ours come back cell by cell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from ami_ros.core.config import dump_yaml
from ami_ros.core.errors import AmiError
from ami_ros.memory.occupancy_map import FREE, OCCUPIED, UNKNOWN, OccupancyMap, read_map

SHADES = np.array([[0, 50, 100], [205, 254, 255]], np.uint8)


def written(folder: Path, picture: bytes, name: str = "a.pgm", **changes: Any) -> Path:
    """A map with that picture."""
    (folder / name).write_bytes(picture)
    usual = {"image": name, "resolution": 0.05, "origin": [1.0, 2.0, 0.0], "occupied_thresh": 0.65, "free_thresh": 0.25}
    file = folder / "a.yaml"
    file.write_text(dump_yaml({**usual, "negate": 0, **changes}))
    return file


def pgm(shades: np.ndarray = SHADES) -> bytes:
    return f"P5\n# by hand\n{shades.shape[1]} {shades.shape[0]}\n255\n".encode() + shades.tobytes()


@pytest.mark.parametrize("yaw", [0.0, 0.7])
def test_what_was_exported_comes_back_exactly(tmp_path: Path, yaw: float) -> None:
    rng = np.random.default_rng(3)
    cells = rng.choice([UNKNOWN, FREE, OCCUPIED], (37, 53)).astype(np.int8)
    drawn = OccupancyMap(cells, 0.05, np.array([-3.1, 4.25]), yaw)
    (tmp_path / "b.pgm").write_bytes(drawn.pgm())
    (tmp_path / "b.yaml").write_text(drawn.yaml("b.pgm"))
    read = read_map(tmp_path / "b.yaml")
    assert (read.cells == cells).all()
    assert (read.resolution, read.yaw) == (0.05, yaw) and (read.origin == drawn.origin).all()


def test_the_three_modes_and_negate(tmp_path: Path) -> None:
    """Darkness is 1, 0.80, 0.61, 0.196, 0.004, 0; the lower row of the picture is the first of the grid."""
    read = read_map(written(tmp_path, pgm())).cells
    assert read.tolist() == [[FREE, FREE, FREE], [OCCUPIED, OCCUPIED, UNKNOWN]]
    scaled = read_map(written(tmp_path, pgm(), mode="scale", free_thresh=0.1)).cells
    assert scaled.tolist() == [[17, FREE, FREE], [OCCUPIED, OCCUPIED, 92]]
    raw = read_map(written(tmp_path, pgm(), mode="raw")).cells
    assert raw.tolist() == [[UNKNOWN, UNKNOWN, UNKNOWN], [0, 50, 100]]
    assert read_map(written(tmp_path, pgm(), negate=1)).cells.tolist() == [[OCCUPIED] * 3, [FREE, FREE, UNKNOWN]]


def test_a_png_with_what_is_hidden_and_a_pgm_in_words(tmp_path: Path) -> None:
    channels = np.dstack([SHADES, SHADES, SHADES, np.array([[255, 255, 0], [255, 255, 255]], np.uint8)])
    png = cv2.imencode(".png", channels)[1].tobytes()
    hidden = read_map(written(tmp_path, png, "a.png", free_thresh=0.7, occupied_thresh=0.9)).cells
    assert hidden.tolist() == [[FREE, FREE, FREE], [OCCUPIED, UNKNOWN, UNKNOWN]]
    words = b"P2\n3 2\n510\n" + " ".join(str(2 * v) for v in SHADES.ravel().tolist()).encode()
    assert (read_map(written(tmp_path, words)).cells == read_map(written(tmp_path, pgm())).cells).all()


def test_a_turned_grid_lies_where_its_corner_says(tmp_path: Path) -> None:
    read = read_map(written(tmp_path, pgm(), origin=[1.0, 2.0, np.pi / 2]))
    np.testing.assert_allclose(read.points(np.array([[0, 0], [0, 2]])), [[0.975, 2.025], [0.975, 2.125]])


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"resolution": 0}, "resolution must be positive"),
        ({"resolution": float("nan")}, "expected a number"),
        ({"origin": [0, 0]}, "origin"),
        ({"free_thresh": 0.9}, "free_thresh < occupied_thresh"),
        ({"mode": "colour"}, "mode"),
        ({"negate": 3}, "negate must be 0 or 1"),
        ({"image": "none.pgm"}, "cannot read .*none.pgm"),
        ({"size": 3}, "size"),
    ],
)
def test_what_is_wrong_in_the_yaml_is_one_line(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(AmiError, match=says) as error:
        read_map(written(tmp_path, pgm(), **changes))
    assert "\n" not in str(error.value) and "a.yaml" in str(error.value)


@pytest.mark.parametrize(
    ("picture", "says"),
    [
        (pgm()[:-1], "cut off"),
        (b"P5\n999999 999999\n255\n", "cannot be read"),
        (b"P5\n3 2\n0\n123456", "cannot be read"),
        (b"P2\n3 2\n255\n1 2 x 4 5 6", "cut off"),
        (b"GIF89a", "neither PGM nor PNG"),
        (b"\x89PNG\r\n\x1a\n" + b"0" * 40, "picture"),
        (b"", "neither PGM nor PNG"),
    ],
)
def test_what_is_wrong_in_the_picture_is_one_line(tmp_path: Path, picture: bytes, says: str) -> None:
    with pytest.raises(AmiError, match=says) as error:
        read_map(written(tmp_path, picture))
    assert "\n" not in str(error.value)
