"""What is seen of a world that was written for Gazebo: its meshes and pictures, drawn by MuJoCo."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from ami_ros.robots.description import load_robot
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.gazebo.world_sdf import write_world
from ami_ros.simulation.rendering import Camera, mujoco
from ami_ros.simulation.simulator import Simulator
from ami_ros.simulation.world_file import load_world
from harness import sdf

VIEWS = 2


def test_interior_looks_in_gazebo_as_in_ours(tmp_path: Path) -> None:
    world = load_world("building:home:5110")
    path, size = write_world(world, tmp_path), 96
    robot = load_robot("ami_bot")
    ours = Simulator(world, robot, 0)
    space, rng = FreeSpace(world), np.random.default_rng(5)
    poses = [space.sample_pose(rng, clearance=0.3) for _ in range(VIEWS)]
    document, files = sdf.as_mjcf(path, "".join(camera_element(k, pose) for k, pose in enumerate(poses)))
    model = mujoco.MjModel.from_xml_string(document, files)
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    differences = []
    for number, pose in enumerate(poses):
        camera = Camera(model, str(number), size, show_robot=True)
        differences.append(np.abs(camera.picture(data).astype(float) - ours.photograph(pose)).mean())
        camera.close()
    ours.close()
    assert max(differences) < 12.0, differences  # of 255: only things without pictures are lit otherwise


def camera_element(number: int, pose: np.ndarray) -> str:
    """The camera of ami_bot at `pose` (3,)."""
    x, y, yaw = pose
    pitch = -math.radians(6.0)
    up = (math.sin(pitch) * math.cos(yaw), math.sin(pitch) * math.sin(yaw), math.cos(pitch))
    axes = " ".join(str(v) for v in (math.sin(yaw), -math.cos(yaw), 0.0, *up))
    return f'<camera name="{number}" pos="{x} {y} 0.25" fovy="100" xyaxes="{axes}"/>'
