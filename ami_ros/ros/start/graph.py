"""The graph of nodes as plain data: which processes, with which parameters and remappings.

The launch files and `./ami` both start what this says, so they cannot drift apart.
"""

from __future__ import annotations

import dataclasses
import os
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from ami_ros.core.config import dump_yaml, from_mapping
from ami_ros.core.errors import AmiError
from ami_ros.core.installation import share
from ami_ros.core.robots.derived import node_parameters, topics
from ami_ros.core.robots.description import DEFAULT, RobotDescription, load_robot, robot_reference
from ami_ros.memory.sharing.replica import copies_beside, robot_name
from ami_ros.world_model.fit import check_model, shipped_model
from ami_ros.world_model.model_files import identify_model, model_folder

Part = Literal["stack", "simulation", "gate"]
STACK = ("safety", "perception", "world_model", "memory", "planner", "mission")
TRANSFORMS = {"/tf": "tf", "/tf_static": "tf_static"}  # in a namespace a robot has its own, as Nav2 has it
ENCLAVES = "/ami_ros"  # where SROS 2 has the keys of the nodes
LEARNED = ("perception", "world_model", "memory", "planner")  # nodes that need the model


def _argument(default: Any, doc: str, *parts: Part) -> Any:
    """`parts`: that it matters to; all, if none is named."""
    return field(default=default, metadata={"doc": doc, "parts": parts})


@dataclass(frozen=True)
class Arguments:
    """Launch arguments; names as in Nav2 where it has them."""

    namespace: str = _argument("", "Namespace of all nodes.")
    use_sim_time: bool = _argument(False, "Take the time from /clock.")
    params_file: str = _argument("", "File of further parameters, which override config/params.yaml.")
    autostart: bool = _argument(
        True, "Start a supervisor, which makes the nodes active and keeps them so; false: a lifecycle manager does."
    )
    log_level: Literal["debug", "info", "warn", "error", "fatal"] = _argument("info", "Lowest level that is logged.")
    robot: str = _argument(DEFAULT, "Name of a robot in config/robots, or its YAML file.")
    composed: bool = _argument(False, "All nodes of the stack in one process.", "stack")
    respawn: bool = _argument(True, "Restart a process of the stack when it dies.", "stack", "gate")
    model: str = _argument(
        "", "Folder of the model, or name of one in models; empty: the one that comes for such a robot.", "stack"
    )
    memory_file: str = _argument("", "File of the memory of places; empty: RAM only.", "stack")
    keep_memory: bool = _argument(True, "Write what is learned to memory_file.", "stack")
    site: str = _argument(
        "", "Name of the site whose robots share their memories while they drive; empty: none does.", "stack"
    )
    robot_name: str = _argument(
        "", "Name of this robot there; empty: its namespace, or else the name of its computer.", "stack"
    )
    keep_out: str = _argument(
        "", "YAML file of a map in the memory's frame: the robot keeps out of its occupied cells.", "stack"
    )
    use_memory: bool = _argument(True, "Plan routes through remembered places.", "stack")
    image_topic: str = _argument("", "Camera images of the robot; empty: as it is described.")
    camera_info_topic: str = _argument("", "Intrinsics of its camera; empty: as it is described, beside the images.")
    compressed: Literal["robot", "true", "false"] = _argument(
        "robot", "Images are CompressedImage; false: Image; robot: as it is described.", "stack"
    )
    scan_topic: str = _argument("", "Laser scans of the robot; empty: as it is described.")
    odom_topic: str = _argument("", "Odometry of the robot; empty: as it is described.")
    battery_state_topic: str = _argument("", "Charge of the robot; empty: battery_state.")
    cmd_vel_topic: str = _argument("", "Where the robot takes its commands; empty: as it is described.")
    cmd_vel_in_topic: str = _argument("", "Commands that the gate judges; empty: cmd_vel_raw.", "gate")
    enable_stamped_cmd_vel: Literal["robot", "true", "false"] = _argument(
        "robot", "Commands are TwistStamped; false: Twist; robot: as it is described.", "stack", "gate"
    )
    headless: bool = _argument(True, "No RViz.")
    world: str = _argument("home", "Name of a world that comes with the package, or a world file.", "simulation")
    seed: int = _argument(0, "Seed of start pose and noise.", "simulation")
    others: str = _argument(
        "", "Namespaces of other simulated robots in the same world, with commas between them.", "simulation"
    )
    follow_clock: bool = _argument(
        False, "The clock is that of another simulated robot: one clock for all.", "simulation"
    )
    real_time_factor: float = _argument(1.0, "Simulated seconds in a second; 0: as fast as possible.", "simulation")

    @classmethod
    def parse(cls, values: Mapping[str, str]) -> Arguments:
        """From text, as in launch files and command lines.

        Raises:
            AmiError: an unknown name, or text that does not fit.
        """
        hints = typing.get_type_hints(cls)
        return from_mapping(cls, {k: _parse(k, v, hints.get(k)) for k, v in values.items()}, "launch arguments")


def _parse(name: str, text: str, hint: Any) -> Any:
    if hint is bool:
        if text.lower() not in ("true", "false"):
            raise AmiError(f"launch arguments: {name} must be true or false, not '{text}'")
        return text.lower() == "true"
    if hint in (int, float):
        try:
            return hint(text)
        except ValueError as error:
            raise AmiError(f"launch arguments: {name} must be a number, not '{text}'") from error
    return text


@dataclass(frozen=True)
class ProcessSpec:
    """One process of the graph."""

    executable: str  # in lib/ami_ros, and a module of ami_ros.ros.nodes
    parameters: dict[str, dict[str, Any]]  # by node, above all files
    parameter_files: tuple[str, ...]  # above `defaults`; the first is the weakest
    remappings: dict[str, str]
    namespace: str
    log_level: str
    respawn: bool = False
    defaults: dict[str, dict[str, Any]] = field(default_factory=dict)  # by node: parameters that are the robot's
    title: str = ""  # where two processes have the same executable
    program: tuple[str, ...] = ()  # a command line, of what is no node of ours

    @property
    def name(self) -> str:
        """Of the process; no two of a graph have the same."""
        return self.title or self.executable

    def files(self, folder: Path) -> list[str]:
        """Its parameter files, the weakest first; those of `defaults` and `parameters` are written into `folder`."""
        first, last = (folder / f"{self.name}{suffix}.yaml" for suffix in (".robot", ""))
        for file, parameters in ((first, self.defaults), (last, self.parameters)):  # good for any namespace
            given = {f"/**/{node}": {"ros__parameters": values} for node, values in parameters.items() if values}
            file.write_text(dump_yaml(given))
        return [str(first), *self.parameter_files, str(last)]

    @property
    def rules(self) -> dict[str, str]:
        """All its remappings."""
        return in_namespace(self.remappings, self.namespace)

    @property
    def enclave(self) -> list[str]:
        """Arguments that name its keys, where SROS 2 is in use."""
        return enclave_arguments(self.executable)[1:]

    def ros_arguments(self, folder: Path) -> list[str]:
        """The command line after the executable; see `files`."""
        arguments = ["--ros-args"]
        for file in self.files(folder):
            arguments += ["--params-file", file]
        for source, target in self.rules.items():
            arguments += ["-r", f"{source}:={target}"]
        if self.namespace:
            arguments += ["-r", f"__ns:=/{self.namespace.strip('/')}"]
        return [*arguments, *self.enclave, "--log-level", self.log_level]


def enclave_arguments(name: str) -> list[str]:
    """Arguments for a process with the keys of an enclave; none where SROS 2 is not in use."""
    secure = os.environ.get("ROS_SECURITY_ENABLE") == "true"
    return ["--ros-args", "--enclave", f"{ENCLAVES}/{name}"] if secure else []


def in_namespace(remappings: dict[str, str], namespace: str) -> dict[str, str]:
    """Remappings of a node in a namespace, or in none."""
    return remappings | (TRANSFORMS if namespace else {})


def rules_of(arguments: Arguments, robot: RobotDescription) -> dict[str, str]:
    """All remappings of a node that is no part of the graph and watches it."""
    return in_namespace(_remappings(arguments, robot), arguments.namespace)


def declared(parts: Iterable[Part]) -> list[dataclasses.Field[Any]]:
    """The fields of `Arguments` that matter to `parts`."""
    wanted = set(parts)
    return [f for f in dataclasses.fields(Arguments) if not f.metadata["parts"] or wanted & set(f.metadata["parts"])]


def processes(arguments: Arguments, parts: Iterable[Part]) -> list[ProcessSpec]:
    """The processes of `parts`, those that others need first.

    Raises:
        AmiError: a file that was named is not there, or robot and model do not fit together.
    """
    robot = _as_asked(load_robot(arguments.robot), arguments)
    if "simulation" in parts and (arguments.compressed, arguments.enable_stamped_cmd_vel) != ("robot", "robot"):
        raise AmiError("launch arguments: compressed, enable_stamped_cmd_vel: a simulated robot is as its file says")
    make, found, watched = partial(_spec, arguments, robot), list[ProcessSpec](), list[str]()
    if "simulation" in parts:
        found.append(make("simulator", _simulator(arguments)))
    if "stack" in parts:
        watched = list(STACK)
        found += _stack(arguments, robot, make)
    if "gate" in parts:  # behind the planner of somebody else
        watched = ["safety"]
        found.append(make("safety", {"safety": {"supervised": arguments.autostart}}))
    if watched and arguments.autostart:  # else a lifecycle manager takes its place
        found.append(make("supervisor", {"supervisor": {"nodes": watched}}))
    return found


def _as_asked(robot: RobotDescription, arguments: Arguments) -> RobotDescription:
    """The robot with the camera and the type of commands that were asked for."""
    if arguments.enable_stamped_cmd_vel != "robot":
        robot = replace(robot, command=replace(robot.command, stamped=arguments.enable_stamped_cmd_vel == "true"))
    camera: dict[str, str] = {"topic": arguments.image_topic} if arguments.image_topic else {}
    if arguments.compressed != "robot":
        camera["type"] = "compressed" if arguments.compressed == "true" else "raw"
    return robot.with_sensor(robot.camera.name, **camera) if robot.camera is not None and camera else robot


def _stack(arguments: Arguments, robot: RobotDescription, make: Callable[..., ProcessSpec]) -> list[ProcessSpec]:
    named = arguments.model or shipped_model(robot)
    model = model_folder(named)
    check_model(robot, identify_model(model).spec, named)
    parameters: dict[str, dict[str, Any]] = {node: {} for node in STACK}
    for node in LEARNED:
        parameters[node]["model"] = str(model.resolve())
    memory_file = str(Path(arguments.memory_file).expanduser().resolve()) if arguments.memory_file else ""
    parameters["memory"] |= {"memory_file": memory_file, "keep": arguments.keep_memory}
    name = robot_name(arguments.robot_name, arguments.namespace) if arguments.site else ""
    if arguments.site and memory_file:
        parameters["memory"] |= {"copies": str(copies_beside(Path(memory_file))), "robot": name}
    if arguments.keep_memory and memory_file:
        parameters["mission"]["mission_file"] = f"{memory_file}.mission"
    if arguments.keep_out:
        parameters["memory"]["keep_out_file"] = str(Path(arguments.keep_out).expanduser().resolve())
        parameters["safety"]["keep_out.mask_topic"] = parameters["mission"]["keep_out_topic"] = "keep_out_mask"
    parameters["planner"]["navigator.use_memory"] = arguments.use_memory
    parameters["safety"]["supervised"] = arguments.autostart
    if arguments.composed:
        found = [make("composed", parameters)]
    else:
        found = [make(node, {node: values}) for node, values in parameters.items()]
    if arguments.site:  # a process beside the stack, that nothing waits for
        if not (memory_file and arguments.keep_memory):
            raise AmiError("launch arguments: site: what is shared is in memory_file; name one, and keep it")
        shared = {"site": arguments.site, "robot": name, "memory_file": memory_file}
        found.append(make("sharing", {"sharing": shared}))
    return found


def _simulator(arguments: Arguments) -> dict[str, dict[str, Any]]:
    world, others = Path(arguments.world), [name.strip() for name in arguments.others.split(",") if name.strip()]
    return {
        "simulator": {
            "robot": robot_reference(arguments.robot),
            "world": str(world.resolve()) if world.is_file() else arguments.world,
            "seed": arguments.seed,
            "real_time_factor": arguments.real_time_factor,
            "follow_clock": arguments.follow_clock,
            **({"others": others} if others else {}),
        }
    }


def _spec(
    arguments: Arguments, robot: RobotDescription, executable: str, parameters: dict[str, dict[str, Any]]
) -> ProcessSpec:
    simulates = executable == "simulator"  # that is where simulated time comes from
    alone = executable in ("simulator", "supervisor")  # nobody else starts these
    files = [share("config", "params.yaml")]
    if arguments.params_file:
        files.append(Path(arguments.params_file).expanduser().resolve())
        if not files[-1].is_file():
            raise AmiError(f"params_file {files[-1]}: no such file")
    common: dict[str, Any] = {"autostart": executable == "sharing" or (alone and arguments.autostart)}
    if not simulates:
        common["use_sim_time"] = arguments.use_sim_time
    return ProcessSpec(
        executable,
        defaults={node: values for node, values in node_parameters(robot).items() if node in parameters},
        parameter_files=tuple(map(str, files)),
        parameters={node: {**common, **values} for node, values in parameters.items()},
        remappings=_remappings(arguments, robot),
        namespace=arguments.namespace,
        log_level=arguments.log_level,
        respawn=arguments.respawn and not simulates,
    )


def _remappings(arguments: Arguments, robot: RobotDescription) -> dict[str, str]:
    """The names of the code to those of the robot, or to those that were asked for."""
    asked = {
        field.name.removesuffix("_topic"): getattr(arguments, field.name)
        for field in declared(())
        if field.name.endswith("_topic")
    }
    names = topics(robot) | {name: topic for name, topic in asked.items() if topic}
    if arguments.cmd_vel_in_topic:
        names["cmd_vel_raw"] = arguments.cmd_vel_in_topic
    return {name: topic for name, topic in names.items() if topic != name}
