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
from ami_ros.ros.start.graph import STACK, Arguments, processes
from ami_ros.ros.start.processes import ProcessKeeper
from ami_ros.simulation.robot import simulated
from ami_ros.simulation.visit import parted
from ami_ros.simulation.world import World
from ami_ros.simulation.world_file import load_world
from ami_ros.world_model.fit import LASER, check_model, shipped_model, simulated_robot
from ami_ros.world_model.model_files import identify_model, model_folder


@dataclass(frozen=True)
class DemoSettings:
    """Everything that `./ami demo` needs to know. `make` checks it; see the command's --help for the meanings."""

    world: World
    world_source: str  # as the simulator wants it: a name that ships, or an absolute path
    robot: RobotDescription
    robot_file: str
    model: Path
    memory: Path | None  # None: the robot remembers nothing at the start
    real_time_factor: float
    gazebo: Gazebo | None  # None: our own simulator
    paced: bool  # simulated time runs as fast as the nodes keep up
    explore: float = 0.0  # [min] before the goals, as a mission
    goals: int = 10
    seed: int = 0
    composed: bool = False
    headless: bool = False
    json: Path | None = None
    record: Path | None = None
    min_success: float = 0.5
    port: int | None = None
    domain_id: int | None = None
    foreign_goals: int = 0  # pictures of another building, after the goals

    @classmethod
    def make(
        cls, *, world: str, robot: str | None = None, model: Path | None = None, memory: Path | None = None,
        simulator: str = "ours", explore: float = 0.0, real_time_factor: float | None = None, **others: Any,
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
        beside = memory_beside(model, described.name)
        memory = memory or (beside if beside.is_file() and not explore else None)
        if memory is not None:
            if not memory.is_file():
                raise AmiError(f"--memory {memory}: no such file")
            check_file(memory, identity.encoder_id, identity.spec.latent_dim)
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
        path = record.absolute()
        _check_writable(next(p for p in (path, *path.parents) if p.exists()), "--record")


def _check_writable(folder: Path, option: str) -> None:
    if not folder.is_dir():
        raise AmiError(f"{option}: there is no folder {folder}; make it or name another")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise AmiError(f"{option}: {folder} is read-only; name another place")


NODES = ("simulator", *STACK, "supervisor")
USUAL: dict[str, Any] = {f"{name}_topic": name for name in ("image", "scan", "odom", "cmd_vel")}  # whatever the robot's


def nodes_of(settings: DemoSettings) -> tuple[str, ...]:
    """Names of all nodes that a demo starts."""
    return NODES if settings.gazebo is None else (*GAZEBO_NODES, *NODES[1:])


def stack_of(settings: DemoSettings, folder: Path) -> ProcessKeeper:
    """The processes of a demo, not started yet, in the ROS domain of this process's environment: simulator, ours or
    Gazebo, and stack. What is remembered of this demo is forgotten at its end: the file that it begins with stays as
    it is.

    Args:
        settings: checked.
        folder: for parameters and logs.

    Raises:
        AmiError: a file of the package is missing.
    """
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
    if settings.gazebo is None:
        return ProcessKeeper(processes(arguments, ("simulation", "stack")), folder)
    files = write_files(
        folder, settings.world_source, settings.robot_file, seed=settings.seed, photographer=True,
        real_time_factor=settings.real_time_factor,
    )  # fmt: skip
    specs = [*gazebo_processes(settings.gazebo, files, arguments), *processes(arguments, ("stack",))]
    environment = gazebo_environment(settings.gazebo, int(os.environ["ROS_DOMAIN_ID"]))
    return ProcessKeeper(specs, folder, environment)
