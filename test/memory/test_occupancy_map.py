"""The map that places make together, and its files as Nav2's map server reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from ami_ros.cli.memory import export_map
from ami_ros.core.errors import AmiError
from ami_ros.core.submaps import RAYS, submap_of
from ami_ros.memory.occupancy_map import FREE, OCCUPIED, UNKNOWN, occupancy_map
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
