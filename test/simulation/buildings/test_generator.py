"""Buildings: valid worlds whose rooms can be entered; plain ones are alike."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import label

from ami_ros.core.ranges import ranges
from ami_ros.simulation.buildings.generator import building
from ami_ros.simulation.buildings.kinds import KINDS, OPEN_KINDS, building_name
from ami_ros.simulation.floor_plan import FloorPlan, at_height, in_the_way, obstacles_of, outline
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.world import World
from ami_ros.simulation.world_file import check_geometry, load_world, save_world

ROBOT = 0.2  # [m]
PLAIN = [building(f"building:bare:{seed}") for seed in range(12)]


@pytest.fixture(scope="module", params=[f"building:{kind}:100001" for kind in (*KINDS, *OPEN_KINDS)])
def world(request: pytest.FixtureRequest) -> World:
    return building(request.param)


def test_size_and_rooms_are_within_the_limits_that_the_file_names(world: World) -> None:
    area = sum((r.area[2] - r.area[0]) * (r.area[3] - r.area[1]) for r in world.rooms)
    values = ranges("buildings")
    limits = values["plans"][building_name(world.name).kind].get("limits", values["limits"])
    assert limits["area"][0] <= area <= limits["area"][1]
    assert limits["rooms"][0] <= len(world.rooms) <= limits["rooms"][1]


def test_a_robot_gets_into_every_room_and_all_that_is_free_is_connected(world: World) -> None:
    space, rng = FreeSpace(world, radius=ROBOT), np.random.default_rng(0)
    for room in world.rooms:
        space.sample_pose(rng, room.name)  # raises where the main part does not reach
    lost = label(space._free & ~space.main_part)[0]
    pockets = np.bincount(lost.ravel())[1:] * space.cell**2
    assert pockets.max(initial=0.0) < 0.3 and pockets.sum() < 0.02 * space.area


def test_what_a_robot_can_touch_a_laser_sees_at_any_height(world: World) -> None:
    things = obstacles_of(world, {})
    low = in_the_way(things)
    inside = np.concatenate([0.7 * outline(thing) + 0.3 * np.array(thing.center) for thing in low])
    for height in np.linspace(0.1, 0.4, 4):  # between the lowest and the highest that a scanner sits [m]
        assert FloorPlan(at_height(things, height)).clearance(inside).max() < 0.03


def test_a_building_is_a_world_that_its_file_brings_back(world: World, tmp_path: Path) -> None:
    for own in (world, PLAIN[1]):
        check_geometry(own)
        save_world(own, tmp_path / "building.yaml")
        assert load_world(tmp_path / "building.yaml") == own


@pytest.mark.parametrize("seed", [3, 100_002])
def test_a_hall_is_wider_than_a_small_laser_reaches(seed: int) -> None:
    """From somewhere in its middle fewer than one beam in seven returns within 8 m."""
    world = building(f"building:hall:{seed}")
    x0, y0, x1, y1 = max((room.area for room in world.rooms), key=lambda area: area[2] - area[0])
    assert x1 - x0 >= 30.0 and y1 - y0 >= 20.0
    plan = FloorPlan(at_height(obstacles_of(world, {}), 0.18))
    spots = np.random.default_rng(seed).uniform([x0 + 8, y0 + 8], [x1 - 8, y1 - 8], (40, 2))
    free = spots[plan.clearance(spots) > 0.25]
    returned = [np.mean(plan.returned(spot, np.arange(72) * np.pi / 36) < 8.0) for spot in free]
    assert min(returned) < 0.15


def test_the_same_name_is_the_same_building_and_another_seed_is_another() -> None:
    for name in ("building:", "building:bare:"):
        first, again, other = (building(f"{name}{seed}") for seed in (4, 4, 5))
        assert first == again and first.rooms != other.rooms


def test_a_robot_gets_into_every_room_of_plain_buildings() -> None:
    for world in PLAIN:
        space, rng = FreeSpace(world, radius=ROBOT), np.random.default_rng(0)
        for room in world.rooms:
            space.sample_pose(rng, room.name)


def test_plain_buildings_are_halls_or_alike_rooms_open_to_the_sky_and_nearly_without_pictures() -> None:
    assert {len(world.rooms) for world in PLAIN} >= {1} and max(len(world.rooms) for world in PLAIN) >= 7
    rooms = next(world for world in PLAIN if len(world.rooms) > 6)
    assert max(Counter(thing.size for thing in rooms.furniture).values()) >= 0.6 * (len(rooms.rooms) - 1)
    assert all(world.interior is None for world in PLAIN)
    assert sum(len(world.posters) for world in PLAIN) < sum(len(world.walls) for world in PLAIN) / 4
