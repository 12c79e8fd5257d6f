"""Gazebo: where it is installed, the files that it reads, and its processes in the place of our own simulator."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from ami_ros.core.config import dump_yaml
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array
from ami_ros.core.robots.derived import topics
from ami_ros.core.robots.description import RobotDescription, load_robot, robot_reference
from ami_ros.ros.start.graph import Arguments, ProcessSpec
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.gazebo import sdf
from ami_ros.simulation.gazebo.robot_sdf import clock_topics, photographer_model, robot_model, robot_topics, robot_urdf
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
    folder: Path, world: str, robot: str, namespace: str = "", pose: str = "", seed: int = 0,
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
        photographer: with a camera for pictures of goals, if the robot has one.
        real_time_factor: simulated seconds in a second, at most.

    Raises:
        AmiError: there is no such world or robot, Gazebo cannot have it, it does not fit there, or a file cannot be
            written.
    """
    described, place = load_robot(robot), load_world(world)
    model = robot_model(described, namespace.strip("/").replace("/", "_") or None)
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
    for path, bridged in (
        (files.robot_bridge, robot_topics(described, name)),
        (files.clock_bridge, clock_topics()),
    ):
        sdf.write(path, dump_yaml([topic.entry() for topic in bridged]))
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


PREFIX = "GAZEBO_PREFIX"  # environment variable: a folder with bin, lib and share, where `gz` is not in PATH


@dataclass(frozen=True)
class Gazebo:
    """An installation with its Python bindings."""

    program: str  # gz
    environment: dict[str, str]  # variables to add to this process's own
    version: str  # of gz-sim


def find_gazebo(environment: Mapping[str, str] = os.environ) -> Gazebo:
    """The one in PATH, or in the folder that GAZEBO_PREFIX names.

    Raises:
        AmiError: something is missing; one line says what.
    """
    prefix = Path(environment[PREFIX]) if environment.get(PREFIX) else None
    path = [str(prefix / "bin")] if prefix else []
    program = shutil.which("gz", path=os.pathsep.join([*path, environment.get("PATH", "")]))
    if program is None:
        where = f"in {prefix}/bin, which {PREFIX} names" if prefix else "in PATH"
        raise AmiError(f"there is no gz {where}: install Gazebo Harmonic, or set {PREFIX} to the folder it is in")
    added = {} if prefix is None else _variables(prefix, environment)
    python = [Path(p) for p in added.get("PYTHONPATH", environment.get("PYTHONPATH", "")).split(os.pathsep) if p]
    if not any(_has_bindings(folder) for folder in [*python, *map(Path, sys.path)]):
        raise AmiError("Gazebo is there, but not gz.transport for Python: apt install python3-gz-transport13")
    if importlib.util.find_spec("google") is None or importlib.util.find_spec("google.protobuf") is None:
        raise AmiError("Gazebo is there, but not what its Python bindings need: pip install protobuf")
    return Gazebo(program, added, _version(program, {**environment, **added}))


def _has_bindings(folder: Path) -> bool:
    return any((folder / "gz").glob("transport*/__init__.py"))


def _variables(prefix: Path, environment: Mapping[str, str]) -> dict[str, str]:
    own = {"PATH": prefix / "bin", "PYTHONPATH": prefix / "lib" / "python", "LD_LIBRARY_PATH": prefix / "lib"}
    others = {name: environment.get(name, "") for name in own}
    joined = {name: os.pathsep.join(filter(None, [str(path), others[name]])) for name, path in own.items()}
    return joined | {"GZ_CONFIG_PATH": str(prefix / "share" / "gz")}


def _version(program: str, environment: Mapping[str, str]) -> str:
    try:
        told = subprocess.run(
            [program, "sim", "--versions"], env=dict(environment), capture_output=True, text=True, timeout=60.0,
            check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise AmiError(f"{program} sim does not run: {error}") from error
    words = told.stdout.split()
    if told.returncode != 0 or not words:
        last = (told.stderr.strip() or told.stdout.strip() or "it said nothing").splitlines()[-1]
        raise AmiError(f"{program} sim does not run: {last}")
    return words[0]  # the newest comes first, and is the one that runs


NODES = ("clock_bridge", "gazebo_bridge", "gazebo_world", "command_timeout")


def gazebo_environment(gazebo: Gazebo, domain: int) -> dict[str, str]:
    """Variables for all processes: a Gazebo of their own on this machine, whatever else runs."""
    return gazebo.environment | {"GZ_PARTITION": f"ami_{domain}", "GZ_IP": "127.0.0.1"}


def gazebo_processes(gazebo: Gazebo, files: GazeboFiles, arguments: Arguments) -> list[ProcessSpec]:
    """The server first.

    Args:
        gazebo: the installation.
        files: see `write_files`.
        arguments: the robot counts.
    """
    robot = {"robot": robot_reference(arguments.robot)}
    model = robot | {"model": files.model}
    server = (gazebo.program, "sim", *files.arguments(headless=True).split())
    command = {"enable_stamped_cmd_vel": files.robot.command.stamped, "base_frame": files.robot.frames.base}
    known = topics(files.robot)  # the stack beside a simulator has the usual names, whatever the robot calls them
    usual = {known[name]: name for name in ("image", "scan", "odom") if known.get(name, name) != name}
    return [
        ProcessSpec("gazebo", {}, (), {}, "", arguments.log_level, program=server),
        _node(arguments, "gazebo_bridge", robot | {"part": "clock"}, "clock_bridge", clock=False),
        _node(arguments, "gazebo_bridge", model, remappings=usual),
        _node(arguments, "gazebo_world", model | {"world": files.world.stem}),
        _node(arguments, "command_timeout", command),
    ]


def _node(
    arguments: Arguments, executable: str, parameters: dict[str, Any], name: str = "", clock: bool = True,
    remappings: Mapping[str, str] = MappingProxyType({}),
) -> ProcessSpec:  # fmt: skip
    """One that starts itself, and again when it dies."""
    node = name or executable
    common = {"autostart": True, **({"use_sim_time": True} if clock else {})}
    rules = {**remappings, **({"__node": node} if name else {})}
    return ProcessSpec(
        executable, {node: common | parameters}, (), rules, arguments.namespace, arguments.log_level,
        respawn=arguments.respawn, title=name,
    )  # fmt: skip
