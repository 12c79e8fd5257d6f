"""What a demo was asked for, checked before anything is started, and its processes: simulator and stack."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ami_ros.core.errors import AmiError
from ami_ros.core.robots.description import DEFAULT, RobotDescription, load_robot, robot_reference
from ami_ros.memory.files import check_file, memory_beside
from ami_ros.ros.start.gazebo import NODES as GAZEBO_NODES
from ami_ros.ros.start.gazebo import Gazebo, find_gazebo, gazebo_environment, gazebo_processes, write_files
from ami_ros.ros.start.graph import STACK, Arguments, ProcessSpec, processes
from ami_ros.ros.start.processes import ProcessKeeper
from ami_ros.simulation.robot import simulated
from ami_ros.simulation.visit import parted
from ami_ros.simulation.world import World
from ami_ros.simulation.world_file import load_world
from ami_ros.world_model.fit import LASER, check_model, shipped_model, simulated_robot
from ami_ros.world_model.model_files import ModelIdentity, identify_model, model_folder

# What a demo was asked for, checked before anything is started.


@dataclass(frozen=True)
class DemoSettings:
    """Everything that `./ami demo` needs to know. `make` checks it; see the command's --help for the meanings."""

    world: World
    world_source: str  # as the simulator wants it: a name that ships, or an absolute path
    robot: RobotDescription
    robot_file: str
    goals: int
    seed: int
    model: Path
    memory: Path | None  # None: the robot remembers nothing at the start
    composed: bool
    headless: bool
    json: Path | None
    record: Path | None
    min_success: float
    real_time_factor: float
    port: int | None
    domain_id: int | None
    gazebo: Gazebo | None = None  # None: our own simulator
    explore: float = 0.0  # [min] before the goals, as a mission
    paced: bool = False  # simulated time runs as fast as the nodes keep up
    foreign_goals: int = 0  # pictures of another building, after the goals

    @classmethod
    def make(
        cls, *, world: str, robot: str | None, model: Path | None, memory: Path | None, simulator: str = "ours",
        explore: float = 0.0, real_time_factor: float | None = None, **others: Any,
    ) -> DemoSettings:  # fmt: skip
        """Checks what was asked for, and finds what was not named: the robot by the model, the model by the robot.

        Raises:
            AmiError: something is unknown, out of range, missing, damaged or not writable.
        """
        gazebo = find_gazebo() if simulator == "gazebo" else None
        described = load_world(world)
        own, visit = parted(world)
        is_file = Path(own).is_file() and Path(own).suffix in (".yaml", ".yml")
        described_robot = load_robot(robot or DEFAULT)
        unseen = LASER if described_robot.camera is None else "general"  # for worlds that no model has learned in
        model = model_folder(model or (unseen if explore else shipped_model(described_robot)))
        identity = identify_model(model)
        robot = robot or simulated_robot(identity.spec)
        check_model(simulated(robot), identity.spec, str(model))
        memory = memory or (None if explore else _shipped_memory(model, described.name))
        if memory is not None:
            _check_memory(memory, identity)
        settings = cls(
            world=described,
            world_source=f"{Path(own).resolve()}{visit.name}" if is_file else world,
            robot=load_robot(robot),
            robot_file=robot_reference(robot),
            model=model.resolve(),
            memory=memory,
            gazebo=gazebo,
            explore=explore,
            real_time_factor=1.0 if real_time_factor is None else real_time_factor,
            paced=explore > 0 and real_time_factor is None and gazebo is None,
            **others,
        )
        check_places(settings.json, settings.record)
        return settings


def check_places(json: Path | None, record: Path | None) -> None:
    """Raises AmiError: the file or the new folder cannot be written."""
    if json is not None:
        if json.is_dir():
            raise AmiError(f"--json {json}: is a folder; name a file")
        _check_writable(json.absolute().parent, "--json")
    if record is not None:
        if record.exists() and (not record.is_dir() or any(record.iterdir())):
            raise AmiError(f"--record {record}: exists already; name a new folder")
        _check_writable(_existing(record.absolute()), "--record")


def _shipped_memory(model: Path, world: str) -> Path | None:
    path = memory_beside(model, world)
    return path if path.is_file() else None


def _check_memory(path: Path, model: ModelIdentity) -> None:
    if not path.is_file():
        raise AmiError(f"--memory {path}: no such file")
    check_file(path, model.encoder_id, model.spec.latent_dim)


def _existing(path: Path) -> Path:
    """`path` or the nearest folder above it that exists."""
    return next(p for p in (path, *path.parents) if p.exists())


def _check_writable(folder: Path, option: str) -> None:
    if not folder.is_dir():
        raise AmiError(f"{option}: there is no folder {folder}; make it or name another")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise AmiError(f"{option}: {folder} is read-only; name another place")


# Simulator, ours or Gazebo, and stack as the processes of a demo.

NODES = ("simulator", *STACK, "supervisor")
USUAL: dict[str, Any] = {f"{name}_topic": name for name in ("image", "scan", "odom", "cmd_vel")}  # whatever the robot's


def nodes_of(settings: DemoSettings) -> tuple[str, ...]:
    """Names of all nodes that a demo starts."""
    return NODES if settings.gazebo is None else (*GAZEBO_NODES, *NODES[1:])


class DemoStack:
    """Starts what `settings` ask for, in the ROS domain of this process's environment.

    Args:
        settings: checked.
        folder: for parameters and logs.
    """

    def __init__(self, settings: DemoSettings, folder: Path) -> None:
        self._settings = settings
        self._folder = folder
        self._keeper: ProcessKeeper | None = None

    def start(self) -> None:
        """Starts all processes. What is remembered of this demo is forgotten at its end: the file that it begins with
        stays as it is.

        Raises:
            AmiError: a file of the package is missing.
        """
        settings = self._settings
        arguments = Arguments(
            use_sim_time=True,
            robot=settings.robot_file,
            **USUAL,
            composed=settings.composed,
            respawn=True,
            model=str(settings.model),
            memory_file=str(settings.memory or ""),
            keep_memory=False,
            world=settings.world_source,
            seed=settings.seed,
            real_time_factor=settings.real_time_factor,
        )
        folder = self._folder
        if settings.gazebo is None:
            self._keeper = ProcessKeeper(processes(arguments, ("simulation", "stack")), folder)
        else:
            environment = gazebo_environment(settings.gazebo, int(os.environ["ROS_DOMAIN_ID"]))
            specs = [*self._gazebo(arguments, folder), *processes(arguments, ("stack",))]
            self._keeper = ProcessKeeper(specs, folder, environment)
        self._keeper.start()

    def _gazebo(self, arguments: Arguments, folder: Path) -> list[ProcessSpec]:
        settings = self._settings
        assert settings.gazebo is not None
        files = write_files(
            folder, settings.world_source, settings.robot_file, seed=settings.seed,
            photographer=True, real_time_factor=settings.real_time_factor,
        )  # fmt: skip
        return gazebo_processes(settings.gazebo, files, arguments)

    def stop(self) -> None:
        """Ends all processes; does nothing the second time."""
        if self._keeper is not None:
            self._keeper.stop()

    def check(self) -> None:
        """Raises AmiError if a process has ended for good."""
        if self._keeper is not None:
            self._keeper.check()

    def restarts(self) -> dict[str, int]:
        """How often each process that died was started again; those that never did are left out."""
        processes = self._keeper.processes if self._keeper is not None else {}
        return {name: process.respawns for name, process in processes.items() if process.respawns}

    def pids(self) -> dict[str, int]:
        """Process ids by name."""
        return self._keeper.pids() if self._keeper is not None else {}
