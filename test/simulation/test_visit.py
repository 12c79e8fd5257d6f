"""The same world on another day."""

from __future__ import annotations

import numpy as np
import pytest

from ami_ros.core.errors import AmiError
from ami_ros.memory.files import memory_beside
from ami_ros.simulation.floor_plan import FloorPlan, in_the_way, obstacles_of
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.simulator import Simulator
from ami_ros.simulation.visit import LIGHTS, Visit, parted, visited
from ami_ros.simulation.world_file import load_world, save_world

BUILDING, SMALL = "building:office:12", "building:home:1"


def test_a_name_says_who_is_there_what_changed_and_the_light_and_reads_back() -> None:
    name = visited("home@people=2", changed=0.25, light="night")
    assert parted(name) == ("home", Visit(people=2, changed=0.25, light="night"))
    assert parted("rooms@work.yaml") == ("rooms@work.yaml", Visit()) and visited("home") == "home"
    world = load_world(name)
    assert world.people is not None and world.people.count == 2 and world.brightness < 0.5
    assert world.name == "home" and load_world(name) == world
    assert load_world("home@people=0").people is None


@pytest.mark.parametrize("name, wrong", [
    ("home@people=many", "takes a number"), ("home@colour=red", "'colour'"), ("home@changed=2", "share"),
    ("home@light=neon", "no light 'neon'"), ("home@people=3,manner=rude", "no manner 'rude'"),
    ("home@light=sun_patch", "no windows"), ("home@people=5000", "0 to 200"), ("recorded:/nowhere", "/nowhere"),
])  # fmt: skip
def test_a_visit_that_cannot_be_is_refused_in_one_line(name: str, wrong: str) -> None:
    with pytest.raises(AmiError, match=wrong) as refused:
        load_world(name)
    assert "\n" not in str(refused.value)


def test_people_and_brightness_of_a_world_file_read_back(tmp_path) -> None:  # type: ignore[no-untyped-def]
    world = load_world("two_rooms@people=2,manner=blind,light=night")
    save_world(world, tmp_path / "w.yaml")
    assert load_world(tmp_path / "w.yaml") == world


@pytest.mark.parametrize("name, share", [("home", 0.33), ("home", 1.0), (SMALL, 1.0), (BUILDING, 0.33)])
def test_changed_furniture_leaves_doors_and_every_room_in_reach(name: str, share: float) -> None:
    before, after = load_world(name), load_world(visited(name, changed=share, day=4))
    assert after == load_world(visited(name, changed=share, day=4)) != load_world(visited(name, changed=share, day=5))
    assert after.walls == before.walls and after.doors == before.doors
    places = {part.name: (part.position, part.yaw) for part in before.furniture}
    other = {part.name: (part.position, part.yaw) for part in after.furniture}
    assert places != other
    plan = FloorPlan(in_the_way(obstacles_of(after, {})))
    for door in after.doors:
        middle = (np.array(door.start) + door.end) / 2
        assert plan.clearance(middle[None])[0] > 0.3, door.name
    space, old = FreeSpace(after), FreeSpace(before)
    rng = np.random.default_rng(0)
    for room in before.rooms:
        try:
            old.sample_pose(rng, room.name)
        except AmiError:
            continue
        pose = space.sample_pose(rng, room.name)
        assert np.isfinite(space.path_length(space.sample_pose(rng), pose)), room.name


def test_every_light_is_seen_and_is_another() -> None:
    pose = FreeSpace(load_world(SMALL)).sample_pose(np.random.default_rng(8), None, 0.2)
    means = {}
    for light in LIGHTS:
        world = load_world(visited(SMALL, light=light))
        robot = Simulator(world, seed=1)
        means[light] = robot.photograph(pose).astype(float)
        robot.close()
    assert means["night"].mean() < 0.7 * means["day"].mean()
    assert means["lamps_off"].mean() < means["day"].mean()
    for light in LIGHTS[1:]:
        assert np.abs(means[light] - means["day"]).mean() > 1.0, light


def test_a_visit_has_the_memory_and_the_kind_of_its_world(tmp_path) -> None:  # type: ignore[no-untyped-def]
    assert memory_beside(tmp_path, "home@changed=0.3").name == "home.memory"
    assert load_world("building:home:3@people=1").name == "building:home:3"
