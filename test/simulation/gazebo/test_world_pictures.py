"""What is seen of a world that was written for Gazebo: its meshes and pictures, drawn by MuJoCo."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ami_ros.core.robots.description import load_robot
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.gazebo.world_sdf import write_world
from ami_ros.simulation.mjcf import Camera, mujoco
from ami_ros.simulation.simulator import Simulator
from ami_ros.simulation.world_file import load_world
from harness import sdf

VIEWS = 2


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
    poses = [space.sample_pose(rng, clearance=0.3) for _ in range(VIEWS)]
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
