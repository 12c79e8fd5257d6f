"""Plain buildings: valid worlds, whose rooms are alike and can be entered."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from ami_ros.simulation.buildings.kinds import BARE, FIRST_TEST_SEED, building_name
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.world import World
from ami_ros.simulation.world_file import load_world, save_world

SEEDS = range(12)


def plain(seed: int) -> World:
    return load_world(f"building:bare:{seed}")


@pytest.mark.parametrize("seed", SEEDS)
def test_a_robot_gets_into_every_room(seed: int) -> None:
    world, rng = plain(seed), np.random.default_rng(0)
    space = FreeSpace(world, radius=0.2)
    for room in world.rooms:
        space.sample_pose(rng, room.name)  # raises where the main part does not reach


def test_some_are_rooms_along_a_corridor_and_some_are_halls() -> None:
    rooms = [len(plain(seed).rooms) for seed in SEEDS]
    assert 1 in rooms and max(rooms) >= 7


def test_rooms_are_furnished_alike() -> None:
    world = next(world for seed in SEEDS if len((world := plain(seed)).rooms) > 6)
    sizes = Counter(thing.size for thing in world.furniture)
    assert max(sizes.values()) >= 0.6 * (len(world.rooms) - 1)


def test_they_are_open_to_the_sky_and_nearly_without_pictures() -> None:
    worlds = [plain(seed) for seed in SEEDS]
    assert all(world.interior is None for world in worlds)
    assert sum(len(world.posters) for world in worlds) < sum(len(world.walls) for world in worlds) / 4


def test_the_same_name_is_the_same_building_and_can_be_saved(tmp_path: Path) -> None:
    world = plain(1)
    assert plain(1) == world and plain(2) != world
    save_world(world, tmp_path / "world.yaml")
    assert load_world(tmp_path / "world.yaml").walls == world.walls


def test_no_seed_alone_names_one_and_those_for_tests_are_kept_apart() -> None:
    drawn = {building_name(f"building:{seed}").kind for seed in (*range(300), *range(FIRST_TEST_SEED, 100_300))}
    assert BARE not in drawn
    assert building_name("building:bare:7").use == "training"
    assert building_name(f"building:bare:{FIRST_TEST_SEED}").use == "test"
