"""What a start of Gazebo needs, as files in a folder: a world with the robot in it, and how topics are bridged."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ami_ros.config import dump_yaml
from ami_ros.errors import AmiError
from ami_ros.geometry import Array
from ami_ros.robots.description import RobotDescription, load_robot
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.gazebo import sdf
from ami_ros.simulation.gazebo.photographer_sdf import photographer_model
from ami_ros.simulation.gazebo.robot_sdf import robot_model
from ami_ros.simulation.gazebo.robot_urdf import robot_urdf
from ami_ros.simulation.gazebo.topics import clock_topics, robot_topics
from ami_ros.simulation.gazebo.world_sdf import write_world
from ami_ros.simulation.world import World
from ami_ros.simulation.world_file import load_world


@dataclass(frozen=True)
class GazeboFiles:
    """Where the files lie, and what the nodes beside Gazebo have to know."""

    world: Path
    robot_bridge: Path
    clock_bridge: Path
    robot: RobotDescription
    model: str  # its name in Gazebo
    urdf: str

    def arguments(self, headless: bool) -> str:
        """The command line after `gz sim`: it runs at once; headless without a window, drawing by EGL."""
        return " ".join([*(["-s", "--headless-rendering"] if headless else []), "-r", "-v", "2", str(self.world)])


def write_files(
    folder: Path, world: str, robot: str, namespace: str = "", pose: str = "", seed: int = 0, laser: bool = True,
    photographer: bool = False, real_time_factor: float = 1.0,
) -> GazeboFiles:  # fmt: skip
    """Writes everything into `folder`.

    Args:
        folder: to write into.
        world: as `load_world` takes it.
        robot: as `load_robot` takes it.
        namespace: of the robot's nodes; its model is called so, too.
        pose: "x y yaw" at which the robot starts [m, m, rad]; empty: a random one of the world's start area.
        seed: of that.
        laser: scans are Gazebo's; else they are those of the node `plan_laser`.
        photographer: with a camera for pictures of goals, if the robot has one.
        real_time_factor: simulated seconds in a second, at most.

    Raises:
        AmiError: there is no such world or robot, Gazebo cannot have it, it does not fit there, or a file cannot be
            written.
    """
    described, place = load_robot(robot), load_world(world)
    model = robot_model(described, namespace.strip("/").replace("/", "_") or None, laser)
    name = model.get("name", "")
    files = GazeboFiles(
        world=write_world(
            place,
            folder / "world",
            model,
            start_pose(place, described, pose, seed).tolist(),
            [photographer_model(described)] if photographer and described.camera is not None else [],
            real_time_factor,
        ),
        robot_bridge=folder / "bridge.yaml",
        clock_bridge=folder / "clock_bridge.yaml",
        robot=described,
        model=name,
        urdf=robot_urdf(described),
    )
    for path, topics in (
        (files.robot_bridge, robot_topics(described, name, laser)),
        (files.clock_bridge, clock_topics()),
    ):
        sdf.write(path, dump_yaml([topic.entry() for topic in topics]))
    return files


def start_pose(world: World, robot: RobotDescription, pose: str, seed: int) -> Array:
    """The pose (3,) that `pose` says, or a random one.

    Raises:
        AmiError: it says none, or the robot does not fit there.
    """
    space = FreeSpace(world, radius=robot.shape.radius)
    if not pose.strip():
        return space.sample_start(np.random.default_rng(seed))
    try:
        found = np.array([float(word) for word in pose.replace(",", " ").split()])
    except ValueError:
        found = np.zeros(0)
    if found.shape != (3,) or not np.isfinite(found).all():
        raise AmiError(f"pose '{pose}' must be x, y and yaw in metres and radians, as '1.5 2.0 0'")
    if not space.free(found):
        raise AmiError(f"robot {robot.name} does not fit at ({found[0]:g}, {found[1]:g}) of world {world.name}")
    return found
