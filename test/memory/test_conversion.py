"""Memories made of a map, or of one of another encoder."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from ami_ros.cli.memory import import_map
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import pose_gap, relative, transform_points
from ami_ros.core.scan import Scan
from ami_ros.memory.conversion import _scan, reencode
from ami_ros.memory.occupancy_map import FREE, OCCUPIED, UNKNOWN, OccupancyMap
from ami_ros.memory.place_memory import MemoryConfig, PlaceMemory
from ami_ros.memory.store import Store
from ami_ros.memory.types import Code, Edge, Experience, GoalQuery, PlaceRow, Route
from ami_ros.world_model.latent_model import load_inference
from ami_ros.world_model.perception import Perception
from ami_ros.world_model.spec import InputSpec, ModelSpec
from ami_ros.world_model.torch_model import LoadedModel, WorldModel

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


SPEC = ModelSpec(InputSpec(image_size=32, scan_beams=0), latent_dim=8, encoder_width=16, head_width=16, contrast_dim=8)


def picture(number: int) -> np.ndarray:
    return np.full((32, 32, 3), 20 * number, np.uint8)


def jpeg(number: int) -> bytes:
    return bytes(cv2.imencode(".jpg", picture(number))[1])


@pytest.fixture
def loaded() -> LoadedModel:
    torch.manual_seed(0)
    return LoadedModel(WorldModel(SPEC).eval(), "new", "1" * 64)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Five places in a chain; the fourth has no picture, the fifth a broken one."""
    path = tmp_path / "old.memory"
    store = Store(path, "old@000000000000", 3)
    pictures = [jpeg(1), jpeg(2), jpeg(3), b"", b"no picture"]
    for k, content in enumerate(pictures):
        pose, latent = np.array([k, 0.5, 0.1]), np.full(3, k, np.float32)
        row = PlaceRow(k + 1, latent, pose, 10.0 + k, 20.0, 3, "dock" if k == 1 else "", "note", 2, 7.0, 0.5, content)
        store.put_places([row])
    store.put_experience(1, Experience(commands=np.ones((4, 2), np.float32)))
    store.put_edges(Edge(k, k + 1, np.array([1.0, 0.0, 0.0]), 4) for k in range(1, 5))
    store.close()
    return path


def test_places_with_a_picture_get_latents_of_the_new_encoder(old: Path, loaded: LoadedModel, tmp_path: Path) -> None:
    out, seen = tmp_path / "new.memory", list[tuple[int, int]]()

    def progress(done: int, total: int) -> None:
        assert not out.exists(), "half a memory would be there after a kill"
        seen.append((done, total))

    made = reencode(old, loaded, out, progress)
    assert (made.places, made.without_picture, made.unreadable, made.ways, made.ways_lost) == (3, 1, 1, 2, 2)
    assert seen == [(k, 5) for k in range(1, 6)]
    store = Store(out, loaded.encoder_id, 8, read_only=True)
    places, edges = store.load()
    assert [p.id for p in places] == [1, 2, 3] and [(e.start, e.stop, e.traversals) for e in edges] == [
        (1, 2, 4),
        (2, 3, 4),
    ]
    dock = places[1]
    assert (dock.label, dock.note, dock.visits, dock.episode, dock.surprise, dock.keep_away) == (
        "dock",
        "note",
        3,
        2,
        7.0,
        0.5,
    )
    np.testing.assert_array_equal(dock.pose, [1.0, 0.5, 0.1])
    expected = Perception(loaded.model).encode_goal(picture(2))
    assert np.abs(dock.latent - expected).max() < 0.2 * np.abs(expected).max()  # JPEG
    assert store.thumbnail(2) == jpeg(2) and store.experience([1])[1].commands is not None
    store.close()
    memory = PlaceMemory(loaded.model, loaded.encoder_id, out, MemoryConfig())
    assert len(memory) == 3 and memory.places().labels == {2: "dock"}
    memory.close()


def test_what_cannot_be_done_is_said_and_nothing_is_written(old: Path, loaded: LoadedModel, tmp_path: Path) -> None:
    with pytest.raises(AmiError) as refused:
        PlaceMemory(loaded.model, loaded.encoder_id, old, MemoryConfig())
    assert refused.value.code == Code.ENCODER_MISMATCH and "--reencode" in str(refused.value)
    out = tmp_path / "new.memory"
    with pytest.raises(AmiError, match="already"):
        reencode(old, LoadedModel(loaded.model, "old", "0" * 64), out, lambda *_: None)
    with pytest.raises(AmiError, match="no memory"):
        reencode(tmp_path / "none", loaded, out, lambda *_: None)
    foreign = tmp_path / "foreign"
    foreign.write_bytes(b"something else" * 100)
    with pytest.raises(AmiError):
        reencode(foreign, loaded, out, lambda *_: None)
    assert not out.exists()

    def stop(*_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reencode(old, loaded, out, stop)
    assert not out.exists()
    out.write_bytes(b"mine")
    with pytest.raises(AmiError, match="exists"):
        reencode(old, loaded, out, lambda *_: None)
    assert out.read_bytes() == b"mine"
