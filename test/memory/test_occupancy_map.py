"""Occupancy maps: drawn from what lasers saw, and read from files of Nav2."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

from ami_ros.cli.memory import export_map
from ami_ros.core.config import dump_yaml
from ami_ros.core.errors import AmiError
from ami_ros.core.submaps import RAYS, submap_of
from ami_ros.memory.occupancy_map import FREE, OCCUPIED, UNKNOWN, OccupancyMap, occupancy_map, read_map
from ami_ros.memory.store import Store
from ami_ros.memory.types import Experience, PlaceRow

ANGLES = np.arange(RAYS) * 2 * np.pi / RAYS


def round_room(radius: float, ghost: bool = False):  # type: ignore[no-untyped-def]
    """What is seen in the middle of one; with a `ghost`, somebody stood there."""
    points = radius * np.column_stack([np.cos(ANGLES), np.sin(ANGLES)])
    return submap_of(np.concatenate([points, [[0.8, 0.0]]]) if ghost else points, np.full(RAYS, radius))


def test_places_see_walls_and_free_ground_and_who_walked_by_is_gone() -> None:
    poses = [np.zeros(3), np.array([0.4, 0.0, 0.3]), np.array([0.0, 0.4, 1.0]), np.array([-0.4, 0.0, 0.0])]
    drawn = occupancy_map([(pose, round_room(2.0, ghost=k == 0)) for k, pose in enumerate(poses)])
    assert drawn is not None and drawn.resolution == 0.05

    def at(x: float, y: float) -> int:
        column, row = np.floor((np.array([x, y]) - drawn.origin) / 0.05).astype(int)
        return int(drawn.cells[row, column])

    assert at(0.0, 0.0) == at(0.8, 0.0) == FREE and at(-2.8, -2.8) == UNKNOWN
    assert (drawn.cells == OCCUPIED).sum() > 50
    assert occupancy_map([]) is None


def test_the_files_are_those_of_nav2() -> None:
    drawn = occupancy_map([(np.array([1.0, 2.0, 0.0]), round_room(2.0))])
    assert drawn is not None
    head, size, depth, pixels = drawn.pgm().split(b"\n", 3)
    width, height = map(int, size.split())
    assert (head, depth, len(pixels)) == (b"P5", b"255", width * height) and drawn.cells.shape == (height, width)
    shades = np.frombuffer(pixels, np.uint8).reshape(height, width)[::-1]
    assert set(np.unique(shades)) == {0, 205, 254} and ((shades == 254) == (drawn.cells == FREE)).all()
    values = yaml.safe_load(drawn.yaml("office.pgm"))
    assert values["image"] == "office.pgm" and values["resolution"] == 0.05 and len(values["origin"]) == 3
    middle = (np.array([1.0, 2.0]) - values["origin"][:2]) / 0.05
    np.testing.assert_allclose(middle, [width / 2, height / 2], atol=4)


def test_a_memory_is_exported_as_a_map(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    memory, out = tmp_path / "office.memory", tmp_path / "office.yaml"
    store = Store(memory, "laser@0123456789ab", 4)
    for place, x in ((1, 0.0), (2, 0.5)):
        store.put_places([PlaceRow(place, np.zeros(4, np.float32), np.array([x, 0.0, 0.0]), 0.0, 0.0, 1)])
        if place == 1:
            store.put_experience(place, Experience(submap=round_room(2.0).pack()))
    store.close()
    export_map(memory, out)
    assert "m2 free" in capsys.readouterr().out
    assert yaml.safe_load(out.read_text())["image"] == "office.pgm" and (tmp_path / "office.pgm").is_file()
    with pytest.raises(AmiError, match="exists already"):
        export_map(memory, out)
    with pytest.raises(AmiError, match="there is no memory"):
        export_map(tmp_path / "no.memory", tmp_path / "no.yaml")


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
