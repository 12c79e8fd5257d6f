"""A robot that has never been in a building finds its place and its ways in a memory made from the building's map."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ami_ros.cli.memory import import_map
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import pose_gap, relative, transform_points
from ami_ros.core.scan import Scan
from ami_ros.memory.conversion import _scan
from ami_ros.memory.growth import MemoryConfig
from ami_ros.memory.occupancy_map import FREE, OCCUPIED, UNKNOWN, OccupancyMap
from ami_ros.memory.place_memory import PlaceMemory
from ami_ros.memory.types import GoalQuery, Route
from ami_ros.world_model.latent_model import load_inference
from ami_ros.world_model.perception import Perception

CELL, ORIGIN = 0.05, np.array([-2.0, 3.0])


def two_rooms(yaw: float) -> OccupancyMap:
    """4 by 5 m and 4 by 6 m, a door of 0.9 m between them, a cupboard and a niche; nothing is known outside."""
    cells = np.full((140, 180), UNKNOWN, np.int8)
    cells[8:112, 8:92], cells[10:110, 10:90] = OCCUPIED, FREE
    cells[8:132, 90:172], cells[10:130, 92:170] = OCCUPIED, FREE
    cells[60:78, 88:94] = FREE
    cells[20:40, 10:18] = cells[90:130, 140:150] = OCCUPIED
    return OccupancyMap(cells, CELL, ORIGIN, yaw)


def written(drawn: OccupancyMap, folder: Path) -> Path:
    (folder / "rooms.pgm").write_bytes(drawn.pgm())
    (folder / "rooms.yaml").write_text(drawn.yaml("rooms.pgm"))
    return folder / "rooms.yaml"


def seen_from(drawn: OccupancyMap, pose: np.ndarray, rng: np.random.Generator) -> Scan:
    """What a noisy laser sees at a pose (3,) of the map."""
    scan = _scan(drawn, pose[:2])
    turned = np.roll(scan.ranges, -round(np.degrees(pose[2])))
    return Scan(
        turned + rng.normal(0.0, 0.01, len(turned)).astype(np.float32), 0.0, scan.angle_increment, max_range=12.0
    )


def route_points(route: Route) -> np.ndarray:
    """All along the straight lines between its places (n, 2) [m]."""
    corners = np.array([place.pose[:2] for place in route.places])
    return np.concatenate([np.linspace(a, b, 20) for a, b in zip(corners[:-1], corners[1:], strict=True)])


@pytest.mark.parametrize("yaw", [0.0, 0.5])
def test_a_robot_that_was_never_there_finds_itself_and_its_way(tmp_path: Path, yaw: float) -> None:
    drawn, out = two_rooms(yaw), tmp_path / "rooms.memory"
    import_map(written(drawn, tmp_path), out)
    loaded, rng = load_inference("laser"), np.random.default_rng(5)
    perception = Perception(loaded.model)
    memory = PlaceMemory(loaded.model, loaded.encoder_id, out, MemoryConfig())
    try:
        assert 50 < len(memory) < 400
        begin = drawn.points(np.array([[34, 40]]))[0]
        way = [
            np.array([*(begin + 0.05 * k * np.array([np.cos(yaw), np.sin(yaw)])), np.radians(20)]) for k in range(12)
        ]
        memory.set_initial_pose(way[0] + [0.2, -0.15, 0.1])
        for k, pose in enumerate(way):
            scan = seen_from(drawn, pose, rng)
            memory.observe(0.2 * k, perception.encode(None, scan), relative(way[0], pose), scan=scan)
        location = memory.location()
        assert location is not None and location.localised
        off, turned = pose_gap(location.pose, way[-1])
        assert off < 0.15 and turned < 0.1
        goal = drawn.points(np.array([[100, 120]]))[0]
        route = memory.find_route(GoalQuery(pose=np.array([*goal, 0.0])))
        assert 4.0 < route.length < 9.0 and len(route.places) > 5
        at = transform_points(relative(np.array([*ORIGIN, yaw]), np.zeros(3)), route_points(route))
        column, row = np.floor(at / CELL).astype(int).T
        assert (drawn.cells[row, column] == FREE).all()  # it goes through the door, not the wall
    finally:
        memory.close()


def test_a_map_without_room_a_model_with_a_camera_and_a_file_that_is_there_are_refused(tmp_path: Path) -> None:
    file, out = written(two_rooms(0.0), tmp_path), tmp_path / "rooms.memory"
    with pytest.raises(AmiError, match="take --model laser"):
        import_map(file, out, model="general")
    out.write_bytes(b"mine")
    with pytest.raises(AmiError, match="exists already"):
        import_map(file, out)
    assert out.read_bytes() == b"mine"
    tight = OccupancyMap(np.full((3, 90), FREE, np.int8), CELL, ORIGIN)
    (tmp_path / "tight").mkdir()
    with pytest.raises(AmiError, match="fits"):
        import_map(written(tight, tmp_path / "tight"), tmp_path / "tight.memory")
    assert not (tmp_path / "tight.memory").exists()
