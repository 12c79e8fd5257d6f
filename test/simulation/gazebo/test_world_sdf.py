"""Worlds as Gazebo gets them: valid documents that are solid, and seen by a laser, where our own simulator's are."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ami_ros.core.config import parse_yaml
from ami_ros.core.robots.description import default_robot
from ami_ros.simulation.floor_plan import FloorPlan, at_height, door_obstacle, obstacles_of
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.gazebo.world_sdf import write_world
from ami_ros.simulation.world import HEADROOM, World
from ami_ros.simulation.world_file import load_world
from harness import sdf

WORLDS = ("home", "building:home:5110", "building:warehouse:5111")


@pytest.fixture(scope="module", params=WORLDS)
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[World, Path]:
    world = load_world(request.param)
    return world, write_world(world, tmp_path_factory.mktemp("sdf"))


def grid(world: World, step: float) -> np.ndarray:
    xs, ys = (np.arange(step / 2, length, step) for length in world.size)
    return np.stack(np.meshgrid(xs, ys, indexing="ij"), axis=-1).reshape(-1, 2)


def test_world_keeps_the_rules_of_sdformat(exported: tuple[World, Path]) -> None:
    assert sdf.broken_rules(exported[1]) == []


@pytest.mark.skipif(shutil.which("gz") is None, reason="there is no gz here: sdformat's own checker was not asked")
def test_sdformat_takes_the_world(exported: tuple[World, Path]) -> None:
    found = subprocess.run(["gz", "sdf", "-k", exported[1]], capture_output=True, text=True, timeout=60)
    assert found.returncode == 0 and "Valid" in found.stdout, found.stdout + found.stderr


def test_robot_fits_in_gazebo_where_it_fits_in_ours(exported: tuple[World, Path]) -> None:
    world, path = exported
    points, space = grid(world, 0.05), FreeSpace(world)
    found = [solid for solid in sdf.solids(path, "collision") if solid.reaches(0.02, HEADROOM)]
    theirs = sdf.clearance(found, points)
    ours = space.plan.clearance(points)
    assert np.abs(theirs - ours).max() < 0.012  # the panel of a closed door is thinner where it also stands open
    fits = default_robot().shape.radius + 0.02
    sure = np.abs(ours - fits) > 0.012
    assert (((theirs >= fits) == (ours >= fits)) | ~sure).all() and 0.1 < (ours >= fits).mean() < 0.95


@pytest.mark.parametrize("height", [0.0, 0.25, 0.5])
def test_laser_meets_in_gazebo_what_it_meets_in_ours(exported: tuple[World, Path], height: float) -> None:
    world, path = exported
    level = max(height, 0.1)
    found = [solid for solid in sdf.solids(path, "visual") if solid.reaches(level, level + 1e-6)]
    points = grid(world, 0.1)
    plan = FloorPlan(at_height(obstacles_of(world, {}), height))
    assert np.abs(sdf.clearance(found, points) - plan.clearance(points)).max() < 0.012


@pytest.mark.parametrize("name", ["home", "building:home:5110"])
def test_doors_are_moved_by_their_joints_to_where_they_are_open_and_closed(name: str, tmp_path: Path) -> None:
    world = load_world(name)
    path = write_world(world, tmp_path)
    states = parse_yaml((tmp_path / "doors.yaml").read_text())
    assert set(states) == {door.name for door in world.doors} and world.doors
    points = grid(world, 0.1)
    thick = max(2 * door_obstacle(world, door).half[1] for door in world.doors)
    for is_open, state in ((True, "open"), (False, "closed")):
        found = [s for s in sdf.moved(path, {v["topic"]: v[state] for v in states.values()}) if s.reaches(0.02, 0.3)]
        solid = [o for o in obstacles_of(world, {d.name: is_open for d in world.doors}) if o.base < HEADROOM]
        difference = sdf.clearance(found, points) - FloorPlan(solid).clearance(points)
        assert np.abs(difference).max() < thick / 2  # a leaf is thinner than what fills a gap


def test_names_that_gazebo_does_not_take_are_replaced(two_rooms: World, tmp_path: Path) -> None:
    pieces = tuple(replace(f, name=f"{f.name[0]} ::/ö") for f in two_rooms.furniture)
    world = replace(two_rooms, name="zwei Räume: 1/2", furniture=pieces)
    path = write_world(world, tmp_path)
    assert path.name == "zwei_R_ume_1_2.sdf" and sdf.broken_rules(path) == []
