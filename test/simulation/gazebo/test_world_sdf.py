"""Worlds as Gazebo gets them: valid documents that are solid, seen by a laser and coloured as in our own simulator.

gz-rendering 8 (ogre2) reckons in linear light: it decodes pictures, takes colours and lights as they are given, and
encodes what it drew (Ogre2RenderTarget: RGBA8_UNORM_SRGB). MuJoCo multiplies plain values. The rest is as its shaders
have it (800.PixelShader_piece_ps.any): ambient light counts by 1 / pi, lamps by 1 / (0.5 + quadratic d^2).
"""

from __future__ import annotations

import math
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from ami_ros.core.config import parse_yaml
from ami_ros.core.robots.description import default_robot, load_robot
from ami_ros.simulation.floor_plan import FloorPlan, at_height, door_obstacle, obstacles_of
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.gazebo.sdf import EvenLight, linear
from ami_ros.simulation.gazebo.world_sdf import write_world
from ami_ros.simulation.mjcf import Camera, mujoco
from ami_ros.simulation.scene import Beam, scene_of
from ami_ros.simulation.simulator import Simulator
from ami_ros.simulation.world import HEADROOM, World
from ami_ros.simulation.world_file import load_world
from harness import sdf
from harness.sdf import encoded

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


# Light and colours


@pytest.mark.parametrize("value", [0.0, 0.03, 0.2, 0.5, 1.0])
def test_color_is_shown_as_it_is_named(value: float) -> None:
    assert encoded(linear(value)) == pytest.approx(value, abs=1e-4)


@pytest.mark.parametrize("name", ["home", "two_rooms"])
def test_surface_is_as_bright_as_in_our_simulator_with_a_lamp_on_it_and_without(name: str, tmp_path: Path) -> None:
    world = load_world(name)
    light, beams = scene_of(world).surroundings, scene_of(world).beams
    root = ElementTree.parse(write_world(world, tmp_path)).getroot()
    ambient = float((root.findtext("world/scene/ambient") or "").split()[0]) / math.pi
    lamps = [under(element, 0.0) for element in root.iterfind("world/light")]
    assert len(lamps) == len(beams)
    glows = {
        visual.get("name", "").endswith("_flat"): float((visual.findtext("material/emissive") or "").split()[0])
        for visual in root.iterfind("world/model/link/visual")
        if "panels" in visual.get("name", "")
    }
    for texture in (0.2, 0.5, 0.8):
        for lies, share in ((True, 0.4), (False, 0.8)):
            plain = light.ambient + share * light.frontal
            assert encoded(linear(texture) * (ambient + glows[lies])) == pytest.approx(texture * plain, abs=0.02)
        for lamp, beam in zip(lamps, beams, strict=True):
            ours = min(1.0, texture * (light.ambient + light.frontal / 2 + beam.strength))
            even = linear(light.ambient + light.frontal / 2)
            assert encoded(linear(texture) * (even + lamp)) == pytest.approx(ours, abs=0.02)


def under(lamp: ElementTree.Element, distance: float) -> float:
    """The light of a lamp straight below it [m], or of the sun."""
    light = float((lamp.findtext("diffuse") or "").split()[0])
    if lamp.get("type") == "directional":
        return light
    return light / (0.5 + float(lamp.findtext("attenuation/quadratic") or 0) * distance**2)


def test_a_lamp_falls_off_with_distance_and_angle_as_in_our_simulator(tmp_path: Path) -> None:
    lamp = next(
        ElementTree.parse(write_world(load_world("home"), tmp_path)).getroot().iterfind("world/light[@type='spot']")
    )
    assert under(lamp, 3.0) / under(lamp, 0.0) == pytest.approx(1 / (1 + Beam(0.0).fall * 9))
    assert float(lamp.findtext("spot/falloff") or 0) == Beam(0.0).cone
    assert float(lamp.findtext("spot/inner_angle") or 1) == 0


@pytest.mark.parametrize("ambient", [0.1, 0.45, 0.7, 1.0])
def test_even_light_is_whole_however_bright_although_a_colour_ends_at_one(ambient: float) -> None:
    even = EvenLight.of(ambient, 0.2)
    assert 0.0 <= even.scene <= 1.0 and even.lying >= 0.0
    assert even.scene / math.pi + even.lying == pytest.approx(linear(ambient + 0.4 * 0.2))
    assert even.scene / math.pi + even.standing == pytest.approx(linear(ambient + 0.8 * 0.2))


def test_sky_is_shown_as_it_is_named(tmp_path: Path) -> None:
    world = load_world("home")
    shown = (ElementTree.parse(write_world(world, tmp_path)).getroot().findtext("world/scene/background") or "").split()
    mean = np.array(scene_of(world).surroundings.sky).mean(axis=0)
    assert [encoded(float(v)) for v in shown[:3]] == pytest.approx(mean.tolist(), abs=1e-3)


# What is seen of it: its meshes and pictures, drawn by MuJoCo


def test_interior_looks_in_gazebo_as_in_ours(tmp_path: Path) -> None:
    differences = [np.abs(theirs - ours).mean() for theirs, ours in pictures("building:home:5110", tmp_path)]
    assert max(differences) < 12.0, differences  # of 255: only things without pictures are lit otherwise


def test_patterns_lie_on_walls_where_they_lie_in_ours(tmp_path: Path) -> None:
    """`home` repeats its patterns by halves; it has lamps as well, so what counts is where edges are."""
    alike = [np.corrcoef(edges(theirs), edges(ours))[0, 1] for theirs, ours in pictures("home", tmp_path)]
    assert min(alike) > 0.9, alike


def edges(picture: np.ndarray) -> np.ndarray:
    """How steep a picture (h, w, 3) is from column to column, flat."""
    return np.log1p(np.abs(np.diff(picture, axis=1))).ravel()


def pictures(name: str, folder: Path) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """What the robot sees of a world from some poses, as written for Gazebo and as it is ours: (96, 96, 3) each."""
    world = load_world(name)
    path, size = write_world(world, folder), 96
    ours = Simulator(world, load_robot("ami_bot"), 0)
    space, rng = FreeSpace(world), np.random.default_rng(5)
    poses = [space.sample_pose(rng, clearance=0.3) for _ in range(2)]
    document, files = sdf.as_mjcf(path, "".join(camera_element(k, pose) for k, pose in enumerate(poses)))
    model = mujoco.MjModel.from_xml_string(document, files)
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    for number, pose in enumerate(poses):
        camera = Camera(model, str(number), size, show_robot=True)
        yield camera.picture(data).astype(float), ours.photograph(pose).astype(float)
        camera.close()
    ours.close()


def camera_element(number: int, pose: np.ndarray) -> str:
    """The camera of ami_bot at `pose` (3,)."""
    x, y, yaw = pose
    pitch = -math.radians(6.0)
    up = (math.sin(pitch) * math.cos(yaw), math.sin(pitch) * math.sin(yaw), math.cos(pitch))
    axes = " ".join(str(v) for v in (math.sin(yaw), -math.cos(yaw), 0.0, *up))
    return f'<camera name="{number}" pos="{x} {y} 0.25" fovy="100" xyaxes="{axes}"/>'
